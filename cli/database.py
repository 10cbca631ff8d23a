"""`bench db`: the store's schema, its state, and copies of it."""

from pathlib import Path
from typing import Annotated

import typer

from cli import _options as options

app = typer.Typer(help="Check, copy and upgrade the store.", rich_markup_mode=None, add_completion=False)

BackupPath = Annotated[Path | None, typer.Argument(metavar="PATH", hidden=True)]


@app.command()
def upgrade() -> None:
    """Bring the store to this version's schema.

    Makes an empty one where there is none.
    """
    from db import upgrade_store

    done = upgrade_store(options.settings().database)
    if done.copy is not None:
        options.say(f"The store as it was before: {done.copy}")
    options.put(f"Schema {done.after}: {'nothing to do' if done.before == done.after else f'was {done.before}'}.")


@app.command()
def check() -> None:
    """Say whether the store is in order.

    Whether it answers, is whole and has this version's schema, and how large it is.
    """
    from db import check_store

    name, state = check_store(options.settings().database)
    options.put(f"{name}: in order. Schema {state.schema}, {state.bytes / 2**20:.1f} MiB.")


@app.command()
def backup(path: BackupPath = None) -> None:
    """Copy the store, also while workers write.

    To PATH, else beside the store. For Postgres it prints the pg_dump line that does it.
    """
    from db import backup_store

    options.put(str(backup_store(options.settings().database, path)))
