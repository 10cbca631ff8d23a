"""The learning rate of a config from epoch to epoch, and of some from step to step."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import lr_scheduler

from scheduler.config import Config

_WARM_UP_FROM = 0.01  # of the full learning rate


class Schedule:
    """The learning rate of an optimizer: `end_epoch` moves it once an epoch, `move` before each step where it has to.

    Plateau: times `plateau_factor` after more than `plateau_patience` epochs in a row without a validation loss that
    is lower by one part in ten thousand. Cosine: half a cosine from `learning_rate` to 0 over all epochs, without
    restarts, moved once an epoch (Loshchilov and Hutter 2017, "SGDR", equation 5). Step: times `step_factor` every
    `step_epochs` epochs, or after each of `step_milestones`. One-cycle: see `one_cycle_rate`.

    All but one-cycle may have a warm-up before: over the first `warmup_epochs` the rate grows by equal amounts with
    each step, from a hundredth (Goyal et al. 2017, section 2.2). The epoch in which that ends is the schedule's first:
    those before it are not among the cosine's, and a plateau does not see their losses.

    What moves once an epoch is computed for an optimizer of its own and handed on: what it makes of a Python float is
    the same whether the real one holds a float or, for a CUDA graph, a float32 tensor. What moves with each step is a
    function of its number, so that nothing has to be kept of it.
    """

    def __init__(self, config: Config, optimizer: torch.optim.Optimizer, *, steps: int = 1) -> None:
        """`steps` are those of an epoch."""
        self._config, self._driven, self._steps = config, optimizer, steps
        self._warm_steps = round(config.warmup_epochs * steps)
        self._warm_epochs = self._warm_steps // steps
        self._optimizer = torch.optim.SGD([nn.Parameter(torch.empty(0))], lr=config.learning_rate)
        self._plateau: lr_scheduler.ReduceLROnPlateau | None = None
        self._cosine: lr_scheduler.CosineAnnealingLR | None = None
        if config.schedule == "plateau":
            self._plateau = lr_scheduler.ReduceLROnPlateau(
                self._optimizer, factor=config.plateau_factor, patience=config.plateau_patience
            )
        elif config.schedule == "cosine":
            epochs = max(config.epochs - self._warm_epochs, 1)
            self._cosine = lr_scheduler.CosineAnnealingLR(self._optimizer, T_max=epochs)
        self._now = config.learning_rate

    @property
    def learning_rate(self) -> float:
        """Of the last step that `move` was called for, or else of the epoch."""
        return self._now

    def moves_within(self, epoch: int) -> bool:
        """Whether `move` has to be called before each step of this epoch, the first of which is 1."""
        if self._config.schedule == "one_cycle":
            return True
        return self._warm_steps > 0 and (epoch - 1) * self._steps <= self._warm_steps

    def move(self, epoch: int, step: int) -> None:
        """To the rate of this step, the first of an epoch being 0."""
        done = (epoch - 1) * self._steps + step
        if self._config.schedule == "one_cycle":
            self._hand_on(one_cycle_rate(self._config, done, self._config.epochs * self._steps))
        else:
            self._hand_on(self._of_epoch * warm_up_factor(done, self._warm_steps))

    def end_epoch(self, epoch: int, val_loss: float) -> None:
        """Once its steps are done; epochs that lie in the warm-up do not count."""
        if epoch <= self._warm_epochs or self._config.schedule == "one_cycle":
            return
        if self._plateau:
            self._plateau.step(val_loss)
        elif self._cosine:
            self._optimizer.step()  # torch wants one before the schedule's; without gradients it does nothing
            self._cosine.step()
        elif self._config.schedule == "step":
            self._optimizer.param_groups[0]["lr"] = step_rate(self._config, epoch - self._warm_epochs)
        self._hand_on(self._of_epoch)

    @property
    def _of_epoch(self) -> float:
        return float(self._optimizer.param_groups[0]["lr"])

    def _hand_on(self, rate: float) -> None:
        self._now = rate
        for group in self._driven.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate

    def state(self) -> dict[str, Any]:
        """Plain values, enough for `restore`."""
        own = self._plateau or self._cosine
        groups = [
            {key: float(group[key]) for key in ("lr", "initial_lr") if key in group}
            for group in self._optimizer.param_groups
        ]
        return {"schedule": own.state_dict() if own else {}, "groups": groups}

    def restore(self, state: dict[str, Any]) -> None:
        own = self._plateau or self._cosine
        if own:
            own.load_state_dict(state["schedule"])
        for group, values in zip(self._optimizer.param_groups, state["groups"], strict=True):
            group.update(values)
        self._hand_on(self._of_epoch)


def step_rate(config: Config, epochs: int) -> float:
    """After so many epochs."""
    falls = sum(after <= epochs for after in config.step_milestones)
    if not config.step_milestones:
        falls = epochs // config.step_epochs
    return config.learning_rate * config.step_factor**falls


def warm_up_factor(done: int, steps: int) -> float:
    """Of a warm-up of so many steps, once this many of the training are done."""
    return _WARM_UP_FROM + (1 - _WARM_UP_FROM) * done / steps if done < steps else 1.0


def one_cycle_rate(config: Config, done: int, steps: int) -> float:
    """Once `done` of all `steps` are done (Smith and Topin 2018, with half cosines as in torch's OneCycleLR).

    From `learning_rate` / `one_cycle_start` up to `learning_rate` within a share `one_cycle_warmup` of all steps, then
    down to the first rate / `one_cycle_end`. The last step is always at that end, so that a single one trains with
    nearly nothing; `scheduler.lengths` refuses so few steps where they are planned.
    """
    highest = config.learning_rate
    first = highest / config.one_cycle_start
    peak = config.one_cycle_warmup * steps - 1
    if done < peak:
        return _half_cosine(first, highest, done / peak)
    return _half_cosine(highest, first / config.one_cycle_end, (done - peak) / (steps - 1 - peak))


def _half_cosine(begin: float, end: float, share: float) -> float:
    return end + (begin - end) / 2 * (1 + math.cos(math.pi * share))
