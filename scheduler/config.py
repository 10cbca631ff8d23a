"""A config: all that decides a job's result except its seed; validated once, then trusted and never changed."""

import hashlib
import itertools
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from typing import Annotated, Any, Literal, Self, TypedDict, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError, to_jsonable_python

from db.records import Job
from models import ARGUMENTS, MODEL_NAMES, is_own, smallest_side
from scheduler import optimizers
from scheduler.augmentations import Augmentations, Cutout
from scheduler.data_file import Columns

ENGINE_REVISION = 3
"""Part of every job's key; raised whenever the engine gives other numbers for the same config and seed."""


Precision = Literal["float32", "tf32", "bfloat16"]
NEEDS_CUDA: frozenset[Precision] = frozenset({"tf32"})
"""Precisions that no CPU has."""


NETWORKS = f"one of {', '.join(MODEL_NAMES)}, FILE.py:NAME or MODULE:NAME"
"""What `model` takes, in words."""


def _later(default: Any, **limits: Any) -> Any:
    """A field that came after the first release: at its default it is left out of the canonical form.

    Otherwise each new field would give every job that was ever trained another key.
    """
    return Field(default, exclude_if=lambda value: bool(value == default), **limits)


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _plain(arguments: Any) -> dict[str, Any]:
    """Those of a network that is not bench's own, as they are: what it takes, only its code knows."""
    if not isinstance(arguments, dict):
        raise PydanticCustomError("dict_type", "not a table")
    try:
        json.dumps(arguments, allow_nan=False)
    except ValueError as error:
        raise ValueError("hold a number that is not finite") from error
    return arguments


SIDE, CHANNELS = 32, 3
"""Of a picture, where a config says nothing else."""


_LEAVES_NOTHING = "as many poolings as {name} has leave nothing of a picture of {side}x{side}"


