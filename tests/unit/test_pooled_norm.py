"""Batch norm, pooling and ReLU in one layer: the function and gradients of the three, and less time."""

import pytest
import torch
from torch import nn

from models._pooled_norm import PooledNorm

SHAPES = [(32, 64, 16, 16), (2, 32, 6, 8), (5, 16, 7, 9), (1, 8, 2, 2)]


def pair(shape, *, dtype=torch.float32, weights=None):
    """The layer, and PyTorch's three in float64, with the same weights."""
    ours = PooledNorm(shape[1])
    torch.manual_seed(7)
    with torch.no_grad():
        ours.weight.copy_(torch.randn(shape[1]) if weights is None else weights)
        ours.bias.copy_(torch.randn(shape[1]))
    norm = nn.BatchNorm2d(shape[1])
    norm.load_state_dict(ours.state_dict())
    return ours.to(dtype), nn.Sequential(norm, nn.MaxPool2d(2), nn.ReLU()).double()


def images_of(shape, *, seed=1):
    drawn = torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 3 + 5
    return drawn.contiguous(memory_format=torch.channels_last)


def run(layer, images):
    """Outputs and the gradients of images, weight and bias."""
    given = images.clone(memory_format=torch.preserve_format).requires_grad_()
    out = layer(given)
    to = torch.randn(out.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64).to(out.dtype)
    out.backward(to)
    own = layer if isinstance(layer, PooledNorm) else layer[0]
    return out.detach(), given.grad, own.weight.grad, own.bias.grad


def error(found, truth):
    return ((found.double() - truth).norm() / truth.norm()).item()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_outputs_gradients_and_statistics_are_those_of_the_three_layers(shape):
    ours, three = pair(shape)
    assert ours._pays(images_of(shape))
    for found, truth in zip(run(ours, images_of(shape)), run(three, images_of(shape).double()), strict=True):
        assert found.shape == truth.shape
        assert error(found, truth) < 3e-6
    for name, truth in three[0].state_dict().items():
        assert torch.allclose(ours.state_dict()[name].double(), truth.double(), rtol=1e-5), name


def test_of_equal_pixels_one_gets_the_gradient():
    shape = (2, 4, 4, 4)
    ours, three = pair(shape)
    flat = torch.ones(shape).contiguous(memory_format=torch.channels_last)
    flat[:, :, 0, 0] = 2.0
    for found, truth in zip(run(ours, flat), run(three, flat.double()), strict=True):
        assert torch.allclose(found.double(), truth, atol=2e-5)


def test_a_weight_of_zero_gives_the_bias_and_learns():
    ours, three = pair((4, 8, 4, 4), weights=torch.zeros(8))
    found, truth = run(ours, images_of((4, 8, 4, 4))), run(three, images_of((4, 8, 4, 4)).double())
    assert torch.allclose(found[0].double(), truth[0])
    assert (found[2] != 0).equal(ours.bias > 0)  # elsewhere ReLU lets nothing through
    assert torch.allclose(found[3].double(), truth[3])


def test_in_evaluation_it_is_the_three_layers_with_what_was_seen_before():
    shape = (8, 16, 8, 8)
    ours, three = pair(shape)
    for seed in range(3):
        ours(images_of(shape, seed=seed))
        three(images_of(shape, seed=seed).double())
    ours.eval()
    three.eval()
    assert error(ours(images_of(shape, seed=9)).detach(), three(images_of(shape, seed=9).double()).detach()) < 1e-6


@pytest.mark.parametrize("layout", ["plain", "float64"])
def test_what_does_not_fit_is_left_to_pytorch(layout):
    dtype = torch.float64 if layout == "float64" else torch.float32
    ours, three = pair((4, 8, 8, 8), dtype=dtype)
    images = images_of((4, 8, 8, 8)).to(dtype).contiguous()
    assert not ours._pays(images)
    assert error(run(ours, images)[1], run(three, images.double())[1]) < 3e-6


def test_one_value_in_a_channel_is_an_error_as_with_batch_norm():
    with pytest.raises((ValueError, RuntimeError)):
        PooledNorm(4)(torch.ones(1, 4, 1, 1))
