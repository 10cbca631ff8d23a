"""The command line: one file for each command, errors turned into words here and nowhere else."""

import os
import sys

import typer

from cli import cancel, database, demo, down, plan, report, retry, run, status, submit, worker
from db.errors import BenchError

EPILOG = (
    "Exit codes: 0 done; 1 a job failed; 2 wrong usage, suite or data; 3 broker or store unreachable; 130 Ctrl-C. "
    "BENCH_DEBUG=1 shows tracebacks. Settings: BENCH_HOME, BENCH_DATABASE_URL, BENCH_BROKER_URL, BENCH_ARTIFACTS_URL, "
    "BENCH_DATA_DIR, BENCH_LEASE_S, BENCH_HEARTBEAT_S, BENCH_CHECKPOINT_S."
)

app = typer.Typer(
    help="Which of these models is better, and how sure are we? Queue, replicate and compare trainings.",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(plan.plan)
app.command()(submit.submit)
app.command()(status.status)
app.command()(worker.worker)
app.command()(run.run)
app.command()(report.report)
app.command()(demo.demo)
app.command()(retry.retry)
app.command()(cancel.cancel)
app.command()(down.down)
app.add_typer(database.app, name="db")


def main() -> None:
    """Run a command; a BenchError becomes `error:` and `fix:` on stderr and its exit code."""
    try:
        app(prog_name="bench")
    except BenchError as error:
        if os.environ.get("BENCH_DEBUG") == "1":
            raise
        sys.stderr.write(f"error: {error}\n")
        if error.fix:
            sys.stderr.write(f"fix: {error.fix}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:  # outside a command; inside one Typer itself ends with 130
        sys.stderr.write("interrupted\n")
        sys.exit(130)
