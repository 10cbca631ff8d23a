"""Image folders of every kind become 32 x 32 RGB arrays, or an error that names the file."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from db.errors import DataError
from scheduler.config import Config
from scheduler.datasets import identify
from worker.datasets import load_splits
from worker.pictures import read_image

PALETTE = {"red": (255, 0, 0), "blue": (0, 0, 255)}


@pytest.fixture
def colours(tmp_path: Path) -> Path:
    for part, count in (("train", 5), ("test", 2)):
        for name, colour in PALETTE.items():
            folder = tmp_path / "colours" / part / name
            folder.mkdir(parents=True)
            for index in range(count):
                Image.new("RGB", (32, 32), colour).save(folder / f"{index}.png")
    return tmp_path / "colours"


def load(folder: Path, tmp_path: Path, **options):
    config = Config(dataset=f"folder:{folder}")
    told: list[str] = []
    splits = load_splits(config, data_dir=tmp_path, cache_dir=tmp_path / "cache", notify=told.append, **options)
    return splits, told


def read(path: Path) -> tuple[np.ndarray, bool]:
    picture = read_image(path.read_bytes(), path)
    return picture.pixels, picture.scaled


def test_labels_follow_the_sorted_class_folders(colours, tmp_path):
    splits, _ = load(colours, tmp_path)
    assert splits.classes == ("blue", "red")
    for part in (splits.train, splits.val, splits.test):
        for image, label in zip(part.images, part.labels, strict=True):
            assert tuple(image[:, 9, 9]) == PALETTE[splits.classes[label]]


@pytest.mark.parametrize("kind", ["png", "jpg", "jpeg", "bmp", "gif", "webp", "ppm", "PNG"])
def test_every_format_is_read(kind, tmp_path):
    path = tmp_path / f"image.{kind}"
    Image.new("RGB", (32, 32), (200, 40, 90)).save(path)
    image, scaled = read(path)
    assert not scaled
    assert np.abs(image[:, 5, 5].astype(int) - (200, 40, 90)).max() <= 3  # JPEG and WebP are lossy


@pytest.mark.parametrize(("mode", "colour"), [("L", 77), ("1", 1), ("RGBA", (9, 8, 7, 128)), ("LA", (50, 3)), ("P", 0)])
def test_every_mode_becomes_rgb(mode, colour, tmp_path):
    path = tmp_path / "image.png"
    original = Image.new(mode, (32, 32), colour)
    original.save(path)
    image, _ = read(path)
    assert image.shape == (3, 32, 32)
    assert image.dtype == np.uint8
    assert tuple(image[:, 0, 0]) == original.convert("RGB").getpixel((0, 0))


def test_sixteen_bit_grey_keeps_its_brightness(tmp_path):
    path = tmp_path / "scan.png"
    Image.fromarray(np.full((32, 32), 40_000, np.uint16)).save(path)
    assert np.unique(read(path)[0]).tolist() == [40_000 >> 8]


def test_a_palette_with_transparent_bytes_is_read_without_a_warning(tmp_path):
    path = tmp_path / "icon.png"
    Image.new("P", (32, 32), 3).save(path, transparency=bytes(range(256)))
    assert read(path)[0].shape == (3, 32, 32)


def test_other_sizes_are_scaled_smoothly_and_told(colours, tmp_path):
    stripes = np.zeros((64, 96, 3), np.uint8)
    stripes[:, ::2] = 255
    Image.fromarray(stripes).save(colours / "train/red/0.png")
    splits, told = load(colours, tmp_path)
    assert splits.notices == ("1 of 14 images were scaled to 32x32, aspect ratio ignored",)
    assert any(splits.notices[0] in line for line in told)
    scaled, _ = read(colours / "train/red/0.png")
    assert scaled.min() > 90  # without antialiasing the stripes would stay black and white
    assert scaled.max() < 165


def test_notices_survive_the_cache(colours, tmp_path):
    (colours / "train/red/notes.txt").touch()
    first, second = (load(colours, tmp_path)[0] for _ in range(2))
    assert first.notices == second.notices == ("not read, being no image by its ending: train/red/notes.txt",)


@pytest.mark.parametrize("content", [b"", b"no image at all", "half", "eps"])
def test_an_unreadable_image_is_named_and_leaves_nothing(content, colours, tmp_path):
    victim = colours / "test/blue/1.png"
    if content == "half":
        noise = np.random.default_rng(1).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(noise).save(victim)
        content = victim.read_bytes()[:1500]
    elif content == "eps":  # a format that Pillow would hand to a program
        content = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 32\n%%EndComments\n"
    victim.write_bytes(content)
    with pytest.raises(DataError) as error:
        load(colours, tmp_path)
    assert str(victim) in str(error.value)
    assert list((tmp_path / "cache").glob("*.npz")) == list((tmp_path / "cache").glob("*.partial")) == []


@pytest.mark.parametrize("to", ["gone.png", "x.png"], ids=["nothing", "itself"])
def test_a_link_to_nowhere_is_named(to, colours, tmp_path):
    (colours / "train/red/x.png").symlink_to(colours / "train/red" / to)
    with pytest.raises(DataError, match=r"train/red/x\.png"):
        load(colours, tmp_path)


def test_the_submitted_fingerprint_is_accepted_and_a_changed_folder_refused(colours, tmp_path):
    submitted = identify(f"folder:{colours}", tmp_path).fingerprint
    load(colours, tmp_path, fingerprint=submitted)
    Image.new("RGB", (32, 32), (1, 2, 3)).save(colours / "train/red/0.png")
    with pytest.raises(DataError, match="not those that were submitted") as error:
        load(colours, tmp_path, fingerprint=submitted)
    assert "bench submit" in error.value.fix


def test_the_folder_itself_is_never_written(colours, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in [colours, *colours.rglob("*")]}
    load(colours, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in [colours, *colours.rglob("*")]} == before
