"""The verbs of the command line as functions, for notebooks and scripts; docs/python.md shows them at work.

Settings are read as the command line reads them, and keywords of `Overrides` win over all of them. Each call opens the
store and closes it again; none prints, takes a signal or ends the process. What is wrong raises one of the errors
below, all of them BenchError: the message says what happened, `fix` what mends it.
"""

import shlex
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

from bench import _looking, _rows
from bench._records import Asked, Finished, Overrides, Status, Submission, Told
from db.errors import (
    BenchError,
    BrokerError,
    ConfigError,
    DataError,
    LostError,
    NoStoreError,
    NotFoundError,
    SchemaError,
    StateError,
    StoreError,
    TimeLimitError,
    TrainingError,
)

if TYPE_CHECKING:
    import pandas

    from db.records import Job, Predictions
    from db.store import Store
    from scheduler.planning import Plan
    from scheduler.selection import Selection
    from scheduler.settings import Settings

__all__ = [
    "BenchError",
    "BrokerError",
    "ConfigError",
    "DataError",
    "Finished",
    "LostError",
    "NoStoreError",
    "NotFoundError",
    "Overrides",
    "SchemaError",
    "StateError",
    "Status",
    "StoreError",
    "Submission",
    "TimeLimitError",
    "TrainingError",
    "cancel",
    "history",
    "history_frame",
    "jobs",
    "predictions",
    "results",
    "results_frame",
    "retry",
    "run",
    "status",
    "submit",
    "wait",
    "write_report",
]

OUT = "bench-report"
"""Where a report goes unless told otherwise; not `report`, which is a package in bench's clone."""


def submit(
    suite: str | Path = "report",
    *,
    variants: Sequence[str] | None = None,
    seeds: int | Sequence[int] | None = None,
    dataset: str | None = None,
    epochs: int | None = None,
    precision: str | None = None,
    priority: int = 0,
    **settings: Unpack[Overrides],
) -> Submission:
    """Queue what the store does not have yet, of a suite file or a built-in suite; a second call adds nothing.

    `variants` names variants, sweeps or points; None takes every variant. `seeds` is how many (42, 43, ...) or which.
    Workers elsewhere train them (`bench worker`); `run` does it here. Raises ConfigError, DataError, NotFoundError,
    StoreError or BrokerError.
    """
    from scheduler.app import doorbells
    from scheduler.broker import ensure_broker
    from scheduler.queue import RING_MOST, reconcile

    here = _looking.settings(None, settings)
    plan = _planned(here, suite, variants, seeds, dataset=dataset, epochs=epochs, precision=precision)
    command = _command("submit", suite, variants, seeds, dataset=dataset, epochs=epochs, precision=precision)
    with _looking.opened(here, create=True) as store:
        done = _submitted(here, store, plan, priority, command)
        with _looking.private():
            ensure_broker(here)
        reconcile(store, doorbells(here), actor="submit", waiting=RING_MOST)
    return done


def run(
    suite: str | Path = "report",
    *,
    variants: Sequence[str] | None = None,
    seeds: int | Sequence[int] | None = None,
    dataset: str | None = None,
    epochs: int | None = None,
    precision: str | None = None,
    priority: int = 0,
    slots: int | Literal["auto"] | None = None,
    device: str = "auto",
    graph: bool = True,
    out: str | Path = OUT,
    progress: Told = False,
    **settings: Unpack[Overrides],
) -> Finished:
    """Submit, train here in a process beside this one, and write the report into `out`.

    An interrupt stops the worker, whose jobs save checkpoints first; the same call goes on. A job that fails is no
    error: `status` tells of it. Raises what `submit` raises, and BenchError where the worker ended for good.
    """
    from report import check_writable
    from worker.background import Background, check_precisions
    from worker.devices import choose_device, chosen_slots

    here = _looking.settings(None, settings)
    plan = _planned(here, suite, variants, seeds, dataset=dataset, epochs=epochs, precision=precision)
    command = _command("run", suite, variants, seeds, dataset=dataset, epochs=epochs, precision=precision)
    number = chosen_slots(slots)
    check_precisions([entry.config.precision for entry in plan.entries], choose_device(device))
    check_writable(Path(out))
    with _broker(here):
        with _looking.opened(here, create=True) as store:
            submission = _submitted(here, store, plan, priority, command)
        seen = _looking.look(here, submission.id)
        if not seen.ended:
            with _looking.private():
                worker = Background(here, slots=number, device=device, graph=graph)
            try:
                seen = _looking.look_until_ended(here, submission.id, None, progress, each=worker.check)
            finally:
                worker.stop()
        report = write_report(out, submission=submission)
    return Finished(submission=submission, status=seen, report=report)


