"""where a text names the other companies of its article

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("mention", sa.Column("others", postgresql.ARRAY(sa.Integer()), server_default="{}", nullable=False))


def downgrade() -> None:
    op.drop_column("mention", "others")
