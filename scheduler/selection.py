"""Which jobs of the store are meant, in one grammar for every command and for Python.

Ids, a submission, variants, states, and conditions 'FIELD OPERATOR VALUE'. A job has to meet all that is given; of
several ids, variants or states it has to be one.
"""

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from db.errors import ConfigError, NotFoundError

if TYPE_CHECKING:
    from db.records import Job, Result, Submission
    from db.store import Store

Value = Any
"""Of a job or its config: a number, text, true or false, None, or a list or table of these."""


@dataclass(frozen=True, slots=True)
class Condition:
    """`text` is a value as it was written; what it means depends on what it is compared with."""

    field: str
    sign: str
    text: str

    def holds(self, value: Value) -> bool:
        """For a job whose field has this value. Numbers have an order; all else is compared as it is spelled."""
        wanted = _number(self.text)
        if wanted is not None and _kind(value) == _NUMBER:
            return bool(_SIGNS[self.sign](value, wanted))
        return (_spelled(value) == self.text) is (self.sign == "=") if self.sign in _EQUALITY else False

    def misfit(self, kind: str) -> str:
        """Why a field of this kind cannot be compared so; empty where it can."""
        if self.text == _NONE:
            return "" if self.sign in _EQUALITY else f"can only be = or != {_NONE}"
        if kind == _NUMBER:
            return "" if _number(self.text) is not None else "is a number"
        if self.sign not in _EQUALITY:
            return "has no order, only = and !="
        choices = {_FLAG: ("true", "false"), **_choices()}.get(kind)
        return f"is {', '.join(choices)} or {_NONE}" if choices and self.text not in choices else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What was given; one of nothing is false, and means every job."""

    ids: tuple[int, ...] = ()
    submission: int | None = None
    variants: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    where: tuple[Condition, ...] = ()

    def __bool__(self) -> bool:
        return self != Selection()

    def jobs(self, store: "Store") -> "list[Job]":
        """Those that meet all of it, by id. Raises NotFoundError for an unknown id, submission or variant, and
        ConfigError for a condition on what no job has."""
        with store.one_moment():
            allowed = self._allowed(store)
            found = store.jobs(allowed)
            _check_ids(self.ids, store)
            chosen = [job for job in found if not self.states or job.state in self.states]
            return self._meeting(store, chosen) if self.where else chosen

    def exactly(self, store: "Store", number: int, command: str) -> "list[Job]":
        """So many, in the order of the ids where there are any. Raises ConfigError for more or fewer."""
        fix = f"give {'the id of one job' if number == 1 else f'{number} ids'}, or selectors that leave so many"
        if not self:
            raise ConfigError("say which jobs" if number > 1 else "say which job", fix=f"{fix}; see `bench status`")
        found = self.jobs(store)
        if len(found) != number:
            listed = ", ".join(str(job.id) for job in found[:_LISTED]) + (", ..." if len(found) > _LISTED else "")
            what = f"`bench {command}` takes {number} job{'' if number == 1 else 's'}, not {len(found)}"
            raise ConfigError(what + (f" ({listed})" if found else ""), fix=fix)
        return sorted(found, key=lambda job: self.ids.index(job.id)) if self.ids else found

    def _allowed(self, store: "Store") -> set[int] | None:
        """Ids of jobs that ids, submission and variants leave; None where none of them is given."""
        parts = [set(self.ids)] if self.ids else []
        if self.submission is not None:
            store.submission(self.submission)
            parts.append({job.job_id for job in store.submitted_jobs(self.submission)})
        if self.variants:
            parts.append(store.labelled(_labels(store, self.variants, self.submission), self.submission))
        return set.intersection(*parts) if parts else None

    def _meeting(self, store: "Store", jobs: "Sequence[Job]") -> "list[Job]":
        for one in self.where:
            _check_field(one, jobs, store)
        needed = any(one.field in _OF_RESULTS for one in self.where)
        results = store.results(job.id for job in jobs) if needed else {}
        return [
            job for job in jobs if all(one.holds(_value(one.field, job, results.get(job.id))) for one in self.where)
        ]


def selection(
    ids: Iterable[int] | None = None,
    *,
    submission: int | None = None,
    variant: Iterable[str] | None = None,
    state: Iterable[str] | None = None,
    where: Iterable[str] | None = None,
) -> Selection:
    """Of what the options hold. Raises ConfigError for what is no state and no condition."""
    for word in state or ():
        if word not in _choices()["state"]:
            raise ConfigError(f"unknown state {word!r}", fix=f"choose one of {', '.join(_choices()['state'])}")
    return Selection(
        ids=tuple(dict.fromkeys(ids or ())),
        submission=submission,
        variants=tuple(variant or ()),
        states=tuple(state or ()),
        where=tuple(condition(text) for text in where or ()),
    )


def condition(text: str) -> Condition:
    """Raises ConfigError naming fields, operators and an example."""
    found = _FORM.fullmatch(text)
    if not found:
        raise _refusal(text, "this is no condition")
    field, sign, value = found.groups()
    parsed = Condition(_SHORT.get(field, field).removeprefix("config."), sign.replace("==", "="), value)
    known = _OF_JOBS.get(parsed.field) or _OF_RESULTS.get(parsed.field)
    if known and (why := parsed.misfit(known.kind)):
        raise _refusal(text, f"{parsed.field} {why}")
    return parsed


@dataclass(frozen=True, slots=True)
class _Field:
    kind: str
    read: "Callable[[Any], Value]"  # of a job, or of a result


_NUMBER, _TEXT, _FLAG, _NOTHING = "number", "text", "flag", "nothing"
_NONE = "none"
_EQUALITY = ("=", "!=")
_SIGNS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_FORM = re.compile(r"\s*([A-Za-z_][\w.-]*)\s*(==|!=|>=|<=|=|>|<)\s*(\S|\S.*\S)\s*", re.DOTALL)
_SHORT = {"lr": "learning_rate"}
_LISTED = 10  # ids in one line
_OF_JOBS = {
    "id": _Field(_NUMBER, lambda job: job.id),
    "variant": _Field(_TEXT, lambda job: job.label),
    "seed": _Field(_NUMBER, lambda job: job.seed),
    "state": _Field("state", lambda job: job.state),
    "epoch": _Field(_NUMBER, lambda job: job.epoch),
    "epochs": _Field(_NUMBER, lambda job: job.epochs),
    "attempts": _Field(_NUMBER, lambda job: job.attempt),
    "priority": _Field(_NUMBER, lambda job: job.priority),
    "cause": _Field("cause", lambda job: job.cause),
    "worker": _Field(_TEXT, lambda job: job.owner),
    "key": _Field(_TEXT, lambda job: job.key),
    "epoch_s": _Field(_NUMBER, lambda job: job.epoch_s),
    "val_accuracy": _Field(_NUMBER, lambda job: job.val_accuracy),
}
_OF_RESULTS = {
    "test_accuracy": _Field(_NUMBER, lambda result: result.best.test_accuracy),
    "best_epoch": _Field(_NUMBER, lambda result: result.best.epoch),
    "parameters": _Field(_NUMBER, lambda result: result.parameters),
    "train_s": _Field(_NUMBER, lambda result: result.train_s),
    "peak_mib": _Field(_NUMBER, lambda result: result.peak_mib),
    "device": _Field(_TEXT, lambda result: result.device),
}


def _choices() -> dict[str, tuple[str, ...]]:
    """Of the kinds that have few values, all of these."""
    from db.records import Cause, JobState

    return {"state": tuple(JobState), "cause": tuple(Cause)}


def _value(field: str, job: "Job", result: "Result | None") -> Value:
    """None for a job that has no such field, or nothing in it."""
    if field in _OF_RESULTS:
        return _OF_RESULTS[field].read(result) if result else None
    return _OF_JOBS[field].read(job) if field in _OF_JOBS else _in_config(field, job)


def _in_config(field: str, job: "Job") -> Value:
    """Of the config, the default where the store holds none because it is that."""
    found = _within(job.config, field)
    if found is None and _may_be_left_out(field, job.config):
        from scheduler.config import left_out  # only now: most conditions do without what it loads

        found = _within(left_out(str(job.config.get("optimizer"))), field)
        return {} if isinstance(found, Mapping) else found  # of a whole table: nothing was given
    return found


def _within(values: Mapping[str, Any], field: str) -> Value:
    value: Value = values
    for part in field.split("."):
        if isinstance(value, Mapping):
            value = value.get(part)
        else:
            value = (
                value[int(part)] if isinstance(value, list) and part.isdecimal() and int(part) < len(value) else None
            )
    return value


def _may_be_left_out(field: str, config: Mapping[str, Any]) -> bool:
    first = field.partition(".")[0]
    return first not in config or first == "optimizer_arguments"


def _kind(value: Value) -> str:
    if value is None or isinstance(value, bool):
        return _NOTHING if value is None else _FLAG
    return _NUMBER if isinstance(value, (int, float)) else _TEXT


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _spelled(value: Value) -> str:
    """As a condition has it; several values are spelled like nothing that a condition has."""
    if value is None or value in ([], {}):
        return _NONE
    if isinstance(value, (list, Mapping)):
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check_field(one: Condition, jobs: "Sequence[Job]", store: "Store") -> None:
    """Raises ConfigError for a field that no job has, and for one whose values cannot be compared so."""
    if one.field in _OF_JOBS or one.field in _OF_RESULTS:
        return
    for some in (jobs, store.jobs()):  # the others only where none of these has it
        kinds = {_kind(_in_config(one.field, job)) for job in some} - {_NOTHING}
        if kinds:
            why = [one.misfit(kind) for kind in sorted(kinds)]
            if all(why):
                raise _refusal(f"{one.field}{one.sign}{one.text}", f"{one.field} {why[0]}")
            return
    from scheduler.config import Config

    if one.field in Config.model_fields:  # such as `code`, of which no job here has any
        return
    from db.records import dotted

    names = sorted({name for job in store.jobs() for name in dotted(job.config)})
    raise _refusal(f"{one.field}{one.sign}{one.text}", f"no job has a field {one.field!r}", names)


def _refusal(text: str, why: str, of_configs: Iterable[str] = ()) -> ConfigError:
    names = [*_OF_JOBS, *_OF_RESULTS]
    more = [name for name in of_configs if name not in names]
    listed = (
        ", ".join([*names, *more]) if more else f"{', '.join(names)}, and those of the config: learning_rate (lr), ..."
    )
    fix = f"write FIELD OPERATOR VALUE, as 'val_accuracy>0.5'; operators: {' '.join(_SIGNS)}; fields: {listed}"
    return ConfigError(f"--where {text!r}: {why}", fix=fix)


def _check_ids(ids: Sequence[int], store: "Store") -> None:
    missing = sorted({*ids} - {job.id for job in store.jobs(ids)})
    if missing:
        some = ", ".join(map(str, missing[:_LISTED]))
        raise NotFoundError(f"no job {some}", fix="see the ids in `bench status`")


def _labels(store: "Store", names: Iterable[str], submission: int | None) -> set[str]:
    """Labels that names of variants, sweeps or their points mean in the submission, or in any. Raises NotFoundError."""
    import difflib

    meant = meanings(store.submissions() if submission is None else [store.submission(submission)])
    for name in names:
        if name not in meant:
            close = difflib.get_close_matches(name, meant)
            fix = f"did you mean {' or '.join(close)}?" if close else f"choose among {', '.join(meant) or '(none)'}"
            raise NotFoundError(f"no variant {name!r} was submitted", fix=fix)
    return set().union(*(meant[name] for name in names))


def meanings(submissions: "Iterable[Submission]") -> dict[str, set[str]]:
    """Names of variants, sweeps and their points, each with the labels that it means in any of these submissions."""
    meant: dict[str, set[str]] = {}
    for one in submissions:
        for label in one.variants:
            meant.setdefault(label, set()).add(label)
        for name, sweep in one.layout.get("sweeps", {}).items():
            meant.setdefault(name, set()).update(sweep["points"])
    return meant
