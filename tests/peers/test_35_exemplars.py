"""35: exemplars and metadata – of a real client, sent on by the real Prometheus or pushed, scraped from the real Pushgateway or from
Mayfly's – are answered as the real Prometheus answers, to the byte."""

import http.server
import threading
import time

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from harness import protobuf
from harness.http import api, call, data
from harness.mayfly import Mayfly
from harness.peers import Prometheus, Pushgateway
from harness.process import until

STORES = ("--enable-feature=exemplar-storage,native-histograms", "--web.enable-remote-write-receiver")
ASKED = [
    "rows_total",
    'rate(rows_total{table="orders"}[5m])',
    "took_bucket",
    'histogram_quantile(0.9, sum by (le) (rate(took_bucket[5m]))) > rows_total',
    '{job=~".+"}',
    "took_count",
    "nothing",
    "rows_total offset 1h",
]


class App:
    """Counts rows, with an exemplar for each, and is scraped as OpenMetrics."""

    def __init__(self):
        self.registry = CollectorRegistry()
        self.rows = Counter("rows", "Rows.", ["table"], registry=self.registry)
        self.took = Histogram("took", "Duration.", unit="", registry=self.registry, buckets=(0.5, 2, 7.5))
        Gauge("depth", "Depth.", unit="meters", registry=self.registry).set(-0.5)
        Summary("wait", "Waiting.", registry=self.registry).observe(7)
        self.works = 0
        app = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                app.work()
                shown = generate_latest(app.registry)
                self.send_response(200)
                self.send_header("Content-Type", CONTENT_TYPE_LATEST)
                self.send_header("Content-Length", str(len(shown)))
                self.end_headers()
                self.wfile.write(shown)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def work(self):
        self.works += 1
        trace = f"trace-{self.works}"
        self.rows.labels("orders").inc(self.works, exemplar={"trace_id": trace, "span_id": "ä"})
        self.rows.labels("items").inc(0.5)
        for seconds in (0.25, 3, 30):
            self.took.observe(seconds, exemplar={"trace_id": f"{trace}-{seconds}"})

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def app():
    app = App()
    yield app
    app.stop()


def exemplars(base: str, query: str, **times) -> str:
    answer = api(base, "query_exemplars", query=query, **times)
    assert answer.status == 200, answer.text
    return answer.text


@pytest.mark.parametrize("message", ["prometheus.WriteRequest", "io.prometheus.write.v2.Request"])
def test_what_prometheus_sends_on(tmp_path, folder_server, app, message):
    ours = folder_server
    (tmp_path / "receiver").mkdir()
    theirs = Prometheus(tmp_path / "receiver", flags=STORES, name="receiver")
    write = "".join(
        f"- url: {url}/api/v1/write\n  protobuf_message: {message}\n  send_exemplars: true\n"
        "  queue_config: {batch_send_deadline: 200ms}\n  metadata_config: {send_interval: 1s}\n"
        for url in (ours.query, theirs.url)
    )
    scrape = f"scrape_configs:\n- job_name: app\n  static_configs: [{{targets: ['{app.address}'], labels: {{instance: one}}}}]\n"
    features = (STORES[0] + ",metadata-wal-records", STORES[1])
    sender = Prometheus(tmp_path, f"{scrape}remote_write:\n{write}", flags=features)
    until("a few scrapes", lambda: app.works >= 5, seconds=30)
    sender_knows = exemplars(sender.url, "rows_total")
    until("all of that is there", lambda: last_trace(sender_knows) in exemplars(ours.query, "rows_total"), seconds=30)
    until("and there", lambda: last_trace(sender_knows) in exemplars(theirs.url, "rows_total"), seconds=30)
    # what is on its way is of another second
    end = int(time.time()) - 2
    for query in ASKED:
        for times in ({"start": 0, "end": end}, {"start": end - 2, "end": end}):
            expect = exemplars(theirs.url, query, **times)
            assert exemplars(ours.query, query, **times) == expect, query
    assert len(data(ours.query, "query_exemplars", query='{job="app"}', start=0, end=end)) == 4
    assert api(ours.query, "query_exemplars", query="1 + 1").status == api(theirs.url, "query_exemplars", query="1 + 1").status

    def metadata(base: str) -> dict:
        told = data(base, "metadata")
        return {name: told.get(name) for name in ("rows", "took", "depth_meters", "wait")}

    expect = metadata(sender.url)
    if message == "io.prometheus.write.v2.Request":
        # of 2.0 it comes with the series, which are called so
        expect["rows_total"] = expect.pop("rows")
    told = until("told", lambda: (lambda found: found if None not in found.values() else None)(
        {name: data(ours.query, "metadata").get(name) for name in expect}
    ), seconds=30)
    assert told == expect
    only = data(ours.query, "metadata", metric="wait")
    assert only == {"wait": [{"type": "summary", "help": "Waiting.", "unit": ""}]}
    assert len(data(ours.query, "metadata", limit=2)) == 2
    # it lies with the samples, and nothing was pushed
    ours.stop()
    ours.start()
    assert {name: data(ours.query, "metadata").get(name) for name in expect} == expect
    assert exemplars(ours.query, "rows_total", start=0, end=end) == exemplars(theirs.url, "rows_total", start=0, end=end)
    text = call(ours.gateway, "GET", "/metrics").text
    assert "rows" not in text


