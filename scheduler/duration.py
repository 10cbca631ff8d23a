"""How long jobs take, as ranges of seconds: from measured epochs, else from FLOPs over the device's measured rate.

docs/operations.md says what the model knows and what it does not. Nothing here reads or writes; no heavy import.
"""

import heapq
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from db.records import WAITING, Job, JobState, Measured, MeasuredAttempt, Worker

_UNTIMED = frozenset(
    {
        *("epochs", "early_stopping_patience", "split_seed", "label_smoothing", "weight_decay"),
        *("learning_rate", "momentum", "nesterov", "schedule", "plateau_factor", "plateau_patience"),
        *("step_epochs", "step_factor", "step_milestones", "one_cycle_warmup", "one_cycle_start", "one_cycle_end"),
        *("warmup_epochs", "train_budget_s"),
    }
)
"""Fields of a config that change how many epochs it needs, or none of its seconds, but not the seconds of an epoch."""

_MANY, _FEW = 1.15, 1.3  # around measured epochs of three attempts or more, and of fewer
_MANY_RATES, _FEW_RATES = 1.5, 3.0  # around a guess from FLOPs: rates of three networks or more, and of fewer
_ENOUGH = 3
_ELSEWHERE = 2.0  # when only other machines with this kind of device were measured
_EPOCHS_KNOWN = 5  # ended jobs of a config from which on the most epochs of theirs count too
_ANY = ""  # the name of a machine that stands for all of its kind
_USUAL_IMAGES = 10_000  # of a data set whose size a name does not tell


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


@dataclass(frozen=True, slots=True)
class Estimate:
    span: Span
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLeft:
    """Of jobs that wait or run: `span` leaves out the `unknown` ones, which are like nothing that was measured."""

    span: Span | None
    slots: int  # 0: no worker is heard of, and one slot was assumed
    unknown: int = 0

    @property
    def whole(self) -> Span | None:
        """Of all of them, if that is known."""
        return None if self.unknown else self.span


class Machine(NamedTuple):
    """A kind of device, and the name of its processor or card; of one where no job is done yet the host's name."""

    device: str
    name: str


def training_flops(image_flops: float, config: Mapping[str, Any]) -> float:
    """Of all epochs a job may take: forward and backward of its training images, forward of its validation images.

    `image_flops` is one image's forward pass; backward costs about twice of that. Data sets whose names do not tell
    how many images they have count as one of 10,000.
    """
    images = _images_of(config["dataset"]) or _USUAL_IMAGES
    return _epoch_flops(image_flops, config, images) * float(config["epochs"])


def _images_of(dataset: str) -> int | None:
    from scheduler.datasets import published_images  # only now: the prompt would wait for its imports

    return published_images(dataset)


def _epoch_flops(image_flops: float, config: Mapping[str, Any], images: int) -> float:
    validation = float(config["validation_fraction"])
    return image_flops * images * (3 * (1 - validation) + validation)


class _Pool:
    """What was measured on one machine, or on one kind of device."""

    def __init__(
        self, attempts: Iterable[MeasuredAttempt], counted: Mapping[int, float], works: Mapping[int, str]
    ) -> None:
        """`counted`: training FLOPs of jobs that are not done yet; `works`: what `work_of` says, by the config's id."""
        self.epoch_s: dict[str, list[float]] = defaultdict(list)
        rates: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        around = []
        for attempt in attempts:
            work = works[id(attempt.config)]
            self.epoch_s[work].append(attempt.epoch_s)
            if attempt.around_s is not None:
                around.append(attempt.around_s)
            flops = _measured_flops(attempt, counted)
            if flops and attempt.epoch_s > 0:
                rates[_precision(attempt.config)][work].append(flops / attempt.epoch_s)
        # FLOP/s by precision, one for each kind of work
        self.rates = {name: [_median(own) for own in of.values()] for name, of in rates.items()}
        self.around = _middle(around) if around else Span(0.0, 0.0)

    def epoch(self, work: str, precision: str, flops: float | None) -> Estimate | None:
        """Of one epoch; `flops` of one, None when nobody knows them. Other precisions have rates of their own."""
        if work in self.epoch_s:
            return Estimate(_likely(self.epoch_s[work]), Source.MEASURED)
        rates = self.rates.get(precision)
        if not flops or not rates:
            return None
        wide = _MANY_RATES if len(rates) >= _ENOUGH else _FEW_RATES
        slow, fast = _middle(rates)
        return Estimate(Span(flops / fast, flops / slow).widened(wide), Source.FLOPS)


