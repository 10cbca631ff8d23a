"""Where things are: flags > BENCH_* environment > bench.toml in BENCH_HOME > defaults."""

import os
import tempfile
import tomllib
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from db.errors import ConfigError

_SOCKET_LIMIT = 100  # bytes of a Unix socket's path; the system's limit is 104 or 108


_BROKERS = ("redis", "rediss", "redis+socket", "amqp", "amqps")

_Level = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(lambda name: str(name).upper())]


class Settings(BaseSettings):
    """Every value with its default; paths left empty follow `home`."""

    model_config = SettingsConfigDict(env_prefix="BENCH_", frozen=True, extra="forbid")
    _toml: ClassVar[Path | None] = None

    home: Path = Path(".bench")
    database_url: str = ""
    broker_url: str = ""
    artifacts_url: str = ""
    data_dir: Path = Path("~/.cache/bench/data")
    lease_s: float = Field(60, gt=0)
    heartbeat_s: float = Field(5, gt=0)
    checkpoint_s: float = Field(30, ge=0)
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
        toml = (TomlConfigSettingsSource(settings_cls, toml_file=cls._toml),) if cls._toml else ()
        return (init_settings, env_settings, *toml)

    @model_validator(mode="before")
    @classmethod
    def _empty_means_default(cls, values: Any) -> Any:
        return {name: value for name, value in values.items() if value != ""}

    @field_validator("broker_url")
    @classmethod
    def _a_broker_that_is_known(cls, url: str) -> str:
        scheme = url.partition("://")[0]
        if url and scheme not in _BROKERS:
            raise ValueError(f"must begin with {', '.join(f'{name}://' for name in _BROKERS)}")
        return url

    @model_validator(mode="after")
    def _lease_outlives_heartbeats(self) -> Self:
        if self.lease_s < 10 * self.heartbeat_s:
            raise ValueError("BENCH_LEASE_S must be at least 10 times BENCH_HEARTBEAT_S")
        return self

    @property
    def folder(self) -> Path:
        return self.home.expanduser().absolute()

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite:///{self.folder / 'bench.db'}"

    @property
    def artifacts(self) -> str:
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
        """The embedded broker's socket: in the home, or, when that path is too long for a socket, in a short folder."""
        path = self.folder / "broker" / "valkey.sock"
        if len(os.fsencode(path)) <= _SOCKET_LIMIT:
            return path
        short = sha256(os.fsencode(path)).hexdigest()[:8]
        base = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
        return base / f"bench-{os.getuid()}-{short}" / "v.sock"

    @property
    def broker(self) -> str:
        return self.broker_url or f"redis+socket://{self.socket}"

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
    home = Path(given.get("home") or os.environ.get("BENCH_HOME") or ".bench").expanduser()
    toml = home / "bench.toml"

    class _Here(Settings):
        _toml = toml if toml.is_file() else None

    try:
        return _Here(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = f"BENCH_{str(first['loc'][0]).upper()}" if first["loc"] else "settings"
        message = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{name}: {message}", fix=f"correct it in the environment or in {toml}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{toml}: not valid TOML: {error}", fix="mend that line") from error
