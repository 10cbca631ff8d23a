"""Where things are: flags > BENCH_* environment > bench.toml in BENCH_HOME > defaults."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, TypeAlias
from urllib.parse import quote

from db.errors import ConfigError
from scheduler._values import Check, RefusedError, folder, one_of, seconds, switch, text
from scheduler.urls import check_broker_url

_SOCKET_LIMIT = 100  # bytes of a Unix socket's path; the system's limit is 104 or 108
_SHORT = Path("/tmp")  # noqa: S108 - who owns the folder below it, and who may write there, is checked before use
_OTHER_VARIABLES = ("debug", "device", "metrics", "valkey_server")  # of bench, but no settings
_BROKERS = ("redis", "rediss", "redis+socket", "amqp", "amqps")
Origin: TypeAlias = Literal["flag", "environment", "bench.toml", "default"]


PROBE_S = 120.0
"""For building and trying one network that is not bench's, before it is submitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every value with its default; paths left empty follow `home`. `load_settings` checks what it is given."""

    home: Path = Path(".bench")
    database_url: str = ""
    broker_url: str = ""
    artifacts_url: str = ""
    data_dir: Path = Path("~/.cache/bench/data")
    lease_s: float = 60.0
    heartbeat_s: float = 5.0
    checkpoint_s: float = 30.0
    keep_checkpoints: bool = False
    own_code: bool = True
    probe_s: float = PROBE_S
    log_format: Literal["text", "json"] = "text"
    log_level: str = "INFO"

    @property
    def folder(self) -> Path:
        return self.home.expanduser().absolute()

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite:///{_quoted(self.folder / 'bench.db')}"

    @property
    def artifacts(self) -> str:
        # not quoted: fsspec takes what follows file:// as it stands
        return self.artifacts_url or f"file://{self.folder / 'artifacts'}"

    @property
    def data(self) -> Path:
        return self.data_dir.expanduser().absolute()

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def embedded_broker(self) -> bool:
        return not self.broker_url

    @property
    def socket(self) -> Path:
        """The embedded broker's socket: in the home, or, when that path is too long for a socket, in a short folder.

        Not below TMPDIR or XDG_RUNTIME_DIR: a cron job has others than a login, and the two would not meet.
        """
        path = self.folder / "broker" / "valkey.sock"
        if len(os.fsencode(path)) <= _SOCKET_LIMIT:
            return path
        short = sha256(os.fsencode(path)).hexdigest()[:8]
        return _SHORT / f"bench-{os.getuid()}-{short}" / "v.sock"

    @property
    def broker(self) -> str:
        return self.broker_url or f"redis+socket://{_quoted(self.socket)}"

    def environment(self) -> dict[str, str]:
        """The same settings for a process that is started with these variables."""
        return {
            "BENCH_HOME": str(self.folder),
            "BENCH_DATABASE_URL": self.database_url,
            "BENCH_BROKER_URL": self.broker_url,
            "BENCH_ARTIFACTS_URL": self.artifacts_url,
            "BENCH_DATA_DIR": str(self.data),
            "BENCH_LEASE_S": str(self.lease_s),
            "BENCH_HEARTBEAT_S": str(self.heartbeat_s),
            "BENCH_CHECKPOINT_S": str(self.checkpoint_s),
            "BENCH_KEEP_CHECKPOINTS": str(self.keep_checkpoints).lower(),
            "BENCH_OWN_CODE": str(self.own_code).lower(),
            "BENCH_PROBE_S": str(self.probe_s),
            "BENCH_LOG_FORMAT": self.log_format,
            "BENCH_LOG_LEVEL": self.log_level,
        }


def _broker(value: Any) -> str:
    url = text(value)
    if url.partition("://")[0] not in _BROKERS:
        begins = ", ".join(f"{name}://" for name in _BROKERS)
        raise RefusedError("names no broker that bench can use", fix=f"begin it with one of {begins}")
    check_broker_url(url)
    return url


def _artifacts(value: Any) -> str:
    url = text(value)
    scheme, mark, _ = url.partition("://")
    if not mark or scheme == "file":
        return url
    from fsspec.registry import get_filesystem_class, known_implementations

    try:
        get_filesystem_class(scheme)
    except ValueError as error:
        fix = "begin it with file://, s3://, gs:// or alike"
        raise RefusedError("names no file system that fsspec knows", fix=fix) from error
    except ImportError as error:
        known = known_implementations[scheme]
        package = known["class"].partition(".")[0]
        # what fsspec has itself needs a library that only its own words name
        fix = known.get("err", "install it") if package == "fsspec" else f"`pip install {package}`"
        raise RefusedError(f"{scheme}:// needs a package that is not here", fix=fix) from error
    return url


