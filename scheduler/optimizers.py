"""The optimizers of torch.optim: their names, and what can be set on each, with defaults and limits; free of torch.

The tests hold all of it against the classes themselves. Fields that are the config's own are not among the arguments:
`learning_rate` is every optimizer's `lr`, and `Optimizer.takes` says which of the others it has.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator
from pydantic_core import PydanticCustomError

Share = Annotated[float, Field(ge=0, lt=1)]
NotNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]


class Arguments(BaseModel):
    """Of no optimizer yet: each has a class below, whose docstring names its source."""

    # built when one is first asked for: most commands ask for none
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)


class Adadelta(Arguments):
    """Zeiler 2012."""

    rho: Annotated[float, Field(ge=0, le=1)] = 0.9
    eps: NotNegative = 1e-6


class Adafactor(Arguments):
    """Shazeer and Stern 2018; without a first `eps` it is what the weights' type can resolve."""

    beta2_decay: Annotated[float, Field(le=0)] = -0.8
    eps: tuple[NotNegative | None, NotNegative] = (None, 1e-3)
    d: Annotated[float, Field(ge=1)] = 1.0


class Adagrad(Arguments):
    """Duchi, Hazan and Singer 2011."""

    lr_decay: NotNegative = 0.0
    initial_accumulator_value: NotNegative = 0.0
    eps: NotNegative = 1e-10


class AdamW(Arguments):
    """Loshchilov and Hutter 2019."""

    betas: tuple[Share, Share] = (0.9, 0.999)
    eps: NotNegative = 1e-8
    amsgrad: bool = False


class Adam(AdamW):
    """Kingma and Ba 2015."""

    decoupled_weight_decay: bool = False


class Adamax(Arguments):
    """Kingma and Ba 2015, section 7."""

    betas: tuple[Share, Share] = (0.9, 0.999)
    eps: NotNegative = 1e-8


class Asgd(Arguments):
    """Polyak and Juditsky 1992; the averages are kept, but it is the plain weights that bench measures."""

    lambd: NotNegative = 1e-4
    alpha: NotNegative = 0.75
    t0: NotNegative = 1e6


class NAdam(Arguments):
    """Dozat 2016."""

    betas: tuple[Share, Share] = (0.9, 0.999)
    eps: NotNegative = 1e-8
    momentum_decay: NotNegative = 0.004
    decoupled_weight_decay: bool = False


class RAdam(Arguments):
    """Liu et al. 2020."""

    betas: tuple[Share, Share] = (0.9, 0.999)
    eps: NotNegative = 1e-8
    decoupled_weight_decay: bool = False


class RMSprop(Arguments):
    """Tieleman and Hinton 2012."""

    alpha: Share = 0.99
    eps: NotNegative = 1e-8
    centered: bool = False


class Rprop(Arguments):
    """Riedmiller and Braun 1993."""

    etas: tuple[Annotated[float, Field(gt=0, lt=1)], Annotated[float, Field(gt=1)]] = (0.5, 1.2)
    step_sizes: tuple[Positive, Positive] = (1e-6, 50.0)

    @model_validator(mode="after")
    def _in_order(self) -> "Rprop":
        if self.step_sizes[0] > self.step_sizes[1]:
            raise PydanticCustomError("order", "the first of step_sizes is above the second", {"fix": "swap them"})
        return self


class Sgd(Arguments):
    """Robbins and Monro 1951, with momentum as Sutskever et al. 2013 have it."""

    dampening: float = 0.0


@dataclass(frozen=True, slots=True)
class Optimizer:
    """`kind` is its name in torch.optim; `takes` are the config's fields that it has besides `learning_rate`."""

    kind: str
    arguments: type[Arguments]
    takes: tuple[str, ...] = ("weight_decay",)


OPTIMIZERS: dict[str, Optimizer] = {
    "adam": Optimizer("Adam", Adam),
    "sgd": Optimizer("SGD", Sgd, ("weight_decay", "momentum", "nesterov")),
    "adamw": Optimizer("AdamW", AdamW),
    "adadelta": Optimizer("Adadelta", Adadelta),
    "adafactor": Optimizer("Adafactor", Adafactor),
    "adagrad": Optimizer("Adagrad", Adagrad),
    "adamax": Optimizer("Adamax", Adamax),
    "asgd": Optimizer("ASGD", Asgd),
    "nadam": Optimizer("NAdam", NAdam),
    "radam": Optimizer("RAdam", RAdam),
    "rmsprop": Optimizer("RMSprop", RMSprop, ("weight_decay", "momentum")),
    "rprop": Optimizer("Rprop", Rprop, ()),
}
REFUSED = {
    "lbfgs": "computes each batch several times over, which bench's step does not",
    "muon": "takes weights of two dimensions alone, and these networks have others",
    "sparseadam": "takes sparse gradients alone, and these networks have none",
}
"""Of torch.optim too, each with the reason why it cannot be had."""

_ELSEWHERE = {
    "lr": "is the config's learning_rate",
    **{name: f"is the config's own {name}" for name in ("weight_decay", "momentum", "nesterov")},
    **dict.fromkeys(("params", "foreach", "fused", "capturable", "differentiable"), "is for bench to choose"),
    "maximize": "would make the loss grow",
}


def known(name: Any) -> Any:
    """In lower case, as a config has it; `AdamW` is `adamw`. Raises pydantic's error for one that cannot be had."""
    if not isinstance(name, str):
        return name  # pydantic has words for that
    name = name.lower()
    if name in REFUSED:
        raise PydanticCustomError("refused", "{what}", {"what": f"{name} {REFUSED[name]}"})
    if name not in OPTIMIZERS:
        raise PydanticCustomError("unknown", "no such optimizer")
    return name


def checked(name: str, arguments: Any) -> dict[str, Any]:
    """What is given and not the default anyway, so that equal configs look equal. Raises pydantic's ValidationError."""
    for field in arguments if isinstance(arguments, Mapping) else ():
        if field in _ELSEWHERE:
            what = {"what": f"{field} {_ELSEWHERE[field]}", "fix": f"take {field} out of optimizer_arguments"}
            raise PydanticCustomError("elsewhere", "{what}", what)
    adapter = TypeAdapter(OPTIMIZERS[name].arguments)
    found: dict[str, Any] = adapter.validate_json(json.dumps(arguments), strict=True).model_dump(
        mode="json", exclude_defaults=True
    )
    return found


def refuse_unused(name: str, field: str) -> None:
    """Raises pydantic's error where the optimizer has no such field.

    Adam lets them pass: it did before there were others, and configs that it has trained have to stay valid.
    """
    if name != "adam" and field not in OPTIMIZERS[name].takes:
        fix = {"name": name, "fix": f"leave {field} out, or take another optimizer"}
        raise PydanticCustomError("unused", "{name} takes none", fix)