class Config(_Frozen):
    """Defaults are the built-in suite's protocol; `arguments` are those of the network, defaults filled in.

    `code` says which code a network has that is not bench's own, and is no field of a suite: the sha256 of its sources,
    or NAME==VERSION of an installed package.
    """

    dataset: str = Field("cifar100-20", min_length=1)
    validation_fraction: float = Field(0.2, gt=0, lt=1)
    split_seed: int = Field(42, ge=0, lt=2**32)
    test_fraction: float = _later(0.2, gt=0, lt=1, description="of the images, where the data have no test part")
    image_size: int = _later(SIDE, ge=8, le=512, description="pixels of each side, as the network sees them")
    channels: Literal[3, 1] = _later(CHANNELS, description="3: RGB; 1: grey")
    label_column: str | None = _later(None, min_length=1, description="of Parquet files, where several may be meant")
    image_column: str | None = _later(None, min_length=1, description="of Parquet files, likewise")
    model: str = Field("small_cnn", json_schema_extra={"enum": [*MODEL_NAMES]})
    arguments: Mapping[str, Any] = Field(default_factory=dict, validate_default=True)
    augmentation: Augmentations = ()
    batch_size: int = Field(32, ge=2, le=65536)
    epochs: int = Field(50, ge=1, le=100_000)
    optimizer: Annotated[str, BeforeValidator(optimizers.known)] = Field(
        "adam", json_schema_extra={"enum": [*optimizers.OPTIMIZERS]}
    )
    optimizer_arguments: Mapping[str, Any] = _later({})
    learning_rate: float = Field(1e-3, gt=0)
    momentum: float = Field(0.0, ge=0, lt=1)
    nesterov: bool = False
    weight_decay: float = Field(0.0, ge=0)
    gradient_clip: float = _later(0.0, ge=0, description="the most that all gradients together may measure; 0 = any")
    schedule: Literal["constant", "plateau", "cosine", "step", "one_cycle"] = Field("plateau", validate_default=True)
    plateau_factor: float = Field(0.5, gt=0, lt=1)
    plateau_patience: int = Field(5, ge=0)
    step_epochs: int = _later(30, ge=1, le=100_000)
    step_factor: float = _later(0.1, gt=0, lt=1)
    step_milestones: tuple[Annotated[int, Field(ge=1, le=100_000)], ...] = _later(())
    one_cycle_warmup: float = _later(0.3, gt=0, lt=1)
    one_cycle_start: float = _later(25.0, ge=1)
    one_cycle_end: float = _later(1e4, ge=1)
    warmup_epochs: float = _later(0.0, ge=0, le=100_000)
    early_stopping_patience: int = Field(10, ge=0, description="epochs without a better validation loss; 0 = never")
    train_budget_s: float | None = _later(None, gt=0, description="seconds of training after which no epoch begins")
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    precision: Precision = "float32"
    code: str | None = _later(None, validate_default=True, pattern=r"^([0-9a-f]{64}|[^=\s]+==[^=\s]+)$")
    timeout_s: float | None = Field(None, gt=0, description="seconds that one attempt may take, from its claim")

    @field_validator("model")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in MODEL_NAMES and not is_own(name):
            raise PydanticCustomError("model", "no such network", {"fix": f"model takes {NETWORKS}"})
        return name

    @field_validator("arguments", mode="before")
    @classmethod
    def _of_the_model(cls, arguments: Any, info: ValidationInfo) -> dict[str, Any]:
        name = info.data.get("model")
        if name is None:
            return {}
        if is_own(name):
            return _plain(arguments)
        adapter: TypeAdapter[Any] = TypeAdapter(ARGUMENTS[name])
        checked: dict[str, Any] = adapter.dump_python(
            adapter.validate_json(json.dumps(arguments), strict=True), mode="json"
        )
        smallest, deciding = smallest_side(name, checked)
        if (side := info.data.get("image_size", SIDE)) < smallest:
            fix = f"shorten {deciding}, or set image_size to at least {smallest} in [suite]"
            raise PydanticCustomError("vanishing", _LEAVES_NOTHING, {"name": deciding, "side": side, "fix": fix})
        return checked

    @field_validator("optimizer_arguments", mode="before")
    @classmethod
    def _of_the_optimizer(cls, arguments: Any, info: ValidationInfo) -> dict[str, Any]:
        name = info.data.get("optimizer")
        return optimizers.checked(name, arguments) if name else {}

    @field_validator("momentum", "nesterov", "weight_decay")
    @classmethod
    def _used(cls, value: float, info: ValidationInfo) -> float:
        name = info.data.get("optimizer")
        if value and name and info.field_name:
            optimizers.refuse_unused(name, info.field_name)
        return value

    @field_validator("code")
    @classmethod
    def _of_own_networks(cls, code: str | None, info: ValidationInfo) -> str | None:
        if "model" in info.data and is_own(info.data["model"]) != (code is not None):
            raise ValueError("goes with the networks that are not bench's own, and with them alone")
        return code

    @field_validator("augmentation")
    @classmethod
    def _within_the_picture(cls, found: tuple[Any, ...], info: ValidationInfo) -> tuple[Any, ...]:
        side = info.data.get("image_size", SIDE)
        size = max((one.size for one in found if isinstance(one, Cutout)), default=0)
        if size > side:
            values = {"size": size, "side": side, "fix": f"set its size to at most {side}"}
            raise PydanticCustomError("cutout", "cutout of {size} pixels is larger than the picture of {side}", values)
        return found

    @field_validator("nesterov")
    @classmethod
    def _needs_momentum(cls, nesterov: bool, info: ValidationInfo) -> bool:
        if nesterov and not info.data.get("momentum"):
            raise PydanticCustomError(
                "momentum", "needs momentum", {"fix": "set momentum above 0, or nesterov = false"}
            )
        if nesterov and info.data.get("optimizer_arguments", {}).get("dampening"):
            raise PydanticCustomError("dampening", "needs dampening 0", {"fix": "take dampening out"})
        return nesterov

    @field_validator("schedule", "warmup_epochs")
    @classmethod
    def _moves_something(cls, value: Any, info: ValidationInfo) -> Any:
        if value and value != "constant" and info.data.get("optimizer") == "rprop":
            what = "no schedule moves rprop's steps: learning_rate is the size that they begin with"
            raise PydanticCustomError("rprop", what, {"fix": 'set schedule = "constant", without a warm-up'})
        return value

    @field_validator("step_milestones")
    @classmethod
    def _ascending(cls, epochs: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        if any(later <= earlier for earlier, later in itertools.pairwise(epochs)):
            raise PydanticCustomError("order", "not ascending", {"fix": "write each epoch once, the first one first"})
        if epochs and info.data.get("step_epochs") != cls.model_fields["step_epochs"].default:
            raise PydanticCustomError("both", "step_epochs says when as well", {"fix": "give one of them"})
        return epochs

    @field_validator("warmup_epochs")
    @classmethod
    def _has_its_own(cls, epochs: float, info: ValidationInfo) -> float:
        if epochs and info.data.get("schedule") == "one_cycle":
            fix = {"fix": "set one_cycle_warmup, its share of all steps, instead"}
            raise PydanticCustomError("one_cycle", "one_cycle has a warm-up of its own", fix)
        return epochs

    @property
    def columns(self) -> Columns:
        return Columns(image=self.image_column, label=self.label_column)

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """From TOML or JSON values, strictly: no text for a number, no true for 1; else pydantic's ValidationError."""
        return cls.model_validate_json(json.dumps(values, default=str), strict=True)

    def canonical(self) -> dict[str, Any]:
        """Plain values, the same for equal configs on any machine; `timeout_s` is left out, no number depends on it."""
        return self.model_dump(mode="json", exclude={"timeout_s"})


@cache
def left_out(optimizer: str) -> Mapping[str, Any]:
    """What a stored config with this optimizer does not hold where it is at its default, as it would be stored.

    Fields that came after the first release, and the optimizer's own arguments.
    """
    later = {name: field.get_default() for name, field in Config.model_fields.items() if field.exclude_if is not None}
    known = optimizers.OPTIMIZERS.get(optimizer)
    arguments = known.arguments().model_dump() if known else {}
    found: dict[str, Any] = to_jsonable_python(later | {"optimizer_arguments": arguments})
    return found


def whole(config: Mapping[str, Any]) -> dict[str, Any]:
    """A stored config with what it leaves out filled in, in the order of the fields: for readers, never for a key."""
    missing = left_out(str(config.get("optimizer")))
    arguments = missing["optimizer_arguments"] | config.get("optimizer_arguments", {})
    found = {**missing, **config, "optimizer_arguments": arguments}
    order = dict.fromkeys([*(name for name in Config.model_fields if name in found), *found])
    return {name: found[name] for name in order}


def with_whole_configs(jobs: Iterable[Job]) -> list[Job]:
    """What is shown or exported of them; the store, and whatever looks a job up in it, has the configs as they were."""
    return [replace(job, config=whole(job.config)) for job in jobs]


def applying(config: Mapping[str, Any]) -> dict[str, Any]:
    """Of a whole config what decides something: without the fields of schedules that it does not have, and without
    the sum of a code that there is not."""
    schedules = get_args(Config.model_fields["schedule"].annotation)
    others = tuple(f"{name}_" for name in schedules if name != config.get("schedule"))
    return {
        name: value
        for name, value in config.items()
        if not name.startswith(others) and (name != "code" or value is not None)
    }


class Picture(TypedDict):
    """`side` in pixels."""

    side: int
    channels: int


def picture_of(config: Mapping[str, Any]) -> Picture:
    """`side` and `channels` of the pictures of a stored config, as `models` take them."""
    return {"side": config.get("image_size", SIDE), "channels": config.get("channels", CHANNELS)}


def network_key(config: Mapping[str, Any]) -> str:
    """Of all in a stored config that decides how large a network is, but for the number of classes."""
    network = [config["model"], config.get("code"), config["arguments"], picture_of(config)]
    return hashlib.sha256(json.dumps(network, sort_keys=True).encode()).hexdigest()


def job_key(config: Config, seed: int, *, fingerprint: str | None = None) -> str:
    """Identity of the job: config, seed, data and engine; `fingerprint` only for a user's own files.

    A published data set counts by its name, which the config holds.
    """
    text = json.dumps([config.canonical(), seed, fingerprint, ENGINE_REVISION], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
