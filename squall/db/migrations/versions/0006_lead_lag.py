"""what mood and price have led each other by

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "lead_lag",
        sa.Column("company_id", sa.Text(), nullable=False),
        sa.Column("leads", sa.Text(), nullable=False),
        sa.Column("lag", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("order", sa.Integer(), nullable=False),
        sa.Column("sessions", sa.Integer(), nullable=False),
        sa.Column("coefficient", sa.Float(precision=53), nullable=False),
        sa.Column("p", sa.Float(precision=53), nullable=False),
        sa.Column("q", sa.Float(precision=53), nullable=False),
        sa.Column("first", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last", sa.DateTime(timezone=True), nullable=False),
        sa.Column("later_sessions", sa.Integer(), nullable=False),
        sa.Column("later_p", sa.Float(precision=53), nullable=True),
        sa.Column("confirmed", sa.Boolean(), nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("company_id", "leads", "lag"),
    )


def downgrade() -> None:
    op.drop_table("lead_lag")
