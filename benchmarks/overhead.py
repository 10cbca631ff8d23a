"""What history, checkpoints and the heartbeat cost: an attempt as a worker runs it against the bare engine's loop.

Three turns a round, each trains the baseline on the same images: the engine without hooks; an attempt
(`worker.attempt.run_attempt`) on a SQLite store in a temporary folder with the defaults, a checkpoint after 30 s and a
heartbeat every 5 s; and one with more frequent checkpoints, which overstates. Which goes first changes from round to
round. How many checkpoints were written and how often the lease was renewed is counted. An attempt loads its data too:
that is timed apart, before the bare training, and taken off. What is left is what an attempt takes beyond the training
and the test set, from the claim to the finish.

That difference of two long times is small beside their noise, so its parts are timed one by one too, in turns, many
times: one checkpoint (copied from the network, summed, written and fsynced), one row of history, one heartbeat. What
follows for an attempt is their medians over the default intervals, and over an epoch for the row. It leaves out what
an attempt does once: claim, log, the record of its data, result and predictions. By the wall it overstates: a heartbeat
waits for the disk beside the training.

    python -m benchmarks.overhead --images 10000 --epochs 8
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

from benchmarks.measures import Measure, add_save, conclude
from benchmarks.trainings import CPU, as_slot, config_of, write_dataset
from benchmarks.turns import Lap, Stopwatch
from db import open_store
from db.records import Claim, JobState
from db.store import Store
from scheduler.config import Config
from scheduler.planning import make_plan
from scheduler.queue import submit
from scheduler.settings import Settings
from scheduler.suite import load_suite
from worker.attempt import Slot, run_attempt
from worker.checkpoints import Checkpoints
from worker.datasets import load_splits
from worker.engine import Hooks, Training, train
from worker.snapshot import Snapshot

FEWEST = 100
WARM = 3  # calls that are not counted
SAVE, ROW, BEAT = "one checkpoint", "one row of history", "one heartbeat"
SUITE = '[suite]\nname = "overhead"\ndataset = "digits"\n[variants.baseline]\nearly_stopping_patience = 0\n'
Given = TypeVar("Given")


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
    parser.add_argument("--calls", type=int, default=100, help="checkpoints, rows and heartbeats that are timed alone")
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
            calls = bench.calls(options.calls)
    default_s = bench.settings.checkpoint_s
    measures = told(f"checkpoint after {default_s:g} s", rounds, [one.default for one in rounds], goal="<= 2 %")
    measures += told(f"checkpoint after {options.checkpoint_s:g} s", rounds, [one.frequent for one in rounds])
    measures.append(Measure(what="bare training", unit="s", values=tuple(one.bare.wall_s for one in rounds)))
    measures.append(Measure(what="loading the data", unit="s", values=tuple(one.loading.wall_s for one in rounds)))
    epochs = tuple(one.bare.wall_s / options.epochs for one in rounds)
    measures.append(Measure(what="an epoch of the bare training", unit="s", values=epochs))
    every_s = {SAVE: default_s, ROW: statistics.median(epochs), BEAT: bench.settings.heartbeat_s}
    measures += of_calls(calls, every_s)
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
        sides: dict[str, Callable[[], Any]] = {
            "bare": lambda: self.bare(seed, self.epochs),
            # a seed of its own: the same one would be the same job, which is done by then
            "default": lambda: self.attempt(self.settings, 2 * seed, self.epochs),
            "frequent": lambda: self.attempt(self.frequent, 2 * seed + 1, self.epochs),
        }
        found = in_turns(sides, seed)
        loading, bare = found["bare"]
        return Round(loading=loading, bare=bare, default=found["default"], frequent=found["frequent"])

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
        self.submit(seed, epochs)
        with counted(Checkpoints, "save") as saves, counted(Store, "heartbeat") as beats:
            watch = Stopwatch()
            claim = self.claimed(settings)
            state = run_attempt(self.store, claim, Slot(device="cpu", settings=settings))
            lap = watch.lap()
        assert state is JobState.DONE, "the attempt failed"
        return Cost(lap=lap, checkpoints=saves.call_count, heartbeats=beats.call_count)

    def submit(self, seed: int, epochs: int) -> None:
        data_dir = self.settings.data
        plan = make_plan(self.suite, ["baseline"], [seed], data_dir=data_dir, dataset=self.dataset, epochs=epochs)
        (planned,) = plan.distinct()
        assert planned.config == trained(planned.config.dataset, epochs), "not what the bare engine trains"
        submit(self.store, plan)

    def claimed(self, settings: Settings) -> Claim:
        claim = self.store.claim_next("alone", lease_s=settings.lease_s)
        assert claim is not None
        return claim

    def calls(self, number: int) -> dict[str, list[Lap]]:
        """So many checkpoints, rows of history and heartbeats of a training after its first epoch, in turns."""
        config = trained(self.dataset, 1)
        splits = load_splits(config, data_dir=self.settings.data, cache_dir=self.settings.cache)
        found: list[Snapshot] = []
        train(config, 0, splits, device=CPU, hooks=Hooks(save=found.append, save_at_end=True))
        checkpoints = Checkpoints(str(self.settings.folder / "calls"), key="calls")
        training = Training(config, 0, splits, CPU, Hooks(save=checkpoints.save))
        training.restore(found[-1])
        self.submit(1, 1)  # no round has a job with this seed
        claim, (record,) = self.claimed(self.settings), found[-1].history()
        self.store.start_attempt(claim)
        sides: dict[str, Callable[[int], object]] = {
            SAVE: lambda _: training.save(),
            ROW: lambda nth: self.store.record_epoch(claim, replace(record, epoch=nth + 1)),
            BEAT: lambda _: self.store.heartbeat(claim, lease_s=self.settings.lease_s),
        }
        laps: dict[str, list[Lap]] = {name: [] for name in sides}
        for nth in range(WARM + number):
            for name, call in sides.items():
                watch = Stopwatch()
                call(nth)
                laps[name].append(watch.lap())
        return {name: of_one[WARM:] for name, of_one in laps.items()}


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


def in_turns(sides: Mapping[str, Callable[[], Given]], turn: int) -> dict[str, Given]:
    """What each gives; each is first, second and last equally often in as many turns as there are sides."""
    names = list(sides)
    first = turn % len(names)
    return {name: sides[name]() for name in (*names[first:], *names[:first])}


def of_calls(calls: Mapping[str, Sequence[Lap]], every_s: Mapping[str, float]) -> list[Measure]:
    """Milliseconds of each; and what their medians take of an attempt that does each of them every so many seconds."""
    found = []
    shares = {"CPU time": 0.0, "the wall": 0.0}
    for name, laps in calls.items():
        by_core, by_wall = tuple(1000 * lap.cpu_s for lap in laps), tuple(1000 * lap.wall_s for lap in laps)
        found.append(Measure(what=name, unit="CPU ms", values=by_core))
        found.append(Measure(what=name, unit="ms", values=by_wall))
        for by, values in zip(shares, (by_core, by_wall), strict=True):
            shares[by] += statistics.median(values) / (1000 * every_s[name])
    for by, share in shares.items():
        what = f"what follows at the default intervals, by {by}"
        found.append(Measure(what=what, unit="% of an attempt", values=(100 * share,), goal="<= 2 %"))
    return found


def beyond(attempt_s: float, loading_s: float, bare_s: float) -> float:
    """Per cent of the bare training that the attempt took on top of it."""
    return 100 * (attempt_s - loading_s - bare_s) / bare_s


if __name__ == "__main__":
    main()
