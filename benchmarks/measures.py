"""What a benchmark has measured: printed as a table and as JSON, and kept with the machine's description if asked."""

import argparse
import json
import os
import re
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from worker.environment import environment

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """Repeated values of one thing; `unit` is `ratio` where both sides were measured in turns. `goal` in words."""

    what: str
    unit: str
    values: tuple[float, ...]
    goal: str = ""

    def summary(self) -> dict[str, float | int]:
        values = self.values
        return {"n": len(values), "median": statistics.median(values), "min": min(values), "max": max(values)}


def add_save(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--save", action="store_true", help="keep the numbers in benchmarks/results/NAME.json")


def conclude(name: str, measures: Sequence[Measure], *, save: bool, device: str = "cpu") -> None:
    """Print the table and the JSON of a benchmark; with `save` also write it to `benchmarks/results`.

    The file's name holds what tells machines apart, so that no other machine's numbers are replaced.
    """
    told = {"benchmark": name, "date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine(device)}
    told["measures"] = [asdict(measure) | measure.summary() for measure in measures]
    print(table(measures))
    print(json.dumps(told))
    if save:
        RESULTS.mkdir(exist_ok=True)
        words = f"{name} {told['machine']['device_name']} {told['machine']['cores']} cores"
        words += f" {told['machine']['instruction_set']}"  # processors of one name differ in it
        path = RESULTS / f"{re.sub('[^a-z0-9]+', '-', words.lower()).strip('-')}.json"
        path.write_text(json.dumps(told, indent=1) + "\n")
        print(f"saved in {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")


def machine(device: str) -> dict[str, Any]:
    """The environment of a result without the host's name, and how busy the machine was."""
    here = environment(device)
    del here["host"]
    return here | {"load": round(os.getloadavg()[0], 2)}


def table(measures: Sequence[Measure]) -> str:
    wide = max(len(measure.what) for measure in measures)
    lines = [f"{'':<{wide}} {'unit':<14} {'n':>3} {'median':>9} {'min':>9} {'max':>9}  goal"]
    for measure in measures:
        numbers = measure.summary()
        figures = " ".join(f"{numbers[of]:>9.4g}" for of in ("median", "min", "max"))
        lines.append(f"{measure.what:<{wide}} {measure.unit:<14} {numbers['n']:>3} {figures}  {measure.goal}".rstrip())
    return "\n".join(lines)
