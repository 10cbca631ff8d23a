"""By what the store knows the split that a data set's counts are of."""

from collections.abc import Mapping
from typing import Any


def split_name(config: Mapping[str, Any]) -> str:
    """Of a stored config: the fraction and the seed of the split, and the test part's fraction where it is unusual."""
    name = f"{config['validation_fraction']}/{config['split_seed']}"
    return f"{name}/{config['test_fraction']}" if "test_fraction" in config else name
