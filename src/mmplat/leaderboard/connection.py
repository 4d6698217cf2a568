"""One read-only DuckDB connection over everything that was measured."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from mmplat.artifacts import Results, read_json
from mmplat.leaderboard import macros, views
from mmplat.leaderboard.documented import document
from mmplat.leaderboard.snapshot import store_tables
from mmplat.store import store_url

if TYPE_CHECKING:
    import pyarrow as pa


def connect(results: Results, store_url_: str | None = None, *, trusted: bool = False) -> duckdb.DuckDBPyConnection:
    """Views campaigns, models, suites, runs, metrics, leaderboard, predictions, evidence, samples.

    All of them exist, with their columns, when nothing was measured yet. The store is read as it is now; connect again
    to see what was published since. The connection reaches no file outside the results, no network and no extension.
    DuckDB has no switch against writing inside that folder: run SQL that people type through `query`. `trusted` opens the
    machine's files to SQL, for reading and for writing.
    """
    return connect_tables(store_tables(store_url(results, store_url_)), results, trusted=trusted)


def connect_tables(
    tables: Mapping[str, pa.Table],
    results: Results,
    *,
    trusted: bool = False,
    memory: str | None = None,
    threads: int | None = None,
) -> duckdb.DuckDBPyConnection:
    """`connect` over tables of the store that are read already: nothing is written from here on.

    `memory` (like `1GB`) bounds what queries may hold, on disk too; they fail beyond it.
    """
    root = results.root.resolve()
    connection = duckdb.connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "python_enable_replacements": "false",  # SQL must not see Python's variables
            "temp_directory": str(Path(tempfile.gettempdir()) / "mmplat-duckdb"),  # else .tmp in the working folder
        },
    )
    try:
        if memory is not None:
            connection.execute(f"SET memory_limit = {views.quoted(memory)}")
            connection.execute("SET temp_directory = ''")  # else what goes beyond it would fill the disk
        if threads is not None:
            connection.execute(f"SET threads = {threads:d}")
        _load_store(connection, tables)
        _make_file_views(connection, Results(root))
        connection.execute(views.LEADERBOARD)
        connection.execute(macros.SQL)
        document(connection)
        if not trusted:
            _lock_down(connection, root)
    except BaseException:
        connection.close()
        raise
    return connection


def _load_store(connection: duckdb.DuckDBPyConnection, tables: Mapping[str, pa.Table]) -> None:
    connection.execute(views.stored_sql())
    for name, table in tables.items():
        connection.register("snapshot", table)
        connection.execute(f"INSERT INTO store.{name} BY NAME FROM snapshot")
        connection.unregister("snapshot")


def _make_file_views(connection: duckdb.DuckDBPyConnection, results: Results) -> None:
    decided: dict[str, list[Path]] = {}
    for plan in results.plans:
        # decided.json is written last: without it the predictions beside it may be of another decision.
        markers = sorted((plan.parent / "decided").glob("*/*/decided.json"))
        name = str(read_json(plan, made_by="mmplat plan")["campaign"])
        decided[name] = [marker.parent / "predictions.parquet" for marker in markers]
    connection.execute(views.predictions_sql(decided))
    places: list[tuple[str | None, Results]] = [(None, results), *((one.root.name, one) for one in results.guests)]
    evidence = [
        (archive, place.evidence_root)
        for archive, place in places
        if next(place.evidence_root.glob("*/*/*/part-*.parquet"), None) is not None
    ]
    connection.execute(views.evidence_sql(evidence))
    prepared: dict[tuple[str, str], tuple[str | None, Path]] = {}
    for archive, place in places:
        for marker in sorted(place.suites_root.glob("*/*/suite.json")):
            # Of a suite that an archive brought too, ours is shown: its samples would else be there twice.
            key = (marker.parent.parent.name, marker.parent.name)
            prepared.setdefault(key, (archive, marker.parent / "samples.parquet"))
    connection.execute(views.samples_sql(list(prepared.values())))


def _lock_down(connection: duckdb.DuckDBPyConnection, root: Path) -> None:
    # A path with pattern signs is compared in both spellings: as the pattern in the view, and as the file that it is.
    allowed = sorted({views.quoted(str(root)), views.quoted(views.escaped(str(root)))})
    connection.execute(f"SET allowed_directories = [{', '.join(allowed)}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
