"""The optimizer and schedule of a config, from torch.optim."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import lr_scheduler

from scheduler.config import Config

_PIECES = 28  # of all weights: with some tensors that are small anyway, what one launch of a fused kernel takes
_LEAST_PIECE = 8192  # values
_WORTH_CUTTING = 600_000  # values


def make_optimizer(config: Config, model: nn.Module, *, captured: bool = False) -> torch.optim.Optimizer:
    """SGD, with momentum as the config says, or Adam (Kingma and Ba 2015).

    In both `weight_decay` is added to the gradient, times the weight; biases and batch norm decay as well. Where the
    step is to be `captured` in a CUDA graph the learning rate is a tensor beside the weights, which `Schedule` fills.
    """
    # the fused kernels update all parameters in one pass, on CPU as on CUDA
    parameters = [weight for weight in model.parameters() if weight.requires_grad]
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
    small = sum(weight.numel() for weight in parameters) <= _WORTH_CUTTING
    kind = _SpreadAdam if captured and small else torch.optim.Adam
    return kind(parameters, lr=rate, weight_decay=config.weight_decay, fused=True, capturable=captured)


class _SpreadAdam(torch.optim.Adam):
    """The same numbers on CUDA, with more of the card at work where a network is small.

    The fused kernel gives each block of threads 65,536 values of one tensor: a network of half a million weights keeps
    9 of a hundred multiprocessors busy. Its larger tensors are handed over in pieces, as many as one launch takes.
    Twice as many weights gain nothing, and six times as many would need launches that cost more than they save.
    """

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override] # nobody asks for a loss
        """As `Adam`'s, with gradients and moments that lie as their weights do."""
        assert closure is None  # noqa: S101 - the step that is captured asks for none
        for group in self.param_groups:
            lists: list[list[Tensor]] = [[] for _ in range(6)]
            self._init_group(group, *lists)  # type: ignore[no-untyped-call] # torch has no types here
            weights, gradients, means, squares, _, steps = lists
            piece = max(_LEAST_PIECE, -(-sum(weight.numel() for weight in weights) // _PIECES))
            torch._foreach_add_(steps, 1)
            torch._fused_adam_(
                _cut(weights, piece),
                _cut(gradients, piece),
                _cut(means, piece),
                _cut(squares, piece),
                [],
                [step for step, weight in zip(steps, weights, strict=True) for _ in range(0, weight.numel(), piece)],
                lr=group["lr"],
                beta1=group["betas"][0],
                beta2=group["betas"][1],
                weight_decay=group["weight_decay"],
                eps=group["eps"],
                amsgrad=False,
                maximize=False,
            )


def _cut(tensors: Sequence[Tensor], piece: int) -> list[Tensor]:
    """Pieces of dense tensors, flat, in the order in which they lie in memory."""
    flat = (values.detach().as_strided((values.numel(),), (1,), values.storage_offset()) for values in tensors)
    return [values[start : start + piece] for values in flat for start in range(0, len(values), piece)]


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
