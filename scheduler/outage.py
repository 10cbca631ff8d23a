"""Commands that watch for hours do not end because the store is away for minutes."""

import time
from collections.abc import Callable
from typing import TypeVar

from db.errors import NoStoreError, SchemaError, StoreError

_Answer = TypeVar("_Answer")


def through_outages(ask: Callable[[], _Answer], *, tell: Callable[[str], object], every_s: float) -> _Answer:
    """What `ask` gives, however long the store is away; `tell` is given one line about each outage.

    Raises NoStoreError and SchemaError, which no waiting mends.
    """
    told = False
    while True:
        try:
            return ask()
        except (NoStoreError, SchemaError):
            raise
        except StoreError as error:
            if not told:
                tell(f"{error}; waiting for it, training goes on ({error.fix})")
            told = True
            time.sleep(every_s)
