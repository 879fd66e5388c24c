"""31: what the real client writes as OpenMetrics, pushed, is what the real Prometheus makes of it when it scrapes it."""

import time

from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram, Info, Summary
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest

from harness.http import call, data, instant
from harness.mayfly import Mayfly
from harness.pages import Pages
from harness.peers import Prometheus
from harness.process import until


def body() -> bytes:
    registry = CollectorRegistry()
    counter = Counter("rows", "Rows.", ["table"], registry=registry)
    counter.labels("orders").inc(3, exemplar={"trace_id": "abc"})
    counter.labels('it"em\\s\n').inc(2.5)
    Gauge("depth", "Depth.", unit="meters", registry=registry).set(-0.5)
    took = Histogram("took", "Duration.", registry=registry, buckets=(0.5, 2, 7.5))
    for seconds in (0.1, 3, 30):
        took.observe(seconds, exemplar={"trace_id": str(seconds)})
    Summary("wait", "Waiting.", registry=registry).observe(7)
    Enum("state", "State.", states=["up", "down"], registry=registry).state("down")
    Info("build", "Build.", registry=registry).info({"version": "1.2.3"})
    return generate_latest(registry)


def test_the_same_series_as_prometheus_makes(tmp_path, folder_server):
    shown = body()
    pages = Pages()
    pages.pages["/metrics"] = (200, {"Content-Type": CONTENT_TYPE_LATEST}, shown)
    prometheus = Prometheus.scraping(tmp_path, f"http://{pages.address}")
    # a created time is no series in Mayfly; the rest is what Prometheus says about its scrape
    compared = '{__name__=~".+",__name__!~".*_created|up|scrape_.*|push_.*"}'
    without = ("job", "instance")

    def vector(base: str) -> dict:
        found = instant(base, compared)
        return {tuple(pair for pair in labels if pair[0] not in without): value for labels, value in found.items()}

    theirs = until("scraped", lambda: vector(prometheus.url))
    pages.stop()
    answer = call(folder_server.gateway, "PUT", "/metrics/job/om", shown, {"content-type": CONTENT_TYPE_LATEST})
    assert (answer.status, answer.text) == (200, "")
    assert len(theirs) == 14
    assert vector(folder_server.query) == theirs
    # types and help as with the other formats
    text = call(folder_server.gateway, "GET", "/metrics").text
    for line in ("# HELP rows_total Rows.", "# TYPE rows_total counter", "# TYPE took histogram", "# TYPE build_info gauge"):
        assert line in text.splitlines()
    metadata = call(folder_server.query, "GET", "/api/v1/metadata?metric=depth_meters").json()["data"]
    assert metadata == {"depth_meters": [{"type": "gauge", "help": "Depth.", "unit": "meters"}]}
    # the same counter pushed as text is the same family
    pushed = call(folder_server.gateway, "POST", "/metrics/job/om", "# TYPE rows_total counter\nrows_total 9\n")
    assert pushed.status == 200
    assert list(instant(folder_server.query, "rows_total").values()) == [9]


def test_what_is_refused(folder_server):
    for text, part in [
        (b"a 1\n", "expected # EOF at the end"),
        (b"a 1 1700000000\n# EOF\n", "must not have timestamps"),
        (b"# TYPE a counter\na 1\n# EOF\n", "lacks the suffix"),
        (b"# EOF\na 1\n", "behind # EOF"),
    ]:
        answer = call(folder_server.gateway, "PUT", "/metrics/job/om", text, {"content-type": "application/openmetrics-text"})
        assert answer.status == 400 and part in answer.text, answer.text
    assert instant(folder_server.query, "a") == {}


def test_samples_with_a_time_of_their_own(tmp_path):
    mayfly = Mayfly(tmp_path, tmp_path / "data", flags=("--push.enable-timestamps",)).start()
    now = int(time.time())
    registry = CollectorRegistry()
    Gauge("held", "Held.", registry=registry).set(1)
    late = "".join(f"done_total {count} {now - 60 + count}.5\n" for count in range(1, 4))
    text = f"# TYPE done counter\n{late}{generate_latest(registry).decode()}"
    for _ in range(2):
        answer = call(mayfly.gateway, "PUT", "/metrics/job/late", text, {"content-type": CONTENT_TYPE_LATEST})
        assert (answer.status, answer.text) == (200, "")
    answer = call(mayfly.gateway, "POST", "/metrics/job/late", f"old 7 {now * 1000 - 3_600_000}\n")
    assert (answer.status, answer.text) == (200, "")
    # samples of their own time, each once, and not on the page
    mayfly.restart_after_kill9()
    (series,) = data(mayfly.query, "query", query="done_total[5m]")["result"]
    assert [(float(at), value) for at, value in series["values"]] == [(now - 60 + n + 0.5, str(n)) for n in (1, 2, 3)]
    assert list(instant(mayfly.query, "old", time=now - 3_590).values()) == [7]
    assert instant(mayfly.query, "old") == {}
    page = [line for line in call(mayfly.gateway, "GET", "/metrics").text.splitlines() if line[0] != "#"]
    assert [line.split("{")[0] for line in page] == ["held", "push_failure_time_seconds", "push_time_seconds"]
    ahead = call(mayfly.gateway, "POST", "/metrics/job/late", f"soon 1 {now * 1000 + 3_600_000}\n")
    assert ahead.status == 400 and "samples_ahead_max_ms" in ahead.text
    added = call(mayfly.gateway, "POST", "/aggregate/metrics/job/late", f"soon 1 {now * 1000}\n")
    assert added.status == 400 and "must not have timestamps" in added.text
