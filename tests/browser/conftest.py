"""A real Chromium without a network, and a report in an empty folder for it."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from filled_store import filled
from playwright.sync_api import Browser, Page, sync_playwright

from report import write_report

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ALONE = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
ALONE += ("--disable-sync", "--no-first-run")
WIDTHS = (1280, 390)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium here (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*ALONE])
        yield browser
        browser.close()


class Opened:
    """A page with what it said and asked for, and the report's numbers beside it."""

    def __init__(self, page: Page, html: Path) -> None:
        self.page, self.html = page, html
        self.said: list[str] = []
        self.asked: list[str] = []
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))

    def go(self, state: str = "") -> Page:
        """Anew, with what stands behind # in the address."""
        self.page.goto("about:blank")
        self.page.goto(f"file://{self.html}{f'#{state}' if state else ''}")
        return self.page

    def drawn(self) -> Page:
        """With every figure drawn, as after it was printed."""
        self.page.evaluate("dispatchEvent(new Event('beforeprint')), dispatchEvent(new Event('afterprint'))")
        return self.page


@pytest.fixture
def opened(chromium):
    """A function that opens a page in a window of that width; any error in it fails the test."""
    contexts, pages = [], []

    @contextmanager
    def window(html: Path, width: int = 1280, **how):
        context = chromium.new_context(viewport={"width": width, "height": 900}, offline=True, **how)
        contexts.append(context)
        pages.append(Opened(context.new_page(), html))
        pages[-1].go()
        yield pages[-1]

    yield window
    for context in contexts:
        context.close()
    assert [text for one in pages for text in one.said] == []


def in_empty_folder(report, folder: Path) -> Path:
    folder.mkdir()
    return Path(shutil.copy(report.html, folder / "report.html"))


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    """The built-in suite, 66 jobs, one of which failed, and a variant that nobody submitted: page and numbers."""
    folder = tmp_path_factory.mktemp("study")
    how = {"seeds": range(42, 48), "failed": [("advanced", 44)], "missing": ["hidden_units=64"]}
    with filled(folder, **how) as store:
        report = write_report(store, folder / "out")
    return in_empty_folder(report, folder / "alone"), json.loads((folder / "out" / "report.json").read_text())


HOSTILE = '</script><img src=x onerror="hacked=1">\'"]]>--><script>hacked=1</script> {{ 7*7 }} $x_1$'


@pytest.fixture(scope="session")
def hostile(tmp_path_factory):
    """Titles, classes and messages that want to be more than text."""
    folder = tmp_path_factory.mktemp("hostile")
    classes = [f"{HOSTILE} {number}" for number in range(20)]
    how = {"seeds": (42, 43), "only": ("baseline", "dropout"), "failed": [("dropout", 43)]}
    with filled(folder, title=HOSTILE, classes=classes, **how) as store:
        report = write_report(store, folder / "out")
    return in_empty_folder(report, folder / "alone")
