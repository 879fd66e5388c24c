"""18: real senders of remote write – Prometheus in agent mode with 1.0 and 2.0, and vmagent – send what they scrape to Mayfly and to
a real Prometheus. Both have the same samples and give the same answers, also about what has ended and after a kill."""

import http.server
import threading
import time

import pytest

from harness import PROGRAMS, protobuf
from harness.http import call, data
from harness.peers import Prometheus, answers
from harness.process import Process, free_ports, until

ASKED = [
    "rows_total",
    "sum by (table) (rows_total)",
    "rate(rows_total[10s])",
    "took_bucket",
    "histogram_quantile(0.5, took_bucket)",
    "short",
    "last_over_time(short[1m])",
    "absent(short)",
    "up",
    "count({job='app'})",
    '{"größe"}',
]
NATIVE = ["native", "histogram_count(native)", "histogram_sum(native)", "histogram_quantile(0.9, native)", "rate(native[10s])"]


def native_histogram(observed: int) -> bytes:
    """A native one of schema 0 with `observed` in (1, 2] and twice as many in (2, 4]."""
    number, double, message, varint = protobuf.number, protobuf.double, protobuf.message, protobuf.varint
    span = message(12, number(1, 2), number(2, 2))
    deltas = b"".join(number(13, delta * 2) for delta in (observed, observed))
    fields = number(1, 3 * observed) + double(2, 7.5 * observed) + number(5, 0) + double(6, 0.001) + number(7, 0)
    body = message(7, fields, span, deltas)
    family = message(1, b"native") + number(3, protobuf.HISTOGRAM) + message(4, body)
    return varint(len(family)) + family


class App:
    """Something that is scraped: its counters grow with each scrape, and a series ends when it is told to."""

    def __init__(self):
        self.scrapes, self.has_short = 0, True
        app = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                app.scrapes += 1
                wants_protobuf = "application/vnd.google.protobuf" in self.headers.get("Accept", "")
                body = app.protobuf() if wants_protobuf else app.text()
                self.send_response(200)
                content_type = protobuf.CONTENT_TYPE if wants_protobuf else "text/plain; version=1.0.0; escaping=allow-utf-8"
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def text(self) -> bytes:
        n = self.scrapes
        lines = ["# TYPE rows_total counter", f'rows_total{{table="orders"}} {7 * n}', f'rows_total{{table="items"}} {n / 4}']
        lines += ["# TYPE took histogram", f'took_bucket{{le="1"}} {n}', f'took_bucket{{le="+Inf"}} {3 * n}']
        lines += [f"took_sum {2.5 * n}", f"took_count {3 * n}", "# TYPE nan gauge", "nan NaN", '{"größe"} 3']
        lines += ["# TYPE short gauge", "short 1"] if self.has_short else []
        return "\n".join(lines + [""]).encode()

    def protobuf(self) -> bytes:
        n, family = self.scrapes, protobuf.family
        parts = [
            family("rows_total", protobuf.COUNTER, protobuf.counter(7 * n, table="orders"), protobuf.counter(n / 4, table="items")),
            family("took", protobuf.HISTOGRAM, protobuf.histogram(3 * n, 2.5 * n, [(1, n)])),
            family("nan", protobuf.GAUGE, protobuf.gauge(float("nan"))),
            family("größe", protobuf.GAUGE, protobuf.gauge(3)),
            native_histogram(n),
        ]
        parts += [family("short", protobuf.GAUGE, protobuf.gauge(1))] if self.has_short else []
        return b"".join(parts)

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def app():
    app = App()
    yield app
    app.stop()


def prometheus_receiver(folder) -> Prometheus:
    """Scrapes nothing and takes what is sent."""
    flags = ("--web.enable-remote-write-receiver", "--enable-feature=native-histograms")
    return Prometheus(folder, flags=flags, name="receiver")


