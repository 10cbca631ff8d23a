"""Image grids as bytes: zlib of a JSON line with shape and names, then the pixels. Nothing is unpickled."""

import json
import zlib
from typing import TYPE_CHECKING

from db.records import ImageGrid

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def pack_grid(grid: ImageGrid) -> bytes:
    import numpy as np

    head = {"shape": grid.pixels.shape, "rows": grid.rows, "columns": grid.columns}
    return zlib.compress(json.dumps(head).encode() + b"\n" + np.ascontiguousarray(grid.pixels, np.uint8).tobytes())


def unpack_grid(packed: bytes) -> ImageGrid:
    import numpy as np

    line, pixels = zlib.decompress(packed).split(b"\n", 1)
    head = json.loads(line)
    return ImageGrid(
        pixels=np.frombuffer(pixels, np.uint8).reshape(head["shape"]),
        rows=tuple(head["rows"]),
        columns=tuple(head["columns"]),
    )


def with_column(grid: ImageGrid, name: str, pixels: "NDArray[np.uint8]") -> ImageGrid:
    """`pixels` (rows, height, width, 3)."""
    import numpy as np

    together = np.concatenate((grid.pixels, pixels[:, None]), axis=1)
    return ImageGrid(pixels=together, rows=grid.rows, columns=(*grid.columns, name))
