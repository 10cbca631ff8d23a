"""`bench export --to`: jobs as runs of MLflow and TensorBoard, read back with those libraries."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from command import ROOT
from filled_store import fill, filled, finish
from mlflow.entities import ViewType
from mlflow.tracking import MlflowClient
from records import new_job, submission
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.hparams import api_pb2, list_session_groups
from tensorboard.plugins.hparams.backend_context import Context
from tensorboard.util import tensor_util

from db import open_store
from db.records import dotted
from scheduler.config import whole

LABELS = ("baseline", "dropout")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow asks SQLAlchemy for what is to go


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Two seeds of two variants: three jobs done, one failed."""
    folder = tmp_path / "home"
    folder.mkdir()
    with filled(folder, seeds=(42, 43), only=LABELS, failed=(("dropout", 43),)):
        pass
    monkeypatch.setenv("BENCH_HOME", str(folder))
    return folder


@pytest.fixture
def store(home):
    with closing(open_store(f"sqlite:///{home / 'bench.db'}")) as opened:
        yield opened


def there(folder):
    """What MLflow's own client finds: the experiments by name, each with its runs by key."""
    client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
    experiments = {one.name: one for one in client.search_experiments() if one.name != "Default"}
    found = {name: client.search_runs([one.experiment_id]) for name, one in experiments.items()}
    return client, {name: {run.data.tags["bench.key"]: run for run in own} for name, own in found.items()}


def test_mlflow_has_an_experiment_for_the_suite_and_a_run_for_each_job_that_has_ended(typed, home, store, tmp_path):
    store.submit(submission(suite="other"), [new_job(7, label="waits", epochs=3)])
    said = typed("export", "--to", "mlflow", tmp_path / "ml")
    assert said.out == f"4 runs added, 0 replaced, 0 there already: sqlite:///{tmp_path / 'ml' / 'mlflow.db'}\n"
    client, experiments = there(tmp_path / "ml")
    assert [*experiments] == ["report"]
    jobs = [job for job in store.jobs() if job.state != "queued"]
    assert {*experiments["report"]} == {job.key for job in jobs}
    results, histories = store.results(job.id for job in jobs), store.histories([job.id for job in jobs])
    for job in jobs:
        run = experiments["report"][job.key]
        assert run.info.run_name == f"{job.label}/seed-{job.seed}"
        assert run.info.status == ("FINISHED" if job.state == "done" else "FAILED")
        assert run.info.end_time == round(job.finished_at.timestamp() * 1000)
        fields = {**dotted(whole(job.config)), "seed": job.seed}
        assert fields["gradient_clip"] == 0.0
        assert run.data.params == {name: str(value) for name, value in fields.items()}
        tags = run.data.tags
        assert (tags["bench.variant"], tags["bench.attempt"], tags["bench.submission"]) == (job.label, "1", "1")
        for name in ("train_loss", "val_accuracy", "learning_rate"):
            curve = client.get_metric_history(run.info.run_id, name)
            told = [(one.step, one.value) for one in curve]
            assert told == [(one.epoch, getattr(one, name)) for one in histories[job.id]]
        if job.id in results:
            result = results[job.id]
            assert tags["bench.device"] == result.device
            assert tags["bench.instruction_set"] == "AVX2"
            assert tags["bench.data_fingerprint"] == result.fingerprint
            assert run.data.metrics["best_test_accuracy"] == result.best.test_accuracy
            assert run.data.metrics["last_test_loss"] == result.last.test_loss
            assert run.data.metrics["total_train_s"] == result.train_s
        else:
            assert (tags["bench.cause"], "is not finite" in tags["bench.message"]) == ("diverged", True)


def test_metrics_of_mlflow_carry_the_moments_at_which_the_epochs_were_recorded(typed, home, store, tmp_path):
    typed("export", "--to", "mlflow", tmp_path / "ml")
    client, experiments = there(tmp_path / "ml")
    (job,) = store.jobs([1])
    curve = client.get_metric_history(experiments["report"][job.key].info.run_id, "val_loss")
    moments = [round(one.at.timestamp() * 1000) for one in store.recorded_epochs([1])]
    assert [one.timestamp for one in curve] == moments


def test_a_second_export_to_mlflow_adds_what_is_new_and_doubles_nothing(typed, home, store, tmp_path):
    place = str(tmp_path / "ml")
    assert typed("export", "--to", "mlflow", place, "--submission", 1).out.startswith("4 runs added")
    assert typed("export", "--to", "mlflow", place).out.startswith("0 runs added, 0 replaced, 4 there already")
    fill(store, seeds=(44,), only=LABELS[:1])
    assert typed("export", "--to", "mlflow", place).out.startswith("1 run added, 0 replaced, 4 there already")
    assert len(there(tmp_path / "ml")[1]["report"]) == 5


