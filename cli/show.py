"""`bench show`: all that the store knows of a job."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cli import _options as options
from cli import _selection as select
from cli._schemas import numbered
from db.errors import ConfigError

if TYPE_CHECKING:
    from cli._job_page import Known
    from db.records import Job
    from db.store import Store
    from scheduler.settings import Settings


def show(
    job: options.Jobs = None,
    submission: options.Submission = None,
    variant: select.Variants = None,
    state: select.States = None,
    where: select.Wheres = None,
    as_json: options.Json = False,
) -> None:
    """Show all that is known of a job.

    JOB is an id from `bench status`; of several jobs one after the other.
    """
    from cli._job_page import job_page

    chosen = select.selection(job, submission=submission, variant=variant, state=state, where=where)
    if not chosen:
        raise ConfigError("say which jobs", fix="give ids, or --submission, --variant, --state or --where")
    here = options.settings()
    store = options.opened(here, create=False)
    with store.one_moment():
        known = _known(store, chosen.jobs(store), here)
    if as_json:
        told = numbered("show", jobs=[_as_dict(one) for one in known])
        options.put(json.dumps(told, indent=2, default=datetime.isoformat))
    elif not known:
        options.say("no job meets all of that; `bench status` lists them")
    else:
        options.show([part for one in known for part in ("", *job_page(one))][1:])


def _known(store: "Store", jobs: "Sequence[Job]", here: "Settings") -> "list[Known]":
    from cli._job_page import Known
    from db.records import WAITING, Measured
    from scheduler.duration import Durations

    ids = [job.id for job in jobs]
    asked, attempts, histories = store.asked_for(ids), store.attempts(ids), store.histories(ids)
    results, artifacts = store.results(ids), store.artifacts(ids)
    waits = any(job.state in WAITING for job in jobs)
    durations = Durations(store.measured() if waits else Measured(), store.workers(seen_within_s=here.lease_s))
    return [
        Known(
            job=job,
            durations=durations,
            asked=asked[job.id],
            attempts=attempts[job.id],
            history=histories[job.id],
            result=results.get(job.id),
            artifacts=artifacts[job.id],
        )
        for job in jobs
    ]


def _as_dict(known: "Known") -> dict[str, Any]:
    """The keys of a job in `bench status --json`, then all the rest."""
    from cli._progress import job_dict
    from scheduler.config import whole

    result = asdict(known.result) if known.result else None
    return {
        **job_dict(known.job, known.durations),
        "submissions": [{"id": submission, "variant": label} for submission, label in known.asked],
        "fingerprint": known.job.fingerprint,
        "config": whole(known.job.config),
        "attempts": [_without(asdict(one), "id", "job_id") for one in known.attempts],
        "history": [asdict(one) for one in known.history],
        "result": _without(result, "environment") if result else None,
        "environment": result["environment"] if result else None,
        "artifacts": [asdict(one) for one in known.artifacts],
    }


def _without(values: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}
