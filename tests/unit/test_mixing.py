"""Mixup and CutMix against torchvision on the same draws; what a mixed batch teaches, and what is counted."""

import pytest
import torch
import torch.nn.functional as F
from by_torchvision import images
from scipy.stats import beta, kstest
from small_trainings import FROZEN, SMALL, numbers, run
from torchvision.transforms import v2

from scheduler.augmentations import Crop, Cutmix, Flip, Mixup
from worker.augmentation import Draws, apply, draw
from worker.evaluation import as_input
from worker.mixing import loss_and_hits, mix_of, mixed_input

CLASSES, BATCH = 5, 12
LABELS = torch.arange(BATCH) % CLASSES


def seed(number):
    return torch.Generator().manual_seed(number)


def soft(labels, share):
    own = F.one_hot(labels, CLASSES).float()
    return own * share + own.roll(1, 0) * (1 - share)


@pytest.mark.parametrize(("side", "channels"), [(32, 3), (28, 1)])
@pytest.mark.parametrize("number", range(5))
def test_mixup_equals_torchvisions(side, channels, number):
    pictures = images(BATCH, side, channels)
    (drawn,) = draw((Mixup(alpha=0.4),), BATCH, seed(number), side=side).values
    mix = mix_of((Mixup(alpha=0.4),), (drawn,), side=side)
    params = {"labels": LABELS, "batch_size": BATCH, "lam": drawn[0, 0].item()}
    transform = v2.MixUp(num_classes=CLASSES)
    assert torch.equal(mixed_input(pictures, mix), transform.transform(as_input(pictures), params))
    assert torch.allclose(soft(LABELS, mix.share), transform.transform(LABELS, params))  # it knows them by identity


@pytest.mark.parametrize(("side", "channels"), [(32, 3), (28, 1)])
@pytest.mark.parametrize("number", range(5))
def test_cutmix_equals_torchvisions(side, channels, number):
    pictures = images(BATCH, side, channels)
    (drawn,) = draw((Cutmix(),), BATCH, seed(number), side=side).values
    mix = mix_of((Cutmix(),), (drawn,), side=side)
    top, left, bottom, right = drawn[0, 2:].int().tolist()
    share = 1 - (bottom - top) * (right - left) / side**2
    params = {"labels": LABELS, "batch_size": BATCH, "box": (left, top, right, bottom), "lam_adjusted": share}
    assert torch.equal(mixed_input(pictures, mix), v2.CutMix().transform(as_input(pictures), params))
    assert mix.share.item() == pytest.approx(share, abs=1e-7)


def test_boxes_of_cutmix_are_distributed_as_torchvisions():
    (ours,) = draw((Cutmix(alpha=0.5),), 6000, seed(2)).values
    torch.manual_seed(2)
    transform = v2.CutMix(alpha=0.5, num_classes=CLASSES)
    theirs = torch.tensor([transform.make_params([torch.zeros(2, 3, 32, 32)])["box"] for _ in range(6000)])
    for column, other in enumerate((1, 0, 3, 2), start=2):
        assert abs(ours[:, column].mean() - theirs[:, other].float().mean()) < 0.7
        assert abs(ours[:, column].std() - theirs[:, other].float().std()) < 0.5


@pytest.mark.parametrize("alpha", [0.01, 0.2, 1.0, 5.0])
def test_shares_are_drawn_from_the_beta_distribution(alpha):
    shares = draw((Mixup(alpha=alpha),), 20_000, seed(1)).values[0][:, 0]
    assert ((shares >= 0) & (shares <= 1)).all()
    kept = shares[(shares > 1e-6) & (shares < 1 - 1e-6)].double()  # float32 ends where the distribution does not
    below, above = beta.cdf([1e-6, 1 - 1e-6], alpha, alpha)
    assert len(kept) / 20_000 == pytest.approx(above - below, abs=0.015)
    assert kstest(kept, lambda x: (beta.cdf(x, alpha, alpha) - below) / (above - below)).pvalue > 0.001


