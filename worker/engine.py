"""The training engine: the data resident as uint8, batches by index, one step function (`worker.steps`).

A step only hands work to the device. The host waits for it at both ends of an epoch, where draws go over, sums come
back and clocks are read, and where a checkpoint is written. Nothing here knows of stores, queues or files.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from db.errors import TrainingError
from db.records import Cause, EpochRecord, Predictions, Scores, Weights
from models import OwnCode, build_model, build_own, describe, takes_channels_last
from scheduler.config import Config, picture_of
from worker import augmentation, randomness
from worker.batches import batch_bounds, resident
from worker.environment import computes_on
from worker.evaluation import Measured, evaluate, predictions, scores
from worker.memory import PeakMemory
from worker.optimizers import begins_with_zeros, can_be_captured, make_optimizer
from worker.precision import compute_in
from worker.schedules import Schedule
from worker.snapshot import (
    Progress,
    Snapshot,
    copy_weights,
    optimizer_tensors,
    prefixed,
    restore_optimizer,
    under,
)
from worker.splits import Splits
from worker.steps import Steps
from worker.stopwatch import Stopwatch

log = logging.getLogger(__name__)

_ONE_BUILDS = threading.Lock()


class Stopped(Exception):  # noqa: N818 - not an error: somebody asked for it
    """Training was asked to stop; a snapshot of that very step has been saved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What the engine tells its caller.

    `should_stop` is asked before every step and after the last one, and must be cheap. `used_j` gives the joules since
    it was last asked, None where nobody counts them; it is asked at both ends and before a snapshot, never for a step.
    """

    on_epoch: Callable[[EpochRecord], None] = lambda record: None
    should_stop: Callable[[], bool] = lambda: False
    save: Callable[[Snapshot], object] = lambda snapshot: None
    used_j: Callable[[], float | None] = lambda: None
    checkpoint_s: float = math.inf
    save_at_end: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Seconds are sums over all epochs, those before a resume included.

    `train_s` holds the order of the images, their draws, gather, augmentation and the steps; `eval_s` the validation.
    Loading the data, checkpoints, what the hooks do and the test set are in neither. `energy_j` is such a sum too, of
    what `used_j` gave from the first epoch's beginning to the last one's end. `captured`: as a CUDA graph.
    `stopped_early`: before all epochs, by its patience or its budget. `trained_on`: where its steps were computed, and
    at last its test set, as `worker.environment.computes_on` says it.
    """

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
    energy_j: float | None
    captured: bool
    trained_on: tuple[str, ...]


def train(
    config: Config,
    seed: int,
    splits: Splits,
    *,
    device: torch.device,
    hooks: Hooks,
    resume: Snapshot | None = None,
    graph: bool = True,
    own: OwnCode | None = None,
) -> Outcome:
    """Train to the end and measure the best and the last weights on the test set, once.

    On CUDA the steps are captured as a graph unless `graph` is false or the optimizer cannot be captured. `own`: the
    code of a network that is not bench's.

    Raises Stopped when asked to, TrainingError when the loss is not finite or the device lacks the config's precision;
    out of memory is left as it comes.
    """
    training = Training(config, seed, splits, device, hooks, graph=graph and device.type == "cuda", own=own)
    if resume:
        training.restore(resume)
    hooks.used_j()  # what the card has done before is not this training's
    with PeakMemory(device) as memory:
        while not training.ended():
            with Stopwatch(device, elapsed_s=training.progress.epoch_train_s) as train_watch:
                seen = training.run_epoch(train_watch)
            with Stopwatch(device) as eval_watch:
                val = training.measure(*training.val)
            record = EpochRecord(
                epoch=training.progress.epoch + 1,
                train_loss=seen.loss,
                train_accuracy=seen.accuracy,
                val_loss=val.loss,
                val_accuracy=val.accuracy,
                learning_rate=training.schedule.learning_rate,
                train_s=train_watch.elapsed_s,
                eval_s=eval_watch.elapsed_s,
            )
            training.end_epoch(record)
            hooks.on_epoch(record)
        training.count_energy()
        # the test set may take long to measure: a stop that is asked for now may not wait until it is
        if hooks.should_stop() or hooks.save_at_end or training.checkpoint_is_due():
            training.save()
        return training.outcome(memory)


