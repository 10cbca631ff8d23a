"""How long the prompt is away: help, status, completion and submit, beside a Python that does nothing.

As stores grow: a store of so many jobs holds the results of up to 100 variants with 50 epochs each: the first seed of
each variant is written through the store's own methods, the others are copies of it with slightly other numbers, and
without events and predictions, which none of these commands reads. Every command is a process of its own; in each round
`python -c pass` goes first, and a ratio is that of one round. A first round is not counted: it compiles, and fills the
disk's cache. Ctrl-C ends it with what was measured until then.

    python -m benchmarks.cli --jobs 10,1000

`--against` names the folder of another revision, which reads the same schema: help and status alone are then measured,
in each round first of that one (`before`) and then of this one.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from sqlalchemy import Connection, FromClause, Table, and_, insert, select, update

from benchmarks.measures import Measure, add_save, conclude

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))  # its made-up results

from filled_store import SPLIT, dataset, predictions, result, scores  # noqa: E402

from db import open_store  # noqa: E402
from db.records import Claim, EpochRecord, JobState  # noqa: E402
from db.store import Store  # noqa: E402
from db.tables import attempts, epochs, jobs, results  # noqa: E402
from scheduler.planning import Plan, make_plan  # noqa: E402
from scheduler.suite import load_suite  # noqa: E402

VARIANTS, EPOCHS = 100, 50
EXTRA = "extra"  # the variant that nobody has submitted yet
GOALS = {"help": "<= 0.1 s", "status": "<= 0.4 s", "completion": "<= 0.1 s"}
_runs = count()


@dataclass(frozen=True, slots=True)
class Ran:
    """One process: seconds until it ended, those of a core, and its largest memory, at least that of its parent."""

    wall_s: float
    cpu_s: float
    peak_mib: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=numbers, default=(10, 1000, 10_000), help="of each store")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--submit", type=int, default=10_000, help="jobs of one `bench submit` into an empty store")
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="help and status, in turns with that revision's")
    add_save(parser)
    asked = parser.parse_args()
    measures: list[Measure] = []
    with tempfile.TemporaryDirectory(prefix="bench-cli-") as name:
        try:
            made = compared(Path(name), asked) if asked.against else everything(Path(name), asked)
            for measure in made:
                measures.append(measure)  # noqa: PERF402 - one by one, so that an interrupt keeps those before it
        except KeyboardInterrupt:
            print("interrupted; what was measured until then:", file=sys.stderr)
    conclude("cli", measures, save=asked.save)


def everything(folder: Path, asked: argparse.Namespace) -> Iterator[Measure]:
    """One after the other, the quick ones first."""
    yield from timed("bench --help", folder, ["--help"], rounds=asked.rounds, goal=GOALS["help"])
    for number in asked.jobs:
        home = folder / f"jobs-{number}"
        yield from of_store(home, number, rounds=asked.rounds)
    yield from of_submit(folder / "submit", asked.submit)


def compared(folder: Path, asked: argparse.Namespace) -> Iterator[Measure]:
    """What a prompt waits for, before and after."""

    def in_turns(what: str, home: Path, words: Sequence[str], goal: str) -> Iterator[Measure]:
        rounds = [
            (run_python(), run(home, words, root=asked.against), run(home, words)) for _ in range(asked.rounds + 1)
        ]
        yield from told(f"{what}, before", [(bare, old) for bare, old, _ in rounds[1:]], goal="", memory=False)
        yield from told(f"{what}, after", [(bare, new) for bare, _, new in rounds[1:]], goal=goal, memory=False)

    yield from in_turns("bench --help", folder, ["--help"], GOALS["help"])
    for number in asked.jobs:
        home = folder / f"jobs-{number}"
        suite = made_store(home, number)
        yield from in_turns(f"bench status, {number:,} jobs", home, ["status"], GOALS["status"])
        try:
            run(home, one_more(suite)())
            yield from in_turns(f"bench status, {number:,} jobs, broker up", home, ["status"], GOALS["status"])
        finally:
            run(home, ["down"])


def numbers(text: str) -> tuple[int, ...]:
    return tuple(int(word) for word in text.split(","))


def of_store(home: Path, number: int, *, rounds: int) -> Iterator[Measure]:
    """All commands on a store of so many jobs, all of which are done, and status again while one waits."""
    suite = made_store(home, number)
    size = f"{number:,} jobs"
    yield from timed(f"bench status, {size}", home, ["status"], rounds=rounds, goal=GOALS["status"])
    yield from of_completion(home, size, rounds=rounds)
    try:
        yield from timed(f"bench submit of 1, {size}", home, one_more(suite), rounds=rounds)
        yield from timed(f"bench status, {size}, broker up", home, ["status"], rounds=rounds, goal=GOALS["status"])
    finally:
        run(home, ["down"])


def of_completion(home: Path, size: str, *, rounds: int) -> Iterator[Measure]:
    """What bash waits for at a key, beyond a Python that does nothing."""
    for what, line in (("variants", "bench run --variant "), ("submitted variants", "bench show --variant ")):
        yield from completed(f"completing {what}, {size}", home, line, rounds=rounds)
    yield from completed(f"completing job ids, {size}", home, "bench show ", rounds=rounds)


def completed(what: str, home: Path, line: str, *, rounds: int) -> list[Measure]:
    asked = {"_BENCH_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    pairs = [(run_python(), run(home, [], **asked)) for _ in range(rounds + 1)][1:]
    beyond = tuple(own.wall_s - bare.wall_s for bare, own in pairs)
    return [
        *told(what, pairs, goal="", memory=False),
        Measure(what=f"{what}, beyond python -c pass", unit="s", values=beyond, goal=GOALS["completion"]),
    ]


def variants_of(number: int) -> int:
    """Of so many jobs: at least five seeds each, where there are as many."""
    return min(VARIANTS, max(number // 5, 1))


def made_store(home: Path, number: int) -> str:
    """A home whose store has that many jobs, all done; gives the path of their suite."""
    variants = variants_of(number)
    suite = write_suite(home, variants)
    fill(home, suite, seeds=number // variants)
    return suite


def of_submit(folder: Path, number: int) -> list[Measure]:
    """Each time into an empty store, and without a broker."""
    suite = write_suite(folder, 1)
    words = ["submit", "--variant", EXTRA, "--suite", suite, "--seeds", str(number)]
    what, goal = f"bench submit of {number:,}, empty store", "<= 3 s" if number == 10_000 else ""

    def anew(home: Path) -> Ran:
        try:
            return run(home, words)
        finally:
            run(home, ["down"])

    anew(folder / "first")
    pairs = [(run_python(), anew(folder / str(turn))) for turn in range(3)]
    return told(what, pairs, goal=goal, memory=False)


def one_more(suite: str) -> Callable[[], Sequence[str]]:
    """The words of a submit that adds a job, another one at each call."""
    return lambda: ["submit", "--variant", EXTRA, "--suite", suite, "--seed", str(next(_runs))]


def timed(
    what: str,
    home: Path,
    words: Sequence[str] | Callable[[], Sequence[str]],
    *,
    rounds: int,
    goal: str = "",
) -> list[Measure]:
    """Of the command, without a first round."""
    pairs = [(run_python(), run(home, words() if callable(words) else words)) for _ in range(rounds + 1)]
    return told(what, pairs[1:], goal=goal, memory=False)


def told(what: str, pairs: Sequence[tuple[Ran, Ran]], *, goal: str, memory: bool) -> list[Measure]:
    """Seconds by the wall and of a core, ratios to a Python that does nothing, by the wall; with `memory` the largest.

    `pairs`: such a Python and what is measured, in turns.
    """
    ours = [own for _, own in pairs]
    ratios = tuple(own.wall_s / bare.wall_s for bare, own in pairs)
    found = [Measure(what=what, unit="s", values=tuple(own.wall_s for own in ours), goal=goal)]
    found.append(Measure(what=what, unit="s of a core", values=tuple(own.cpu_s for own in ours)))
    found.append(Measure(what=f"{what} / python -c pass", unit="ratio", values=ratios))
    if memory:
        found.append(Measure(what=f"{what}, memory", unit="MiB", values=tuple(own.peak_mib for own in ours)))
    print(f"{what}: {ours[-1].wall_s:.2f} s", file=sys.stderr, flush=True)
    return found


def run(home: Path, words: Sequence[str], *, root: Path = ROOT, **more: str) -> Ran:
    """`bench` with that home, of the revision in that folder; `more` variables of its environment."""
    there = {"BENCH_HOME": str(home), "BENCH_DATA_DIR": str(home / "data"), "PYTHONPATH": str(root.absolute())}
    return run_python("-m", "cli", *words, variables={**there, **more})


def run_python(*words: str, variables: Mapping[str, str] | None = None) -> Ran:
    """Without words one that does nothing. Modules are compiled once and kept, as where bench is installed."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("BENCH_")}
    own.pop("PYTHONDONTWRITEBYTECODE", None)
    command, there = [sys.executable, *(words or ("-c", "pass"))], {**own, **(variables or {})}
    with tempfile.TemporaryFile() as said:
        began = perf_counter()
        process = subprocess.Popen(command, env=there, cwd=tempfile.gettempdir(), stdout=said, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
        wall_s = perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        assert process.returncode == 0, said.read().decode()
    return Ran(wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def write_suite(home: Path, variants: int) -> str:
    """Its path: that many variants, and one more."""
    home.mkdir()
    head = f'[suite]\nname = "load"\ntitle = "Load"\ndataset = "cifar100-20"\n[defaults]\nepochs = {EPOCHS}\n'
    names = [f"v{number}" for number in range(variants)] + [EXTRA]
    parts = [
        f'[variants.{name}]\ntitle = "{name}"\nmodel = "small_cnn"\nlearning_rate = {0.001 + number / 1e6:.6f}\n'
        for number, name in enumerate(names)
    ]
    path = home / "load.toml"
    path.write_text(head + "".join(parts))
    return str(path)


def fill(home: Path, suite: str, *, seeds: int) -> None:
    """Every variant but the extra one, done with so many seeds."""
    home.mkdir(exist_ok=True)
    with closing(open_store(f"sqlite:///{home / 'bench.db'}", create=True)) as store:
        submit(store, planned(suite, range(1)))
        store.record_dataset(dataset(), split=SPLIT)
        number = 0
        while (claim := store.claim_next("maker", lease_s=3600)) is not None:
            train(store, claim, number)
            number += 1
        submit(store, planned(suite, range(seeds)))
        with store._writing() as connection:
            copy_results(connection, store)


def planned(suite: str, seeds: Iterable[int]) -> Plan:
    found = load_suite(suite)
    return make_plan(found, [label for label in found.variants if label != EXTRA], list(seeds), data_dir=Path())


def submit(store: Store, plan: Plan) -> None:
    store.submit(plan.submission(command="bench submit"), plan.new_jobs())


def train(store: Store, claim: Claim, number: int) -> None:
    """All its epochs and the result, made up."""
    random = np.random.default_rng(number)
    store.note_log(claim, "log")
    store.start_attempt(claim)
    history = [epoch(nth, random) for nth in range(1, claim.config["epochs"] + 1)]
    for record in history:
        store.record_epoch(claim, record)
    best, last = (scores(record, predictions(0.5, random), random) for record in (history[-2], history[-1]))
    store.finish(claim, result(best, last, number % 50, random, "f" * 64), {})


def epoch(nth: int, random: np.random.Generator) -> EpochRecord:
    left, noise = 1 / (1 + nth / 10), random.normal(0, 0.01, 4)
    return EpochRecord(
        epoch=nth,
        train_loss=3 * left + abs(noise[0]),
        train_accuracy=0.9 - 0.8 * left + noise[1],
        val_loss=0.5 + 2.5 * left + abs(noise[2]),
        val_accuracy=0.7 - 0.6 * left + noise[3],
        learning_rate=0.001 * left,
        train_s=3.0 + random.random(),
        eval_s=0.3 + random.random() / 10,
    )


def copy_results(connection: Connection, store: Store) -> None:
    """What the first seed of each variant has, for the jobs that wait: its attempt, history and result."""
    first, other, attempt = jobs.alias("first"), jobs.alias("other"), attempts.alias("attempt")
    twins = and_(first.c.label == other.c.label, first.c.state == JobState.DONE, other.c.state == JobState.QUEUED)
    # one line for each pair of a job that is done and one that waits, first of tables that name a job
    of_job = first.join(other, twins)
    of_attempt = of_job.join(attempt, attempt.c.job_id == other.c.id)
    copy(connection, attempts, of_job.join(attempts, attempts.c.job_id == first.c.id), other, {"job_id": other.c.id})
    own = {"attempt_id": attempt.c.id}
    learnt = of_attempt.join(attempts, attempts.c.job_id == first.c.id)
    copy(connection, epochs, learnt.join(epochs, epochs.c.attempt_id == attempts.c.id), other, own)
    ended = of_attempt.join(results, results.c.job_id == first.c.id)
    copy(connection, results, ended, other, {**own, "job_id": other.c.id})
    values = {"state": JobState.DONE.value, "attempt": 1, "epoch": EPOCHS, "val_accuracy": 0.6, "epoch_s": 3.8}
    values |= {"started_at": store.clock, "finished_at": store.clock}
    connection.execute(update(jobs).where(jobs.c.state == JobState.QUEUED).values(values))


def copy(
    connection: Connection, table: Table, among: FromClause, other: FromClause, changed: Mapping[str, Any]
) -> None:
    """The table's rows `among` the joined ones again, with other losses and accuracies for other seeds."""
    columns = {
        column.name: column * (1 + 0.01 * (other.c.seed % 7)) if column.name.endswith(("accuracy", "loss")) else column
        for column in table.c
        if column.name != "id"
    }
    columns |= changed
    connection.execute(insert(table).from_select(list(columns), select(*columns.values()).select_from(among)))


if __name__ == "__main__":
    main()
