"""Jobs whose networks are a user's own, on a worker that has the store alone: what it runs, and what it refuses."""

import importlib.util
import json
import os
import shutil
import site
import subprocess
import sys

import pytest
from command import ROOT
from editable import install
from editable import put as put_files
from real_worker import attempt_here, job, numbers, outcomes
from sqlalchemy import delete, update

from db.errors import ConfigError
from db.records import Cause, JobState
from db.tables import jobs, networks, sources
from models import bundled
from scheduler.planning import make_plan
from scheduler.queue import submit
from scheduler.settings import load_settings
from scheduler.suite import load_suite
from worker import own_code
from worker.admission import expect_memory
from worker.child import count_flops

NETS = """
from models.blocks import HIDDEN
from torch import nn

def make(num_classes, hidden=HIDDEN):
    return nn.Sequential(nn.Flatten(), nn.Linear(3072, hidden), nn.Dropout(0.5), nn.Linear(hidden, num_classes))
"""
SUITE = """
[suite]
name = "mine"
dataset = "digits"
[defaults]
epochs = {epochs}
[variants.a]
model = "{model}"
"""


@pytest.fixture
def put(store, here, tmp_path):
    """Submits such a network from a folder that is gone afterwards; gives the job's id."""
    folder = tmp_path / "suite"

    def call(nets=NETS, model="nets.py:make", epochs=1):
        (folder / "models").mkdir(parents=True)
        (folder / "nets.py").write_text(nets)
        (folder / "models" / "blocks.py").write_text("HIDDEN = 6\n")
        (folder / "mine.toml").write_text(SUITE.format(model=model, epochs=epochs))
        plan = make_plan(load_suite(str(folder / "mine.toml")), ["a"], [1], data_dir=here.data)
        (entry,) = submit(store, plan).jobs
        for path in (folder / "nets.py", folder / "models" / "blocks.py", folder / "mine.toml"):
            path.unlink()
        (folder / "models").rmdir()
        folder.rmdir()
        return entry.job_id

    return call


@pytest.fixture(autouse=True)
def _nothing_was_read_before(monkeypatch):
    monkeypatch.setattr(own_code, "_read", {})


def test_a_worker_without_the_files_trains_the_code_that_was_submitted(store, here, put):
    first = put()
    second = put(NETS.replace("0.5", "0.25"))
    assert first != second
    assert attempt_here(store, here) is JobState.DONE
    assert attempt_here(store, here) is JobState.DONE
    results = store.results([first, second])
    assert {result.parameters for result in results.values()} == {3072 * 6 + 6 + 70}
    assert results[first].best != results[second].best


def test_a_worker_without_an_editable_package_trains_what_was_submitted_of_it(store, here, tmp_path, monkeypatch):
    net = (
        NETS.replace("from models.blocks", "from mylab.blocks") + "import mylab.blocks\nHIDDEN = mylab.blocks.HIDDEN\n"
    )
    files = {"mylab/__init__.py": "from . import nets\n", "mylab/nets.py": net, "mylab/blocks.py": "HIDDEN = 6\n"}
    install(tmp_path / "site-packages", put_files(tmp_path / "project", files), "mylab", "hatchling")
    suite = put_files(tmp_path, {"mine.toml": SUITE.format(model="mylab.nets:make", epochs=1)}) / "mine.toml"
    with monkeypatch.context() as submitting:
        submitting.setattr(sys, "path", [*sys.path])
        site.addsitedir(str(tmp_path / "site-packages"))
        (entry,) = submit(store, make_plan(load_suite(str(suite)), ["a"], [1], data_dir=here.data)).jobs
    shutil.rmtree(tmp_path / "project")
    assert importlib.util.find_spec("mylab") is None
    assert attempt_here(store, here) is JobState.DONE
    assert store.results([entry.job_id])[entry.job_id].parameters == 3072 * 6 + 6 + 70


def test_the_same_files_are_one_job_and_are_kept_once(store, here, put):
    assert put() == put()
    with store._reading() as connection:
        (row,) = connection.execute(sources.select()).all()
    assert json.loads(row.content) == {"models/blocks.py": "HIDDEN = 6\n", "nets.py": NETS}
    assert row.sha256 == job(store).config["code"] == bundled(json.loads(row.content)).name


def test_an_own_network_that_is_stopped_goes_on_bit_for_bit(store, here, put):
    interrupted = put(epochs=4)
    assert attempt_here(store, here, stopping=lambda: job(store).epoch >= 2) is JobState.QUEUED
    assert attempt_here(store, here) is JobState.DONE
    assert outcomes(store, interrupted) == [Cause.PREEMPTED, "done"]
    assert store.attempts([interrupted])[interrupted][1].start_epoch >= 2
    with store._writing() as connection:  # the store forgets whose job that was, and it is asked for once more
        connection.execute(update(jobs).values(key="first"))
    again = put(epochs=4)
    assert attempt_here(store, here) is JobState.DONE
    assert numbers(store, interrupted) == numbers(store, again)


def ended(store, here):
    assert attempt_here(store, here) is JobState.FAILED
    assert job(store).cause is Cause.CODE
    return job(store).message


def test_a_worker_that_may_run_no_own_code_ends_the_job_and_says_so(store, put, monkeypatch):
    put()
    monkeypatch.setenv("BENCH_OWN_CODE", "false")
    here = load_settings()
    message = ended(store, here)
    assert "runs no networks but bench's own, and not nets.py:make" in message
    assert "BENCH_OWN_CODE=true" in message