def scrape_config(app: App) -> str:
    return (
        "scrape_configs:\n"
        "- job_name: app\n"
        "  scrape_interval: 1s\n"
        f"  static_configs: [{{targets: ['{app.address}'], labels: {{instance: one}}}}]\n"
    )


def prometheus_agent(folder, app: App, urls: list[str], message: str) -> Process:
    (port,) = free_ports(1)
    write = "".join(
        f"- url: {url}/api/v1/write\n  protobuf_message: {message}\n  send_native_histograms: true\n"
        "  queue_config: {batch_send_deadline: 200ms}\n"
        for url in urls
    )
    (folder / "agent.yml").write_text(scrape_config(app) + "remote_write:\n" + write)
    command = [PROGRAMS / "prometheus", "--agent", f"--config.file={folder / 'agent.yml'}"]
    command += [f"--storage.agent.path={folder / 'agent'}", f"--web.listen-address=127.0.0.1:{port}"]
    command += ["--enable-feature=native-histograms,metadata-wal-records"]
    agent = Process("agent", command, folder / "agent.log")
    agent.up("ready", lambda: answers(f"http://127.0.0.1:{port}", "/-/ready"))
    return agent


def vmagent(folder, app: App, urls: list[str]) -> Process:
    (port,) = free_ports(1)
    (folder / "vmagent.yml").write_text(scrape_config(app))
    command = [PROGRAMS / "vmagent", f"-promscrape.config={folder / 'vmagent.yml'}", f"-httpListenAddr=127.0.0.1:{port}"]
    command += [f"-remoteWrite.tmpDataPath={folder / 'vmagent'}", "-remoteWrite.flushInterval=200ms"]
    # the protocol of Prometheus, not its own
    command += [flag for url in urls for flag in (f"-remoteWrite.url={url}/api/v1/write", "-remoteWrite.forcePromProto=true")]
    agent = Process("vmagent", command, folder / "vmagent.log")
    agent.up("healthy", lambda: answers(f"http://127.0.0.1:{port}", "/health"))
    return agent


def matrix(url: str, query: str, at: float | None = None) -> dict:
    """Samples by labels, as bytes of the answer have them."""
    result = data(url, "query", query=query, time=at)["result"]
    return {
        tuple(sorted(row["metric"].items())): (row.get("values"), row.get("histograms"), row.get("value"), row.get("histogram"))
        for row in result
    }


def newest(url: str, query: str) -> float:
    """The time of the newest sample of one series within the last minute."""
    (samples,) = matrix(url, f"{query}[1m]").values()
    return (samples[0] or samples[1])[-1][0]


def senders():
    prometheus = [
        ("prometheus-1.0", "prometheus.WriteRequest"),
        ("prometheus-2.0", "io.prometheus.write.v2.Request"),
    ]
    for name, message in prometheus:
        yield pytest.param(lambda folder, app, urls, message=message: prometheus_agent(folder, app, urls, message), True, id=name)
    yield pytest.param(vmagent, False, id="vmagent")


@pytest.mark.parametrize("sender, native", list(senders()))
def test_a_real_sender_gives_the_same_answers_as_in_prometheus(tmp_path, folder_server, app, sender, native):
    receiver = prometheus_receiver(tmp_path)
    ours, theirs = folder_server, receiver.url
    # its port is another after the restart, so what was sent is kept by then
    agent = sender(tmp_path, app, [ours.query, theirs])
    until("a few scrapes", lambda: app.scrapes >= 4, seconds=30)
    app.has_short = False
    seen = app.scrapes
    until("a few more", lambda: app.scrapes >= seen + 3, seconds=30)
    at = until("both have it", lambda: min(newest(ours.query, "up"), newest(theirs, "up")), seconds=30)
    until("and go on", lambda: min(newest(ours.query, "up"), newest(theirs, "up")) > at, seconds=30)
    asked = ASKED + (NATIVE if native else [])
    everything = "{job='app'}[1m]"

    def compare():
        for query in [everything, *asked]:
            assert matrix(ours.query, query, at) == matrix(theirs, query, at), query
        assert len(matrix(ours.query, everything, at)) >= 8
        assert matrix(ours.query, "short", at) == {} and matrix(ours.query, "rows_total", at)

    compare()
    agent.stop()
    ours.restart_after_kill9()
    compare()


