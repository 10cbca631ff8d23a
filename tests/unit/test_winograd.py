"""Convolution by tiles: the numbers of the direct one, where it pays, and PyTorch's own everywhere else."""

import copy
import importlib.util
import threading

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import models._winograd as winograd
from models import build_model
from models._winograd import Conv3x3

CHANNELS_LAST = torch.channels_last
# relative, in L2; 1e-6 to 3e-6 were measured for these shapes, 1e-7 to 2e-6 for PyTorch's float32 convolution
TOLERANCE = 1e-5
# images, inputs, outputs, height, width
SHAPES = [
    (1, 32, 32, 4, 4),
    (1, 32, 64, 16, 16),
    (5, 64, 32, 32, 32),
    (70, 33, 47, 4, 8),
    (6, 40, 32, 12, 20),
    (7, 32, 96, 20, 12),
    (3, 256, 256, 8, 8),
    (2, 32, 32, 40, 36),
]


def noise(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def layer(inputs, outputs, *, seed=2, **how):
    torch.manual_seed(seed)
    return Conv3x3(inputs, outputs, **how).to(memory_format=CHANNELS_LAST)


def pictures(images, channels, height, width, *, seed=1):
    return noise(images, channels, height, width, seed=seed).to(memory_format=CHANNELS_LAST)


def pictures_of_nothing(*shape):
    return torch.empty(shape, memory_format=CHANNELS_LAST)


def error(ours, truth):
    """Relative, in L2."""
    return ((ours.double() - truth).norm() / truth.norm()).item()


@pytest.fixture
def quick(monkeypatch):
    """How often a convolution was done by tiles, as the length of a list."""
    calls, lifted = [], winograd._lifted_filters
    monkeypatch.setattr(winograd, "_lifted_filters", lambda weight: calls.append(1) or lifted(weight))
    return calls


def with_gradients(convolve, inputs, grad):
    """What `convolve` makes of `inputs`, and the gradient of each of them."""
    leaves = [value.detach().requires_grad_() for value in inputs]
    out = convolve(*leaves)
    return [out.detach(), *torch.autograd.grad(out, leaves, grad)]


def one_step(conv, given):
    """The output, and gradients of weight and bias."""
    out = conv(given)
    return [out.detach(), *torch.autograd.grad(out.square().sum(), list(conv.parameters()))]


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize(("images", "inputs", "outputs", "height", "width"), SHAPES)
def test_output_and_gradients_are_those_of_the_direct_convolution_in_float64(
    images, inputs, outputs, height, width, bias, quick
):
    conv = layer(inputs, outputs, bias=bias)
    given = pictures(images, inputs, height, width).requires_grad_()
    grad = pictures(images, outputs, height, width, seed=3)
    out = conv(given)
    ours = [out.detach(), *torch.autograd.grad(out, [given, *conv.parameters()], grad)]
    exact = [value.double() for value in (given, *conv.parameters())]
    truth = with_gradients(lambda *values: F.conv2d(*values, padding=1), exact, grad.double())
    assert len(quick) == 1
    assert out.is_contiguous(memory_format=CHANNELS_LAST)
    assert [value.shape for value in ours] == [value.shape for value in truth]
    assert all(error(one, other) < TOLERANCE for one, other in zip(ours, truth, strict=True))


def test_a_tile_is_what_the_sum_over_nine_neighbours_says():
    conv, given = layer(32, 32, bias=False), pictures(1, 32, 4, 4)
    picture, weight = given[0].double(), conv.weight.detach().double()
    by_hand = torch.zeros(32, 4, 4, dtype=torch.float64)
    for row, column, down, across in torch.cartesian_prod(*(torch.arange(n) for n in (4, 4, 3, 3))).tolist():
        y, x = row + down - 1, column + across - 1
        if 0 <= y < 4 and 0 <= x < 4:
            by_hand[:, row, column] += weight[:, :, down, across] @ picture[:, y, x]
    assert error(conv(given)[0], by_hand) < TOLERANCE


@pytest.mark.parametrize("of", ["images", "weight", "bias"])
def test_a_gradient_says_how_the_output_changes_along_any_direction(of):
    """By central differences, which are exact for a linear function but for float32's rounding."""
    conv, given, grad = layer(32, 48), pictures(3, 32, 8, 12).requires_grad_(), pictures(3, 48, 8, 12, seed=3)
    value = {"images": given, "weight": conv.weight, "bias": conv.bias}[of]
    (slope,) = torch.autograd.grad(conv(given), value, grad)
    direction = slope + slope.std() * noise(*value.shape, seed=4)
    with torch.no_grad():
        value += direction
        above = (conv(given) * grad).double().sum()
        value -= 2 * direction
        below = (conv(given) * grad).double().sum()
    assert ((above - below) / 2).item() == pytest.approx((slope.double() * direction).sum().item(), rel=1e-4)


OTHERS = {
    "few inputs": (layer(31, 32), pictures(2, 31, 8, 8)),
    "few outputs": (layer(32, 31), pictures(2, 32, 8, 8)),
    "a stride": (layer(32, 32, stride=2), pictures(2, 32, 8, 8)),
    "a height of half tiles": (layer(32, 32), pictures(2, 32, 6, 8)),
    "a width of half tiles": (layer(32, 32), pictures(2, 32, 8, 10)),
    "the plain layout": (layer(32, 32), noise(2, 32, 8, 8)),
    "a cut-out": (layer(32, 32), pictures(2, 32, 12, 12)[:, :, :8, :8]),
    "float64": (layer(32, 32).double(), pictures(2, 32, 8, 8).double()),
    "no images": (layer(32, 32), pictures(0, 32, 8, 8)),
    "one image without a batch": (layer(32, 32), noise(32, 32, 8)),
}


@pytest.mark.parametrize(("conv", "given"), OTHERS.values(), ids=OTHERS)
def test_whatever_the_tiles_do_not_fit_is_left_to_pytorch(conv, given, quick):
    given = given.detach().requires_grad_()
    values = [given, conv.weight, conv.bias]
    out, direct = conv(given), F.conv2d(given, conv.weight, conv.bias, conv.stride, padding=1)
    grads, direct_grads = (torch.autograd.grad(made.square().sum(), values) for made in (out, direct))
    assert not quick
    assert torch.equal(out, direct)
    assert all(torch.equal(one, other) for one, other in zip(grads, direct_grads, strict=True))


@pytest.mark.filterwarnings("ignore:In CPU autocast")
def test_autocast_has_its_own_type_and_way(quick):
    conv, given = layer(32, 32), pictures(2, 32, 8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert conv(given).dtype == torch.bfloat16
    assert not quick


def test_on_the_meta_device_nothing_is_computed(quick):
    with torch.device("meta"):
        conv, given = Conv3x3(32, 64).to(memory_format=CHANNELS_LAST), pictures_of_nothing(2, 32, 8, 8)
    assert conv(given).shape == (2, 64, 8, 8)
    assert not quick


def test_a_network_that_was_first_built_on_the_meta_device_changes_none_that_is_built_later():
    spec = importlib.util.find_spec("models._winograd")
    loaded = importlib.util.module_from_spec(spec)
    with torch.device("meta"), torch.inference_mode():
        spec.loader.exec_module(loaded)
    conv, given = layer(32, 32), pictures(2, 32, 8, 8)
    other = loaded.Conv3x3(32, 32).to(memory_format=CHANNELS_LAST)
    other.load_state_dict(conv.state_dict())
    assert all(torch.equal(*pair) for pair in zip(one_step(other, given), one_step(conv, given), strict=True))


@pytest.mark.parametrize("shape", [(2, 48, 8, 8), (2, 32, 0, 8)], ids=["channels", "no rows"])
def test_pictures_that_do_not_fit_the_layer_get_pytorchs_error(shape):
    with pytest.raises(RuntimeError, match=r"channels|[Kk]ernel size"):
        layer(32, 32)(pictures_of_nothing(*shape))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("bias", [True, False])
def test_weights_and_their_names_begin_as_those_of_pytorchs_layer(stride, bias):
    torch.manual_seed(2)
    theirs = nn.Conv2d(32, 64, 3, stride, 1, bias=bias).state_dict()
    ours = layer(32, 64, stride=stride, bias=bias).state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_copy_of_a_layer_has_weights_of_its_own():
    conv, given = layer(32, 32), pictures(2, 32, 8, 8)
    before = conv(given)
    copied = copy.deepcopy(conv)
    with torch.no_grad():
        conv.weight.zero_()
    assert torch.equal(copied(given), before)


GRADIENTS = {
    "one number for all": torch.ones(()).expand(5, 48, 8, 8),
    "the plain layout": noise(5, 48, 8, 8, seed=3),
    "every other one": pictures(5, 48, 16, 16, seed=3)[:, :, ::2, ::2],
}


@pytest.mark.parametrize("grad", GRADIENTS.values(), ids=GRADIENTS)
def test_a_gradient_may_come_in_any_layout(grad):
    conv, given = layer(32, 48), pictures(5, 32, 8, 8).requires_grad_()
    values = [given, *conv.parameters()]
    ours = torch.autograd.grad(conv(given), values, grad)
    in_order = torch.autograd.grad(conv(given), values, grad.contiguous(memory_format=CHANNELS_LAST))
    assert all(torch.equal(one, other) for one, other in zip(ours, in_order, strict=True))


@pytest.mark.parametrize("wanted", ["images", "weight", "bias"])
def test_a_gradient_is_the_same_where_it_is_the_only_one_wanted(wanted):
    conv, given, grad = layer(32, 48), pictures(5, 32, 8, 8).requires_grad_(), pictures(5, 48, 8, 8, seed=3)
    values = {"images": given, "weight": conv.weight, "bias": conv.bias}
    all_of_them = dict(zip(values, torch.autograd.grad(conv(given), list(values.values()), grad), strict=True))
    for name, value in values.items():
        value.requires_grad_(name == wanted)
    conv(given).backward(grad)
    assert torch.equal(values[wanted].grad, all_of_them[wanted])
    assert [name for name, value in values.items() if value.grad is not None] == [wanted]


def kept_by(conv, given):
    """Bytes that are saved for the gradients."""
    found = []
    with torch.autograd.graph.saved_tensors_hooks(lambda kept: found.append(kept.nbytes) or kept, lambda kept: kept):
        conv(given)
    return sum(found)


@pytest.mark.parametrize("shape", [(9, 64, 48, 16, 16), (5, 64, 32, 32, 32), (3, 40, 256, 8, 8)])
def test_lifted_images_that_are_kept_give_the_bits_of_those_that_are_lifted_again(shape, monkeypatch):
    images, inputs, outputs, height, width = shape
    conv, given = layer(inputs, outputs), pictures(images, inputs, height, width).requires_grad_()
    grad = pictures(images, outputs, height, width, seed=3)
    ways, sizes = [], []
    for most in (0, winograd._MOST_KEPT):
        monkeypatch.setattr(winograd, "_MOST_KEPT", most)
        ways.append(torch.autograd.grad(conv(given), [given, *conv.parameters()], grad))
        sizes.append(kept_by(conv, given))
    assert all(torch.equal(one, other) for one, other in zip(*ways, strict=True))
    assert sizes[1] - sizes[0] == given.nbytes * 36 // 16 - given.nbytes


def test_nothing_is_kept_for_a_weight_that_does_not_learn():
    conv, given = layer(32, 32), pictures(4, 32, 16, 16)
    learning = kept_by(conv, given)
    conv.weight.requires_grad_(False)
    assert 0 < kept_by(conv, given) < learning - given.nbytes


def test_the_next_layer_may_change_the_output_in_place():
    conv, given = layer(32, 32), pictures(2, 32, 8, 8)
    in_place, apart = (torch.relu_(conv(given)), torch.relu(conv(given)))
    assert torch.equal(in_place, apart)
    grads = [torch.autograd.grad(out.square().sum(), conv.weight)[0] for out in (in_place, apart)]
    assert torch.equal(*grads)


def test_the_same_pictures_give_the_same_bits_and_whatever_came_between():
    conv, given = layer(64, 64), pictures(9, 64, 16, 16)
    first = one_step(conv, given)
    one_step(layer(96, 32), pictures(3, 96, 24, 8))
    assert all(torch.equal(one, other) for one, other in zip(one_step(conv, given), first, strict=True))


def test_two_threads_at_once_do_not_meet():
    tasks = [
        (layer(64, 64, seed=seed), pictures(9, 64, side, side, seed=seed)) for seed, side in ((3, 16), (4, 16), (5, 8))
    ]
    alone = [one_step(*task) for task in tasks]
    together = [[] for _ in tasks]
    barrier = threading.Barrier(len(tasks))

    def repeat(task, seen):
        barrier.wait()
        seen += [one_step(*task) for _ in range(10)]

    threads = [threading.Thread(target=repeat, args=pair) for pair in zip(tasks, together, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for expected, seen in zip(alone, together, strict=True):
        assert len(seen) == 10
        assert all(torch.equal(*pair) for step in seen for pair in zip(step, expected, strict=True))


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad])
def test_a_training_goes_on_after_memory_was_made_in(mode, monkeypatch, quick):
    monkeypatch.setattr(winograd, "_scratch", winograd._Scratch())  # nothing is kept from other tests
    conv, given = layer(32, 32), pictures(4, 32, 8, 8)
    with mode():
        measured = conv(given)
    out, *grads = one_step(conv, given)
    assert len(quick) == 2
    assert not measured.requires_grad
    assert torch.equal(measured, out)
    assert all(grad.isfinite().all() for grad in grads)


def test_a_tile_at_a_border_sees_zeros_whatever_the_memory_held():
    conv, given = layer(32, 32), pictures(1, 32, 8, 8)
    clean = one_step(conv, given)
    winograd._scratch.buffer.fill_(float("nan"))
    assert all(torch.equal(one, other) for one, other in zip(one_step(conv, given), clean, strict=True))


def losses_of_a_training(steps=12):
    torch.manual_seed(6)
    model = build_model("resnet", classes=4, stage_depths=[32, 64], blocks=1).to(memory_format=CHANNELS_LAST)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    images, labels, losses = pictures(16, 3, 32, 32), torch.arange(16) % 4, []
    for _ in range(steps):
        loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_a_training_goes_the_way_of_one_with_direct_convolutions(monkeypatch, quick):
    ours = losses_of_a_training()
    assert len(quick) == 12 * 3  # the three convolutions that have 32 channels and no stride
    monkeypatch.setattr(Conv3x3, "_pays", lambda self, images: False)
    direct = losses_of_a_training()
    assert ours != direct
    assert ours == pytest.approx(direct, rel=1e-3)
    assert ours[-1] < 0.8 * ours[0]
