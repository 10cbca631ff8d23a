"""Any order of what users, workers and time may do to a store leaves it as a small model of it says."""

import shutil
from contextlib import closing
from dataclasses import dataclass, field, replace

import pytest
from clock import Clock
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from records import EPOCH, new_job, result, submission
from sqlalchemy import select

from db import open_store
from db.errors import LostError
from db.policy import RETRIES, USUAL_CPU_MIB
from db.records import MOVES, Cause, Claim, JobState
from db.tables import attempts, epochs, events, jobs, metadata, results

LEASE_S = 60.0
OWNERS = {"w1": "here", "w2": "there", "w3": "card", "w4": "card", "w5": "host", "w6": "host"}
ROOM_MIB = {"card": 1000.0, "host": 1000.0}  # of places where memory is counted
SEEDS = range(5)
NEEDS_MIB = dict(zip(SEEDS, (400.0, None, 600.0, 500.0, 1001.0), strict=True))
NEW_JOBS = {seed: new_job(seed) for seed in SEEDS}
WORK = ["heartbeat", "start", "record_epoch", "finish", "preempt", "run_out_of_memory", "break_down"]

_seed = st.sampled_from(SEEDS)
_work = (st.sampled_from(WORK), st.integers(1, 3))
STEPS = [
    st.tuples(st.just("submit"), st.lists(_seed, min_size=1, unique=True), st.integers(0, 2)),
    *[st.tuples(st.just("claim"), st.sampled_from([*OWNERS]))] * 3,
    *[st.tuples(st.just("freeze"), st.integers(0, 1), *_work)] * 2,
    *[st.tuples(st.just("work"), st.just(0), *_work)] * 3,
    *[st.tuples(st.just("work"), st.integers(1, 4), *_work)] * 2,
    st.tuples(st.just("cancel"), st.sets(_seed, min_size=1, max_size=2)),
    st.tuples(st.just("retry"), st.sets(_seed, min_size=1)),
    st.tuples(st.just("time_passes"), st.sampled_from([1.0, 6.0, 59.0, 61.0])),
    st.tuples(st.just("waits_long"), st.integers(0, 1)),
    st.tuples(st.just("reconcile"), st.sampled_from([*OWNERS, "status"])),
]


@dataclass
class Expected:
    """What the store should know of one job."""

    id: int
    priority: int
    available_at: float
    state: JobState = JobState.QUEUED
    claim: Claim | None = None  # the newest
    lease_until: float = 0.0
    counted_from: int = 0
    alone: bool = False
    needs_mib: float | None = None
    asked_to_stop: bool = False
    cause: Cause | None = None
    accuracy: float | None = None
    endings: list[str] = field(default_factory=list)  # how each attempt ended
    starts: list[int] = field(default_factory=list)  # the epochs that a checkpoint gave it

    @property
    def attempt(self):
        return len(self.starts)

    def holds(self, claim):
        return self.state is JobState.RUNNING and self.claim == claim

    def end(self, cause, now):
        policy, self.state = RETRIES.get(cause), JobState.FAILED
        before = self.endings[self.counted_from :].count(cause)
        again = policy and (not self.alone if policy.alone else policy.most is None or before < policy.most)
        cancelled = cause is Cause.CANCELLED or (policy and self.asked_to_stop)
        if cancelled:
            self.state = JobState.CANCELLED
        elif again:
            self.state, self.available_at = JobState.QUEUED, now + policy.delay_s
            self.alone = self.alone or policy.alone
        self.cause, self.asked_to_stop = Cause.CANCELLED if cancelled else cause, False
        self.endings.append(cause)


