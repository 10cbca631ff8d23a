"""The Typer app: every command with a line of its own, and its module only once it is called or asked for help."""

from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand
from typer.main import get_command

from db.errors import ConfigError

COMMANDS = {
    "plan": "Show the exact jobs of a submit.",
    "submit": "Queue what the store does not have yet.",
    "status": "Show what waits, runs and is done.",
    "watch": "Follow the jobs until none waits or runs.",
    "show": "Show all that is known of a job.",
    "logs": "Print the log of a job's attempt.",
    "diff": "Show what differs between two jobs.",
    "worker": "Train queued jobs until stopped.",
    "run": "Submit, train here, and write the report.",
    "report": "Write the report and print its main table.",
    "compare": "Say what has become worse since a saved report.",
    "demo": "Try everything on a small data set, offline.",
    "retry": "Queue failed or cancelled jobs again.",
    "cancel": "Cancel jobs.",
    "metrics": "Print metrics for Prometheus once.",
    "down": "Stop the embedded broker.",
    "init": "Write a commented suite to begin with.",
    "doctor": "Say whether all that bench needs is in order.",
    "export": "Give all that the store holds to other programs.",
    "gc": "List what is of no more use, and remove it.",
    "schema": "Print the formats of --json, for machines.",
    "config": "Show the settings in force.",
    "db": "Check, copy and upgrade the store.",
}
"""In the order of the help, with the first sentence of each one's own."""
_MODULES = {"db": "database"}  # of those that are not named after their command

EPILOG = (
    "Exit codes: 0 done; 1 a job failed, or a worker had to kill one at its stop, or no card of one that drains works, "
    "or `report --fail-on` or `compare` found what they look for, or `doctor` an error, or `gc` could not remove "
    "something, or a question was answered with no; 2 wrong usage, setting, suite or data; 3 broker or store "
    "unreachable; 75 start this worker again; 130 Ctrl-C, after a line that says how to go on (a worker's first one "
    "ends it orderly, with 0); 128 + signal: a worker's second one. "
    "BENCH_DEBUG=1 shows tracebacks. Settings, in the environment or without BENCH_ in bench.toml in BENCH_HOME: "
    "BENCH_HOME (default ./.bench), BENCH_DATABASE_URL (a SQLite file there), BENCH_BROKER_URL (an embedded Valkey "
    "there), BENCH_ARTIFACTS_URL (a folder there), BENCH_DATA_DIR (~/.cache/bench/data), BENCH_LEASE_S (60), "
    "BENCH_HEARTBEAT_S (5), BENCH_CHECKPOINT_S (30), BENCH_KEEP_CHECKPOINTS (false), BENCH_OWN_CODE (true), "
    "BENCH_PROBE_S (120), BENCH_LOG_FORMAT (text, or json), BENCH_LOG_LEVEL (INFO)."
)

app = typer.Typer(
    help="Which of these models is better, and how sure are we? Queue, replicate and compare trainings.",
    epilog=EPILOG,
    rich_markup_mode=None,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
# Typer keeps a click of its own and does not export the base of its usage errors
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", is_eager=True, help="Show bench's version and exit.")] = False,
) -> None:
    if version:
        from importlib import metadata

        typer.echo(f"bench {metadata.version('bench')}")
        raise typer.Exit


class _Later(TyperCommand):
    """Stands for a command in the list of all; whoever calls it, or asks for its help, gets the real one."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        return real(str(self.name)).make_context(info_name, args, parent, **extra)


def real(name: str) -> Any:
    """The command as Typer makes it of its module in this room."""
    module = import_module(f"cli.{_MODULES.get(name, name)}")
    if hasattr(module, "app"):  # commands of its own
        return get_command(module.app)
    own = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
    own.command(name)(getattr(module, name))
    return get_command(own)


def _listed() -> None:
    """What Typer asks of a command that is only listed."""


for _name, _line in COMMANDS.items():
    app.command(_name, cls=_Later, help=_line)(_listed)


def call(words: Sequence[str]) -> int | None:
    """Run the command; gives its exit code. Raises ConfigError for words that no command knows."""
    try:
        code: int | None = app(list(words), prog_name="bench", standalone_mode=False)
    except _UsageError as error:
        raise _explained(error) from error
    return code


def _explained(error: Any) -> ConfigError:
    place = error.ctx.command_path if error.ctx else "bench"
    return ConfigError(error.format_message(), fix=f"see `{place} --help`")
