"""What a job is expected to need of a card's memory, so that several may share one."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("memory_mib", sa.Double(), nullable=True))
