"""the mood by days, and articles by source

Revision ID: 0009
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0007"
branch_labels = None
depends_on = None

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


def downgrade() -> None:
    op.drop_index("article_source", table_name="article")
    op.drop_table("mood_day")
