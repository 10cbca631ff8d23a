"""A config: all that decides a job's result except its seed; validated once, then trusted and never changed."""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from models import ARGUMENTS, MODEL_NAMES, smallest_side

ENGINE_REVISION = 3
"""Part of every job's key; raised whenever the engine gives other numbers for the same config and seed."""


Precision = Literal["float32", "tf32", "bfloat16"]
NEEDS_CUDA: frozenset[Precision] = frozenset({"tf32"})
"""Precisions that no CPU has."""


def _later(default: Any, **limits: Any) -> Any:
    """A field that came after the first release: at its default it is left out of the canonical form.

    Otherwise each new field would give every job that was ever trained another key.
    """
    return Field(default, exclude_if=lambda value: bool(value == default), **limits)


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Flip(_Frozen):
    """Mirrored left to right with this probability."""

    name: Literal["flip"] = "flip"
    probability: float = Field(0.5, gt=0, le=1)


class Crop(_Frozen):
    """Padded with zeros on every side, then cut back to size at a random place."""

    name: Literal["crop"] = "crop"
    padding: int = Field(4, ge=1, le=16)


class Cutout(_Frozen):
    """One square of zeros per image, wholly inside it."""

    name: Literal["cutout"] = "cutout"
    size: int = Field(8, ge=1, le=512)


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


SIDE, CHANNELS = 32, 3
"""Of a picture, where a config says nothing else."""

Augmentation = Annotated[Flip | Crop | Cutout, Field(discriminator="name"), BeforeValidator(_named)]


_LEAVES_NOTHING = "as many poolings as {name} has leave nothing of a picture of {side}x{side}"


class Config(_Frozen):
    """Defaults are the built-in suite's protocol; `arguments` are those of the network, defaults filled in."""

    dataset: str = Field("cifar100-20", min_length=1)
    validation_fraction: float = Field(0.2, gt=0, lt=1)
    split_seed: int = Field(42, ge=0, lt=2**32)
    test_fraction: float = _later(0.2, gt=0, lt=1, description="of the images, where the data have no test part")
    image_size: int = _later(SIDE, ge=8, le=512, description="pixels of each side, as the network sees them")
    channels: Literal[3, 1] = _later(CHANNELS, description="3: RGB; 1: grey")
    model: str = Field("small_cnn", json_schema_extra={"enum": [*MODEL_NAMES]})
    arguments: Mapping[str, Any] = Field(default_factory=dict, validate_default=True)
    augmentation: tuple[Augmentation, ...] = ()
    batch_size: int = Field(32, ge=2, le=65536)
    epochs: int = Field(50, ge=1, le=100_000)
    optimizer: Literal["adam", "sgd"] = "adam"
    learning_rate: float = Field(1e-3, gt=0)
    momentum: float = Field(0.0, ge=0, lt=1)
    nesterov: bool = False
    weight_decay: float = Field(0.0, ge=0)
    schedule: Literal["constant", "plateau", "cosine"] = "plateau"
    plateau_factor: float = Field(0.5, gt=0, lt=1)
    plateau_patience: int = Field(5, ge=0)
    early_stopping_patience: int = Field(10, ge=0, description="epochs without a better validation loss; 0 = never")
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    precision: Precision = "float32"
    timeout_s: float | None = Field(None, gt=0, description="seconds that one attempt may take, from its claim")

    @field_validator("model")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in MODEL_NAMES:
            raise ValueError("no such network")
        return name

    @field_validator("arguments", mode="before")
    @classmethod
    def _of_the_model(cls, arguments: Any, info: ValidationInfo) -> dict[str, Any]:
        name = info.data.get("model")
        if name is None:
            return {}
        adapter: TypeAdapter[Any] = TypeAdapter(ARGUMENTS[name])
        checked: dict[str, Any] = adapter.dump_python(
            adapter.validate_json(json.dumps(arguments), strict=True), mode="json"
        )
        smallest, deciding = smallest_side(name, checked)
        if (side := info.data.get("image_size", SIDE)) < smallest:
            fix = f"shorten {deciding}, or set image_size to at least {smallest} in [suite]"
            raise PydanticCustomError("vanishing", _LEAVES_NOTHING, {"name": deciding, "side": side, "fix": fix})
        return checked

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
        return nesterov

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """From TOML or JSON values, strictly: no text for a number, no true for 1; else pydantic's ValidationError."""
        return cls.model_validate_json(json.dumps(values, default=str), strict=True)

    def canonical(self) -> dict[str, Any]:
        """Plain values, the same for equal configs on any machine; `timeout_s` is left out, no number depends on it."""
        return self.model_dump(mode="json", exclude={"timeout_s"})


def picture_of(config: Mapping[str, Any]) -> dict[str, int]:
    """`side` and `channels` of the pictures of a stored config, as `models` take them."""
    return {"side": config.get("image_size", SIDE), "channels": config.get("channels", CHANNELS)}


def job_key(config: Config, seed: int, *, fingerprint: str | None = None) -> str:
    """Identity of the job: config, seed, data and engine; `fingerprint` only for a user's own files.

    A published data set counts by its name, which the config holds.
    """
    text = json.dumps([config.canonical(), seed, fingerprint, ENGINE_REVISION], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
