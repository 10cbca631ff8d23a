"""docker-compose.yml as Debian's docker-compose 1.29 reads it; no engine is needed for that."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PASSWORDS = {"REDIS_PASSWORD": "redis0secret", "POSTGRES_PASSWORD": "postgres0secret"}

pytestmark = pytest.mark.skipif(not shutil.which("docker-compose"), reason="docker-compose is not installed")


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    done = _config(PASSWORDS)
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, Any]] = yaml.safe_load(done.stdout)["services"]
    return found


def test_the_services_are_those_that_the_documentation_names(services: dict[str, dict[str, Any]]) -> None:
    profiles = {name: service.get("profiles", []) for name, service in services.items()}
    assert {name for name, wanted in profiles.items() if not wanted} == {"redis", "postgres", "migrate", "worker-cpu"}
    assert {name: wanted for name, wanted in profiles.items() if wanted} == {
        "worker-gpu": ["gpu"],
        "flower": ["flower"],
    }


def test_no_service_publishes_a_port_or_runs_as_root(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert not service.get("ports"), name
        assert service.get("network_mode") != "host", name
        assert service.get("user") not in (None, "root", "0"), name


def test_every_service_is_without_capabilities_new_privileges_and_a_writable_root(
    services: dict[str, dict[str, Any]],
) -> None:
    for name, service in services.items():
        assert service.get("cap_drop") == ["ALL"], name
        assert service.get("security_opt") == ["no-new-privileges:true"], name
        assert service.get("read_only") is True, name
        assert not service.get("privileged"), name


def test_a_worker_is_asked_for_itself_not_for_any_worker(services: dict[str, dict[str, Any]]) -> None:
    for name in ("worker-cpu", "worker-gpu"):
        assert services[name]["healthcheck"]["test"] == ["CMD", "bench", "worker", "--healthy"]


def test_every_service_that_stays_has_a_health_check_and_starts_again(services: dict[str, dict[str, Any]]) -> None:
    staying = {name: service for name, service in services.items() if name != "migrate"}
    assert [name for name, service in staying.items() if not service.get("healthcheck", {}).get("test")] == []
    assert {service["restart"] for service in staying.values()} == {"unless-stopped"}


def test_workers_wait_for_the_migration_and_it_for_postgres(services: dict[str, dict[str, Any]]) -> None:
    migrate = services["migrate"]
    assert migrate["command"] == ["db", "upgrade"]
    assert migrate["depends_on"]["postgres"]["condition"] == "service_healthy"
    for name in ("worker-cpu", "worker-gpu"):
        assert services[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"


def test_the_queue_and_the_store_live_in_named_volumes(services: dict[str, dict[str, Any]]) -> None:
    assert services["redis"]["volumes"] == ["redis:/data:rw"]
    assert services["postgres"]["volumes"] == ["postgres:/var/lib/postgresql/data:rw"]
    redis = " ".join(services["redis"]["command"])
    assert "--appendonly yes" in redis
    assert "--maxmemory-policy noeviction" in redis


@pytest.mark.parametrize("missing", PASSWORDS)
def test_a_password_left_empty_as_in_the_example_is_an_error_that_names_it(missing: str) -> None:
    done = _config({name: value for name, value in PASSWORDS.items() if name != missing})
    assert done.returncode != 0
    assert missing in done.stderr


def test_every_password_comes_from_the_environment_and_none_is_an_argument(services: dict[str, dict[str, Any]]) -> None:
    asked = [
        (name, value)
        for service in services.values()
        for name, value in service.get("environment", {}).items()
        if re.search("PASSWORD|AUTH|DATABASE_URL|BROKER_URL", name)
    ]
    assert len(asked) >= 8
    assert [pair for pair in asked if not any(password in pair[1] for password in PASSWORDS.values())] == []
    for service in services.values():
        spoken = " ".join([*service.get("command", []), *service.get("healthcheck", {}).get("test", [])])
        assert not any(password in spoken for password in PASSWORDS.values()), "every process sees arguments"


def test_the_example_names_every_variable_that_the_file_reads() -> None:
    read = set(re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text()))
    named = set(re.findall(r"^(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert read == named


def _config(environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """`docker-compose config` with .env.example in the place of a .env of whoever runs the tests."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.run(
        ["docker-compose", "--env-file", ".env.example", "config"],
        cwd=ROOT,
        env={**kept, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
