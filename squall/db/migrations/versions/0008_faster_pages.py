"""the mood by days, articles by source, and what stories mean

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# The extension makes the search by meaning faster. Where it is missing, or may not be made, Squall computes by itself.
VECTOR = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector') THEN
        CREATE EXTENSION IF NOT EXISTS vector SCHEMA public;
    END IF;
EXCEPTION WHEN insufficient_privilege OR unique_violation OR duplicate_object OR invalid_schema_name THEN NULL;
END $$
"""
SUMS = ("items", "negative", "positive", "weight", "negative_weight", "positive_weight")


def upgrade() -> None:
    op.create_table(
        "mood_day",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("day", sa.DateTime(timezone=True), nullable=False),
        sa.Column("mentions", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in SUMS),
        sa.PrimaryKeyConstraint("scope", "day"),
    )
    op.execute("SET LOCAL statement_timeout = 0")
    # No mood may move between the count and the commit, or it would be missing here.
    op.execute("LOCK TABLE mood IN SHARE ROW EXCLUSIVE MODE")
    sums = ", ".join(f"sum({name})" for name in ("mentions", *SUMS))
    op.execute(
        f"INSERT INTO mood_day SELECT scope, date_trunc('day', minute, 'UTC'), {sums} FROM mood GROUP BY 1, 2 ORDER BY 1, 2"
    )
    op.execute("ANALYZE mood_day")
    op.create_index("article_source", "article", ["source", "event_time"])

    op.create_table(
        "story_vector",
        sa.Column("story_id", sa.Text(), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("vector", postgresql.ARRAY(sa.REAL()), nullable=False),
        sa.ForeignKeyConstraint(["story_id"], ["story.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("story_id"),
    )
    op.create_index("ix_story_vector_first_at", "story_vector", ["first_at"])
    op.execute(VECTOR)


def downgrade() -> None:
    op.drop_table("story_vector")
    op.drop_index("article_source", table_name="article")
    op.drop_table("mood_day")
