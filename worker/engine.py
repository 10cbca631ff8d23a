"""The training engine: the data resident as uint8, batches by index, one step function without host syncs.

Host and device meet once per epoch. Nothing here knows of stores, queues or files.
"""

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.metrics import confusion_matrix
from torch import Tensor, nn

from db.errors import TrainingError
from db.records import Cause, EpochRecord, Predictions, Scores, Weights
from models import build_model, describe
from scheduler.config import Config
from worker import augmentation, randomness
from worker.evaluation import Measured, as_input, evaluate
from worker.memory import PeakMemory
from worker.optimizers import Schedule, make_optimizer
from worker.snapshot import (
    Progress,
    Snapshot,
    copy_weights,
    optimizer_tensors,
    prefixed,
    restore_optimizer,
    under,
)
from worker.splits import Part, Splits

_ONE_BUILDS = threading.Lock()


class Stopped(Exception):  # noqa: N818 - not an error: somebody asked for it
    """Training was asked to stop; a snapshot of that very step has been saved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What the engine tells its caller. `should_stop` is asked before every step and must be cheap."""

    on_epoch: Callable[[EpochRecord], None] = lambda record: None
    should_stop: Callable[[], bool] = lambda: False
    save: Callable[[Snapshot], object] = lambda snapshot: None
    checkpoint_s: float = math.inf
    save_at_end: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Seconds are sums over all epochs, those before a resume included."""

    best: Scores
    last: Scores
    predictions: Mapping[Weights, Predictions]
    epochs: int
    stopped_early: bool
    parameters: int
    flops: int
    train_s: float
    eval_s: float
    peak_mib: float


def train(
    config: Config,
    seed: int,
    splits: Splits,
    *,
    device: torch.device,
    hooks: Hooks,
    resume: Snapshot | None = None,
) -> Outcome:
    """Train to the end and measure the best and the last weights on the test set, once.

    Raises Stopped when asked to, TrainingError when the loss is not finite; out of memory is left as it comes.
    """
    training = Training(config, seed, splits, device, hooks, resume)
    with PeakMemory(device) as memory:
        while not training.ended():
            train_s, loss, accuracy = training.run_epoch()
            training.end_epoch(train_s, loss, accuracy)
            hooks.on_epoch(training.last_record)
            training.save_if_due()
        if hooks.save_at_end:
            training.save({})
        return training.outcome(memory)


def train_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    labels: Tensor,
    label_smoothing: float,
    sums: Tensor,
) -> None:
    """One batch: forward, backward, update; adds loss and hits to `sums` (2,) float64. No word to the host."""
    logits = model(as_input(images))
    loss = F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
    optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    optimizer.step()
    with torch.no_grad():
        sums[0] += loss.detach() * len(labels)
        sums[1] += (logits.argmax(1) == labels).sum()


class Training:
    """The state of one training, between steps."""

    def __init__(
        self, config: Config, seed: int, splits: Splits, device: torch.device, hooks: Hooks, resume: Snapshot | None
    ) -> None:
        self.config, self.seed, self.splits, self.device, self.hooks = config, seed, splits, device, hooks
        if device.type == "cuda":
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
            torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
        # torch's own initialisation draws from the one generator of the process: one network at a time
        with _ONE_BUILDS, torch.random.fork_rng(devices=[]):
            torch.manual_seed(randomness.derive(seed, 0, 0, "weights"))
            model = build_model(config.model, classes=len(splits.classes), **config.arguments)
        self.model = model.to(device).to(memory_format=torch.channels_last)
        self.optimizer = make_optimizer(config, self.model)
        self.schedule = Schedule(config, self.optimizer)
        self.progress = Progress()
        self.images, self.labels = resident(splits.train, device)
        self.val_images, self.val_labels = resident(splits.val, device)
        self.draws_dropout = torch.Generator(device)
        for module in self.model.modules():
            if hasattr(module, "generator"):
                setattr(module, "generator", self.draws_dropout)  # noqa: B010 - torch types it as a tensor
        self.bounds = batch_bounds(len(self.labels), config.batch_size)
        self.saved_at = time.monotonic()
        if resume:
            self.restore(resume)

    @property
    def last_record(self) -> EpochRecord:
        return self.progress.history[-1]

    def ended(self) -> bool:
        """Whether all epochs are done, or the validation loss has not fallen for as long as the config waits."""
        if self.progress.step:
            return False
        return self.progress.epoch >= self.config.epochs or self.stopped_early()

    def stopped_early(self) -> bool:
        patience, best = self.config.early_stopping_patience, self.progress.best
        return bool(patience and best and self.progress.epoch - best.epoch >= patience)

    def run_epoch(self) -> tuple[float, float, float]:
        """Train one epoch, or the rest of one; gives its seconds, mean loss and accuracy."""
        config, progress, epoch = self.config, self.progress, self.progress.epoch + 1
        order = randomness.permutation(self.seed, epoch, len(self.labels)).to(self.device)
        source = randomness.generator(self.seed, epoch, 0, "augmentation")
        side = self.images.shape[1]
        draws = augmentation.draw(config.augmentation, len(order), source, side=side).to(self.device)
        sums = torch.tensor([progress.loss_sum, progress.correct], dtype=torch.float64, device=self.device)
        self.model.train()
        started_at = self.now() - progress.epoch_train_s
        for step in range(progress.step, len(self.bounds)):
            if step > progress.step or progress.step:
                started_at += self.pause_if_asked(step, sums, started_at)
            part = slice(*self.bounds[step])
            rows = order[part]
            self.draws_dropout.manual_seed(randomness.derive(self.seed, epoch, step, "dropout"))
            images = augmentation.apply(self.images, rows, config.augmentation, draws.at(part))
            train_step(self.model, self.optimizer, images, self.labels[rows], config.label_smoothing, sums)
        loss_sum, correct = sums.tolist()
        return self.now() - started_at, loss_sum / len(order), correct / len(order)

    def pause_if_asked(self, step: int, sums: Tensor, started_at: float) -> float:
        """Save in the middle of an epoch when a checkpoint is due, or when training has to stop.

        Gives the seconds that it took, which are none of the training's.
        """
        stop = self.hooks.should_stop()
        if not stop and time.monotonic() - self.saved_at < self.hooks.checkpoint_s:
            return 0.0
        loss_sum, correct = sums.tolist()
        paused_at = self.now()
        at = {"step": step, "loss_sum": loss_sum, "correct": int(correct), "epoch_train_s": paused_at - started_at}
        self.save(at)
        if stop:
            raise Stopped
        return self.now() - paused_at

    def end_epoch(self, train_s: float, loss: float, accuracy: float) -> None:
        """Validate, keep the best weights, move the learning rate."""
        progress, learning_rate = self.progress, self.schedule.learning_rate
        started_at = self.now()
        seen = evaluate(self.model, self.val_images, self.val_labels)
        eval_s = self.now() - started_at
        record = EpochRecord(
            epoch=progress.epoch + 1,
            train_loss=loss,
            train_accuracy=accuracy,
            val_loss=seen.loss,
            val_accuracy=seen.accuracy,
            learning_rate=learning_rate,
            train_s=train_s,
            eval_s=eval_s,
        )
        if not (math.isfinite(loss) and math.isfinite(seen.loss)):
            what = f"the loss of epoch {record.epoch} is not finite (train {loss}, validation {seen.loss})"
            raise TrainingError(what, cause=Cause.DIVERGED, fix="lower learning_rate")
        if progress.best is None or seen.loss < progress.best.val_loss:
            progress.best_epoch, progress.best_weights = record.epoch, copy_weights(self.model)
        progress.epoch, progress.step = record.epoch, 0
        progress.history.append(record)
        progress.loss_sum, progress.correct, progress.epoch_train_s = 0.0, 0, 0.0
        progress.train_s += train_s
        progress.eval_s += eval_s
        self.schedule.step(seen.loss)

    def save_if_due(self) -> None:
        stop = self.hooks.should_stop()
        if stop or time.monotonic() - self.saved_at >= self.hooks.checkpoint_s:
            self.save({})
        if stop and not self.ended():
            raise Stopped

    def save(self, changes: Mapping[str, Any]) -> None:
        self.hooks.save(self.snapshot(changes))
        self.saved_at = time.monotonic()

    def snapshot(self, changes: Mapping[str, Any]) -> Snapshot:
        tensors = prefixed(self.model.state_dict(), "model.")
        tensors |= prefixed(self.progress.best_weights, "best.")
        tensors |= prefixed(optimizer_tensors(self.optimizer), "optimizer.")
        return Snapshot(tensors, {"progress": {**self.progress.plain(), **changes}, "schedule": self.schedule.state()})

    def restore(self, snapshot: Snapshot) -> None:
        self.model.load_state_dict(under(snapshot.tensors, "model."))
        restore_optimizer(self.optimizer, under(snapshot.tensors, "optimizer."))
        self.schedule.restore(snapshot.state["schedule"])
        self.progress = Progress.from_plain(snapshot.state["progress"])
        best = under(snapshot.tensors, "best.")
        self.progress.best_weights = {name: value.to(self.device) for name, value in best.items()}

    def outcome(self, memory: PeakMemory) -> Outcome:
        """Read the test set, for the last and for the best weights."""
        images, labels = resident(self.splits.test, self.device)
        last = evaluate(self.model, images, labels, keep=True)
        self.model.load_state_dict(self.progress.best_weights)
        best = evaluate(self.model, images, labels, keep=True)
        progress, network = self.progress, describe_network(self.config, self.splits)
        assert progress.best is not None  # noqa: S101 - at least one epoch was trained
        return Outcome(
            best=_scores(progress.best, best, self.splits),
            last=_scores(self.last_record, last, self.splits),
            predictions={
                Weights.BEST: _predictions(self.splits.test, best),
                Weights.LAST: _predictions(self.splits.test, last),
            },
            epochs=progress.epoch,
            stopped_early=progress.epoch < self.config.epochs,
            parameters=network.parameters,
            flops=network.flops,
            train_s=progress.train_s,
            eval_s=progress.eval_s,
            peak_mib=memory.mib(),
        )

    def now(self) -> float:
        """Seconds of a steady clock, with the device's work done."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()


