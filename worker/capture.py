"""A step of the device captured as a CUDA graph."""

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import torch

_WARM_UP = 3  # steps in which libraries choose kernels and take memory, which may not happen while a graph is captured
_broken_off = threading.Event()


def capture(step: Callable[[], None], generator: torch.Generator) -> Callable[[], object]:
    """A graph of `step`, whose draws come from `generator`, after some steps in earnest.

    Raises RuntimeError where it cannot be captured: where it waits for the device, before that is tried.
    """
    aside = _aside(torch.cuda.current_device(), threading.get_ident())
    aside.wait_stream(torch.cuda.current_stream())
    try:
        with torch.cuda.stream(aside):
            for _ in range(_WARM_UP - 1):
                step()
            with _waiting_refused():
                step()
    finally:
        torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    graph.register_generator_state(generator)
    try:
        # torch's own context leaves its stream behind where a capture fails
        with (
            torch.cuda.stream(torch.cuda.current_stream()),
            torch.cuda.graph(graph, stream=aside, capture_error_mode="thread_local"),  # the heartbeat's thread goes on
        ):
            step()
    except RuntimeError:
        _broken_off.set()
        # and, in older versions, generators that take themselves to be captured still
        for drawn_from in (generator, torch.cuda.default_generators[torch.cuda.current_device()]):
            drawn_from.graphsafe_set_state(torch.Generator(drawn_from.device))
        raise
    replay: Callable[[], object] = graph.replay
    return replay


def broke_off() -> bool:
    """Whether a capture of this process failed midway: older versions of PyTorch then give no memory back any more."""
    return _broken_off.is_set()


@contextmanager
def _waiting_refused() -> Iterator[None]:
    """Where anything asks the device for a value, RuntimeError."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Synchronization debug mode")
        before = torch.cuda.get_sync_debug_mode()
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)


@cache
def _aside(device: int, thread: int) -> torch.cuda.Stream:
    """One stream for all captures of a thread: cuBLAS keeps some 32 MiB for each, in which all its graphs work."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call] # torch has no types here
