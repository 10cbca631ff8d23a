"""What three students handed in: anything that maps (N, 3, 32, 32) floats to (N, classes) logits."""

import torch
from torch import Tensor, nn


class LeNet(nn.Module):
    """LeCun et al. 1998, with ReLU and max pooling; `width` filters in the first layer."""

    def __init__(self, num_classes: int, width: int = 6) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *(nn.Conv2d(3, width, 5), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(width, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),
        )
        self.head = nn.Sequential(nn.Linear(16 * 5 * 5, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU())
        self.out = nn.Linear(84, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        features = self.features(images)
        return self.out(self.head(features.view(features.size(0), -1)))


class Perceptron(nn.Module):
    """No convolution at all: what is to be beaten."""

    def __init__(self, num_classes: int, hidden: int = 128) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(3 * 32 * 32, hidden), nn.ReLU(), nn.Linear(hidden, num_classes)
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


def patches(num_classes: int, width: int = 64, depth: int = 2) -> nn.Module:
    """Patches of 4x4 pixels, mixed over places and over channels in turn; a function will do as well as a class.

    Trockman and Kolter 2022, "Patches Are All You Need?".
    """

    class Residual(nn.Module):
        def __init__(self, layer: nn.Module) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, values: Tensor) -> Tensor:
            return torch.add(self.layer(values), values)

    def block() -> nn.Module:
        places = nn.Sequential(
            nn.Conv2d(width, width, 5, groups=width, padding="same"), nn.GELU(), nn.BatchNorm2d(width)
        )
        return nn.Sequential(Residual(places), nn.Conv2d(width, width, 1), nn.GELU(), nn.BatchNorm2d(width))

    return nn.Sequential(
        *(nn.Conv2d(3, width, 4, stride=4), nn.GELU(), nn.BatchNorm2d(width)),
        *(block() for _ in range(depth)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, num_classes)),
    )
