"""The command line: one file for each command, errors turned into words here and nowhere else."""

import os
import sys
from typing import Annotated, Any, NoReturn

import typer

from cli import (
    cancel,
    compare,
    config,
    database,
    demo,
    doctor,
    down,
    export,
    gc,
    init,
    metrics,
    plan,
    report,
    retry,
    run,
    schema,
    status,
    submit,
    worker,
)
from cli._options import say
from cli._streams import full_disk, make_usable
from cli._umask import keep_private
from db.errors import BenchError

EPILOG = (
    "Exit codes: 0 done; 1 a job failed, or a worker had to kill one at its stop, or `report --fail-on` or `compare` "
    "found what they look for; 2 wrong usage, setting, suite or data; 3 broker or store unreachable; 75 start this "
    "worker again; 130 Ctrl-C; 128 + signal: a worker's second one. "
    "BENCH_DEBUG=1 shows tracebacks. Settings, in the environment or without BENCH_ in bench.toml in BENCH_HOME: "
    "BENCH_HOME (default ./.bench), BENCH_DATABASE_URL (a SQLite file there), BENCH_BROKER_URL (an embedded Valkey "
    "there), BENCH_ARTIFACTS_URL (a folder there), BENCH_DATA_DIR (~/.cache/bench/data), BENCH_LEASE_S (60), "
    "BENCH_HEARTBEAT_S (5), BENCH_CHECKPOINT_S (30), BENCH_KEEP_CHECKPOINTS (false), BENCH_LOG_FORMAT (text, or json), "
    "BENCH_LOG_LEVEL (INFO)."
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


app.command()(plan.plan)
app.command()(submit.submit)
app.command()(status.status)
app.command()(worker.worker)
app.command()(run.run)
app.command()(report.report)
app.command()(compare.compare)
app.command()(demo.demo)
app.command()(retry.retry)
app.command()(cancel.cancel)
app.command()(metrics.metrics)
app.command()(down.down)
app.command()(init.init)
app.command()(doctor.doctor)
app.command()(export.export)
app.command()(gc.gc)
app.command()(schema.schema)
app.add_typer(config.app, name="config")
app.add_typer(database.app, name="db")


def main() -> None:
    """Run a command; what somebody did wrong becomes `error:` and `fix:` on stderr and an exit code."""
    keep_private()
    make_usable()
    try:
        sys.exit(app(sys.argv[1:] or ["--help"], prog_name="bench", standalone_mode=False))
    except (BenchError, _UsageError) as error:
        _end(error)
    except OSError as error:
        known = full_disk(error)
        if known is None:
            raise
        _end(known)
    except KeyboardInterrupt:  # outside a command; inside one Typer itself ends with 130
        say("interrupted")
        sys.exit(130)


def _end(error: Exception) -> NoReturn:
    message, fix, code = _explained(error)
    if os.environ.get("BENCH_DEBUG") == "1":
        import traceback

        traceback.print_exception(error)
    say(f"error: {_one_line(message)}")
    if fix:
        say(f"fix: {_one_line(fix)}")
    sys.exit(code)


def _explained(error: Any) -> tuple[str, str, int]:
    if isinstance(error, BenchError):
        return str(error), error.fix, error.exit_code
    place = error.ctx.command_path if error.ctx else "bench"
    return error.format_message(), f"see `{place} --help`", error.exit_code


def _one_line(text: str) -> str:
    """Names and values come from files: a line break or a terminal's control code among them is only shown."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
