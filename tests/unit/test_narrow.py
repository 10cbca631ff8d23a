"""The gradient of a narrow convolution's weights as one product: the numbers of PyTorch's own."""

import pytest
import torch
import torch.nn.functional as F

from models._narrow import NarrowConvolution


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("shape", [(4, 3, 32, 32), (2, 1, 5, 7), (1, 4, 1, 1)], ids=str)
def test_outputs_and_gradients_are_those_of_a_convolution(shape, bias):
    torch.manual_seed(1)
    images = torch.randn(shape, dtype=torch.float64).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(6, shape[1], 3, 3, dtype=torch.float64).contiguous(memory_format=torch.channels_last)
    given = [weight, torch.randn(6, dtype=torch.float64)] if bias else [weight]
    for value in given:
        value.requires_grad_()
    out = NarrowConvolution.apply(images, weight, given[1] if bias else None)
    expected = F.conv2d(images, *given, padding=1)
    assert torch.equal(out, expected)
    for layout in (torch.channels_last, torch.contiguous_format):
        of_out = torch.randn_like(expected).contiguous(memory_format=layout)
        ours = torch.autograd.grad(out, given, of_out, retain_graph=True)
        theirs = torch.autograd.grad(expected, given, of_out, retain_graph=True)
        for one, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(one, other)
        assert ours[0].is_contiguous(
            memory_format=torch.channels_last
        )  # else each step would copy it into the weight's layout
