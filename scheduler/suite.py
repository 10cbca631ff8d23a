"""Suites: a TOML file that names variants and sweeps becomes labelled configs, checked once, here."""

import difflib
import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from db.errors import ConfigError, NotFoundError
from models import OwnCode
from scheduler._suite_claims import checked_claims
from scheduler._suite_configs import Variant, config_of
from scheduler._suite_extends import (
    MOST_BASES,
    claims_left,
    laid_over,
    layout_of,
    path_from,
    printed_left,
    text_of,
    with_absolute_paths,
)
from scheduler._suite_file import COLUMNS, ExtendingFile, Origin, Strict, SuiteFile, SuiteHead, once, seeds_at, title_of
from scheduler._suite_layout import OWN_TABLES as OWN_TABLES
from scheduler._suite_layout import check_layout, check_mentions, default_figures, default_tables
from scheduler._sweeps import add_sweeps
from scheduler._wording import explained, shown
from scheduler.config import Config
from scheduler.datasets import has_columns, normalise

BUILT_IN = ("report",)
_DEEPEST = 20  # tables and lists within each other
_LARGEST = 2**63  # TOML's whole numbers have 64 bits


class Suite(Strict):
    """A checked suite: its variants and sweep points by label, in the file's order, and its text as it was read."""

    name: str
    title: str
    dataset: str
    seeds: tuple[int, ...]
    text: str
    variants: dict[str, Variant]
    sweeps: dict[str, dict[str, Any]]
    budgets: dict[str, int]  # epochs of a sweep, for those that have one
    tables: list[dict[str, Any]]
    figures: list[dict[str, Any]]
    reference: dict[str, Any]
    claims: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()  # what was left out of it and why, and what nobody may have meant
    own: dict[str, OwnCode] = Field(
        default_factory=dict
    )  # of networks that are not bench's, by what configs name as their `code`

    def select(self, names: Iterable[str]) -> list[str]:
        """Labels for names of variants, sweep points or whole sweeps, in the suite's order. Raises ConfigError."""
        wanted: set[str] = set()
        for name in names:
            if name not in self.variants and name not in self.sweeps:
                raise ConfigError(f"the suite {self.name!r} has no variant {name!r}", fix=self._did_you_mean(name))
            wanted.update([name] if name in self.variants else self.sweeps[name]["points"])
        return [label for label in self.variants if label in wanted]

    def seeds_of(self, label: str) -> tuple[int, ...]:
        """Those that a variant or a sweep has of its own, else the suite's."""
        return self.variants[label].seeds or self.seeds

    def _did_you_mean(self, name: str) -> str:
        known = [*self.variants, *self.sweeps]
        close = difflib.get_close_matches(name, known)
        return f"did you mean {' or '.join(close)}?" if close else f"choose among {', '.join(known)}"


