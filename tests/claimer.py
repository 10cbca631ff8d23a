"""A process of its own that claims and finishes jobs until none is left: `python tests/claimer.py URL OWNER`.

It says `ready`, waits for a line on its standard input, and then prints job, attempt and id of each attempt it had.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def main(url: str, owner: str) -> None:
    from records import result

    from db import open_store

    store = open_store(url)
    print("ready", flush=True)  # noqa: T201
    sys.stdin.readline()
    while claim := store.claim_next(owner, lease_s=60, place=owner):  # places of their own: else one waits for another
        store.finish(claim, result(), {})
        print(claim.job_id, claim.attempt, claim.attempt_id, flush=True)  # noqa: T201
    store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
