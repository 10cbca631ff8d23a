"""Submitting and looking after the queue: the store decides, messages are doorbells, sent after the commit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from db.errors import BrokerError
from db.records import JobState, Reconciled, SubmittedJob

if TYPE_CHECKING:
    from db._looks import Looks
    from db.store import Store
    from scheduler.planning import Plan
    from scheduler.settings import Settings

QUEUE = "bench"  # its name at the broker

RING_MOST = 200  # doorbells that one command sends: for 10,000 that would take longer than writing the jobs
_WAITING_MOST = 1000  # doorbells that are to wait at the broker, however many jobs do


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    id: int
    jobs: tuple[SubmittedJob, ...]  # one for each (label, seed)

    def distinct(self) -> list[SubmittedJob]:
        first: dict[int, SubmittedJob] = {}
        for job in self.jobs:
            first.setdefault(job.job_id, job)
        return list(first.values())

    def count(self, *states: JobState, new: bool | None = None) -> int:
        wanted = states or tuple(JobState)
        return sum(job.state in wanted and new in (None, job.new) for job in self.distinct())


@dataclass(frozen=True, slots=True, kw_only=True)
class Doorbells:
    """How to ring: `send` one message for each job, `depth` how many wait (None: the broker cannot tell)."""

    send: Callable[[Sequence[int]], None]
    depth: Callable[[], int | None]


def submit(store: "Store", plan: "Plan", *, priority: int = 0, command: str = "") -> Submitted:
    """Write what is new, all or nothing. Ring afterwards with `ring`: the store never waits for the broker."""
    submission_id, answer = store.submit(
        plan.submission(command=command),
        plan.new_jobs(),
        priority=priority,
        sources=plan.sources(),
        sizes=plan.sizes,
    )
    return Submitted(id=submission_id, jobs=tuple(answer))


def ring(store: "Store", bells: Doorbells, *, most: int = RING_MOST) -> int:
    """Send a doorbell for each of so many queued jobs that have none; gives how many. Raises BrokerError.

    Nothing is lost by an error or by what goes beyond `most`: workers reconcile, and ring for the rest as jobs end.
    """
    waiting = store.unpublished(limit=most)
    if waiting:
        bells.send(waiting)
        store.mark_published(waiting)
    return len(waiting)


def reconcile(
    store: "Store", bells: Doorbells, *, actor: str = "reconcile", waiting: int = _WAITING_MOST
) -> Reconciled:
    """Take back what dead workers held and ring for what waits unheard; anyone may call it at any time.

    `waiting` doorbells are to be at the broker afterwards, or as many as there are jobs to claim.
    """
    changed = store.reconcile(actor=actor)
    depth = bells.depth()
    if depth is None:
        ring(store, bells)
    elif depth < waiting:
        depth += ring(store, bells, most=waiting - depth)
        claimable = store.claimable(waiting)
        if depth < len(claimable):
            # messages were lost; one too many does no harm, a worker that finds nothing returns at once
            bells.send(claimable[: len(claimable) - depth])
    return changed


def is_heard(store: "Looks", depth: int, *, waiting: int = RING_MOST) -> bool:
    """Whether `reconcile` would ring for nothing, with so many doorbells at the broker."""
    return depth >= waiting or (not store.unpublished(limit=1) and depth >= len(store.claimable(waiting)))


def look_around(
    store: "Store", bells: Doorbells, *, actor: str, away: Callable[[BrokerError], object] = lambda error: None
) -> Reconciled:
    """Like `reconcile`, for commands that only look and answer at once: `away` hears of a broker that is away."""
    try:
        return reconcile(store, bells, actor=actor, waiting=RING_MOST)
    except BrokerError as error:
        away(error)
        return Reconciled()


def look_after(here: "Settings", store: "Store", *, actor: str) -> str:
    """Look after the queue; gives a line when jobs wait and the broker, which somebody has started, is silent."""
    store.reconcile(actor=actor)
    waiting = store.counts()[JobState.QUEUED]
    # the broker is asked only when something could have been lost; a look at finished jobs needs no queue
    if not waiting:
        return ""
    from scheduler.app import doorbells
    from scheduler.broker import is_up
    from scheduler.urls import shown

    wait = "1 job waits" if waiting == 1 else f"{waiting} jobs wait"
    line = f"the broker {shown(here.broker)} does not answer; {wait} in the store"
    if here.embedded_broker and not is_up(here):
        return line if here.socket.exists() else ""  # `bench worker` starts one where there is none
    errors: list[BrokerError] = []
    look_around(store, doorbells(here), actor=actor, away=errors.append)
    return line if errors else ""
