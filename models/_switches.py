"""What code of a user's own may change for a whole process, put back after it was loaded, built or tried.

A module is executed once in a process, so what it left behind would hold for the jobs after its own, and for its own
only where it is the first: the same job would give other numbers alone than after others.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import torch

_OF_BACKENDS = (
    (torch.backends.cudnn, "benchmark"),
    (torch.backends.cudnn, "deterministic"),
    (torch.backends.cuda.matmul, "allow_bf16_reduced_precision_reduction"),
)
_BACKENDS: Any = torch.backends
_OF_FLOAT32 = (
    _BACKENDS,  # what inherits comes after what it inherits from
    _BACKENDS.cudnn,
    _BACKENDS.cuda.matmul,
    _BACKENDS.cudnn.conv,
    _BACKENDS.cudnn.rnn,
    _BACKENDS.mkldnn.matmul,
    _BACKENDS.mkldnn.conv,
    _BACKENDS.mkldnn.rnn,
)
_OLDER: tuple[tuple[Callable[[], Any], Callable[[Any], None]], ...] = (
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    (lambda: torch.backends.cudnn.allow_tf32, partial(setattr, torch.backends.cudnn, "allow_tf32")),
)


@contextmanager
def put_back() -> Iterator[None]:
    """torch's settings, its generator on the CPU, and the folder that relative paths count from."""
    flags = [getattr(of, name) for of, name in _OF_BACKENDS]
    dtype, threads, strict = torch.get_default_dtype(), torch.get_num_threads(), _strictness()
    older, precisions = _older_switches(), [of.fp32_precision for of in _OF_FLOAT32]
    gradients, folder = torch.is_grad_enabled(), _folder()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_default_dtype(dtype)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        for (of, name), value in zip(_OF_BACKENDS, flags, strict=True):
            _set(of, name, value)
        # these first: to set one sets newer ones too
        for (_, put), value, now in zip(_OLDER, older, _older_switches(), strict=True):
            if value is not None and now != value:
                put(value)
        for of, value in zip(_OF_FLOAT32, precisions, strict=True):
            _set(of, "fp32_precision", value)
        if _strictness() != strict:  # asked first: the call imports the compiler, which takes seconds
            torch.use_deterministic_algorithms(strict[0], warn_only=strict[1])
        torch.set_grad_enabled(gradients)
        if folder is not None and _folder() != folder:
            with suppress(OSError):
                os.chdir(folder)


def _strictness() -> tuple[bool, bool]:
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


def _older_switches() -> list[Any]:
    """None for one that torch refuses to read, as newer ones were set beside it."""
    values: list[Any] = []
    for read, _ in _OLDER:
        try:
            values.append(read())
        except RuntimeError:
            values.append(None)
    return values


def _set(of: Any, name: str, value: Any) -> None:
    if getattr(of, name) != value:
        setattr(of, name, value)


def _folder() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109 - where it was removed pathlib raises as well
    except OSError:
        return None
