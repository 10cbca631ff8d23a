"""The training script that one writes by hand, as the measure of the engine's speed.

A DataLoader, torchvision's transforms on one image after the other, PyTorch's own layers in the plain layout, one
optimizer step for each batch and `.item()` for the running loss. Nothing here is slow on purpose, nothing is tuned.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.datasets import ImageFolder

from benchmarks.trainings import CLASSES
from worker.splits import Part

Source = Literal["folder", "memory"]


class InMemory(Dataset[tuple[Any, int]]):
    """Arrays that become a picture only when asked for, as torchvision's CIFAR data sets do it."""

    def __init__(self, part: Part, transform: Callable[[Image.Image], Tensor]) -> None:
        self.images, self.labels = part.images.transpose(0, 2, 3, 1), part.labels.tolist()
        self.transform = transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.images[index])), self.labels[index]


class PlainTraining:
    """One variant of the built-in suite, trained epoch by epoch on one device."""

    def __init__(self, variant: str, part: Part, folder: Path, source: Source, device: torch.device) -> None:
        self.smoothing = 0.1 if variant == "resnet" else 0.0
        self.device = device
        self.model = NETWORKS[variant]().to(device)
        data: Dataset[Any] = (
            ImageFolder(str(folder), transform_of(variant))
            if source == "folder"
            else InMemory(part, transform_of(variant))
        )
        self.batches = DataLoader(data, batch_size=256 if variant == "resnet" else 32, shuffle=True)
        weights = self.model.parameters()
        self.optimizer: torch.optim.Optimizer = (
            torch.optim.SGD(weights, lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True)
            if variant == "resnet"
            else torch.optim.Adam(weights, lr=1e-3)
        )

    def run_epoch(self) -> None:
        """Train one epoch, loading and transforms included."""
        self.model.train()
        loss_sum, correct = 0.0, 0
        for given in self.batches:
            images, labels = (values.to(self.device) for values in given)
            self.optimizer.zero_grad()
            logits = self.model(images)
            loss = F.cross_entropy(logits, labels, label_smoothing=self.smoothing)
            loss.backward()  # type: ignore[no-untyped-call] # torch has no types here
            self.optimizer.step()
            loss_sum += loss.item() * len(labels)
            correct += int((logits.argmax(1) == labels).sum().item())


def transform_of(variant: str) -> Callable[[Image.Image], Tensor]:
    steps: list[Any] = []
    if variant in ("both_augmented", "advanced", "resnet"):
        steps += [transforms.RandomHorizontalFlip(), transforms.RandomCrop(32, padding=4)]
    steps.append(transforms.ToTensor())
    if variant == "resnet":
        area = 8 * 8 / 32**2
        steps.append(transforms.RandomErasing(p=1.0, scale=(area, area), ratio=(1.0, 1.0)))
    composed: Callable[[Image.Image], Tensor] = transforms.Compose(steps)
    return composed


def baseline() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(64 * 8 * 8, 128), nn.ReLU()),
        nn.Linear(128, CLASSES),
    )


def both_augmented() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(3, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout2d(0.5)),
        *(nn.Conv2d(64, 128, 3, padding=1), nn.BatchNorm2d(128), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout2d(0.5)),
        *(nn.Flatten(), nn.Linear(128 * 8 * 8, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Dropout(0.5)),
        nn.Linear(128, CLASSES),
    )


def advanced() -> nn.Module:
    return nn.Sequential(
        *(vgg_block(3, 64), vgg_block(64, 128), vgg_block(128, 256), nn.Flatten()),
        *(nn.Linear(256 * 4 * 4, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Dropout(0.5)),
        *(nn.Linear(512, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Dropout(0.5)),
        nn.Linear(256, CLASSES),
    )


def vgg_block(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()),
        *(nn.Conv2d(outputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()),
        *(nn.MaxPool2d(2), nn.Dropout2d(0.25)),
    )


def resnet() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU()),
        *(Residual(64, 64), Residual(64, 64), Residual(64, 64)),
        *(Residual(64, 128, stride=2), Residual(128, 128), Residual(128, 128)),
        *(Residual(128, 256, stride=2), Residual(256, 256), Residual(256, 256)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, CLASSES)),
    )


class Residual(nn.Module):
    def __init__(self, inputs: int, outputs: int, *, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = (
            nn.Identity()
            if inputs == outputs
            else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs))
        )

    def forward(self, images: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        inner = F.relu(self.norm1(self.conv1(images)))
        return F.relu(self.norm2(self.conv2(inner)) + self.shortcut(images))


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "baseline": baseline,
    "both_augmented": both_augmented,
    "advanced": advanced,
    "resnet": resnet,
}
