"""Where things are: flags > BENCH_* environment > bench.toml in BENCH_HOME > defaults."""

import os
import tomllib
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import quote

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from db.errors import ConfigError
from scheduler import _sources
from scheduler._wording import explained
from scheduler.urls import check_broker_url

_SOCKET_LIMIT = 100  # bytes of a Unix socket's path; the system's limit is 104 or 108
_SHORT = Path("/tmp")  # noqa: S108 - who owns the folder below it, and who may write there, is checked before use
_OTHER_VARIABLES = ("debug", "device", "metrics", "valkey_server")  # of bench, but no settings
_BROKERS = ("redis", "rediss", "redis+socket", "amqp", "amqps")

_Level = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(lambda name: str(name).upper())]


class Settings(BaseSettings):
    """Every value with its default; paths left empty follow `home`."""

    model_config = SettingsConfigDict(env_prefix="BENCH_", frozen=True, extra="forbid")
    _file: ClassVar[Mapping[str, Any]] = {}  # what bench.toml holds

    home: Path = Path(".bench")
    database_url: str = ""
    broker_url: str = ""
    artifacts_url: str = ""
    data_dir: Path = Path("~/.cache/bench/data")
    # the upper limits are far above what is of use, and far below what a database's moments can hold
    lease_s: float = Field(60, gt=0, le=7 * 86_400, allow_inf_nan=False)
    heartbeat_s: float = Field(5, gt=0, le=3_600, allow_inf_nan=False)
    checkpoint_s: float = Field(30, ge=0, le=365 * 86_400, allow_inf_nan=False)
    keep_checkpoints: bool = False
    log_format: Literal["text", "json"] = "text"
    log_level: _Level = "INFO"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, env_settings, InitSettingsSource(settings_cls, init_kwargs=dict(cls._file)))

    @model_validator(mode="before")
    @classmethod
    def _empty_means_default(cls, values: Any) -> Any:
        return {name: value for name, value in values.items() if value != ""}

    @field_validator("home", "data_dir")
    @classmethod
    def _a_folder(cls, path: Path) -> Path:
        try:
            there = path.expanduser()
        except RuntimeError as error:  # ~ somebody whom the system does not know
            raise _refusal(f"there is no home of {path.parts[0]}", fix="write the folder in full") from error
        if there.exists() and not there.is_dir():
            raise _refusal(f"{there} is not a folder", fix="name a folder; it is made when it is needed")
        return path

    @field_validator("broker_url")
    @classmethod
    def _a_broker_that_is_known(cls, url: str) -> str:
        scheme = url.partition("://")[0]
        if url and scheme not in _BROKERS:
            begins = ", ".join(f"{name}://" for name in _BROKERS)
            raise _refusal("names no broker that bench can use", fix=f"begin it with one of {begins}")
        if url:
            check_broker_url(url)
        return url

    @field_validator("artifacts_url")
    @classmethod
    def _a_file_system_that_is_known(cls, url: str) -> str:
        scheme, mark, _ = url.partition("://")
        if not mark or scheme == "file":
            return url
        from fsspec.registry import get_filesystem_class, known_implementations

        try:
            get_filesystem_class(scheme)
        except ValueError as error:
            fix = "begin it with file://, s3://, gs:// or alike"
            raise _refusal("names no file system that fsspec knows", fix=fix) from error
        except ImportError as error:
            known = known_implementations[scheme]
            package = known["class"].partition(".")[0]
            # what fsspec has itself needs a library that only its own words name
            fix = known.get("err", "install it") if package == "fsspec" else f"`pip install {package}`"
            raise _refusal(f"{scheme}:// needs a package that is not here", fix=fix) from error
        return url

    @model_validator(mode="after")
    def _a_home_that_urls_can_hold(self) -> Self:
        # readers of URLs drop line breaks and tabs, and a Valkey server's own settings are lines
        if any(ord(letter) < ord(" ") or letter == "\x7f" for letter in str(self.folder)):
            raise _refusal(f"BENCH_HOME holds a control character: {self.folder}", fix="choose another folder")
        return self

    @model_validator(mode="after")
    def _lease_outlives_heartbeats(self) -> Self:
        if self.lease_s < 10 * self.heartbeat_s:
            message = "BENCH_LEASE_S must be at least 10 times BENCH_HEARTBEAT_S"
            raise _refusal(message, fix="raise BENCH_LEASE_S or lower BENCH_HEARTBEAT_S")
        return self

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
            "BENCH_LOG_FORMAT": self.log_format,
            "BENCH_LOG_LEVEL": self.log_level,
        }


def load_settings(**flags: Any) -> Settings:
    """The settings in force; `flags` win over everything. Raises ConfigError naming the variable."""
    given = {name: value for name, value in flags.items() if value is not None}
    toml = _sources.toml_of(given)

    class _Here(Settings):
        _file = _read(toml) if toml.is_file() else {}

    try:
        return _Here(**given)
    except ValidationError as error:
        # without the value: it may hold a password
        first = error.errors(include_input=False)[0]
        message, fix = explained(first, Settings.model_json_schema(), path=first["loc"])
        name = f"BENCH_{str(first['loc'][0]).upper()}: " if first["loc"] else ""
        raise ConfigError(f"{name}{message}", fix=f"{fix}; it is set in the environment or in {toml}") from error


def origins(**flags: Any) -> dict[str, _sources.Origin]:
    """Where each setting in force comes from; whether they are in order says `load_settings`."""
    given = {name: value for name, value in flags.items() if value is not None}
    toml = _sources.toml_of(given)
    file = _read(toml) if toml.is_file() else {}
    return {name: _sources.given(name, flags=given, file=file)[1] for name in Settings.model_fields}


def unknown_variables() -> list[str]:
    """Variables of the environment that begin like settings and are none."""
    return _sources.unknown_variables({*Settings.model_fields, *_OTHER_VARIABLES})


def _read(toml: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(toml.read_text("utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{toml}: not valid TOML: {error}", fix="mend that line") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {toml}: {error}", fix="make it a readable file in UTF-8") from error
    # the home is where this file was found, so it cannot say so
    known = [name for name in Settings.model_fields if name != "home"]
    for name in values:
        if name not in known:
            raise ConfigError(f"{toml}: no setting {name!r}", fix=f"choose among {', '.join(known)}")
    return values


def _quoted(path: Path) -> str:
    """As a URL's path: only what would end it, or be read as a quoted letter, is quoted, so that it stays readable."""
    return "".join(quote(letter) if letter in "%?#" else letter for letter in str(path))


def _refusal(message: str, *, fix: str) -> PydanticCustomError:
    # not a template for pydantic: a path may hold braces
    return PydanticCustomError("refused", "{message}", {"message": message, "fix": fix})
