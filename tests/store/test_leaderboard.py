"""Reading: the views, what is asked of them, and what the connection refuses."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb
import polars as pl
import pytest
from generate import VIEWS, number, write_campaign, write_decided

from mmplat import leaderboard
from mmplat.artifacts import Results
from mmplat.errors import ConfigError, UnknownName
from mmplat.leaderboard import connect, query, snapshot, views
from mmplat.leaderboard.querying import QueryError
from mmplat.store import publish, store_url

Connection = duckdb.DuckDBPyConnection
ALL_VIEWS = (
    *(
        "campaigns",
        "evidence",
        "leaderboard",
        "metrics",
        "models",
        "predictions",
        "published_figures",
        "runs",
        "samples",
    ),
    "suites",
)


def schema(connection: Connection, view: str) -> dict[str, str]:
    return {name: kind for name, kind, *_ in connection.execute(f"DESCRIBE {view}").fetchall()}


def test_every_view_exists_with_equal_columns_before_and_after_anything_was_measured(results: Results) -> None:
    empty = connect(results)
    before = {view: schema(empty, view) for view in ALL_VIEWS}
    assert all(query(empty, f"FROM {view}").is_empty() for view in ALL_VIEWS)
    empty.close()
    assert not results.root.exists()
    write_campaign(results)
    publish(results, "demo")
    full = connect(results)
    assert {view: schema(full, view) for view in ALL_VIEWS} == before
    assert all(query(full, f"FROM {view}").height for view in ALL_VIEWS)
    full.close()


def test_files_without_a_store_are_read_all_the_same(demo: Results) -> None:
    connection = connect(demo)
    assert query(connection, "FROM runs").is_empty()
    assert query(connection, "FROM evidence").height == 4 * len(VIEWS) * 6
    connection.close()


def test_predictions_of_a_folder_that_is_being_decided_are_not_shown(published: Results) -> None:
    (published.decided("demo", "tiny", "world-facts") / "decided.json").unlink()
    connection = connect(published)
    assert query(connection, "FROM predictions WHERE model = 'tiny' AND suite = 'world-facts'").is_empty()
    connection.close()


def test_evidence_shows_the_widest_row_of_each_sample_and_view(connection: Connection) -> None:
    widths = query(connection, "SELECT sample_id, len(top_ids) AS k FROM evidence GROUP BY ALL ORDER BY ALL")
    assert widths.rows() == [("s0", 8), *((f"s{index}", 4) for index in range(1, 6))]
    assert query(connection, "SELECT DISTINCT model, model_key FROM evidence ORDER BY ALL").rows() == [
        ("tiny", "key-tiny"),
        ("tiny-biased", "key-tiny-biased"),
    ]


@pytest.mark.parametrize("view", ["evidence", "predictions"])
def test_a_filter_on_the_model_opens_only_its_files(connection: Connection, view: str) -> None:
    plan = query(connection, f"EXPLAIN SELECT count(*) FROM {view} WHERE model = 'tiny'")["explain_value"][0]
    assert "Scanning Files: 4/8" in plan or "Scanning Files: 2/4" in plan


def test_ranks_are_by_expected_accuracy_inside_each_suite_and_ties_share_one(connection: Connection) -> None:
    table = query(connection, "FROM leaderboard")
    assert table["metric"].unique().to_list() == ["expected_accuracy"]
    for _, rows in table.group_by("campaign", "suite"):
        expected = rows.with_columns(right=pl.col("value").rank("min", descending=True).cast(pl.Int64))
        assert expected["rank"].to_list() == expected["right"].to_list()
    assert table["rank"].n_unique() < table.height / 2  # greedy and t1 are equal in the generated numbers
    assert table["unparsed"].unique().to_list() == [0.125]


def test_an_undefined_value_has_no_rank_and_stands_last(connection: Connection) -> None:
    table = leaderboard.ranking(connection, "demo", metric="precision")
    assert table["rank"].null_count() == table.height == 24


def test_a_metric_of_which_little_is_good_is_ranked_from_below(results: Results) -> None:
    write_campaign(results)
    path = results.decided("demo", "tiny", "world-facts") / "metrics.parquet"
    table = pl.read_parquet(path.read_bytes())
    first = table["run_id"][0]
    better = (pl.col("run_id") == first) & (pl.col("metric") == "unparsed")
    table.with_columns(value=pl.when(better).then(0.0).otherwise(pl.col("value"))).write_parquet(path)
    publish(results, "demo")
    connection = connect(results)
    best = leaderboard.ranking(connection, "demo", "world-facts", metric="unparsed", top=1)
    assert best["run_id"].to_list() == [first]
    connection.close()


def test_top_never_cuts_ties_apart(connection: Connection) -> None:
    table = leaderboard.ranking(connection, "demo", "world-facts", top=1)
    assert table["rank"].unique().to_list() == [1]
    assert table.height >= 2


def test_overall_is_the_plain_mean_over_suites_and_names_the_worst(connection: Connection) -> None:
    row = leaderboard.overall(connection, "demo").filter(model="tiny", method="naive", decoding="greedy").to_dicts()[0]
    values = {suite: round(number("tiny", suite, "naive") * 16) / 16 for suite in ("world-facts", "world-objects")}
    assert row["mean_over_suites"] == pytest.approx(sum(values.values()) / 2)
    assert (row["worst_value"], row["n"], row["suites"]) == (min(values.values()), 12, 2)
    assert values[row["worst_suite"]] == min(values.values())


def test_overall_gives_no_rank_to_what_lacks_a_suite(published: Results) -> None:
    write_decided(published, "demo", "tiny", "world-facts", cells=[("greedy", "naive")])
    publish(published, "demo")
    connection = connect(published)
    table = leaderboard.overall(connection, "demo")
    assert table.filter(pl.col("rank").is_null())["suites_missing"].to_list() == [1] * 5
    assert table.filter(pl.col("rank").is_not_null())["rank"].min() == 1
    connection.close()


def test_the_grid_of_one_model_and_suite_has_every_cell_with_its_interval(connection: Connection) -> None:
    table = leaderboard.grid(connection, "demo", "tiny", "world-facts")
    assert table.select("method", "decoding").rows() == [
        (method, decoding) for method in ("naive", "posthoc-none", "vdd-unk") for decoding in ("greedy", "t1")
    ]
    assert (table["low"] < table["high"]).all()


def test_a_sample_is_shown_with_its_images_its_evidence_and_its_answers(connection: Connection) -> None:
    found = leaderboard.sample(connection, "world-facts", "s1").to_dicts()[0]
    assert found["image_paths"][0].endswith("/suites/world-facts/k1/images/1.png")
    seen = leaderboard.evidence_of(connection, "tiny", "world-facts", "s1")
    assert seen["view"].to_list() == ["image", "none"]
    assert [sum(probs) for probs in seen["probs"].to_list()] == pytest.approx([1, 1])
    said = leaderboard.answers(connection, "demo", "tiny", "world-facts", sample_id="s1")
    assert said.height == 6
    run_id = said["run_id"][0]
    of_run = leaderboard.answers(connection, "demo", "tiny", "world-facts", run_id=run_id)
    assert of_run["sample_id"].to_list() == [f"s{index}" for index in range(6)]
    assert of_run["answer"].null_count() == 1
    assert leaderboard.metrics_of(connection, run_id)["metric"].to_list()[0] == "accuracy"
    assert leaderboard.samples(connection, "world-facts").height == 6


def test_campaigns_show_what_sharing_the_forwards_saved(connection: Connection) -> None:
    row = leaderboard.campaigns(connection).to_dicts()[0]
    assert (row["campaign"], row["runs"], row["failed"], row["forwards"]) == ("demo", 24, 0, 12)
    assert leaderboard.runs(connection, "demo").height == 24


def test_names_that_do_not_exist_are_answered_with_the_nearest_ones(connection: Connection) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'demo'"):
        leaderboard.ranking(connection, "dem")
    with pytest.raises(UnknownName, match="Did you mean 'world-facts'"):
        leaderboard.ranking(connection, "demo", "world-fact")
    with pytest.raises(UnknownName, match="Did you mean 'expected_accuracy'"):
        leaderboard.ranking(connection, metric="expected_acuracy")
    with pytest.raises(UnknownName, match="in suite 'world-facts'"):
        leaderboard.sample(connection, "world-facts", "s99")


WRITES = (
    "COPY runs TO '{root}/out.csv'",
    "COPY runs TO '/tmp/out.csv'",
    "EXPLAIN ANALYZE COPY runs TO '{root}/out.csv'",
    "EXPORT DATABASE '{root}/out'",
    "ATTACH '{root}/new.duckdb'",
    "ATTACH '{root}/mmplat.db' AS w (TYPE sqlite)",
    "CREATE TABLE t AS SELECT 1",
    "DROP VIEW runs",
    "INSERT INTO store.runs (run_id) VALUES ('x')",
    "DELETE FROM store.runs",
    "UPDATE store.runs SET n = 0",
    "SET enable_external_access = true",
    "INSTALL httpfs",
    "LOAD httpfs",
    "CALL pragma_version()",
    "SELECT 1; DROP VIEW runs",
    "USE store",
    "/**/ CREATE OR REPLACE VIEW leaderboard AS SELECT 1",
    "EXPLAIN ANALYZE CREATE OR REPLACE VIEW leaderboard AS SELECT 1",
    "FROM enable_logging(level = 'debug', storage = 'file', storage_config = {{'path': '{root}/log'}})",
    "FROM query('FROM ena' || 'ble_logging()')",
    'WITH a AS (FROM "enable_logging"()) FROM runs, a',
    "EXPLAIN ANALYZE FROM enable_logging()",
    "PIVOT (SELECT 1 AS a FROM enable_logging()) ON a USING count(*)",
    "PIVOT (FROM query('SELECT 1 AS a FROM ena' || 'ble_logging()')) ON a USING count(*)",
    "FROM checkpoint()",
    "FROM json_execute_serialized_sql(json_serialize_sql('FROM enable_logging()'))",
    "FROM truncate_duckdb_logs()",
    # What a comment before EXPLAIN hid: the rest of the text was taken for a comment, and ran.
    "-- x\nEXPLAIN ANALYZE COPY (SELECT 1) TO '{root}/out.csv'",
    "-- x\nEXPLAIN ANALYZE DELETE FROM store.runs",
    "-- x\nEXPLAIN ANALYZE UPDATE store.runs SET n = 0",
    "-- x\nEXPLAIN ANALYZE CREATE OR REPLACE VIEW leaderboard AS SELECT 1",
    "-- x\nEXPLAIN ANALYZE FROM enable_logging(storage = 'file', storage_config = {{'path': '{root}/log'}})",
    "/* x */ EXPLAIN /* y */ ANALYZE -- z\nDELETE FROM store.runs",
    "/* /* x */ */EXPLAIN(ANALYZE, FORMAT json)DELETE FROM store.runs",
    "EXPLAIN DELETE FROM store.runs",
    "EXPLAIN ANALYSE DELETE FROM store.runs",
    "EXPLAIN ANALYZE DELETE FROM store.runs WHERE run_id IN (SELECT run_id FROM (PIVOT runs ON seed USING count(*)))",
    "EXPLAIN ANALYZE PREPARE one AS DELETE FROM store.runs",
    "PREPARE one AS SELECT 1",
    "EXECUTE one",
    "EXPLAIN ANALYZE EXECUTE one",
    "CREATE OR REPLACE TABLE store.runs AS PIVOT runs ON seed USING count(*)",
    "COPY (PIVOT runs ON seed USING count(*)) TO '{root}/out.csv'",
    "CREATE MACRO range(a) AS TABLE FROM enable_logging()",
    "SET VARIABLE a = 1",
    "RESET memory_limit",
    "PRAGMA disable_optimizer",
    "PRAGMA profiling_output = '{root}/out.json'",
    "COMMENT ON VIEW runs IS 'x'",
    "MERGE INTO store.runs USING store.runs AS other ON true WHEN MATCHED THEN DELETE",
    "BEGIN",
    "CHECKPOINT",
    "VACUUM",
    "SELECT 1; SELECT 2",
    "FROM query('FROM runs')",
    "FROM system.main.enable_logging()",
    'DESCRIBE FROM "Enable_Logging"()',
    "SUMMARIZE FROM enable_logging()",
    "SELECT (SELECT count(*) FROM enable_logging()) FROM runs LIMIT (SELECT 1 FROM enable_logging())",
    "SELECT sum(n) OVER w FROM runs WINDOW w AS (ORDER BY (SELECT 1 FROM enable_logging()))",
    "FROM runs, LATERAL (FROM enable_logging())",
    "FROM (PIVOT (FROM enable_logging()) ON a USING count(*))",
    "PIVOT runs ON seed USING count(*); PIVOT runs ON seed USING count(*)",
    "SELECT 1; PIVOT runs ON seed USING count(*)",
    "SELECT 1\0; DELETE FROM store.runs",
)


@pytest.mark.parametrize("sql", WRITES)
def test_what_does_not_only_read_is_refused(connection: Connection, published: Results, sql: str) -> None:
    before = sorted(published.root.rglob("*"))
    with pytest.raises(QueryError, match="read-only"):
        query(connection, sql.format(root=str(published.root).replace("'", "''")))
    assert sorted(published.root.rglob("*")) == before
    assert query(connection, "FROM runs").height == 24


OUTSIDE = (
    "FROM read_text('/etc/passwd')",
    "FROM read_csv('/etc/passwd')",
    "FROM '/etc/passwd'",
    "FROM glob('/etc/*')",
    "FROM read_text('{root}/../../outside.txt')",
    "FROM read_parquet('https://example.org/x.parquet')",
    "FROM sqlite_scan('{other}', 't')",
    "FROM sqlite_attach('{other}')",
    "FROM table_of_python",
)


@pytest.mark.parametrize("sql", OUTSIDE)
def test_nothing_outside_the_results_can_be_read(
    connection: Connection, published: Results, tmp_path: Path, sql: str
) -> None:
    import sqlite3
    from contextlib import closing

    (tmp_path / "outside.txt").write_text("secret")
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as made:
        made.execute("CREATE TABLE t AS SELECT 1 AS a")
        made.commit()
    table_of_python = pl.DataFrame({"a": [1]})
    with pytest.raises(QueryError):
        query(connection, sql.format(root=str(published.root).replace("'", "''"), other=other))
    assert table_of_python.height == 1


def test_the_configuration_is_locked_even_for_code_that_holds_the_connection(connection: Connection) -> None:
    with pytest.raises(duckdb.InvalidInputException, match="locked"):
        connection.execute("SET enable_external_access = true")


WRONG = {
    "SELECT *\nFRM runs": r'Parser Error: syntax error at or near "runs"(?s:.)*LINE 2: FRM runs\n +\^',
    "SELECT modl FROM runs": r'Referenced column "modl" not found(?s:.)*LINE 1: SELECT modl FROM runs\n +\^',
    "SELECT 1 FROM rums": r"Table with name rums does not exist(?s:.)*LINE 1: SELECT 1 FROM rums\n +\^",
    "SELECT sum(model) FROM runs": r"No function matches(?s:.)*LINE 1: SELECT sum\(model\) FROM runs\n +\^",
    "SELECT model::INTEGER FROM runs": r"Conversion Error: Could not convert string 'tiny",
    "FROM leaderbord_by('f1')": r'leaderbord_by does not exist!\nDid you mean "leaderboard_by"',
    "SELECT ? FROM runs": "Values were not provided",
    "PRAGMA nothing": "Pragma Function with name nothing does not exist",
    "EXPLAIN SELECT modl FROM runs": r'Referenced column "modl" not found',
}


@pytest.mark.parametrize("rows", [None, 10])
@pytest.mark.parametrize("sql", WRONG)
def test_an_error_in_the_sql_is_told_in_the_words_of_duckdb_with_its_place(
    connection: Connection, sql: str, rows: int | None
) -> None:
    with pytest.raises(QueryError, match=WRONG[sql]):
        query(connection, sql, rows=rows)
    assert query(connection, "FROM runs").height == 24  # and the next query is answered


def test_a_text_without_a_statement_is_answered_with_one(connection: Connection) -> None:
    for nothing in ("-- nothing", "", " ; ; "):
        with pytest.raises(ConfigError, match="no SQL statement"):
            query(connection, nothing)


def test_pivot_explain_and_describe_are_reading(connection: Connection) -> None:
    pivot = "PIVOT leaderboard ON decoding USING any_value(value) GROUP BY model, suite, method"
    assert query(connection, pivot).columns == ["model", "suite", "method", "greedy", "t1"]
    assert query(connection, "EXPLAIN ANALYZE FROM runs").height == 1
    assert query(connection, "DESCRIBE runs").height == len(views.RUNS)
    assert query(connection, pivot, rows=2).height == 2
    assert query(connection, f"FROM ({pivot}) LIMIT 1").height == 1


READING = {
    "-- é\nEXPLAIN /* é */ ANALYZE -- é\nSELECT 'é'": 1,
    "EXPLAIN (ANALYZE, FORMAT json) SELECT 1": 1,
    "explain (select 1)": 1,
    "EXPLAIN (FROM runs) UNION (FROM runs)": 1,
    "EXPLAIN PIVOT runs ON seed IN (0) USING count(*)": 1,
    "-- two lines\nSELECT 1; -- and nothing\n;": 1,
    "/* ; */ SELECT ';' -- ;": 1,
    "SUMMARIZE runs": len(views.RUNS),
    "DESCRIBE SELECT 1 AS a, 2 AS b": 2,
    "PRAGMA version": 1,
    "VALUES (1), (2)": 2,
    "SELECT " + " + ".join("1" * 900): 1,
    "FROM leaderboard_by('unparsed', lowest_first := true) LIMIT 3": 3,
    "FROM range(7), unnest([1, 2])": 14,
    "SELECT count(*) FROM duckdb_settings() WHERE name = 'threads'": 1,
    "WITH RECURSIVE up AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM up WHERE n < 5) FROM up": 5,
}


@pytest.mark.parametrize("rows", [None, 100])
@pytest.mark.parametrize("sql", READING)
def test_what_only_reads_is_answered_however_it_is_written(connection: Connection, sql: str, rows: int | None) -> None:
    assert query(connection, sql, rows=rows).height == READING[sql]


def test_the_first_rows_of_an_answer_keep_its_order(connection: Connection) -> None:
    found = query(connection, "SELECT range AS n FROM range(100000) ORDER BY n DESC; -- all\n", rows=3)
    assert found["n"].to_list() == [99999, 99998, 99997]


def test_sums_of_integers_are_integers(connection: Connection) -> None:
    assert query(connection, "SELECT sum(n) AS n FROM runs").schema == {"n": pl.Int64}


def test_without_the_sqlite_extension_the_same_rows_are_read(
    published: Results, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert snapshot.sqlite_extension() is not None
    monkeypatch.setattr(snapshot, "sqlite_extension", lambda: None)
    other = connect(published)
    for view in ("campaigns", "models", "suites", "runs", "metrics", "leaderboard"):
        assert query(other, f"FROM {view} ORDER BY ALL").equals(query(connection, f"FROM {view} ORDER BY ALL")), view
    other.close()


AS_SOMEONE_ELSE = """
import os, sqlite3, sys
from pathlib import Path
import alembic.autogenerate, duckdb_extension_sqlite_scanner, sqlalchemy.dialects.sqlite
from mmplat.artifacts import Results
from mmplat.leaderboard import connect, query

