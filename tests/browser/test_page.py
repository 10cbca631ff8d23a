"""report.html in a real browser: nothing leaves it, nothing overlaps, and what a reader does works."""

import csv
import io
import re
from xml.etree import ElementTree

import pytest

WIDTHS = (1280, 390)
MAIN = "[data-table=table_4_comparison]"
HISTORIES = "figure_05_improvement_histories"
CONFUSION = "figure_13_confusion_matrices"
OVERLAPS = """() => {
  const found = [];
  for (const svg of document.querySelectorAll(".plot svg")) {
    const texts = [...svg.querySelectorAll("text")].filter((text) => text.textContent.trim());
    const boxes = texts.map((text) => text.getBoundingClientRect());
    for (let i = 0; i < texts.length; i++) for (let j = 0; j < i; j++) {
      const [a, b] = [boxes[i], boxes[j]];
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (wide > 1 && high > 3) found.push(`${svg.ariaLabel}: ${texts[j].textContent} / ${texts[i].textContent}`);
    }
  }
  return found;
}"""
BLOCKS = """() => {
  const found = [];
  const blocks = [...document.querySelectorAll("header > *, section > *, figure > *, .choices > *, .chips > *")];
  const shown = blocks.filter((block) => block.getClientRects().length && !block.matches(".skip"));
  for (const block of shown) {
    const a = block.getBoundingClientRect();
    if (a.right > innerWidth + 1 || a.left < -1) found.push(`outside: ${block.outerHTML.slice(0, 80)}`);
    const next = block.nextElementSibling;
    if (!next || !shown.includes(next)) continue;
    const b = next.getBoundingClientRect();
    const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (wide > 1 && high > 1) found.push(`${block.outerHTML.slice(0, 60)} / ${next.outerHTML.slice(0, 60)}`);
  }
  return found;
}"""


def test_the_page_of_sixty_jobs_has_less_than_5_mb(study):
    html, numbers = study
    assert len(numbers["jobs"]) >= 60
    assert html.stat().st_size < 5_000_000


def test_the_page_asks_for_nothing_and_draws_every_figure(opened, study):
    html, numbers = study
    with opened(html) as one:
        page = one.drawn()
        kinds = page.eval_on_selector_all("figure[data-figure]", "all => all.map((one) => one.dataset.figure)")
        assert set(numbers["figures"]) - set(kinds) == {"figure_02_sample_images", "figure_06_augmentation_examples"}
        for name in kinds:
            assert page.locator(f"#{name} .plot svg *").count() > 3, name
        assert {url.split(":")[0] for url in one.asked} <= {"file", "data", "about"}
        assert [url for url in one.asked if url.startswith("file:")] == [f"file://{html}"]


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_overlaps_and_nothing_is_cut_off(opened, study, width):
    with opened(study[0], width) as one:
        page = one.drawn()
        assert page.evaluate(OVERLAPS) == []
        assert page.evaluate(BLOCKS) == []
        assert page.evaluate("document.documentElement.scrollWidth") == width


def column(page, place):
    return page.eval_on_selector_all(
        f"{MAIN} tbody tr:not([hidden])", f"rows => rows.map((r) => r.cells[{place}].textContent)"
    )


def test_a_column_sorts_up_and_down_and_back(opened, study):
    with opened(study[0]) as one:
        page, head = one.page, one.page.locator(f"{MAIN} th button").nth(2)
        before = column(page, 2)
        values = sorted(before, key=lambda text: float(text.split()[0]))
        head.click()
        assert column(page, 2) == values
        assert page.locator(f"{MAIN} th").nth(2).get_attribute("aria-sort") == "ascending"
        head.click()
        assert column(page, 2) == values[::-1]
        head.click()
        assert column(page, 2) == before


def test_rows_are_filtered_and_columns_hidden_and_the_address_keeps_both(opened, study):
    with opened(study[0]) as one:
        page = one.page
        page.locator(f"{MAIN} input[type=search]").fill("DROP")
        assert column(page, 0) == ["Dropout only"]
        page.locator(f"{MAIN} summary").click()
        page.locator(f"{MAIN} .list label", has_text="95 % interval").click()
        shown = page.locator(f"{MAIN} th:visible").all_inner_texts()
        assert "95 % interval" not in shown
        again = one.go(page.url.split("#")[1])
        assert column(again, 0) == ["Dropout only"]
        assert again.locator(f"{MAIN} th:visible").all_inner_texts() == shown


def test_links_and_a_table_without_a_match_leave_what_was_chosen(opened, study):
    with opened(study[0]) as one:
        page = one.go("theme=dark")
        page.locator(f"{MAIN} input[type=search]").fill("no such thing")
        assert page.locator(f"{MAIN} [role=status]").inner_text() == "no row matches"
        page.locator("#checklist ~ dl a").first.click()
        assert "theme=dark" in page.url
        assert "find=no+such+thing" in page.url


def curves(page):
    return set(
        page.eval_on_selector_all(f"#{HISTORIES} .plot [data-series]", "all => all.map((g) => g.dataset.series)")
    )


