"""which model scores from which minute on, which one a worker holds ready, and which one scores in its shadow

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "model_epoch",
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["version"], ["model_version.version"]),
        sa.PrimaryKeyConstraint("since"),
    )
    op.execute(
        "INSERT INTO model_epoch (since, version) SELECT '1970-01-01 00:00+00', version FROM model_alias WHERE alias = 'champion'"
    )
    op.add_column("serving_model", sa.Column("ready", sa.Text()))
    op.create_table(
        "shadow_model",
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["version"], ["model_version.version"]),
        sa.PrimaryKeyConstraint("version"),
    )


def downgrade() -> None:
    op.drop_table("shadow_model")
    op.drop_column("serving_model", "ready")
    op.drop_table("model_epoch")