class Durations:
    """The model, made of what the store measured; `workers` are those that are heard of, where jobs will run."""

    def __init__(self, measured: Measured, workers: Sequence[Worker] = ()) -> None:
        self._measured = measured
        self.slots = sum(worker.slots for worker in workers)
        self._names: dict[tuple[str, str], str] = {}
        for attempt in measured.attempts:
            if attempt.device and attempt.host and attempt.device_name:
                self._names.setdefault((attempt.device, attempt.host), attempt.device_name)
        sorted_out: dict[Machine, list[MeasuredAttempt]] = defaultdict(list)
        for attempt in measured.attempts:
            machine = self._machine(attempt.device, attempt.host)
            sorted_out[machine].append(attempt)
            sorted_out[Machine(machine.device, _ANY)].append(attempt)
        # by identity: thousands of attempts share a hundred configs, and to write one as text costs more than all else
        configs = {id(attempt.config): attempt.config for attempt in measured.attempts}
        works = {key: work_of(config) for key, config in configs.items()}
        self._pools = {machine: _Pool(own, measured.train_flops, works) for machine, own in sorted_out.items()}
        texts = {key: _text(config) for key, config in configs.items()}
        self._trained: dict[str, list[int]] = defaultdict(list)
        for attempt in measured.attempts:
            if attempt.trained_epochs is not None:
                self._trained[texts[id(attempt.config)]].append(attempt.trained_epochs)
        self._machines = list(dict.fromkeys(self._machine(worker.device, worker.host) for worker in workers))
        if not self._machines and measured.attempts:  # nobody works: as if on the machine that worked last
            self._machines = [self._machine(measured.attempts[0].device, measured.attempts[0].host)]
        self._known: dict[tuple[str, float | None], Estimate | None] = {}

    def left(self, job: Job) -> Estimate | None:
        """Of one job from now on, once it runs; None when nothing like it was measured. Nothing is left of an ended."""
        if job.state not in WAITING:
            return Estimate(Span(0.0, 0.0), Source.OWN)
        running, counted = job.state is JobState.RUNNING, self._measured.train_flops
        epoch = self._own_epoch(job) or self._epoch(job.config, _counted(counted.get(job.id), job.config))
        if epoch is None:
            return None
        low, high = self._epochs(job.config, job.epochs)
        # the epoch at which a running job is may be nearly over; one that came back may have lost its checkpoint
        left = Span(max(low - job.epoch - running, 0), max(high - job.epoch * running, 0))
        seconds = Span(left.low * epoch.span.low, left.high * epoch.span.high)
        seconds = _within_budget(job.config, seconds, epoch.span, done=job.epoch, lost=not running)
        around = self._around()
        start = 0.0 if running else around.low
        return Estimate(Span(seconds.low + start, seconds.high + around.high), epoch.source)

    def planned(self, config: Mapping[str, Any], image_flops: float, *, images: int) -> Estimate | None:
        """Of a job that nobody has queued yet; `images` are those of the data set's training part before the split."""
        epoch = self._epoch(config, _epoch_flops(image_flops, config, images))
        if epoch is None:
            return None
        low, high = self._epochs(config, config["epochs"])
        seconds = _within_budget(config, Span(low * epoch.span.low, high * epoch.span.high), epoch.span)
        around = self._around()
        return Estimate(Span(seconds.low + around.low, seconds.high + around.high), epoch.source)

    def all_left(self, jobs: Iterable[Job]) -> TimeLeft:
        """Of these jobs on the slots of the workers: those that run, then the others as they will be claimed."""
        open_jobs = [job for job in jobs if job.state in WAITING]
        spans = [(job, found.span) for job in open_jobs if (found := self.left(job)) is not None]
        order = sorted(spans, key=lambda one: (one[0].state is not JobState.RUNNING, -one[0].priority, -sum(one[1])))
        return self.scheduled([span for _, span in order], unknown=len(open_jobs) - len(spans))

    def scheduled(self, spans: Sequence[Span], *, unknown: int = 0) -> TimeLeft:
        """Of jobs that take so long, each given in this order to the slot that is free first."""
        if unknown and not spans:
            return TimeLeft(span=None, slots=self.slots, unknown=unknown)
        low, high = (makespan([span[end] for span in spans], self.slots or 1) for end in (0, 1))
        return TimeLeft(span=Span(low, high), slots=self.slots, unknown=unknown)

    def equal_flops(self, config: Mapping[str, Any], image_flops: float, *, device: str, host: str) -> float:
        """The training FLOPs of a job, as if it reached the device's usual rate: longer jobs have more of them.

        Where epochs of the same work were measured on this machine they are what counts, else `image_flops`. The rate
        is that of the config's precision.
        """
        pool = self._pools.get(self._machine(device, host))
        measured = pool.epoch_s.get(work_of(config)) if pool else None
        rates = pool.rates.get(_precision(config)) if pool else None
        if not measured or not rates:
            return training_flops(image_flops, config)
        seconds = _median(measured) * float(config["epochs"])
        return min(seconds, config.get("train_budget_s") or seconds) * _median(rates)

    def _machine(self, device: str | None, host: str | None) -> Machine:
        kind, here = device or "unknown", host or "unknown"
        return Machine(kind, self._names.get((kind, here), here))

    def _own_epoch(self, job: Job) -> Estimate | None:
        if job.state is not JobState.RUNNING:
            return None
        recent = self._measured.recent.get(job.id) or ([job.epoch_s] if job.epoch_s is not None and job.epoch else [])
        return Estimate(_likely(recent), Source.OWN) if recent else None

    def _epoch(self, config: Mapping[str, Any], flops: float | None) -> Estimate | None:
        """On any of the machines where it may run; None when one of them cannot tell."""
        work = work_of(config)
        if (work, flops) not in self._known:
            found = [self._epoch_on(machine, work, _precision(config), flops) for machine in self._machines]
            told = [one for one in found if one is not None]
            whole = bool(told) and len(told) == len(found)
            self._known[work, flops] = _joined(told) if whole else None
        return self._known[work, flops]

    def _epoch_on(self, machine: Machine, work: str, precision: str, flops: float | None) -> Estimate | None:
        own, kind = self._pools.get(machine), self._pools.get(Machine(machine.device, _ANY))
        found = own.epoch(work, precision, flops) if own else None
        if found is None and kind is not None and (alike := kind.epoch(work, precision, flops)) is not None:
            return Estimate(alike.span.widened(_ELSEWHERE), alike.source)
        return found

    def _around(self) -> Span:
        pools = [self._pools.get(one) or self._pools.get(Machine(one.device, _ANY)) for one in self._machines]
        spans = [pool.around for pool in pools if pool is not None]
        return _hull(spans) if spans else Span(0.0, 0.0)

    def _epochs(self, config: Mapping[str, Any], most: int) -> Span:
        """At least one more than the patience; nearer where seeds of the same config have ended."""
        patience = config.get("early_stopping_patience", 0)
        if not patience:
            return Span(most, most)
        low, high = min(patience + 1, most), most
        if ended := self._trained.get(_text(config)):
            low = min(max(low, math.floor(0.8 * min(ended))), most)
            high = min(most, math.ceil(1.2 * max(ended))) if len(ended) >= _EPOCHS_KNOWN else most
        return Span(low, max(low, high))


