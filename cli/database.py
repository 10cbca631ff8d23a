"""`bench db`: the store's schema."""

import typer

from cli import _options as options

app = typer.Typer(help="The store's schema: check it, bring it up to date.", rich_markup_mode=None)


@app.command()
def upgrade() -> None:
    """Bring the store to this version's schema; makes an empty one where there is none."""
    from db import upgrade_store

    before, after = upgrade_store(options.settings().database)
    options.put(f"Schema {after}: {'nothing to do' if before == after else f'was {before or None}'}.")


@app.command()
def check() -> None:
    """Say whether the store answers and has this version's schema."""
    store = options.opened(options.settings(), create=False)
    options.put(f"{store.name}: in order.")
