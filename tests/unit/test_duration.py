"""How long jobs take: what is measured beats what is guessed, and ranges hold what made-up jobs really took."""

from dataclasses import replace

import numpy as np
import pytest
from timed import ATTEMPT, CONFIG, JOB, LARGE, SMALL, WORKER, config, job

from db.records import JobState, Measured
from scheduler.duration import Durations, makespan
from scheduler.epoch_time import Source, Span, training_flops


def running(epoch, **fields):
    return job(state=JobState.RUNNING, epoch=epoch, **fields)


def durations(*attempts, workers=(WORKER,), **known):
    return Durations(Measured(attempts=attempts, **known), workers)


def span(found):
    return found.span if found else None


def test_nothing_is_told_without_a_history():
    unknown = durations()
    assert unknown.left(JOB) is None
    assert unknown.planned(CONFIG, SMALL, images=1437) is None
    assert unknown.all_left([JOB, job(2)]).span is None
    assert unknown.all_left([JOB, job(2)]).unknown == 2


def test_what_is_known_is_told_without_the_jobs_of_which_nothing_is():
    left = durations(ATTEMPT).all_left([JOB, job(2, config=config(model="resnet"))])
    assert (left.span, left.unknown) == (durations(ATTEMPT).left(JOB).span, 1)
    assert left.whole is None
    assert durations(ATTEMPT).all_left([JOB]).whole == left.span


def test_nothing_is_left_of_a_job_that_has_ended():
    assert span(durations().left(job(state=JobState.DONE))) == (0, 0)
    assert durations().all_left([job(state=JobState.FAILED)]).span == (0, 0)


def test_a_jobs_own_last_epochs_win_over_what_others_took():
    found = durations(ATTEMPT, recent={1: [9.0, 10.0, 11.0]}).left(running(39))
    assert found.source is Source.OWN
    assert (found.span.low, found.span.high) == (0, pytest.approx(10.8 * 1.15 + 5))
    found = durations(ATTEMPT, recent={1: [9.0, 10.0, 11.0]}).left(running(10))
    assert 29 * 7 < found.span.low < 29 * 9 < 30 * 11 < found.span.high < 30 * 14


def test_measured_epochs_beat_a_guess_from_flops():
    found = durations(ATTEMPT, train_flops={1: 1e18}).left(JOB)
    assert found.source is Source.MEASURED
    assert 40 < found.span.low < 40 * 2 + 5 < found.span.high < 160


@pytest.mark.parametrize(
    "field",
    [{"learning_rate": 0.1}, {"schedule": "constant"}, {"epochs": 3}, {"warmup_epochs": 2.0}, {"train_budget_s": 9.0}],
    ids=str,
)
def test_epochs_of_another_config_with_the_same_work_count_as_measured(field):
    assert durations(ATTEMPT).left(job(config=config(**field))).source is Source.MEASURED


@pytest.mark.parametrize(
    "field",
    [
        *({"batch_size": 64}, {"dataset": "cifar10"}, {"model": "resnet"}, {"image_size": 64}, {"channels": 1}),
        *({"augmentation": [{"name": "mixup", "alpha": 1.0}]}, {"code": "0" * 64}, {"test_fraction": 0.5}),
    ],
    ids=str,
)
def test_epochs_of_other_work_give_a_wider_guess_from_flops(field):
    other = config(**field)
    assert durations(ATTEMPT).left(job(config=other)) is None
    found = durations(ATTEMPT, train_flops={1: training_flops(SMALL, other)}).left(job(config=other))
    assert found.source is Source.FLOPS
    assert found.span.high > 7 * found.span.low > 0
    assert found == durations(ATTEMPT).planned(other, SMALL, images={"cifar10": 50_000}.get(other["dataset"], 1437))