def test_a_variant_is_hidden_shown_and_seen_alone(opened, study):
    with opened(study[0]) as one:
        page = one.drawn()
        chip = page.locator(f"#{HISTORIES} .chip", has_text="Dropout only")
        assert curves(page) == {"baseline", "dropout", "batchnorm", "both"}
        chip.click()
        assert curves(page) == {"baseline", "batchnorm", "both"}
        assert chip.get_attribute("aria-pressed") == "false"
        chip.click(modifiers=["Shift"])
        assert curves(page) == {"dropout"}
        chip.click()
        assert curves(page) == set()
        assert page.locator(f"#{HISTORIES} .plot").inner_text() == "nothing is chosen"
        chip.click()
        one.go(page.url.split("#")[1])
        assert curves(one.drawn()) == {"dropout"}
        page.locator(f"#{HISTORIES} .chips button", has_text=re.compile("^all$")).click()
        assert curves(page) == {"baseline", "dropout", "batchnorm", "both"}


def test_the_loss_axis_can_be_logarithmic(opened, study):
    with opened(study[0]) as one:
        page = one.drawn()
        before = page.locator(f"#{HISTORIES} .curve").first.get_attribute("d")
        page.locator(f"#{HISTORIES} select[name=loss]").select_option("log")
        assert page.locator(f"#{HISTORIES} .curve").first.get_attribute("d") != before
        assert "loss, logarithmic" in page.locator(f"#{HISTORIES} .plot").inner_text()
        assert f"{HISTORIES}.loss=log" in page.url


def test_matrices_show_rates_or_counts_on_one_scale(opened, study):
    html, numbers = study
    row = next(one for one in numbers["figures"][CONFUSION] if one["variant"] == "resnet" and one["images"])
    with opened(html) as one:
        page = one.drawn()
        cells = page.locator(f"#{CONFUSION} .plot")
        assert f"{100 * row['share']:.0f}" in cells.inner_text().split()
        page.locator(f"#{CONFUSION} select[name=numbers]").select_option("counts")
        assert str(row["images"]) in cells.inner_text().split()
        most = max(other["images"] for other in numbers["figures"][CONFUSION])
        strengths = page.eval_on_selector_all(
            f"#{CONFUSION} .plot [data-series]", "all => all.map((c) => c.getAttribute('fill-opacity'))"
        )
        shown = {f"{other['images'] / most:.3f}" for other in numbers["figures"][CONFUSION]}
        assert set(strengths) <= shown


def test_of_many_variants_the_most_accurate_are_drawn_first(opened, study):
    html, numbers = study
    ranked = [row["variant"] for row in numbers["figures"]["figure_A_forest"]]
    with opened(html) as one:
        page = one.drawn()
        pressed_ones = f"#{CONFUSION} .chip[aria-pressed=true]"
        offered = page.eval_on_selector_all(f"#{CONFUSION} .chip", "all => all.map((chip) => chip.dataset.key)")
        first = page.eval_on_selector_all(pressed_ones, "all => all.map((chip) => chip.dataset.key)")
        assert set(first) == set([label for label in ranked if label in offered][:4])
        assert page.locator(f"#{CONFUSION} .chips .quiet").inner_text() == f"4 of {len(offered)} shown"
        pressed(page, CONFUSION, "all")
        assert page.locator(pressed_ones).count() == len(offered)


def test_a_pointer_and_the_arrow_keys_tell_the_values_of_an_epoch(opened, study):
    html, numbers = study
    with opened(html) as one:
        page = one.drawn()
        plot = page.locator(f"#{HISTORIES} .plot svg")
        plot.scroll_into_view_if_needed()
        box = plot.bounding_box()
        page.mouse.move(box["x"] + 300, box["y"] + 100)
        assert page.locator(".tip").inner_text().startswith("epoch ")
        page.mouse.move(0, 0)
        assert page.locator(".tip").is_hidden()
        plot.focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        told = page.locator(".tip").inner_text()
        row = next(row for row in numbers["figures"][HISTORIES] if row["variant"] == "dropout" and row["epoch"] == 2)
        assert told.startswith("epoch 2")
        assert f"Dropout only: training {100 * row['train_accuracy']:.1f}" in told
        assert f"loss {row['val_loss']:.3f}" in told
        page.keyboard.press("Escape")
        assert page.locator(".tip").is_hidden()


@pytest.mark.parametrize("kind", ["SVG", "CSV"])
def test_a_figure_is_saved_under_its_name(opened, study, kind):
    with opened(study[0], accept_downloads=True) as one:
        with one.drawn().expect_download() as waiting:
            pressed(one.page, HISTORIES, kind)
        assert waiting.value.suggested_filename == f"{HISTORIES}.{kind.lower()}"
        assert waiting.value.path().stat().st_size > 1000


def pressed(page, figure, text):
    page.locator(f"#{figure} button", has_text=re.compile(f"^{text}$")).click()


