"""How a report comes into its folder: all of it or nothing, and each file whole."""

import os

import pytest
from filled_store import filled, layout_with_figures

from db.errors import ConfigError
from report import write, write_report
from report.folder import Files


def test_files_are_put_whole_and_links_are_replaced(tmp_path):
    mine = tmp_path / "mine.txt"
    mine.write_text("of somebody else")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.md").symlink_to(mine)
    files = Files()
    files.text("a.md", "new\x1b")
    files.pictures("figures/one", {"png": b"PNG", "svg": b"SVG"})
    files.put(tmp_path / "out")
    assert mine.read_text() == "of somebody else"
    assert (tmp_path / "out" / "a.md").read_text() == "new\ufffd"
    assert (tmp_path / "out" / "figures" / "one.png").read_bytes() == b"PNG"
    assert sorted(path.name for path in (tmp_path / "out").rglob("*.*")) == ["a.md", "one.png", "one.svg"]


def test_a_file_that_cannot_be_put_leaves_nothing_half_written(tmp_path):
    (tmp_path / "b.md").mkdir()
    files = Files()
    files.text("b.md", "text")
    with pytest.raises(OSError, match=r"b\.md"):
        files.put(tmp_path)
    assert os.listdir(tmp_path) == ["b.md"]  # noqa: PTH208  # hidden ones too


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_report_that_fails_before_its_end_leaves_the_earlier_one_as_it_was(tmp_path, monkeypatch):
    out = tmp_path / "out"
    with filled(tmp_path, seeds=(42,), only=("baseline",), layout=layout_with_figures(0)) as store:
        write_report(store, out)
        before = contents(out)

        def fails(*_, **__):
            raise MemoryError

        monkeypatch.setattr(write, "html_page", fails)
        with pytest.raises(MemoryError):
            write_report(store, out)
    assert contents(out) == before


def test_what_cannot_be_written_is_named(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "tables").write_text("a file of mine")
    small = {"seeds": (42,), "only": ("baseline",), "layout": layout_with_figures(0)}
    with filled(tmp_path, **small) as store, pytest.raises(ConfigError, match="tables") as caught:
        write_report(store, tmp_path / "out")
    assert caught.value.fix == "give another --out"
    assert (tmp_path / "out" / "tables").read_text() == "a file of mine"
