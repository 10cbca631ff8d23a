"""The Celery app. A message is a doorbell: it says that there is work, the store decides which."""

import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from celery import Celery
from kombu.exceptions import ChannelError, KombuError

from db.errors import BrokerError
from scheduler.queue import QUEUE as QUEUE
from scheduler.queue import Doorbells
from scheduler.settings import Settings
from scheduler.urls import check_broker_url, shown

TASK = "bench.work"
_VISIBILITY_S = 86_400  # longer than any job; the store's leases decide, never a redelivery


def make_app(settings: Settings) -> Celery:
    """The app with every setting that reliability rests on, each with its reason. Raises ConfigError."""
    check_broker_url(settings.broker)
    app = Celery("bench", broker=settings.broker, set_as_current=False)
    app.conf.update(
        accept_content=["json"],  # nothing from the queue is ever unpickled
        result_accept_content=["json"],
        task_serializer="json",
        result_serializer="json",
        task_ignore_result=True,  # results live in the store
        result_backend=None,
        task_track_started=False,
        task_store_errors_even_if_ignored=False,
        task_default_queue=QUEUE,
        task_acks_late=True,  # with prefetch 1 a busy slot holds only the job that it runs
        worker_prefetch_multiplier=1,
        task_reject_on_worker_lost=False,  # leases bring a lost job back, with a cap; redelivery would loop
        worker_cancel_long_running_tasks_on_connection_loss=False,  # a broker restart must not kill trainings
        worker_enable_remote_control=True,  # `inspect ping`; whoever may write to the broker may stop workers
        worker_deduplicate_successful_tasks=False,  # needs a result backend; the store's claim is stronger
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # for ever: the default gives up after 100
        task_publish_retry_policy={"max_retries": 3, "interval_start": 0.1, "interval_step": 0.2, "interval_max": 0.5},
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        broker_transport_options=_transport_options(settings.broker),
        # what the URL says of TLS wins; one that says nothing would be encrypted to whoever answers
        broker_use_ssl={"ssl_cert_reqs": ssl.CERT_REQUIRED} if settings.broker.startswith("rediss:") else False,
    )
    return app


def _transport_options(url: str) -> dict[str, Any]:
    if url.startswith("amqp"):
        return {"confirm_publish": True}  # a message counts as sent once RabbitMQ has it
    options: dict[str, Any] = {
        "visibility_timeout": _VISIBILITY_S,
        # what a killed worker held is looked for every 10 s; by default every 10th look of these does it, 100 s
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
        "health_check_interval": 25,
    }
    if "+socket" not in url:
        # without them a half-open connection waits for ever
        options |= {"socket_timeout": 60, "socket_connect_timeout": 5, "socket_keepalive": True}
    return options


def doorbells(settings: Settings) -> Doorbells:
    """Ringing through Celery; each call opens and closes its own connection."""
    app = make_app(settings)
    return Doorbells(
        send=lambda job_ids: _send(app, settings, job_ids),
        depth=lambda: _depth(app, settings),
    )


def _send(app: Celery, settings: Settings, job_ids: Sequence[int]) -> None:
    with _translated(app, settings), app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=2, interval_start=0.1, interval_step=0.2)
        with app.amqp.Producer(connection) as producer:
            for job_id in job_ids:
                app.send_task(TASK, args=[job_id], queue=QUEUE, producer=producer, retry=True)


def _depth(app: Celery, settings: Settings) -> int | None:
    with _translated(app, settings), app.connection_for_read() as connection:
        connection.ensure_connection(max_retries=1, interval_start=0.1)
        try:
            count: int = connection.default_channel.queue_declare(queue=QUEUE, passive=True).message_count
        except ChannelError:
            return 0  # nobody has used the queue yet
        return count


@contextmanager
def _translated(app: Celery, settings: Settings) -> Iterator[None]:
    transport = app.connection_for_write()
    try:
        yield
    # a server that goes away between two words shows itself in its own library's errors
    except (KombuError, OSError, *transport.connection_errors, *transport.channel_errors) as error:
        raise BrokerError(
            f"the broker {shown(settings.broker)} does not answer: {error}", fix=fix_for(settings)
        ) from error


def fix_for(settings: Settings) -> str:
    if settings.embedded_broker:
        return "run the command again; if it stays, run `bench down` first"
    return "start it or correct BENCH_BROKER_URL, then run `bench status`: what waits is sent then"
