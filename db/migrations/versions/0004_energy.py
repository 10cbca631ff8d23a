"""What a training is taken to have used of its card's energy; not known of results that are there already."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("results", sa.Column("energy_j", sa.Double(), nullable=True))
