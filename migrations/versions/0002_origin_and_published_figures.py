"""Where a run comes from, and the figures that papers published."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = ("source", "place", "model", "suite", "method", "decoding", "metric", "subset")


def upgrade() -> None:
    # A default of the database: every run of an older store was measured.
    with op.batch_alter_table("runs") as runs:
        runs.add_column(sa.Column("origin", sa.String(), server_default="measured", nullable=False))
    op.create_table(
        "published_figures",
        *(sa.Column(name, sa.String(), nullable=False) for name in KEY),
        sa.Column("value", sa.Float(precision=53), nullable=False),
        sa.Column("certainty", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint(*KEY, name=op.f("pk_published_figures")),
    )


def downgrade() -> None:
    op.drop_table("published_figures")
    with op.batch_alter_table("runs") as runs:
        runs.drop_column("origin")
