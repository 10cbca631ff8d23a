"""One attempt from claim to end: data, checkpoint, training, result, or a cause why there is none."""

import logging
import os
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from db.errors import BenchError, DataError, LostError, StoreError, TrainingError
from db.examples import examples_name
from db.records import Artifact, Cause, Claim, EpochRecord, JobState, Result
from db.splits import split_name
from db.store import Store
from models import OwnCode, OwnNetworkError, end_copies
from scheduler.config import Config, job_key
from scheduler.settings import Settings
from worker.devices import energy_counter
from worker.energy import EnergyShare
from worker.heartbeat import Heartbeat
from worker.logs import attempt_file, attempt_log, without_passwords
from worker.outbox import Outbox
from worker.own_code import find_code

if TYPE_CHECKING:
    import torch

    from worker.checkpoints import Checkpoints
    from worker.engine import Outcome
    from worker.snapshot import Snapshot
    from worker.splits import Splits

log = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")

_NO_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "_status_alloc_failed",  # of cuBLAS, cuSOLVER, cuSPARSE, and of cuDNN before its version 9
    "cufft_alloc_failed",
    "cudnn_status_internal_error_host_allocation_failed",
    "cudnn_status_internal_error_device_allocation_failed",
    # cuBLAS has no memory for its handle, and no kernel of cuDNN's gets enough to work in
    "cublas_status_not_initialized",
    "unable to find an engine to execute this computation",
)
_ASKED_FOR = frozenset({Cause.PREEMPTED, Cause.CANCELLED})
_ORDERLY = _ASKED_FOR | {Cause.TIMEOUT}  # the loop itself stopped, so there is nothing to trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Interruptions:
    """What may end an attempt before its training does; asked before every step."""

    beat: Heartbeat
    stopping: Callable[[], bool]
    timeout_s: float | None
    since: float  # by time.monotonic

    def any(self) -> bool:
        self.beat.ensure_alive()
        return self.stopping() or self.beat.cancelled.is_set() or self.beat.lost.is_set() or self.timed_out()

    def timed_out(self) -> bool:
        return self.timeout_s is not None and time.monotonic() - self.since > self.timeout_s

    def cause(self) -> tuple[Cause, str]:
        """Why training was stopped. Raises LostError when the job is no longer ours."""
        if self.beat.lost.is_set():
            raise LostError("another attempt was opened, or the job has ended")
        if self.beat.cancelled.is_set():
            return Cause.CANCELLED, "cancelled while it ran"
        if self.timed_out():
            return Cause.TIMEOUT, f"it took longer than its timeout_s of {self.timeout_s:g} s"
        return Cause.PREEMPTED, "the worker was asked to stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """Where the attempt runs and what may interrupt it."""

    device: str
    settings: Settings
    stopping: Callable[[], bool] = lambda: False
    graph: bool = True  # on CUDA: steps are captured once and replayed
    card: str = ""  # the UUID of the slot's card; none on a CPU


def run_attempt(store: Store, claim: Claim, slot: Slot) -> JobState | None:
    """Train the claimed job and record how it ended; None when that was not ours to say, or could not be said.

    Never raises for what belongs to the job. A store that is away is waited for, until the worker is asked to stop:
    then the lease brings the job back, and its checkpoint what was trained.
    """
    settings = slot.settings
    path = attempt_file(settings, claim)
    beat = Heartbeat(store, claim, lease_s=settings.lease_s, every_s=settings.heartbeat_s)

    def stopping() -> bool:
        beat.ensure_alive()
        return slot.stopping()

    outbox = Outbox(every_s=settings.heartbeat_s, stopping=stopping)
    with attempt_log(path, claim, settings.log_format), beat:
        log.info("started: %s, seed %d, on %s", claim.label, claim.seed, slot.device)
        run = _Run(store, claim, slot, beat, outbox)
        try:
            return run.to_the_end(path)
        except LostError as error:
            log.warning("%s; its result is not ours to write", error)
            run.clear_after_others()
        except StoreError as error:
            log.warning("stopped while the store is away; the lease will bring the job back: %s", error)
        except (Exception, SystemExit) as error:  # whatever a network or a data set may raise ends its job, no worker
            return run.end_badly(error)
    return None


class _Run:
    """One attempt while it runs."""

    def __init__(self, store: Store, claim: Claim, slot: Slot, beat: Heartbeat, outbox: Outbox) -> None:
        self.store, self.claim, self.slot, self.beat, self.outbox = store, claim, slot, beat, outbox
        self.checkpoints: Checkpoints | None = None
        self.interruptions = Interruptions(
            beat=beat, stopping=slot.stopping, timeout_s=claim.timeout_s, since=time.monotonic()
        )

    def to_the_end(self, path: Path) -> JobState:
        import torch

        from worker.checkpoints import Checkpoints
        from worker.engine import Stopped
        from worker.environment import environment
        from worker.precision import compute_in

        store, claim, slot, settings = self.store, self.claim, self.slot, self.slot.settings
        self.outbox.insist(lambda: store.note_log(claim, str(path)))
        if self.interruptions.any():
            raise Stopped  # before the data set, which may take long to load
        config = Config.parse(claim.config)
        if job_key(config, claim.seed, fingerprint=claim.fingerprint) != claim.key:
            # its numbers would stand beside those that other revisions gave under the same key
            raise TrainingError("it was submitted for another revision of the engine", fix="submit it again")
        device = torch.device(slot.device)
        compute_in(config.precision, device)  # what the device lacks is told before the data set is loaded
        own = self.outbox.insist(lambda: find_code(store, claim.config, allowed=settings.own_code))
        splits = self.load_data(config)
        folder = f"{settings.artifacts}/checkpoints/{claim.key}"
        self.checkpoints = Checkpoints(folder, key=claim.key, data=splits.fingerprint, attempt=claim.attempt)
        snapshot, warning = self.load_checkpoint(self.checkpoints, config, len(splits.classes), own)
        if warning:
            log.warning("%s", warning)
        reached, start_step = (snapshot.history(), snapshot.step) if snapshot else ([], 0)
        self.outbox.insist(lambda: store.start_attempt(claim, reached=reached, start_step=start_step, message=warning))
        outcome = self.train(config, splits, device, snapshot, own)
        made_with = environment(slot.device) | ({"cuda_graph": outcome.captured} if device.type == "cuda" else {})
        if len(outcome.trained_on) > 1:
            made_with["trained_on"] = [*outcome.trained_on]
        result = _result(outcome, config, slot.device, splits.fingerprint, made_with)
        kept = self.keep(self.checkpoints) if settings.keep_checkpoints else []
        self.outbox.flush()
        self.outbox.insist(lambda: store.finish(claim, result, outcome.predictions, kept=kept))
        if not settings.keep_checkpoints:
            self.clear()  # only now: until the store has taken the result they may be another attempt's
        best, last = outcome.best.test_accuracy, outcome.last.test_accuracy
        log.info("done: test_accuracy %.4f (best weights), %.4f (last)", best, last)
        return JobState.DONE

    def train(
        self,
        config: Config,
        splits: "Splits",
        device: "torch.device",
        snapshot: "Snapshot | None",
        own: OwnCode | None,
    ) -> "Outcome":
        from worker.engine import Hooks, train

        settings = self.slot.settings
        with energy_counter(self.slot.card) as counter:
            energy = EnergyShare(counter, lambda: self.beat.trainings)

            def on_epoch(record: EpochRecord) -> None:
                energy.look()
                self.on_epoch(record)

            owner = os.getpid()

            def should_stop() -> bool:
                end_copies(owner)
                return self.interruptions.any()

            hooks = Hooks(
                should_stop=should_stop,
                on_epoch=on_epoch,
                save=self.save,
                used_j=energy.used_j,
                checkpoint_s=settings.checkpoint_s,
                save_at_end=settings.keep_checkpoints,
            )
            seed, graph = self.claim.seed, self.slot.graph
            return train(config, seed, splits, device=device, hooks=hooks, resume=snapshot, graph=graph, own=own)

    def load_checkpoint(
        self, checkpoints: "Checkpoints", config: Config, classes: int, own: OwnCode | None
    ) -> tuple["Snapshot | None", str]:
        """The newest usable one, and what there is to say about it.

        Artifacts that do not answer get as long as a lease before they are done without. Raises Stopped.
        """
        from worker.engine import fits

        snapshot, warning = self.patiently(
            lambda patient: checkpoints.load(partial(fits, config, classes, own=own), patient=patient)
        )
        (job,) = self.outbox.insist(lambda: self.store.jobs([self.claim.job_id]))
        if snapshot is None and not warning and job.epoch:
            warning = "no checkpoint was found; training starts from the beginning"
        moved = _moved(snapshot.trained_on, self.slot.device) if snapshot else ""
        return snapshot, "; ".join(filter(None, (warning, moved)))

    def patiently(self, load: Callable[[bool], _Answer]) -> _Answer:
        """What `load(True)` gives without an outage, else after a lease what `load(False)` gives. Raises Stopped."""
        from worker.engine import Stopped

        until = time.monotonic() + self.slot.settings.lease_s
        while time.monotonic() < until:
            try:
                return load(True)
            except StoreError as error:
                if self.interruptions.any():
                    raise Stopped from error
                log.warning("%s; trying again", error)
                time.sleep(self.slot.settings.heartbeat_s)
        return load(False)

    def load_data(self, config: Config) -> "Splits":
        """The splits, and what a report shows of them in the store: once for each data and augmentation."""
        from worker.dataset_record import MOST_COLUMNS, dataset_record, example_column
        from worker.datasets import load_splits

        data_dir, cache_dir = self.slot.settings.data, self.slot.settings.cache
        splits = load_splits(
            config, data_dir=data_dir, cache_dir=cache_dir, fingerprint=self.claim.fingerprint, notify=log.warning
        )
        plain = config.canonical()
        data, split = (splits.name, splits.fingerprint), split_name(plain)
        known = self.outbox.insist(lambda: self.store.shown_augmentations(*data, split=split))
        if known is None:
            shown = dataset_record(splits)
            self.outbox.insist(lambda: self.store.record_dataset(shown, split=split))
        column = examples_name(plain["augmentation"])
        if config.augmentation and column not in (known or ()) and len(known or ()) < MOST_COLUMNS:
            pixels = example_column(splits, config.augmentation)
            self.outbox.insist(
                lambda: self.store.add_examples(*data, split=split, column=column, pixels=pixels, most=MOST_COLUMNS)
            )
        return splits

    def on_epoch(self, record: EpochRecord) -> None:
        log.info("epoch %d: val_accuracy %.4f val_loss %.4f", record.epoch, record.val_accuracy, record.val_loss)
        self.outbox.add(lambda: self.store.record_epoch(self.claim, record))

    def save(self, snapshot: "Snapshot") -> None:
        """A checkpoint, unless the job is another attempt's by now; one that fails costs no training."""
        if self.checkpoints is None or self.beat.lost.is_set():
            return
        try:
            self.checkpoints.save(snapshot)
        except Exception as error:  # a full disk, an object store that is away: each library has errors of its own
            log.warning("no checkpoint was written, training goes on: %s: %s", type(error).__name__, error)

    def keep(self, checkpoints: "Checkpoints") -> list[Artifact]:
        """The last checkpoint, for the record; a result that is there is worth more than one that cannot be kept."""
        try:
            return checkpoints.keep()
        except Exception as error:  # as in `save`
            log.warning("the last checkpoint is not on record: %s: %s", type(error).__name__, error)
            return []

    def clear(self) -> None:
        """Remove the checkpoints; those that cannot be removed stay."""
        try:
            if self.checkpoints is not None:
                self.checkpoints.clear()
        except Exception as error:  # as in `save`
            log.warning("the job's checkpoints were not removed: %s: %s", type(error).__name__, error)

    def end_badly(self, error: Exception | SystemExit) -> JobState | None:
        """Tell the store why there is no result."""
        try:
            cause, message = classify(error, self.interruptions)
            message = without_passwords(message)
            trace = "" if cause in _ORDERLY else without_passwords(traceback.format_exc())
            level = logging.INFO if cause in _ASKED_FOR else logging.ERROR
            log.log(level, "ended: %s: %s", cause, message, exc_info=error if trace else None)
            self.outbox.flush()
            return self.outbox.insist(lambda: self.store.fail(self.claim, cause, message, traceback=trace))
        except LostError as lost:
            log.warning("%s; nothing was written", lost)
            self.clear_after_others()
        except StoreError as away:
            log.warning("stopped while the store is away; the lease will bring the job back: %s", away)
        return None

    def clear_after_others(self) -> None:
        """What a frozen attempt wrote after another one had finished the job would stay for ever."""
        try:
            (job,) = self.store.jobs([self.claim.job_id])
        except StoreError:
            return
        if job.state is JobState.DONE and not self.slot.settings.keep_checkpoints:
            self.clear()


