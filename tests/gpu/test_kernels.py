"""What replaces PyTorch's own kernels on a card gives their numbers, and the same ones each time."""

import pytest
import torch
from torch import nn

from models._winograd import Conv3x3
from scheduler.config import Config
from worker.optimizers import make_optimizer
from worker.precision import compute_in

pytestmark = pytest.mark.gpu

CUDA = torch.device("cuda")


@pytest.fixture(autouse=True)
def _float32():
    compute_in("float32", CUDA)


@pytest.mark.parametrize(("batch", "outputs"), [(32, 32), (32, 64), (256, 64)])
def test_the_first_convolutions_gradients_are_as_exact_as_float32(batch, outputs):
    torch.manual_seed(1)
    layer = Conv3x3(3, outputs).to(CUDA).to(memory_format=torch.channels_last)
    images = torch.rand(batch, 3, 32, 32, device=CUDA).contiguous(memory_format=torch.channels_last)
    assert layer._narrow_pays(images)
    exact = nn.Conv2d(3, outputs, 3, padding=1).to(CUDA).double()
    exact.load_state_dict(layer.state_dict())
    out = layer(images)
    of_out = torch.randn_like(out)

    def gradients():
        return torch.autograd.grad(layer(images), [layer.weight, layer.bias], of_out)

    theirs = torch.autograd.grad(exact(images.double()), [exact.weight, exact.bias], of_out.double())
    for ours, other in zip(gradients(), theirs, strict=True):
        assert ((ours - other).norm() / other.norm()).item() < 3e-6
    again = [torch.equal(one, other) for one, other in zip(gradients(), gradients(), strict=True)]
    assert again == [True, True]


@pytest.mark.parametrize("width", [1000, 2000], ids=["in pieces", "too large for it"])
def test_adam_in_pieces_gives_adams_numbers(width):
    torch.manual_seed(1)

    def network():
        torch.manual_seed(2)
        layers = nn.Conv2d(3, 40, 3), nn.BatchNorm2d(40), nn.Linear(500, width, bias=False)
        return nn.ModuleList(layers).to(CUDA).to(memory_format=torch.channels_last)

    config = Config.parse({"dataset": "made", "weight_decay": 1e-3})
    ours, theirs = network(), network()
    cut = make_optimizer(config, ours, captured=True)
    plain = torch.optim.Adam(theirs.parameters(), lr=config.learning_rate, weight_decay=1e-3, fused=True)
    for _ in range(5):
        for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            one.grad = torch.randn_like(one)
            other.grad = one.grad.clone(memory_format=torch.preserve_format)
        cut.step()
        plain.step()
    assert (type(cut) is not torch.optim.Adam) == (width == 1000)
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(one, other)
        for name, value in cut.state[one].items():
            assert torch.equal(value, plain.state[other][name])
