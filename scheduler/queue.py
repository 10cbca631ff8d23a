"""Submitting and looking after the queue: the store decides, messages are doorbells, sent after the commit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from db.errors import BrokerError
from db.records import JobState, Reconciled, SubmittedJob
from scheduler.planning import Plan

if TYPE_CHECKING:
    from db.store import Store

_REPUBLISH_MOST = 1000  # doorbells in one look around


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


def submit(store: "Store", plan: Plan, *, priority: int = 0, command: str = "") -> Submitted:
    """Write what is new, all or nothing. Ring afterwards with `ring`: the store never waits for the broker."""
    submission_id, answer = store.submit(plan.submission(command=command), plan.new_jobs(), priority=priority)
    return Submitted(id=submission_id, jobs=tuple(answer))


def ring(store: "Store", bells: Doorbells) -> int:
    """Send a doorbell for every queued job that has none; gives how many. Raises BrokerError, nothing is lost."""
    waiting = store.unpublished()
    if waiting:
        bells.send(waiting)
        store.mark_published(waiting)
    return len(waiting)


def reconcile(store: "Store", bells: Doorbells, *, actor: str = "reconcile") -> Reconciled:
    """Take back what dead workers held and ring for what waits unheard; anyone may call it at any time."""
    changed = store.reconcile(actor=actor)
    ring(store, bells)
    depth = bells.depth()
    claimable = store.claimable(_REPUBLISH_MOST) if depth is not None and depth < _REPUBLISH_MOST else []
    if depth is not None and depth < len(claimable):
        # messages were lost; one too many does no harm, a worker that finds nothing returns at once
        bells.send(claimable[: len(claimable) - depth])
    return changed


def look_around(store: "Store", bells: Doorbells, *, actor: str) -> Reconciled:
    """Like `reconcile`, for commands that only look: a broker that is away is no error."""
    try:
        return reconcile(store, bells, actor=actor)
    except BrokerError:
        return Reconciled()
