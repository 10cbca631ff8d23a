"""Whether a card works, asked by computing on it: what its driver lists may still fail every job."""

import mmap

from worker.attempt import first_line

CARD_FIX = "see `nvidia-smi` and the kernel's log (`dmesg`, lines with NVRM); free, reset or replace the card"


def cuda_error(index: int = 0) -> str:
    """What CUDA says where it cannot compute on this device of the process; nothing where it can.

    Starts CUDA, for as long as the process lives: never where one is to be forked. A start that failed is remembered
    by the process too, so only another one can find that the card is back.
    """
    import torch

    try:
        torch.ones(1, device=f"cuda:{index}").add_(1).item()  # which waits for the kernel
    except Exception as error:  # of many kinds: a PyTorch for CPUs says AssertionError, CUDA's start one of its own
        return first_line(error) or type(error).__name__
    return ""


class FailedLooks:
    """For each slot how often in a row its card failed, in memory that a worker's parent and its children share."""

    def __init__(self, slots: int) -> None:
        self._counts = mmap.mmap(-1, slots)  # of nobody's file, so a fork has the same; a byte for each slot

    def note(self, slot: int, *, failed: bool) -> None:
        self._counts[slot] = min(self._counts[slot] + 1, 255) if failed else 0

    def least(self) -> int:
        """The lowest of all slots: 0 while the card of one works, or nobody has looked at it yet."""
        return min(self._counts[:])
