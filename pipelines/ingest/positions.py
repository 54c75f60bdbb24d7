"""Where each source stands, in the table `source`."""

from typing import TYPE_CHECKING, Any

from pipelines.ingest.source import Batch, Position, Source

if TYPE_CHECKING:
    from sqlalchemy import Engine


class Positions:
    """Reads and saves positions; a position is saved only after the broker has acknowledged what came before it."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine

    def load(self, source: Source) -> Position:
        """The saved position of a source; empty where there is none."""
        from sqlalchemy import select

        from squall.db.tables import Source as Row

        with self._engine.connect() as connection:
            saved = connection.execute(select(Row.position).where(Row.name == source.name)).scalar()
        return saved or {}

    def save(self, source: Source, batch: Batch) -> None:
        """Note that a batch is acknowledged, or why the source could not be read."""
        from sqlalchemy import func
        from sqlalchemy.dialects.postgresql import insert

        from squall.db.tables import Source as Row

        new = insert(Row).values(name=source.name, kind=source.kind, address=source.address)
        if batch.error is not None:
            new = new.values(last_error=batch.error, last_error_at=func.now())
            changed: dict[str, Any] = {"last_error": batch.error, "last_error_at": func.now()}
        else:
            values: dict[str, Any] = {
                "position": dict(batch.position),
                "last_item_at": batch.last_item_at,
                "last_ok_at": func.now(),
            }
            new = new.values(items=len(batch.sends), **values)
            changed = {
                **values,
                "items": Row.items + len(batch.sends),
                "last_item_at": func.greatest(Row.last_item_at, new.excluded.last_item_at),
            }
        with self._engine.begin() as connection:
            connection.execute(new.on_conflict_do_update(index_elements=["name"], set_=changed))
