"""Who may read what bench writes: its home is for its user alone, a report for those whom the user's umask lets in."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

_PRIVATE = 0o077
_users = _PRIVATE


def keep_private() -> None:
    """Whatever this process and those that it starts create from now on is for their user only."""
    global _users
    _users = os.umask(_PRIVATE)


@contextmanager
def as_the_user_writes() -> Iterator[None]:
    """What is created inside is meant for others too."""
    before = os.umask(_users)
    try:
        yield
    finally:
        os.umask(before)
