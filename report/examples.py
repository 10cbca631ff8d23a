"""Pictures of what the augmentations of a report's configs do; without any of theirs, those of every data set."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from db.examples import ORIGINAL, examples_name
from db.records import ImageGrid
from report.scope import Scope

Listed = Sequence[Mapping[str, Any]]
"""The augmentations of a config, as it is stored."""


def augmentation_examples(scope: Scope) -> ImageGrid | None:
    """A row of pictures as they are, then one for each list that the configs have and a worker has shown.

    Where there is none: each picture in a row of its own, as the simplest augmentations change it. None without data.
    """
    grid = scope.dataset.augmentation if scope.dataset else None
    if grid is None:
        return None
    shown = {text: listed for text, listed in used(scope).items() if text in grid.columns}
    if not shown:
        always = [place for place, name in enumerate(grid.columns) if not name.startswith("[")]
        columns = tuple(grid.columns[place] for place in always)
        return ImageGrid(pixels=grid.pixels[:, always], rows=grid.rows, columns=columns)
    places = [grid.columns.index(name) for name in (ORIGINAL, *shown)]
    rows = (ORIGINAL, *_titles([*shown.values()]))
    return ImageGrid(pixels=grid.pixels[:, places].swapaxes(0, 1), rows=rows, columns=grid.rows)


def used(scope: Scope) -> dict[str, Listed]:
    """The lists of the configs, each once, by the text that names it in the store."""
    configs = [one["config"] for one in scope.submission.variants.values()]
    lists = [config["augmentation"] for config in configs if config.get("augmentation")]
    return {examples_name(listed): listed for listed in lists}


def caption_of_examples(scope: Scope) -> str:
    grid = scope.dataset.augmentation if scope.dataset else None
    lists = used(scope)
    known = [listed for text, listed in lists.items() if grid and text in grid.columns]
    if not known:
        return "Each row: one training image, as it is and as each transformation changes it."
    parts = ["The first row: training images; below, what an epoch makes of them by each list that configs have."]
    if any(one["name"] in ("mixup", "cutmix") for listed in known for one in listed):
        parts.append("mixup and cutmix mix each with the one to its left, and the first with the last.")
    missing = len(lists) - len(known)
    parts += [f"Of {missing} more {'list' if missing == 1 else 'lists'} there is no picture."] if missing else []
    return " ".join(part[0].upper() + part[1:] for part in parts)


def _titles(lists: Sequence[Listed]) -> list[str]:
    """The names of each list, and where two have the same ones what they differ in."""
    names = [" + ".join(one["name"] for one in listed) for listed in lists]
    alike = Counter(names)
    return [
        name if alike[name] == 1 else " + ".join(map(_whole, listed)) for name, listed in zip(names, lists, strict=True)
    ]


def _whole(one: Mapping[str, Any]) -> str:
    values = ", ".join(f"{field} {json.dumps(value)}" for field, value in one.items() if field != "name")
    return f"{one['name']} ({values})" if values else str(one["name"])
