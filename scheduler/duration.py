"""How long jobs take, as ranges of seconds: so many epochs, what one takes, and the slots that share them.

docs/operations.md says what the model knows and what it does not. Nothing here reads or writes; no heavy import.
"""

import heapq
import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from db.records import WAITING, Job, JobState, Measured, MeasuredAttempt, Worker
from scheduler.epoch_time import (
    Estimate,
    Load,
    Pool,
    Source,
    Span,
    config_text,
    counted_load,
    epoch_flops,
    hull,
    likely,
    load_of,
    median,
    precision_of,
    training_flops,
    work_of,
)

_ELSEWHERE = 2.0  # when only other machines with this kind of device were measured
_SEEDS_APART = (2.0, 1.5, 1.35, 1.25, 1.2)  # around the epochs of a config's ended jobs, if there is one, two, ...
_ALIKE = (0.4, 0.8)  # how far what makes different kinds of work shorter correlates, and what makes them longer
_LEAST = 1 / 16  # of the upper end, where the lower one is so near to 0 that the two have no geometric mean
_ANY = ""  # the name of a machine that stands for all of its kind


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


class Durations:
    """The model, made of what the store measured; `workers` are those that are heard of, where jobs will run.

    `otherwise`: the slots that there would be if none is heard of.
    """

    def __init__(self, measured: Measured, workers: Sequence[Worker] = (), *, otherwise: int = 0) -> None:
        self._measured = measured
        self.slots = sum(worker.slots for worker in workers) or otherwise
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
        self._pools = {
            machine: Pool(own, measured.train_flops, works, launches=machine.device == "cuda")
            for machine, own in sorted_out.items()
        }
        texts = {key: config_text(config) for key, config in configs.items()}
        self._trained: dict[str, list[int]] = defaultdict(list)
        for attempt in measured.attempts:
            if attempt.trained_epochs is not None:
                self._trained[texts[id(attempt.config)]].append(attempt.trained_epochs)
        self._machines = list(dict.fromkeys(self._machine(worker.device, worker.host) for worker in workers))
        if not self._machines and measured.attempts:  # nobody works: as if on the machine that worked last
            self._machines = [self._machine(measured.attempts[0].device, measured.attempts[0].host)]
        self._known: dict[tuple[str, Load | None], Estimate | None] = {}

    def left(self, job: Job) -> Estimate | None:
        """Of one job from now on, once it runs; None when nothing like it was measured. Nothing is left of an ended."""
        if job.state not in WAITING:
            return Estimate(Span(0.0, 0.0), Source.OWN)
        running, counted = job.state is JobState.RUNNING, self._measured.train_flops
        epoch = self._own_epoch(job) or self._epoch(job.config, counted_load(counted.get(job.id), job.config))
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
        epoch = self._epoch(config, load_of(epoch_flops(image_flops, config, images), config, images))
        if epoch is None:
            return None
        low, high = self._epochs(config, config["epochs"])
        seconds = _within_budget(config, Span(low * epoch.span.low, high * epoch.span.high), epoch.span)
        around = self._around()
        return Estimate(Span(seconds.low + around.low, seconds.high + around.high), epoch.source)

    def all_left(self, jobs: Iterable[Job]) -> TimeLeft:
        """Of these jobs on the slots of the workers: those that run, then the others as they will be claimed."""
        found = [(job, self.left(job)) for job in jobs if job.state in WAITING]
        found.sort(key=_turn)
        return self.scheduled([(job.config, left) for job, left in found])

    def scheduled(self, found: Sequence[tuple[Mapping[str, Any], Estimate | None]]) -> TimeLeft:
        """Of jobs of these configs that take so long, each given in this order to the slot that is free first.

        What is wrong of one kind of work is wrong of all its jobs; different kinds are not all at their worst at once.
        """
        known = [(config, one.span) for config, one in found if one is not None]
        unknown = len(found) - len(known)
        if unknown and not known:
            return TimeLeft(span=None, slots=self.slots, unknown=unknown)
        works = {id(config): work_of(config) for config, _ in known}  # by identity: jobs of a config share it
        whole = _together([works[id(config)] for config, _ in known], [span for _, span in known], self.slots or 1)
        return TimeLeft(span=whole, slots=self.slots, unknown=unknown)

    def equal_flops(self, config: Mapping[str, Any], image_flops: float, *, device: str, host: str) -> float:
        """The training FLOPs of a job, as if it reached the device's usual rate: longer jobs have more of them.

        Where epochs of the same work were measured on this machine they are what counts, else `image_flops`. The rate
        is that of the config's precision.
        """
        pool = self._pools.get(self._machine(device, host))
        measured = pool.epoch_s.get(work_of(config)) if pool else None
        rates = pool.rates(precision_of(config)) if pool else None
        if not measured or not rates:
            return training_flops(image_flops, config)
        seconds = median(measured) * float(config["epochs"])
        return min(seconds, config.get("train_budget_s") or seconds) * median(rates)

    def _machine(self, device: str | None, host: str | None) -> Machine:
        kind, here = device or "unknown", host or "unknown"
        return Machine(kind, self._names.get((kind, here), here))

    def _own_epoch(self, job: Job) -> Estimate | None:
        if job.state is not JobState.RUNNING:
            return None
        recent = self._measured.recent.get(job.id) or ([job.epoch_s] if job.epoch_s is not None and job.epoch else [])
        return Estimate(likely(recent), Source.OWN) if recent else None

    def _epoch(self, config: Mapping[str, Any], load: Load | None) -> Estimate | None:
        """On any of the machines where it may run; None when one of them cannot tell."""
        work = work_of(config)
        if (work, load) not in self._known:
            found = [self._epoch_on(machine, work, precision_of(config), load) for machine in self._machines]
            told = [one for one in found if one is not None]
            whole = bool(told) and len(told) == len(found)
            self._known[work, load] = _joined(told) if whole else None
        return self._known[work, load]

    def _epoch_on(self, machine: Machine, work: str, precision: str, load: Load | None) -> Estimate | None:
        own, kind = self._pools.get(machine), self._pools.get(Machine(machine.device, _ANY))
        found = own.epoch(work, precision, load) if own else None
        if found is None and kind is not None and (alike := kind.epoch(work, precision, load)) is not None:
            return Estimate(alike.span.widened(_ELSEWHERE), alike.source)
        return found

    def _around(self) -> Span:
        pools = [self._pools.get(one) or self._pools.get(Machine(one.device, _ANY)) for one in self._machines]
        spans = [pool.around for pool in pools if pool is not None]
        return hull(spans) if spans else Span(0.0, 0.0)

    def _epochs(self, config: Mapping[str, Any], most: int) -> Span:
        """At least one more than the patience; nearer where seeds of the same config have ended."""
        patience = config.get("early_stopping_patience", 0)
        if not patience:
            return Span(most, most)
        low, high = min(patience + 1, most), most
        if ended := self._trained.get(config_text(config)):
            apart = _SEEDS_APART[min(len(ended), len(_SEEDS_APART)) - 1]
            low = min(max(low, math.floor(min(ended) / apart)), most)
            high = min(most, math.ceil(max(ended) * apart))
        return Span(low, max(low, high))


