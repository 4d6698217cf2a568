"""Which results folder published a campaign, and a digest of the evidence that a run was decided from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

OWNER = ("origin_folder", "origin_user", "origin_host", "origin_made")


def upgrade() -> None:
    # All may be null: nobody knows them of what an older version published.
    with op.batch_alter_table("campaigns") as campaigns:
        for name in OWNER:
            campaigns.add_column(sa.Column(name, sa.String(), nullable=True))
    with op.batch_alter_table("runs") as runs:
        runs.add_column(sa.Column("evidence_digest", sa.String(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("runs") as runs:
        runs.drop_column("evidence_digest")
    with op.batch_alter_table("campaigns") as campaigns:
        for name in reversed(OWNER):
            campaigns.drop_column(name)
