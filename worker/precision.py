"""What a config's `precision` means on a device.

`float32`: nothing is shortened. `tf32`: matrix products and convolutions round what goes into them to 10 bits of
mantissa. `bfloat16`: the network computes in bfloat16 where PyTorch's autocast says so, while weights, gradients, the
optimizer, losses and sums stay float32. bfloat16 has float32's range of exponents, so no gradient has to be scaled.
"""

from typing import Any

import torch
from torch import Tensor, nn

from db.errors import TrainingError
from scheduler.config import NEEDS_CUDA, Precision


def compute_in(precision: Precision, device: torch.device) -> None:
    """Set this process's switches for one training, and for nothing that an earlier one may have left.

    Raises TrainingError for a precision that the device lacks: the numbers would be others than the result says.
    """
    if precision in NEEDS_CUDA and device.type != "cuda":
        fix = "retry the job where workers have a card, or submit it with --precision float32"
        raise TrainingError(f"precision {precision} needs CUDA, and this worker trains on {device.type}", fix=fix)
    # a user's network may have changed these for the whole process
    torch.set_default_dtype(torch.float32)
    if torch.are_deterministic_algorithms_enabled():
        torch.use_deterministic_algorithms(False)
    _switch_tf32(precision == "tf32")
    # products of bfloat16 are summed in float32
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    # the same numbers in every run: no kernel is chosen by how fast it was
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False


def _switch_tf32(on: bool) -> None:
    """For products, convolutions and recurrent layers on CUDA; on a CPU nothing of float32 is shortened.

    By the older switches first: torch still reads them, and refuses to where they and the newer ones say different
    things. An older one that is off leaves the newer ones to what they inherit, so each of those is set as well.
    """
    backends: Any = torch.backends
    backends.fp32_precision = backends.cudnn.fp32_precision = "none"
    torch.set_float32_matmul_precision("high" if on else "highest")
    backends.cuda.matmul.allow_tf32 = backends.cudnn.allow_tf32 = on
    for of in (backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn):
        of.fp32_precision = "tf32" if on else "ieee"
    for of in (backends.mkldnn.conv, backends.mkldnn.rnn):
        of.fp32_precision = "ieee"


def logits_of(model: nn.Module, images: Tensor, precision: Precision) -> Tensor:
    """(B, classes) float32 of images (B, channels, side, side) float32; the network between them in `precision`."""
    # each weight is used once in a step, so a cache of shortened weights saves nothing; and within a CUDA graph that is
    # captured it may not be used (PyTorch's torch.cuda.make_graphed_callables)
    with torch.autocast(images.device.type, torch.bfloat16, enabled=precision == "bfloat16", cache_enabled=False):
        logits: Tensor = model(images)
    return logits.float()
