"""The optimizer and schedule of a config, from torch.optim."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import lr_scheduler

from scheduler.config import Config


def make_optimizer(config: Config, model: nn.Module, *, captured: bool = False) -> torch.optim.Optimizer:
    """SGD, with momentum as the config says, or Adam (Kingma and Ba 2015).

    In both `weight_decay` is added to the gradient, times the weight; biases and batch norm decay as well. Where the
    step is to be `captured` in a CUDA graph the learning rate is a tensor beside the weights, which `Schedule` fills.
    """
    # the fused kernels update all parameters in one pass, on CPU as on CUDA
    parameters = list(model.parameters())
    rate: float | Tensor = config.learning_rate
    if captured:
        rate = torch.tensor(config.learning_rate, device=parameters[0].device)
    if config.optimizer == "sgd":
        return torch.optim.SGD(
            parameters,
            lr=rate,
            momentum=config.momentum,
            nesterov=config.nesterov,
            weight_decay=config.weight_decay,
            fused=True,
        )
    return torch.optim.Adam(parameters, lr=rate, weight_decay=config.weight_decay, fused=True, capturable=captured)


class Schedule:
    """The learning rate from epoch to epoch; `step` is told each epoch's validation loss.

    Plateau: times `plateau_factor` after more than `plateau_patience` epochs in a row without a validation loss that
    is lower by one part in ten thousand. Cosine: half a cosine from `learning_rate` to 0 over all epochs, without
    restarts, moved once an epoch (Loshchilov and Hutter 2017, "SGDR", equation 5).

    It is computed for an optimizer of its own and handed on: what it makes of a Python float is the same whether the
    real one holds a float or, for a CUDA graph, a float32 tensor.
    """

    def __init__(self, config: Config, optimizer: torch.optim.Optimizer) -> None:
        self._driven = optimizer
        self._optimizer = torch.optim.SGD([nn.Parameter(torch.empty(0))], lr=config.learning_rate)
        self._plateau: lr_scheduler.ReduceLROnPlateau | None = None
        self._cosine: lr_scheduler.CosineAnnealingLR | None = None
        if config.schedule == "plateau":
            self._plateau = lr_scheduler.ReduceLROnPlateau(
                self._optimizer, factor=config.plateau_factor, patience=config.plateau_patience
            )
        elif config.schedule == "cosine":
            self._cosine = lr_scheduler.CosineAnnealingLR(self._optimizer, T_max=config.epochs)

    @property
    def learning_rate(self) -> float:
        return float(self._optimizer.param_groups[0]["lr"])

    def step(self, val_loss: float) -> None:
        if self._plateau:
            self._plateau.step(val_loss)
        elif self._cosine:
            self._optimizer.step()  # torch wants one before the schedule's; without gradients it does nothing
            self._cosine.step()
        self._hand_on()

    def _hand_on(self) -> None:
        for group in self._driven.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(self.learning_rate)
            else:
                group["lr"] = self.learning_rate

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
        self._hand_on()
