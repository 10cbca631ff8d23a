"""The seconds of one epoch, as a range: measured on a machine, else guessed from FLOPs and what other networks reached.

Nothing here reads or writes; no heavy import.
"""

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from db.records import MeasuredAttempt

_UNTIMED = frozenset(
    {
        *("epochs", "early_stopping_patience", "split_seed", "label_smoothing", "weight_decay"),
        *("learning_rate", "momentum", "nesterov", "schedule", "plateau_factor", "plateau_patience"),
        *("step_epochs", "step_factor", "step_milestones", "one_cycle_warmup", "one_cycle_start", "one_cycle_end"),
        *("warmup_epochs", "train_budget_s"),
    }
)
"""Fields of a config that change how many epochs it needs, or none of its seconds, but not the seconds of an epoch."""


class Source(StrEnum):
    """What a range is based on; `OWN` are the job's own last epochs."""

    OWN = "own"
    MEASURED = "measured"
    FLOPS = "flops"


class Span(NamedTuple):
    """Seconds, or epochs, from the least to the most that is to be expected."""

    low: float
    high: float

    def widened(self, factor: float) -> "Span":
        return Span(self.low / factor, self.high * factor)


_MANY, _FEW = 1.15, 1.3  # around measured epochs of three attempts or more, and of fewer
_MANY_RATES, _FEW_RATES = 1.5, 3.0  # around a guess from FLOPs: rates of three networks or more, and of fewer
_AROUND = Span(0.0, 10.0)  # seconds that a job takes beside its epochs, where none has ended yet
_FAR = 2  # times the FLOPs of an image, from which on a network counts as larger than another
_ENOUGH = 3
_USUAL_IMAGES = 10_000  # of a data set whose size a name does not tell


@dataclass(frozen=True, slots=True)
class Estimate:
    span: Span
    source: Source


class Load(NamedTuple):
    """Of an epoch."""

    flops: float
    images: int  # of training and validation
    steps: int  # of training

    @property
    def step_flops(self) -> float:
        """Of a training step, with its share of the validation."""
        return self.flops / self.steps

    @property
    def image_flops(self) -> float:
        """Of an image, on the average of both parts."""
        return self.flops / self.images


class _Kind(NamedTuple):
    """What one kind of work is, and the seconds that its epochs took."""

    load: Load
    epoch_s: float

    @property
    def step_s(self) -> float:
        return self.epoch_s / self.load.steps

    @property
    def rate(self) -> float:
        """FLOP/s."""
        return self.load.flops / self.epoch_s


def training_flops(image_flops: float, config: Mapping[str, Any]) -> float:
    """Of all epochs a job may take: forward and backward of its training images, forward of its validation images.

    `image_flops` is one image's forward pass; backward costs about twice of that. Data sets whose names do not tell
    how many images they have count as one of 10,000.
    """
    images = _images_of(config["dataset"]) or _USUAL_IMAGES
    return epoch_flops(image_flops, config, images) * float(config["epochs"])


def _images_of(dataset: str) -> int | None:
    from scheduler.datasets import published_images  # only now: the prompt would wait for its imports

    return published_images(dataset)


def epoch_flops(image_flops: float, config: Mapping[str, Any], images: int) -> float:
    validation = float(config["validation_fraction"])
    return image_flops * images * (3 * (1 - validation) + validation)


def load_of(flops: float, config: Mapping[str, Any], images: int) -> Load:
    trained = images * (1 - float(config["validation_fraction"]))
    return Load(flops, images, max(1, round(trained / config["batch_size"])))


