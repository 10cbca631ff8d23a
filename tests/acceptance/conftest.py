"""Commands without a process of their own."""

import sys

import pytest

from cli.main import main


@pytest.fixture
def typed(capsys, monkeypatch):
    """Calls bench in this process, which is faster; gives what it said, and fails unless it ended with that code."""

    def call(*words, code=0):
        monkeypatch.setattr(sys, "argv", ["bench", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert (ended.value.code or 0) == code, said
        return said

    return call
