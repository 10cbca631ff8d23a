"""What a worker takes from the queue: a message whose content is a job's id. All else is thrown away in one line.

Celery alone would log such a message over many lines, or hand it to a pool child; bytes that are no message at all end
its worker, and each worker after that. Whoever can write to the broker could do so.
"""

import base64
import json
import logging
from collections.abc import Callable
from typing import Any

from celery.worker.consumer import Consumer
from kombu.connection import Connection
from kombu.message import Message
from kombu.transport import redis

from scheduler.app import QUEUE, TASK

log = logging.getLogger(__name__)

_MOST = 2**63 - 1  # what a database's integer holds
# whatever kombu's JSON reader raises for bytes from anywhere
_UNREADABLE = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError)


class Refused(Exception):  # noqa: N818 - a verdict on the message, not an error of ours
    """Why a message is not taken, short and free of line breaks."""


def read_job_id(message: Message) -> int:
    """The one thing that a doorbell holds. Raises Refused for everything else."""
    task = message.headers.get("task")
    if task != TASK:
        raise Refused(f"unknown task {task!r:.60}")
    if not isinstance(message.headers.get("id"), str):
        raise Refused("it has no id")
    if message.content_type != "application/json":
        raise Refused(f"content type {message.content_type!r:.60}")
    try:
        arguments, names, embedded = json.loads(message.body)
        extra = [*names, *filter(None, embedded.values())]
    except _UNREADABLE as error:
        raise Refused(f"content that is no list of arguments, {type(error).__name__}") from error
    if extra or not isinstance(arguments, list) or len(arguments) != 1:
        raise Refused(f"arguments that are not one job id: {arguments!r:.60}")
    (job_id,) = arguments
    if type(job_id) is not int or not 0 < job_id <= _MOST:  # True is an int
        raise Refused(f"a job id that is none: {job_id!r:.60}")
    return job_id


class Inbox(Consumer):  # type: ignore[misc] # Celery has no types
    """Celery's consumer behind that check."""

    def connection_for_read(self, heartbeat: float | None = None) -> Any:
        connection: Connection = self.app.connection_for_read(heartbeat=heartbeat)
        if connection.get_transport_cls() is redis.Transport:  # type: ignore[no-untyped-call]
            connection.transport_cls = _Transport
        return self.ensure_connected(connection)

    def create_task_handler(self, *words: Any, **names: Any) -> Callable[[Message], None]:
        handle = super().create_task_handler(*words, **names)

        def on_message(message: Message) -> None:
            try:
                read_job_id(message)
            except Refused as why:
                _throw_away(why)
                message.reject_log_error(log, self.connection_errors)  # type: ignore[no-untyped-call]
            else:
                # the rest are orders to Celery: wait until a moment, kill after a time, send something on
                message.headers = {name: message.headers[name] for name in ("task", "id")}
                handle(message)

        return on_message


class _Channel(redis.Channel):
    """On Redis and Valkey kombu's own envelope comes from the queue too, and is read inside the worker's event loop."""

    _was_read = False

    def basic_consume(self, queue: str, *words: Any, **names: Any) -> None:
        super().basic_consume(queue, *words, **names)  # type: ignore[no-untyped-call]
        take = self.connection._callbacks[queue]

        def on_envelope(envelope: Any) -> None:
            self._was_read = True
            if queue != QUEUE or _is_envelope(envelope):
                take(envelope)
            else:
                _throw_away("JSON that is no message")

        self.connection._callbacks[queue] = on_envelope

    def _brpop_read(self, **options: Any) -> bool:
        self._was_read = False
        try:
            return bool(super()._brpop_read(**options))  # type: ignore[no-untyped-call]
        except _UNREADABLE as error:
            if self._was_read:
                raise  # a fault of ours, not of the bytes
            _throw_away(f"bytes that are no JSON, {type(error).__name__}")
            return True


class _Transport(redis.Transport):
    Channel = _Channel


def _is_envelope(envelope: Any) -> bool:
    """As kombu writes it for a task, so that taking it apart cannot fail, nor unpack a body far larger than itself."""
    try:
        properties, headers = envelope["properties"], envelope["headers"]
        places = [
            properties["delivery_tag"],
            *(properties["delivery_info"][name] for name in ("exchange", "routing_key")),
        ]
        base64.b64decode(envelope["body"], validate=True).decode()
        return (
            all(isinstance(place, str) for place in places)
            and isinstance(headers, dict)
            and "compression" not in headers
            and properties["body_encoding"] == "base64"
            and envelope["content-encoding"] == "utf-8"
        )
    except _UNREADABLE:
        return False


def _throw_away(why: object) -> None:
    log.error("a message was thrown away: %s", why)
