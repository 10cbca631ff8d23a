"""What `bench plan` says before anything is queued: counts, what ended badly, and disk against what a run then took."""

import json
import os
import subprocess
import sys
import threading
from contextlib import closing

import pytest
from command import ROOT, bench
from filled_store import filled

from cli._talk import number
from cli.plan import _size
from db import open_store
from scheduler.disk import Bytes, Training, checkpoint, disk, predictions
from worker.devices import auto_slots, choose_device

DIGITS = ("--dataset", "digits")


LAST = "depth=three_conv"  # of the suite's labels; jobs are claimed in their order


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Of two seeds: two jobs failed, one was cancelled, one runs, ten wait, eight are done, two are not there."""
    monkeypatch.setenv("BENCH_HOME", str(tmp_path))
    with filled(tmp_path, seeds=(42, 43), failed=("baseline", "dropout"), missing=("both",), waiting=(LAST,)) as store:
        waiting = [job.id for job in store.jobs() if job.state == "queued"]
        store.cancel(waiting[:1])
    return tmp_path


def test_a_plan_counts_by_state_and_names_the_retry_of_what_ended_badly(typed, home):
    found = json.loads(typed("plan", "--all", "--seeds", "2", "--json").out)
    with closing(open_store(f"sqlite:///{home / 'bench.db'}")) as store:
        jobs = store.jobs()
        badly = [job.id for job in jobs if job.state in ("failed", "cancelled")]
        assert found["counts"] == {"new": 2, **store.counts()}
    assert sum(found["counts"].values()) == len(found["jobs"]) == 24
    assert sorted(found["retry"]) == sorted(badly)
    assert len(badly) == 3
    said = typed("plan", "--all", "--seeds", "2").err
    counted = "24 jobs: 2 new, 10 waiting, 1 running, 8 done already, 2 failed, 1 cancelled."
    assert counted in said
    assert f"A submit leaves what ended badly: `bench retry {' '.join(map(str, found['retry']))}` queues" in said


def test_a_plan_counts_on_the_slots_of_the_workers_or_else_those_that_a_run_here_would_start(typed, home):
    words = ("plan", "--variant", LAST, "--seeds", "2")
    assert f" on {number(auto_slots(choose_device('auto')), 'slot')}" in typed(*words).err
    with closing(open_store(f"sqlite:///{home / 'bench.db'}")) as store:
        store.register_worker("there:1:a", host="there", pid=1, slots=77, device="cpu")
    assert " on 77 slots" in typed(*words).err


def test_a_plan_counts_on_the_device_that_a_run_here_would_take(typed, home, monkeypatch):
    monkeypatch.setenv("BENCH_DEVICE", "cpu")
    monkeypatch.setattr("worker.devices.visible_cards", lambda: ["GPU-1"] * 5)
    monkeypatch.setattr("worker.devices.auto_slots", lambda device: 41 if device == "cpu" else 43)
    assert " on 41 slots" in typed("plan", "--variant", LAST, "--seeds", "2").err


def test_a_plan_of_jobs_that_are_done_needs_no_checkpoints_and_has_nothing_to_retry(typed, home):
    found = json.loads(typed("plan", "--variant", "resnet", "--seeds", "1", "--json").out)
    assert (found["counts"]["done"], found["retry"], found["disk"]["checkpoint_bytes"]) == (1, [], [0, 0])
    said = typed("plan", "--variant", "resnet", "--seeds", "1").err
    assert "1 job: 0 new, 1 done already." in said
    assert "retry" not in said
    assert "in the store." in said


def test_the_disk_of_a_run_lies_in_the_range_of_its_plan_before_and_after_others_were_measured(bench_home, tmp_path):
    bench("db", "upgrade", cwd=tmp_path)
    planned = [grown_as_planned(bench_home, tmp_path, "--seed", str(seed)) for seed in (1, 2)]
    assert [one["measured_jobs"] for one in planned] == [0, 2]
    (least, most), (later_least, later_most) = (one["store_bytes"] for one in planned)
    assert later_most - later_least < most - least


def grown_as_planned(home, folder, *seed):
    """Plans two networks and trains them; gives what was planned of the disk."""
    words = ["--variant", "baseline", "--variant", "batchnorm", *DIGITS, "--epochs", "2", *seed]
    plan = json.loads(bench("plan", *words, "--json", cwd=folder).stdout)["disk"]
    before, peak, over = (home / "bench.db").stat().st_size, [0], threading.Event()

    def watch():
        while not over.wait(0.02):
            found = 0
            for parent, _, names in os.walk(home / "artifacts"):
                for name in names:
                    try:
                        found += os.stat(os.path.join(parent, name)).st_size  # noqa: PTH116, PTH118 - it may go meanwhile
                    except FileNotFoundError:
                        continue
            peak[0] = max(peak[0], found)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        bench("run", *words, "--out", str(folder / "report"), cwd=folder, BENCH_CHECKPOINT_S="0.2")
    finally:
        over.set()
        watcher.join()
    low, high = plan["store_bytes"]
    assert low <= (home / "bench.db").stat().st_size - before <= high
    low, high = plan["checkpoint_bytes"]
    assert low <= peak[0] <= high
    return plan


def test_checkpoints_that_are_kept_are_counted_for_each_job():
    one = Training(config={"dataset": "d", "epochs": 2, "optimizer": "sgd"}, parameters=10**6, classes=2, test_images=5)
    of = {"text": 0, "new_store": False, "known": {}, "at_once": 1}
    running, kept = (disk([one] * 10, kept=kept, **of).checkpoints for kept in (False, True))
    file = checkpoint(one)
    assert running == (file.low, 3 * file.high)
    assert kept == (11 * file.low, pytest.approx(13 * file.high))


@pytest.mark.parametrize(
    ("config", "copies"),
    [({"optimizer": "adam"}, (3, 4)), ({"optimizer": "sgd", "momentum": 0.9}, (2, 3)), ({"optimizer": "sgd"}, (1, 2))],
)
def test_a_checkpoint_holds_the_weights_the_best_ones_and_what_the_optimizer_keeps(config, copies):
    found = checkpoint(Training(config={"epochs": 1, **config}, parameters=10**7, classes=2, test_images=5))
    assert found.low == pytest.approx(copies[0] * 4e7, rel=0.01)
    assert found.high == pytest.approx(copies[1] * 4e7, rel=0.03)


def test_predictions_are_images_by_classes_by_four_bytes_for_two_kinds_of_weights():
    found = predictions(Training(config={"epochs": 1}, parameters=1, classes=20, test_images=10_000))
    assert found.low < 2 * 10_000 * 20 * 4 < found.high < 1.2 * 2 * 10_000 * 20 * 4


def test_sizes_are_rounded_outwards_in_the_unit_of_their_end():
    assert _size(Bytes(159_973, 2_209_498)) == "0.1-2.2 MiB"
    assert _size(Bytes(3_388_000, 324_714_517)) == "3.2-310 MiB"
    assert _size(Bytes(0, 900)) == "< 0.9 KiB"
    assert _size(Bytes(2**40, 5 * 2**40)) == "1-5 TiB"


def test_a_plan_changes_nothing(home):
    before = (home / "bench.db").read_bytes()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, "-m", "cli", "plan", "--all", "--seeds", "2"], env=environment, check=True, capture_output=True
    )
    assert (home / "bench.db").read_bytes() == before
