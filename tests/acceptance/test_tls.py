"""Redis and Postgres over real TLS connections with passwords: Debian's servers, the URLs of docs/security.md."""

import json
import os
from pathlib import Path

import command
import psycopg
import pytest
from servers import certificates, tls_postgres, tls_redis, tls_servers_missing

MISSING = tls_servers_missing()
PASSWORD = "marker0of0a0password"

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {MISSING}")


@pytest.fixture(scope="module")
def files():
    with certificates() as made:
        yield made


@pytest.fixture(scope="module")
def redis_at(files):
    with tls_redis(files, PASSWORD) as address:
        yield address


@pytest.fixture(scope="module")
def postgres_at(files):
    with tls_postgres(files, PASSWORD) as address:
        yield address


def broker_url(address, *, ca, scheme="rediss", password=PASSWORD, host="localhost", options=None):
    if options is None and scheme == "rediss":
        options = f"?ssl_cert_reqs=required&ssl_ca_certs={ca}"
    return f"{scheme}://:{password}@{address.replace('localhost', host)}/0{options or ''}"


def database_url(address, *, ca, sslmode="verify-full", password=PASSWORD, host="localhost"):
    place = address.replace("localhost", host)
    return f"postgresql+psycopg://bench:{password}@{place}/bench?sslmode={sslmode}&sslrootcert={ca}"


def bench(*words, **options):
    done = command.bench(*words, **options)
    assert PASSWORD not in done.stdout + done.stderr
    assert [path for path in Path(os.environ["BENCH_HOME"]).rglob("*") if path.is_file() and holds(path)] == []
    return done


def holds(path):
    return PASSWORD.encode() in path.read_bytes()


def test_a_job_is_trained_over_tls_to_both_servers(bench_home, tmp_path, files, redis_at, postgres_at):
    urls = {
        "BENCH_BROKER_URL": broker_url(redis_at, ca=files.ca),
        "BENCH_DATABASE_URL": database_url(postgres_at, ca=files.ca),
    }
    small = ["--variant", "baseline", "--dataset", "digits", "--epochs", "1"]
    bench("submit", *small, cwd=tmp_path, **urls)
    bench("worker", "--slots", "1", "--drain", cwd=tmp_path, **urls)
    status = json.loads(bench("status", "--json", cwd=tmp_path, **urls).stdout)
    assert status["counts"]["done"] == 1
    bench("report", "--out", "report", cwd=tmp_path, **urls)
    assert (tmp_path / "report" / "report.html").is_file()
    with psycopg.connect(urls["BENCH_DATABASE_URL"].replace("+psycopg", "")) as connection:
        assert connection.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone() == (True,)


def refused(done):
    """The one line that says what is wrong; the next one says what mends it."""
    lines = done.stderr.strip().splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["error", "fix"], done.stderr
    assert len(lines[0]) < 300
    return lines[0]


@pytest.mark.parametrize(
    ("words", "change", "why"),
    [
        ("worker", {"ca": "other_ca"}, "certificate verify failed"),
        ("submit --variant baseline --dataset digits", {"ca": "other_ca"}, "certificate verify failed"),
        ("worker", {"host": "127.0.0.1"}, "not valid for '127.0.0.1'"),
        ("worker", {"options": ""}, "certificate verify failed"),
        ("worker", {"scheme": "redis"}, "does not answer"),
        ("worker", {"password": "wrong" + PASSWORD}, "invalid username-password pair"),
        ("worker", {"password": ""}, "Authentication required"),
    ],
    ids=[
        "another CA",
        "another CA for submit",
        "another host name",
        "no CA named",
        "no TLS",
        "another password",
        "no password",
    ],
)
def test_a_broker_that_is_not_the_right_one_is_refused_in_one_line(
    bench_home, tmp_path, files, redis_at, words, change, why
):
    change = {"ca": "ca"} | change
    url = broker_url(redis_at, **(change | {"ca": getattr(files, change["ca"])}))
    line = refused(bench(*words.split(), cwd=tmp_path, code=3, BENCH_BROKER_URL=url))
    assert why in line
    assert redis_at.partition(":")[2] in line


@pytest.mark.parametrize(
    ("words", "change", "why"),
    [
        ("status", {"ca": "other_ca"}, "certificate verify failed"),
        ("status", {"host": "127.0.0.1"}, "does not match host name"),
        ("status", {"sslmode": "disable"}, "no encryption"),
        ("db check", {"password": "wrong" + PASSWORD}, "password authentication failed"),
        ("worker", {"password": "wrong" + PASSWORD}, "password authentication failed"),
    ],
    ids=["another CA", "another host name", "no TLS", "another password", "another password for a worker"],
)
def test_a_store_that_is_not_the_right_one_is_refused_in_one_line(
    bench_home, tmp_path, files, postgres_at, words, change, why
):
    change = {"ca": "ca"} | change
    url = database_url(postgres_at, **(change | {"ca": getattr(files, change["ca"])}))
    line = refused(bench(*words.split(), cwd=tmp_path, code=3, BENCH_DATABASE_URL=url))
    assert why in line
    assert postgres_at.partition(":")[2] in line
