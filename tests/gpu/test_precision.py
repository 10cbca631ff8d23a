"""tf32 and bfloat16 on a CUDA device, captured as a graph and step by step."""

import pytest
import torch
from small_trainings import SMALL, assert_same, numbers, run

from db.records import Weights
from worker.checkpoints import Checkpoints
from worker.engine import Stopped
from worker.precision import compute_in

pytestmark = pytest.mark.gpu

CUDA = torch.device("cuda")
FIELDS = {
    "adam": {"arguments": {**SMALL, "batch_norm": True, "dropout": 0.5}, "augmentation": ["flip", "crop"]},
    "sgd": {
        "model": "resnet",
        "arguments": {"stage_depths": [16, 32], "blocks": 1},
        "optimizer": "sgd",
        "learning_rate": 0.05,
        "momentum": 0.9,
    },
}
EACH = pytest.mark.parametrize("fields", FIELDS.values(), ids=FIELDS)
BOTH = pytest.mark.parametrize("precision", ["tf32", "bfloat16"])


@pytest.fixture(autouse=True)
def _switches_as_before():
    yield
    compute_in("float32", CUDA)


@EACH
@pytest.mark.parametrize(("precision", "tolerance"), [("tf32", 0.01), ("bfloat16", 0.05)])
def test_captured_steps_give_the_numbers_of_plain_ones_within_tolerance(fields, precision, tolerance):
    records, outcome = run({**fields, "precision": precision}, device=CUDA)
    plain, other = run({**fields, "precision": precision}, device=CUDA, graph=False)
    assert outcome.captured
    assert not other.captured
    for ours, theirs in zip(records, plain, strict=True):
        # rounding to 10 or 7 bits of mantissa grows over the steps of an optimizer, more than float32's
        assert (ours.train_loss, ours.val_loss) == pytest.approx((theirs.train_loss, theirs.val_loss), rel=tolerance)


@EACH
@BOTH
def test_a_captured_training_gives_the_same_numbers_each_time(fields, precision):
    records, outcome = run({**fields, "precision": precision}, device=CUDA)
    again, other = run({**fields, "precision": precision}, device=CUDA)
    assert outcome.captured
    assert numbers(records) == numbers(again)
    assert_same(outcome, other)


@BOTH
@pytest.mark.parametrize("stop_at", [2, 5])
def test_an_interrupted_training_goes_on_bit_for_bit(precision, stop_at, tmp_path):
    fields = {**FIELDS["adam"], "precision": precision}
    records, outcome = run(fields, device=CUDA)
    asked, checkpoints, before = iter(range(1, 1000)), Checkpoints(str(tmp_path / "c"), key="k"), []
    with pytest.raises(Stopped):
        run(
            fields,
            device=CUDA,
            on_epoch=before.append,
            should_stop=lambda: next(asked) >= stop_at,
            save=checkpoints.save,
        )
    snapshot, _ = checkpoints.load()
    after, resumed = run(fields, device=CUDA, resume=snapshot)
    assert numbers([*before, *after]) == numbers(records)
    assert_same(resumed, outcome)


def test_a_float32_training_after_others_gives_its_own_numbers_again():
    records, outcome = run(FIELDS["sgd"], device=CUDA)
    for precision, on in (("tf32", True), ("bfloat16", False)):
        run({**FIELDS["sgd"], "precision": precision}, device=CUDA)
        assert torch.backends.cuda.matmul.allow_tf32 is torch.backends.cudnn.allow_tf32 is on
    again, other = run(FIELDS["sgd"], device=CUDA)
    assert torch.backends.cuda.matmul.allow_tf32 is torch.backends.cudnn.allow_tf32 is False
    assert numbers(records) == numbers(again)
    assert_same(outcome, other)


def test_bfloat16_computes_otherwise_and_measures_in_float32():
    saved = []
    _, plain = run(FIELDS["adam"], device=CUDA)
    _, outcome = run({**FIELDS["adam"], "precision": "bfloat16"}, device=CUDA, save=saved.append, save_at_end=True)
    ours, theirs = (one.predictions[Weights.LAST].probabilities for one in (outcome, plain))
    assert (ours != theirs).any()
    assert ours.sum(1) == pytest.approx(1, abs=1e-6)  # a softmax of bfloat16 would be off by 1e-3
    assert {value.dtype for value in saved[-1].tensors.values() if value.is_floating_point()} == {torch.float32}


@pytest.mark.skipif(
    torch.cuda.is_available() and torch.cuda.get_device_capability() < (8, 0), reason="this card has no TF32"
)
def test_tf32_rounds_matrix_products_and_float32_does_not():
    draws = torch.Generator(CUDA).manual_seed(1)
    left, right = (torch.randn(512, 512, device=CUDA, generator=draws) for _ in range(2))
    exact = left.double() @ right.double()
    errors = {}
    for precision in ("tf32", "float32"):
        compute_in(precision, CUDA)
        errors[precision] = ((left @ right - exact).norm() / exact.norm()).item()
    assert errors["float32"] < 1e-5 < 1e-4 < errors["tf32"] < 1e-2
