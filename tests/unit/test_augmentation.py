"""The batched augmentation against torchvision's functions, on the same draws, pixel by pixel."""

import by_torchvision
import pytest
import torch
from scipy.stats import ks_2samp
from small_trainings import EVERY_AUGMENTATION, config
from torch.utils._python_dispatch import TorchDispatchMode
from torchvision.transforms import v2

from scheduler.augmentations import Affine, ColorJitter, Crop, Cutout, Flip, RandomErasing, TrivialAugment
from worker import pixels
from worker.augmentation import Draws, apply, augment_images, draw
from worker.mixing import loss_and_hits, mix_of, mixed_input
from worker.trivial import OPERATIONS

FLIP, CROP, CUTOUT, ERASING = Flip(probability=0.5), Crop(padding=4), Cutout(size=8), RandomErasing()
AFFINE = Affine(degrees=90, translate=0.25, scale=(0.5, 2.0))
JITTER, TRIVIAL = ColorJitter(brightness=0.5, contrast=0.9, saturation=1.5, hue=0.5), TrivialAugment()
LISTS = [
    (FLIP,),
    (CROP,),
    (CUTOUT,),
    (ERASING,),
    (JITTER,),
    (ColorJitter(brightness=2.0, hue=0.1),),
    (TRIVIAL,),
    (FLIP, CROP),
    (CROP, FLIP),
    (FLIP, CROP, CUTOUT),
    (CUTOUT, CROP, FLIP),
    (CROP, CROP),
    (ERASING, CROP, FLIP),
    (FLIP, CROP, TRIVIAL, ERASING),
    (JITTER, FLIP, CROP, JITTER, ERASING),
]
EACH = pytest.mark.parametrize("augmentation", LISTS, ids=lambda given: " + ".join(one.name for one in given))


def seed(number):
    return torch.Generator().manual_seed(number)


@pytest.fixture(params=["picked", "as on a card"])
def way(request, monkeypatch):
    """Both ways of changing some pictures of a batch: only those computed, and all of them."""
    if request.param != "picked":
        monkeypatch.setattr(pixels, "may_pick", lambda pictures: False)


@EACH
@pytest.mark.parametrize(("side", "channels"), [(32, 3), (32, 1), (28, 1), (21, 3)])
def test_it_equals_torchvision_pixel_by_pixel(augmentation, side, channels, way):
    images = by_torchvision.images(60, side, channels)
    rows = torch.randperm(60, generator=seed(3))
    draws = draw(augmentation, 60, seed(5), side=side)
    ours = apply(images, rows, augmentation, draws)
    for place, row in enumerate(rows):
        values = [value[place] for value in draws.values]
        assert torch.equal(ours[place], by_torchvision.augmented(images[row], augmentation, values))


@pytest.mark.parametrize(("side", "channels"), [(32, 3), (28, 1), (64, 3)])
def test_an_affine_map_takes_torchvisions_pixels_but_on_the_border_between_two(side, channels, way):
    images = by_torchvision.images(300, side, channels)
    draws = draw((AFFINE,), 300, seed(5), side=side)
    ours = apply(images, torch.arange(300), (AFFINE,), draws)
    theirs = torch.stack(
        [by_torchvision.augmented(image, (AFFINE,), [own]) for image, own in zip(images, draws.values[0], strict=True)]
    )
    image, *pixel = (ours != theirs).any(-1).nonzero().unbind(1)
    angle, right, down, size = draws.values[0][image, :4].unbind(1)
    x, y = pixel[1] - (side - 1) / 2 - right, pixel[0] - (side - 1) / 2 - down
    turned = torch.polar(1 / size, -angle.deg2rad()) * torch.complex(x, y)
    edges = torch.view_as_real(turned) + side / 2  # whole where two pixels meet
    assert ((edges - edges.round()).abs().amin(1) < 1e-5).all()
    assert len(image) < 1e-4 * images[..., 0].numel()


@pytest.mark.parametrize(("side", "channels"), [(32, 3), (32, 1), (45, 3)])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_strength_of_trivial_augment_equals_torchvisions(operation, side, channels):
    strengths = draw((TRIVIAL,), 50_000, seed(1)).values[0]
    strengths = strengths[strengths[:, 0] == OPERATIONS.index(operation)].unique(dim=0)
    images = by_torchvision.images(7, side, channels)
    for drawn in strengths:
        ours = apply(images, torch.arange(7), (TRIVIAL,), Draws((drawn.expand(7, -1),)))
        for image, own in zip(images, ours, strict=True):
            theirs = by_torchvision.trivial(image.permute(2, 0, 1), operation, drawn[1].item()).permute(1, 2, 0)
            assert torch.equal(own, theirs)


def test_operations_and_strengths_of_trivial_augment_are_torchvisions_and_all_as_likely():
    drawn = draw((TRIVIAL,), 70_000, seed(1)).values[0]
    assert list(by_torchvision.TRIVIAL._AUGMENTATION_SPACE) == list(OPERATIONS)
    for number, (strengths, signed) in enumerate(by_torchvision.TRIVIAL._AUGMENTATION_SPACE.values()):
        theirs = strengths(31, 32, 32)
        theirs = torch.zeros(1) if theirs is None else theirs.float()
        own = drawn[drawn[:, 0] == number, 1]
        assert torch.equal(own.unique(), torch.cat((theirs, -theirs) if signed else (theirs,)).unique())
        assert abs(len(own) / 70_000 - 1 / 14) < 0.005