class Training:
    """The state of one training, between steps."""

    def __init__(
        self,
        config: Config,
        seed: int,
        splits: Splits,
        device: torch.device,
        hooks: Hooks,
        *,
        graph: bool = False,
        own: OwnCode | None = None,
    ) -> None:
        compute_in(config.precision, device)
        self.config, self.seed, self.splits, self.device, self.hooks = config, seed, splits, device, hooks
        if graph and not can_be_captured(config, device):
            log.warning("%s cannot be captured in a CUDA graph, training goes step by step", config.optimizer)
            graph = False
        self.own, self.layout = own, layout_of(config, len(splits.classes), own)
        # now rather than at the end, where an error of a user's network would cost its training
        classes, picture = len(splits.classes), picture_of(config.canonical())
        self.network = describe(config.model, classes=classes, arguments=config.arguments, own=own, **picture)
        self.model = new_network(config, seed, classes, own).to(device).to(memory_format=self.layout)
        self.optimizer = make_optimizer(config, self.model, captured=graph)
        self.progress, self.began_at, self.here = Progress(), (0, 0), computes_on(str(device))
        images, labels = resident(splits.train, device)
        self.steps = Steps(
            self.model,
            self.optimizer,
            images,
            labels,
            config,
            graph=graph,
            first_captured=begins_with_zeros(config),
            own=own is not None,
            layout=self.layout,
        )
        self.side, self.number = images.shape[1], len(labels)
        self.val = resident(splits.val, device)
        self.bounds = batch_bounds(self.number, config.batch_size)
        self.schedule = Schedule(config, self.optimizer, steps=len(self.bounds))
        self.unsaved_since = time.monotonic()

    def ended(self) -> bool:
        """Whether all epochs are done, their seconds are spent, or the validation loss no longer falls.

        Seconds are those of training alone, of all attempts, but for what was lost and trained again.
        """
        config, progress = self.config, self.progress
        patience, best = config.early_stopping_patience, progress.best
        waited = bool(patience and best and progress.epoch - best.epoch >= patience)
        spent = config.train_budget_s is not None and progress.train_s >= config.train_budget_s
        return waited or spent or progress.epoch >= config.epochs

    def run_epoch(self, watch: Stopwatch) -> Measured:
        """Train one epoch, or the rest of one; its loss and accuracy are means over the batches as they were trained.

        Raises Stopped; `watch` runs and stands still while a checkpoint is written.
        """
        progress, epoch = self.progress, self.progress.epoch + 1
        order = randomness.permutation(self.seed, epoch, self.number)
        source = randomness.generator(self.seed, epoch, 0, "augmentation")
        draws = augmentation.draw(self.config.augmentation, self.number, source, side=self.side)
        self.steps.begin(order, draws, loss_sum=progress.loss_sum, correct=progress.correct)
        self.model.train()
        moves = self.schedule.moves_within(epoch)
        for step in range(progress.step, len(self.bounds)):
            self.pause_if_asked(step, watch)
            if moves:
                self.schedule.move(epoch, step)
            self.steps.run(*self.bounds[step], mask_seed=randomness.derive(self.seed, epoch, step, "dropout"))
        loss_sum, correct = self.steps.sums.tolist()
        return Measured(loss=loss_sum / self.number, accuracy=correct / self.number)

    def pause_if_asked(self, step: int, watch: Stopwatch) -> None:
        """Before `step`: save when a checkpoint is due or training has to stop. Raises Stopped."""
        stop = self.hooks.should_stop()
        if not (stop or self.checkpoint_is_due()):
            return
        with watch.paused():
            loss_sum, correct = self.steps.sums.tolist()
            self.progress.step, self.progress.epoch_train_s = step, watch.elapsed_s
            self.progress.loss_sum, self.progress.correct = loss_sum, int(correct)
            self.save()
        if stop:
            raise Stopped

    def end_epoch(self, record: EpochRecord) -> None:
        """Keep the best weights, move the learning rate. Raises TrainingError when a loss is not finite."""
        train_loss, val_loss = record.train_loss, record.val_loss
        if not (math.isfinite(train_loss) and math.isfinite(val_loss)):
            what = f"the loss of epoch {record.epoch} is not finite (train {train_loss}, validation {val_loss})"
            raise TrainingError(what, cause=Cause.DIVERGED, fix="lower learning_rate")
        progress = self.progress
        if progress.best is None or val_loss < progress.best.val_loss:
            progress.best_epoch, progress.best_weights = record.epoch, copy_weights(self.model)
        progress.end_epoch(record)
        self.schedule.end_epoch(record.epoch, val_loss)

    def measure(self, images: Tensor, labels: Tensor, *, keep: bool = False) -> Measured:
        """On images (N, side, side, channels) uint8; what a network draws in evaluation depends on the epoch alone."""
        if self.own:
            randomness.seed_global(randomness.derive(self.seed, self.progress.epoch, 0, "evaluation"))
        precision, layout, own = self.config.precision, self.layout, self.own is not None
        return evaluate(self.model, images, labels, precision=precision, keep=keep, layout=layout, own=own)

    def checkpoint_is_due(self) -> bool:
        return time.monotonic() - self.unsaved_since >= self.hooks.checkpoint_s

    def count_energy(self) -> None:
        self.progress.add_energy(self.hooks.used_j())

    def save(self) -> None:
        self.count_energy()
        self.hooks.save(self.snapshot())
        self.unsaved_since = time.monotonic()

    def snapshot(self) -> Snapshot:
        tensors = prefixed(self.model.state_dict(), "model.")
        tensors |= prefixed(self.progress.best_weights, "best.")
        tensors |= prefixed(optimizer_tensors(self.optimizer), "optimizer.")
        # where it was lies beside the progress: workers of earlier versions go on from that too
        state = {"progress": self.progress.plain(), "trained_on": self.trained_on()}
        return Snapshot(tensors, state | {"schedule": self.schedule.state()})

    def trained_on(self) -> list[str]:
        """Where its steps were computed, each place once: here only if one was."""
        progress = self.progress
        here = [self.here] if (progress.epoch, progress.step) != self.began_at else []
        return list(dict.fromkeys([*progress.trained_on, *here]))

    def restore(self, snapshot: Snapshot) -> None:
        self.progress = restored(snapshot, self.model, self.optimizer, self.schedule)
        self.began_at = (self.progress.epoch, self.progress.step)
        best = self.progress.best_weights
        self.progress.best_weights = {name: value.to(self.device) for name, value in best.items()}

    def outcome(self, memory: PeakMemory) -> Outcome:
        """Read the test set, for the last and for the best weights. Raises TrainingError when a loss is not finite."""
        config, progress, test = self.config, self.progress, self.splits.test
        images, labels = resident(test, self.device)
        last = self.measure(images, labels, keep=True)
        self.model.load_state_dict(progress.best_weights)
        best = self.measure(images, labels, keep=True)
        if not (math.isfinite(last.loss) and math.isfinite(best.loss)):
            what = f"the loss on the test set is not finite (best weights {best.loss}, last {last.loss})"
            raise TrainingError(what, cause=Cause.DIVERGED, fix="lower learning_rate")
        assert progress.best is not None  # noqa: S101 - at least one epoch was trained
        return Outcome(
            best=scores(progress.best, best, self.splits),
            last=scores(progress.history[-1], last, self.splits),
            predictions={Weights.BEST: predictions(test, best), Weights.LAST: predictions(test, last)},
            epochs=progress.epoch,
            stopped_early=progress.epoch < config.epochs,
            parameters=self.network.parameters,
            flops=self.network.flops,
            train_s=progress.train_s,
            eval_s=progress.eval_s,
            peak_mib=memory.mib(),
            energy_j=progress.energy_j,
            captured=self.steps.captured,
            trained_on=tuple(dict.fromkeys([*progress.trained_on, self.here])),
        )


