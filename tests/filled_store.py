"""A store filled through its own methods with made-up results of the built-in suite, no two fields of them alike."""

from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from anova import interval_by_anova

from db import open_store
from db.records import Cause, Dataset, EpochRecord, ImageGrid, Predictions, Result, Scores, Weights
from report.statistics import wilson
from scheduler.planning import make_plan
from scheduler.suite import load_suite

CLASSES = (
    *("apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle"),
    *("bowl", "boy", "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle"),
)
FINGERPRINT = "f" * 64
SPLIT = "0.2/42"


def fill(store, *, seeds, failed=(), missing=(), waiting=(), title=None, classes=CLASSES, **changes):
    """Every variant of the suite, done but for those that are `missing`, `failed`, or left `waiting`.

    `failed` names labels or (label, seed) pairs. `changes` are fields of the submission, or `epochs`, `precision`,
    `device`, `fingerprint`, `only`: the labels to submit, `levels`: how much of the test set a label gets right, and
    `environment`: what that of each result holds beside the usual.
    """
    suite, levels = load_suite(), changes.pop("levels", {})
    only, fingerprint = changes.pop("only", suite.variants), changes.pop("fingerprint", FINGERPRINT)
    device, asked = changes.pop("device", "cpu"), {name: changes.pop(name, None) for name in ("epochs", "precision")}
    environment = changes.pop("environment", {})
    labels = [label for label in suite.variants if label in only and label not in missing]
    plan = make_plan(suite, labels, list(seeds), data_dir=Path(), **asked)
    submission = replace(plan.submission(command="bench run --all"), **changes)
    if title:
        named = {label: {**described, "title": title} for label, described in submission.variants.items()}
        submission = replace(submission, variants=named, title=title)
    submission_id, _ = store.submit(submission, plan.new_jobs())
    store.record_dataset(dataset(classes, fingerprint), split=SPLIT)
    for _ in range(len(plan.distinct())):
        claim = store.claim_next("maker", lease_s=3600)
        if claim is None or claim.label in waiting:
            break
        if claim.label in failed or (claim.label, claim.seed) in failed:
            store.fail(claim, Cause.DIVERGED, f"the loss of epoch 3 is not finite (seed {claim.seed})")
        else:
            number = list(suite.variants).index(claim.label)
            level = levels.get(claim.label, 0.4 + 0.03 * number)
            how = {"fingerprint": fingerprint, "device": device, "environment": environment}
            finish(store, claim, number=number, level=level, **how)
    return submission_id


def layout_with_figures(number):
    """The built-in suite's, with so many of its figures: to draw all of them takes seconds."""
    suite = load_suite()
    return {"sweeps": suite.sweeps, "tables": suite.tables, "figures": suite.figures[:number]}


def finish(store, claim, *, number=0, level=0.4, fingerprint=FINGERPRINT, device="cpu", environment=None):
    """A history of 4 to 6 epochs, its last but one the best, and the result; `number` is the variant's."""
    random = np.random.default_rng([claim.seed, number])
    store.note_log(claim, "log")
    store.start_attempt(claim)
    history = [epoch(n, number, random) for n in range(1, min(4 + claim.seed % 3, claim.config["epochs"]) + 1)]
    for record in history:
        store.record_epoch(claim, record)
    seen = {weights: predictions(level + more, random) for weights, more in ((Weights.BEST, 0.05), (Weights.LAST, 0.0))}
    best = scores(history[-2], seen[Weights.BEST], random)
    last = scores(history[-1], seen[Weights.LAST], random)
    made = result(best, last, number, random, fingerprint)
    energy_j = 70.0 * made.train_s if device == "cuda" else None  # only a card counts it
    made = replace(made, device=device, precision=claim.config["precision"], energy_j=energy_j)
    made = replace(made, environment={**made.environment, **(environment or {})})
    store.finish(claim, made, seen)


def epoch(number, variant, random):
    """Losses fall, accuracies rise, training ahead of validation; each value is its own."""
    noise = random.normal(0, 0.03, 4)
    return EpochRecord(
        epoch=number,
        train_loss=3.0 - 0.4 * number - 0.05 * variant + noise[0],
        train_accuracy=0.1 + 0.12 * number + 0.01 * variant + noise[1] / 3,
        val_loss=3.1 - 0.3 * number - 0.04 * variant + noise[2],
        val_accuracy=0.08 + 0.1 * number + 0.009 * variant + noise[3] / 3,
        learning_rate=0.001 / number,
        train_s=3.0 + random.random(),
        eval_s=0.3 + random.random() / 10,
    )


