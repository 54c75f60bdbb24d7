"""registered models, aliases and promotions; one score a mention, whichever model it is from

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.alter_column("model_version", "first_used_at", nullable=True)
    op.add_column("model_version", sa.Column("number", sa.Integer()))
    op.add_column("model_version", sa.Column("url", sa.Text()))
    op.add_column("model_version", sa.Column("sha256", sa.Text()))
    op.add_column("model_version", sa.Column("metrics", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False))
    op.add_column("model_version", sa.Column("created_at", TIME))
    op.add_column("model_version", sa.Column("created_by", sa.Text()))
    op.create_index("model_version_number", "model_version", ["number"], unique=True)
    op.create_table(
        "model_alias",
        sa.Column("alias", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("since", TIME, server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["version"], ["model_version.version"]),
        sa.PrimaryKeyConstraint("alias"),
    )
    op.create_table(
        "promotion",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("from_version", sa.Text()),
        sa.Column("to_version", sa.Text(), nullable=False),
        sa.Column("metrics", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("verdict", postgresql.JSONB()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "serving_model",
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("pinned", sa.Boolean(), nullable=False),
        sa.Column("refused", sa.Text()),
        sa.Column("error", sa.Text()),
        sa.Column("seen_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("worker"),
    )
    # While a promotion goes round, two workers may have one mention in hand under two versions.
    op.drop_constraint("score_pkey", "score")
    op.create_primary_key("score_pkey", "score", ["mention_id", "event_time"])


def downgrade() -> None:
    op.drop_constraint("score_pkey", "score")
    op.create_primary_key("score_pkey", "score", ["mention_id", "model_version", "event_time"])
    for table in ("serving_model", "promotion", "model_alias"):
        op.drop_table(table)
    op.drop_index("model_version_number", table_name="model_version")
    for column in ("created_by", "created_at", "metrics", "sha256", "url", "number"):
        op.drop_column("model_version", column)
    op.execute("DELETE FROM model_version WHERE first_used_at IS NULL")
    op.alter_column("model_version", "first_used_at", nullable=False)
