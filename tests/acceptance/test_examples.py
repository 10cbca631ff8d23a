"""The examples, and the page to begin with, run as they say, line by line in a shell, in a folder of their own."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path

import documented
import pytest
from servers import postgres_database, postgres_server, valkey_server

from db import open_store
from db.records import JobState
from scheduler.suite import load_suite

EXAMPLES = documented.ROOT / "examples"


@pytest.fixture
def shell(tmp_path):
    """Runs lines in bash in a copy of the example's folder, with `bench` and `python` of this environment."""

    def run(name, lines, *, code=0, **environment):
        folder = tmp_path / name
        if not folder.exists():
            shutil.copytree(EXAMPLES / name, folder)
        home = {"BENCH_HOME": str(folder / ".bench"), "BENCH_DATA_DIR": str(tmp_path / "data")}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        variables = {**os.environ, "PATH": path, "PYTHONPATH": str(documented.ROOT), **home, **environment}
        done = subprocess.run(
            ["bash", "-c", lines], cwd=folder, env=variables, capture_output=True, text=True, timeout=280
        )
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return folder, done

    return run


def report_of(folder):
    return json.loads((folder / "report.json").read_text())


def test_the_networks_of_a_course_are_compared(shell):
    folder, done = shell("course", documented.script(EXAMPLES / "course/README.md"))
    assert "nets.py:LeNet" in done.stdout or "LeNet" in done.stdout
    claims = report_of(folder / "course-report")["tables"]["claims"]
    verdicts = {row["claim"]: row["verdict"] for row in claims}
    assert verdicts["lenet > perceptron"] != "contradicted"


def test_images_of_ones_own_are_trained_on(shell):
    folder, _ = shell("image_folder", documented.script(EXAMPLES / "image_folder/README.md"))
    found = report_of(folder / "shapes-report")
    assert {row["n"] for row in found["tables"]["comparison"]} == {2}
    assert "no test part" in " ".join(found["notices"])


def test_two_hosts_share_a_queue_and_one_report_has_what_both_trained(shell, tmp_path):
    lines = documented.script(EXAMPLES / "two_hosts/README.md").splitlines()
    before, after = (
        [line for line in lines if "worker" not in line and ("report" in line or "status" in line) == late]
        for late in (False, True)
    )
    with ExitStack() as servers:
        url = servers.enter_context(postgres_database(servers.enter_context(postgres_server())))
        broker = servers.enter_context(valkey_server())
        shared = {
            "BENCH_DATABASE_URL": url,
            "BENCH_BROKER_URL": broker,
            "BENCH_ARTIFACTS_URL": f"file://{tmp_path}/shared",
        }
        shell("two_hosts", "\n".join(before), **shared)
        both = (
            "BENCH_HOME=$PWD/a bench worker --drain --slots 1 & BENCH_HOME=$PWD/b bench worker --drain --slots 1; wait"
        )
        shell("two_hosts", both, **shared)
        folder, _ = shell("two_hosts", "\n".join(["set -e", *after]), **shared)
        with closing(open_store(url)) as store:
            jobs = store.jobs()
    assert [job.state for job in jobs] == [JobState.DONE] * 6
    assert all(list((folder / host / "logs").glob("job-*")) for host in "ab")
    assert len(report_of(folder / "two-hosts-report")["jobs"]) == 6


def test_the_gate_of_a_pipeline_opens_and_closes(shell):
    folder, _ = shell("ci_gate", "./gate.sh && cp gate-report/report.json kept.json && ./gate.sh kept.json")
    suite = folder / "suite.toml"
    suite.write_text(suite.read_text().replace('"candidate = main within 0.3",', '"candidate > main by 0.5",'))
    _, done = shell("ci_gate", "./gate.sh", code=1)
    assert "contradicted" in done.stdout + done.stderr


def test_the_sweep_of_the_course_does_not_train_its_base_twice():
    suite = load_suite(str(EXAMPLES / "course/suite.toml"))
    assert suite.variants["lenet"].config == suite.variants["width=6"].config


def test_somebody_gets_from_nothing_to_a_report_by_the_lines_of_the_page(shell, tmp_path):
    page = documented.ROOT / "docs/getting_started.md"
    parts = ("1. Install", "2. Your network and your images", "3. Compare")
    _, begun, compared = (lines := [documented.script(page, only=part) for part in parts])
    assert sum(len(part.splitlines()) - 1 for part in lines) < 10
    (tmp_path / "bench").symlink_to(documented.ROOT)
    (tmp_path / "started").mkdir()
    net = page.read_text().partition("```python nets.py\n")[2].partition("```")[0]
    shell("started", f"cd ..\n{begun}cat >nets.py <<'END'\n{net}END\n")
    _, done = shell("started", f"cd ../comparison\n{compared}")
    rows = report_of(tmp_path / "comparison/report")["tables"]["comparison"]
    assert {row["variant"]: row["n"] for row in rows} == {"MyNet": 3, "baseline": 3}
    assert "MyNet" in done.stdout
