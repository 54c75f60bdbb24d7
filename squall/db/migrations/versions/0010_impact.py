"""what the fused model says of each mention

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("score", sa.Column("impact", sa.Integer()))
    op.add_column("score", sa.Column("impact_model", sa.Text()))
    op.add_column("score", sa.Column("impact_shares", postgresql.JSONB()))


def downgrade() -> None:
    op.drop_column("score", "impact_shares")
    op.drop_column("score", "impact_model")
    op.drop_column("score", "impact")
