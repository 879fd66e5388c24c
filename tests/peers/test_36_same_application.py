"""36: one application, measured in every way that Mayfly takes, by a server with TLS and tokens – the Pushgateway's API by Prometheus'
client, remote write by Prometheus in agent mode (1.0 and 2.0) and by vmagent, OpenTelemetry's SDK (cumulative and delta, on both ports),
Influx lines, DogStatsD – gives the same answers to the same questions."""

import time

import pytest
from datadog.dogstatsd.base import DogStatsd
from influxdb_client import InfluxDBClient, Point
from influxdb_client.client.write_api import SYNCHRONOUS
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider, ObservableCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry, Gauge, push_to_gateway, start_http_server
from prometheus_client import Counter as PrometheusCounter
from prometheus_client import Histogram as PrometheusHistogram

from harness.process import until
from harness.secured import AGENTS, Secured
from test_29_statsd import place

# what happens: orders of a kind, each with how long it took, in seconds; after all of it, this many are in the queue
ORDERS = [("book", 0.2), ("book", 0.4), ("toy", 2.5), ("book", 0.7), ("toy", 0.1), ("book", 7.0)]
QUEUE = 3
BOUNDS = [0.25, 0.5, 1.0, 5.0]

# what is asked of each, and what is right
ASKED = {
    "sum(shop_orders_total{%s})": 6,
    'shop_orders_total{%s,kind="toy"}': 2,
    "max(shop_queue{%s})": QUEUE,
    # by which a dashboard divides
    'sum(shop_orders_total{%s,kind="book"}) / sum(shop_orders_total{%s})': 4 / 6,
}
# of histograms with these bounds, and of native ones
CLASSIC = {
    'sum(shop_took_seconds_bucket{%s,le="0.5"})': 3,
    'sum(shop_took_seconds_bucket{%s,le="+Inf"})': 6,
    "sum(shop_took_seconds_sum{%s})": 10.9,
    "histogram_quantile(0.5, sum by (le) (shop_took_seconds_bucket{%s}))": 0.5,
}
NATIVE = {
    "sum(histogram_count(shop_took_seconds{%s}))": 6,
    "sum(histogram_sum(shop_took_seconds{%s}))": 10.9,
}


class Page:
    """The application by Prometheus' own client, to be scraped."""

    def __init__(self):
        self.server, _ = start_http_server(0, addr="127.0.0.1", registry=registry())
        self.address = f"127.0.0.1:{self.server.server_port}"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    orders = PrometheusCounter("shop_orders", "Orders.", ["kind"], registry=registry)
    took = PrometheusHistogram("shop_took_seconds", "How long.", buckets=BOUNDS, registry=registry)
    for kind, seconds in ORDERS:
        orders.labels(kind).inc()
        took.observe(seconds)
    Gauge("shop_queue", "Waiting.", registry=registry).set(QUEUE)
    return registry


def push(secured: Secured, job: str):
    push_to_gateway(secured.server.gateway, job=job, registry=registry(), handler=secured.as_bearer)


def export(secured: Secured, job: str, url: str, temporality: AggregationTemporality):
    """OpenTelemetry's SDK: each order is exported as it happens; deltas add up, cumulative values replace each other."""
    preferred = dict.fromkeys((Counter, Histogram, ObservableCounter), temporality)
    exporter = OTLPMetricExporter(
        endpoint=url,
        certificate_file=str(secured.ca),
        headers={"authorization": f"Bearer {secured.team}"},
        preferred_temporality=preferred,
    )
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
    provider = MeterProvider(metric_readers=[reader], resource=Resource.create({"service.name": job}))
    meter = provider.get_meter("shop")
    orders = meter.create_counter("shop.orders", description="Orders.")
    took = meter.create_histogram("shop.took", unit="s", explicit_bucket_boundaries_advisory=BOUNDS)
    queue = meter.create_gauge("shop.queue")
    for index, (kind, seconds) in enumerate(ORDERS):
        orders.add(1, {"kind": kind})
        took.record(seconds)
        queue.set(QUEUE if index == len(ORDERS) - 1 else 100)
        assert provider.force_flush()
    provider.shutdown()