def load_suite(source: str = "report") -> Suite:
    """A built-in suite by name, or one from a file. Raises ConfigError naming file, place and allowed values."""
    return _loaded(source, ()).suite


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A suite with its tables as they were read, those that it extends laid under them."""

    suite: Suite
    where: Origin
    tables: dict[str, Any]


def _loaded(source: str, above: tuple[str, ...]) -> _Loaded:
    """`above`: the files that extend it, the outermost first."""
    where, text = _read(source)
    tables = _tables(where, text)
    head = tables.get("suite")
    if isinstance(head, dict) and "extends" in head:
        return _extending(where, text, tables, above)
    if isinstance(head, dict) and head.get("without"):
        raise ConfigError(f"{where}: [suite] without: it extends nothing", fix='add extends = "FILE"')
    return _Loaded(_suite(where, tables, text), where, tables)


def _extending(where: Origin, text: str, own: dict[str, Any], above: tuple[str, ...]) -> _Loaded:
    file = _checked(where, own, ExtendingFile)
    base = _base(where, str(file.suite.extends), above)
    under = with_absolute_paths(base.tables, base.where.folder)
    under["suite"] = under["suite"] | {"dataset": base.suite.dataset}
    whole, origin = laid_over(where, own, base.where, under)
    checked = _checked(origin, whole)
    variants, sweeps, _ = _expanded(origin, checked)
    checked_claims(where, file.claims, {label: one.config for label, one in variants.items()})  # counted as written
    whole |= layout_of(own, under, checked, variants, sweeps)
    notices = []
    if checked.suite.dataset == base.suite.dataset:
        claims = claims_left(base.suite.claims, variants)
        whole["claims"] = [*(text for text in claims if text not in file.claims), *file.claims]
    elif base.suite.claims:
        notices.append(f"{where}: the claims of {base.where} are of {base.suite.dataset}, and stay out")
    if base.suite.reference and not file.reference:
        printed, others = printed_left(base.suite.reference["variants"], base.suite.variants, variants)
        if printed:
            digest = protocol_of(variants, printed)
            whole["reference"] = base.suite.reference | {"protocol": digest, "variants": printed}
        if others:
            what = f"the printed values of {base.where} for {', '.join(others)} stay out: their configs are others here"
            notices.append(f"{where}: {what}")
    suite = _suite(origin, whole, text_of(whole, str(base.where), text))
    return _Loaded(suite.model_copy(update={"notices": (*suite.notices, *notices)}), origin, whole)


def _base(where: Origin, extends: str, above: tuple[str, ...]) -> _Loaded:
    """What the suite stands on. Raises ConfigError for one that stands on itself, on too many, or on none."""
    if "\0" in extends:
        raise ConfigError(f"{where}: [suite] extends: not a path (it is {extends!r})", fix="name a TOML file")
    source = extends if extends in BUILT_IN else str(path_from(where.folder, extends))
    chain = (*above, where.name)
    files = [Path(one).resolve() for one in chain]
    if extends not in BUILT_IN and Path(source).resolve() in files:
        circle = [*chain[files.index(Path(source).resolve()) :], source]
        raise ConfigError(f"{where}: [suite] extends: a circle, {' extends '.join(circle)}", fix="end it somewhere")
    if len(chain) > MOST_BASES:
        what = f"more than {MOST_BASES} suites on each other: {' extends '.join([*chain, source])}"
        raise ConfigError(f"{where}: [suite] extends: {what}", fix="write some of them as one")
    try:
        return _loaded(source, chain)
    except NotFoundError as error:
        raise ConfigError(f"{where}: [suite] extends: {error}", fix=error.fix) from error


def _suite(where: Origin, tables: Mapping[str, Any], text: str) -> Suite:
    file = _checked(where, tables)
    variants, sweeps, notices = _expanded(where, file)
    check_layout(where, file)
    check_mentions(where, file, variants, sweeps)
    reference, about_reference = _reference(where, file, variants)
    return Suite(
        name=file.suite.name,
        title=file.suite.title or file.suite.name,
        dataset=file.suite.dataset,
        seeds=tuple(file.suite.seeds),
        text=text,
        variants=variants,
        sweeps=sweeps,
        budgets={name: sweep.budget.epochs for name, sweep in file.sweeps.items() if sweep.budget},
        tables=[table.model_dump() for table in file.tables] or default_tables(file, sweeps),
        figures=[figure.model_dump() for figure in file.figures] or default_figures(file, sweeps),
        reference=reference,
        claims=checked_claims(where, file.claims, {label: one.config for label, one in variants.items()}),
        notices=notices + about_reference,
        own={code.name: code for _, code in where.networks.values()},
    )


def _expanded(where: Origin, file: SuiteFile) -> tuple[dict[str, Variant], dict[str, dict[str, Any]], tuple[str, ...]]:
    """Variants and points by label, what the sweeps are, and notices."""
    variants = _variants(where, file)
    sweeps, notices = add_sweeps(where, file, variants)
    return variants, sweeps, notices


def protocol_of(variants: Mapping[str, Variant], labels: Iterable[str]) -> str:
    """Digest of the configs of these labels: printed values stand beside ours only while it is the file's own."""
    text = json.dumps({label: variants[label].config.canonical() for label in labels}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read(source: str) -> tuple[Origin, str]:
    if source in BUILT_IN:
        text = resources.files("scheduler").joinpath(f"suites/{source}.toml").read_text("utf-8")
        return Origin(f"suite {source!r}", Path()), text
    path = Path(source)
    try:
        return Origin(str(path), path.parent), path.read_text("utf-8-sig")  # some editors begin a file with a mark
    except FileNotFoundError as error:
        fix = f"name a TOML file, or a built-in suite: {', '.join(BUILT_IN)}"
        raise NotFoundError(f"there is no suite file {source}", fix=fix) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the suite file {source}: {error}", fix="name a TOML file in UTF-8") from error


def _tables(where: Origin, text: str) -> dict[str, Any]:
    try:
        raw = tomllib.loads(text)
    except RecursionError as error:
        raise ConfigError(f"{where}: too many lists within each other", fix="write it flatter") from error
    except ValueError as error:  # tomllib's own error is one; a number of thousands of digits is a plain one
        raise ConfigError(f"{where}: not valid TOML: {error}", fix="mend that line") from error
    _check_values(where, raw)
    return raw


def _checked(where: Origin, tables: Mapping[str, Any], kind: type[SuiteFile] = SuiteFile) -> SuiteFile:
    try:
        file = kind.model_validate(tables)
    except ValidationError as error:
        # a table with a wrong name is missed under its right one too, and the wrong one is what there is to see
        first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden" or len(one["loc"]) > 1)
        message, fix = explained(first, kind.model_json_schema(), path=first["loc"])
        if first["loc"][:1] == ("suite",) and first["loc"][-1] in Config.model_fields and message == "no such field":
            fix = "write it into [defaults], or into a variant"
        elif first["loc"] == ("variants",) and first["type"] in ("missing", "too_short"):
            fix = "write [variants.NAME] and, below it, what it changes of [defaults]"
        raise ConfigError(f"{where}: {_place(first['loc'])}: {message}", fix=fix) from error
    once(where, "[suite]", file.suite.seeds)
    file = file.model_copy(update={"suite": _with_dataset(where, file.suite)})
    arguments = file.defaults.get("arguments", {})
    if not isinstance(arguments, dict):
        message = f"{where}: [defaults] arguments: not a table{shown(arguments)}"
        raise ConfigError(message, fix="write arguments = { NAME = VALUE }")
    return file


def _check_values(where: Origin, value: Any, path: tuple[str | int, ...] = ()) -> None:
    """Raises ConfigError for what no field takes and what later steps could not show."""
    if len(path) > _DEEPEST:
        raise ConfigError(f"{where}: {_place(path[:2])}: too many lists within each other", fix="write it flatter")
    if isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
        raise ConfigError(f"{where}: {_place(path)}: a whole number of more than 64 bits", fix="give a smaller one")
    below: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        below = value.items()
    elif isinstance(value, list):
        below = enumerate(value)
    for step, inner in below:
        _check_values(where, inner, (*path, step))


def _place(path: Sequence[str | int]) -> str:
    """Where in the file: `[sweeps.width] base`, `[[figures]] 2 kind`."""
    words = [str(part + 1) if isinstance(part, int) else part for part in path if part != "[key]"]
    if len(path) > 1 and isinstance(path[1], int):
        return " ".join([f"[[{words[0]}]]", *words[1:]])
    return f"[{'.'.join(words[:-1])}] {words[-1]}" if len(words) > 1 else f"[{'.'.join(words)}]"


def _with_dataset(where: Origin, head: SuiteHead) -> SuiteHead:
    """A path in it counts from the file's folder, so that a suite means the same wherever it is called from."""
    try:
        name = normalise(head.dataset, folder=where.folder)
    except ConfigError as error:
        raise ConfigError(f"{where}: [suite] dataset: {error}", fix=error.fix) from error
    given = [field for field in COLUMNS if getattr(head, field) is not None]
    if given and not has_columns(name) and not head.extends:  # whose data may be those of the other suite
        raise ConfigError(f"{where}: [suite] {given[0]}: only Parquet files have columns", fix=f"take {given[0]} out")
    return head.model_copy(update={"dataset": name})


def _variants(where: Origin, file: SuiteFile) -> dict[str, Variant]:
    found = {}
    for label, given in file.variants.items():
        own, place = dict(given), where.place(f"variants.{label}")
        title = title_of(where, f"{place} title", own.pop("title", label))
        seeds = seeds_at(where, place, own.pop("seeds")) if "seeds" in own else ()
        config = config_of(where, place, file, own)
        found[label] = Variant(label=label, title=title, config=config, seeds=seeds)
    return found


def _reference(
    where: Origin, file: SuiteFile, variants: Mapping[str, Variant]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The printed values, or none and a notice when they are of another protocol than the file now holds."""
    if file.reference is None:
        return {}, ()
    protocol = protocol_of(variants, file.reference.variants)
    if file.reference.protocol == protocol:
        return file.reference.model_dump(exclude_none=True), ()
    given = f"is of protocol {file.reference.protocol!r}" if file.reference.protocol else "names no protocol"
    notice = f"{where}: [reference] {given}, these configs are {protocol!r}: its values stay out of the report. "
    return {}, (notice + f'If they were printed for exactly these configs, write: protocol = "{protocol}"',)
