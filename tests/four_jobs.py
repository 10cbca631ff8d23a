"""A store with four jobs of the built-in suite that went different ways, each told through the store's own methods.

1 `baseline` was preempted after two epochs and is done by its second attempt, on a processor; 2 `batchnorm` is done, on
a card and with another revision; 3 `both` failed in its code; 4 `dropout` waits.
"""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
from filled_store import FINGERPRINT, SPLIT, dataset, epoch, predictions, result, scores

from db import open_store
from db.records import Artifact, Cause, Weights
from scheduler.planning import make_plan
from scheduler.suite import load_suite

LABELS = ("baseline", "batchnorm", "both", "dropout")
KEPT = Artifact(kind="checkpoint", url="s3://bucket/a/rather/long/name/of/a.safetensors", sha256="ab" * 32, bytes=2048)
MACHINE = {
    "git": {"revision": "1" * 40, "dirty": False},
    "packages": {"torch": "2.14", "numpy": "2.4"},
    "python": "3.11.9",
    "device_name": "AMD EPYC 7B13 64-Core Processor",
}
OTHER = MACHINE | {
    "git": {"revision": "2" * 40, "dirty": True},
    "packages": {"torch": "2.15", "numpy": "2.4"},
    "instruction_set": "AVX2",  # which results of earlier versions lack
}
TRACEBACK = (
    'Traceback (most recent call last):\n  File "a.py", line 3, in step\n    raise ValueError("bad")\nValueError: bad\n'
)


def make(folder):
    """The store in a home at `folder`; logs lie in `folder/logs`."""
    folder.mkdir(exist_ok=True)
    with closing(open_store(url(folder), create=True)) as store:
        plan = make_plan(load_suite(), LABELS, [42], data_dir=Path())
        store.submit(plan.submission(), plan.new_jobs())
        store.record_dataset(dataset(), split=SPLIT)
        _preempted(store, _begun(store, folder))
        _done(store, _begun(store, folder), 1, environment=MACHINE, kept=[KEPT], start=2)
        _done(store, _begun(store, folder), 2, environment=OTHER, device="cuda")
        store.fail(_begun(store, folder), Cause.CODE, "ValueError: bad", traceback=TRACEBACK)


def url(folder):
    return f"sqlite:///{folder / 'bench.db'}"


def _begun(store, folder):
    claim = store.claim_next("host:17:c0ffee/18", lease_s=3600)
    store.note_log(claim, str(folder / "logs" / f"job-{claim.job_id}-attempt-{claim.attempt}.log"))
    return claim


def _history(number, last, first=1):
    random = np.random.default_rng(number)
    return [epoch(n, number, random) for n in range(1, last + 1)][first - 1 :]


def _preempted(store, claim):
    store.start_attempt(claim)
    for record in _history(1, 2):
        store.record_epoch(claim, record)
    store.fail(claim, Cause.PREEMPTED, "its worker was stopped")


def _done(store, claim, number, *, start=0, device="cpu", environment, kept=()):
    random = np.random.default_rng(number)
    history = _history(number, 5)
    store.start_attempt(claim, reached=history[:start])
    for record in history[start:]:
        store.record_epoch(claim, record)
    seen = {weights: predictions(0.4 + 0.2 * number, random) for weights in Weights}
    best, last = (scores(record, seen[weights], random) for record, weights in zip(history[-2:], Weights, strict=True))
    made = replace(result(best, last, number, random, FINGERPRINT), device=device, environment=environment)
    store.finish(claim, made, seen, kept=kept)
