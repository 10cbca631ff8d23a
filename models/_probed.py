"""The process in which networks are built and tried, for `models._probe`."""

import faulthandler
import json
import os
import queue
import signal
import threading
import traceback
from contextlib import suppress
from dataclasses import asdict
from multiprocessing.connection import Connection
from typing import Any, NoReturn

from models import OwnCode, OwnNetworkError, describe, end_copies


def serve(line: int, trace: int) -> NoReturn:
    """Answer questions until whoever asks is gone."""
    for number in (line, trace):
        os.set_inheritable(number, False)
    file = os.fdopen(trace, "wb")
    faulthandler.enable(file)
    faulthandler.register(signal.SIGUSR1, file)
    ends, questions = Connection(line), queue.Queue[dict[str, Any]]()
    import torch.utils.flop_counter  # noqa: F401 - loading it is no network's own time

    threading.Thread(target=_listen, args=[ends, questions], daemon=True).start()
    ends.send_bytes(b"{}")
    codes: dict[str, OwnCode] = {}
    owner = os.getpid()
    while True:
        answer = _answer(questions.get(), codes)
        end_copies(owner)
        ends.send_bytes(json.dumps(answer).encode())


def _listen(line: Connection, questions: "queue.Queue[dict[str, Any]]") -> None:
    """In a thread, so that a network that never ends does not outlive whoever asked for it."""
    with suppress(EOFError, OSError):
        while True:
            questions.put(json.loads(line.recv_bytes()))
    os._exit(os.EX_OK)


def _answer(question: dict[str, Any], codes: dict[str, OwnCode]) -> dict[str, Any]:
    name, content = question.pop("code", None), question.pop("content", None)
    if content is not None:
        codes[name] = OwnCode(name, content)
    model, own = question.pop("model"), codes[name] if name else None
    try:
        return asdict(describe(model, own=own, **question))
    except OwnNetworkError as error:
        return {"error": str(error), "fix": error.fix}
    except ValueError as error:
        return {"invalid": str(error)}
    except Exception:  # a fault of bench's: whoever asked tells it
        return {"bug": traceback.format_exc()}
    except BaseException as error:  # what no except of bench's is meant for, KeyboardInterrupt say
        return {"error": f"{model} raised {type(error).__name__}", "fix": "raise an Exception"}
