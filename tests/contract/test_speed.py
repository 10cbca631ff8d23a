"""What keeps ten thousand jobs quick: statements that read an index in its order, and a prompt that comes back."""

import os
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from records import new_job, submission
from sqlalchemy import event

ROOT = Path(__file__).resolve().parents[2]
JOB = new_job(0)
SUITE = """
[suite]
name = "load"
dataset = "digits"
[variants.one]
model = "small_cnn"
epochs = 1
"""


def test_a_claim_reads_the_most_urgent_job_from_an_index_and_sorts_nothing(store):
    store.submit(submission(), [replace(JOB, key=f"{seed:016}", seed=seed) for seed in range(3000)])
    said = []

    @event.listens_for(store._engine, "before_cursor_execute")
    def _note(_connection, _cursor, statement, parameters, _context, _many):
        said.append((statement, parameters))

    assert store.claim_next("w", lease_s=60) is not None
    (update,) = [words for words in said if words[0].startswith("UPDATE jobs")]
    plan = explained(store, update)
    assert "ix_jobs_urgency" in plan
    assert "Sort" not in plan
    assert "TEMP B-TREE" not in plan


def explained(store, words):
    statement, parameters = words
    sqlite = store.dialect == "sqlite"
    with store._writing() as connection:
        if not sqlite:
            connection.exec_driver_sql("ANALYZE jobs")
        explain = "EXPLAIN QUERY PLAN" if sqlite else "EXPLAIN"
        return "\n".join(str(row[-1]) for row in connection.exec_driver_sql(f"{explain} {statement}", parameters))


@pytest.mark.usefixtures("bench_home")
def test_ten_thousand_jobs_are_submitted_while_one_waits(tmp_path):
    (tmp_path / "load.toml").write_text(SUITE)
    command = [sys.executable, "-m", "cli", "submit", "--all", "--suite", str(tmp_path / "load.toml")]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [*command, "--seeds", "10000"], cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=120
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (done.returncode, done.stdout) == (0, "Submission 1: 10000 jobs added.\n")
    # the process's own seconds: those on the wall are also those of whatever else this machine does
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 10