def test_two_exports_to_mlflow_at_once_double_nothing_and_both_succeed(home, tmp_path):
    words = [sys.executable, "-m", "cli", "export", "--to", "mlflow", str(tmp_path / "runs")]
    both = [subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = sorted(one.communicate(timeout=120)[0].partition(":")[0] for one in both)
    assert said == ["0 runs added, 0 replaced, 4 there already", "4 runs added, 0 replaced, 0 there already"]


def test_a_job_that_was_tried_again_and_a_run_that_was_cut_off_are_written_anew(typed, home, store, tmp_path):
    place = tmp_path / "ml"
    typed("export", "--to", "mlflow", place)
    client, before = there(place)
    (failed,) = [job for job in store.jobs() if job.state == "failed"]
    store.retry([failed.id])
    while (claim := store.claim_next("maker", lease_s=3600)).job_id != failed.id:
        pass
    finish(store, claim, number=1)
    experiment = before["report"][failed.key].info.experiment_id
    (cut_off,) = [job for job in store.jobs() if (job.label, job.seed) == ("baseline", 42)]
    client.delete_run(before["report"][cut_off.key].info.run_id)
    client.create_run(experiment, tags={"bench.key": cut_off.key, "bench.attempt": "1", "bench.state": "done"})
    assert typed("export", "--to", "mlflow", place).out.startswith("0 runs added, 2 replaced, 2 there already")
    client, after = there(place)
    assert {run.info.status for run in after["report"].values()} == {"FINISHED"}
    assert len(client.search_runs([experiment])) == 4
    assert len(client.search_runs([experiment], run_view_type=ViewType.DELETED_ONLY)) == 3


def test_a_server_that_is_away_is_one_clear_line_without_the_password(typed, home):
    said = typed("export", "--to", "mlflow", "http://somebody:marker@127.0.0.1:9/", code=3)
    assert "error: MLflow refused" in said.err
    assert "marker" not in said.err + said.out
    assert len(said.err.splitlines()) == 2


@pytest.mark.parametrize(
    ("name", "module"), [("mlflow", "mlflow.tracking"), ("tensorboard", "tensorboard.summary.writer.record_writer")]
)
def test_without_its_library_an_export_names_the_line_that_installs_it(
    typed, home, tmp_path, monkeypatch, name, module
):
    monkeypatch.setitem(sys.modules, module, None)  # as where it is not installed
    said = typed("export", "--to", name, tmp_path / "out", code=2)
    assert f"pip install 'bench[{name}]'" in said.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--to", "wandb", "x"], "--to must be one of mlflow, tensorboard, not 'wandb'"),
        (["--to", "mlflow", ""], "needs a place"),
        (["--to", "mlflow", "/proc/none"], "cannot write into /proc/none"),
        (["--to", "tensorboard", "/proc/none"], "cannot write /proc/none"),
        (["--to", "mlflow", "x", "--what", "jobs"], "--to writes runs, not rows"),
        (["--to", "mlflow"], "requires 2 arguments"),
        (["--to", "tensorboard", "x", "--submission", "9"], "no submission 9"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_words_for_an_export_are_answered_in_one_line(typed, home, tmp_path, monkeypatch, words, what):
    monkeypatch.chdir(tmp_path)
    said = typed("export", *words, code=2)
    assert what in said.err.splitlines()[0]


def shown_by_tensorboard(folder):
    """Its scalars by run and tag, and its table of hyperparameters, as its own backend reads them."""
    multiplexer = EventMultiplexer()
    multiplexer.AddRunsFromDirectory(str(folder))
    multiplexer.Reload()
    provider, asker = MultiplexerDataProvider(multiplexer, str(folder)), RequestContext()
    tags = provider.list_scalars(asker, experiment_id="", plugin_name="scalars")
    scalars = {run: {tag: events(multiplexer, run, tag) for tag in own} for run, own in tags.items()}
    request = api_pb2.ListSessionGroupsRequest(
        slice_size=100, allowed_statuses=[*api_pb2.Status.values()], aggregation_type=api_pb2.AGGREGATION_AVG
    )
    table = list_session_groups.Handler(asker, Context(SimpleNamespace(data_provider=provider)), "", request).run()
    return scalars, {group.name: group for group in table.session_groups}


def events(multiplexer, run, tag):
    return [
        (one.step, float(tensor_util.make_ndarray(one.tensor_proto)), one.wall_time)
        for one in multiplexer.Tensors(run, tag)
    ]


def test_tensorboard_has_a_run_for_each_job_with_its_curves_at_their_moments(typed, home, store, tmp_path):
    said = typed("export", "--to", "tensorboard", tmp_path / "tb")
    assert said.out == f"4 runs added, 0 replaced, 0 there already: {tmp_path / 'tb'}\n"
    scalars, table = shown_by_tensorboard(tmp_path / "tb")
    done = {f"{job.label}/seed-{job.seed}": job for job in store.jobs() if job.state == "done"}
    assert {*scalars} == {*done}
    for name, job in done.items():
        epochs = store.recorded_epochs([job.id])
        for tag in ("train_loss", "val_accuracy", "learning_rate"):
            told = [(one.record.epoch, getattr(one.record, tag), one.at.timestamp()) for one in epochs]
            assert [one[0] for one in scalars[name][tag]] == [one[0] for one in told]
            assert [one[1] for one in scalars[name][tag]] == pytest.approx([one[1] for one in told], rel=1e-6)
            assert [one[2] for one in scalars[name][tag]] == [one[2] for one in told]
        result = store.results([job.id])[job.id]
        ((step, value, _),) = scalars[name]["best_test_accuracy"]
        assert (step, value) == (result.last.epoch, pytest.approx(result.best.test_accuracy, rel=1e-6))
        group = table[job.key]
        assert group.hparams["variant"].string_value == job.label
        assert group.hparams["seed"].number_value == job.seed
        assert group.hparams["learning_rate"].number_value == job.config["learning_rate"]
        values = {one.name.tag: one.value for one in group.metric_values}
        assert values["best_test_accuracy"] == pytest.approx(result.best.test_accuracy, rel=1e-6)
        assert [one.status for one in group.sessions] == [api_pb2.STATUS_SUCCESS]
    (failed,) = [job for job in store.jobs() if job.state == "failed"]
    assert [one.status for one in table[failed.key].sessions] == [api_pb2.STATUS_FAILURE]


def test_a_second_export_to_tensorboard_replaces_folders_whole_and_gives_the_same_bytes(typed, home, store, tmp_path):
    folder = tmp_path / "tb"

    def files():
        return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    typed("export", "--to", "tensorboard", folder)
    first = files()
    (folder / "baseline" / "seed-42" / "events.out.tfevents.1.older").write_bytes(b"half a rec")
    (folder / "baseline" / "notes.txt").write_text("mine")
    assert typed("export", "--to", "tensorboard", folder).out.startswith("0 runs added, 4 replaced")
    assert files() == first | {Path("baseline/notes.txt"): b"mine"}


def test_jobs_of_one_variant_and_seed_have_folders_of_their_own_and_others_are_left_alone(typed, home, store, tmp_path):
    folder = tmp_path / "tb"
    fill(store, seeds=(42,), only=("baseline",), epochs=5)
    (folder / "dropout" / "seed-42").mkdir(parents=True)
    (folder / "dropout" / "seed-42" / "mine").write_text("of somebody else")
    typed("export", "--to", "tensorboard", folder)
    keys = [job.key[:8] for job in store.jobs() if (job.label, job.seed) == ("baseline", 42)]
    names = sorted(path.name for path in (folder / "baseline").iterdir())
    assert names == ["seed-42", f"seed-42-{keys[1]}", "seed-43"]
    assert [path.name for path in (folder / "dropout" / "seed-42").iterdir()] == ["mine"]
    again = typed("export", "--to", "tensorboard", folder).out
    assert again.startswith("0 runs added, 5 replaced")
    assert sorted(path.name for path in (folder / "baseline").iterdir()) == names
    marks = {json.loads(path.read_text())["key"] for path in folder.rglob("bench.json")}
    assert marks == {job.key for job in store.jobs() if job.state in ("done", "failed")}


def interrupted(words, home, ready):
    """What an export said that was interrupted once `ready` says so."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "BENCH_HOME": str(home)}
    command = [sys.executable, "-m", "cli", "export", *words]
    started = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        ready(started)
        time.sleep(0.3)
        started.send_signal(signal.SIGINT)
        said = started.stderr.read().decode()
        return started.wait(timeout=60), said
    finally:
        started.kill()
        started.communicate()


def test_ctrl_c_says_how_to_go_on(home, tmp_path):
    code, said = interrupted(["--what", "predictions"], home, lambda started: started.stdout.read(1))
    assert (code, said) == (130, "Not all was written. To go on: bench export --what predictions\n")
    held = []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(120)
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        code, said = interrupted(["--to", "mlflow", address], home, lambda _: held.append(silent.accept()[0]))
        held[0].close()
    assert (code, said.splitlines()[-1]) == (
        130,
        f"The runs that were written stay. To go on: bench export --to mlflow {address}",
    )
