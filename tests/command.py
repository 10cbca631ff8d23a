"""`bench` as a user types it, in a process of its own."""

import json
import os
import pty
import struct
import subprocess
import sys
import termios
from fcntl import ioctl
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DIGITS = ["--dataset", "digits", "--epochs", "1"]


def bench(*words, cwd, code=0, **environment):
    """What it said; fails unless it ended with this exit code."""
    done = subprocess.run(
        [sys.executable, "-m", "cli", *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done


def status(cwd):
    return json.loads(bench("status", "--json", cwd=cwd).stdout)


def on_a_terminal(*words, cwd, columns=80, lines=24, code=0, answer="", **environment):
    """What a terminal of that size receives, on which somebody has typed the answer."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **environment}
    for name in {"COLUMNS", "LINES"} & {*environment}:
        del environment[name]
    command = [sys.executable, "-m", "cli", *words]
    started = subprocess.Popen(command, cwd=cwd, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.write(ours, answer.encode())
    said = b""
    try:
        while part := os.read(ours, 65536):
            said += part
    except OSError:  # Linux's way to say that the last writer is gone
        pass
    finally:
        os.close(ours)
    assert started.wait(timeout=60) == code
    return said.decode().replace("\r\n", "\n")
