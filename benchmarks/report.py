"""How long `bench report` takes and how much memory it holds: of the built-in suite's jobs, and of many variants.

Stores are filled through the store's own methods with made-up trainings: a history, and what the best and the last
weights say of each test image, some of which are hard for all. The suite's twelve configs have 5 seeds each, 60 jobs;
`--jobs` are of made-up suites of up to 100 variants with the default figures and some claims, at least 5 seeds each.
Every report is a process of its own, in turns with `python -c pass`. With `--keep` the stores stay in a folder and are
not filled again. 10,000 jobs take 3 GB of disk and a quarter of an hour to fill.

    python -m benchmarks.report --jobs 10,1000,10000 --rounds 3 --keep /tmp/stores
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import combinations, islice
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from benchmarks.cli import ROOT, epoch, numbers, planned, run, run_python, submit, told, variants_of
from benchmarks.measures import Measure, add_save, conclude

sys.path.insert(0, str(ROOT / "tests"))  # its made-up results

from filled_store import SPLIT, dataset, result, scores

from db import open_store
from db.records import Claim, Predictions, Weights
from db.store import Store

CLASSES, FINGERPRINT = 20, "f" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Of a store; `variants` of None are those of the built-in suite."""

    name: str
    variants: int | None
    seeds: int
    epochs: int
    claims: int = 0
    goal: str = ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=5, help="of the built-in suite's configs; 0: leave it out")
    parser.add_argument("--jobs", type=numbers, default=(10, 1000), help="of each made-up suite; 0: leave them out")
    parser.add_argument("--claims", type=int, default=50, help="of the made-up suites, at most")
    parser.add_argument("--images", type=int, default=2_000, help="of the test set, which has 20 classes")
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="keep the stores there, or use those that are there"
    )
    add_save(parser)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-report-") as name:
        measures = [one for size in sizes(asked) for one in measured(asked.keep or Path(name), size, asked)]
    conclude("report", measures, save=asked.save)


def sizes(asked: argparse.Namespace) -> list[Size]:
    suite = Size(name="suite", variants=None, seeds=asked.seeds, epochs=30, goal="<= 10 s")
    return [size for size in (suite, *(many(jobs, asked.claims) for jobs in asked.jobs)) if size.seeds]


def many(jobs: int, claims: int) -> Size:
    variants = variants_of(jobs)
    goal = "<= 60 s, <= 1024 MiB" if jobs == 1000 else ""
    return Size(name="many", variants=variants, seeds=jobs // variants, epochs=50, claims=claims, goal=goal)


def measured(folder: Path, size: Size, asked: argparse.Namespace) -> Iterator[Measure]:
    """Seconds by the wall and of a core, ratios to a Python that does nothing, and the largest memory."""
    home = folder / f"{size.name}-{size.variants or 'all'}-{size.seeds}-{asked.images}"
    began = perf_counter()
    jobs = fill(home, size, asked.images)
    print(f"{jobs:,} jobs are ready after {perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    words = ["report", "--out", str(home / "out")]
    pairs = [(run_python(), run(home, words)) for _ in range(asked.rounds)]
    whose = f"{size.variants} variants" if size.variants else "the suite"
    yield from told(f"bench report, {whose}, {jobs:,} jobs", pairs, goal=size.goal, memory=True)


def fill(home: Path, size: Size, images: int) -> int:
    """How many jobs the store has, all of them done; what is there stays, but for claims that are others now."""
    home.mkdir(parents=True, exist_ok=True)
    plan = planned("report" if size.variants is None else write_suite(home, size), range(size.seeds))
    labels = np.repeat(np.arange(CLASSES), images // CLASSES)
    hard = np.random.default_rng(1).normal(0, 1, len(labels))
    with closing(open_store(f"sqlite:///{home / 'bench.db'}", create=True)) as store:
        known, claims = store.submissions(), plan.submission(command="bench submit").claims
        if not known or tuple(known[0].claims) != claims:
            submit(store, plan)
            counts = tuple(np.bincount(labels).tolist())
            store.record_dataset(dataset(fingerprint=FINGERPRINT, test_counts=counts), split=SPLIT)
        while (claim := store.claim_next("maker", lease_s=3600)) is not None:
            train(store, claim, labels, hard, most_epochs=size.epochs)
        return len(store.jobs())


def write_suite(home: Path, size: Size) -> str:
    """Its path: variants that differ in their learning rate, and claims of pairs without the first of them."""
    names = [f"v{number}" for number in range(size.variants or 0)]
    claims = [f"{ours} > {theirs}" for ours, theirs in islice(combinations(names[1:], 2), size.claims)]
    lines = ["claims = [", *(f'  "{claim}",' for claim in claims), "]"]
    lines += ["[suite]", 'name = "many"', 'title = "Many"', 'dataset = "cifar100-20"', "[defaults]"]
    lines += [f"epochs = {size.epochs}"]
    for number, name in enumerate(names):
        lines += [f"[variants.{name}]", f'title = "{name}"', 'model = "small_cnn"']
        lines += [f"learning_rate = {0.001 + number / 1e6:.6f}"]
    path = home / "many.toml"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def train(
    store: Store, claim: Claim, labels: NDArray[np.int64], hard: NDArray[np.float64], *, most_epochs: int
) -> None:
    """All epochs and the result, made up; variants differ by some points, their seeds by less."""
    number = sum(claim.label.encode()) % 97
    random = np.random.default_rng([claim.seed, *claim.label.encode()])
    store.note_log(claim, "log")
    store.start_attempt(claim)
    history = [epoch(nth, random) for nth in range(1, min(most_epochs, claim.config["epochs"]) + 1)]
    for record in history:
        store.record_epoch(claim, record)
    skill = 0.4 + 0.004 * number + random.normal(0, 0.03)
    best, last = (predictions(labels, hard, skill - less, random) for less in (0.0, 0.05))
    seen = {Weights.BEST: best, Weights.LAST: last}
    marks = [scores(record, one, random) for record, one in zip(history[-2:], (best, last), strict=True)]
    store.finish(claim, result(*marks, number, random, FINGERPRINT), seen)


def predictions(
    labels: NDArray[np.int64], hard: NDArray[np.float64], skill: float, random: np.random.Generator
) -> Predictions:
    """Probabilities as a softmax gives them; the more `skill` and the less `hard`, the more of them are right."""
    logits = random.normal(0, 1, (len(labels), CLASSES))
    logits[np.arange(len(labels)), labels] += 2 + 2 * skill - hard
    weights = np.exp(logits)
    return Predictions(labels=labels, probabilities=(weights / weights.sum(1, keepdims=True)).astype(np.float32))


if __name__ == "__main__":
    main()
