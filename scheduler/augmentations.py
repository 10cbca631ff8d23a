"""Augmentations of a config, by name: what each takes, and the order in which they may stand."""

from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _rising(values: tuple[float, ...]) -> tuple[float, ...]:
    if values[0] > values[1]:
        fix = f"write [{values[1]:g}, {values[0]:g}]"
        raise PydanticCustomError("rising", "the first of both is above the second", {"fix": fix})
    return values


def _pair(values: Any) -> tuple[Any, ...]:
    if not (isinstance(values, list | tuple) and len(values) == 2):
        raise PydanticCustomError("pair", "should be two numbers", {"fix": "write [LEAST, MOST]"})
    return tuple(values)


_Shares = Annotated[tuple[Annotated[float, Field(ge=0, le=1)], ...], BeforeValidator(_pair), AfterValidator(_rising)]
_Ratios = Annotated[tuple[Annotated[float, Field(gt=0, le=100)], ...], BeforeValidator(_pair), AfterValidator(_rising)]


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


class RandomErasing(_Frozen):
    """With this probability a rectangle of zeros: its share of the area, and its height over its width."""

    name: Literal["random_erasing"] = "random_erasing"
    probability: float = Field(0.5, gt=0, le=1)
    scale: _Shares = (0.02, 0.33)
    ratio: _Ratios = (0.3, 3.3)


class Affine(_Frozen):
    """Turned by up to `degrees` either way, moved by up to `translate` of the side, enlarged by a factor of `scale`."""

    name: Literal["affine"] = "affine"
    degrees: float = Field(15.0, ge=0, le=180)
    translate: float = Field(0.0, ge=0, le=1)
    scale: _Ratios = (1.0, 1.0)


class ColorJitter(_Frozen):
    """Brightness, contrast, saturation by factors of 1 - x to 1 + x, hue by up to x of its circle; in random order."""

    name: Literal["color_jitter"] = "color_jitter"
    brightness: float = Field(0.0, ge=0, le=10)
    contrast: float = Field(0.0, ge=0, le=10)
    saturation: float = Field(0.0, ge=0, le=10)
    hue: float = Field(0.0, ge=0, le=0.5)

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not (self.brightness or self.contrast or self.saturation or self.hue):
            fix = "set one of brightness, contrast, saturation, hue above 0"
            raise PydanticCustomError("nothing", "changes nothing", {"fix": fix})
        return self


class TrivialAugment(_Frozen):
    """One operation of fourteen, with a strength of 31; nothing to be set (Müller and Hutter 2021)."""

    name: Literal["trivial_augment"] = "trivial_augment"


class Mixup(_Frozen):
    """Each image blended with another of its batch, and their targets alike, by a share from Beta(alpha, alpha)."""

    name: Literal["mixup"] = "mixup"
    alpha: float = Field(1.0, gt=0, le=100)


class Cutmix(_Frozen):
    """A rectangle of each image from another of its batch; the share that stays is drawn from Beta(alpha, alpha)."""

    name: Literal["cutmix"] = "cutmix"
    alpha: float = Field(1.0, gt=0, le=100)


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


Augmentation = Annotated[
    Flip | Crop | Cutout | RandomErasing | Affine | ColorJitter | TrivialAugment | Mixup | Cutmix,
    Field(discriminator="name"),
    BeforeValidator(_named),
]
MIXING = (Mixup, Cutmix)
"""What makes one image of two: done to a whole batch, after all that is done to single images."""


def _mixing_last(augmentation: tuple[Augmentation, ...]) -> tuple[Augmentation, ...]:
    mixing = [one.name for one in augmentation if isinstance(one, MIXING)]
    if len(mixing) > len(set(mixing)):
        raise PydanticCustomError("twice", "{name} stands twice", {"name": mixing[0], "fix": "name it once"})
    for one, following in pairwise(augmentation):
        if isinstance(one, MIXING) and not isinstance(following, MIXING):
            words = "{mixing} stands before {other}, which is done to single images"
            context = {"mixing": one.name, "other": following.name, "fix": "put mixup and cutmix at the list's end"}
            raise PydanticCustomError("order", words, context)
    return augmentation


Augmentations = Annotated[tuple[Augmentation, ...], AfterValidator(_mixing_last)]
