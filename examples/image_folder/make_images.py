"""Draw circles, squares and triangles of many colours and sizes: shapes/CLASS/NUMBER.png, 48x48 pixels.

python make_images.py [IMAGES_OF_EACH_CLASS]
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SIDE = 48
SHAPES = ("circle", "square", "triangle")


def draw(shape: str, draws: np.random.Generator) -> Image.Image:
    """One shape anywhere in the picture, on a ground of another colour, with noise over both."""
    ground, colour = (tuple(draws.integers(low, low + 120, 3).tolist()) for low in (0, 120))
    image = Image.new("RGB", (SIDE, SIDE), ground)
    radius = int(draws.integers(6, 14))
    x, y = draws.integers(radius + 1, SIDE - radius - 1, 2).tolist()
    pen = ImageDraw.Draw(image)
    if shape == "circle":
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    elif shape == "square":
        pen.rectangle((x - radius, y - radius, x + radius, y + radius), fill=colour)
    else:
        pen.polygon([(x, y - radius), (x - radius, y + radius), (x + radius, y + radius)], fill=colour)
    noisy = np.asarray(image) + draws.normal(0, 20, (SIDE, SIDE, 3))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def main() -> None:
    images = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    for number, shape in enumerate(SHAPES):
        folder = Path("shapes") / shape
        folder.mkdir(parents=True, exist_ok=True)
        draws = np.random.default_rng(number)
        for image in range(images):
            draw(shape, draws).save(folder / f"{image:04}.png")
    sys.stdout.write(f"{images} images of each of {', '.join(SHAPES)} in ./shapes\n")


if __name__ == "__main__":
    main()
