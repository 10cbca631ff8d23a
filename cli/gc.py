"""`bench gc`: what may go from the disks."""

import json
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import _options as options
from cli._schemas import numbered
from db.errors import BenchError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.leftovers import Found, Leftover

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Remove it without a question.")]
Days = Annotated[
    float, typer.Option(metavar="N", min=1, max=36_500, help="Logs of jobs that are done, and splits, once so old.")
]


def gc(yes: Yes = False, days: Days = 30.0, as_json: options.Json = False) -> None:
    """List what is of no more use, and remove it.

    Checkpoints of jobs that are done or were cut off, old logs and splits; never anything of a job that waits or runs.
    Asks first; where nobody can be asked, and with --json, it only lists, without --yes.
    """
    from worker.leftovers import find_leftovers, remove

    here = options.settings()
    with closing(options.opened(here, create=False)) as store:
        found = find_leftovers(store, here, days=days)
        if as_json:
            options.put(json.dumps(_as_dict(found), indent=2))
        else:
            _show(found.leftovers)
        if found.unknown and not as_json:
            what = options.number(len(found.unknown), "folder")
            options.say(f"Left alone: {what}, {_size(found.unknown)}, of jobs that this store does not have.")
        if not found.leftovers or not (yes or (not as_json and _agreed())):
            return
        # what another one took up while the question stood stays
        still = set(find_leftovers(store, here, days=days).leftovers)
    chosen = [one for one in found.leftovers if one in still]
    failed = list(remove(chosen))
    for line in failed:
        options.say(line)
    if failed:
        raise BenchError(f"{options.number(len(failed), 'item')} could not be removed", fix="see the lines above")
    options.say(f"Removed: {_size(chosen)}.")


def _show(leftovers: "Sequence[Leftover]") -> None:
    from cli._tables import table

    if leftovers:
        rows = [(one.what, _size([one]), one.path) for one in leftovers]
        options.show([table(("what", "size", "where"), rows, right={1}, shrinks=2)])
    options.put(f"{options.number(len(leftovers), 'item')}, {_size(leftovers)}.")


def _size(leftovers: "Sequence[Leftover]") -> str:
    return f"{sum(one.bytes for one in leftovers) / 2**20:,.1f} MiB"


def _as_dict(found: "Found") -> dict[str, Any]:
    leftovers, unknown = (
        [{"what": one.what, "bytes": one.bytes, "path": one.path} for one in part]
        for part in (found.leftovers, found.unknown)
    )
    return numbered("gc", leftovers=leftovers, left_alone=unknown)


def _agreed() -> bool:
    if not options.somebody_is_there():
        options.say("Nothing was removed: `bench gc --yes` removes it.")
        return False
    return options.is_agreed("Remove it?")
