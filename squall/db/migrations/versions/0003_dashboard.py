"""what people do at the dashboard, and full-text search

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    _pages()
    _access()


def _pages() -> None:
    op.add_column(
        "article",
        sa.Column(
            "words",
            postgresql.TSVECTOR(),
            sa.Computed(
                "setweight(to_tsvector('english', title), 'A') || setweight(to_tsvector('english', \"left\"(body, 20000)), 'B')",
                persisted=True,
            ),
        ),
    )
    op.create_index("article_words", "article", ["words"], postgresql_using="gin")
    op.add_column("dead_letter", sa.Column("asked_at", TIME))
    op.add_column("dead_letter", sa.Column("asked_by", sa.Text()))
    op.create_index("dead_letter_asked", "dead_letter", ["asked_at"], postgresql_where=sa.text("asked_at IS NOT NULL"))
    op.create_table(
        "label",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("mention_id", sa.Text(), nullable=False),
        sa.Column("event_time", TIME, nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("labeller", sa.Text(), nullable=False),
        sa.Column("sentiment", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text()),
        sa.Column("company_id", sa.Text()),
        sa.Column("company_kept", sa.Boolean(), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("labelled_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.Column("undone_at", TIME),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("label_once", "label", ["mention_id", "labeller"], unique=True, postgresql_where=sa.text("undone_at IS NULL"))
    op.create_index("label_time", "label", ["labelled_at"])


def _access() -> None:
    op.create_table(
        "user_account",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text()),
        sa.Column("subject", sa.Text()),
        sa.Column("created_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.Column("last_login_at", TIME),
        sa.Column("disabled_at", TIME),
        sa.PrimaryKeyConstraint("name"),
        sa.UniqueConstraint("subject"),
    )
    op.create_table(
        "login_session",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("user_name", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["user_name"], ["user_account.name"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token_hash"),
    )
    op.create_index("ix_login_session_user_name", "login_session", ["user_name"])
    op.create_index("ix_login_session_expires_at", "login_session", ["expires_at"])
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("audit_time", "audit", ["at"])
    op.create_index("audit_subject", "audit", ["subject", "at"])


def downgrade() -> None:
    for table in ("audit", "login_session", "user_account"):
        op.drop_table(table)
    op.drop_table("label")
    op.drop_index("dead_letter_asked", table_name="dead_letter")
    op.drop_column("dead_letter", "asked_by")
    op.drop_column("dead_letter", "asked_at")
    op.drop_index("article_words", table_name="article")
    op.drop_column("article", "words")
