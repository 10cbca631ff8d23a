"""Text that somebody else wrote, in the report's Markdown: it is shown, and never does anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from report.tables import Table
from report.text import as_markdown, plain

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
HOSTILE = [
    "**bold** _italic_ *it* __both__ ~~gone~~",
    "[click](javascript:alert(1)) ![picture](https://there/x.png)",
    "[name]: https://there",
    "[name][other] open [",
    "`code` ``more`` and a \\ or \\* before",
    "<script>alert(1)</script> <b>",
    "&copy; &#42; AT&T",
    "# heading ##",
    "- item",
    "10. item",
    "> quoted",
    "a | b",
    "    indented",
    "two\nlines\n===",
]


def shown(kind, before, text, after=""):
    """What a reader sees of the inline part of a block of this kind; fails where anything but text came of it."""
    tokens = MARKDOWN.parse(f"{before}{text}{after}\n")
    assert tokens[0].type == f"{kind}_open", tokens
    inline = [token for token in tokens if token.type == "inline"]
    assert len(inline) == 1
    assert {child.type for child in inline[0].children} <= {"text", "text_special"}, inline[0].children
    return "".join(child.content for child in inline[0].children)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(("kind", "before"), [("heading", "## "), ("paragraph", ""), ("paragraph", "Classes: ")])
def test_a_hostile_title_is_shown_letter_by_letter(text, kind, before):
    title = plain(text)
    assert shown(kind, before, title) == before.removeprefix("## ") + " ".join(text.split("\n")).strip()


@given(st.text(alphabet=list("ab1 _*`~[]()!<>&#;:-+=.|\\$\"'"), min_size=1, max_size=20).filter(str.strip))
def test_no_text_of_markdowns_characters_becomes_anything_but_text(text):
    assert shown("heading", "## ", plain(text)) == text.strip()
    assert shown("paragraph", "", plain(text)) == text.strip()


@pytest.mark.parametrize("title", [*HOSTILE, "[", "]", "x [1", "!"])
def test_a_title_stays_in_the_brackets_of_its_picture(title):
    inline = MARKDOWN.parse(f"![{plain(title)}](figures/one.png)")[1]
    assert [child.type for child in inline.children] == ["image"]
    assert inline.children[0].attrs["src"] == "figures/one.png"


def test_a_hostile_cell_stays_one_cell():
    cells = ("a | b", "**x**", "[x](y)", "<b>", "`a|b`", "\\|", "[87.09, 93.16]", "-14.20", "conv_depths=64x128")
    head = tuple(str(number) for number in range(len(cells)))
    table = Table(name="t", title="t", note="n", head=head, cells=(cells,), values=())
    inline = [token for token in MARKDOWN.parse(as_markdown(table)) if token.type == "inline"][len(head) :][: len(head)]
    assert tuple("".join(child.content for child in one.children) for one in inline) == cells
    assert {child.type for one in inline for child in one.children} <= {"text", "text_special"}


def test_what_needs_no_escape_has_none():
    for text in ("both_augmented", "[87.09, 93.16]", "−7.74", "-14.20", "Both + augmentation", "conv_depths=64x128"):
        assert plain(text) == text
