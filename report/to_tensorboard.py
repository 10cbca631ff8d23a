"""Runs into a folder that TensorBoard shows: VARIANT/seed-N of each job, with its curves and its row of HPARAMS.

Written without TensorFlow or PyTorch. A folder is put in place whole, and replaces what an earlier export of the same
job left there; the same job gives the same bytes.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from db.errors import ConfigError
from db.records import JobState
from report.runs import Run, Told

MARK = "bench.json"
"""In each run's folder: the job that it is of. A folder without it is somebody else's, and left alone."""


def check_tensorboard() -> None:
    """Raises ConfigError where TensorBoard is not installed, before anything is read."""
    _library()


def write_tensorboard(runs: Iterable[Run], place: str, *, clean: Callable[[str], str] = str) -> Told:
    """Into the folder. Raises ConfigError where it cannot be written to, or somebody else's files are in the way."""
    writer = _library()
    root = Path(place).expanduser()
    told = Told(where=str(root))
    try:
        root.mkdir(parents=True, exist_ok=True)
        for run in runs:
            folder, was_there = _folder(root, run)
            _put(folder, run, writer)
            told.added += not was_there
            told.replaced += was_there
    except OSError as error:
        where = error.filename or root
        raise ConfigError(f"cannot write {where}: {clean(str(error.strerror))}", fix="give another folder") from error
    return told


def _folder(root: Path, run: Run) -> tuple[Path, bool]:
    """Of this job, and whether it is there already. Another job of that variant and seed, on other data say, may have
    the plain name; then the key is added."""
    plain = root / _safe(run.job.label) / f"seed-{run.job.seed}"
    keyed = plain.with_name(f"{plain.name}-{run.job.key[:8]}")
    owners = {folder: _owner(folder) for folder in (plain, keyed)}
    for folder, owner in owners.items():
        if owner == run.job.key:
            return folder, True
    for folder, owner in owners.items():
        if owner is None:
            return folder, False
    raise ConfigError(f"{keyed} is there and not of this job", fix="give another folder, or move that one")


def _owner(folder: Path) -> str | None:
    """The key of its job; empty for a folder or file of somebody else's, None where there is nothing."""
    if not folder.exists():
        return None
    try:
        return str(json.loads((folder / MARK).read_text("utf-8"))["key"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _safe(label: str) -> str:
    """As the name of one folder."""
    name = re.sub(r"[^\w.=+-]", "_", label)
    return f"_{name}" if name.startswith(".") else name


def _put(folder: Path, run: Run, writer: Any) -> None:
    """Written aside, and put in place when it is whole: what ends early leaves the folder as it was, or none."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside, old = (folder.with_name(f".{folder.name}.{os.getpid()}.{what}") for what in ("partial", "old"))
    shutil.rmtree(aside, ignore_errors=True)
    try:
        aside.mkdir()
        _write_events(aside, run, writer)
        (aside / MARK).write_text(json.dumps(run.tags, indent=2) + "\n", "utf-8")
        if folder.exists():
            folder.replace(old)
        aside.replace(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _write_events(folder: Path, run: Run, writer: Any) -> None:
    began = run.started_at.timestamp()
    with (folder / f"events.out.tfevents.{int(began):010d}.bench.{run.job.key[:8]}").open("wb") as file:
        records = writer(file)
        for event in _events(run):
            records.write(event.SerializeToString(deterministic=True))


def _events(run: Run) -> Iterator[Any]:
    """First what makes it a file of events, then its row of HPARAMS, the curves, and how it ended."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
    from tensorboard.plugins.hparams.summary_v2 import hparams_pb

    began, ended = run.started_at.timestamp(), run.ended_at.timestamp()
    yield Event(wall_time=began, file_version="brain.Event:2")
    fields = {name: _field(value) for name, value in run.parameters.items()}
    start = hparams_pb({**fields, "variant": run.job.label}, trial_id=run.job.key, start_time_secs=began)
    yield Event(wall_time=began, summary=start)
    for one in run.points:
        value = Summary.Value(tag=one.name, simple_value=one.value)
        yield Event(wall_time=one.at.timestamp(), step=one.epoch, summary=Summary(value=[value]))
    done = run.job.state is JobState.DONE
    status = api_pb2.Status.STATUS_SUCCESS if done else api_pb2.Status.STATUS_FAILURE
    end = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=ended)
    data = plugin_data_pb2.HParamsPluginData(session_end_info=end)
    value = Summary.Value(
        tag=metadata.SESSION_END_INFO_TAG, metadata=metadata.create_summary_metadata(data), tensor=metadata.NULL_TENSOR
    )
    yield Event(wall_time=ended, summary=Summary(value=[value]))


def _field(value: Any) -> bool | float | str:
    """As HPARAMS has it: all jobs' values of a field are of one kind there, so nothing is the text `none`."""
    return value if isinstance(value, bool | int | float | str) else "none" if value is None else str(value)


def _library() -> Any:
    try:
        from tensorboard.summary.writer.record_writer import RecordWriter
    except ImportError as error:
        fix = "`pip install 'bench[tensorboard]'`, or `pip install tensorboard`"
        raise ConfigError("an export to TensorBoard needs tensorboard, which is not installed", fix=fix) from error
    return RecordWriter