_CHECKS: Mapping[str, Check] = {
    "home": folder,
    "database_url": text,
    "broker_url": _broker,
    "artifacts_url": _artifacts,
    "data_dir": folder,
    # the upper limits are far above what is of use, and far below what a database's moments can hold
    "lease_s": seconds(above=0, most=7 * 86_400),
    "heartbeat_s": seconds(above=0, most=3_600),
    "checkpoint_s": seconds(least=0, most=365 * 86_400),
    "keep_checkpoints": switch,
    "own_code": switch,
    "probe_s": seconds(above=0, most=7 * 86_400),
    "log_format": one_of("text", "json"),
    "log_level": one_of("DEBUG", "INFO", "WARNING", "ERROR", any_case=True),
}


def load_settings(**flags: Any) -> Settings:
    """The settings in force; `flags` win over everything. Raises ConfigError naming the variable."""
    toml, said = _said(flags)
    name = ""
    try:
        values = {}
        for name, (value, _) in said.items():
            values[name] = _CHECKS[name](value)
        found, name = Settings(**values), ""
        _check_together(found)
    except RefusedError as error:
        # without the value: it may hold a password
        message = f"{_variable(name)}: {error}" if name else str(error)
        fix = error.fix or f"{name} takes {error.takes}"
        raise ConfigError(message, fix=f"{fix}; it is set in the environment or in {toml}") from error
    return found


def origins(**flags: Any) -> dict[str, Origin]:
    """Where each setting in force comes from; whether they are in order says `load_settings`."""
    _, said = _said(flags)
    return {name: said[name][1] if name in said else "default" for name in _CHECKS}


def unknown_variables() -> list[str]:
    """Variables of the environment that begin like settings and are none; a name in lower case is none."""
    known = {_variable(name) for name in (*_CHECKS, *_OTHER_VARIABLES)}
    return sorted(
        name
        for name in os.environ
        if name.lower().startswith("bench_") and not name.startswith("BENCH_TEST_") and name not in known
    )


def _said(flags: Mapping[str, Any]) -> tuple[Path, dict[str, tuple[Any, Origin]]]:
    """The bench.toml of the home in force, which need not be there; and what was said of settings, and by whom.

    Flags win over the environment, and that over the file. What is empty means the default, and is left out.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    home = Path(given.get("home") or os.environ.get("BENCH_HOME") or ".bench")
    toml = Path(os.path.expanduser(home)) / "bench.toml"  # noqa: PTH111 - one that it cannot expand is named later
    told = {name: os.environ[_variable(name)] for name in _CHECKS if _variable(name) in os.environ}
    file = _read(toml) if toml.is_file() else {}
    sources: tuple[tuple[Origin, Mapping[str, Any]], ...]
    sources = (("bench.toml", file), ("environment", told), ("flag", given))
    said = {name: (value, origin) for origin, values in sources for name, value in values.items()}
    return toml, {name: said[name] for name in sorted(said, key=list(_CHECKS).index) if said[name][0] != ""}


def _variable(name: str) -> str:
    return f"BENCH_{name.upper()}"


def _check_together(found: Settings) -> None:
    # readers of URLs drop line breaks and tabs, and a Valkey server's own settings are lines
    if any(ord(letter) < ord(" ") or letter == "\x7f" for letter in str(found.folder)):
        raise RefusedError(f"BENCH_HOME holds a control character: {found.folder}", fix="choose another folder")
    if found.lease_s < 10 * found.heartbeat_s:
        message = "BENCH_LEASE_S must be at least 10 times BENCH_HEARTBEAT_S"
        raise RefusedError(message, fix="raise BENCH_LEASE_S or lower BENCH_HEARTBEAT_S")


def _read(toml: Path) -> dict[str, Any]:
    import tomllib  # only where there is such a file: the prompt waits for it

    try:
        values = tomllib.loads(toml.read_text("utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{toml}: not valid TOML: {error}", fix="mend that line") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {toml}: {error}", fix="make it a readable file in UTF-8") from error
    # the home is where this file was found, so it cannot say so
    known = [name for name in _CHECKS if name != "home"]
    for name in values:
        if name not in known:
            raise ConfigError(f"{toml}: no setting {name!r}", fix=f"choose among {', '.join(known)}")
    return values


def _quoted(path: Path) -> str:
    """As a URL's path: only what would end it, or be read as a quoted letter, is quoted, so that it stays readable."""
    return "".join(quote(letter) if letter in "%?#" else letter for letter in str(path))
