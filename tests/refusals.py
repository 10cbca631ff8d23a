"""What a refused command says, and that it leaves everything as it was."""

import hashlib
import sqlite3
from contextlib import closing


def check_words(stderr, error, fix):
    first, second = stderr.splitlines()
    assert first.startswith("error: ")
    assert error in first
    assert second.startswith("fix: ")
    assert fix in second


def everything(folder):
    """Each file with its contents; of a store its rows, since SQLite moves them between its files as it likes."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.name == "bench.db" and path.parent.name == "home":
            found[name] = _rows(path)
        elif path.is_file() and not path.name.startswith("bench.db-"):
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        elif not path.name.startswith("bench.db-"):
            found[name] = "folder or link"
    return found


def _rows(path):
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path
