"""An attempt's log: a file on this host, or at any URL that fsspec knows, read as it grows."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from db.errors import NotFoundError
from db.records import Attempt


class LogFile:
    """Gives what was added since the last reading. Raises NotFoundError for a file that is gone or cannot be read."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._read = 0  # bytes

    def more(self, *, rest: bool = False) -> str:
        """Whole lines; with the `rest` also a last one that nobody has ended."""
        with self._opened() as file:
            file.seek(self._read)
            added: bytes = file.read()
        whole = added if rest else added[: added.rfind(b"\n") + 1]
        self._read += len(whole)
        return whole.decode(errors="replace")

    def _opened(self) -> Any:
        place = self._attempt.log
        try:
            if "://" not in place:
                return open(place, "rb")  # noqa: PTH123 - as fsspec has it; closed by whoever asked
            import fsspec

            return fsspec.open(place, "rb").open()
        except Exception as error:  # each library of an object store has errors of its own
            raise self._missing(error) from error

    def _missing(self, error: Exception) -> NotFoundError:
        from scheduler.urls import scrubbed, shown

        one = self._attempt
        place = shown(one.log) if "://" in one.log else one.log
        gone = (
            "is gone" if isinstance(error, FileNotFoundError) else f"cannot be read ({scrubbed(str(error), one.log)})"
        )
        kept = f"what the store has kept is in `bench show {one.job_id}`"
        if isinstance(error, ImportError):
            kept = f"install what reads {place.partition('://')[0]}://; {kept}"
        fix = f"look on the host of its worker, {one.owner}, or bring the file back; {kept}"
        return NotFoundError(f"the log of attempt {one.number} of job {one.job_id} {gone}: {place}", fix=fix)


def followed(file: LogFile, over: Callable[[], bool], *, every_s: float) -> Iterator[str]:
    """What the file holds and what is added to it, until one look after the attempt is over."""
    ended = False
    while True:
        last, ended = ended, ended or over()
        yield file.more(rest=last)
        if last:
            return
        time.sleep(every_s)


class Tail:
    """Remembers the last lines of what was printed."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=1000)

    def add(self, text: str) -> None:
        self._lines.extend(_bare(text))

    def ends_with(self, text: str) -> bool:
        """Whatever the indentation of its lines."""
        wanted = _bare(text)
        return [*self._lines][-len(wanted) :] == wanted


def _bare(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
