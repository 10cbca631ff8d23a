"""The built-in networks: sizes, errors, and the layers that bench wrote itself."""

import pytest
import torch

from models import build_model, describe
from models._dropout import MaskedDropout
from scheduler.suite import load_suite

PARAMETERS = {
    "baseline": 546_388,
    "dropout": 546_388,
    "batchnorm": 546_836,
    "both": 546_836,
    "both_augmented": 1_127_572,
    "advanced": 3_382_868,
    "resnet": 4_330_324,
    "conv_depths=64x128": 1_126_932,
    "conv_depths=128x256": 2_398_612,
    "hidden_units=64": 282_900,
    "hidden_units=256": 1_073_364,
    "depth=three_conv": 358_100,
}


@pytest.mark.parametrize(("label", "parameters"), PARAMETERS.items())
def test_each_network_of_the_suite_has_the_printed_size(label, parameters):
    config = load_suite().variants[label].config
    assert describe(config.model, classes=20, arguments=config.arguments).parameters == parameters


def test_flops_of_the_baseline_are_those_counted_by_hand():
    convolutions = 32 * 32 * 32 * 27 + 16 * 16 * 64 * 32 * 9
    dense = 64 * 8 * 8 * 128 + 128 * 20
    assert describe("small_cnn", classes=20, arguments={}).flops == 2 * (convolutions + dense)


@pytest.mark.parametrize("name", ["small_cnn", "advanced_cnn", "resnet"])
def test_any_number_of_classes_fits(name):
    model = build_model(name, classes=7).eval()
    assert model(torch.rand(2, 3, 32, 32)).shape == (2, 7)


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("mlp", {}, "unknown network 'mlp'; choose one of small_cnn"),
        ("small_cnn", {"depth": 3}, "depth"),
        ("small_cnn", {"conv_depths": [0]}, "conv_depths must be positive"),
        ("small_cnn", {"conv_depths": [8] * 5}, "takes 1 to 4 layers"),
        ("small_cnn", {"dropout": 1.0}, "below 1"),
        ("resnet", {"blocks": 0}, "blocks must be 1 to 64"),
    ],
)
def test_what_cannot_be_built_is_a_value_error(name, arguments, words):
    with pytest.raises(ValueError, match=words):
        build_model(name, classes=20, **arguments)


@pytest.mark.parametrize(("per_channel", "distinct"), [(True, 1), (False, 2)])
def test_dropout_zeroes_channels_or_units_and_keeps_the_mean(per_channel, distinct):
    layer = MaskedDropout(0.5, per_channel=per_channel).train()
    layer.generator = torch.Generator().manual_seed(1)
    out = layer(torch.ones(64, 64, 8, 8))
    assert abs(out.mean() - 1) < 0.05
    assert max(len(channel.unique()) for image in out for channel in image) == distinct
    assert torch.equal(layer.eval()(out), out)
