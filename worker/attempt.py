"""One attempt from claim to end: data, checkpoint, training, result, or a cause why there is none."""

import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from db.errors import BenchError, DataError, LostError, TrainingError
from db.records import Cause, Claim, EpochRecord, JobState, Result
from db.store import Store
from scheduler.config import Config
from scheduler.settings import Settings
from worker.heartbeat import Heartbeat
from worker.outbox import Outbox

if TYPE_CHECKING:
    from worker.engine import Outcome

log = logging.getLogger(__name__)

RETRY_AFTER_S: dict[Cause, float | None] = {
    Cause.OOM: 30.0,  # once more, when its neighbours may have gone
    Cause.PREEMPTED: 0.0,
    Cause.WORKER_LOST: 0.0,
    Cause.DIVERGED: None,  # the same numbers again would diverge again
    Cause.TIMEOUT: None,
    Cause.CANCELLED: None,
    Cause.DATA: None,
    Cause.CODE: None,
}
"""By cause, after how many seconds the job is queued again; None: never by itself."""
MOST_ATTEMPTS = {Cause.OOM: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """Where the attempt runs and what may interrupt it."""

    device: str
    settings: Settings
    stopping: Callable[[], bool] = lambda: False


def run_attempt(store: Store, claim: Claim, slot: Slot) -> JobState | None:
    """Train the claimed job and record how it ended; None when the attempt was no longer ours.

    Never raises for what belongs to the job; a store that is away is waited for.
    """
    settings = slot.settings
    path = settings.logs / f"job-{claim.job_id}-attempt-{claim.attempt}.log"
    beat = Heartbeat(store, claim, lease_s=settings.lease_s, every_s=settings.heartbeat_s)
    outbox = Outbox(every_s=settings.heartbeat_s)
    with _log_file(path, claim), beat:
        log.info(
            "job %d attempt %d: %s, seed %d, on %s", claim.job_id, claim.attempt, claim.label, claim.seed, slot.device
        )
        try:
            return _train(store, claim, slot, beat, outbox, path)
        except LostError as error:
            log.warning("%s; its result is not ours to write", error)
            return None
        except Exception as error:  # whatever a network or a data set may raise ends its job, never its worker
            cause, message = classify(error, beat, slot)
            trace = "" if cause in (Cause.PREEMPTED, Cause.CANCELLED) else traceback.format_exc()
            log.log(logging.ERROR if trace else logging.INFO, "ended: %s: %s\n%s", cause, message, trace)
            retry = RETRY_AFTER_S[cause] if claim.attempt < MOST_ATTEMPTS.get(cause, 1_000_000) else None
            return _end(outbox, lambda: store.fail(claim, cause, message, traceback=trace, retry_after_s=retry))


def _train(store: Store, claim: Claim, slot: Slot, beat: Heartbeat, outbox: Outbox, path: Path) -> JobState:
    import torch

    from worker.checkpoints import Checkpoints
    from worker.dataset_record import dataset_record
    from worker.datasets import load_splits
    from worker.engine import Hooks, train
    from worker.environment import environment

    settings = slot.settings
    config = Config.parse(claim.config)
    splits = load_splits(
        config, data_dir=settings.data, cache_dir=settings.cache, fingerprint=claim.fingerprint, notify=log.warning
    )
    split = f"{config.validation_fraction}/{config.split_seed}"
    if not outbox.insist(lambda: store.has_dataset(splits.name, splits.fingerprint, split=split)):
        shown = dataset_record(splits)
        outbox.insist(lambda: store.record_dataset(shown, split=split))
    checkpoints = Checkpoints(f"{settings.artifacts}/checkpoints/{claim.key}", key=claim.key, data=splits.fingerprint)
    snapshot, warning = checkpoints.load()
    if warning:
        log.warning("%s", warning)
    start_epoch = snapshot.epoch if snapshot else 0
    outbox.insist(lambda: store.start_attempt(claim, log=str(path), start_epoch=start_epoch, message=warning))

    def should_stop() -> bool:
        return slot.stopping() or beat.cancelled.is_set() or beat.lost.is_set()

    def on_epoch(record: EpochRecord) -> None:
        beat.ensure_alive()
        log.info("epoch %d: val_accuracy %.4f val_loss %.4f", record.epoch, record.val_accuracy, record.val_loss)
        outbox.add(lambda: store.record_epoch(claim, record))

    hooks = Hooks(should_stop=should_stop, on_epoch=on_epoch, save=checkpoints.save, checkpoint_s=settings.checkpoint_s)
    outcome = train(config, claim.seed, splits, device=torch.device(slot.device), hooks=hooks, resume=snapshot)
    result = _result(outcome, config, slot.device, splits.fingerprint, environment(slot.device))
    outbox.flush()
    outbox.insist(lambda: store.finish(claim, result, outcome.predictions))
    checkpoints.clear()  # only now: until the store has taken the result they may be another attempt's
    log.info(
        "done: test_accuracy %.4f (best weights), %.4f (last)", outcome.best.test_accuracy, outcome.last.test_accuracy
    )
    return JobState.DONE


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
    )


def classify(error: Exception, beat: Heartbeat, slot: Slot) -> tuple[Cause, str]:
    """Why the attempt ended, and in one line what to tell."""
    from worker.engine import Stopped

    if isinstance(error, Stopped):
        if beat.lost.is_set():
            raise LostError("another attempt was opened, or the job has ended") from error
        if beat.cancelled.is_set():
            return Cause.CANCELLED, "cancelled while it ran"
        return Cause.PREEMPTED, "the worker was asked to stop"
    first = (str(error).strip().splitlines() or [""])[0]
    if isinstance(error, DataError):
        return Cause.DATA, f"{error}{f' ({error.fix})' if error.fix else ''}"
    if isinstance(error, TrainingError):
        return Cause(error.cause), str(error)
    if isinstance(error, BenchError):
        return Cause.CODE, str(error)
    if isinstance(error, MemoryError) or "out of memory" in first.lower() or "can't allocate memory" in first.lower():
        return Cause.OOM, first
    return Cause.CODE, f"{type(error).__name__}: {first}"


def _end(outbox: Outbox, write: Callable[[], JobState]) -> JobState | None:
    """The last word of a failed attempt, after its history; a store that is away is waited for."""
    try:
        outbox.flush()
        return outbox.insist(write)
    except LostError as error:
        log.warning("%s; nothing was written", error)
        return None


@contextmanager
def _log_file(path: Path, claim: Claim) -> Iterator[None]:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    where = f"job={claim.job_id} attempt={claim.attempt}"
    handler.setFormatter(logging.Formatter(f"%(asctime)s %(levelname)s {where} %(message)s"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(min(level, logging.INFO) if level else logging.INFO)
    try:
        yield
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
        handler.close()