KEEP = """() => {
  const make = URL.createObjectURL;
  URL.createObjectURL = (blob) => ((window.blob = blob), make.call(URL, blob));
}"""


def saved(page, figure, kind):
    """What a button hands to the browser, which saves only so many files in a row."""
    pressed(page, figure, kind)
    return page.evaluate("blob.text()")


def test_a_tap_tells_a_value(opened, study):
    with opened(study[0], 390, has_touch=True, is_mobile=True) as one:
        page = one.drawn()
        page.locator("#figure_A_forest .plot circle").first.tap()
        assert "95 % interval" in page.locator(".tip").inner_text()


def test_every_figure_gives_its_picture_and_its_data(opened, study):
    html, numbers = study
    with opened(html) as one:
        page = one.drawn()
        page.evaluate(KEEP)
        for name, rows in numbers["figures"].items():
            picture = ElementTree.fromstring(saved(page, name, "SVG"))  # noqa: S314  # made by this page
            assert picture.tag == "{http://www.w3.org/2000/svg}svg", name
            if page.locator(f"#{name}[data-figure]").count():
                assert "var(" not in ElementTree.tostring(picture, "unicode"), name
                data = [*csv.DictReader(io.StringIO(saved(page, name, "CSV")))]
                assert len(data) == len(rows), name
                assert same(data[-1], rows[-1]), name


def same(line, row):
    """Numbers to the digits that the page holds."""
    for name, value in row.items():
        text = line[name]
        if isinstance(value, float):
            assert float(text) == pytest.approx(value, rel=1e-5, abs=1e-12), name
        elif isinstance(value, bool):
            assert text == str(value).lower(), name
        else:
            assert text == ("" if value is None else str(value)), name
    return True


def test_data_are_a_table_for_those_who_do_not_see_the_chart(opened, study):
    html, numbers = study
    with opened(html) as one:
        page = one.drawn()
        page.locator(f"#{HISTORIES} button", has_text="Data").click()
        rows = page.locator(f"#{HISTORIES} .data tbody tr")
        assert rows.count() == len(numbers["figures"][HISTORIES])
        page.locator(f"#{HISTORIES} button", has_text="Data").click()
        assert rows.count() == 0


def paper(page):
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


def test_colours_follow_the_system_and_a_reader_may_choose(opened, study):
    with opened(study[0], color_scheme="dark") as dark, opened(study[0], color_scheme="light") as light:
        assert paper(light.page) == "rgb(255, 255, 255)"
        assert paper(dark.page) != paper(light.page)
        dark.page.locator("#theme").select_option("light")
        assert paper(dark.page) == paper(light.page)
        assert paper(dark.go(dark.page.url.split("#")[1])) == paper(light.page)


def test_a_section_is_found_by_its_link_without_losing_what_was_chosen(opened, study):
    with opened(study[0]) as one:
        page = one.go("theme=dark")
        page.locator("nav a", has_text="Failures").click()
        assert "theme=dark" in page.url
        assert page.locator("#failures").bounding_box()["y"] < 200
        one.go(page.url.split("#")[1])
        assert page.locator("#failures").bounding_box()["y"] < 200


@pytest.mark.parametrize("width", WIDTHS)
def test_hostile_names_stay_text(opened, hostile, width):
    with opened(hostile, width) as one:
        page = one.drawn()
        for button in page.get_by_role("button", name=re.compile("^Show the data")).all():
            button.click()
        page.locator(".chip").first.hover()
        assert page.evaluate("typeof hacked") == "undefined"
        assert page.locator("img[src=x]").count() == 0
        assert page.title().startswith("</script><img src=x")
        assert "</script><img src=x onerror=" in page.locator("h1").inner_text()
        assert "{{ 7*7 }}" in page.locator("h1").inner_text()
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert {url.split(":")[0] for url in one.asked} <= {"file", "data", "about"}


def test_no_script_but_the_pages_own_would_run(opened, study, tmp_path):
    html = tmp_path / "changed.html"
    html.write_text(
        study[0].read_text().replace("</main>", "<script>hacked=1</script><img src=x onerror='hacked=1'></main>")
    )
    with opened(html) as one:
        assert one.page.evaluate("typeof hacked") == "undefined"
        assert len(one.said) >= 2  # the browser tells of each
        one.said.clear()


def test_without_a_script_the_figures_are_pictures(opened, study):
    with opened(study[0], java_script_enabled=False) as one:
        shown = one.page.locator("figure img:visible").count()
        assert shown == one.page.locator("figure").count() >= 13


def test_all_figures_are_printed(opened, study, tmp_path):
    with opened(study[0]) as one:
        one.page.pdf(path=tmp_path / "page.pdf")
        assert one.page.locator("figure[data-figure] .plot:not(:has(svg))").count() == 0
        one.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        names = one.page.locator(f"#{HISTORIES} .plot").inner_text()
        assert "Dropout only" in names  # paper has no buttons that name the colours
        one.page.emulate_media(media="print")
        assert one.page.locator("nav, .chips").locator("visible=true").count() == 0
