"""Alembic's environment: runs on the connection that `squall.db.migrate` hands over."""

from alembic import context

from squall.db.tables import Base

connection = context.config.attributes["connection"]
schema = context.config.attributes["schema"]


def _ours(_object: object, name: str | None, kind: str, reflected: bool, _compared: object) -> bool:
    return not (kind == "table" and reflected and name not in Base.metadata.tables)


context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    version_table="alembic_version",
    version_table_schema=schema,
    include_object=_ours,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
