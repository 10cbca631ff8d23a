"""A suite file as it is written: its tables and what each field takes. Its configs are checked by `Config`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from db.errors import ConfigError
from scheduler._wording import shown

FIRST_SEED = 42
MAX_SEEDS = 10_000

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.=,x()-]*$", max_length=100)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Loss = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]

_JOINERS = "\u200c\u200d"  # not printable by themselves, but some scripts and emoji need them


def cleaned(text: str) -> str:
    """On one line, without control codes: what a title must not do to a terminal, a table or a page."""
    return " ".join("".join(letter if letter.isprintable() or letter in _JOINERS else " " for letter in text).split())


LONGEST_TITLE = 200  # characters: tables, figures and terminals have to show it
Text = Annotated[str, AfterValidator(cleaned), StringConstraints(max_length=LONGEST_TITLE)]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a suite comes from: its `name` in messages, and the `folder` from which its paths count."""

    name: str
    folder: Path

    def __str__(self) -> str:
        return self.name


class Strict(BaseModel):
    """No unknown fields, no text for a number."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SuiteHead(Strict):
    name: Name
    title: Text = ""
    dataset: str = "cifar100-20"
    image_size: int = Field(32, ge=8, le=512)
    channels: Literal[3, 1] = 3
    test_fraction: float = Field(0.2, gt=0, lt=1)
    seeds: list[Seed] = Field(default=[FIRST_SEED], min_length=1, max_length=MAX_SEEDS)


OF_THE_DATA = ("dataset", "image_size", "channels", "test_fraction")
"""Fields of a config that a suite has once, in its head: one report compares results on the same data."""


class SweepTable(Strict):
    """Either `grid`: each field with its values, all combinations; or `list`: the fields of each point."""

    base: str
    title: Text = ""
    grid: dict[str, list[Any]] = Field(default_factory=dict)
    points: list[dict[str, Any]] = Field(default_factory=list, alias="list")


class ReportTable(Strict):
    name: Name
    kind: Literal["training", "results", "tuning"]
    title: Text = ""
    variants: list[str] = Field(default_factory=list)
    columns: list[Literal["test_accuracy", "test_loss", "parameters"]] = Field(default_factory=list)
    sweep: str | None = None


class ReportFigure(Strict):
    name: Name
    kind: Literal[
        "class_distribution",
        "samples",
        "history",
        "metrics",
        "histories",
        "augmentation",
        "tuning",
        "complexity",
        "accuracy",
        "confusion",
    ]
    title: Text = ""
    variants: list[str] = Field(default_factory=list)
    sweeps: list[str] = Field(default_factory=list)


OF_VARIANTS = frozenset(
    {"training", "results", "history", "metrics", "histories", "complexity", "accuracy", "confusion"}
)
"""The kinds of tables and figures that show the variants they name, and nothing without one."""


class ReferenceValues(Strict):
    """Values that somebody printed for one variant: accuracies as fractions, `gap` = training minus validation.

    `chosen`: whether its point of a sweep was printed as the best one.
    """

    test_accuracy: Share | None = None
    test_loss: Loss | None = None
    val_accuracy: Share | None = None
    val_loss: Loss | None = None
    train_accuracy: Share | None = None
    train_loss: Loss | None = None
    gap: float | None = Field(None, ge=-1, le=1, allow_inf_nan=False)
    parameters: int | None = Field(None, ge=1)
    epochs: int | None = Field(None, ge=1)
    chosen: bool | None = None


class ReferenceTable(Strict):
    """Printed values, and the digest of the configs that they were printed for."""

    source: Text
    protocol: str = ""
    variants: dict[str, ReferenceValues]


class SuiteFile(Strict):
    suite: SuiteHead
    defaults: dict[str, Any] = Field(default_factory=dict)
    variants: dict[Name, dict[str, Any]] = Field(min_length=1)
    sweeps: dict[Name, SweepTable] = Field(default_factory=dict)
    tables: list[ReportTable] = Field(default_factory=list)
    figures: list[ReportFigure] = Field(default_factory=list)
    reference: ReferenceTable | None = None
    claims: list[str] = Field(default_factory=list, max_length=1000)


def title_of(where: Origin, place: str, value: Any) -> str:
    """A title that is none of a model's fields. Raises ConfigError."""
    if not isinstance(value, str):
        raise ConfigError(f"{where}: {place}: not text{shown(value)}", fix=f"{place.rpartition(' ')[2]} takes text")
    if len(value) > LONGEST_TITLE:
        raise ConfigError(f"{where}: {place}: {len(value):,} letters", fix=f"at most {LONGEST_TITLE} letters")
    return cleaned(value)
