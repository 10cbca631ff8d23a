"""Pages that are made from the code say what it says today, and every error names its mend."""

from pathlib import Path

import pages
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", pages.PAGES)
def test_a_page_that_is_made_from_the_code_is_current(name):
    made = pages.PAGES[name]()
    assert (ROOT / "docs" / name).read_text() == made, "run `make pages`"
    assert len(made.splitlines()) > 100


def test_every_error_names_its_mend():
    found = pages.errors()
    assert len(found) > 150
    assert [one for one in found if not one.fix] == []


def test_each_room_that_raises_errors_has_some_on_the_page():
    assert {one.room for one in pages.errors()} == set(pages.ROOMS)


def test_values_that_are_only_known_later_stand_in_braces():
    known = {one.message for one in pages.errors()}
    assert "there is no suite file {source}" in known
    assert "--watch and --json exclude each other" in known
    assert "{model} returned {shape}, not {wanted}, for {images} images of {classes} classes {when}" in known
    assert "{model} gives logits that do not depend on what can be trained" in known
