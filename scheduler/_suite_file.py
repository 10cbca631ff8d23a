"""A suite file as it is written: its tables and what each field takes. Its configs are checked by `Config`."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from db.errors import ConfigError
from models import OwnCode
from scheduler._wording import explained, shown

FIRST_SEED = 42
MAX_SEEDS = 10_000
MOST_POINTS = 10_000  # of one sweep

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.=,x()-]*$", max_length=100)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Loss = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]

_JOINERS = "\u200c\u200d"  # not printable by themselves, but some scripts and emoji need them


def cleaned(text: str) -> str:
    """On one line, without control codes: what a title must not do to a terminal, a table or a page."""
    return " ".join("".join(letter if letter.isprintable() or letter in _JOINERS else " " for letter in text).split())


LONGEST_TITLE = 200  # characters: tables, figures and terminals have to show it
Text = Annotated[str, AfterValidator(cleaned), StringConstraints(max_length=LONGEST_TITLE)]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a suite comes from: its `name` in messages, and the `folder` from which its paths count.

    `inherited`: of tables that stand in another file, such as `variants.small`, that file.
    `networks`: those that are not bench's, by the suite's name for them, each read once: a config's name and its code.
    """

    name: str
    folder: Path
    inherited: Mapping[str, str] = field(default_factory=dict)
    networks: dict[str, tuple[str, OwnCode]] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        return self.name

    def place(self, table: str) -> str:
        """A table's head for messages, with its file where that is another one."""
        return f"[{table}] of {self.inherited[table]}," if table in self.inherited else f"[{table}]"


class Strict(BaseModel):
    """No unknown fields, no text for a number."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Seeds = Annotated[list[Seed], Field(min_length=1, max_length=MAX_SEEDS)]


class SuiteHead(Strict):
    """`extends`: another suite's name or file, on which these tables are laid; `without`: what of it is left out."""

    name: Name
    title: Text = ""
    dataset: str = "cifar100-20"
    image_size: int = Field(32, ge=8, le=512)
    channels: Literal[3, 1] = 3
    test_fraction: float = Field(0.2, gt=0, lt=1)
    label_column: str | None = Field(None, min_length=1)
    image_column: str | None = Field(None, min_length=1)
    seeds: Seeds = [FIRST_SEED]
    extends: str | None = Field(None, min_length=1)
    without: list[str] = Field(default_factory=list)


class DrawnRange(Strict):
    """A number between two, both among those that may be drawn; `step`: only `low`, `low + step`, ..."""

    low: Finite | int
    high: Finite | int
    log: bool = False
    step: Positive | PositiveInt | None = None


class RandomTable(Strict):
    """Points drawn at random; each of `fields` takes a list of values or a table of `DrawnRange`."""

    points: int | None = Field(None, ge=1, le=MOST_POINTS)
    seed: Seed = FIRST_SEED
    fields: dict[str, Any] = Field(min_length=1)


class Budget(Strict):
    """The most that a sweep may take: `epochs` over all of its points and seeds."""

    epochs: int = Field(ge=1)


COLUMNS = ("label_column", "image_column")
OF_THE_DATA = ("dataset", "image_size", "channels", "test_fraction", *COLUMNS)
"""Fields of a config that a suite has once, in its head: one report compares results on the same data."""


class SweepTable(Strict):
    """One of `grid`: each field with its values, all combinations; `list`: the fields of each point; `random`.

    `set` is laid over the base for every point; a point that matches a table of `leave_out` is none.
    """

    base: str
    title: Text = ""
    grid: dict[str, list[Any]] = Field(default_factory=dict)
    points: list[dict[str, Any]] = Field(default_factory=list, alias="list")
    random: RandomTable | None = None
    changes: dict[str, Any] = Field(default_factory=dict, alias="set")
    leave_out: list[dict[str, Any]] = Field(default_factory=list)
    seeds: Seeds | None = None
    budget: Budget | None = None


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
    """A suite by itself, or with what it extends laid under it."""

    suite: SuiteHead
    defaults: dict[str, Any] = Field(default_factory=dict)
    variants: dict[Name, dict[str, Any]] = Field(min_length=1)
    sweeps: dict[Name, SweepTable] = Field(default_factory=dict)
    tables: list[ReportTable] = Field(default_factory=list)
    figures: list[ReportFigure] = Field(default_factory=list)
    reference: ReferenceTable | None = None
    claims: list[str] = Field(default_factory=list, max_length=1000)


class ExtendingFile(SuiteFile):
    """A file that extends another suite, by itself: its variants may all be that one's."""

    variants: dict[Name, dict[str, Any]] = Field(default_factory=dict)


_SEEDS = "a list of whole numbers, each of them once, at least 0 and below 2147483648"


def title_of(where: Origin, place: str, value: Any) -> str:
    """A title that is none of a model's fields. Raises ConfigError."""
    if not isinstance(value, str):
        raise ConfigError(f"{where}: {place}: not text{shown(value)}", fix=f"{place.rpartition(' ')[2]} takes text")
    if len(value) > LONGEST_TITLE:
        raise ConfigError(f"{where}: {place}: {len(value):,} letters", fix=f"at most {LONGEST_TITLE} letters")
    return cleaned(value)


def seeds_at(where: Origin, place: str, value: Any) -> tuple[int, ...]:
    """Seeds that a table lists for its own jobs. Raises ConfigError."""
    adapter: TypeAdapter[list[int]] = TypeAdapter(Seeds)
    try:
        seeds = adapter.validate_python(value, strict=True)
    except ValidationError as error:
        message, _ = explained(error.errors()[0], adapter.json_schema(), path=error.errors()[0]["loc"])
        raise ConfigError(f"{where}: {place} seeds: {message}", fix=f"seeds takes {_SEEDS}") from error
    return once(where, place, seeds)


def once(where: Origin, place: str, seeds: Sequence[int]) -> tuple[int, ...]:
    """The same seeds. Raises ConfigError for one that is listed twice."""
    repeated = [seed for seed, times in Counter(seeds).items() if times > 1]
    if repeated:
        raise ConfigError(f"{where}: {place} seeds: {repeated[0]} twice", fix="name each seed once")
    return tuple(seeds)
