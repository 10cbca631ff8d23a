"""The door of the command line: errors are turned into words here and nowhere else."""

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from cli._streams import full_disk, make_usable
from cli._talk import printable, put, say
from cli._umask import keep_private
from db.errors import BenchError


def main() -> None:
    """Run a command; what somebody did wrong becomes `error:` and `fix:` on stderr and an exit code."""
    keep_private()
    make_usable()
    try:
        sys.exit(_call(sys.argv[1:] or ["--help"]))
    except BenchError as error:
        _end(error)
    except OSError as error:
        known = full_disk(error)
        if known is None:
            raise
        _end(known)
    except KeyboardInterrupt:  # outside a command; inside one Typer itself ends with 130
        say("interrupted")
        sys.exit(130)


def _call(words: Sequence[str]) -> int | None:
    if "_BENCH_COMPLETE" in os.environ:
        from cli import _quick

        if (offered := _quick.asked()) is not None:
            put(offered)
            return 0
    if words[0] in ("status", "watch"):
        from cli import _look

        asked = _look.asked(words[1:])
        if asked is not None and words[0] == "status":
            _look.look_once(**asked)
            return 0
        if asked is not None and not asked["as_json"]:
            return _look.look_on(submission=asked["submission"])
    from cli._app import call

    return call(words)


def _end(error: BenchError) -> NoReturn:
    if os.environ.get("BENCH_DEBUG") == "1":
        import traceback

        traceback.print_exception(error)
    say(f"error: {printable(str(error))}")
    if error.fix:
        say(f"fix: {printable(error.fix)}")
    sys.exit(error.exit_code)
