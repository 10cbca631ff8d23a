"""Run as a script beside the embedded broker: ends it when nobody has used it for an hour, and ends with it."""

import os
import sys
import time

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

_LOOK_EVERY_S = 1.0
_PATIENCE_S = 3600.0
NAME = "guard"


def watch(path: str, queue: str, *, patience_s: float = _PATIENCE_S, every_s: float = _LOOK_EVERY_S) -> None:
    """Until the server is gone, or has had no other client and no message for `patience_s` seconds."""
    # no retry: a new server on the same socket has a guard of its own
    client = redis.Redis(
        unix_socket_path=path, socket_timeout=10, single_connection_client=True, retry=Retry(NoBackoff(), 0)
    )
    used_at = time.monotonic()
    try:
        client.client_setname(NAME)
        while True:
            if not os.path.exists(path):  # noqa: PTH110 - its folder was removed: nobody can come any more
                client.shutdown(nosave=True, force=True)
                return
            if len(client.client_list()) > 1 or client.llen(queue):
                used_at = time.monotonic()
            elif time.monotonic() - used_at > patience_s:
                client.shutdown()
                return
            time.sleep(every_s)
    except redis.RedisError:
        return  # the server is gone
    finally:
        client.close()


if __name__ == "__main__":
    if os.fork():
        os._exit(0)
    os.setsid()
    watch(sys.argv[1], sys.argv[2], patience_s=float(sys.argv[3]) if len(sys.argv) > 3 else _PATIENCE_S)
