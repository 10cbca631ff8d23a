"""A job, an attempt that was measured and a worker, for tests of how long jobs take."""

from dataclasses import replace
from datetime import UTC, datetime

from db.records import Job, JobState, MeasuredAttempt, Worker
from scheduler.config import Config

NOW = datetime(2026, 11, 24, tzinfo=UTC)
CONFIG = Config.parse({"dataset": "digits", "epochs": 40, "early_stopping_patience": 0}).canonical()
SMALL, LARGE = 12e6, 120e6  # FLOPs of one image
JOB = Job(
    id=1,
    key="k",
    label="baseline",
    seed=42,
    config=CONFIG,
    fingerprint=None,
    state=JobState.QUEUED,
    priority=0,
    attempt=0,
    epoch=0,
    epochs=40,
    val_accuracy=None,
    epoch_s=None,
    cause=None,
    message="",
    owner=None,
    cancel_requested=False,
    created_at=NOW,
    started_at=None,
    finished_at=None,
)
ATTEMPT = MeasuredAttempt(
    job_id=9,
    config=CONFIG,
    device="cpu",
    host="here",
    device_name="Xeon",
    epochs=40,
    epoch_s=2.0,
    around_s=5.0,
    trained_epochs=40,
    flops=SMALL,
)
WORKER = Worker(id="w", host="here", pid=6, slots=2, device="cpu", started_at=NOW, seen_at=NOW)


def config(**fields):
    return {**CONFIG, **fields}


def job(job_id=1, **fields):
    changed = replace(JOB, id=job_id, **fields)
    return replace(changed, epochs=changed.config["epochs"])