query(connect(Results(Path("nowhere"))), "FROM runs")  # imports what it needs while the interpreter can be read
if os.getuid() == 0:  # root may write everywhere, whatever the permissions say
    os.setgid(65534)
    os.setuid(65534)
print(query(connect(Results(Path(sys.argv[1]))), "FROM runs").height)
"""


def test_the_results_of_a_colleague_are_read_without_writing_beside_them(published: Results) -> None:
    # Not below pytest's own folder, which is closed to others.
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "results"
        shutil.copytree(published.root, root)
        for path in (root, root.parent):
            path.chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", AS_SOMEONE_ELSE, str(root)], capture_output=True, text=True, check=False
        )
        for path in (root, root.parent):
            path.chmod(0o755)
        assert (done.stdout, done.stderr) == ("24\n", "")
        assert [path.name for path in root.glob("mmplat.db*")] == ["mmplat.db"]


def test_a_connection_sees_one_moment_of_the_store(published: Results, connection: Connection) -> None:
    write_campaign(published, "second")
    publish(published, "second")
    assert query(connection, "SELECT count(*) AS n FROM runs")["n"][0] == 24
    later = connect(published)
    assert query(later, "SELECT count(*) AS n FROM runs")["n"][0] == 48
    later.close()


def test_a_store_elsewhere_is_read_by_its_url(demo: Results, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    publish(demo, "demo", url=url)
    assert not demo.store.exists()
    connection = connect(demo, url)
    assert query(connection, "FROM runs").height == 24
    connection.close()
    assert store_url(demo, url).database == str(tmp_path / "elsewhere.db")