@pytest.mark.parametrize("channels", [1, 3])
def test_nothing_on_a_device_depends_on_values_or_comes_from_the_host(channels):
    """Tensors without values stand for a card's: asking for one, or mixing in one of the host's, is an error."""
    every = config(augmentation=EVERY_AUGMENTATION).augmentation
    with torch.device("meta"):
        images = torch.empty(20, 32, 32, channels, dtype=torch.uint8)
        rows, labels, logits = torch.empty(12).long(), torch.empty(12).long(), torch.empty(12, 5)
    draws = draw(every, 12, seed(1)).to(torch.device("meta"))
    pictures = apply(images, rows, every, draws)
    mix = mix_of(every, draws.values, side=32)
    assert (pictures.shape, pictures.dtype) == ((12, 32, 32, channels), torch.uint8)
    assert mixed_input(pictures, mix).shape == (12, channels, 32, 32)
    assert [one.device.type for one in loss_and_hits(logits, labels, mix, 0.1)] == ["meta", "meta"]
    with pytest.raises((RuntimeError, NotImplementedError)):
        images[draws.values[0][:, 0].nonzero()]  # what a card would have to wait for is noticed here


class Watched(TorchDispatchMode):
    """Fails for what devices round each in their own way; a card divides by a number by its rounded reciprocal."""

    ROUGH = frozenset({"cos", "sin", "exp", "log", "pow", "rsqrt", "sigmoid", "mean", "lerp", "addcmul"})

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.__name__.partition(".")[0]
        assert name not in self.ROUGH
        assert name != "div" or isinstance(args[1], torch.Tensor)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_are_made_of_what_every_device_rounds_alike(channels, way):
    every = config(augmentation=EVERY_AUGMENTATION).augmentation
    images = by_torchvision.images(20, 28, channels)
    draws = draw(every, 20, seed(1), side=28)
    with Watched():
        apply(images, torch.arange(20), every, draws)
    with pytest.raises(AssertionError), Watched():
        torch.ones(1) / 3


def test_the_draws_cover_what_they_should():
    flips, crops, holes = draw((FLIP, CROP, CUTOUT), 20_000, seed(1)).values
    assert abs(flips[:, 0].float().mean() - 0.5) < 0.02
    assert sorted(crops.unique().tolist()) == list(range(9))
    assert sorted(holes.unique().tolist()) == list(range(25))


@pytest.mark.parametrize(("scale", "ratio"), [((0.02, 0.33), (0.3, 3.3)), ((0.5, 1.0), (0.4, 2.0))])
def test_erased_rectangles_are_distributed_as_torchvisions(scale, ratio):
    ours = draw((RandomErasing(probability=1.0, scale=scale, ratio=ratio),), 4000, seed(1)).values[0]
    torch.manual_seed(1)
    transform, image = v2.RandomErasing(p=1.0, scale=scale, ratio=ratio), [torch.zeros(3, 32, 32)]
    params = [transform.make_params(image) for _ in range(4000)]
    theirs = torch.tensor([[one[key] for key in "ijhw"] for one in params if one["v"] is not None])
    assert ((ours[:, :2] + ours[:, 2:]) <= 32).all()
    found = ours[ours[:, 2] > 0]
    assert abs(len(found) - len(theirs)) < 0.02 * 4000  # the others found no place in ten tries
    for column in range(4):
        assert ks_2samp(found[:, column], theirs[:, column]).pvalue > 0.001


def test_erasing_happens_as_often_as_asked():
    drawn = draw((RandomErasing(probability=0.3),), 20_000, seed(1)).values[0]
    assert abs((drawn[:, 2] > 0).float().mean() - 0.3) < 0.02


def test_a_colour_jitter_draws_torchvisions_ranges_and_any_order():
    jitter = ColorJitter(brightness=0.4, contrast=2.0, hue=0.1)
    drawn = draw((jitter,), 48_000, seed(1)).values[0]
    orders, counts = drawn[:, :4].unique(dim=0, return_counts=True)
    assert len(orders) == 24
    assert (counts - 2000).abs().max() < 250
    for column, (low, high) in enumerate([(0.6, 1.4), (0.0, 3.0), (1.0, 1.0), (-0.1, 0.1)], start=4):
        own = drawn[:, column]
        assert (own.min().item(), own.max().item()) == pytest.approx((low, high), abs=0.001)
        assert own.mean().item() == pytest.approx((low + high) / 2, abs=0.02)


def test_an_affine_map_draws_the_ranges_that_it_was_given():
    angle, right, down, size = draw((AFFINE,), 20_000, seed(1)).values[0][:, :4].unbind(1)
    assert (angle.min().item(), angle.max().item()) == pytest.approx((-90, 90), abs=0.1)
    assert right.unique().tolist() == down.unique().tolist() == list(range(-8, 9))
    assert (size.min().item(), size.max().item()) == pytest.approx((0.5, 2.0), abs=0.01)


def test_example_pictures_are_augmented_copies():
    stored = by_torchvision.images(4, 32, 3).permute(0, 3, 1, 2).numpy()
    flipped = augment_images(stored, (Flip(probability=1.0),), seed=1)
    assert (flipped == stored[..., ::-1]).all()
