"""stdin, stdout and stderr as a command finds them: closed, full, or with an encoding that lacks some letters."""

import errno
import io
import os
import sys
from typing import TextIO

from db.errors import BenchError


def make_usable() -> None:
    """A stream that is closed becomes /dev/null; a letter that stdout's encoding lacks becomes a question mark."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:  # the next file to be opened, the store say, would get its number, and what is printed in it
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "r" if number == 0 else "w", closefd=False))  # noqa: SIM115 - for as long as the process lives
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="replace")


def abandon(out: TextIO) -> None:
    """Nobody reads it any more, or its disk is full: Python would complain again at exit about what is left."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())


def full_disk(error: OSError) -> BenchError | None:
    """The same in bench's words when there is no room, wherever the output goes; None for any other error."""
    if error.errno not in _CANNOT_WRITE:
        return None
    try:
        sys.stdout.flush()
    except OSError:
        abandon(sys.stdout)
    return BenchError(f"cannot write: {error.strerror}", fix="make room, or send the output elsewhere")


_CANNOT_WRITE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