def status(submission: Asked = None, **settings: Unpack[Overrides]) -> Status:
    """What waits, runs and is done. Looks after the queue: what dead workers held is queued again.

    Raises NoStoreError where nothing was ever submitted, NotFoundError for an unknown submission.
    """
    return _looking.look(_looking.settings(submission, settings), _looking.number(submission))


def wait(
    submission: Asked = None,
    *,
    timeout_s: float | None = None,
    progress: Told = False,
    **settings: Unpack[Overrides],
) -> Status:
    """Until none of the jobs waits or runs, also through an outage of the store; workers have to be running somewhere.

    Raises TimeLimitError after `timeout_s`; the jobs go on then, as they do after an interrupt.
    """
    return _looking.look_until_ended(
        _looking.settings(submission, settings), _looking.number(submission), timeout_s, progress
    )


def jobs(
    ids: Iterable[int] | None = None,
    *,
    submission: Asked = None,
    variants: Iterable[str] | None = None,
    states: Iterable[str] | None = None,
    where: Iterable[str] | None = None,
    **settings: Unpack[Overrides],
) -> "list[Job]":
    """Those that meet all that is given, by id; `where` has conditions, 'val_accuracy>0.5' say (docs/commands.md)."""
    from scheduler.config import with_whole_configs

    chosen = _selection(ids, submission, variants, states, where)
    with _looking.opened(_looking.settings(submission, settings)) as store:
        return with_whole_configs(chosen.jobs(store))


def cancel(
    ids: Iterable[int] | None = None,
    *,
    submission: Asked = None,
    variants: Iterable[str] | None = None,
    states: Iterable[str] | None = None,
    where: Iterable[str] | None = None,
    **settings: Unpack[Overrides],
) -> list[int]:
    """Take jobs out of the queue, and ask those that run to stop at their next heartbeat; gives the ids of both.

    Raises ConfigError where nothing is given: states=["queued", "running"] means all of them.
    """
    from db.records import WAITING

    chosen = _given(_selection(ids, submission, variants, states, where))
    with _looking.opened(_looking.settings(submission, settings)) as store:
        waiting, running = store.cancel([job.id for job in chosen.jobs(store) if job.state in WAITING])
    return sorted([*waiting, *running])


def retry(
    ids: Iterable[int] | None = None,
    *,
    submission: Asked = None,
    variants: Iterable[str] | None = None,
    states: Iterable[str] | None = None,
    where: Iterable[str] | None = None,
    **settings: Unpack[Overrides],
) -> list[int]:
    """Queue failed or cancelled jobs again, each to go on from its last checkpoint; gives their ids.

    Raises ConfigError where nothing is given: states=["failed"] means all that failed.
    """
    from db.records import JobState
    from scheduler.app import doorbells
    from scheduler.broker import ensure_broker
    from scheduler.queue import ring

    chosen = _given(_selection(ids, submission, variants, states, where))
    here = _looking.settings(submission, settings)
    with _looking.opened(here) as store:
        badly = (JobState.FAILED, JobState.CANCELLED)
        moved = store.retry([job.id for job in chosen.jobs(store) if job.state in badly])
        if moved:
            with _looking.private():
                ensure_broker(here)
            ring(store, doorbells(here))
    return sorted(moved)


def results(submission: Asked = None, **settings: Unpack[Overrides]) -> list[dict[str, Any]]:
    """A row for each job, done or not, with the columns of `bench export --what jobs` (docs/export.md).

    What is text of JSON there, the config say, is a value here.
    """
    return _rows.rows("jobs", submission, settings)


def results_frame(submission: Asked = None, **settings: Unpack[Overrides]) -> "pandas.DataFrame":
    """The same for pandas. Raises ConfigError where it is not installed."""
    return _rows.frame("jobs", submission, settings)


def history(submission: Asked = None, **settings: Unpack[Overrides]) -> list[dict[str, Any]]:
    """A row for each epoch of each attempt, with the columns of `bench export --what epochs` (docs/export.md)."""
    return _rows.rows("epochs", submission, settings)


def history_frame(submission: Asked = None, **settings: Unpack[Overrides]) -> "pandas.DataFrame":
    """The same for pandas. Raises ConfigError where it is not installed."""
    return _rows.frame("epochs", submission, settings)


