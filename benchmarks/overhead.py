"""What history, checkpoints and the heartbeat cost: an attempt as a worker runs it against the bare engine's loop.

Three turns a round, each trains the baseline on the same images: the engine without hooks; an attempt
(`worker.attempt.run_attempt`) on a SQLite store in a temporary folder with the defaults, a checkpoint after 30 s and a
heartbeat every 5 s; and one with more frequent checkpoints, which overstates. How many of them were written and how
often the lease was renewed is counted. An attempt loads its data too: that is timed apart, before the bare training,
and taken off. What is left is what an attempt takes beyond the training and the test set, from the claim to the finish.

    python -m benchmarks.overhead --images 10000 --epochs 8
"""

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.measures import Measure, add_save, conclude
from benchmarks.trainings import CPU, as_slot, config_of, write_dataset
from benchmarks.turns import Lap, Stopwatch
from db import open_store
from db.records import JobState
from db.store import Store
from scheduler.config import Config
from scheduler.planning import make_plan
from scheduler.queue import submit
from scheduler.settings import Settings
from scheduler.suite import load_suite
from worker.attempt import Slot, run_attempt
from worker.checkpoints import Checkpoints
from worker.datasets import load_splits
from worker.engine import Hooks, train

FEWEST = 100
SUITE = '[suite]\nname = "overhead"\ndataset = "digits"\n[variants.baseline]\nearly_stopping_patience = 0\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One attempt: its time, and what it wrote meanwhile."""

    lap: Lap
    checkpoints: int
    heartbeats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Loading the data and training on it without hooks, and the two attempts."""

    loading: Lap
    bare: Lap
    default: Cost
    frequent: Cost


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=10_000, help="to train on, a fifth of which validates")
    parser.add_argument("--epochs", type=int, default=8, help="of each training")
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count")
    parser.add_argument("--checkpoint-s", type=float, default=5.0, help="of the attempts with frequent checkpoints")
    add_save(parser)
    options = parser.parse_args()
    if options.images < FEWEST:
        parser.error(f"--images {options.images} is too few to split; give {FEWEST} or more")
    as_slot()
    with tempfile.TemporaryDirectory(prefix="bench-overhead-") as folder:
        bench = Bench(Path(folder), options.images, options.epochs, options.checkpoint_s)
        with closing(bench.store):
            bench.warm_up()
            rounds = [bench.run_round(seed) for seed in range(1, options.rounds + 1)]
    default_s = bench.settings.checkpoint_s
    measures = told(f"checkpoint after {default_s:g} s", rounds, [one.default for one in rounds], goal="<= 2 %")
    measures += told(f"checkpoint after {options.checkpoint_s:g} s", rounds, [one.frequent for one in rounds])
    measures.append(Measure(what="bare training", unit="s", values=tuple(one.bare.wall_s for one in rounds)))
    measures.append(Measure(what="loading the data", unit="s", values=tuple(one.loading.wall_s for one in rounds)))
    conclude("overhead", measures, save=options.save)


class Bench:
    """A store, a data set and a suite of one config in `folder`."""

    def __init__(self, folder: Path, images: int, epochs: int, frequent_s: float) -> None:
        self.settings = Settings(home=folder / "home", data_dir=folder / "data")
        self.frequent = replace(self.settings, checkpoint_s=frequent_s)
        self.dataset, self.epochs = write_dataset(images, folder / "images"), epochs
        (folder / "overhead.toml").write_text(SUITE)
        self.suite = load_suite(str(folder / "overhead.toml"))
        self.settings.folder.mkdir()
        self.store = open_store(self.settings.database, create=True)

    def warm_up(self) -> None:
        """One epoch of each kind: libraries, the copy of the data set and its record in the store."""
        self.attempt(self.settings, seed=0, epochs=1)
        self.bare(seed=0, epochs=1)

    def run_round(self, seed: int) -> Round:
        loading, bare = self.bare(seed, self.epochs)
        # a seed of its own: the same one would be the same job, which is done by then
        default = self.attempt(self.settings, 2 * seed, self.epochs)
        frequent = self.attempt(self.frequent, 2 * seed + 1, self.epochs)
        return Round(loading=loading, bare=bare, default=default, frequent=frequent)

    def bare(self, seed: int, epochs: int) -> tuple[Lap, Lap]:
        """Loading, and training without hooks."""
        watch = Stopwatch()
        config = trained(self.dataset, epochs)
        splits = load_splits(config, data_dir=self.settings.data, cache_dir=self.settings.cache)
        loading, watch = watch.lap(), Stopwatch()
        train(config, seed, splits, device=CPU, hooks=Hooks())
        return loading, watch.lap()

    def attempt(self, settings: Settings, seed: int, epochs: int) -> Cost:
        """The same training as a job's attempt, from the claim to the finish."""
        data_dir = settings.data
        plan = make_plan(self.suite, ["baseline"], [seed], data_dir=data_dir, dataset=self.dataset, epochs=epochs)
        (planned,) = plan.distinct()
        assert planned.config == trained(planned.config.dataset, epochs), "not what the bare engine trains"
        submit(self.store, plan)
        with counted(Checkpoints, "save") as saves, counted(Store, "heartbeat") as beats:
            watch = Stopwatch()
            claim = self.store.claim_next("alone", lease_s=settings.lease_s)
            assert claim is not None
            state = run_attempt(self.store, claim, Slot(device="cpu", settings=settings))
            lap = watch.lap()
        assert state is JobState.DONE, "the attempt failed"
        return Cost(lap=lap, checkpoints=saves.call_count, heartbeats=beats.call_count)


def trained(dataset: str, epochs: int) -> Config:
    return config_of("baseline", epochs=epochs).model_copy(update={"dataset": dataset})


@contextmanager
def counted(of: type, name: str) -> Iterator[Any]:
    """The method does what it always does, and its calls are counted."""
    with mock.patch.object(of, name, autospec=True, side_effect=getattr(of, name)) as calls:
        yield calls


def told(what: str, rounds: list[Round], costs: list[Cost], *, goal: str = "") -> list[Measure]:
    pairs = list(zip(rounds, costs, strict=True))
    by_core = tuple(beyond(cost.lap.cpu_s, one.loading.cpu_s, one.bare.cpu_s) for one, cost in pairs)
    by_wall = tuple(beyond(cost.lap.wall_s, one.loading.wall_s, one.bare.wall_s) for one, cost in pairs)
    return [
        Measure(what=f"{what}, by CPU time", unit="% of bare", values=by_core, goal=goal),
        Measure(what=f"{what}, by the wall", unit="% of bare", values=by_wall, goal=goal),
        Measure(what=f"{what}, checkpoints", unit="an attempt", values=tuple(float(c.checkpoints) for c in costs)),
        Measure(what=f"{what}, heartbeats", unit="an attempt", values=tuple(float(c.heartbeats) for c in costs)),
    ]


def beyond(attempt_s: float, loading_s: float, bare_s: float) -> float:
    """Per cent of the bare training that the attempt took on top of it."""
    return 100 * (attempt_s - loading_s - bare_s) / bare_s


if __name__ == "__main__":
    main()
