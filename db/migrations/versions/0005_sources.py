"""The code of users' own networks, by its sha256, which a worker on another machine runs; and how large they are."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "sources",
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_sources"),
    )
    op.create_table(
        "networks",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("parameters", sa.Double(), nullable=False),
        sa.Column("flops", sa.Double(), nullable=False),
        sa.Column("activations", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_networks"),
    )