def test_a_sender_waits_for_a_server_that_is_away_and_nothing_is_missing(tmp_path, app):
    """The agent sends again what was not answered; what was answered twice counts once."""
    from harness.mayfly import Mayfly

    gateway, query = free_ports(2)
    listen = ("--gateway.listen-address", f"127.0.0.1:{gateway}", "--query.listen-address", f"127.0.0.1:{query}")
    server = Mayfly(tmp_path, tmp_path / "data")
    # the same ports in both lives
    server.command = lambda original=server.command: [*original()[:4], *listen]
    server.start()
    receiver = prometheus_receiver(tmp_path)
    agent = prometheus_agent(tmp_path, app, [server.gateway, receiver.url], "io.prometheus.write.v2.Request")
    until("a few scrapes", lambda: app.scrapes >= 3, seconds=30)
    server.kill9()
    seen = app.scrapes
    until("scrapes while it is away", lambda: app.scrapes >= seen + 3, seconds=30)
    server.start()
    at = time.time()
    until("both have what came since", lambda: min(newest(server.query, "up"), newest(receiver.url, "up")) > at, seconds=60)
    query_all = "{job='app'}[1m]"
    assert matrix(server.query, query_all, at) == matrix(receiver.url, query_all, at)
    agent.stop()


def test_both_answer_the_same_to_the_same_request(tmp_path, folder_server):
    """Statuses and texts of requests that no sender would send; what differs on purpose stands in docs/compatibility.md."""
    receiver = prometheus_receiver(tmp_path)
    cases = [
        ("POST", {"content-type": "text/plain"}, b""),
        ("POST", {"content-type": "application/x-protobuf;proto=foo"}, b""),
        ("POST", {"content-type": "application/x-protobuf;charset"}, b""),
        ("POST", {"content-type": "application/x-protobuf", "content-encoding": "gzip"}, b"\x00"),
        ("POST", {"content-type": "application/x-protobuf"}, b"hello world"),
        ("POST", {}, b"\x00"),
        ("POST", {"content-type": "application/x-protobuf;proto=io.prometheus.write.v2.Request"}, b"\x00"),
        ("POST", {"content-type": "application/x-protobuf"}, b"\x03\x08\xff\xff\xff"),
        ("POST", {"content-type": "application/x-protobuf;proto=io.prometheus.write.v2.Request"}, nameless()),
        ("GET", {}, b""),
        ("PUT", {}, b""),
        ("OPTIONS", {}, b""),
    ]
    for method, headers, body in cases:
        mine, real = (call(url, method, "/api/v1/write", body, headers) for url in (folder_server.query, receiver.url))
        written = [[(k, v) for k, v in answer.headers.items() if "-written" in k] for answer in (mine, real)]
        assert (mine.status, mine.text, sorted(written[0])) == (real.status, real.text, sorted(written[1])), (method, headers, body)
        assert mine.headers.get("allow") == real.headers.get("allow")


def nameless() -> bytes:
    """A request of 2.0 with one series that has no metric name, in a Snappy block that copies nothing."""
    symbols = b"".join(protobuf.message(4, symbol) for symbol in (b"", b"job", b"a"))
    sample = protobuf.message(2, protobuf.double(1, 1.0), protobuf.number(2, int(time.time() * 1000)))
    body = symbols + protobuf.message(5, protobuf.message(1, bytes([1, 2])), sample)
    assert len(body) <= 60
    return protobuf.varint(len(body)) + bytes([(len(body) - 1) << 2]) + body
