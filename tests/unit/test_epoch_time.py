"""Epochs on a card, guessed from those of other networks: what twelve of them took on an H100 lies in the range."""

import json
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import pytest

from db.records import Measured, MeasuredAttempt
from scheduler.duration import Durations
from scheduler.suite import load_suite

MEASURED = Path(__file__).resolve().parents[2] / "docs/results/cifar100-20_h100_1_seed.json"
IMAGES = 10_000  # of training, validation included


class Row(NamedTuple):
    attempt: MeasuredAttempt
    epoch_s: float


def rows():
    """By variant, of one epoch each: the seconds of a job are those of its epoch."""
    results = {job["variant"]: job["result"] for job in json.loads(MEASURED.read_text())["jobs"]}
    variants = {one.label: one for one in load_suite("report").variants.values()}
    return {label: row(number, variants[label].config, results[label]) for number, label in enumerate(results)}


def row(number, config, result):
    seconds = (result["train_s"] + result["eval_s"]) / result["epochs"]
    attempt = MeasuredAttempt(
        job_id=number,
        config=config.canonical() | {"epochs": 1, "early_stopping_patience": 0},
        device=result["device"],
        host="here",
        device_name=result["environment"]["device_name"],
        epochs=result["epochs"],
        epoch_s=seconds,
        around_s=0.0,
        trained_epochs=1,
        flops=result["flops"],
    )
    return Row(attempt, seconds)


ROWS = rows()


def guessed(variant, others):
    """The seconds of an epoch."""
    own = ROWS[variant].attempt
    known = Durations(Measured(attempts=[ROWS[other].attempt for other in others]))
    return known.planned(own.config, own.flops, images=IMAGES).span


@pytest.mark.parametrize("number", [1, 2, 3, 11])
@pytest.mark.parametrize("variant", ROWS)
def test_what_an_epoch_took_on_a_card_lies_between_the_guesses_from_any_others(variant, number):
    for others in combinations([label for label in ROWS if label != variant], number):
        low, high = guessed(variant, others)
        assert low <= ROWS[variant].epoch_s <= high, others


@pytest.mark.parametrize("variant", [label for label in ROWS if label != "resnet"])
def test_small_steps_that_were_measured_make_a_guess_on_a_card_narrow(variant):
    low, high = guessed(variant, [label for label in ROWS if label != variant])
    assert high < 4 * low


def test_a_batch_that_is_far_larger_than_the_measured_ones_may_be_bound_by_either():
    low, high = guessed("resnet", ["baseline", "dropout", "batchnorm"])
    assert low < 0.3 < 200 < high
    low, high = guessed("resnet", [label for label in ROWS if label != "resnet"])
    assert low < 0.3 < 10 < high < 15
