"""Retry by cause: where a job runs, whether it must be alone there, and from which attempt on endings count.

The order of claiming is the index's own, so that a claim reads one row however many wait.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.drop_index("ix_jobs_urgency", table_name="jobs")
    op.add_column("jobs", sa.Column("counted_from", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("alone", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("jobs", sa.Column("place", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("timeout_s", sa.Double(), nullable=True))
    op.add_column("jobs", sa.Column("train_flops", sa.Double(), nullable=False, server_default="-1"))
    op.add_column("attempts", sa.Column("start_step", sa.Integer(), nullable=False, server_default="0"))
    # `losses` were the newest attempts, in a row
    op.execute("UPDATE jobs SET counted_from = attempt - losses")
    # not as a batch: on SQLite that makes the table anew, and dropping the old one would delete every attempt with it
    op.drop_column("jobs", "losses")
    op.execute("UPDATE jobs SET train_flops = cost WHERE cost IS NOT NULL")
    op.drop_column("jobs", "cost")
    op.create_index("ix_jobs_urgency", "jobs", ["state", sa.text("priority DESC"), sa.text("train_flops DESC"), "id"])
