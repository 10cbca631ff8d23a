"""Pictures of other sizes, and grey ones: suites, networks, augmentation, training, and what a report shows."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from own_files import load, write_npz
from small_trainings import SMALL, assert_same, assert_same_tensors, numbers, of_size, run
from suite_files import HEAD, suite
from torchvision.transforms.v2 import functional as reference

from db._pictures import pack_grid, unpack_grid
from db.errors import ConfigError
from db.splits import split_name
from models import MODEL_NAMES, build_model, describe
from models._narrow import NarrowConvolution
from scheduler.augmentations import Crop, Cutout, Flip
from scheduler.config import Config, job_key, network_key, picture_of
from scheduler.planning import make_plan
from worker.admission import expectations
from worker.augmentation import apply, draw
from worker.dataset_record import augmentations, dataset_record
from worker.datasets import load_splits
from worker.engine import Stopped
from worker.splits import Part, Splits


def test_a_suite_sets_size_and_channels_for_every_variant(tmp_path):
    found = suite(
        tmp_path,
        HEAD + "image_size = 28\nchannels = 1\ntest_fraction = 0.3\n[variants.a]\n[variants.b]\nmodel = 'resnet'\n",
    )
    fields = [(one.config.image_size, one.config.channels, one.config.test_fraction) for one in found.variants.values()]
    assert fields == [(28, 1, 0.3)] * 2
    assert picture_of(found.variants["a"].config.canonical()) == {"side": 28, "channels": 1}


def test_the_usual_size_leaves_configs_keys_and_scopes_as_they_were(tmp_path):
    plain, same = (
        suite(tmp_path, HEAD + "[variants.a]\n"),
        suite(tmp_path, HEAD + "image_size = 32\nchannels = 3\ntest_fraction = 0.2\n[variants.a]\n"),
    )
    config = plain.variants["a"].config
    assert config == same.variants["a"].config
    assert {"image_size", "channels", "test_fraction"}.isdisjoint(config.canonical())
    plans = [make_plan(one, ["a"], [1], data_dir=tmp_path) for one in (plain, same)]
    assert plans[0].scope == plans[1].scope


@pytest.mark.parametrize("line", ["image_size = 64", "channels = 1", "test_fraction = 0.1"])
def test_another_size_is_another_job_and_another_report(line, tmp_path):
    plain, other = suite(tmp_path, HEAD + "[variants.a]\n"), suite(tmp_path, HEAD + f"{line}\n[variants.a]\n")
    plans = [make_plan(one, ["a"], [1], data_dir=tmp_path) for one in (plain, other)]
    assert plans[0].scope != plans[1].scope
    assert plans[0].entries[0].key != plans[1].entries[0].key
    assert job_key(other.variants["a"].config, 1) == plans[1].entries[0].key


DEEP = "[variants.deep]\narguments = { conv_depths = [4, 4, 4, 4] }\n"
MISTAKES = {
    "too small": ("image_size = 4\n[variants.a]\n", "[suite] image_size:", "at least 8 and at most 512"),
    "too large": ("image_size = 513\n[variants.a]\n", "[suite] image_size:", "at least 8 and at most 512"),
    "text": ("image_size = '28'\n[variants.a]\n", "[suite] image_size:", "a whole number"),
    "channels": ("channels = 2\n[variants.a]\n", "[suite] channels:", "one of 3, 1"),
    "a fraction": ("test_fraction = 1.0\n[variants.a]\n", "[suite] test_fraction:", "below 1"),
    "in a variant": ("[variants.a]\nimage_size = 28\n", "[variants.a] image_size: a suite has one", "[suite]"),
    "in defaults": ("[defaults]\nchannels = 1\n[variants.a]\n", "[defaults] channels: a suite has one", "[suite]"),
    "in a sweep": (
        "[variants.a]\n[sweeps.s]\nbase = 'a'\ngrid = { image_size = [28, 32] }\n",
        "[sweeps.s] 28 image_size: a suite has one",
        "[suite]",
    ),
    "vanishing": (
        f"image_size = 8\n{DEEP}",
        "[variants.deep] arguments: as many poolings as conv_depths has leave nothing of a picture of 8x8",
        "shorten conv_depths, or set image_size to at least 16 in [suite]",
    ),
    "vanishing blocks": (
        "image_size = 15\n[variants.a]\nmodel = 'advanced_cnn'\narguments = { block_depths = [4, 4, 4, 4] }\n",
        "block_depths has leave nothing of a picture of 15x15",
        "at least 16",
    ),
    "cutout": (
        "image_size = 16\n[variants.a]\naugmentation = [{ name = 'cutout', size = 17 }]\n",
        "[variants.a] augmentation: cutout of 17 pixels is larger than the picture of 16",
        "at most 16",
    ),
}


@pytest.mark.parametrize(("text", "error", "fix"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_names_place_and_mend(text, error, fix, tmp_path):
    with pytest.raises(ConfigError) as raised:
        suite(tmp_path, HEAD + text)
    assert error in str(raised.value)
    assert fix in raised.value.fix


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [8, 15, 28, 33, 64])
@pytest.mark.parametrize("name", MODEL_NAMES)
def test_every_network_takes_pictures_of_every_size(name, side, channels):
    arguments = {"small_cnn": {"batch_norm": True}, "advanced_cnn": {"block_depths": [4, 8, 8]}}.get(name, {})
    model = build_model(name, classes=5, side=side, channels=channels, **arguments)
    images = torch.rand(4, channels, side, side).contiguous(memory_format=torch.channels_last)
    out = model(images)
    out.sum().backward()
    assert out.shape == (4, 5)
    assert all(one.grad is not None for one in model.parameters())
    counted = describe(name, classes=5, arguments=arguments, side=side, channels=channels)
    assert counted.parameters == sum(one.numel() for one in model.parameters())


def test_a_picture_that_pooling_leaves_nothing_of_is_an_error():
    with pytest.raises(ValueError, match=r"nothing of a picture of 7x7: it needs 8x8"):
        build_model("advanced_cnn", classes=3, side=7)


def test_flops_follow_the_size():
    small, large = (describe("resnet", classes=20, arguments={}, side=side) for side in (32, 64))
    assert 3.9 < large.flops / small.flops < 4
    assert large.parameters == small.parameters


def test_the_narrow_gradient_of_grey_pictures_is_pytorchs():
    torch.manual_seed(0)
    images = torch.rand(3, 1, 9, 9).contiguous(memory_format=torch.channels_last)
    weight = torch.rand(4, 1, 3, 3, requires_grad=True)
    found = []
    for convolve in (
        lambda: NarrowConvolution.apply(images, weight, None),
        lambda: torch.conv2d(images, weight, padding=1),
    ):
        (grad,) = torch.autograd.grad((convolve() ** 2).sum(), weight)
        found.append(grad)
    torch.testing.assert_close(*found)


@pytest.mark.parametrize(("side", "channels"), [(28, 1), (15, 3)])
def test_augmentation_of_other_sizes_equals_torchvision_pixel_by_pixel(side, channels):
    augmentation = (Flip(probability=0.5), Crop(padding=4), Cutout(size=8))
    images = torch.from_numpy(np.random.default_rng(0).integers(1, 256, (20, side, side, channels), dtype=np.uint8))
    draws = draw(augmentation, 20, torch.Generator().manual_seed(5), side=side)
    ours = apply(images, torch.arange(20), augmentation, draws)
    for row in range(20):
        (flip, _), (top, left), (y, x) = (value[row].tolist() for value in draws.values)
        picture = images[row].permute(2, 0, 1)
        picture = reference.horizontal_flip(picture) if flip else picture
        picture = reference.crop(reference.pad(picture, [4]), top, left, side, side)
        picture = reference.erase(picture, y, x, 8, 8, torch.zeros(channels, 1, 1, dtype=torch.uint8))
        assert torch.equal(ours[row], picture.permute(1, 2, 0))


FIELDS = {"augmentation": ["flip", "crop", "cutout"], "arguments": {**SMALL, "batch_norm": True, "dropout": 0.2}}


@pytest.mark.parametrize(("side", "channels"), [(28, 1), (15, 3), (40, 1)])
def test_a_stopped_training_of_other_pictures_goes_on_bit_for_bit(side, channels):
    fields, splits = {**FIELDS, "image_size": side, "channels": channels}, of_size(side, channels)
    kept, ends = [], []
    whole, expected = run(fields, splits=splits, save=ends.append, save_at_end=True)
    asked = iter([False] * 5 + [True] * 100)
    with pytest.raises(Stopped):
        run(fields, splits=splits, save=kept.append, should_stop=lambda: next(asked))
    rest, outcome = run(fields, splits=splits, resume=kept[-1], save=ends.append, save_at_end=True)
    assert numbers(rest) == numbers(whole)[-len(rest) :]
    assert_same(outcome, expected)
    assert_same_tensors(ends[0].tensors, ends[1].tensors)


def sizes(configs):
    return {
        network_key(one): describe(one["model"], classes=20, arguments=one["arguments"], **picture_of(one))
        for one in configs
    }


def test_the_smallest_picture_of_which_pooling_leaves_something_is_taken():
    assert Config(image_size=16, arguments={"conv_depths": [4, 4, 4, 4]}).image_size == 16


@pytest.mark.parametrize("device", ["cuda", "cpu"])
def test_memory_expected_of_larger_pictures_is_larger_and_not_taken_from_small_ones(device):
    configs = [Config(dataset="digits", image_size=side).canonical() for side in (32, 64, 256)]
    texts = [json.dumps(one) for one in configs]
    guessed = expectations(set(texts), {}, sizes(configs), device)
    assert guessed[texts[0]] < guessed[texts[1]] < guessed[texts[2]]
    measured = expectations(set(texts), {texts[0]: 100.0}, sizes(configs), device)
    assert measured[texts[0]] < guessed[texts[0]]
    assert measured[texts[2]] == guessed[texts[2]]


@pytest.mark.parametrize(("side", "channels"), [(8, 1), (16, 3), (20, 1)])
def test_the_digits_come_in_every_size_with_the_same_parts(side, channels, tmp_path):
    usual, other = (
        load_splits(Config(dataset="digits", **how), data_dir=tmp_path, cache_dir=tmp_path)
        for how in ({}, {"image_size": side, "channels": channels})
    )
    assert other.test.images.shape == (360, channels, side, side)
    assert other.test.labels.tolist() == usual.test.labels.tolist()
    if side == 8:
        assert np.array_equal(other.val.images[:, 0], usual.val.images[:, 1, ::4, ::4])


def test_grey_pictures_are_shown_grey_and_in_their_own_size(tmp_path):
    splits = load(write_npz(tmp_path / "a.npz", 28, 28), tmp_path, image_size=28, channels=1)
    record = dataset_record(splits)
    assert record.samples.pixels.shape == (3, 5, 28, 28, 3)
    assert record.augmentation.pixels.shape == (3, 5, 28, 28, 3)
    for grid in (record.samples, record.augmentation):
        assert (grid.pixels == grid.pixels[..., :1]).all()
        assert np.array_equal(unpack_grid(pack_grid(grid)).pixels, grid.pixels)
    original, flipped, *_ = record.augmentation.pixels.swapaxes(0, 1)
    assert np.array_equal(flipped, original[:, :, ::-1])


@pytest.mark.parametrize(("classes", "side", "shown"), [(2, 300, 96), (100, 128, 37), (2000, 128, 32), (3, 48, 48)])
def test_large_pictures_are_shown_smaller_the_more_there_are(classes, side, shown):
    found = np.arange(classes)
    part = Part(np.zeros((classes, 3, side, side), np.uint8), found)
    splits = Splits(name="m", fingerprint="f", classes=tuple(map(str, found)), train=part, val=part, test=part)
    assert dataset_record(splits).samples.pixels.shape == (classes, 5, shown, shown, 3)


def test_examples_of_augmentation_are_in_proportion_and_of_usual_pictures_the_defaults():
    assert augmentations(32)["flip + crop"][1] == Crop()
    assert augmentations(32)["cutout"] == (Cutout(),)
    for side in (8, 512):
        for kinds in augmentations(side).values():
            Config(image_size=side, augmentation=kinds)


def test_counts_of_another_test_part_are_kept_apart():
    named = {split_name(Config(test_fraction=share).canonical()) for share in (0.1, 0.2, 0.3)}
    assert named == {"0.2/42/0.1", "0.2/42", "0.2/42/0.3"}


def test_memory_that_one_network_took_is_not_expected_of_another_with_other_code():
    configs = [Config(dataset="digits", model="nets.py:N", code=digit * 64).canonical() for digit in "01"]
    texts = [json.dumps(one) for one in configs]
    found = expectations(set(texts), {texts[0]: 100.0}, {}, "cuda")
    assert [*found] == [texts[0]]


def test_made_parts_are_kept_in_the_store(tmp_path):
    from contextlib import closing

    from db import open_store

    splits = load(write_npz(tmp_path / "a.npz", 8, 8), tmp_path)
    record = replace(dataset_record(splits), made=("test", "val"))
    with closing(open_store(f"sqlite:///{tmp_path / 'bench.db'}", create=True)) as store:
        store.record_dataset(record, split="0.2/42")
        found = store.dataset(record.name, record.fingerprint, split="0.2/42")
    assert (found.made, found.notices) == (("test", "val"), record.notices)
