"""The Celery app's settings, read from the app itself: each guards a promise."""

import pytest

from db.errors import ConfigError
from scheduler.app import make_app
from scheduler.settings import Settings

SETTINGS = {
    "accept_content": ["json"],
    "result_accept_content": ["json"],
    "task_serializer": "json",
    "result_serializer": "json",
    "result_backend": None,
    "task_ignore_result": True,
    "task_acks_late": True,
    "worker_prefetch_multiplier": 1,
    "task_reject_on_worker_lost": False,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "worker_deduplicate_successful_tasks": False,
    "worker_send_task_events": False,
    "task_track_started": False,
}
ON_REDIS = {
    "visibility_timeout": 86_400,
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
    "health_check_interval": 25,
}
OVER_TCP = {"socket_timeout": 60, "socket_connect_timeout": 5, "socket_keepalive": True}


def options(url):
    return make_app(Settings(broker_url=url)).conf.broker_transport_options


@pytest.mark.parametrize(("name", "value"), SETTINGS.items())
def test_the_app_has_the_setting_that_reliability_rests_on(name, value):
    assert make_app(Settings()).conf[name] == value


def test_publishing_gives_up_after_a_few_tries():
    assert make_app(Settings()).conf.task_publish_retry_policy["max_retries"] == 3


def test_a_broker_on_redis_has_the_timeouts_that_a_lost_worker_and_a_cut_link_need():
    assert options("rediss://host:6379/0") == ON_REDIS | OVER_TCP
    assert options("") == ON_REDIS
    assert options("amqp://host//") == {"confirm_publish": True}


@pytest.mark.parametrize(
    "url",
    [
        "redis://:mar/ker@host:6379/0",
        "redis://:mar?ker@host",
        "redis://user:marker",
        "redis://:mar#ker@host",
        "redis://user:12/marker@host",
    ],
)
def test_a_url_whose_password_is_not_quoted_is_refused_without_a_word_of_it(url):
    with pytest.raises(ConfigError, match="BENCH_BROKER_URL is not a URL with a host") as refused:
        make_app(Settings(broker_url=url))
    assert "mar" not in str(refused.value)
    assert "%2F" in refused.value.fix


@pytest.mark.parametrize("option", ["password=marker", "ssl_cert_reqs=marker", "credential_provider=marker", "db=1"])
def test_an_option_that_celery_would_stumble_over_is_refused_by_name(option):
    with pytest.raises(ConfigError, match="BENCH_BROKER_URL has an option") as refused:
        make_app(Settings(broker_url=f"rediss://host/0?{option}"))
    assert "marker" not in f"{refused.value} {refused.value.fix}"
