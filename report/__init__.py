"""What the store holds, as tables, figures and one page. Reads only."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from db.store import Store
    from report.write import Report

__all__ = ["write_report"]


def write_report(store: "Store", out: Path, *, submission_id: int | None = None) -> "Report":
    """See `report.write.write_report`; matplotlib is loaded only now."""
    from report import write

    return write.write_report(store, out, submission_id=submission_id)
