"""Numbers as tables show them."""

from collections.abc import Callable, Sequence

NOTHING = "–"
_MOST_NAMED = 10
Show = Callable[[float], str]


def percent(value: float) -> str:
    return f"{100 * value:.2f}".replace("-", "−")


def signed(value: float, show: Show) -> str:
    """A difference, with its sign."""
    return f"{'−' if value < 0 else '+'}{show(abs(value))}"


def points(value: float) -> str:
    """A difference of accuracies, with its sign."""
    return signed(value, percent)


def interval_text(low: float, high: float) -> str:
    return f"[{percent(low)}, {percent(high)}]"


def loss(value: float) -> str:
    """Four decimals, of what has run away fewer."""
    return f"{value:.4f}" if abs(value) < 100 else f"{value:,.1f}"


def few(words: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    more = len(words) - _MOST_NAMED
    return ", ".join(words) if more <= 0 else f"{', '.join(words[:_MOST_NAMED])} and {more} more"


def whole(value: float) -> str:
    return f"{value:,.0f}"


def tenth(value: float) -> str:
    return f"{value:,.1f}"


def hundredth(value: float) -> str:
    """Seconds of an epoch, which on a card may be few of these."""
    return f"{value:,.2f}"


def chance(value: float) -> str:
    """A p value."""
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}"


def count(value: float) -> str:
    """A number of epochs, or a mean of several."""
    return f"{value:.1f}".removesuffix(".0")


def yes(value: float) -> str:
    return "yes" if value else "no"
