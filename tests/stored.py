"""Jobs of a store, added and claimed as most tests of it need them."""

from records import new_job, submission


def add(store, *seeds, priority=0):
    _, jobs = store.submit(submission(), [new_job(seed) for seed in seeds], priority=priority)
    return [job.job_id for job in jobs]


def claim(store, owner="w1"):
    return store.claim_next(owner, lease_s=60)