def describe_network(config: Config, splits: Splits) -> Any:
    return describe(config.model, classes=len(splits.classes), arguments=config.arguments)


def resident(part: Part, device: torch.device) -> tuple[Tensor, Tensor]:
    """Images (N, side, side, 3) uint8 and labels (N,) int64 on the device."""
    images = torch.from_numpy(np.ascontiguousarray(part.images.transpose(0, 2, 3, 1)))
    return images.to(device), torch.from_numpy(part.labels).to(device)


def batch_bounds(images: int, batch_size: int) -> list[tuple[int, int]]:
    """Start and end of each batch; a tail of one image joins the batch before it, since batch norm needs two."""
    starts = list(range(0, images, batch_size))
    if len(starts) > 1 and images - starts[-1] == 1:
        starts.pop()
    return list(zip(starts, [*starts[1:], images], strict=True))


def _scores(record: EpochRecord, seen: Measured, splits: Splits) -> Scores:
    predicted = _predictions(splits.test, seen).probabilities.argmax(1)
    table = confusion_matrix(splits.test.labels, predicted, labels=np.arange(len(splits.classes)))
    return Scores(
        epoch=record.epoch,
        train_loss=record.train_loss,
        train_accuracy=record.train_accuracy,
        val_loss=record.val_loss,
        val_accuracy=record.val_accuracy,
        test_loss=seen.loss,
        test_accuracy=seen.accuracy,
        confusion=tuple(tuple(int(count) for count in row) for row in table),
    )


def _predictions(part: Part, seen: Measured) -> Predictions:
    assert seen.probabilities is not None  # noqa: S101 - measured with keep=True
    return Predictions(labels=part.labels, probabilities=seen.probabilities.numpy())
