"""All that a training needs to go on, bit for bit, from a step: tensors, and plain values that JSON can hold."""

from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from db.records import EpochRecord


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`tensors` under `model.`, `best.` and `optimizer.`; `state` holds the rest."""

    tensors: dict[str, Tensor]
    state: dict[str, Any]

    @property
    def epoch(self) -> int:
        """Whole epochs that are done."""
        return int(self.state["progress"]["epoch"])

    @property
    def step(self) -> int:
        """Batches of the epoch after them that are done."""
        return int(self.state["progress"]["step"])

    @property
    def trained_on(self) -> list[str]:
        """Where its steps were computed, each once, as `worker.environment.computes_on` says it.

        Empty for older ones, which do not tell.
        """
        return [str(one) for one in self.state.get("trained_on", [])]

    def history(self) -> list[EpochRecord]:
        """The rows of those epochs."""
        return [EpochRecord(**values) for values in self.state["progress"]["history"]]


@dataclass(slots=True)
class Progress:
    """How far a training is; within an epoch `step` batches are done and the sums are theirs.

    `energy_j` is None once some of it was not counted.
    """

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    correct: int = 0
    epoch_train_s: float = 0.0
    train_s: float = 0.0
    eval_s: float = 0.0
    energy_j: float | None = 0.0
    best_epoch: int = 0
    history: list[EpochRecord] = field(default_factory=list)
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    trained_on: list[str] = field(default_factory=list)

    @property
    def best(self) -> EpochRecord | None:
        """The epoch of the lowest validation loss."""
        return self.history[self.best_epoch - 1] if self.best_epoch else None

    def end_epoch(self, record: EpochRecord) -> None:
        """Its row joins the history; step and sums begin anew."""
        self.history.append(record)
        self.epoch, self.step = record.epoch, 0
        self.loss_sum, self.correct, self.epoch_train_s = 0.0, 0, 0.0
        self.train_s += record.train_s
        self.eval_s += record.eval_s

    def add_energy(self, used_j: float | None) -> None:
        """What is not known of a part is not known of the whole."""
        self.energy_j = None if self.energy_j is None or used_j is None else self.energy_j + used_j

    def plain(self) -> dict[str, Any]:
        beside = ("best_weights", "trained_on")  # in a snapshot they have places of their own
        values = {name: getattr(self, name) for name in self.__slots__ if name not in beside}
        return values | {"history": [asdict(record) for record in self.history]}

    @classmethod
    def from_plain(cls, values: dict[str, Any]) -> "Progress":
        own = values | {"history": [EpochRecord(**row) for row in values["history"]]}
        return cls(**({"energy_j": None} | own))  # older checkpoints say nothing of it


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What the optimizer keeps of each parameter, under its number and name."""
    found = {}
    for number, kept in optimizer.state_dict()["state"].items():
        for name, value in kept.items():
            if isinstance(value, Tensor):
                found[f"{number}.{name}"] = value
    return found


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Raises ValueError, KeyError or IndexError for what is not of such an optimizer."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    kept: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, _, name = key.partition(".")
        weight = weights[int(number)]
        # in the layout of its parameter: the fused kernels walk both side by side
        alike = value.shape == weight.shape
        own = torch.empty_like(weight, dtype=value.dtype, device=value.device).copy_(value) if alike else value.clone()
        kept.setdefault(int(number), {})[name] = own
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": kept, "param_groups": groups})


def prefixed(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Copies on the CPU in the plain layout, which is all that a file holds."""
    return {
        f"{prefix}{name}": value.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
        for name, value in tensors.items()
    }


def under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def copy_weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}
