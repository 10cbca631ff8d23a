"""Does each fault test see its guard? Removes the guards of guards.toml one by one and runs the test of each.

Each run happens in a copy of the tracked files, the test's first one with the guard. A guard is caught when its test
then fails by itself: an error while collecting or in setup says nothing.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
_LIMIT_S, _STOP_S = 300, 40  # for a test, and for one that is cut off to stop its servers


def load_guards() -> list[dict[str, Any]]:
    """Each says its `fault`, what guards from it, the `test`, and what `cuts` takes out."""
    return list(tomllib.loads(Path(__file__).with_suffix(".toml").read_text())["guards"])


def cuts(guard: dict[str, Any]) -> list[dict[str, str]]:
    """`file`, `old` and `new` of the guard, and of what would hide that it is gone."""
    return [guard, *guard.get("also", [])]


def without(text: str, cut: dict[str, str]) -> str:
    """The file's text after one cut. Raises ValueError unless there is exactly one place for it."""
    if text.count(cut["old"]) != 1:
        raise ValueError(f"{text.count(cut['old'])} times in {cut['file']}: {cut['old']}")
    return text.replace(cut["old"], cut["new"])


@contextmanager
def copied(removed: Sequence[dict[str, str]]) -> Iterator[Path]:
    """The tracked files after these cuts, in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="guard-", ignore_cleanup_errors=True) as name:
        folder = Path(name) / "bench"
        Path(name).chmod(0o755)  # the tests' Postgres runs as another user
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
        for file in filter(None, listed.stdout.split("\0")):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / file).is_file():
                shutil.copy2(ROOT / file, folder / file)
        for cut in removed:
            (folder / cut["file"]).write_text(without((folder / cut["file"]).read_text(), cut))
        try:
            yield folder
        finally:
            _end_what_is_left(Path(name))


def _end_what_is_left(folder: Path) -> None:
    """Workers and servers that a test could not stop: all that work in the folder, or with the code in it."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            places = [process.cwd(), *process.environ().get("PYTHONPATH", "").split(os.pathsep)]
            if process.pid != os.getpid() and any(Path(place).is_relative_to(folder) for place in places):
                process.kill()


def run(test: str, removed: Sequence[dict[str, str]] = ()) -> tuple[str, str]:
    """`passed`, `failed` or `not run`, and pytest's reason."""
    with copied(removed) as folder:
        words = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--tb=line", test]
        environment = {**os.environ, "PYTHONPATH": str(folder), "TMPDIR": str(folder.parent), "COLUMNS": "250"}
        started = subprocess.Popen(
            [*words, "-o", f"timeout={_LIMIT_S}"], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
        )
        try:
            said = started.communicate(timeout=_LIMIT_S + _STOP_S)[0]
        except subprocess.TimeoutExpired:
            started.terminate()  # it stops its servers, then
            psutil.wait_procs([psutil.Process(started.pid)], timeout=_STOP_S)
            return "not run", "it did not end"
    if failed := re.search(r"^FAILED \S.*? - (.*)$", said, re.MULTILINE):
        return "failed", failed[1]
    passed = started.returncode == 0 and re.search(r"^1 passed\b", said, re.MULTILINE)
    return ("passed", "") if passed else ("not run", "; ".join(said.strip().splitlines()[-3:]))


def verdict(guard: dict[str, Any], with_it: Callable[[str], tuple[str, str]]) -> str:
    """`caught` and how, `NOT CAUGHT`, or why nothing can be said."""
    how, said = with_it(guard["test"])
    if how != "passed":
        return f"NOT RUN: with the guard the test {how}: {said}"
    how, said = run(guard["test"], cuts(guard))
    return {"failed": f"caught: {said:.110}", "passed": "NOT CAUGHT"}.get(how, f"NOT RUN: {said}")


def main() -> int:
    """Exit code 1 when a guard was not caught, or its test could not be run."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--only", default="", metavar="WORDS", help="guards whose fault, name or test holds these")
    parser.add_argument("--trusting", action="store_true", help="no run with the guard: the tests have just passed")
    given, all_caught = parser.parse_args(), True
    with_it = cache(run if not given.trusting else lambda test: ("passed", ""))
    for guard in load_guards():
        name, began = f"{guard['fault']} | {guard['guard']}", time.monotonic()
        if given.only in f"{name} | {guard['test']}":
            said = verdict(guard, with_it)
            all_caught &= said.startswith("caught")
            print(f"{name} | {said} | {time.monotonic() - began:.0f} s", flush=True)  # noqa: T201 - its output
    return int(not all_caught)


if __name__ == "__main__":
    sys.exit(main())