def test_epochs_of_one_precision_tell_nothing_of_another():
    shortened = config(precision="bfloat16")
    assert durations(ATTEMPT).planned(shortened, SMALL, images=1437) is None
    quick = replace(ATTEMPT, job_id=10, config=shortened, epoch_s=0.2)
    found = durations(ATTEMPT, quick).planned({**shortened, "batch_size": 64}, SMALL, images=1437)
    assert found.source is Source.FLOPS
    assert found == durations(quick).planned({**shortened, "batch_size": 64}, SMALL, images=1437)
    of_both, of_one = (
        known.equal_flops(CONFIG, SMALL, device="cpu", host="here")
        for known in (durations(ATTEMPT, quick), durations(ATTEMPT))
    )
    assert of_both == of_one


def test_a_guess_goes_by_flops_images_and_epochs():
    own = durations(ATTEMPT)
    one = own.planned(config(batch_size=64), SMALL, images=1437)
    ten = own.planned(config(batch_size=64), LARGE, images=1437)
    assert (ten.span.low - 5) == pytest.approx(10 * (one.span.low - 5))
    twice = own.planned(config(batch_size=64, epochs=80), SMALL, images=1437)
    assert (twice.span.high - 5) == pytest.approx(2 * (one.span.high - 5))
    assert one.span.low < 40 * 2 + 5 < one.span.high  # the same FLOPs as what took 2 s


def test_a_folder_whose_size_was_not_known_to_who_counted_gives_no_guess():
    pets = config(dataset="folder:/pets")
    assert durations(ATTEMPT, train_flops={1: training_flops(SMALL, pets)}).left(job(config=pets)) is None
    assert durations(ATTEMPT).planned(pets, SMALL, images=300).source is Source.FLOPS


def test_a_job_that_runs_gives_the_rate_before_any_is_done():
    first = replace(ATTEMPT, job_id=2, trained_epochs=None, flops=None, around_s=None, device_name=None)
    other = config(model="resnet")
    counted = {1: training_flops(LARGE, other), 2: training_flops(SMALL, CONFIG)}
    assert durations(first, train_flops=counted).left(job(config=other)).source is Source.FLOPS


def test_hosts_with_the_same_processor_are_one_machine():
    twin = replace(ATTEMPT, host="there", config=config(model="resnet"), epoch_s=30.0)
    there = replace(WORKER, host="there")
    narrow, wide = (durations(ATTEMPT, twin, workers=[one]).left(JOB).span for one in (there, replace(there, host="x")))
    assert narrow == durations(ATTEMPT, workers=[WORKER]).left(JOB).span
    assert wide.low < narrow.low
    assert wide.high > narrow.high


def test_another_kind_of_device_tells_nothing():
    assert durations(ATTEMPT, workers=[replace(WORKER, device="cuda")]).left(JOB) is None
    assert durations(ATTEMPT, workers=[WORKER, replace(WORKER, device="cuda")]).left(JOB) is None


def test_where_machines_differ_the_range_holds_both():
    quick = replace(ATTEMPT, device="cuda", device_name="H100", epoch_s=0.1)
    found = durations(ATTEMPT, quick, workers=[WORKER, replace(WORKER, device="cuda")]).left(JOB).span
    assert found.low < 40 * 0.1 + 5 < 40 * 2 + 5 < found.high


def test_without_a_worker_the_machine_that_worked_last_counts():
    assert durations(ATTEMPT, replace(ATTEMPT, epoch_s=50.0, device="cuda"), workers=[]).left(JOB).span.high < 200


@pytest.mark.parametrize(
    ("ended", "low", "high"),
    [
        *(([], 11, 40), ([20], 11, 40), ([26], 13, 40), ([18, 16], 11, 27), ([12, 20, 15], 11, 27)),
        *(([20, 22, 24, 23], 16, 30), ([20, 22, 24, 23, 21], 16, 29), ([40] * 5, 33, 40)),
    ],
    ids=str,
)
def test_early_stopping_may_end_a_job_sooner(ended, low, high):
    patient = config(early_stopping_patience=10)
    seeds = [replace(ATTEMPT, config=patient, trained_epochs=number, around_s=None) for number in ended]
    found = durations(ATTEMPT, *seeds).left(job(config=patient)).span
    epoch = 1.3 if len(ended) < 2 else 1.15
    assert found.low == pytest.approx(low * 2 / epoch + 5)
    assert found.high == pytest.approx(high * 2 * epoch + 5)


