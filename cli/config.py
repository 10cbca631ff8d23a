"""`bench config`: the settings in force, and who set them."""

import json
from typing import TYPE_CHECKING, Any

import typer

from cli import _options as options
from cli._schemas import numbered

if TYPE_CHECKING:
    from scheduler.settings import Settings

app = typer.Typer(help="Show the settings in force.", rich_markup_mode=None, add_completion=False)


@app.callback()
def _group() -> None:
    """Without it Typer would take the one command for the whole group."""


@app.command()
def show(as_json: options.Json = False) -> None:
    """Show each setting, its value and where it comes from.

    Of servers' URLs host and path alone: the rest may be secret.
    """
    from cli._tables import table
    from scheduler.settings import origins

    here = options.settings()
    rows = [_row(here, name, str(origin)) for name, origin in origins().items()]
    toml = here.folder / "bench.toml"
    if as_json:
        file = str(toml) if toml.is_file() else None
        options.put(json.dumps(numbered("config", file=file, settings=rows), indent=2))
        return
    options.show([table(("variable", "value", "origin"), [_shown(row) for row in rows], shrinks=1)])
    options.say(f"File: {toml}{'' if toml.is_file() else ' (there is none)'}")


def _row(here: "Settings", name: str, origin: str) -> dict[str, Any]:
    return {"name": name, "variable": f"BENCH_{name.upper()}", "value": _value(here, name), "origin": origin}


def _shown(row: dict[str, Any]) -> tuple[str, str, str]:
    """As it would be typed."""
    value = row["value"]
    text = str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else value
    return row["variable"], text, row["origin"]


def _value(here: "Settings", name: str) -> Any:
    """As bench uses it: paths in full, what follows the home where it leads to."""
    followed = {"home": here.folder, "data_dir": here.data}
    if name in followed:
        return str(followed[name])
    urls = {"database_url": here.database, "broker_url": here.broker, "artifacts_url": here.artifacts}
    return _public(urls[name]) if name in urls else getattr(here, name)


def _public(url: str) -> str:
    """A file's URL holds no user, and its path may hold an @; what is no URL at all may be the rest of a password."""
    from scheduler.urls import shown

    if url.startswith(("sqlite:", "file:", "redis+socket:")):
        return url.partition("?")[0]
    return shown(url) if "://" in url else "(not a URL)"
