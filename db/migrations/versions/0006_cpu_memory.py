"""What a job is expected to need of a CPU's memory, so that slots do not take more than a host has."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("cpu_memory_mib", sa.Double(), nullable=True))
