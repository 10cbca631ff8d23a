"""What the documentation says of tests and files is there. A test's name is a sentence, a field's has three words."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_every_test_that_a_page_names_is_there():
    tests = {
        name for path in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())
    }
    named = {name: page.name for page in PAGES for name in re.findall(r"`(test(?:_\w+?){3,})`", page.read_text())}
    assert len(named) > 10
    assert {name: page for name, page in named.items() if name not in tests} == {}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_to_a_file(page):
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("name", ["reading_the_report.md", "report_json.md", "statistics.md"])
def test_the_pages_about_the_report_are_linked_from_the_first_one(name):
    assert f"(docs/{name})" in (ROOT / "README.md").read_text()


def test_the_first_screen_leads_to_ones_own_networks_and_data():
    screen = (ROOT / "README.md").read_text().splitlines()[:15]
    for words in ("docs/getting_started.md", "nets.py:MyNet", "folder:PATH"):
        assert any(words in line for line in screen), words


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_every_page_is_linked_from_the_first_one(page):
    assert f"(docs/{page.name}" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_waits_for_its_numbers_or_has_an_empty_table(page):
    text = page.read_text()
    assert not re.search(r"(?:^|\. )[A-Z]{4,}$", text, re.MULTILINE)
    assert not re.search(r"^\|(---\|)+\n(?!\|)", text, re.MULTILINE)