def test_installed_packages_are_own_code_as_well(store, put, monkeypatch):
    put(model="torchvision.models:mobilenet_v3_small")
    monkeypatch.setenv("BENCH_OWN_CODE", "false")
    assert "torchvision.models:mobilenet_v3_small" in ended(store, load_settings())


def test_another_version_of_a_package_is_refused_with_the_one_to_install(store, here, put, monkeypatch):
    put(model="torchvision.models:mobilenet_v3_small")
    wanted = job(store).config["code"]
    monkeypatch.setattr(own_code, "installed_version", lambda name: "0.1.2")
    message = ended(store, here)
    assert f"was submitted with {wanted}, this worker has 0.1.2 (install {wanted} on this worker" in message


def test_a_package_that_is_not_installed_is_refused_alike(store, here, put, monkeypatch):
    put(model="torchvision.models:mobilenet_v3_small")
    monkeypatch.setattr(own_code, "installed_version", lambda name: None)
    assert "this worker has none" in ended(store, here)


def test_code_that_was_changed_in_the_store_is_not_run(store, here, put, tmp_path):
    put()
    mark = tmp_path / "was-run"
    other = json.dumps({"nets.py": f"open({str(mark)!r}, 'w')\n"})
    with store._writing() as connection:
        connection.execute(update(sources).values(content=other))
    assert "other code for nets.py:make than was submitted (submit the suite again" in ended(store, here)
    assert not mark.exists()


@pytest.mark.parametrize("spoilt", [delete(sources), update(sources).values(content="{}")])
def test_a_submission_of_the_same_files_and_a_retry_mend_what_the_store_has_of_them(store, here, put, spoilt):
    put()
    with store._writing() as connection:
        connection.execute(spoilt)
    assert "submit the suite again from where its files are, then retry the job" in ended(store, here)
    store.retry([put()])
    assert attempt_here(store, here) is JobState.DONE


def test_code_that_the_store_lacks_ends_the_job_with_its_mend(store, here, put):
    put()
    with store._writing() as connection:
        connection.execute(delete(sources))
    assert "no code for nets.py:make than was submitted (submit the suite again" in ended(store, here)


def test_an_error_of_the_network_while_it_trains_shows_the_users_line(store, here, put):
    put(
        NETS
        + """
class Late(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.body, self.steps = make(num_classes), 0

    def forward(self, images):
        self.steps += 1
        if self.steps > 5:
            raise ArithmeticError("it had enough")  # on purpose
        return self.body(images)
""",
        model="nets.py:Late",
    )
    assert ended(store, here) == "ArithmeticError: it had enough"
    (attempt,) = store.attempts([1])[1]
    assert 'raise ArithmeticError("it had enough")  # on purpose' in attempt.traceback
    assert '/nets.py", line 16, in forward' in attempt.traceback


def test_a_network_that_exits_while_it_trains_ends_its_job_and_not_the_process(store, here, put):
    late = "class Late(nn.Sequential):\n    def forward(self, images):\n"
    late += "        return super().forward(images) if len(images) == 2 else exit('it had enough')\n"
    made = "def late(num_classes):\n    return Late(make(num_classes))\n"
    put(f"{NETS}\nfrom sys import exit\n{late}\n{made}", model="nets.py:late")
    assert ended(store, here) == "SystemExit: it had enough"


def test_the_order_and_the_memory_of_waiting_jobs_go_by_the_size_of_an_own_network(store, here, put):
    put(NETS.replace("hidden=HIDDEN", "hidden=60000"))
    put()
    count_flops(store, "cpu")
    expect_memory(store, "cuda")
    large, small = (mib for _, _, mib in store.queued_memory("cuda"))
    assert large - small == pytest.approx(4 * 8 * 59_994 * (3072 + 1 + 10) / 2**20, rel=0.2)
    assert store.claim_next("w", lease_s=60).job_id == 1


def test_a_network_that_takes_its_process_along_is_not_run_before_its_job_is_claimed(store, here, put, tmp_path):
    """Else every child would end before a claim, no attempt would count, and no other job would ever be trained."""
    mark = tmp_path / "mark"
    put(f"{NETS}\nimport os, pathlib\nif pathlib.Path({str(mark)!r}).exists():\n    os._exit(3)\n")
    mark.touch()
    measured = (
        "import sys; from db import open_store; from worker.admission import expect_memory; "
        "from worker.child import count_flops; store = open_store(sys.argv[1]); "
        "count_flops(store, 'cpu'); expect_memory(store, 'cuda')"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", measured, here.database], check=True, env=environment)
    ((_, _, mib),) = store.queued_memory("cuda")
    assert mib > 0


def test_a_network_whose_size_nobody_has_told_holds_up_no_other_job(store, here, put):
    put()
    with store._writing() as connection:
        connection.execute(delete(networks))
    count_flops(store, "cpu")
    expect_memory(store, "cuda")
    assert [(mib, bool(text)) for _, text, mib in store.queued_memory("cuda")] == [(None, True)]
    assert attempt_here(store, here) is JobState.DONE


def test_nothing_is_written_where_a_network_is_refused(store, put):
    with pytest.raises(ConfigError, match=r"variant a: .* returned \(2, 3\), not \(2, 10\)"):
        put(NETS.replace("hidden, num_classes)", "hidden, 3)"))
    assert (store.jobs(), store.submissions()) == ([], [])
