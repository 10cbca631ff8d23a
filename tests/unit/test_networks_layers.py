"""What the networks are made of, layer by layer, and that each layer does what its name says."""

import math

import pytest
import torch
from torch import nn

from models import MODEL_NAMES, build_model, describe
from models._dropout import MaskedDropout
from models._networks import ResidualBlock
from scheduler.suite import load_suite

CHANNELS, UNITS = ("MaskedDropout", 0.5, True), ("MaskedDropout", 0.5, False)
QUARTER = ("MaskedDropout", 0.25, True)
CONV, POOLED = ["Conv3x3"], ["MaxPool2d", "ReLU"]
NORMED = ["Conv3x3", "PooledNorm"]
BLOCK = ["Conv3x3", "BatchNorm2d", "ReLU", *NORMED, QUARTER]
NORMED_DENSE = ["Linear", "BatchNorm1d", "ReLU"]

LAYERS = {
    "baseline": [*CONV, *POOLED, *CONV, *POOLED, "Flatten", "Linear", "ReLU", "Linear"],
    "dropout": [*CONV, *POOLED, CHANNELS, *CONV, *POOLED, CHANNELS, "Flatten", "Linear", "ReLU", UNITS, "Linear"],
    "batchnorm": [*NORMED, *NORMED, "Flatten", *NORMED_DENSE, "Linear"],
    "both": [*NORMED, CHANNELS, *NORMED, CHANNELS, "Flatten", *NORMED_DENSE, UNITS, "Linear"],
    "advanced": [*BLOCK, *BLOCK, *BLOCK, "Flatten", *NORMED_DENSE, UNITS, *NORMED_DENSE, UNITS, "Linear"],
    "resnet": ["Conv3x3", "BatchNorm2d", "ReLU", *["ResidualBlock"] * 9, "AdaptiveAvgPool2d", "Flatten", "Linear"],
    "depth=three_conv": [*CONV, *POOLED, *CONV, *POOLED, *CONV, *POOLED, "Flatten", "Linear", "ReLU", "Linear"],
}
LAYERS["both_augmented"] = LAYERS["both"]


def layer(module):
    name = type(module).__name__
    return (name, module.rate, module.per_channel) if isinstance(module, MaskedDropout) else name


@pytest.mark.parametrize(("label", "layers"), LAYERS.items(), ids=LAYERS)
def test_each_network_of_the_suite_is_made_of_these_layers_in_this_order(label, layers):
    config = load_suite().variants[label].config
    with torch.device("meta"):
        model = build_model(config.model, classes=20, **config.arguments)
    assert [layer(module) for module in model.children()] == layers


def test_unit_dropout_is_single_units_after_the_convolutions_too():
    model = build_model("small_cnn", classes=3, dropout=0.25, dropout_kind="unit")
    assert [layer(module) for module in model if isinstance(module, MaskedDropout)] == [
        ("MaskedDropout", 0.25, False)
    ] * 3


def test_pooling_before_relu_gives_the_numbers_and_gradients_of_the_order_in_the_papers():
    torch.manual_seed(1)
    model = build_model("small_cnn", classes=5, batch_norm=False, conv_depths=[8, 16], hidden_units=12)
    first, second = list(model[:3]), list(model[3:6])
    by_hand = nn.Sequential(*(stage[place] for stage in (first, second) for place in (0, 2, 1)), *model[6:])
    images = torch.randn(6, 3, 32, 32)
    seen = []
    for network in (model, by_hand):
        network.zero_grad()
        logits = network.train()(images)
        logits.square().sum().backward()
        seen.append((logits, [weight.grad.clone() for weight in network.parameters()]))
    (ours, our_gradients), (theirs, their_gradients) = seen
    assert [type(module).__name__ for module in by_hand[:3]] == ["Conv3x3", "ReLU", "MaxPool2d"]
    assert torch.equal(ours, theirs)
    assert all(torch.equal(one, other) for one, other in zip(our_gradients, their_gradients, strict=True))


def test_the_convolutions_of_a_resnet_begin_as_he_and_others_advise():
    torch.manual_seed(2)
    model = build_model("resnet", classes=20, stage_depths=[32, 64], blocks=2)
    convolutions = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    assert len(convolutions) == 10
    for conv in convolutions:
        fan_out = conv.out_channels * math.prod(conv.kernel_size)
        assert conv.weight.std().item() == pytest.approx(math.sqrt(2 / fan_out), rel=0.1)
        assert abs(conv.weight.mean().item()) < 0.1 * math.sqrt(2 / fan_out)


def pytorchs_layer(inputs, outputs, *, stride=1, bias=True):
    return nn.Conv2d(inputs, outputs, 3, stride, 1, bias=bias)


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_weights_begin_and_flops_are_counted_as_with_pytorchs_own_convolutions(name, monkeypatch):
    def seen():
        torch.manual_seed(4)
        return build_model(name, classes=5).state_dict(), describe(name, classes=5, arguments={})

    ours, counted = seen()
    monkeypatch.setattr("models._networks.Conv3x3", pytorchs_layer)
    theirs, counted_there = seen()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[weight], theirs[weight]) for weight in ours)
    assert counted == counted_there


@pytest.mark.parametrize(
    ("inputs", "outputs", "stride", "shortcut"),
    [
        (16, 16, 1, []),
        (16, 32, 2, ["Conv2d", "BatchNorm2d"]),
        (16, 32, 1, ["Conv2d", "BatchNorm2d"]),
        (4, 8, 2, ["Subsample", "Conv2d", "BatchNorm2d"]),
    ],
)
def test_a_residual_block_is_the_relu_of_body_plus_shortcut(inputs, outputs, stride, shortcut):
    torch.manual_seed(3)
    block = ResidualBlock(inputs, outputs, stride).train()
    images = torch.randn(4, inputs, 8, 8)
    out = block(images)
    total = block.body(images) + block.shortcut(images)
    assert [layer(module) for module in block.body] == ["Conv3x3", "BatchNorm2d", "ReLU", "Conv3x3", "BatchNorm2d"]
    assert [layer(module) for module in block.shortcut.children()] == shortcut
    assert (total < 0).any()
    assert torch.equal(out, total.clamp(min=0))
    assert out.shape == (4, outputs, 8 // stride, 8 // stride)
