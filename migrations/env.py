"""Alembic's entry: takes the connection from `mmplat.store`, or opens the store that the environment names."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from mmplat.artifacts import results
from mmplat.store import Base, engine_of, store_url


def migrate(connection: Connection) -> None:
    # Batch mode: SQLite can alter hardly anything in place.
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


def main() -> None:
    given = context.config.attributes.get("connection")
    if given is not None:
        migrate(given)
        return
    engine = engine_of(store_url(results()), foreign_keys=False)
    with engine.begin() as connection:
        migrate(connection)
    engine.dispose()


main()
