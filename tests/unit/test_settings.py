"""Settings: which source wins, what follows the home, and what an error says of them."""

import os
import re
import tempfile
from dataclasses import fields
from pathlib import Path

import pytest
from fsspec.core import url_to_fs
from kombu.utils.url import url_to_parts as kombu_url

from cli._app import EPILOG
from db._database import parse_url
from db.errors import ConfigError
from scheduler.settings import Settings, load_settings


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A BENCH_HOME with a bench.toml."""
    (tmp_path / "bench.toml").write_text("lease_s = 300\nheartbeat_s = 7\ncheckpoint_s = 11\n")
    monkeypatch.setenv("BENCH_HOME", str(tmp_path))
    return tmp_path


def test_flags_win_over_the_environment_and_that_over_the_file_and_that_over_defaults(home, monkeypatch):
    monkeypatch.setenv("BENCH_LEASE_S", "400")
    monkeypatch.setenv("BENCH_HEARTBEAT_S", "8")
    found = load_settings(lease_s=500)
    assert (found.lease_s, found.heartbeat_s, found.checkpoint_s, found.keep_checkpoints) == (500, 8, 11, False)


def test_the_file_is_that_of_the_home_in_force(home, tmp_path_factory):
    assert load_settings(home=tmp_path_factory.mktemp("other")).lease_s == 60


def test_what_is_not_set_follows_the_home(tmp_path):
    found = load_settings(home=tmp_path)
    assert found.database == f"sqlite:///{tmp_path / 'bench.db'}"
    assert found.artifacts == f"file://{tmp_path / 'artifacts'}"
    assert found.broker == f"redis+socket://{tmp_path / 'broker' / 'valkey.sock'}"
    assert (found.cache, found.logs) == (tmp_path / "cache", tmp_path / "logs")
    assert found.embedded_broker


def test_a_home_with_letters_that_mean_something_in_a_url_is_where_it_says():
    home = Path("/srv/50 %41 ? #1")  # nothing is made there; short, so that its socket may lie in it
    found = load_settings(home=home)
    assert parse_url(found.database).database == str(home / "bench.db")
    assert kombu_url(found.broker).path == str(home / "broker" / "valkey.sock").lstrip("/")
    assert url_to_fs(found.artifacts)[1] == str(home / "artifacts")


@pytest.mark.parametrize("letter", ["\n", "\r", "\t", "\x7f"])
def test_a_home_that_a_url_cannot_hold_is_refused(tmp_path, monkeypatch, letter):
    (tmp_path / f"a{letter}b").mkdir()
    monkeypatch.chdir(tmp_path / f"a{letter}b")
    with pytest.raises(ConfigError, match="BENCH_HOME holds a control character") as raised:
        load_settings()
    assert "another folder" in raised.value.fix


@pytest.mark.parametrize("name", ["home", "data_dir"])
def test_a_folder_of_somebody_unknown_is_refused(name):
    with pytest.raises(ConfigError, match="no home of ~nosuch") as raised:
        load_settings(**{name: Path("~nosuch/x")})
    assert "write the folder in full" in raised.value.fix


def test_an_empty_value_means_the_default(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_DATABASE_URL", "")
    monkeypatch.setenv("BENCH_LEASE_S", "")
    found = load_settings(home=tmp_path)
    assert found.database == f"sqlite:///{tmp_path / 'bench.db'}"
    assert found.lease_s == 60


def test_a_socket_is_put_elsewhere_when_its_path_would_be_too_long(tmp_path):
    deep = load_settings(home=tmp_path / ("x" * 120))
    assert len(os.fsencode(deep.socket)) <= 100
    assert deep.socket != load_settings(home=tmp_path / ("y" * 120)).socket


def test_a_cron_job_and_a_login_find_the_same_socket(tmp_path, monkeypatch):
    deep = load_settings(home=tmp_path / ("x" * 120))
    before = deep.socket
    for name in ("XDG_RUNTIME_DIR", "TMPDIR"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)  # where the value of TMPDIR is kept
    assert deep.socket == before


def test_a_process_started_with_these_variables_has_the_same_settings(tmp_path, monkeypatch):
    given = load_settings(home=tmp_path, broker_url="redis://there/1", lease_s=120, keep_checkpoints=True)
    assert {name.lower() for name in given.environment()} == {f"bench_{field.name}" for field in fields(Settings)}
    for name, value in given.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir("/")
    assert load_settings().environment() == given.environment()


@pytest.mark.parametrize("url", ["kafka://user:secret@host", "user:secret@host"])
def test_an_error_does_not_show_a_password(monkeypatch, tmp_path, url):
    monkeypatch.setenv("BENCH_BROKER_URL", url)
    with pytest.raises(ConfigError) as raised:
        load_settings(home=tmp_path)
    assert "secret" not in str(raised.value) + raised.value.fix


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("redis://localhost:6379/abc", "names no database"),
        ("redis://localhost/0/1", "names no database"),
        ("redis+socket://", "names no socket"),
        ("redis+socket:///", "names no socket"),
        ("redis+socket://relative/path", "names no socket"),
        ("redis+socket:///there/v.sock?virtual_host=zz", "has an option"),
        ("redis+socket:///there/v.sock?db=1", "has an option"),
    ],
)
def test_a_broker_that_celery_would_stumble_over_is_refused_at_once(tmp_path, url, error):
    with pytest.raises(ConfigError, match=f"BENCH_BROKER_URL {error}") as raised:
        load_settings(home=tmp_path, broker_url=url)
    assert raised.value.fix


@pytest.mark.parametrize(
    "url",
    ["redis://there", "redis://there/", "rediss://there/7", "redis+socket:///v.sock?virtual_host=1", "amqp://h/v"],
)
def test_a_broker_that_celery_can_use_is_taken(tmp_path, url):
    assert load_settings(home=tmp_path, broker_url=url).broker == url


@pytest.mark.parametrize(("name", "value"), [("lease_s", 1e15), ("heartbeat_s", 1e10), ("checkpoint_s", 1e10)])
def test_a_time_that_a_database_cannot_hold_is_refused(tmp_path, name, value):
    with pytest.raises(ConfigError, match=f"BENCH_{name.upper()}: ") as raised:
        load_settings(home=tmp_path, **{name: value})
    assert "at most" in raised.value.fix


def test_the_help_names_every_setting_with_its_default():
    for field in fields(Settings):
        plain = f"{field.default:g}" if isinstance(field.default, float) else field.default
        told = str(plain).lower() if isinstance(field.default, int | float) else ""
        assert re.search(rf"BENCH_{field.name.upper()} \([^)]*{told}", EPILOG), field.name


def test_an_error_says_where_the_setting_may_be_set(home, monkeypatch):
    monkeypatch.setenv("BENCH_CHECKPOINT_S", "often")
    with pytest.raises(ConfigError, match="BENCH_CHECKPOINT_S") as raised:
        load_settings()
    assert "in the environment or in " + str(home / "bench.toml") in raised.value.fix


@pytest.mark.parametrize("url", ["file:///somewhere", "/somewhere", "memory://x"])
def test_artifacts_may_live_where_fsspec_can_reach_them(tmp_path, url):
    assert load_settings(home=tmp_path, artifacts_url=url).artifacts == url


def test_an_artifact_store_whose_package_is_missing_names_it(tmp_path):
    with pytest.raises(ConfigError, match="gs:// needs a package") as raised:
        load_settings(home=tmp_path, artifacts_url="gs://bucket")
    assert "pip install gcsfs" in raised.value.fix


def test_an_artifact_store_that_fsspec_has_but_whose_library_is_missing_names_it(tmp_path):
    with pytest.raises(ConfigError, match="sftp:// needs a package") as raised:
        load_settings(home=tmp_path, artifacts_url="sftp://host/folder")
    assert "paramiko" in raised.value.fix


def test_a_home_and_a_data_folder_may_be_written_with_a_tilde():
    found = load_settings(home=Path("~/bench"), data_dir=Path("~/data"))
    assert (found.folder, found.data) == (Path.home() / "bench", Path.home() / "data")
