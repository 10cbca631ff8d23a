"""What a training frees stays with its process between steps, and goes back after the job."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

PROBE = """
import ctypes, resource
from worker.allocator import give_back_memory, keep_freed_memory

def faults_of_a_step():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for size in (50_000_000, 3_000_000):
        address = library.malloc(size)
        ctypes.memset(address, 1, size)
        library.free(address)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def held_mib():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 2**20

library = ctypes.CDLL(None)
library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
library.free.argtypes = [ctypes.c_void_p]
usual = [faults_of_a_step() for _ in range(3)][-1]
keep_freed_memory()
kept = [faults_of_a_step() for _ in range(3)][-1]
before = held_mib()
give_back_memory()
print(usual, kept, before - held_mib())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator is told anything")
def test_what_a_step_frees_is_there_for_the_next_one_and_goes_back_after_the_job():
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", PROBE], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    usual, kept, given_back_mib = map(float, done.stdout.split())
    assert usual > 10_000  # pages of 4 KiB
    assert kept < 100
    assert given_back_mib > 40
