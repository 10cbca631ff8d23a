"""`bench config show`: each setting, its value, and who set it."""

import json
from dataclasses import fields

import pytest
from command import bench

from scheduler.settings import Settings, load_settings, origins

MARKER = "marker0zq"


@pytest.fixture
def home(bench_home):
    bench_home.mkdir()
    (bench_home / "bench.toml").write_text(
        f'lease_s = 300\nheartbeat_s = 7\nbroker_url = "redis://bench:{MARKER}@queue.example:6379/0"\n'
    )
    return bench_home


def shown(cwd, **environment):
    found = json.loads(bench("config", "show", "--json", cwd=cwd, **environment).stdout)
    return {one["variable"]: (one["value"], one["origin"]) for one in found["settings"]}


def test_each_setting_is_shown_with_its_value_and_its_origin(home, tmp_path):
    found = shown(tmp_path, BENCH_HEARTBEAT_S="8", BENCH_KEEP_CHECKPOINTS="1")
    assert [*found] == [f"BENCH_{field.name.upper()}" for field in fields(Settings)]
    assert found["BENCH_HOME"] == (str(home), "environment")
    assert found["BENCH_LEASE_S"] == (300, "bench.toml")
    assert found["BENCH_HEARTBEAT_S"] == (8, "environment")
    assert found["BENCH_KEEP_CHECKPOINTS"] == (True, "environment")
    assert found["BENCH_CHECKPOINT_S"] == (30, "default")
    assert found["BENCH_DATABASE_URL"] == (f"sqlite:///{home / 'bench.db'}", "default")


@pytest.mark.parametrize(
    ("url", "value"),
    [
        (f"postgresql://bench:{MARKER}@db.example/x?password={MARKER}", "postgresql://db.example/x"),
        (f"postgresql:{MARKER}", "(not a URL)"),
        ("sqlite:////srv/me@home/bench.db", "sqlite:////srv/me@home/bench.db"),
    ],
)
def test_a_secret_is_never_shown(home, tmp_path, url, value):
    done = bench("config", "show", cwd=tmp_path, BENCH_DATABASE_URL=url)
    assert MARKER not in done.stdout + done.stderr
    assert value in done.stdout
    assert "redis://queue.example:6379/0" in done.stdout


def test_an_empty_value_is_the_default_whoever_gave_it(home, monkeypatch):
    monkeypatch.setenv("BENCH_HEARTBEAT_S", "")
    assert (load_settings().heartbeat_s, origins()["heartbeat_s"]) == (5, "default")


@pytest.mark.parametrize("given", [{}, {"lease_s": 500}, {"lease_s": None}], ids=str)
@pytest.mark.parametrize("variable", ["BENCH_LEASE_S", "bench_lease_s", "OTHER"])
def test_the_origin_is_the_source_that_decides(home, monkeypatch, given, variable):
    monkeypatch.setenv(variable, "400")
    values = {"flag": 500, "environment": 400, "bench.toml": 300}
    assert load_settings(**given).lease_s == values[origins(**given)["lease_s"]]
