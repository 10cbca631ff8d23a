"""Characters that no page, picture or terminal may be given as they are."""

REPLACEMENT = "\ufffd"
_UNFIT = {*range(0x20), *range(0x7F, 0xA0), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF} - {ord(white) for white in "\t\n\r"}
_TABLE = dict.fromkeys(_UNFIT, REPLACEMENT)


def visible(text: str) -> str:
    """Control characters, halves of surrogate pairs and non-characters replaced: XML and HTML are invalid with them."""
    return text.translate(_TABLE)
