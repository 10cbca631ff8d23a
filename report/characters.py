"""Characters that no page, picture or terminal may be given as they are."""

REPLACEMENT = "\ufffd"
_TURNING = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))  # they turn round what stands behind them
_UNFIT = {*range(0x20), *range(0x7F, 0xA0), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF, *_TURNING}
_UNFIT -= {ord(white) for white in "\t\n\r"}
_TABLE = dict.fromkeys(_UNFIT, REPLACEMENT)


def visible(text: str) -> str:
    """Control characters, halves of surrogate pairs and non-characters replaced: XML and HTML are invalid with them.

    So are those that turn round the direction of what follows: a name must not rearrange a page.
    """
    return text.translate(_TABLE)
