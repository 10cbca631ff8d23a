"""What code of a user's own may change for a whole process, put back after it was loaded, built or tried.

A module is executed once in a process, so what it left behind would hold for the jobs after its own, and for its own
only where it is the first: the same job would give other numbers alone than after others.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch

_OF_BACKENDS = (
    (torch.backends.cudnn, "benchmark"),
    (torch.backends.cudnn, "deterministic"),
    (torch.backends.cudnn, "allow_tf32"),
    (torch.backends.cuda.matmul, "allow_tf32"),
    (torch.backends.cuda.matmul, "allow_bf16_reduced_precision_reduction"),
)


@contextmanager
def put_back() -> Iterator[None]:
    """torch's settings, its generator on the CPU, and the folder that relative paths count from."""
    flags = [getattr(of, name) for of, name in _OF_BACKENDS]
    dtype, threads, precision = torch.get_default_dtype(), torch.get_num_threads(), torch.get_float32_matmul_precision()
    strict = _strictness()
    gradients, folder = torch.is_grad_enabled(), _folder()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_default_dtype(dtype)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        if torch.get_float32_matmul_precision() != precision:
            torch.set_float32_matmul_precision(precision)
        for (of, name), value in zip(_OF_BACKENDS, flags, strict=True):
            _set(of, name, value)
        if _strictness() != strict:  # asked first: the call imports the compiler, which takes seconds
            torch.use_deterministic_algorithms(strict[0], warn_only=strict[1])
        torch.set_grad_enabled(gradients)
        if folder is not None and _folder() != folder:
            with suppress(OSError):
                os.chdir(folder)


def _strictness() -> tuple[bool, bool]:
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


def _set(of: Any, name: str, value: Any) -> None:
    if getattr(of, name) != value:
        setattr(of, name, value)


def _folder() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109 - where it was removed pathlib raises as well
    except OSError:
        return None
