"""Where the words of a figure are, once it is drawn."""

from matplotlib.text import Text
from matplotlib.ticker import FixedFormatter


def boxes(artists):
    return [artist.get_window_extent() for artist in artists]


def texts(figure):
    return [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]


def numbers_of_ticks(axes):
    """Matplotlib keeps the numbers of ticks beyond an axis; names are put there by bench."""
    axis = [one for one in (axes.xaxis, axes.yaxis) if not isinstance(one.get_major_formatter(), FixedFormatter)]
    return [label for one in axis for label in one.get_ticklabels()]


def outside(axes, tick):
    """Whether a tick lies beyond its axis, where it is not drawn."""
    (x0, x1), (y0, y1), (x, y) = sorted(axes.get_xlim()), sorted(axes.get_ylim()), tick.get_position()
    return not (x0 <= x <= x1 if tick in axes.get_xticklabels() else y0 <= y <= y1)


def words_outside(figure):
    """(text, box) of each word that leaves the picture by more than two pixels."""
    width, height = figure.bbox.width, figure.bbox.height
    hidden = [tick for axes in figure.axes for tick in numbers_of_ticks(axes) if not axes.axison or outside(axes, tick)]
    shown = [text for text in texts(figure) if text not in hidden]
    placed = [(text.get_text(), box) for text, box in zip(shown, boxes(shown), strict=True)]
    return [one for one in placed if not within(one[1], width, height)]


def within(box, width, height):
    return box.x0 > -2 and box.y0 > -2 and box.x1 < width + 2 and box.y1 < height + 2
