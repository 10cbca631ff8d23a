"""How the examples of augmentations that the store keeps of a data set are named."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

ORIGINAL = "original"
"""The column of the pictures as they are."""


def examples_name(augmentation: Sequence[Mapping[str, Any]]) -> str:
    """The column of a config's list as it is stored: JSON, as no column of those that every data set has is called."""
    return json.dumps(augmentation, sort_keys=True)