def _moved(before: Sequence[str], device: str) -> str:
    """What a training that was computed there says when it goes on on `device`; empty where that changes no bit."""
    from worker.environment import computes_on

    here = computes_on(device)
    if not {*before} - {here}:
        return ""
    alone = "its numbers are those of none of them alone"
    return f"goes on from a checkpoint of {' and '.join(before)} on {here}: {alone}"


def _result(outcome: "Outcome", config: Config, device: str, fingerprint: str, made_with: dict[str, object]) -> Result:
    return Result(
        best=outcome.best,
        last=outcome.last,
        epochs=outcome.epochs,
        stopped_early=outcome.stopped_early,
        parameters=outcome.parameters,
        flops=outcome.flops,
        train_s=outcome.train_s,
        eval_s=outcome.eval_s,
        peak_mib=outcome.peak_mib,
        device=device.partition(":")[0],
        precision=config.precision,
        fingerprint=fingerprint,
        environment=made_with,
        energy_j=outcome.energy_j,
    )


def classify(error: Exception | SystemExit, interruptions: Interruptions) -> tuple[Cause, str]:
    """Why the attempt ended, and in one line what to tell. Raises LostError when the job is no longer ours."""
    from worker.engine import Stopped

    if isinstance(error, Stopped):
        return interruptions.cause()
    first = first_line(error)
    if isinstance(error, BenchError):
        cause = error.cause if isinstance(error, TrainingError) else "data" if isinstance(error, DataError) else "code"
        return Cause(cause), f"{error} ({error.fix})" if error.fix else str(error)
    memory = isinstance(error, MemoryError) or isinstance(error.__cause__, MemoryError)
    if memory or any(words in first.lower() for words in _NO_MEMORY):
        broken = _error_of_device()
        return (Cause.CODE, f"{broken}; then {first}") if broken else (Cause.OOM, first or "out of memory")
    if isinstance(error, OwnNetworkError):
        return Cause.CODE, f"{error} ({error.fix})"
    return Cause.CODE, f"{type(error).__name__}: {first}"


def first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [""])[0]


def _error_of_device() -> str:
    """What CUDA answers in this process, whatever it is asked; nothing while it works.

    Once a kernel has failed, libraries may say that they get no memory.
    """
    import torch

    try:
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call] # torch has no types here
            torch.cuda.synchronize()
    except RuntimeError as error:
        return f"{type(error).__name__}: {first_line(error)}"
    return ""
