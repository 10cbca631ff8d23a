"""Small plausible records for tests."""

import numpy as np

from db.records import EpochRecord, NewJob, NewSubmission, Predictions, Result, Scores, Weights
from scheduler.config import Config, job_key

EPOCH = EpochRecord(
    epoch=1,
    train_loss=2.0,
    train_accuracy=0.25,
    val_loss=1.75,
    val_accuracy=0.3,
    learning_rate=0.001,
    train_s=1.5,
    eval_s=0.5,
)


def submission(**changes):
    values = {"suite": "s", "title": "t", "text": "", "scope": "a", "dataset": "digits", "overrides": {}}
    values |= {"variants": {}, "layout": {}, "reference": {}}
    return NewSubmission(**(values | changes))


def new_job(seed, label="baseline", **fields):
    config = Config.parse(fields)
    return NewJob(key=job_key(config, seed), label=label, seed=seed, config=config.canonical())


def scores(test_accuracy):
    return Scores(
        epoch=1,
        train_loss=2.0,
        train_accuracy=0.25,
        val_loss=1.75,
        val_accuracy=0.3,
        test_loss=1.5,
        test_accuracy=test_accuracy,
        confusion=((1, 0), (1, 1)),
    )


def result(test_accuracy=0.5):
    return Result(
        best=scores(test_accuracy),
        last=scores(test_accuracy),
        epochs=1,
        stopped_early=False,
        parameters=546_388,
        flops=12_260_352,
        train_s=1.5,
        eval_s=0.5,
        peak_mib=100.0,
        device="cpu",
        precision="float32",
        fingerprint="f" * 64,
        environment={"host": "here"},
    )


def predictions():
    seen = Predictions(
        labels=np.array([0, 1, 1], dtype=np.int64),
        probabilities=np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]], dtype=np.float32),
    )
    return {Weights.BEST: seen, Weights.LAST: seen}
