"""Rules, silences, watch-lists, what a detector keeps; incidents that can be resumed exactly; notifications in groups.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
INCIDENT = ("holds_since", "calm_since", "told_at")


def upgrade() -> None:
    empty = sa.text("'{}'")
    op.add_column("incident", sa.Column("context", postgresql.JSONB(), server_default=empty, nullable=False))
    for name in INCIDENT:
        op.add_column("incident", sa.Column(name, TIME, nullable=True))
    for name in ("parent_id", "verdict"):
        op.add_column("incident", sa.Column(name, sa.Text(), nullable=True))
    op.create_table(
        "rule_set",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("lists", postgresql.JSONB(), nullable=False),
        sa.Column("effective_at", TIME, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("applied_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_rule_set_effective_at"), "rule_set", ["effective_at"])
    op.create_table(
        "silence",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("pattern", sa.Text(), nullable=False),
        sa.Column("starts_at", TIME, nullable=False),
        sa.Column("until", TIME, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_silence_until"), "silence", ["until"])
    op.create_table(
        "watchlist",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "watchlist_member",
        sa.Column("watchlist", sa.Text(), nullable=False),
        sa.Column("company_id", sa.Text(), nullable=False),
        sa.Column("weight", sa.Float(precision=53), nullable=False),
        sa.ForeignKeyConstraint(["watchlist"], ["watchlist.name"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("watchlist", "company_id"),
    )
    op.create_table(
        "detector_state",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("minute", TIME, nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "decided_minute",
        sa.Column("minute", TIME, nullable=False),
        sa.Column("arrivals", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("minute"),
    )
    op.add_column("outbox", sa.Column("group_key", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.add_column("outbox", sa.Column("interval_s", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("outbox", sa.Column("batch", sa.Text(), nullable=True))


def downgrade() -> None:
    for name in ("batch", "interval_s", "group_key"):
        op.drop_column("outbox", name)
    for table in ("decided_minute", "detector_state", "watchlist_member", "watchlist", "silence", "rule_set"):
        op.drop_table(table)
    for name in ("verdict", "parent_id", *reversed(INCIDENT), "context"):
        op.drop_column("incident", name)
