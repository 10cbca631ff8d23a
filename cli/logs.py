"""`bench logs`: what an attempt wrote into its log."""

import json
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import _options as options
from cli import _selection as select
from cli._schemas import numbered
from db.errors import ConfigError, NotFoundError

if TYPE_CHECKING:
    from cli._log_file import Tail
    from db.records import Attempt, Job

_EVERY_S = 0.5  # between two looks at file and store
Look = Callable[[], "tuple[Job, list[Attempt]]"]


def logs(
    job: options.Jobs = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Until the attempt ends; Ctrl-C leaves the job.")
    ] = False,
    attempt: Annotated[
        int | None, typer.Option("--attempt", metavar="N", min=1, help="Its log; default: the newest one's.")
    ] = None,
    submission: options.Submission = None,
    variant: select.Variants = None,
    state: select.States = None,
    where: select.Wheres = None,
    as_json: options.Json = False,
) -> None:
    """Print the log of a job's attempt.

    JOB is an id from `bench status`. After a failure the traceback is the last thing printed.
    """
    from scheduler.outage import through_outages

    if follow and as_json:
        raise ConfigError("--follow and --json exclude each other", fix="give one of them")
    chosen = select.selection(job, submission=submission, variant=variant, state=state, where=where)
    here = options.settings()
    with closing(options.opened(here, create=False)) as store:
        job_id = chosen.exactly(store, 1, "logs")[0].id

    def ask() -> "tuple[Job, list[Attempt]]":
        with closing(options.opened(here, create=False)) as store:
            return store.jobs([job_id])[0], store.attempts([job_id])[job_id]

    if as_json:
        options.put(json.dumps(_as_dict(job_id, _attempt(*ask(), attempt)), indent=2))
        return
    try:
        _print(lambda: through_outages(ask, tell=options.say, every_s=_EVERY_S), attempt, follow=follow)
    except KeyboardInterrupt:
        again = f"`bench logs {job_id} --follow` follows it again, `bench cancel {job_id}` stops it"
        options.say(f"Job {job_id} goes on, if it runs; {again}.")
        raise typer.Exit(130) from None


def _print(look: Look, number: int | None, *, follow: bool) -> None:
    from cli._log_file import LogFile, Tail, followed

    wanted = _begun(look, number) if follow else _attempt(*look(), number)
    file, tail = LogFile(wanted), Tail()
    nth = wanted.number

    def over() -> bool:
        return _attempt(*look(), nth).ended_at is not None

    try:
        going = follow and wanted.ended_at is None
        heard = _put_all(followed(file, over, every_s=_EVERY_S) if going else [file.more(rest=True)], tail)
    except NotFoundError as error:
        if not wanted.traceback:
            raise
        options.say(f"{error}; {error.fix}")
        heard = True
    if heard:
        _put_end(_attempt(*look(), nth), tail)


def _as_dict(job_id: int, attempt: "Attempt") -> dict[str, Any]:
    """With the whole log as text; None where it is gone and what the store kept has to do."""
    from cli._log_file import LogFile

    text: str | None = None
    with suppress(NotFoundError):
        text = LogFile(attempt).more(rest=True)
    moments = {
        name: moment.isoformat() if moment else None
        for name, moment in (("started_at", attempt.started_at), ("ended_at", attempt.ended_at))
    }
    told = {"outcome": attempt.outcome, "message": attempt.message, "traceback": attempt.traceback, "log": text}
    return numbered("logs", job=job_id, attempt=attempt.number, owner=attempt.owner, **moments, **told)


def _attempt(job: "Job", attempts: "list[Attempt]", number: int | None) -> "Attempt":
    """That one, or the newest. Raises NotFoundError where there is none, or it never had a log."""
    from db.records import WAITING

    found = [one for one in attempts if number in (None, one.number)]
    if not attempts:
        waits = f"`bench logs {job.id} --follow` waits for it"
        fix = waits if job.state in WAITING else f"`bench retry {job.id}` queues it again"
        raise NotFoundError(f"job {job.id} is {job.state} and no attempt of it has begun", fix=fix)
    if not found:
        known = ", ".join(str(one.number) for one in attempts)
        raise NotFoundError(f"job {job.id} has no attempt {number}", fix=f"choose among {known}")
    if found[-1].ended_at is not None and not found[-1].log:
        what = f"attempt {found[-1].number} of job {job.id} ended before it had a log"
        raise NotFoundError(what, fix=f"`bench show {job.id}` says how")
    return found[-1]


def _begun(look: Look, number: int | None) -> "Attempt":
    """The attempt once it has a log."""
    import time

    from db.records import WAITING

    told = False
    while True:
        job, attempts = look()
        if attempts or job.state not in WAITING:
            found = _attempt(job, attempts, number)
            if found.log:
                return found
        if not told:
            options.say(f"Job {job.id} is {job.state}; its log follows as soon as there is one.")
        told = True
        time.sleep(_EVERY_S)


def _put_all(texts: Iterable[str], tail: "Tail") -> bool:
    """Whether somebody has heard all of it."""
    for text in texts:
        tail.add(text)
        if text and not options.put(text):
            return False
    return True


def _put_end(attempt: "Attempt", tail: "Tail") -> None:
    """How it ended, unless that is the last that was printed."""
    if attempt.traceback:
        if not tail.ends_with(attempt.traceback):
            options.put(attempt.traceback)
    elif attempt.outcome not in (None, "done"):
        said = "; ".join(attempt.message.splitlines())
        options.say(f"attempt {attempt.number} ended: {attempt.outcome}: {said}")
