"""Files of a user's own, made up: pictures that are told apart by their brightness, as .npz and as Parquet."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from PIL import Image
from pyarrow import parquet

from scheduler.config import Config
from worker.datasets import load_splits

NAMES = ["dark", "grey", "light"]


def pictures(count: int, *shape: int, start: int = 0) -> np.ndarray:
    """(count, *shape) uint8, each picture another one; picture i is of class i % 3."""
    noise = np.random.default_rng(start).integers(0, 60, (count, *shape), dtype=np.uint8)
    return noise + (60 * (np.arange(count) % 3)).astype(np.uint8).reshape(-1, *[1] * len(shape))


def labels(count: int) -> np.ndarray:
    return np.arange(count) % 3


def png(picture: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


def write_npz(path: Path, *shape: int, **changed: Any) -> Path:
    """Keras' layout: 30 training and 9 test pictures; `changed` arrays replace those or come along, None takes away."""
    arrays = {"x_train": pictures(30, *shape), "y_train": labels(30)}
    arrays |= {"x_test": pictures(9, *shape, start=1), "y_test": labels(9)}
    arrays = {name: array for name, array in (arrays | changed).items() if array is not None}
    np.savez_compressed(path, **arrays)
    return path


def write_parquet(
    path: Path, images: list[Any], classes: list[Any], names: list[str] | None = None, **more: Any
) -> Path:
    """As Hugging Face writes it; `more` are other columns."""
    struct = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    cells = [{"bytes": one, "path": "x.png"} for one in images]
    table = pyarrow.table({"image": pyarrow.array(cells, struct), "label": pyarrow.array(classes), **more})
    if names:
        features = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": names}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, path)
    return path


def load(path: Path, tmp_path: Path, *, fingerprint: str | None = None, kind: str = "file:", **fields: Any):
    config = Config(dataset=f"{kind}{path}", **fields)
    return load_splits(config, data_dir=tmp_path, cache_dir=tmp_path / "cache", fingerprint=fingerprint)
