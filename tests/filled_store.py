"""A store filled through its own methods with made-up results of the built-in suite."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from db.records import Cause, Dataset, EpochRecord, ImageGrid, Predictions, Result, Scores, Weights
from scheduler.planning import make_plan
from scheduler.suite import load_suite

CLASSES = (
    *("apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle"),
    *("bowl", "boy", "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle"),
)
PER_CLASS = 10


def fill(store, *, seeds, failed=(), missing=(), title=None, scope=None, epochs=None, reference=None):
    """Every variant of the suite, done with plausible numbers, but for those that `failed` or are `missing`."""
    suite = load_suite()
    labels = [label for label in suite.variants if label not in missing]
    plan = make_plan(suite, labels, list(seeds), data_dir=Path(), epochs=epochs)
    submission = plan.submission(command="bench run --all")
    changes = {"scope": scope, "reference": reference}
    submission = replace(submission, **{name: value for name, value in changes.items() if value is not None})
    if title:
        named = {label: {**described, "title": title} for label, described in submission.variants.items()}
        submission = replace(submission, variants=named, title=title)
    store.submit(submission, plan.new_jobs())
    store.record_dataset(dataset(), split="0.2/42")
    while claim := store.claim_next("maker", lease_s=3600):
        if claim.label in failed:
            store.fail(claim, Cause.DIVERGED, "the loss of epoch 3 is not finite")
        else:
            finish(store, claim)


def finish(store, claim):
    random = np.random.default_rng(claim.seed * 1000 + len(claim.label))
    level = 0.5 + 0.02 * len(claim.label) / 3 + random.normal(0, 0.01)
    store.start_attempt(claim, log="log")
    history = [epoch(number, level, random) for number in range(1, 6)]
    for record in history:
        store.record_epoch(claim, record)
    labels = np.repeat(np.arange(20), PER_CLASS)
    probabilities = random.dirichlet(np.ones(20), len(labels)).astype(np.float32)
    hits = random.random(len(labels)) < level
    probabilities[np.arange(len(labels)), labels] += hits * 2.0
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    seen = Predictions(labels=labels.astype(np.int64), probabilities=probabilities)
    best, last = (scores(record, seen) for record in (history[3], history[4]))
    store.finish(claim, result(best, last), {Weights.BEST: seen, Weights.LAST: seen})


def epoch(number, level, random):
    return EpochRecord(
        epoch=number,
        train_loss=3.0 - 0.4 * number + random.normal(0, 0.05),
        train_accuracy=0.1 + 0.12 * number,
        val_loss=3.0 - 0.3 * number + random.normal(0, 0.05),
        val_accuracy=level * number / 5,
        learning_rate=0.001,
        train_s=3.0,
        eval_s=0.3,
    )


def scores(record, seen):
    predicted = seen.probabilities.argmax(1)
    table = np.zeros((20, 20), dtype=int)
    np.add.at(table, (seen.labels, predicted), 1)
    return Scores(
        epoch=record.epoch,
        train_loss=record.train_loss,
        train_accuracy=record.train_accuracy,
        val_loss=record.val_loss,
        val_accuracy=record.val_accuracy,
        test_loss=1.5,
        test_accuracy=float((predicted == seen.labels).mean()),
        confusion=tuple(tuple(int(count) for count in row) for row in table),
    )


def result(best, last):
    return Result(
        best=best,
        last=last,
        epochs=5,
        stopped_early=True,
        parameters=546_388,
        flops=12_260_352,
        train_s=15.0,
        eval_s=1.5,
        peak_mib=900.0,
        device="cpu",
        precision="float32",
        fingerprint="f" * 64,
        environment={"host": "here", "git": None, "packages": {"torch": "2.14"}, "threads": 1},
    )


def dataset():
    random = np.random.default_rng(1)
    columns = ("original", "flip", "crop", "flip + crop", "cutout")
    return Dataset(
        name="cifar100-20",
        fingerprint="f" * 64,
        classes=CLASSES,
        train_counts=(400,) * 20,
        val_counts=(100,) * 20,
        test_counts=(100,) * 20,
        samples=grid(random, CLASSES, tuple("12345")),
        augmentation=grid(random, CLASSES[:6], columns),
    )


def grid(random, rows, columns):
    pixels = random.integers(0, 256, (len(rows), len(columns), 32, 32, 3), dtype=np.uint8)
    return ImageGrid(pixels=pixels, rows=rows, columns=columns)
