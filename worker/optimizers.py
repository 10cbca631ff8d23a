"""The optimizer of a config, from torch.optim."""

import inspect
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from scheduler.config import Config
from scheduler.optimizers import OPTIMIZERS

_PIECES = 28  # of all weights: with some tensors that are small anyway, what one launch of a fused kernel takes
_LEAST_PIECE = 8192  # values
_WORTH_CUTTING = 600_000  # values
_NOT_CUT = {"amsgrad", "decoupled_weight_decay"}  # what `_SpreadAdam` has not


def make_optimizer(config: Config, model: nn.Module, *, captured: bool = False) -> torch.optim.Optimizer:
    """The class of torch.optim that the config names, by its own arguments; their sources: `scheduler.optimizers`.

    `weight_decay` is added to the gradient, times the weight, but for `adamw`, `adafactor` and where
    `decoupled_weight_decay` says so, which take it off the weight; biases and batch norm decay as well. Where the step
    is to be `captured` in a CUDA graph the learning rate is a tensor beside the weights, which `Schedule` fills.
    """
    parameters = [weight for weight in model.parameters() if weight.requires_grad]
    found = OPTIMIZERS[config.optimizer]
    kind: Any = getattr(torch.optim, found.kind)
    rate: float | Tensor = config.learning_rate
    if captured:
        rate = torch.tensor(config.learning_rate, device=parameters[0].device)
    own = {name: getattr(config, name) for name in found.takes}
    given = {name: tuple(of) if isinstance(of, list) else of for name, of in config.optimizer_arguments.items()}
    small = sum(weight.numel() for weight in parameters) <= _WORTH_CUTTING
    alike = all(weight.dtype == torch.float32 for weight in parameters)
    if config.optimizer == "adam" and captured and small and alike and not given.keys() & _NOT_CUT:
        kind = _SpreadAdam
    switches = _switches(kind, parameters[0].device, captured=captured)
    made: torch.optim.Optimizer = kind(parameters, lr=rate, **own, **given, **switches)
    return made


def can_be_captured(config: Config, device: torch.device) -> bool:
    """Whether a CUDA graph may hold its step: all that it reads has to lie on the device, the learning rate too.

    What is read on the host when a step is captured would stay the same in each replay, without an error.
    """
    kind: Any = getattr(torch.optim, OPTIMIZERS[config.optimizer].kind)
    switches = _switches(kind, device, captured=True)
    return "capturable" in switches or "fused" in switches  # fused SGD and Adagrad need not be told


def begins_with_zeros(config: Config) -> bool:
    """Whether all that it keeps is zero before the first step, so that this one too may be of a graph.

    Others begin with ones or the learning rate; and SGD's first step heeds no `dampening`.
    """
    if config.optimizer == "sgd":
        return not (config.momentum and "dampening" in config.optimizer_arguments)
    return config.optimizer in ("adam", "adamw")


def _switches(kind: type[torch.optim.Optimizer], device: torch.device, *, captured: bool) -> dict[str, bool]:
    """Of how a step is computed, not of what: all weights in one pass, as far as the class has that."""
    has = {"fused", "capturable"} & inspect.signature(kind).parameters.keys()
    fused = "fused" in has and (kind is not torch.optim.Adagrad or _has_fused_adagrad(device.type))
    found = {"fused" if fused else "foreach": True}
    if "capturable" in has:
        # without a graph too: else some count their steps on the CPU, and others somewhere else after a checkpoint
        found["capturable"] = captured or (device.type == "cuda" and not fused)
    return found


@cache
def _has_fused_adagrad(device: str) -> bool:
    """On CUDA it came years after the CPU's, for a while with a kernel that the class still refused to call."""
    weight = nn.Parameter(torch.zeros(1, device=device))
    weight.grad = torch.zeros_like(weight)
    try:
        torch.optim.Adagrad([weight], fused=True).step()
    except RuntimeError:
        return False
    return True


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
