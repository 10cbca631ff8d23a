"""How somebody else makes these numbers again: the code, the commands as they were typed, the suite's text."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePath

from db.records import Submission
from report.scope import Scope

BUILT_IN = ("report",)  # suites that come with bench: nobody needs their text to repeat them
_MOST_CODE = 200_000  # letters of users' networks: the page shall stay small


@dataclass(frozen=True, slots=True)
class Text:
    """A file of somebody's own as it was when it was submitted: a suite, its `name` without folders, or code, its
    `name` a path from the suite's folder."""

    name: str
    text: str
    what: str = "the suite"


@dataclass(frozen=True, slots=True)
class Repeat:
    """`lines` for a shell, remarks among them behind `#`; `files` that have to lie there first."""

    lines: tuple[str, ...]
    files: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class Code:
    """What made the results. `dirty`: revisions with local changes; `packaged`: versions that ran from no checkout."""

    revisions: tuple[str, ...]
    dirty: tuple[str, ...]
    packaged: tuple[str, ...]


def code_of(scope: Scope) -> Code:
    environments = [result.environment for result in scope.results().values()]
    found = [one["git"] for one in environments if one.get("git")]
    without = [
        one.get("packages", {}).get("bench") or "of an unknown version" for one in environments if not one.get("git")
    ]
    return Code(
        revisions=tuple(sorted({one["revision"] for one in found})),
        dirty=tuple(sorted({one["revision"] for one in found if one["dirty"]})),
        packaged=tuple(sorted(set(without))),
    )


def own_networks(scope: Scope) -> tuple[str, ...]:
    """Those that are not bench's, each with its package's version or the sum of its code, which the store keeps."""
    configs = [job.config for job in scope.jobs()]
    return tuple(sorted({f"{one['model']}, code {one['code']}" for one in configs if one.get("code")}))


def _code_files(scope: Scope) -> tuple[list[Text], list[str]]:
    """The code of such networks, or a remark where it is too much for a page."""
    found = [
        Text(path, text, f"code {sha256[:8]}") for sha256, of in scope.sources.items() for path, text in of.items()
    ]
    letters = sum(len(one.text) for one in found)
    if letters > _MOST_CODE:
        return [], [f"# their code, {letters:,} letters, is in the store alone"]
    return found, []


def repeat(scope: Scope) -> Repeat:
    """Each distinct command of the submissions reported together, the oldest first, with what it needs."""
    distinct: dict[tuple[str, str], Submission] = {}
    for one in scope.submissions:
        distinct.setdefault((one.command, one.text), one)
    files: list[Text] = []
    code, too_long = _code_files(scope)
    lines = [
        *_code_lines(code_of(scope)),
        *(f"# network: {_line(one)}" for one in own_networks(scope)),
        *too_long,
        *_settings(scope),
    ]
    for one in distinct.values():
        given = suite_file(one.command)
        if given:
            files.append(_named(given, one.text, files))
            lines.append(f"# {files[-1].name}: the text of {_line(given)} as submission {one.id} had it")
        lines += _commands(one)
    return Repeat((*lines, "bench report"), tuple(dict.fromkeys([*files, *code])))


def suite_file(command: str) -> str | None:
    """The file that a command names, None for a built-in suite."""
    words = shlex.split(command)
    pairs = [*pairwise(words), *(word.partition("=")[::2] for word in words)]
    given = [value for name, value in pairs if name == "--suite" and value]
    return given[-1] if given and given[-1] not in BUILT_IN else None


def _named(given: str, text: str, files: Sequence[Text]) -> Text:
    """The same text has the same name, another one a number of its own."""
    path = PurePath(_line(given))
    names = [path.name, *(f"{path.stem}-{number}{path.suffix}" for number in range(2, len(files) + 3))]
    taken = {one.name: one.text for one in files}
    return Text(next(name for name in names if taken.get(name, text) == text), text)


def _code_lines(code: Code) -> list[str]:
    lines = [f"# bench {_line(version)}, not run from a checkout of its code" for version in code.packaged]
    for revision in code.revisions:
        changed = ", with local changes that no revision holds" if revision in code.dirty else ""
        lines.append(f"# code: git revision {_line(revision)}{changed}")
    one_only = len(code.revisions) == 1 and not code.packaged
    return [*lines, f"git checkout {shlex.quote(code.revisions[0])}"] if one_only else lines


def _settings(scope: Scope) -> list[str]:
    seeds = ", ".join(str(seed) for seed in sorted({job.seed for job in scope.jobs()}))
    changed = [f"{name} {value}" for name, value in scope.submission.overrides.items() if name != "dataset"]
    said = "; ".join([f"data {scope.submission.dataset}", *changed, f"seeds {seeds}"])
    return [f"# {_line(said)}"]


def _commands(one: Submission) -> list[str]:
    """`submit` only queues: a worker has to train it."""
    if not one.command:
        return [f"# submission {one.id} came from no command line"]
    queued = shlex.split(one.command)[1:2] == ["submit"]
    return [one.command, *(["bench worker --drain"] if queued else [])]


def _line(text: str) -> str:
    """For a remark: a line break would end it, and begin a command."""
    return " ".join(text.split())