def last_trace(text: str) -> str:
    return text.rsplit('"trace_id":"', 1)[1].split('"')[0]


def exemplar(tag: int, value: float, at_ms: int | None, **labels: str) -> bytes:
    pairs = [protobuf.message(1, protobuf.message(1, k.encode()), protobuf.message(2, v.encode())) for k, v in sorted(labels.items())]
    at = [] if at_ms is None else [protobuf.message(3, protobuf.number(1, at_ms // 1000), protobuf.number(2, at_ms % 1000 * 1_000_000))]
    return protobuf.message(tag, *pairs, protobuf.double(2, value), *at)


def pushed(now_ms: int) -> bytes:
    """A counter and a histogram with exemplars, as Go's client pushes them; one without a time."""
    double, message, number = protobuf.double, protobuf.message, protobuf.number
    counter = message(4, protobuf.labels({"table": "orders"}), message(3, double(1, 7), exemplar(2, 2.5, now_ms - 5_000, trace_id="t1")))
    plain = protobuf.counter(3, table="items")
    buckets = [
        message(3, number(1, 1), double(2, 0.5), exemplar(3, 0.25, now_ms - 4_000, trace_id="t2")),
        message(3, number(1, 2), double(2, 2.0)),
        message(3, number(1, 3), double(2, float("inf")), exemplar(3, 30.0, now_ms - 3_000, trace_id="t3", span_id="ä")),
    ]
    took = message(4, message(7, number(1, 3), double(2, 31.5), *buckets))
    rows = protobuf.family("rows_total", protobuf.COUNTER, counter, plain, help="Rows.")
    return rows + protobuf.family("took", protobuf.HISTOGRAM, took, help="Duration.")


def test_what_is_pushed_and_scraped(tmp_path, folder_server):
    ours, pushgateway = folder_server, Pushgateway(tmp_path)
    now_ms = int(time.time() * 1000)
    body = pushed(now_ms)
    for gateway in (ours.gateway, pushgateway.url):
        for _ in range(2):
            answer = call(gateway, "PUT", "/metrics/job/etl/instance/one", body, {"content-type": protobuf.CONTENT_TYPE})
            assert answer.status == 200, answer.text

    def scraping(name: str, gateway: str) -> Prometheus:
        (tmp_path / name).mkdir()
        target = gateway.removeprefix("http://")
        job = f"{{job_name: gateway, honor_labels: true, static_configs: [{{targets: ['{target}']}}]}}"
        return Prometheus(tmp_path / name, f"scrape_configs: [{job}]\n", flags=STORES, name=name)

    theirs, through_ours = scraping("theirs", pushgateway.url), scraping("ours", ours.gateway)
    expect = until("scraped", lambda: (lambda text: text if "t1" in text else None)(exemplars(theirs.url, "rows_total")), seconds=30)
    until("ours too", lambda: "t1" in exemplars(through_ours.url, "rows_total"), seconds=30)
    assert expect.count("trace_id") == 1
    for query in ("rows_total", "took_bucket", '{job="etl"}'):
        expect = exemplars(theirs.url, query)
        assert "trace_id" in expect
        assert exemplars(through_ours.url, query) == expect, query
        assert exemplars(ours.query, query) == expect, query

    # the page itself has what the original's has
    accept = {"accept": protobuf.CONTENT_TYPE}
    for gateway in (ours.gateway, pushgateway.url):
        page = call(gateway, "GET", "/metrics", headers=accept).body
        assert all(trace in page for trace in (b"t1", b"t2", b"t3", "ä".encode()))
    # held until the next push, also after a kill and a merge
    ours.restart_after_kill9()
    assert b"t3" in call(ours.gateway, "GET", "/metrics", headers=accept).body
    for gateway in (ours.gateway, pushgateway.url):
        later = protobuf.family("rows_total", protobuf.COUNTER, protobuf.counter(8, table="orders"), help="Rows.")
        assert call(gateway, "POST", "/metrics/job/etl/instance/one", later, {"content-type": protobuf.CONTENT_TYPE}).status == 200
        page = call(gateway, "GET", "/metrics", headers=accept).body
        assert b"t1" not in page and b"t3" in page
    # and known after it
    assert exemplars(ours.query, '{job="etl"}') == exemplars(theirs.url, '{job="etl"}')


def test_pushed_as_openmetrics(tmp_path):
    ours = Mayfly(tmp_path, tmp_path / "data", flags=("--web.enable-admin-api", "--gateway.enable-openmetrics")).start()
    registry = CollectorRegistry()
    Counter("rows", "Rows.", registry=registry).inc(3, exemplar={"trace_id": "with-time"})
    shown = generate_latest(registry).decode()
    assert "with-time" in shown
    plain = "# TYPE steps counter\nsteps_total 1 # {trace_id=\"without\"} 0.5\n# EOF\n"
    before = time.time()
    for job, body in (("a", shown), ("b", plain), ("b", plain), ("b", plain)):
        answer = call(ours.gateway, "PUT", f"/metrics/job/{job}", body, {"content-type": CONTENT_TYPE_LATEST})
        assert answer.status == 200, answer.text
    (rows,) = data(ours.query, "query_exemplars", query="rows_total")
    assert rows["seriesLabels"] == {"__name__": "rows_total", "job": "a"}
    assert [(found["labels"], found["value"]) for found in rows["exemplars"]] == [({"trace_id": "with-time"}, "3")]
    # what says the same again, without a time, is one
    (steps,) = data(ours.query, "query_exemplars", query="steps_total")
    (found,) = steps["exemplars"]
    assert before - 1 < found["timestamp"] < time.time() + 1 and found["labels"] == {"trace_id": "without"}
    # the page of that format has them, and the real client reads it
    page = call(ours.gateway, "GET", "/metrics", headers={"accept": CONTENT_TYPE_LATEST}).text
    samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
    held = {sample.name: sample.exemplar for sample in samples if sample.exemplar}
    assert {name: (one.labels, one.value) for name, one in held.items()} == {
        "rows_total": ({"trace_id": "with-time"}, 3),
        "steps_total": ({"trace_id": "without"}, 0.5),
    }
    assert held["steps_total"].timestamp is None and float(held["rows_total"].timestamp) > before - 10
    long = "# TYPE steps counter\nsteps_total 1 # {trace_id=\"" + "x" * 121 + "\"} 0.5\n# EOF\n"
    assert call(ours.gateway, "PUT", "/metrics/job/b", long, {"content-type": CONTENT_TYPE_LATEST}).status == 400
    # deleted with its series
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert call(ours.query, "POST", "/api/v1/admin/tsdb/delete_series", "match[]=rows_total", form).status == 204
    assert data(ours.query, "query_exemplars", query="rows_total") == []
    assert len(data(ours.query, "query_exemplars", query="steps_total")) == 1
