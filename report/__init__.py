"""What the store holds, as tables, figures and one page. Reads only."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from db.store import Store
    from report.differences import Differences
    from report.scope import Whole
    from report.write import Report

__all__ = ["check_writable", "claims_of", "compare_with", "job_differences", "write_report"]


def write_report(
    store: "Store",
    out: Path,
    *,
    submission_id: int | None = None,
    latex: bool = False,
    targets: Sequence[float] = (),
    whole: "Whole" = dict,
) -> "Report":
    """See `report.write.write_report`; matplotlib is loaded only now."""
    from report import write

    return write.write_report(store, out, submission_id=submission_id, latex=latex, targets=targets, whole=whole)


def check_writable(out: Path) -> None:
    """See `report.folder.check_writable`."""
    from report import folder

    folder.check_writable(out)


def claims_of(store: "Store", submission_id: int | None = None) -> tuple[str, ...]:
    """What the report of this submission would judge. Raises NotFoundError for an empty store."""
    from report.scope import chosen_submission

    return tuple(chosen_submission(store, submission_id).claims)


def compare_with(store: "Store", saved: Path, *, submission_id: int | None = None) -> tuple[str, list[dict[str, Any]]]:
    """What has changed since the report whose report.json this is, as a table for a terminal and as rows.

    Raises NotFoundError for an empty store, ConfigError for a file that is no report.
    """
    from report.characters import visible
    from report.earlier import changes, changes_table
    from report.scope import read_scope
    from report.text import as_text, sentence

    table = changes_table(changes(read_scope(store, submission_id), saved))
    return visible(f"{as_text(table)}\n\n{sentence(table.note)}"), list(table.values)


def job_differences(store: "Store", ours: int, theirs: int, *, whole: "Whole" = dict) -> "Differences":
    """Of two jobs: what differs in config, environment, curves and result; see `report.differences`."""
    from report.differences import differences

    return differences(store, ours, theirs, whole=whole)
