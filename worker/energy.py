"""What a training is taken to have used of its card's energy: an estimate, since several may share a card."""

import time
from collections.abc import Callable

_EVERY_S = 1.0  # epochs may be much shorter, and a look at the card takes time of its own


class EnergyShare:
    """Each piece of the counter, from one look to the next, belongs in equal parts to the trainings at its end.

    What the card takes at rest and for others is in the pieces too. Once the counter is silent or runs backwards (the
    driver was loaded anew) nothing is known any more, and nobody looks again.
    """

    def __init__(self, counter: Callable[[], float | None], trainings: Callable[[], int] = lambda: 1) -> None:
        """`counter` in joules; `trainings` says how many are on the card now, this one among them."""
        self._counter, self._trainings = counter, trainings
        self._at_j, self._at = counter(), time.monotonic()
        self._used_j = 0.0

    def look(self) -> None:
        """Begin another piece, unless this one is younger than a second."""
        if time.monotonic() - self._at >= _EVERY_S:
            self._end_piece()

    def used_j(self) -> float | None:
        """This training's part since it was last asked for; None where it is not known."""
        self._end_piece()
        used_j, self._used_j = self._used_j, 0.0
        return None if self._at_j is None else used_j

    def _end_piece(self) -> None:
        if self._at_j is None:
            return
        now_j = self._counter()
        if now_j is not None and now_j >= self._at_j:
            self._used_j += (now_j - self._at_j) / max(self._trainings(), 1)
            self._at_j, self._at = now_j, time.monotonic()
        else:
            self._at_j = None