def predictions(level, random):
    """Of a test set whose classes differ in size; about `level` of them right, what is wrong is no one's mirror."""
    labels = np.repeat(np.arange(20), [10 + number % 4 for number in range(20)])
    probabilities = random.dirichlet(np.ones(20), len(labels)).astype(np.float32)
    hits = random.random(len(labels)) < level
    probabilities[np.arange(len(labels)), labels] += hits * 2.0
    probabilities[np.arange(len(labels)), (labels + 3) % 20] += ~hits * 0.5
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return Predictions(labels=labels.astype(np.int64), probabilities=probabilities)


def scores(record, seen, random):
    predicted = seen.probabilities.argmax(1)
    table = np.zeros((20, 20), dtype=int)
    np.add.at(table, (seen.labels, predicted), 1)
    return Scores(
        epoch=record.epoch,
        train_loss=record.train_loss,
        train_accuracy=record.train_accuracy,
        val_loss=record.val_loss,
        val_accuracy=record.val_accuracy,
        test_loss=1.2 + random.random(),
        test_accuracy=float((predicted == seen.labels).mean()),
        confusion=tuple(tuple(int(count) for count in row) for row in table),
    )


def result(best, last, number, random, fingerprint):
    return Result(
        best=best,
        last=last,
        epochs=last.epoch,
        stopped_early=True,
        parameters=round(500_000 * 1.2**number) + number,
        flops=12_260_352 + 1_000_000 * number,
        train_s=3.5 * last.epoch + 2 * random.random(),
        eval_s=0.35 * last.epoch + random.random() / 5,
        peak_mib=900.0 + 100 * random.random() + 10 * number,
        device="cpu",
        precision="float32",
        fingerprint=fingerprint,
        environment={
            "host": "here",
            "git": None,
            "packages": {"torch": "2.14"},
            "threads": 1,
            "instruction_set": "AVX2",
        },
    )


def dataset(classes=CLASSES, fingerprint=FINGERPRINT, **changes):
    random = np.random.default_rng(1)
    columns = ("original", "flip", "crop", "flip + crop", "cutout")
    known = Dataset(
        name="cifar100-20",
        fingerprint=fingerprint,
        classes=classes,
        train_counts=tuple(400 + 5 * number for number in range(len(classes))),
        val_counts=tuple(100 + 3 * number for number in range(len(classes))),
        test_counts=tuple(10 + number % 4 for number in range(len(classes))),
        samples=grid(random, classes, tuple("12345")),
        augmentation=grid(random, classes[:6], columns),
    )
    return replace(known, **changes)


def grid(random, rows, columns):
    pixels = random.integers(0, 256, (len(rows), len(columns), 32, 32, 3), dtype=np.uint8)
    return ImageGrid(pixels=pixels, rows=rows, columns=columns)


@contextmanager
def filled(folder, **how):
    """An opened store in a SQLite file of `folder`, filled as `fill` says."""
    store = open_store(f"sqlite:///{folder / 'bench.db'}", create=True)
    try:
        fill(store, **how)
        yield store
    finally:
        store.close()


# three seeds, of which some failed, and variants that nobody submitted; or one seed and everything done
CASES = {
    "gaps": {
        "seeds": (42, 43, 44),
        "failed": ("resnet", "hidden_units=64", ("dropout", 43)),
        "missing": ("advanced", "conv_depths=128x256"),
    },
    "one seed": {"seeds": (42,)},
}


def results_of(store, label):
    """The results of the config that the built-in suite gives this label, by seed, straight from the store."""
    config = load_suite().variants[label].config.canonical()
    jobs = sorted((job for job in store.jobs() if job.config == config), key=lambda job: job.seed)
    found = store.results([job.id for job in jobs])
    return [found[job.id] for job in jobs if job.id in found]


def histories_of(store, label):
    """The histories behind `results_of`."""
    config = load_suite().variants[label].config.canonical()
    jobs = [job.id for job in store.jobs() if job.config == config]
    done = store.results(jobs)
    return [history for job_id, history in store.histories(jobs).items() if job_id in done]


def hits_of(store, label):
    """(seeds, images) behind `results_of`: which test images the best weights got right."""
    config = load_suite().variants[label].config.canonical()
    jobs = sorted((job for job in store.jobs() if job.config == config), key=lambda job: job.seed)
    done = store.results([job.id for job in jobs])
    found = [store.predictions(job.id, Weights.BEST) for job in jobs if job.id in done]
    return np.array([one.probabilities.argmax(1) == one.labels for one in found])


def accuracy_interval_of(store, label):
    """The 95 % interval of a label's test accuracy: of one seed Wilson's, of several by an analysis of variance."""
    hits = hits_of(store, label)
    if not len(hits):
        return None
    if len(hits) == 1:
        return wilson(int(hits.sum()), hits.size)
    low, high = interval_by_anova(hits)
    return max(low, 0), min(high, 1)
