"""Augmentation on a CUDA device: the CPU's pixels, also from a captured graph."""

import by_torchvision
import pytest
import torch
from small_trainings import EVERY_AUGMENTATION, config

from worker.augmentation import apply, draw
from worker.mixing import mix_of, mixed_input

pytestmark = pytest.mark.gpu

CUDA = torch.device("cuda")
EVERY = config(augmentation=EVERY_AUGMENTATION).augmentation
LISTS = [(one,) for one in EVERY] + [EVERY]
EACH = pytest.mark.parametrize("augmentation", LISTS, ids=lambda given: " + ".join(one.name for one in given))


def made(images, rows, augmentation, draws):
    pictures = apply(images, rows, augmentation, draws)
    return mixed_input(pictures, mix_of(augmentation, draws.values, side=images.shape[1]))


@EACH
@pytest.mark.parametrize(("side", "channels"), [(32, 1), (32, 3), (28, 3), (15, 1)])
def test_a_device_makes_the_cpus_pictures(augmentation, side, channels):
    images, rows = by_torchvision.images(2000, side, channels), torch.randperm(2000)
    draws = draw(augmentation, 2000, torch.Generator().manual_seed(5), side=side)
    ours = apply(images.to(CUDA), rows.to(CUDA), augmentation, draws.to(CUDA))
    assert torch.equal(ours.cpu(), apply(images, rows, augmentation, draws))


@EACH
def test_a_captured_graph_makes_the_pictures_of_plain_calls_for_draws_that_change(augmentation):
    images, rows = by_torchvision.images(64, 32, 3).to(CUDA), torch.randperm(64).to(CUDA)
    first, second = (draw(augmentation, 64, torch.Generator().manual_seed(number)).to(CUDA) for number in (1, 2))
    plain = made(images, rows, augmentation, second)
    graph, aside = torch.cuda.CUDAGraph(), torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        made(images, rows, augmentation, first)
    torch.cuda.current_stream().wait_stream(aside)
    with torch.cuda.graph(graph, stream=aside):
        captured = made(images, rows, augmentation, first)
    for ours, drawn in zip(first.values, second.values, strict=True):
        ours.copy_(drawn)
    graph.replay()
    assert torch.equal(captured, plain)
