"""What a worker's parent does to its children."""

import subprocess
import sys

import psutil
import pytest

from worker import keeper


@pytest.fixture
def family(monkeypatch):
    """One child that has just been reaped, though it is still on the list, and one that lives."""
    started = [subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) for _ in range(2)]
    listed = [psutil.Process(one.pid) for one in started]
    gone, living = started
    gone.kill()
    gone.wait()
    monkeypatch.setattr(psutil.Process, "children", lambda self: listed)
    yield living
    living.kill()
    for one in started:
        one.communicate()


def test_a_child_that_went_a_moment_ago_hides_no_other(family):
    assert keeper._living_children() == {family.pid}


def test_a_child_that_went_a_moment_ago_saves_no_other_from_the_end(family, monkeypatch):
    codes = []
    monkeypatch.setattr(keeper.os, "_exit", codes.append)
    keeper.end_at_once(75)
    assert family.wait(timeout=10) == -9
    assert codes == [75]
