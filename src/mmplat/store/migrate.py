"""Migrations of the store: one function finds them, a fresh store is brought up by itself, any other one is refused.

The scripts lie in `migrations/` of a clone and in `mmplat/migrations` of an installed wheel.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, inspect
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from mmplat.artifacts import make_database_file
from mmplat.errors import StoreError
from mmplat.store.engine import engine_of, hidden, reason_of
from mmplat.store.models import Base


def migrations_folder() -> Path:
    """The folder of the Alembic scripts, in a wheel or in a clone."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "migrations", package.parents[1] / "migrations"):
        if (folder / "env.py").is_file():
            return folder
    raise StoreError(
        f"The migrations are missing: neither {package / 'migrations'} nor {package.parents[1] / 'migrations'} exists. "
        "Install mmplat again."
    )


def head() -> str:
    """The revision that this version of mmplat reads and writes."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None, "migrations/versions holds at least one revision"
    return revision


def current(url: URL) -> str | None:
    """The store's revision; None where there is no store yet."""
    if _missing_file(url):
        return None
    engine = engine_of(url, reads_only=True)
    try:
        with engine.connect() as connection:
            return _revision(connection)
    except SQLAlchemyError as error:
        raise _unreachable(url, error) from None
    finally:
        engine.dispose()


def check(url: URL) -> None:
    """Refuses a store that this version cannot read; a store that does not exist yet is fine."""
    _refuse_other(url, current(url))


def ensure(url: URL) -> str:
    """Migrates a fresh store, accepts one at the head, refuses every other; returns the revision."""
    if current(url) is None:
        return upgrade(url, only_fresh=True)
    check(url)
    return head()


def upgrade(url: URL, revision: str = "head", *, only_fresh: bool = False) -> str:
    """Brings the store up to `revision` in one transaction; with `only_fresh`, an existing store is left alone."""
    if url.get_backend_name() == "sqlite" and url.database:
        make_database_file(Path(url.database))
    # Without foreign keys: a batch migration on SQLite drops and recreates a table, and a drop would cascade.
    engine = engine_of(url, foreign_keys=False)
    try:
        with engine.begin() as connection:
            found = _revision(connection)  # asked inside the transaction: another process may have been faster
            if found is None or not only_fresh:
                refuse_unknown(url, found)
                migrate_to(connection, revision)
            elif found != head():
                _refuse_other(url, found)
        return head() if revision == "head" else revision
    except SQLAlchemyError as error:
        raise _unreachable(url, error) from None
    finally:
        engine.dispose()


def migrate_to(connection: Connection, revision: str) -> None:
    """Runs the scripts up to `revision` inside the connection's transaction."""
    command.upgrade(_config(connection), revision)


def downgrade(url: URL, revision: str) -> None:
    """Takes the store down to `revision`; for tests of the migrations, no command offers it."""
    engine = engine_of(url, foreign_keys=False)
    try:
        with engine.begin() as connection:
            command.downgrade(_config(connection), revision)
    finally:
        engine.dispose()


def differences(url: URL) -> list[str]:
    """What the tables of the store lack compared with the models; empty when the migrations are complete."""
    from alembic.autogenerate import compare_metadata

    engine = engine_of(url, reads_only=True)
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            return [str(difference) for difference in compare_metadata(context, Base.metadata)]
    finally:
        engine.dispose()


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    # Alembic reads its options through configparser, where a percent sign in a path would start an interpolation.
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    if connection is not None:
        config.attributes["connection"] = connection
    return config


def _revision(connection: Connection) -> str | None:
    # The tables first: a store that another process brings up between the two questions is not taken for a foreign one.
    tables = set(inspect(connection).get_table_names())
    revision = MigrationContext.configure(connection).get_current_revision()
    if revision is None and tables - {"alembic_version"}:
        raise StoreError(
            f"{hidden(connection.engine.url)} holds tables, but none of mmplat's. "
            "Point MMPLAT_STORE_URL at an empty database, or unset it."
        )
    return revision


def _refuse_other(url: URL, found: str | None) -> None:
    wanted = head()
    if found in (None, wanted):
        return
    refuse_unknown(url, found)
    raise StoreError(
        f"The store {hidden(url)} is at revision {found}; this version of mmplat needs {wanted}. "
        "`mmplat db upgrade` brings it there, in one transaction (`mmplat db backup FILE` takes a copy first; the files of "
        "the campaigns stay untouched)."
    )


def refuse_unknown(url: URL, found: str | None, *, what: str | None = None) -> None:
    """Refuses what a newer version of mmplat wrote: the store, or `what` else."""
    try:
        known = found is None or ScriptDirectory.from_config(_config()).get_revision(found) is not None
    except CommandError:
        known = False
    if not known:
        raise StoreError(
            f"{what or f'The store {hidden(url)}'} is at revision {found}, which this version of mmplat does not know: a "
            f"newer one wrote it (this one ends at {head()}). Install that version and run `mmplat db upgrade`, or point "
            "MMPLAT_STORE_URL at another store and run `mmplat publish`."
        )


def _missing_file(url: URL) -> bool:
    """SQLite would create an empty file on being asked; asking must leave no trace."""
    if url.get_backend_name() != "sqlite":
        return False
    return not url.database or url.database == ":memory:" or not Path(url.database).exists()


def _unreachable(url: URL, error: SQLAlchemyError) -> StoreError:
    return StoreError(
        f"The store {hidden(url)} cannot be used: {reason_of(error, url)}. Check MMPLAT_STORE_URL and try again."
    )
