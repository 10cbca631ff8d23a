"""Measuring a network on data that it does not learn from."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from db.records import EpochRecord, Predictions, Scores
from scheduler.config import Precision
from worker.precision import logits_of
from worker.splits import Part, Splits

_BATCH = 256  # images at once; larger ones fall out of the cache


@dataclass(frozen=True, slots=True)
class Measured:
    loss: float
    accuracy: float
    probabilities: Tensor | None = None  # (N, classes) float32 on the CPU


def as_input(images: Tensor, layout: torch.memory_format = torch.channels_last) -> Tensor:
    """(B, side, side, channels) uint8 to (B, channels, side, side) float32 in [0, 1]; channels_last without a copy."""
    return images.permute(0, 3, 1, 2).to(torch.float32, memory_format=layout).div_(255)


def evaluate(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    precision: Precision,
    keep: bool = False,
    layout: torch.memory_format = torch.channels_last,
    own: bool = False,
) -> Measured:
    """Mean cross-entropy and accuracy over `images` (N, side, side, channels) uint8; `keep`: the probabilities too.

    A user's `own` network may keep tensors that it makes here, and inference tensors can be neither trained nor loaded.

    The loss is that of the true classes, without label smoothing: figures of different configs can be compared.
    """
    model.eval()
    loss = torch.zeros((), dtype=torch.float64, device=images.device)
    correct = torch.zeros((), dtype=torch.int64, device=images.device)
    kept = []
    with torch.no_grad() if own else torch.inference_mode():
        for start in range(0, len(labels), _BATCH):
            truth = labels[start : start + _BATCH]
            logits = logits_of(model, as_input(images[start : start + _BATCH], layout), precision)
            loss += F.cross_entropy(logits, truth, reduction="sum")
            correct += (logits.argmax(1) == truth).sum()
            if keep:
                kept.append(logits.softmax(1))
    return Measured(
        loss=loss.item() / len(labels),
        accuracy=correct.item() / len(labels),
        probabilities=torch.cat(kept).cpu() if keep else None,
    )


def scores(record: EpochRecord, seen: Measured, splits: Splits) -> Scores:
    """The weights of `record`'s epoch, measured on the test set."""
    predicted = predictions(splits.test, seen).probabilities.argmax(1)
    classes = len(splits.classes)
    # scikit-learn's `confusion_matrix`, whose import would cost each new worker two seconds
    table = np.bincount(splits.test.labels * classes + predicted, minlength=classes**2).reshape(classes, classes)
    return Scores(
        epoch=record.epoch,
        train_loss=record.train_loss,
        train_accuracy=record.train_accuracy,
        val_loss=record.val_loss,
        val_accuracy=record.val_accuracy,
        test_loss=seen.loss,
        test_accuracy=seen.accuracy,
        confusion=tuple(tuple(int(count) for count in row) for row in table),
    )


def predictions(part: Part, seen: Measured) -> Predictions:
    assert seen.probabilities is not None  # noqa: S101 - measured with keep=True
    return Predictions(labels=part.labels, probabilities=seen.probabilities.numpy())