def restored(snapshot: Snapshot, model: nn.Module, optimizer: torch.optim.Optimizer, schedule: Schedule) -> Progress:
    """Put the snapshot's values into all three; gives how far it is, with its best weights on the CPU."""
    model.load_state_dict(under(snapshot.tensors, "model."))
    restore_optimizer(optimizer, under(snapshot.tensors, "optimizer."))
    schedule.restore(snapshot.state["schedule"])
    progress = Progress.from_plain(snapshot.state["progress"])
    progress.best_weights = under(snapshot.tensors, "best.")
    progress.trained_on = snapshot.trained_on
    return progress


def fits(config: Config, classes: int, snapshot: Snapshot, *, own: OwnCode | None = None) -> None:
    """Raises ValueError for a snapshot from which such a training cannot go on."""
    model = new_network(config, 0, classes, own)
    optimizer = make_optimizer(config, model)
    try:
        progress = restored(snapshot, model, optimizer, Schedule(config, optimizer))
        if progress.best:
            model.load_state_dict(progress.best_weights)
    except Exception as error:  # torch, and plain values of any shape, fail in many ways
        raise ValueError(f"it does not fit: {' '.join(str(error).split())}") from error
    fresh = make_optimizer(config, model)
    for weight in model.parameters():
        weight.grad = torch.zeros_like(weight) if weight.requires_grad else None
    fresh.step()
    wanted = _kept(fresh)
    # nothing at all is what there is of a weight before its first step
    if any(shapes != wanted.get(weight) for weight, shapes in _kept(optimizer).items()):
        raise ValueError("what it keeps for the optimizer does not fit the weights")


def _kept(optimizer: torch.optim.Optimizer) -> dict[str, dict[str, torch.Size]]:
    """Shapes, by the number of the weight."""
    found: dict[str, dict[str, torch.Size]] = {}
    for key, value in optimizer_tensors(optimizer).items():
        number, _, name = key.partition(".")
        found.setdefault(number, {})[name] = value.shape
    return found


def new_network(config: Config, seed: int, classes: int, own: OwnCode | None = None) -> nn.Module:
    """The config's network with the initial weights of `seed`, whatever else this process draws."""
    # torch's own initialisation draws from the one generator of the process: one network at a time
    with _ONE_BUILDS, torch.random.fork_rng(devices=[]):
        torch.manual_seed(randomness.derive(seed, 0, 0, "weights"))
        picture = picture_of(config.canonical())
        if own:
            return build_own(config.model, own, classes=classes, arguments=config.arguments, **picture)
        return build_model(config.model, classes=classes, **picture, **config.arguments)


def layout_of(config: Config, classes: int, own: OwnCode | None) -> torch.memory_format:
    """How weights and images lie in memory: channels_last wherever the network takes it, the same on any device."""
    if own:
        picture = picture_of(config.canonical())
        with _ONE_BUILDS:
            takes_it = takes_channels_last(config.model, own, classes=classes, arguments=config.arguments, **picture)
        return torch.channels_last if takes_it else torch.contiguous_format
    return torch.channels_last