class Pool:
    """What was measured on one machine, or on one kind of device."""

    def __init__(
        self,
        attempts: Iterable[MeasuredAttempt],
        counted: Mapping[int, float],
        works: Mapping[int, str],
        *,
        launches: bool,
    ) -> None:
        """`counted`: training FLOPs of jobs that are not done yet; `works`: what `work_of` says, by the config's id.

        `launches`: a small step's seconds are those of its launches, whatever it calculates.
        """
        self.epoch_s: dict[str, list[float]] = defaultdict(list)
        self._launches = launches
        kinds: dict[str, dict[str, list[_Kind]]] = defaultdict(lambda: defaultdict(list))
        around = []
        for attempt in attempts:
            work = works[id(attempt.config)]
            self.epoch_s[work].append(attempt.epoch_s)
            if attempt.around_s is not None:
                around.append(attempt.around_s)
            load = _measured_load(attempt, counted)
            if load and attempt.epoch_s > 0:
                alike = kinds[precision_of(attempt.config)][work]
                # a finished job's first: of one that waits or runs the measured seconds may stand for its FLOPs
                alike.insert(0 if attempt.flops else len(alike), _Kind(load, attempt.epoch_s))
        self._kinds = {name: [_usual(own) for own in of.values()] for name, of in kinds.items()}
        self.around = _middle(around) if around else _AROUND

    def rates(self, precision: str) -> list[float]:
        """FLOP/s, one for each kind of work."""
        return [kind.rate for kind in self._kinds.get(precision, [])]

    def epoch(self, work: str, precision: str, load: Load | None) -> Estimate | None:
        """Of one epoch; None for `load` when nobody knows its FLOPs. Other precisions have rates of their own."""
        if work in self.epoch_s:
            return Estimate(likely(self.epoch_s[work]), Source.MEASURED)
        kinds = self._kinds.get(precision)
        if load is None or not kinds:
            return None
        guess = _by_steps_or_flops if self._launches else _by_flops
        return Estimate(guess(kinds, load), Source.FLOPS)


def _usual(kinds: Sequence[_Kind]) -> _Kind:
    return _Kind(kinds[0].load, median([one.epoch_s for one in kinds]))


def _margin(kinds: Sequence[_Kind]) -> float:
    return _MANY_RATES if len(kinds) >= _ENOUGH else _FEW_RATES


def _by_flops(kinds: Sequence[_Kind], load: Load) -> Span:
    """As many FLOPs a second as the others; far larger networks reach hardly fewer, and far smaller ones fewer."""
    slow, fast = _middle([kind.rate for kind in kinds])
    least = most = _margin(kinds)
    sizes = [kind.load.image_flops for kind in kinds]
    if load.image_flops >= _FAR * max(sizes):
        least, most = _FEW_RATES, _MANY_RATES
    elif load.image_flops * _FAR <= min(sizes):
        most = _FEW_RATES
    return Span(load.flops / fast / least, load.flops / slow * most)


def _by_steps_or_flops(kinds: Sequence[_Kind], load: Load) -> Span:
    """Next to each of the others a step takes as long, if launches bind both, or as much longer as it calculates more.

    It lies between the two, and so between the nearest that all of them leave.
    """
    ends = [sorted((kind.step_s, load.step_flops / kind.rate)) for kind in kinds]
    # of networks that differ in more than their FLOPs, one's least may be above another's most
    low, high = sorted((max(least for least, _ in ends), min(most for _, most in ends)))
    return Span(load.steps * low, load.steps * high).widened(_margin(kinds))


def _measured_load(attempt: MeasuredAttempt, counted: Mapping[int, float]) -> Load | None:
    images = _images_of(str(attempt.config.get("dataset")))
    if attempt.flops and images:
        return load_of(epoch_flops(attempt.flops, attempt.config, images), attempt.config, images)
    return counted_load(counted.get(attempt.job_id), attempt.config)


def counted_load(train_flops: float | None, config: Mapping[str, Any]) -> Load | None:
    """None as well for a data set whose size nobody told the one who counted."""
    images = train_flops and _images_of(str(config.get("dataset")))
    return load_of(train_flops / config["epochs"], config, images) if train_flops and images else None


def precision_of(config: Mapping[str, Any]) -> str:
    return str(config.get("precision", "float32"))


def work_of(config: Mapping[str, Any]) -> str:
    """Equal for configs whose epochs take equally long on one machine."""
    return config_text({name: value for name, value in config.items() if name not in _UNTIMED})


def config_text(config: Mapping[str, Any]) -> str:
    return json.dumps(config, sort_keys=True, default=str)


def likely(seconds: Sequence[float]) -> Span:
    """What the next one may take: the middle of these, and a margin that few of them need more of."""
    return _middle(seconds).widened(_MANY if len(seconds) >= _ENOUGH else _FEW)


def _middle(values: Sequence[float]) -> Span:
    """The 10th and the 90th percentile."""
    return Span(_quantile(values, 0.1), _quantile(values, 0.9))


def median(values: Sequence[float]) -> float:
    return _quantile(values, 0.5)


def _quantile(values: Sequence[float], share: float) -> float:
    """Between the two nearest of the values; not from `statistics`, whose import every command would pay."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def hull(spans: Sequence[Span]) -> Span:
    return Span(min(span.low for span in spans), max(span.high for span in spans))
