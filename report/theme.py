"""Colours, sizes, fonts and names that every figure shares."""

import json
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

from report.characters import visible

# Okabe and Ito (2008), "Color Universal Design", then Tol's muted scheme; told apart with every common colour vision
COLOURS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#332288",
    "#999933",
    "#882255",
    "#44AA99",
    "#AA4499",
    "#DDCC77",
)
_ON_DARK = (
    "#4DA6E0",
    "#F0B429",
    "#2FC79A",
    "#E39CC3",
    "#8ACBF2",
    "#FF8A3C",
    "#9A8CF0",
    "#C4C44F",
    "#D9659B",
    "#6FD0C0",
    "#D67FC7",
    "#EADB8F",
)
MARKERS = ("o", "s", "^", "v", "P", "X", "*")
PARTS = {"train": "#4D4D4D", "validation": "#969696", "test": "#D0D0D0"}  # greys: no variant has them
MUTE = "#5F6670"
LIGHT = {"--ink": "#1C1E21", "--paper": "#FFFFFF", "--soft": "#F3F4F6", "--line": "#D5D8DD", "--mute": MUTE}
LIGHT |= {"--over": "#FFFFFF"}  # text on a strong colour
LIGHT |= {f"--c{place}": colour for place, colour in enumerate(COLOURS)}
LIGHT |= {f"--part{place}": colour for place, colour in enumerate(PARTS.values())}
DARK = {"--ink": "#E8EAED", "--paper": "#15171A", "--soft": "#202328", "--line": "#3A3F46", "--mute": "#A2A9B3"}
DARK |= {"--over": "#101214"}
DARK |= {f"--c{place}": colour for place, colour in enumerate(_ON_DARK)}
DARK |= {"--part0": "#B8BEC6", "--part1": "#868D96", "--part2": "#5B626B"}
"""The page's colours by the names that its style and script know them by; pictures are light."""

BEHIND_EVEN_AHEAD = (COLOURS[5], "#FFFFFF", COLOURS[0])  # of a difference: below nothing, nothing, above
PRINTED: dict[str, Any] = {"marker": "D", "color": "black", "markersize": 5, "linestyle": "none"}

# matplotlib's own, then what systems ship for other scripts; those that are not installed are passed over
FONTS = (
    "DejaVu Sans",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "PingFang SC",
    "Hiragino Sans",
    "Microsoft YaHei",
    "SimHei",
    "Malgun Gothic",
    "Noto Sans",
    "Noto Sans Arabic",
    "Noto Sans Devanagari",
    "Arial Unicode MS",
    "Noto Emoji",
)
NO_GLYPH = "?"


def colours(variants: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """One colour for each config, the same in all figures and under each of its labels."""
    return {label: COLOURS[place] for label, place in colour_places(variants).items()}


def colour_places(variants: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """The place of each label's colour in COLOURS; they repeat after 12.

    A config with results of several kinds of device has one for each kind.
    """
    owners = {
        label: json.dumps([described["config"], described.get("kind")], sort_keys=True)
        for label, described in variants.items()
    }
    distinct = list(dict.fromkeys(owners.values()))
    return {label: distinct.index(owner) % len(COLOURS) for label, owner in owners.items()}


@cache
def fonts() -> tuple[str, ...]:
    """Those of FONTS that are installed here, in their order."""
    from matplotlib import font_manager

    known = set(font_manager.get_font_names())
    return tuple(name for name in FONTS if name in known)


@cache
def _glyphs() -> frozenset[int]:
    from matplotlib import font_manager

    found: set[int] = set()
    for name in fonts():
        font = font_manager.get_font(font_manager.findfont(font_manager.FontProperties(family=name)))
        found.update(font.get_charmap())
    return frozenset(found)


def lacks_glyphs(text: str) -> bool:
    """Whether a figure made here must show NO_GLYPH in place of some characters."""
    return any(ord(character) not in _glyphs() for character in " ".join(text.split()))


def fit(text: str, width: int = 28, lines: int = 4) -> str:
    """A name in lines of at most `width` characters, as literal text: matplotlib would read dollars as mathematics."""
    shown = "".join(c if ord(c) in _glyphs() else NO_GLYPH for c in " ".join(visible(text).split()))
    wrapped = textwrap.wrap(shown, width, max_lines=lines, placeholder=" …", break_on_hyphens=False)
    return "\n".join(wrapped).replace("$", r"\$")


@contextmanager
def style() -> Iterator[None]:
    import matplotlib as mpl

    settings: Any = {
        "font.family": list(fonts()),
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.25,
        "axes.axisbelow": True,
        "axes.titley": 1.0,  # where it is anyway; to look for something in its way takes a fifth of the drawing
        "figure.constrained_layout.use": True,
        "figure.constrained_layout.w_pad": 0.1,  # the layout does not know how wide the ticks of its last step are
        "figure.constrained_layout.h_pad": 0.06,
        "legend.frameon": False,
        "svg.fonttype": "none",
        "pdf.fonttype": 42,  # publishers refuse matplotlib's own choice, Type 3
        "svg.hashsalt": "bench",
        "figure.dpi": 110,
    }
    with mpl.rc_context(settings):
        yield
