"""Errors keep what they know on their way between processes."""

import pickle

import pytest

from db import errors
from db.errors import BenchError

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, BenchError)]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_survives_the_way_between_processes(kind):
    error = kind("what", fix="mend")
    back = pickle.loads(pickle.dumps(error))  # noqa: S301 - what multiprocessing does with it
    assert (type(back), str(back), back.fix, back.exit_code) == (kind, "what", "mend", error.exit_code)