def write_lines(secured: Secured, job: str):
    """As Telegraf writes them."""
    counts, below = {}, {bound: 0 for bound in [*map(str, BOUNDS), "+Inf"]}
    with InfluxDBClient(url=secured.server.gateway, token=secured.team, org="o", ssl_ca_cert=str(secured.ca)) as client:
        writer = client.write_api(write_options=SYNCHRONOUS)
        for kind, seconds in ORDERS:
            counts[kind] = counts.get(kind, 0) + 1
            for bound in below:
                below[bound] += seconds <= float(bound)
            writer.write("b", record=Point("shop_orders").tag("kind", kind).tag("job", job).field("total", counts[kind]))
            for bound, count in below.items():
                writer.write("b", record=Point("shop_took_seconds").tag("le", bound).tag("job", job).field("bucket", count))
            time.sleep(0.002)
        total = sum(seconds for _, seconds in ORDERS)
        writer.write("b", record=Point("shop_took_seconds").tag("job", job).field("sum", total))
        writer.write("b", record=Point("shop").tag("job", job).field("queue", QUEUE))


def send_packets(secured: Secured):
    """A client of DogStatsD: packets have neither TLS nor a token, the server listens for them on loopback beside its ports that do."""
    host, port = place(secured.server)
    client = DogStatsd(host=host, port=port, disable_telemetry=True, disable_buffering=True)
    for kind, seconds in ORDERS:
        client.increment("shop.orders.total", tags=[f"kind:{kind}"])
        client.distribution("shop.took.seconds", seconds)
    client.gauge("shop.queue", QUEUE)


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    """One server for all ways; what each of them sent stays beside what the others sent."""
    flags = ("--statsd.listen-address", "127.0.0.1:0", "--statsd.flush-interval", "300ms")
    secured = Secured(tmp_path_factory.mktemp("same"), flags)
    secured.server.process.shared = True
    yield secured
    secured.server.process.shared = False
    assert secured.server.stop() == 0


@pytest.fixture(scope="module")
def page():
    page = Page()
    yield page
    page.stop()


def check(secured: Secured, job: str, asked: dict, token: str | None = None):
    """Asks with the token that sent it, which sees no more than what it may."""
    token = token or secured.team
    for query, expected in asked.items():
        query = query.replace("%s", f'job="{job}"')
        found = until(query, lambda: list(secured.vector(query, token).values()), seconds=20)
        assert found == [pytest.approx(expected)], query


def test_pushes_of_prometheus_client(secured):
    push(secured, "team-pushed")
    check(secured, "team-pushed", ASKED | CLASSIC)


@pytest.mark.parametrize("name", AGENTS)
def test_agents_that_scrape_it(secured, page, name):
    job = f"team-{name}"
    agent = AGENTS[name](secured, page.address, job)
    check(secured, job, ASKED | CLASSIC)
    agent.stop()


@pytest.mark.parametrize("temporality", ["cumulative", "delta"])
@pytest.mark.parametrize("port", ["gateway", "query"])
def test_the_sdk_of_opentelemetry(secured, temporality, port, monkeypatch):
    # requests takes this for what is trusted before what the exporter is told
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(secured.ca))
    job = f"team-{temporality}-{port}"
    path = {"gateway": "/v1/metrics", "query": "/api/v1/otlp/v1/metrics"}[port]
    export(secured, job, getattr(secured.server, port) + path, AggregationTemporality[temporality.upper()])
    check(secured, job, ASKED | CLASSIC)
    ((labels, _),) = secured.vector(f'target_info{{job="{job}"}}', secured.team).items()
    assert dict(labels)["telemetry_sdk_language"] == "python"
    if temporality == "delta":
        # each order counts, the first of them too
        increase = secured.vector(f'sum(increase(shop_orders_total{{job="{job}"}}[1h]))', secured.team)
        assert list(increase.values()) == [6]


def test_lines_as_telegraf_writes_them(secured):
    write_lines(secured, "team-lines")
    check(secured, "team-lines", ASKED | CLASSIC)


def test_a_client_of_dogstatsd(secured):
    send_packets(secured)
    orders = 'shop_orders_total{job="statsd"}'
    until("flushed", lambda: sum(secured.vector(orders).values()) == len(ORDERS))
    check(secured, "statsd", ASKED | NATIVE, secured.boss)
    # the third of the six; half of them is the edge between two buckets that are far from each other
    (third,) = secured.vector('histogram_quantile(0.4, shop_took_seconds{job="statsd"})').values()
    assert third == pytest.approx(0.4, rel=0.1)
    described = secured.data("metadata", metric="shop_orders_total")
    assert "counter" in [found["type"] for found in described["shop_orders_total"]]
    # a token that may not see this job sees nothing of it
    assert secured.vector(orders, secured.team) == {}
