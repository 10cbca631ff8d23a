"""Augmentations in a suite file: what is filled in, and what is refused with which words."""

import pytest

from db.errors import ConfigError
from scheduler.config import Config, job_key
from scheduler.suite import load_suite

ONE = "[suite]\nname = 'mine'\ndataset = 'digits'\n[variants.a]\naugmentation = "


def config_of(tmp_path, augmentation):
    path = tmp_path / "mine.toml"
    path.write_text(f"{ONE}{augmentation}\n")
    return load_suite(str(path)).variants["a"].config


def test_what_is_not_given_is_filled_in(tmp_path):
    given = "['random_erasing', 'affine', 'trivial_augment', { name = 'color_jitter', hue = 0.1 }, 'mixup', 'cutmix']"
    assert config_of(tmp_path, given).canonical()["augmentation"] == [
        {"name": "random_erasing", "probability": 0.5, "scale": [0.02, 0.33], "ratio": [0.3, 3.3]},
        {"name": "affine", "degrees": 15.0, "translate": 0.0, "scale": [1.0, 1.0]},
        {"name": "trivial_augment"},
        {"name": "color_jitter", "brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.1},
        {"name": "mixup", "alpha": 1.0},
        {"name": "cutmix", "alpha": 1.0},
    ]


def test_a_stored_config_is_read_back_as_it_was(tmp_path):
    given = config_of(tmp_path, "[{ name = 'random_erasing', ratio = [1, 2] }, { name = 'affine', scale = [1, 2] }]")
    again = Config.parse(given.canonical())
    assert again == given
    assert job_key(again, 1) == job_key(given, 1)


def test_the_order_of_the_list_is_part_of_the_key(tmp_path):
    one, other = config_of(tmp_path, "['flip', 'trivial_augment']"), config_of(tmp_path, "['trivial_augment', 'flip']")
    assert job_key(one, 1) != job_key(other, 1)


@pytest.mark.parametrize(
    ("augmentation", "words", "fix"),
    [
        ("['color_jitter']", "augmentation.1.color_jitter: changes nothing", "brightness, contrast, saturation, hue"),
        ("[{ name = 'color_jitter', hue = 0.6 }]", "color_jitter.hue: ", "at least 0 and at most 0.5"),
        ("[{ name = 'color_jitter', contrast = -1 }]", "color_jitter.contrast: ", "at least 0 and at most 10"),
        ("[{ name = 'random_erasing', scale = [0.5, 0.1] }]", "the first of both is above", "write [0.1, 0.5]"),
        (
            "[{ name = 'random_erasing', scale = [0.5] }]",
            "random_erasing.scale: should be two numbers",
            "[LEAST, MOST]",
        ),
        ("[{ name = 'random_erasing', scale = 0.5 }]", "random_erasing.scale: should be two numbers", "[LEAST, MOST]"),
        ("[{ name = 'random_erasing', scale = [0.5, 2] }]", "scale.2: ", "each of scale takes a number, at least 0"),
        ("[{ name = 'random_erasing', ratio = [0, 2] }]", "ratio.1: ", "a number, above 0 and at most 100"),
        ("[{ name = 'random_erasing', ratio = ['1', 2] }]", "ratio.1: ", "each of ratio takes a number"),
        ("[{ name = 'random_erasing', probability = 0 }]", "probability: ", "above 0 and at most 1"),
        ("[{ name = 'affine', degrees = 181 }]", "affine.degrees: ", "at least 0 and at most 180"),
        ("[{ name = 'affine', translate = 1.5 }]", "affine.translate: ", "at least 0 and at most 1"),
        ("[{ name = 'affine', scale = [2, 1] }]", "affine.scale: the first of both is above", "write [1, 2]"),
        ("[{ name = 'trivial_augment', bins = 3 }]", "trivial_augment.bins: no such field", "choose among name"),
        ("[{ name = 'mixup', alpha = 0 }]", "mixup.alpha: ", "above 0 and at most 100"),
        ("[{ name = 'cutmix', alpha = 101 }]", "cutmix.alpha: ", "above 0 and at most 100"),
        ("[{ probability = 1 }]", "augmentation.1: has no name", "each of augmentation takes one of affine, "),
        ("['flp']", "augmentation.1: no such augmentation (it is 'flp')", "each of augmentation takes one of affine, "),
        ("['mixup', 'flip']", "augmentation: mixup stands before flip", "at the list's end"),
        ("['cutmix', 'mixup', 'crop']", "augmentation: mixup stands before crop", "at the list's end"),
        ("['mixup', 'cutmix', 'mixup']", "augmentation: mixup stands twice", "name it once"),
    ],
    ids=lambda value: None,
)
def test_a_mistake_names_the_place_and_the_mend(tmp_path, augmentation, words, fix):
    with pytest.raises(ConfigError) as raised:
        config_of(tmp_path, augmentation)
    assert "[variants.a] augmentation" in str(raised.value)
    assert words in str(raised.value)
    assert fix in raised.value.fix