def test_a_job_that_may_stop_at_its_next_epoch_may_have_nothing_left():
    patient = config(early_stopping_patience=10)
    assert durations(recent={1: [2.0]}).left(running(30, config=patient)).span.low == 0


def test_a_job_that_came_back_may_go_on_or_begin_again():
    found = durations(replace(ATTEMPT, around_s=0.0)).left(job(epoch=30)).span
    assert found.low < 10 * 2
    assert found.high > 40 * 2


def test_ranges_hold_what_made_up_jobs_took():
    draw = np.random.default_rng(1)
    held = 0
    for _ in range(300):
        network_s = draw.uniform(0.5, 30)
        took = [network_s * draw.uniform(0.9, 1.15) for _ in range(5)]
        stops = [int(draw.integers(15, 41)) for _ in range(5)]
        patient = config(early_stopping_patience=10)
        seeds = [
            replace(ATTEMPT, config=patient, epoch_s=one, trained_epochs=number, around_s=draw.uniform(4, 6))
            for one, number in zip(took[1:], stops[1:], strict=True)
        ]
        low, high = durations(*seeds).left(job(config=patient)).span
        held += low <= took[0] * stops[0] + 5 <= high
        assert high < 6 * low
    assert held >= 285


@pytest.mark.parametrize(
    ("seconds", "slots", "end"),
    [
        ([], 2, 0),
        ([5], 4, 5),
        ([4, 3, 2, 1], 1, 10),
        ([4, 3, 2, 1], 2, 5),
        ([9, 1, 1, 1], 2, 9),
        ([3, 3, 2, 2, 2], 2, 7),
    ],
    ids=str,
)
def test_each_job_goes_to_the_slot_that_is_free_first(seconds, slots, end):
    assert makespan(seconds, slots) == end


def test_running_jobs_come_first_then_priority_then_the_longest():
    own = durations(ATTEMPT, recent={1: [10.0] * 5})
    short, long = config(epochs=10), config(epochs=30)
    urgent = job(4, config=short, priority=1)
    waiting = [job(2, config=short), job(3, config=long), urgent]
    turns = [(one.config, own.left(one)) for one in (running(20), urgent, job(3, config=long), job(2, config=short))]
    assert own.all_left([*waiting, running(20)]) == own.scheduled(turns)


def test_without_a_worker_one_slot_is_assumed():
    left = durations(ATTEMPT, workers=[]).all_left([JOB, job(2)])
    alone = durations(ATTEMPT, workers=[]).left(JOB).span
    assert left.slots == 0
    assert left.span == pytest.approx(Span(2 * alone.low, 2 * alone.high))


def test_more_slots_take_less_time():
    jobs = [job(number) for number in range(8)]
    four = durations(ATTEMPT, workers=[WORKER, replace(WORKER, id="v")]).all_left(jobs)
    two = durations(ATTEMPT, workers=[WORKER]).all_left(jobs)
    assert (four.slots, two.slots) == (4, 2)
    assert two.span == pytest.approx(Span(2 * four.span.low, 2 * four.span.high))


def test_what_is_measured_changes_the_order_that_flops_give():
    slow = replace(ATTEMPT, config=config(model="resnet"), epoch_s=20.0, flops=SMALL)
    own = durations(slow, ATTEMPT)
    ordered = {
        name: own.equal_flops(config(model=name), SMALL, device="cpu", host="here")
        for name in ("resnet", "small_cnn", "advanced_cnn")
    }
    assert ordered["resnet"] == pytest.approx(10 * ordered["small_cnn"])
    assert ordered["advanced_cnn"] == training_flops(SMALL, config(model="advanced_cnn"))


def test_flops_are_the_order_on_a_machine_that_has_trained_nothing():
    counted = durations(ATTEMPT).equal_flops(CONFIG, SMALL, device="cuda", host="here")
    assert counted == training_flops(SMALL, CONFIG) == pytest.approx(SMALL * 1437 * (3 * 0.8 + 0.2) * 40)
