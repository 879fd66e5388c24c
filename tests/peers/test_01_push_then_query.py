"""01: what a Prometheus client pushes, promtool reads within a second of the 2xx; on a folder and on S3."""

import time

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Summary,
    delete_from_gateway,
    push_to_gateway,
    pushadd_to_gateway,
)

from harness.http import call, data, instant
from harness.peers import Promtool
from harness.process import until

READABLE_SECONDS = 1.0


def registry(**gauges: float) -> CollectorRegistry:
    result = CollectorRegistry()
    for name, value in gauges.items():
        Gauge(name, f"help of {name}", registry=result).set(value)
    return result


def value(promtool: Promtool, expr: str, time: float | None = None) -> list[str]:
    return [row["value"][1] for row in promtool.instant(expr, time)]


def test_a_push_is_readable_within_a_second(server):
    promtool = Promtool(server.query)
    for round in range(3):
        push_to_gateway(server.gateway, job="backup", registry=registry(backup_bytes=100 + round))
        acknowledged = time.monotonic()
        until("readable", lambda: value(promtool, "backup_bytes") == [str(100 + round)], READABLE_SECONDS)
        assert time.monotonic() - acknowledged < READABLE_SECONDS


def test_every_kind_of_metric_arrives(server):
    kinds = CollectorRegistry()
    Counter("rows", "Rows.", ["table"], registry=kinds).labels("orders").inc(5)
    Gauge("depth", "Depth.", registry=kinds).set(-2.5)
    summary = Summary("wait", "Waiting.", registry=kinds)
    histogram = Histogram("took", "Duration.", registry=kinds, buckets=(0.1, 1, 10))
    for seconds in (0.05, 0.5, 0.7, 5):
        summary.observe(seconds)
        histogram.observe(seconds)
    push_to_gateway(server.gateway, job="kinds", registry=kinds)

    job = ("job", "kinds")
    assert instant(server.query, "rows_total") == {(("__name__", "rows_total"), job, ("table", "orders")): 5}
    assert instant(server.query, "depth") == {(("__name__", "depth"), job): -2.5}
    assert instant(server.query, "wait_count") == {(("__name__", "wait_count"), job): 4}
    assert instant(server.query, "wait_sum") == {(("__name__", "wait_sum"), job): 6.25}
    buckets = instant(server.query, "sum by (le) (took_bucket)")
    assert buckets == {(("le", le),): n for le, n in [("0.1", 1), ("1.0", 3), ("10.0", 4), ("+Inf", 4)]}
    median = instant(server.query, "histogram_quantile(0.5, took_bucket)")
    # rank 2 of 4 lies in (0.1, 1], which holds ranks 1 to 3
    assert median == {(job,): 0.1 + 0.9 * (2 - 1) / (3 - 1)}


def test_put_replaces_the_group_and_post_the_family(server):
    gateway, query = server.gateway, server.query
    key = {"instance": "a"}
    push_to_gateway(gateway, job="etl", grouping_key=key, registry=registry(one=1, two=2))
    pushadd_to_gateway(gateway, job="etl", grouping_key=key, registry=registry(two=22))
    labels = (("instance", "a"), ("job", "etl"))
    assert instant(query, "one") == {(("__name__", "one"), *labels): 1}
    assert instant(query, "two") == {(("__name__", "two"), *labels): 22}
    push_to_gateway(gateway, job="etl", grouping_key=key, registry=registry(three=3))
    assert instant(query, "one") == instant(query, "two") == {}
    assert instant(query, "three") == {(("__name__", "three"), *labels): 3}
    # another group of the same job is left alone by all of it
    push_to_gateway(gateway, job="etl", registry=registry(three=33))
    delete_from_gateway(gateway, job="etl", grouping_key=key)
    assert instant(query, "three") == {(("__name__", "three"), ("job", "etl")): 33}


def test_odd_job_names_arrive(server):
    for job in ("nightly/backup", "größe", "100%", "a=b&c"):
        push_to_gateway(server.gateway, job=job, grouping_key={"path": "/var/tmp", "none": ""}, registry=registry(odd=1))
    found = {dict(labels)["job"]: dict(labels) for labels in instant(server.query, "odd")}
    assert set(found) == {"nightly/backup", "größe", "100%", "a=b&c"}
    assert all(labels == {"__name__": "odd", "job": job, "path": "/var/tmp"} for job, labels in found.items())


def test_promtool_range_series_and_labels(server):
    promtool = Promtool(server.query)
    start = time.time()
    push_to_gateway(server.gateway, job="ranged", registry=registry(ranged=1))
    time.sleep(1.2)
    push_to_gateway(server.gateway, job="ranged", registry=registry(ranged=2))
    end = time.time() + 0.2
    time.sleep(0.2)

    (series,) = promtool.range("ranged", start, end, "100ms")
    assert series["metric"] == {"__name__": "ranged", "job": "ranged"}
    values = [value for _, value in series["values"]]
    assert set(values) == {"1", "2"} and values == sorted(values), values
    # one second and a bit of the first value, in steps of a tenth
    assert values.count("1") >= 10, values
    assert promtool.series("ranged") == ['{__name__="ranged", job="ranged"}']
    assert "ranged" in promtool.labels("job")
    assert {"ranged", "push_time_seconds", "push_failure_time_seconds"} <= set(promtool.labels("__name__"))
    assert {"__name__", "job"} <= set(data(server.query, "labels"))


def test_push_time_is_there(server):
    before = time.time()
    push_to_gateway(server.gateway, job="stamped", registry=registry(x=1))
    (stamp,) = instant(server.query, 'push_time_seconds{job="stamped"}').values()
    assert before - 0.001 <= stamp <= time.time() + 0.001
    assert list(instant(server.query, 'push_failure_time_seconds{job="stamped"}').values()) == [0]


def test_the_gateway_shows_what_it_holds(server):
    push_to_gateway(server.gateway, job="shown", grouping_key={"instance": "i"}, registry=registry(shown_bytes=7))
    text = call(server.gateway, "GET", "/metrics").text
    assert 'shown_bytes{instance="i",job="shown"} 7' in text.splitlines(), text
    assert "# TYPE shown_bytes gauge" in text.splitlines()
    assert "# HELP shown_bytes help of shown_bytes" in text.splitlines()
