"""06: the same pushes through the Lambda function `push` and through the gateway give the same answers, on a real S3."""

import struct
import time

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    delete_from_gateway,
    push_to_gateway,
    pushadd_to_gateway,
)

from harness.http import call, instant
from harness.mayfly import LambdaUrl, Mayfly

def field(number: int, payload: bytes) -> bytes:
    """A length-delimited protobuf field of less than 128 bytes."""
    return bytes([number << 3 | 2, len(payload)]) + payload


# one message MetricFamily: the gauge bytes_moved{path="/a"} 42
LABEL = field(1, b"path") + field(2, b"/a")
METRIC = field(1, LABEL) + field(2, b"\x09" + struct.pack("<d", 42))
FAMILY = field(1, b"bytes_moved") + b"\x18\x01" + field(4, METRIC)
PROTOBUF = bytes([len(FAMILY)]) + FAMILY
PROTOBUF_TYPE = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"

ASKED = [
    "rows_total",
    "sum by (job) (rows_total)",
    "exit_code",
    "bytes_moved",
    "histogram_quantile(0.9, sum by (le) (took_bucket))",
    'count by (__name__) ({job=~"etl|raw"})',
    "absent(gone)",
    "gone",
]


def environment(seaweedfs, storage: str) -> dict:
    return {**seaweedfs.env, "MAYFLY_S3_ENDPOINT": seaweedfs.endpoint, "MAYFLY_STORAGE": storage}


def push_all(url: str):
    for instance, rows in (("a", 10), ("b", 20)):
        registry = CollectorRegistry()
        Counter("rows", "Rows.", registry=registry).inc(rows)
        took = Histogram("took", "Duration.", registry=registry, buckets=(1, 5))
        for seconds in (0.5, 2, 3):
            took.observe(seconds)
        push_to_gateway(url, job="etl", grouping_key={"instance": instance}, registry=registry)
    added, gone = CollectorRegistry(), CollectorRegistry()
    Gauge("exit_code", "Code.", registry=added).set(0)
    pushadd_to_gateway(url, job="etl", grouping_key={"instance": "a"}, registry=added)
    Gauge("gone", "Gone.", registry=gone).set(1)
    push_to_gateway(url, job="gone/deleted", registry=gone)
    delete_from_gateway(url, job="gone/deleted")
    put = call(url, "PUT", "/metrics/job/raw", PROTOBUF, {"content-type": PROTOBUF_TYPE})
    assert put.status == 200, put.text


def answers(server: Mayfly) -> dict:
    now = time.time()
    # creation times and push times differ between any two rounds of pushes
    found = {query: instant(server.query, query, now) for query in ASKED}
    return {q: {k: v for k, v in rows.items() if not dict(k).get("__name__", "").endswith("_created")} for q, rows in found.items()}


def test_the_function_and_the_gateway_agree(tmp_path, seaweedfs, s3_url):
    function = LambdaUrl(tmp_path, "push", environment(seaweedfs, f"{s3_url}/function"))
    push_all(function.url)
    # refused as the gateway refuses it
    bad = call(function.url, "PUT", "/metrics/job/bad", "broken{", {"content-type": "text/plain"})
    assert bad.status == 400 and "text format parsing error in line 1" in bad.text, bad
    assert call(function.url, "PUT", "/nowhere", "a 1\n").status == 404
    # the function holds nothing that its end could lose
    function.process.kill9()

    (gateway_folder := tmp_path / "gateway").mkdir()
    (function_folder := tmp_path / "function").mkdir()
    gateway = Mayfly(gateway_folder, f"{s3_url}/gateway", env=seaweedfs.env, flags=seaweedfs.flags).start()
    push_all(gateway.gateway)
    reader = Mayfly(function_folder, f"{s3_url}/function", env=seaweedfs.env, flags=seaweedfs.flags).start()

    ours, theirs = answers(reader), answers(gateway)
    assert ours == theirs
    assert list(theirs["sum by (job) (rows_total)"].values()) == [30]
    assert list(theirs["bytes_moved"].values()) == [42]
    assert theirs["gone"] == {} and list(theirs["absent(gone)"].values()) == [1]


def test_pushes_are_seen_by_a_server_that_already_runs(tmp_path, seaweedfs, s3_url, s3_server):
    function = LambdaUrl(tmp_path, "push", environment(seaweedfs, s3_url))
    assert call(function.url, "PUT", "/metrics/job/late", "late 1\n").status == 200
    assert list(instant(s3_server.query, "late").values()) == [1]
