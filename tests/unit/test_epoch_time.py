"""Epochs guessed from those of other networks: what was measured on an H100 and on a CPU lies in the range."""

import json
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import pytest

from db.records import Measured, MeasuredAttempt
from scheduler.duration import Durations
from scheduler.epoch_time import training_flops
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


# FLOPs of an image and FLOP/s: baseline, both_augmented, advanced and resnet of the built-in suite, alone on two cores
ON_A_CPU = {12.3e6: 70e9, 43.4e6: 103e9, 310.0e6: 132e9, 1295.4e6: 148e9}


def on_a_cpu(image_flops):
    config = ROWS["baseline"].attempt.config | {"model": f"network of {image_flops}"}
    epoch_s = training_flops(image_flops, config) / ON_A_CPU[image_flops]
    return replace(ROWS["baseline"].attempt, device="cpu", config=config, flops=image_flops, epoch_s=epoch_s)


@pytest.mark.parametrize("image_flops", ON_A_CPU)
def test_what_an_epoch_took_on_a_cpu_lies_in_the_guess_from_any_others(image_flops):
    own, others = on_a_cpu(image_flops), [on_a_cpu(other) for other in ON_A_CPU if other != image_flops]
    for number in range(1, len(ON_A_CPU)):
        for chosen in combinations(others, number):
            low, high = Durations(Measured(attempts=chosen)).planned(own.config, own.flops, images=IMAGES).span
            assert low <= own.epoch_s <= high, chosen


def test_a_far_larger_network_is_not_expected_to_reach_far_fewer_flops_on_a_cpu():
    config, small = ROWS["resnet"].attempt.config, on_a_cpu(12.3e6)
    alike = training_flops(24.6e6, config) / 70e9
    known = Durations(Measured(attempts=[small]))
    assert known.planned(config, 24.6e6, images=IMAGES).span == pytest.approx((alike / 3, alike * 1.5))
    alike /= 2
    assert known.planned(config, 12.3e6, images=IMAGES).span == pytest.approx((alike / 3, alike * 3))


def test_the_flops_of_a_finished_job_win_over_what_was_noted_for_one_that_runs():
    done = on_a_cpu(43.4e6)
    runs = replace(done, job_id=99, flops=None, trained_epochs=None)
    noted = {99: 10 * training_flops(43.4e6, done.config)}  # its measured seconds as FLOPs
    other = ROWS["baseline"].attempt
    told, alone = (
        Durations(measured).planned(other.config, 43.4e6, images=IMAGES)
        for measured in (Measured(attempts=[runs, done], train_flops=noted), Measured(attempts=[done]))
    )
    assert told == alone