def _within_budget(config: Mapping[str, Any], seconds: Span, epoch: Span, *, done: int = 0, lost: bool = False) -> Span:
    """No more than `train_budget_s` leaves after `done` epochs, which may be `lost`: their seconds, that is.

    The budget holds training alone, and its last epoch is trained to its end.
    """
    budget = config.get("train_budget_s")
    if budget is None:
        return seconds
    with_validation = budget * _epoch_flops(1.0, config, 1) / (3 * (1 - float(config["validation_fraction"])))
    least = max(budget - done * epoch.high, 0.0)
    most = max(with_validation - (0 if lost else done * epoch.low), 0.0) + epoch.high
    return Span(min(seconds.low, least), min(seconds.high, most))


def makespan(seconds: Iterable[float], slots: int) -> float:
    """When the last job ends, if each in this order goes to the slot that is free first."""
    free = [0.0] * slots
    for took in seconds:
        heapq.heapreplace(free, free[0] + took)
    return max(free)


def _measured_flops(attempt: MeasuredAttempt, counted: Mapping[int, float]) -> float | None:
    """Of one epoch."""
    images = _images_of(str(attempt.config.get("dataset")))
    if attempt.flops and images:
        return _epoch_flops(attempt.flops, attempt.config, images)
    return _counted(counted.get(attempt.job_id), attempt.config)


def _counted(train_flops: float | None, config: Mapping[str, Any]) -> float | None:
    """Of one epoch; None as well for a data set whose size nobody told the one who counted."""
    known = train_flops and _images_of(str(config.get("dataset")))
    return train_flops / config["epochs"] if train_flops and known else None


def _precision(config: Mapping[str, Any]) -> str:
    return str(config.get("precision", "float32"))


def work_of(config: Mapping[str, Any]) -> str:
    """Equal for configs whose epochs take equally long on one machine."""
    return _text({name: value for name, value in config.items() if name not in _UNTIMED})


def _text(config: Mapping[str, Any]) -> str:
    return json.dumps(config, sort_keys=True, default=str)


def _likely(seconds: Sequence[float]) -> Span:
    """What the next one may take: the middle of these, and a margin that few of them need more of."""
    return _middle(seconds).widened(_MANY if len(seconds) >= _ENOUGH else _FEW)


def _middle(values: Sequence[float]) -> Span:
    """The 10th and the 90th percentile."""
    return Span(_quantile(values, 0.1), _quantile(values, 0.9))


def _median(values: Sequence[float]) -> float:
    return _quantile(values, 0.5)


def _quantile(values: Sequence[float], share: float) -> float:
    """Between the two nearest of the values; not from `statistics`, whose import every command would pay."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def _joined(found: Sequence[Estimate]) -> Estimate:
    """One range around all, as trustworthy as the least of them."""
    return Estimate(_hull([one.span for one in found]), max((one.source for one in found), key=list(Source).index))


def _hull(spans: Sequence[Span]) -> Span:
    return Span(min(span.low for span in spans), max(span.high for span in spans))
