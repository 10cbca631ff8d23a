"""How much room the jobs of a plan will need, as ranges of bytes: in the store for good, and for checkpoints.

Each number below is a bound, not a mean: what the rows of a job take in SQLite and in Postgres, indices included, and
how many copies of a network's weights a checkpoint holds. docs/commands.md states the model.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

_FLOAT = 4  # bytes of a weight or probability, float32 in the file whatever a training computes in
_WEIGHTS = 2  # kinds of weights whose predictions are kept: the best and the last
_PICTURE = 32 * 32 * 3
_LARGEST = 96**2 * 3  # of a larger picture as it is shown
_SHOWN = (5, 6 * 17)  # sample images of each class, and examples of augmentations, that the store keeps of a data set
_MEASURED = (0.5, 1.5)  # around what jobs on the same data took: other networks are more or less sure


class Bytes(NamedTuple):
    """From the least to the most that is to be expected."""

    low: float
    high: float

    def __add__(self, other: "Bytes") -> "Bytes":  # type: ignore[override] # not what tuples do
        return Bytes(self.low + other.low, self.high + other.high)

    def times(self, number: float) -> "Bytes":
        return Bytes(self.low * number, self.high * number)


NOTHING = Bytes(0, 0)
_SCHEMA = Bytes(100_000, 1_000_000)  # a store without a job
_ROWS = Bytes(1_500, 10_000)  # of a job: itself, its attempts, events and result
_CELL = Bytes(2, 7)  # of a confusion matrix, as text
_EPOCH = Bytes(80, 250)
_LABEL = Bytes(0, 4)  # of a test image
_SHRUNK = Bytes(0.05, 1.01)  # a compressed probability: nearly all of one that is 0 or 1 goes, nothing of others
_SLACK = Bytes(0, 8_192)  # of the pages that a large value begins and ends in
_TEXT = Bytes(0.3, 2)  # Postgres compresses it; pages are not full
_STATE = Bytes(1_000, 20_000)  # of a checkpoint: its head, names of tensors
_STATE_EPOCH = Bytes(150, 600)
_FILES = 3  # the newest two, and one that is being written


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What of a job decides its bytes; `test_images` are those that it predicts."""

    config: Mapping[str, Any]
    parameters: int
    classes: int
    test_images: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """`checkpoints` while jobs run, and for good where they are kept; `measured`: jobs whose predictions told."""

    store: Bytes
    checkpoints: Bytes
    measured: int


def disk(
    trainings: Sequence[Training],
    *,
    text: int,
    new_store: bool,
    known: Mapping[str, tuple[int, Bytes]],
    at_once: int,
    kept: bool,
) -> Disk:
    """Of jobs that are new, wait or run, `at_once` of them at a time.

    `text` are the bytes of the submission itself. `known`: by data set how many jobs are done, and the least and most
    bytes of their predictions. `kept`: the last checkpoint of each job stays.
    """
    store = Bytes(text, text)
    store = Bytes(store.low * _TEXT.low, store.high * _TEXT.high) + (_SCHEMA if new_store else NOTHING)
    datasets: dict[str, int] = {}
    sides: dict[str, int] = {}
    for one in trainings:
        store += _of_job(one, known)
        datasets[str(one.config["dataset"])] = one.classes
        sides[str(one.config["dataset"])] = one.config.get("image_size", 32)
    for name, classes in datasets.items():
        if name not in known:
            picture = _PICTURE if sides[name] <= 32 else _LARGEST
            store += Bytes(0, (_SHOWN[0] * classes + _SHOWN[1]) * picture)
    measured = sum(known[name][0] for name in datasets if name in known)
    return Disk(store=store, checkpoints=_checkpoints(trainings, at_once, kept=kept), measured=measured)


def _of_job(one: Training, known: Mapping[str, tuple[int, Bytes]]) -> Bytes:
    seen = predictions(one)
    if number_and_bytes := known.get(str(one.config["dataset"])):
        low, high = number_and_bytes[1]
        seen = Bytes(max(seen.low, low * _MEASURED[0]), min(seen.high, high * _MEASURED[1] + _SLACK.high))
    epochs = _epochs(one.config)
    history = Bytes(_EPOCH.low * epochs.low, _EPOCH.high * epochs.high)
    return seen + history + _ROWS + _CELL.times(_WEIGHTS * one.classes**2)


def predictions(one: Training) -> Bytes:
    """Compressed, of the best and the last weights."""
    raw = one.test_images * one.classes * _FLOAT
    labels = _LABEL.times(one.test_images)
    return (Bytes(raw * _SHRUNK.low, raw * _SHRUNK.high) + labels + _SLACK).times(_WEIGHTS)


def checkpoint(one: Training) -> Bytes:
    """One file: weights and what the optimizer keeps of each, and from the second epoch on the best weights."""
    kept = _optimizer(one.config)
    epochs = _epochs(one.config)
    state = _STATE + Bytes(0, _STATE_EPOCH.high * epochs.high)
    weights = one.parameters * _FLOAT
    return (
        Bytes(weights * (1 + kept.low), weights * (2 + kept.high) * 1.02) + state
    )  # 2 %: the statistics of batch norm


def _checkpoints(trainings: Sequence[Training], at_once: int, *, kept: bool) -> Bytes:
    """The least is one file of the smallest; a job of some seconds may end before it writes its first one."""
    files = [checkpoint(one) for one in trainings]
    if not files:
        return NOTHING
    largest = sorted((one.high for one in files), reverse=True)[: max(at_once, 1)]
    running = Bytes(min(one.low for one in files), _FILES * sum(largest))
    return running + _sum(files) if kept else running


def _sum(several: Iterable[Bytes]) -> Bytes:
    total = NOTHING
    for one in several:
        total += one
    return total


def _epochs(config: Mapping[str, Any]) -> Bytes:
    patience = config.get("early_stopping_patience", 0)
    most = config["epochs"]
    return Bytes(min(patience + 1, most) if patience else most, most)


def _optimizer(config: Mapping[str, Any]) -> Bytes:
    """Values that it keeps of each weight."""
    if config.get("optimizer") == "sgd":
        return Bytes(1, 1) if config.get("momentum") else NOTHING
    if config.get("optimizer") == "adam" and not config.get("optimizer_arguments"):
        return Bytes(2, 2)
    return Bytes(0, 3)
