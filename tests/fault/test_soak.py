"""The soak of `make soak`, for a minute in CI and for long by hand."""

import json
import os
import subprocess
import sys

import pytest
from real_worker import ROOT


def soak(seconds, seed, store):
    words = [sys.executable, str(ROOT / "tests" / "soak.py"), "--seconds", str(seconds), "--seed", str(seed)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*words, "--store", store], env=environment, capture_output=True, text=True, check=False, timeout=1500
    )
    assert done.stdout, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.mark.timeout(900)
def test_random_faults_for_a_minute_break_no_promise():
    figures = soak(60, 20261124, "sqlite")
    assert figures["broken_promises"] == []
    assert figures["faults_total"] >= 10
    assert figures["jobs"] >= 5


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_random_faults_for_long_break_no_promise(store):
    figures = soak(300, 7, store)
    assert figures["broken_promises"] == []
    assert figures["faults_total"] >= 60