def test_where_both_are_named_each_batch_takes_one_of_them():
    mixup, cutmix = draw((Mixup(), Cutmix()), 10_000, seed(1)).values
    blended = mixup[:, 0] < 1
    assert abs(blended.float().mean() - 0.5) < 0.02
    assert (cutmix[blended] == torch.tensor([1.0, 1, 0, 0, 0, 0])).all()
    assert (cutmix[~blended, 0] < 1).float().mean() > 0.9  # a box may be smaller than a pixel
    both = (Mixup(), Cutmix())
    for place in range(20):
        mix = mix_of(both, [value[place:] for value in (mixup, cutmix)], side=32)
        one = both[:1] if blended[place] else both[1:]
        alone = mix_of(one, [(mixup if blended[place] else cutmix)[place:]], side=32)
        assert torch.equal(mix.share, alone.share)
        assert torch.equal(mix.pixels, alone.pixels)


def test_single_images_are_augmented_as_without_the_mixing_after_them():
    pictures, rows = images(BATCH, 32, 3), torch.arange(BATCH)
    alone = (Flip(), Crop())
    draws = draw((*alone, Mixup()), BATCH, seed(1))
    theirs = apply(pictures, rows, alone, Draws(draws.values[:2]))
    assert torch.equal(apply(pictures, rows, (*alone, Mixup()), draws), theirs)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("number", range(4))
def test_the_loss_is_the_cross_entropy_of_soft_targets(smoothing, number):
    logits = torch.randn(BATCH, CLASSES, generator=seed(number))
    mix = mix_of((Mixup(),), draw((Mixup(),), BATCH, seed(number)).values, side=32)
    loss, _ = loss_and_hits(logits, LABELS, mix, smoothing)
    theirs = F.cross_entropy(logits, soft(LABELS, mix.share), label_smoothing=smoothing)
    assert loss.item() == pytest.approx(theirs.item(), rel=1e-6)


@pytest.mark.parametrize(("share", "heavier"), [(0.9, LABELS), (0.5, LABELS), (0.1, LABELS.roll(1))])
def test_a_hit_is_the_class_with_the_larger_part_of_the_target(share, heavier):
    mix = mix_of((Mixup(),), (torch.tensor([[share, share, 0, 0, 0, 0]]),), side=4)
    predicted = torch.cat((heavier[:9], heavier[9:] + 1)) % CLASSES
    _, hits = loss_and_hits(F.one_hot(predicted, CLASSES).float(), LABELS, mix, 0.0)
    assert hits == 9


def test_without_mixing_loss_and_hits_are_the_plain_ones():
    logits = torch.randn(BATCH, CLASSES, generator=seed(1))
    loss, hits = loss_and_hits(logits, LABELS, None, 0.1)
    assert torch.equal(loss, F.cross_entropy(logits, LABELS, label_smoothing=0.1))
    assert hits == (logits.argmax(1) == LABELS).sum()


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_mixing_changes_what_is_trained_and_not_what_is_validated(name):
    fields = {"epochs": 2, "arguments": SMALL, **FROZEN}
    plain, _ = run(fields)
    mixed, _ = run({**fields, "augmentation": [name]})
    for ours, theirs in zip(mixed, plain, strict=True):
        assert ours.train_loss != pytest.approx(theirs.train_loss, rel=1e-6)
        assert ours.val_loss == pytest.approx(theirs.val_loss, rel=1e-6)
    assert numbers(mixed) == numbers(run({**fields, "augmentation": [name]})[0])


def test_a_batch_that_hardly_mixes_trains_as_a_plain_one():
    # a box of less than a pixel, and a share that float32 holds as 1
    nothing = torch.tensor([[1.0, 1, 0, 0, 0, 0]])
    mix = mix_of((Cutmix(),), (nothing,), side=32)
    pictures = images(BATCH, 32, 3)
    assert torch.equal(mixed_input(pictures, mix), as_input(pictures))
    assert mixed_input(pictures, mix).is_contiguous(memory_format=torch.channels_last)
