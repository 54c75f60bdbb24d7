"""what the gate said of each model version

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("model_version", sa.Column("verdict", postgresql.JSONB()))
    op.add_column("model_version", sa.Column("judged_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("model_version", "judged_at")
    op.drop_column("model_version", "verdict")
