"""What becomes of a job whose attempt ended without a result: the cause decides, by this table and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass

from db.records import Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Queued again at most `most` times (None: without limit), `delay_s` after the end.

    `alone`: the next time with its device to itself, and never again after that.
    """

    most: int | None = None
    delay_s: float = 0.0
    alone: bool = False


RETRIES: Mapping[Cause, Retry] = {
    # resumed from the last checkpoint; the cap ends a job that takes each of its workers with it
    Cause.WORKER_LOST: Retry(most=2),
    # somebody asked the worker to stop: that says nothing about the job
    Cause.PREEMPTED: Retry(most=None),
    # perhaps its neighbours took the memory; without them it is the job's own fault
    Cause.OOM: Retry(delay_s=5.0, alone=True),
}
"""A cause that is not here (`code`, `data`, `diverged`, `timeout`) ends the job: the same again would end the same.

Attempts count from the last time that somebody retried the job by hand, or that a checkpoint carried it further.
"""

USUAL_CPU_MIB = 1536.0
"""What a job takes on a CPU of whose network nobody knows more, interpreter and PyTorch included.

At their batch sizes the built-in suite's small networks took 650 to 1,200, its resnet 3,100.
"""