def predictions(job: "Job | int", *, weights: str = "best", **settings: Unpack[Overrides]) -> "Predictions":
    """The test set as a job's network saw it: labels (N,) int64 and probabilities (N, C) float32.

    `weights` are `best` or `last`. Raises NotFoundError for a job that is not done.
    """
    from db.records import Weights

    if weights not in list(Weights):
        raise ConfigError(f"weights must be {' or '.join(Weights)}, not {weights!r}", fix="give one of them")
    with _looking.opened(_looking.settings(None, settings)) as store:
        return store.predictions(job if isinstance(job, int) else job.id, Weights(weights))


def write_report(
    out: str | Path = OUT,
    *,
    submission: Asked = None,
    latex: bool = False,
    targets: Sequence[float] = (),
    **settings: Unpack[Overrides],
) -> Path:
    """Write the report into the folder `out`; gives the path of its page.

    Of the submission's suite, data and protocol, by default of the newest. `targets`: validation accuracies, as
    fractions, for the table of the time to a given accuracy. Raises NotFoundError for an empty store, ConfigError.
    """
    from report import write_report as write
    from scheduler.config import whole

    number = _looking.number(submission)
    with _looking.opened(_looking.settings(submission, settings)) as store:
        return write(store, Path(out), submission_id=number, latex=latex, targets=targets, whole=whole).html


@contextmanager
def _broker(here: "Settings") -> Iterator[None]:
    """The embedded one for as long as this lasts, unless it was there before or another is named."""
    from scheduler.broker import closed_broker

    with ExitStack() as stack:
        with _looking.private():
            stack.enter_context(closed_broker(here))
        yield


def _planned(
    here: "Settings",
    suite: str | Path,
    variants: Sequence[str] | None,
    seeds: int | Sequence[int] | None,
    **overrides: Any,
) -> "Plan":
    from scheduler.planning import make_plan, notices, seeds_of
    from scheduler.suite import load_suite

    if isinstance(variants, str):
        raise ConfigError(f"variants is a list of names, not {variants!r}", fix=f"write variants=[{variants!r}]")
    found = load_suite(str(suite))
    number, listed = (seeds, []) if seeds is None or isinstance(seeds, int) else (None, list(seeds))
    wanted = seeds_of(number=number, listed=listed, own=()) or None
    labels = list(found.variants) if variants is None else found.select(list(variants))
    plan = make_plan(found, labels, wanted, data_dir=here.data, probe_s=here.probe_s, **overrides)
    for notice in notices(plan):
        warnings.warn(notice, stacklevel=3)
    return plan


def _submitted(here: "Settings", store: "Store", plan: "Plan", priority: int, command: str) -> Submission:
    from scheduler.queue import submit as write

    done = write(store, plan, priority=priority, command=command)
    return Submission(id=done.id, jobs=done.jobs, settings=here)


def _command(
    verb: str, suite: str | Path, variants: Sequence[str] | None, seeds: int | Sequence[int] | None, **overrides: Any
) -> str:
    """The command line that asks for the same, which a report gives its readers; who really asked is a comment."""
    words = ["bench", verb, "--suite", str(suite)]
    words += ["--all"] if variants is None else [word for name in variants for word in ("--variant", name)]
    listed = [("--seeds", seeds)] if isinstance(seeds, int) else [("--seed", seed) for seed in seeds or ()]
    given = [*listed, *((f"--{name}", value) for name, value in overrides.items() if value is not None)]
    words += [str(word) for pair in given for word in pair]
    script = [sys.argv[0]] if sys.argv and sys.argv[0].endswith(".py") else []
    line = f"{shlex.join(words)}  # from {shlex.join(['python', *script])}"
    return line.encode(errors="backslashreplace").decode()


def _selection(
    ids: Iterable[int] | None,
    submission: Asked,
    variants: Iterable[str] | None,
    states: Iterable[str] | None,
    where: Iterable[str] | None,
) -> "Selection":
    from scheduler.selection import selection

    for name, words in (("variants", variants), ("states", states), ("where", where)):
        if isinstance(words, str):
            raise ConfigError(f"{name} is a list, not {words!r}", fix=f"write {name}=[{words!r}]")
    return selection(ids, submission=_looking.number(submission), variant=variants, state=states, where=where)


def _given(chosen: "Selection") -> "Selection":
    if not chosen:
        raise ConfigError("say which jobs", fix="give ids, submission, variants, states or where")
    return chosen