class StoreMachine(RuleBasedStateMachine):
    def __init__(self, url):
        super().__init__()
        self.clock = Clock()
        self.store = open_store(url, clock=self.clock.sql)
        self.jobs = {}  # by seed
        self.claims = []  # all that were ever given, the newest first
        self.submissions = 0

    def teardown(self):
        self.a_done_job_has_one_result_and_no_other_has_any()
        self.every_attempt_is_there_and_only_the_newest_of_a_running_job_is_open()
        self.moves_were_allowed()
        assert len(self.store.submissions()) == self.submissions
        self.store.close()

    @initialize()
    def begin(self):
        self.submit([*SEEDS][:3], 1)

    @rule(step=st.one_of(STEPS))
    def happens(self, step):
        # one rule for all: of several Hypothesis leaves some out for a whole example, and most had no claim then
        name, *arguments = step
        getattr(self, name)(*arguments)

    def of(self, claim):
        return self.jobs[claim.seed]

    def expire(self):
        for job in self.jobs.values():
            if job.state is JobState.RUNNING and job.lease_until < self.clock.now:
                job.end(Cause.WORKER_LOST, self.clock.now)

    def submit(self, seeds, priority):
        _, asked = self.store.submit(submission(), [NEW_JOBS[seed] for seed in seeds], priority=priority)
        self.submissions += 1
        for entry in asked:
            assert entry.new == (entry.seed not in self.jobs)
            needs_mib = NEEDS_MIB[entry.seed]
            known = Expected(id=entry.job_id, priority=priority, available_at=self.clock.now, needs_mib=needs_mib)
            job = self.jobs.setdefault(entry.seed, known)
            assert job.id == entry.job_id
            if priority and job.state is not JobState.DONE:
                job.priority = max(job.priority, priority)
        needs_mib = {job.id: job.needs_mib for job in self.jobs.values() if job.needs_mib is not None}
        for device in ("cuda", "cpu"):
            self.store.set_memory(device, needs_mib)

    def claim(self, owner):
        self.expire()
        beside = [job for job in self.jobs.values() if job.state is JobState.RUNNING and place(job) == OWNERS[owner]]
        waiting = [
            job for job in self.jobs.values() if job.state is JobState.QUEUED and job.available_at <= self.clock.now
        ]
        room_mib = ROOM_MIB.get(OWNERS[owner])
        device = "cpu" if OWNERS[owner] == "host" else "cuda"
        job = self.first_of(waiting, beside, room_mib, device)
        claim = self.store.claim_next(owner, lease_s=LEASE_S, place=OWNERS[owner], device=device, room_mib=room_mib)
        if job is None:
            assert claim is None
            return
        assert (claim.job_id, claim.attempt, claim.owner) == (job.id, job.attempt + 1, owner)
        job.state, job.claim, job.cause = JobState.RUNNING, claim, None
        job.lease_until = self.clock.now + LEASE_S
        job.starts.append(0)
        self.claims.insert(0, claim)

    def first_of(self, waiting, beside, room_mib, device):
        """The job that the store should give to a place where those beside it run."""
        if any(job.alone for job in beside):
            return None
        for job in sorted(waiting, key=urgency):
            if fits(job, beside, room_mib, device):
                return job
            passed_over = beside and room_mib is not None and job.available_at <= self.clock.now - 600
            if passed_over and urgency(job) < min(map(urgency, beside)):
                return None
        return None

    def freeze(self, back, what, number):
        """A worker sleeps past its lease, the most urgent job is taken, the same perhaps, and the worker wakes up."""
        if self.claims:
            frozen = self.claims[back % len(self.claims)]
            self.clock.now += LEASE_S + 1
            self.claim(frozen.owner)
            getattr(self, what)(frozen, number)

    def work(self, back, what, number):
        """The holder of a claim, or who was that once, writes something."""
        if self.claims:
            getattr(self, what)(self.claims[back % len(self.claims)], number)

    def heartbeat(self, claim, _number):
        job = self.of(claim)
        beat = self.store.heartbeat(claim, lease_s=LEASE_S)
        assert beat.owned == job.holds(claim)
        assert beat.cancel_requested == (beat.owned and job.asked_to_stop)
        if beat.owned:
            job.lease_until = self.clock.now + LEASE_S

    def start(self, claim, epoch):
        job = self.of(claim)
        reached = [replace(EPOCH, epoch=number) for number in range(1, epoch + 1)]
        self.write(claim, lambda: self.store.start_attempt(claim, reached=reached))
        if job.holds(claim):
            if epoch > max(job.starts[:-1], default=0):
                job.counted_from = claim.attempt - 1
            job.starts[-1] = epoch

    def record_epoch(self, claim, epoch):
        self.write(claim, lambda: self.store.record_epoch(claim, replace(EPOCH, epoch=epoch)))

    def finish(self, claim, number):
        job, accuracy = self.of(claim), number / 4
        if job.state is JobState.DONE and job.claim == claim:
            self.changes_nothing(lambda: self.store.finish(claim, result(accuracy), {}))
            return
        self.write(claim, lambda: self.store.finish(claim, result(accuracy), {}))
        if job.holds(claim):
            job.state, job.accuracy = JobState.DONE, accuracy
            job.endings.append("done")

    def preempt(self, claim, _number):
        self.fail(claim, Cause.PREEMPTED)

    def run_out_of_memory(self, claim, _number):
        self.fail(claim, Cause.OOM)

    def break_down(self, claim, number):
        self.fail(claim, (Cause.CODE, Cause.TIMEOUT, Cause.CANCELLED)[number - 1])

    def fail(self, claim, cause):
        job, was_ours = self.of(claim), self.of(claim).holds(claim)
        state = self.write(claim, lambda: self.store.fail(claim, cause, "why"))
        if was_ours:
            job.end(cause, self.clock.now)
            assert state is job.state

    def cancel(self, seeds):
        chosen = [self.jobs[seed] for seed in seeds if seed in self.jobs]
        cancelled, asked = self.store.cancel([job.id for job in chosen])
        assert cancelled == sorted(job.id for job in chosen if job.state is JobState.QUEUED)
        assert asked == sorted(job.id for job in chosen if job.state is JobState.RUNNING)
        for job in chosen:
            if job.state is JobState.QUEUED:
                job.state, job.cause = JobState.CANCELLED, Cause.CANCELLED
            job.asked_to_stop = job.state is JobState.RUNNING

    def retry(self, seeds):
        ended = (JobState.FAILED, JobState.CANCELLED)
        chosen = [self.jobs[seed] for seed in seeds if seed in self.jobs]
        again = [job for job in chosen if job.state in ended]
        assert self.store.retry([job.id for job in chosen]) == sorted(job.id for job in again)
        for job in again:
            job.state, job.cause, job.alone = JobState.QUEUED, None, False
            job.counted_from, job.available_at = job.attempt, self.clock.now

    def time_passes(self, seconds):
        self.clock.now += seconds

    def waits_long(self, less):
        """Ten minutes, or a second less, in which those that have a job keep it."""
        for _ in range(600 // 50):
            self.clock.now += 50
            for claim in self.claims:
                if self.of(claim).holds(claim) and self.of(claim).lease_until >= self.clock.now:
                    self.heartbeat(claim, 1)
        self.clock.now -= less

    def reconcile(self, actor):
        running = [job for job in self.jobs.values() if job.state is JobState.RUNNING]
        self.expire()
        found = self.store.reconcile(actor=actor)
        assert set(found.requeued) == {job.id for job in running if job.state is JobState.QUEUED}
        assert set(found.failed) == {job.id for job in running if job.state is JobState.FAILED}

    def write(self, claim, act):
        """A write that is refused, and changes nothing, unless the claim still holds its job."""
        if self.of(claim).holds(claim):
            return act()
        with pytest.raises(LostError):
            self.changes_nothing(act)
        return None

    def changes_nothing(self, act):
        before = self.everything()
        try:
            act()
        finally:
            assert self.everything() == before

    def everything(self):
        with self.store._reading() as connection:
            tables = (jobs, attempts, epochs, results, events)
            return [connection.execute(select(table).order_by(*table.primary_key)).all() for table in tables]

    @invariant()
    def the_store_is_as_the_model_says(self):
        found = {job.seed: (job.id, job.state, job.attempt, job.cause) for job in self.store.jobs()}
        assert found == {seed: (job.id, job.state, job.attempt, job.cause) for seed, job in self.jobs.items()}

    def a_done_job_has_one_result_and_no_other_has_any(self):
        found = self.store.results(job.id for job in self.jobs.values())
        scores = {job_id: result.best.test_accuracy for job_id, result in found.items()}
        assert scores == {job.id: job.accuracy for job in self.jobs.values() if job.state is JobState.DONE}

    def every_attempt_is_there_and_only_the_newest_of_a_running_job_is_open(self):
        tries = self.store.attempts(job.id for job in self.jobs.values())
        for job in self.jobs.values():
            is_open = [None] if job.state is JobState.RUNNING else []
            assert [a.outcome for a in tries[job.id]] == job.endings + is_open
            assert [a.number for a in tries[job.id]] == [*range(1, job.attempt + 1)]

    def moves_were_allowed(self):
        for job in self.jobs.values():
            state = JobState.QUEUED
            for event in self.store.events(job.id):
                if "to" in event.details:
                    assert event.details["to"] in MOVES[state]
                    state = JobState(event.details["to"])
            assert state is job.state


def urgency(job):
    return -job.priority, job.id


def fits(job, beside, room_mib, device):
    if not beside:
        return True
    if job.alone or room_mib is None:
        return not job.alone
    unknown = USUAL_CPU_MIB if device == "cpu" else None
    needs_mib = [unknown if one.needs_mib is None else one.needs_mib for one in (job, *beside)]
    return None not in needs_mib and sum(needs_mib) <= room_mib


def place(job):
    return OWNERS[job.claim.owner]


def budget(examples, steps):
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=slow)


def test_any_order_of_events_keeps_a_sqlite_store_as_the_model_says(tmp_path):
    empty, used = tmp_path / "empty.db", tmp_path / "used.db"
    open_store(f"sqlite:///{empty}", create=True).close()  # closed: its -wal is in the file

    def machine():
        for path in tmp_path.glob("used.db*"):
            path.unlink()
        shutil.copyfile(empty, used)
        return StoreMachine(f"sqlite:///{used}")

    run_state_machine_as_test(machine, settings=budget(40, 60))


def test_any_order_of_events_keeps_a_postgres_store_as_the_model_says(postgres_url):
    open_store(postgres_url, create=True).close()
    tables = ", ".join(table.name for table in metadata.sorted_tables)

    def machine():
        with closing(open_store(postgres_url)) as store, store._writing() as connection:
            connection.exec_driver_sql(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")
        return StoreMachine(postgres_url)

    run_state_machine_as_test(machine, settings=budget(8, 40))
