"""What the store says of itself to logs and metrics, on SQLite and on Postgres."""

from records import new_job, submission


def add(store, *seeds):
    _, jobs = store.submit(submission(), [new_job(seed) for seed in seeds])
    return [job.job_id for job in jobs]


def test_a_claim_names_the_newest_submission_that_asked_for_the_job(store):
    add(store, 1)
    add(store, 1)
    add(store, 2)
    claims = [store.claim_next("host:1:a/2", lease_s=60) for _ in range(2)]
    assert [claim.submission_id for claim in claims] == [2, 3]
    assert [held.claim.submission_id for held in store.held("host:1:a")] == [2, 3]
