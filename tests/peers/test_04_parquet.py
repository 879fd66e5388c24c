"""04: the segments are plain Parquet: DuckDB and pyarrow read them by the labels' own names."""

import time

import duckdb
import pyarrow.parquet
from prometheus_client import CollectorRegistry, Counter, Gauge, delete_from_gateway, push_to_gateway

from harness.http import instant


def push(gateway: str, job: str, instance: str, rows: float):
    registry = CollectorRegistry()
    Counter("rows", "Rows.", ["table"], registry=registry).labels("orders").inc(rows)
    Gauge("seconds", "Duration.", registry=registry).set(rows / 10)
    push_to_gateway(gateway, job=job, grouping_key={"instance": instance}, registry=registry)


def test_duckdb_reads_the_segments_with_plain_sql(folder_server, tmp_path):
    started = time.time()
    for job, instance, rows in [("etl", "a", 10), ("etl", "b", 30), ("report", "a", 5)]:
        push(folder_server.gateway, job, instance, rows)
    folder_server.stop()

    segments = f"read_parquet('{folder_server.storage}/**/hot/*/*.parquet', union_by_name = true)"
    sql = duckdb.connect()
    by_job = sql.execute(
        f"""SELECT job, avg("__value__"), count(*) FROM {segments} WHERE "__name__" = 'rows_total' GROUP BY job ORDER BY job"""
    ).fetchall()
    assert by_job == [("etl", 20.0, 2), ("report", 5.0, 1)]
    by_instance = sql.execute(
        f"""SELECT instance, sum("__value__") FROM {segments} WHERE "__name__" = 'seconds' GROUP BY ALL ORDER BY 1"""
    ).fetchall()
    assert by_instance == [("a", 1.5), ("b", 3.0)]
    first, last, kind = sql.execute(
        f"""SELECT epoch(min("__ts__")), epoch(max("__ts__")), any_value(typeof("__ts__")) FROM {segments}
        WHERE "__name__" = 'seconds'"""
    ).fetchone()
    assert started - 0.001 <= first <= last <= time.time()
    assert kind == "TIMESTAMP WITH TIME ZONE"
    # what SQL and PromQL say is the same
    folder_server.start()
    assert instant(folder_server.query, "avg by (job) (rows_total)") == {
        (("job", job),): average for job, average, _ in by_job
    }


def test_pyarrow_reads_every_segment(folder_server):
    push(folder_server.gateway, "etl", "a", 10)
    delete_from_gateway(folder_server.gateway, job="etl", grouping_key={"instance": "a"})
    folder_server.stop()
    files = sorted(folder_server.storage.glob("**/hot/*/*.parquet"))
    assert files
    rows = [row for file in files for row in pyarrow.parquet.read_table(file).to_pylist()]
    pushed = {row["__name__"]: row["__value__"] for row in rows if row["__value__"] is not None and row["job"] == "etl"}
    assert (pushed["rows_total"], pushed["seconds"]) == (10.0, 1.0)
    for file in files:
        schema = pyarrow.parquet.read_schema(file)
        assert {"__name__", "__series__", "__ts__", "__value__", "job", "instance", "le"} <= set(schema.names)
        assert str(schema.field("__ts__").type) == "timestamp[us, tz=UTC]"
        assert str(schema.field("__value__").type) == "double"
