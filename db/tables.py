"""The tables, as SQLAlchemy Core. Uniqueness and references are kept here, not in an `if`.

Moments are seconds since 1970 in a double, so that both databases compare and add them alike; `Moment` turns
them into aware datetimes at the border.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

from db._looks import NOT_COUNTED as NOT_COUNTED
from db._looks import moment


class Moment(TypeDecorator[datetime]):
    impl = Double
    cache_ok = True

    def process_bind_param(self, value: datetime | float | None, dialect: Any) -> float | None:
        return value.timestamp() if isinstance(value, datetime) else value

    def process_result_value(self, value: float | None, dialect: Any) -> datetime | None:
        return moment(value)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _job_id(*, primary_key: bool = False) -> Column[int]:
    return Column(
        "job_id",
        Integer,
        ForeignKey("jobs.id", ondelete="CASCADE"),
        primary_key=primary_key,
        nullable=False,
        autoincrement=False,
    )


submissions = Table(
    "submissions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("created_at", Moment, nullable=False),
    Column("suite", String(200), nullable=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("scope", String(64), nullable=False, index=True),
    Column("dataset", Text, nullable=False),
    Column("overrides", JSON, nullable=False),
    Column("variants", JSON, nullable=False),
    Column("layout", JSON, nullable=False),
    Column("reference", JSON, nullable=False),
    Column("claims", JSON, nullable=False),
    Column("command", Text, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String(64), nullable=False, unique=True),
    Column("label", Text, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("config", JSON, nullable=False),
    Column("fingerprint", String(64)),
    Column("state", String(16), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("train_flops", Double, nullable=False),  # of all epochs; the longest goes first among equals
    Column("available_at", Moment, nullable=False),
    Column("published_at", Moment),
    Column("attempt", Integer, nullable=False),  # how many attempts were opened
    Column("counted_from", Integer, nullable=False),  # attempts after this one count against a cause's limit
    Column("alone", Boolean, nullable=False),  # whether it must run without neighbours on its device
    Column("memory_mib", Double),  # expected on a card, with a CUDA context; NULL while nobody knows it
    Column("cpu_memory_mib", Double),  # expected of a host, its process included; NULL while nobody knows it
    Column("owner", Text),
    Column("place", Text),  # the device where it runs or last ran: host/device
    Column("timeout_s", Double),
    Column("lease_until", Moment),
    Column("cancel_requested", Boolean, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("epochs", Integer, nullable=False),
    Column("val_accuracy", Double),
    Column("epoch_s", Double),
    Column("cause", String(16)),
    Column("message", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("started_at", Moment),
    Column("finished_at", Moment),
    Index("ix_jobs_lease", "state", "lease_until"),
)

EXPECTED_MIB = {"cuda": jobs.c.memory_mib, "cpu": jobs.c.cpu_memory_mib}
"""What a job is expected to need, by the kind of device on which it runs."""

URGENCY = (jobs.c.priority.desc(), jobs.c.train_flops.desc(), jobs.c.id)
"""Who goes first; the index has the same order, so that a claim reads one row however many wait."""

Index("ix_jobs_urgency", jobs.c.state, *URGENCY)

submission_jobs = Table(
    "submission_jobs",
    metadata,
    Column("submission_id", Integer, ForeignKey("submissions.id", ondelete="CASCADE"), primary_key=True),
    Column("label", String(200), primary_key=True),
    Column("seed", Integer, primary_key=True),
    _job_id(),
    Column("new", Boolean, nullable=False),
    Index("ix_submission_jobs_job_id", "job_id"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Integer, primary_key=True),
    _job_id(),
    Column("number", Integer, nullable=False),
    Column("owner", Text, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Column("outcome", String(16)),
    Column("message", Text, nullable=False),
    Column("traceback", Text, nullable=False),
    Column("log", Text, nullable=False),
    Column("start_epoch", Integer, nullable=False),
    Column("start_step", Integer, nullable=False),  # batches of the next epoch that a checkpoint gave it
    UniqueConstraint("job_id", "number"),
)

epochs = Table(
    "epochs",
    metadata,
    Column("attempt_id", Integer, ForeignKey("attempts.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("train_loss", Double, nullable=False),
    Column("train_accuracy", Double, nullable=False),
    Column("val_loss", Double, nullable=False),
    Column("val_accuracy", Double, nullable=False),
    Column("learning_rate", Double, nullable=False),
    Column("train_s", Double, nullable=False),
    Column("eval_s", Double, nullable=False),
    Column("recorded_at", Moment, nullable=False),
)

_SCORES = ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "test_loss", "test_accuracy")

results = Table(
    "results",
    metadata,
    _job_id(primary_key=True),
    Column("attempt_id", Integer, ForeignKey("attempts.id", ondelete="CASCADE"), nullable=False),
    *(
        column
        for weights in ("best", "last")
        for column in (
            Column(f"{weights}_epoch", Integer, nullable=False),
            *(Column(f"{weights}_{name}", Double, nullable=False) for name in _SCORES),
            Column(f"{weights}_confusion", JSON, nullable=False),
        )
    ),
    Column("epochs", Integer, nullable=False),
    Column("stopped_early", Boolean, nullable=False),
    Column("parameters", Integer, nullable=False),
    Column("flops", Double, nullable=False),
    Column("train_s", Double, nullable=False),
    Column("eval_s", Double, nullable=False),
    Column("peak_mib", Double, nullable=False),
    Column("device", String(16), nullable=False),
    Column("precision", String(16), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("environment", JSON, nullable=False),
    Column("energy_j", Double),  # an estimate; NULL where some of it was not counted
)

predictions = Table(
    "predictions",
    metadata,
    _job_id(primary_key=True),
    Column("weights", String(8), primary_key=True),
    Column("images", Integer, nullable=False),
    Column("classes", Integer, nullable=False),
    Column("labels", LargeBinary, nullable=False),  # zlib of (images,) little-endian int32
    Column("probabilities", LargeBinary, nullable=False),  # zlib of (images, classes) little-endian float32
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("attempt_id", Integer, ForeignKey("attempts.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("kind", String(32), nullable=False),
    Column("url", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("bytes", Integer, nullable=False),
    UniqueConstraint("attempt_id", "kind", "url"),
)

workers = Table(
    "workers",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("slots", Integer, nullable=False),
    Column("device", String(64), nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("stopped_at", Moment),
)

datasets = Table(
    "datasets",
    metadata,
    Column("name", String(500), primary_key=True),
    Column("fingerprint", String(64), primary_key=True),
    Column("split", String(64), primary_key=True),  # which split the counts are of: "fraction/seed"
    Column("recorded_at", Moment, nullable=False),
    Column("classes", JSON, nullable=False),
    Column("counts", JSON, nullable=False),  # {"train": [...], "val": [...], "test": [...], "made": [parts]}
    Column("samples", LargeBinary, nullable=False),
    Column("augmentation", LargeBinary, nullable=False),
    Column("notices", JSON, nullable=False),
)

sources = Table(
    "sources",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("content", Text, nullable=False),  # JSON: the text of each source by its path
    Column("created_at", Moment, nullable=False),
)

networks = Table(
    "networks",
    metadata,
    Column("key", String(64), primary_key=True),  # of what decides a network's size: `scheduler.config.network_key`
    Column("parameters", Double, nullable=False),
    Column("flops", Double, nullable=False),
    Column("activations", Double, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job_id", Integer, ForeignKey("jobs.id", ondelete="CASCADE"), index=True),
    Column("at", Moment, nullable=False),
    Column("actor", Text, nullable=False),
    Column("what", String(32), nullable=False),
    Column("details", JSON, nullable=False),
)
