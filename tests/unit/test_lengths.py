"""Trainings too short for what moves their learning rate: refused where they are planned, not where they are stored."""

import pytest
from own_files import labels, load, pictures, write_npz
from sklearn.model_selection import train_test_split

from db.errors import ConfigError
from scheduler.config import Config
from scheduler.datasets import DIGITS_IMAGES, identify
from scheduler.lengths import batches, check_steps
from scheduler.planning import make_plan, notices
from scheduler.suite import load_suite

CYCLE = {"schedule": "one_cycle", "batch_size": 10, "epochs": 1}


def planned(tmp_path, lines, **how):
    path = tmp_path / "suite.toml"
    path.write_text(f"[suite]\nname = 's'\ndataset = 'digits'\n[variants.a]\n{lines}[variants.b]\n")
    suite = load_suite(str(path))
    return make_plan(suite, how.pop("labels", ["a"]), None, data_dir=tmp_path, **how)


@pytest.mark.parametrize(
    ("images", "share", "fits"),
    [
        (10, 0.3, False),  # a single step
        (20, 0.3, False),
        (20, 0.5, False),  # of two steps one is the lowest rate, and one the first or the highest
        (30, 0.3, False),  # it would begin at its height
        (30, 0.34, True),
        (30, 0.66, True),
        (30, 0.7, False),  # its height would lie between two steps
        (40, 0.3, True),
        (100, 0.1, False),
        (100, 0.9, True),
        (100, 0.91, False),
    ],
)
def test_one_cycle_needs_a_step_for_its_rise_and_one_for_its_fall(images, share, fits):
    config = Config(**CYCLE, one_cycle_warmup=share)
    if fits:
        check_steps(config, images, "a")
        return
    with pytest.raises(ConfigError, match="a schedule: one_cycle grows in") as error:
        check_steps(config, images, "a")
    assert error.value.fix.startswith("raise epochs, or lower batch_size")
    assert ("one_cycle_warmup above" in error.value.fix) == (images > 20)


def test_a_training_that_its_data_make_too_short_is_refused_with_the_variant_that_it_is_of(tmp_path):
    assert planned(tmp_path, "schedule = 'one_cycle'\nepochs = 4\nbatch_size = 2000\n").entries
    with pytest.raises(ConfigError) as error:
        planned(tmp_path, "schedule = 'one_cycle'\nepochs = 2\nbatch_size = 2000\n")
    words = "suite 's': variant a schedule: one_cycle grows in 0.3 of 2 steps and falls in the others: too few for both"
    assert str(error.value) == words
    with pytest.raises(
        ConfigError, match=r"variant a warmup_epochs: a warm-up of 1\.9 epochs takes all of the 4 steps"
    ):
        planned(tmp_path, "warmup_epochs = 1.9\nepochs = 2\nbatch_size = 1000\n")


@pytest.mark.parametrize(("epochs", "words"), [("5", "a warm-up of 5 epochs takes all of the 5 epochs"), ("6", "")])
def test_a_warm_up_as_long_as_its_training_is_refused_where_it_is_planned(epochs, words, tmp_path):
    lines = f"warmup_epochs = 5\nepochs = {epochs}\n"
    if not words:
        assert planned(tmp_path, lines).entries
        return
    with pytest.raises(ConfigError, match=f"suite 's': variant a warmup_epochs: {words}") as error:
        planned(tmp_path, lines)
    assert error.value.fix == "lower warmup_epochs, or raise epochs"
    assert notices(planned(tmp_path, lines, epochs=50)) == []  # enough of them, whatever the suite says


def test_fewer_epochs_by_hand_are_a_trial_which_is_told_and_variants_that_are_not_planned_are_not(tmp_path):
    lines = "warmup_epochs = 3\n"
    assert notices(planned(tmp_path, lines, epochs=4)) == []
    (told,) = notices(planned(tmp_path, lines, epochs=2, labels=["a", "b"]))
    assert told == "suite 's': variant a warmup_epochs: a warm-up of 3 epochs takes all of the 2 epochs."
    assert notices(planned(tmp_path, lines, epochs=2, labels=["b"])) == []


def test_a_stored_config_is_read_whatever_its_length():
    stored = {"warmup_epochs": 9.0, "epochs": 3}
    assert Config.parse(stored).warmup_epochs == 9


@pytest.mark.parametrize(
    "given", [{}, {"x_val": pictures(6, 8, 8, start=2), "y_val": labels(6)}], ids=["made", "given"]
)
@pytest.mark.parametrize("fraction", [0.2, 0.33])
def test_the_images_that_train_are_counted_without_loading_them(given, fraction, tmp_path):
    npz = write_npz(tmp_path / "a.npz", 8, 8, **given)
    identity = identify(f"file:{npz}", tmp_path, validation_fraction=fraction)
    splits = load(npz, tmp_path, image_size=8, validation_fraction=fraction)
    assert identity.training_images(fraction) == len(splits.train.labels)


def test_those_of_a_published_set_are_counted_as_scikit_learn_divides_them(tmp_path):
    for fraction in (0.2, 0.1, 0.37):
        train, _ = train_test_split(range(DIGITS_IMAGES[0]), test_size=fraction)
        assert identify("digits", tmp_path).training_images(fraction) == len(train)


@pytest.mark.parametrize(("images", "number"), [(1, 1), (2, 1), (16, 1), (17, 1), (18, 2), (32, 2), (33, 2), (34, 3)])
def test_a_tail_of_one_image_is_no_batch_of_its_own(images, number):
    assert batches(images, 16) == number