def _within_budget(config: Mapping[str, Any], seconds: Span, epoch: Span, *, done: int = 0, lost: bool = False) -> Span:
    """No more than `train_budget_s` leaves after `done` epochs, which may be `lost`: their seconds, that is.

    The budget holds training alone, and its last epoch is trained to its end.
    """
    budget = config.get("train_budget_s")
    if budget is None:
        return seconds
    with_validation = budget * epoch_flops(1.0, config, 1) / (3 * (1 - float(config["validation_fraction"])))
    least = max(budget - done * epoch.high, 0.0)
    most = max(with_validation - (0 if lost else done * epoch.low), 0.0) + epoch.high
    return Span(min(seconds.low, least), min(seconds.high, most))


def _turn(found: tuple[Job, Estimate | None]) -> tuple[bool, int, float]:
    job, left = found
    return job.state is not JobState.RUNNING, -job.priority, -sum(left.span) if left else 0.0


def _together(works: Sequence[str], spans: Sequence[Span], slots: int) -> Span:
    """Of all jobs from the first's start to the last's end; `works` says which of them are wrong together."""
    middles = [math.sqrt(max(low, high * _LEAST) * high) for low, high in spans]
    middle = makespan(middles, slots)
    ends = []
    for end, alike in enumerate(_ALIKE):
        apart: dict[str, float] = defaultdict(float)
        for work, span, usual in zip(works, spans, middles, strict=True):
            apart[work] += abs(span[end] - usual)
        far = makespan([span[end] for span in spans], slots)
        ends.append(far + (1 - _share(apart.values(), alike)) * (middle - far))
    return Span(ends[0], max(ends[1], *(span.high for span in spans), 0.0))


def _share(apart: Collection[float], alike: float) -> float:
    """Which share of the sum of their deviations several kinds of work have together: 1 of one, less of more.

    The standard deviation of a sum whose terms all correlate by `alike`.
    """
    whole = sum(apart)
    if not whole:
        return 1.0
    return math.sqrt(alike + (1 - alike) * sum((one / whole) ** 2 for one in apart))


def makespan(seconds: Iterable[float], slots: int) -> float:
    """When the last job ends, if each in this order goes to the slot that is free first."""
    free = [0.0] * slots
    for took in seconds:
        heapq.heapreplace(free, free[0] + took)
    return max(free)


def _joined(found: Sequence[Estimate]) -> Estimate:
    """One range around all, as trustworthy as the least of them."""
    return Estimate(hull([one.span for one in found]), max((one.source for one in found), key=list(Source).index))
