"""Runs into an MLflow store: an experiment for each suite, a run for each job.

A run that is there is left as it is while the job's attempt and state are those of its tags; one of an earlier attempt,
and one that an export left half written, is deleted as MLflow deletes, which can be undone, and written anew.
"""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock

from db.errors import ConfigError, StoreError
from db.records import JobState
from report.runs import Run, Told

_PREFIX = "bench."  # of the tags
_STATUS = {JobState.DONE: "FINISHED", JobState.FAILED: "FAILED", JobState.CANCELLED: "KILLED"}
_PAGE = 1000
_POINTS, _PARAMETERS = 800, 90  # in one request; MLflow takes 1,000 and 100, 1,000 of both
_Part = TypeVar("_Part")
# only where the user has not said otherwise: nothing is told to anybody, and a server that is away fails in seconds
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}


def check_mlflow() -> None:
    """Raises ConfigError where MLflow is not installed, before anything is read."""
    _client_class()


def write_mlflow(runs: Iterable[Run], place: str, *, clean: Callable[[str], str] = str) -> Told:
    """Into a tracking URI, or a folder: `mlflow.db` there, with artifacts beside it.

    `clean` takes secrets of the URI out of what MLflow says. Raises ConfigError where the folder cannot be written to,
    StoreError for whatever MLflow refuses; runs that were written until then stay.
    """
    client_class = _client_class()
    uri, artifacts = _addresses(place)
    told = Told(where=uri)
    try:
        with _one_at_a_time(uri):
            target = _Target(client_class(tracking_uri=uri), artifacts)
            for run in runs:
                target.write(run, told)
    except _refusals() as error:
        said = clean(" ".join(str(error).split()))[:500]
        raise StoreError(f"MLflow refused: {said}", fix="mend that; the same command goes on") from error
    return told


def _one_at_a_time(uri: str) -> AbstractContextManager[Any]:
    """Of a file: two exports at once would make its tables twice, which fails, or each run."""
    file = uri.removeprefix("sqlite:///")
    return nullcontext() if file == uri else FileLock(f"{file}.lock")


class _Target:
    def __init__(self, client: Any, artifacts: str | None) -> None:
        self._client, self._artifacts = client, artifacts
        self._experiments: dict[str, str] = {}
        self._known: dict[str, dict[str, list[Any]]] = {}  # by experiment and key

    def write(self, run: Run, told: Told) -> None:
        experiment = self._experiment(run.suite)
        present = self._known[experiment].get(run.job.key, [])
        if any(_is_whole(one, run) for one in present):
            told.there += 1
            return
        for old in present:
            self._client.delete_run(old.info.run_id)
        self._add(experiment, run)
        told.added += not present
        told.replaced += bool(present)

    def _experiment(self, suite: str) -> str:
        """Its id; made when it is first needed, with all of its runs of ours read."""
        if suite not in self._experiments:
            found = self._client.get_experiment_by_name(suite)
            own = f"{self._artifacts}/{suite}" if self._artifacts else None
            number = found.experiment_id if found else self._client.create_experiment(suite, artifact_location=own)
            self._experiments[suite] = number
            self._known[number] = self._runs(number) if found else {}
        return self._experiments[suite]

    def _runs(self, experiment: str) -> dict[str, list[Any]]:
        by_key: dict[str, list[Any]] = {}
        token = None
        while True:
            page = self._client.search_runs([experiment], max_results=_PAGE, page_token=token)
            for one in page:
                if key := one.data.tags.get(f"{_PREFIX}key"):
                    by_key.setdefault(key, []).append(one)
            token = page.token
            if not token:
                return by_key

    def _add(self, experiment: str, run: Run) -> None:
        """Its status comes last: what ends before it is known by that."""
        from mlflow.entities import Metric, Param

        tags = {f"{_PREFIX}{name}": value[:_MOST_TAG] for name, value in run.tags.items()}
        if "code_revision" in run.tags:
            tags["mlflow.source.git.commit"] = run.tags["code_revision"]
        if "message" in run.tags:
            tags["mlflow.note.content"] = run.tags["message"][:_MOST_TAG]
        started = self._client.create_run(
            experiment, start_time=_ms(run.started_at.timestamp()), tags=tags, run_name=run.name
        )
        run_id = started.info.run_id
        for some in _parts(run.parameters.items(), _PARAMETERS):
            self._client.log_batch(run_id, params=[Param(name, str(value)) for name, value in some])
        for points in _parts(run.points, _POINTS):
            metrics = [Metric(one.name, one.value, _ms(one.at.timestamp()), one.epoch) for one in points]
            self._client.log_batch(run_id, metrics=metrics)
        self._client.set_terminated(run_id, status=_STATUS[run.job.state], end_time=_ms(run.ended_at.timestamp()))


_MOST_TAG = 5000  # letters; MLflow takes 8,000 in its own stores, and some servers fewer


def _is_whole(one: Any, run: Run) -> bool:
    same = all(one.data.tags.get(f"{_PREFIX}{name}") == run.tags[name] for name in ("attempt", "state"))
    return same and one.info.status == _STATUS[run.job.state]


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _parts(values: Iterable[_Part], size: int) -> Iterator[Sequence[_Part]]:
    rest = iter(values)
    while part := list(islice(rest, size)):
        yield part


def _addresses(place: str) -> tuple[str, str | None]:
    """The tracking URI, and where artifacts go if MLflow itself is not to choose."""
    if "://" in place or place == "databricks":
        return place, None
    folder = Path(place).expanduser().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot write into {folder}: {error.strerror}", fix="give another folder") from error
    # not MLflow's file store, which it no longer opens unless it is told to
    return f"sqlite:///{folder / 'mlflow.db'}", (folder / "artifacts").as_uri()


def _client_class() -> Any:
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        from mlflow.tracking import MlflowClient
    except ImportError as error:
        fix = "`pip install 'bench[mlflow]'`, or `pip install mlflow-skinny`"
        raise ConfigError("an export to MLflow needs MLflow, which is not installed", fix=fix) from error
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)  # it tells of each of its tables that it makes
    return MlflowClient


def _refusals() -> tuple[type[Exception], ...]:
    from mlflow.exceptions import MlflowException

    return (MlflowException, OSError)
