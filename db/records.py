"""What rooms hand to each other: frozen records, made of plain values and numpy arrays, never database rows.

Accuracies are fractions, losses mean cross-entropy in nats, durations seconds (`_s`), memory MiB (`_mib`),
moments aware UTC (`_at`). Epochs are counted from 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


MOVES: Mapping[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.CANCELLED}),
    JobState.RUNNING: frozenset({JobState.QUEUED, JobState.DONE, JobState.FAILED, JobState.CANCELLED}),
    JobState.FAILED: frozenset({JobState.QUEUED}),
    JobState.CANCELLED: frozenset({JobState.QUEUED}),
    JobState.DONE: frozenset(),
}
"""From each state the ones a job may move to; a done job never moves again."""

WAITING = frozenset({JobState.QUEUED, JobState.RUNNING})
"""The states of a job that a worker still has something to do for."""


class Cause(StrEnum):
    """Why an attempt ended without a result."""

    OOM = "oom"
    DIVERGED = "diverged"
    TIMEOUT = "timeout"
    WORKER_LOST = "worker_lost"
    PREEMPTED = "preempted"
    CANCELLED = "cancelled"
    DATA = "data"
    CODE = "code"


class Weights(StrEnum):
    """Which weights of a training: those of the best validation loss, or those after its last epoch."""

    BEST = "best"
    LAST = "last"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """One (config, seed) to be queued. `label` is the variant's name in its suite."""

    key: str
    label: str
    seed: int
    config: Mapping[str, Any]
    fingerprint: str | None = None
    timeout_s: float | None = None  # that one attempt may take, from its claim


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSize:
    """Of a network that is not bench's, as whoever submitted it has measured it: no worker runs it to know."""

    parameters: int
    flops: int  # of one image's forward pass
    activations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSubmission:
    """The suite as it was when somebody submitted it, enough for a report without the file.

    `variants` maps each label to `{"title": str, "config": {...}}`; `layout` holds the tables and figures that the
    suite asks for; `reference` the printed values to stand beside ours (empty when data or protocol differ from the
    suite's). Submissions with one `scope` (suite, data and overrides) are reported together.
    """

    suite: str
    title: str
    text: str
    scope: str
    dataset: str
    overrides: Mapping[str, Any]
    variants: Mapping[str, Mapping[str, Any]]
    layout: Mapping[str, Any]
    reference: Mapping[str, Any]
    claims: Sequence[str] = ()
    command: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission(NewSubmission):
    id: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmittedJob:
    """What a submission asked for under this label and seed, and what the store had of it at that moment."""

    job_id: int
    label: str
    seed: int
    key: str
    state: JobState
    new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as a reader sees it; `epoch` and the two after it are those of the newest attempt."""

    id: int
    key: str
    label: str
    seed: int
    config: Mapping[str, Any]
    fingerprint: str | None
    state: JobState
    priority: int
    attempt: int
    epoch: int
    epochs: int
    val_accuracy: float | None
    epoch_s: float | None
    cause: Cause | None
    message: str
    owner: str | None
    cancel_requested: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to run one attempt; every later write names it and does nothing once a newer one exists."""

    submission_id: int | None  # the newest that asked for the job
    job_id: int
    attempt: int
    attempt_id: int
    owner: str
    key: str
    label: str
    seed: int
    config: Mapping[str, Any]
    fingerprint: str | None
    timeout_s: float | None
    trainings: int = field(default=1, compare=False)  # on the same device when it was claimed, this one among them


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An attempt that is open, for how long it has run by the database's clock, and whether it was asked to stop."""

    claim: Claim
    running_s: float
    cancel_requested: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file that an attempt left for good, a kept checkpoint say."""

    kind: str
    url: str
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    id: int
    job_id: int
    number: int
    owner: str
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None  # "done" or a Cause; None while it runs
    message: str
    traceback: str
    log: str  # path or URL of its log file
    start_epoch: int  # 0 for a fresh start, else the epochs that a checkpoint gave it
    start_step: int  # and the batches of the epoch after them


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Who changed what, when and why. `details` of a move hold the `attempt` and the state it led `to`."""

    job_id: int | None  # None: it concerns no single job
    at: datetime
    actor: str
    what: str
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochRecord:
    """One row of history. Training figures are running means over the epoch, in training mode."""

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    learning_rate: float
    train_s: float
    eval_s: float

    @property
    def epoch_s(self) -> float:
        return self.train_s + self.eval_s


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedEpoch:
    """One row of any attempt; `counted`: it led to the job's present state, and no later attempt has replaced it."""

    job_id: int
    attempt: int
    at: datetime
    counted: bool
    record: EpochRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """The test set as one network saw it: `labels` (N,) int64 true classes, `probabilities` (N, C) float32."""

    labels: NDArray[np.int64]
    probabilities: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """One set of weights, measured after training: its epoch, that epoch's figures and the test set's."""

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    test_loss: float
    test_accuracy: float
    confusion: tuple[tuple[int, ...], ...]  # [true class][predicted class], test images


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a finished job is worth. `flops` is one image's forward pass; `train_s` and `eval_s` cover all epochs.

    So does `energy_j`: the joules of its card that it is taken to have used; None where some of it was not counted.
    """

    best: Scores
    last: Scores
    epochs: int
    stopped_early: bool
    parameters: int
    flops: int
    train_s: float
    eval_s: float
    peak_mib: float
    device: str  # "cpu" or "cuda"
    precision: str
    fingerprint: str  # of the data that it was trained on
    environment: Mapping[str, Any]
    energy_j: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageGrid:
    """Pictures to show: `pixels` (rows, columns, height, width, 3) uint8, with a name for each row and column."""

    pixels: NDArray[np.uint8]
    rows: tuple[str, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """All that a report shows of the data: counts per class and split, sample images, augmentation examples."""

    name: str
    fingerprint: str
    classes: tuple[str, ...]
    train_counts: tuple[int, ...]
    val_counts: tuple[int, ...]
    test_counts: tuple[int, ...]
    samples: ImageGrid
    augmentation: ImageGrid
    made: tuple[str, ...] = ("val",)  # the parts that no files gave, made of the training images
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    id: str
    host: str
    pid: int
    slots: int
    device: str
    started_at: datetime
    seen_at: datetime
    stopped_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochTimes:
    """All epochs that a network was trained for on one kind of device, in any job."""

    network: str
    device: str  # "unknown": the store knows no such worker
    epochs: int
    total_s: float  # of training and evaluation


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredAttempt:
    """What the epochs of one attempt took, and where. `device` and `host` are None where nobody knows its worker."""

    job_id: int
    config: Mapping[str, Any]
    device: str | None  # "cpu" or "cuda"
    host: str | None
    device_name: str | None  # of the processor or card; known once the job is done
    epochs: int
    epoch_s: float  # mean, of training and evaluation
    around_s: float | None  # of a finished one: its seconds outside of epochs (data, compilation, test, writing)
    trained_epochs: int | None  # of a job that is done, all attempts together
    flops: float | None  # one image's forward pass, of a job that is done


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the store knows of durations. Seconds, and for jobs that wait or run the FLOPs that were counted."""

    attempts: Sequence[MeasuredAttempt] = ()  # the newest first
    recent: Mapping[int, Sequence[float]] = field(default_factory=dict)  # a running job's last epochs
    train_flops: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """The store's answer to a heartbeat."""

    owned: bool
    cancel_requested: bool = False
    trainings: int = 1  # that run on the same device, this one among them


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """What a look around changed: jobs queued again after a lost worker, and those given up for good."""

    requeued: tuple[int, ...] = ()
    failed: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgraded:
    """Schemas before (None: there was no store) and after, and where the store as it was before is kept."""

    before: str | None
    after: str
    copy: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    schema: str
    bytes: int  # on disk


def dotted(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested plain values by dotted name, `augmentation.0.name` say; of an empty list or table None."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        inner = dict(enumerate(value)) if isinstance(value, (list, tuple)) else value
        if isinstance(inner, Mapping) and inner:
            found |= dotted({str(key): one for key, one in inner.items()}, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = None if isinstance(inner, Mapping) else inner
    return found
