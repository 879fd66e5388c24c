"""36: one application, measured in every way that Mayfly takes – the Pushgateway's API by Prometheus' client, remote write by Prometheus in
agent mode, OpenTelemetry's SDK (cumulative and delta), Influx lines, DogStatsD – gives the same answers to the same questions."""

import time

import pytest
from datadog.dogstatsd.base import DogStatsd
from influxdb_client import InfluxDBClient, Point
from influxdb_client.client.write_api import SYNCHRONOUS
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider, ObservableCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry, Gauge, start_http_server
from prometheus_client import Counter as PrometheusCounter
from prometheus_client import Histogram as PrometheusHistogram
from prometheus_client import push_to_gateway

from harness import PROGRAMS
from harness.http import data, instant
from harness.mayfly import Mayfly
from harness.peers import answers
from harness.process import Process, free_ports, until
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


def registry() -> CollectorRegistry:
    """The application by Prometheus' own client."""
    registry = CollectorRegistry()
    orders = PrometheusCounter("shop_orders", "Orders.", ["kind"], registry=registry)
    took = PrometheusHistogram("shop_took_seconds", "How long.", buckets=BOUNDS, registry=registry)
    for kind, seconds in ORDERS:
        orders.labels(kind).inc()
        took.observe(seconds)
    Gauge("shop_queue", "Waiting.", registry=registry).set(QUEUE)
    return registry


def check(mayfly: Mayfly, selector: str, asked: dict):
    for query, expected in asked.items():
        query = query.replace("%s", selector)
        found = until(query, lambda: list(instant(mayfly.query, query).values()), seconds=20)
        assert found == [pytest.approx(expected)], query


def test_pushes_of_prometheus_client(folder_server):
    push_to_gateway(folder_server.gateway, job="pushed", registry=registry())
    check(folder_server, 'job="pushed"', ASKED | CLASSIC)


def test_prometheus_in_agent_mode(tmp_path, folder_server):
    server, _ = start_http_server(0, addr="127.0.0.1", registry=registry())
    (port,) = free_ports(1)
    (tmp_path / "agent.yml").write_text(
        "scrape_configs:\n- job_name: scraped\n  scrape_interval: 1s\n"
        f"  static_configs: [{{targets: ['127.0.0.1:{server.server_port}']}}]\n"
        f"remote_write: [{{url: '{folder_server.query}/api/v1/write', queue_config: {{batch_send_deadline: 200ms}}}}]\n"
    )
    command = [PROGRAMS / "prometheus", "--agent", f"--config.file={tmp_path / 'agent.yml'}"]
    command += [f"--storage.agent.path={tmp_path / 'agent'}", f"--web.listen-address=127.0.0.1:{port}"]
    agent = Process("agent", command, tmp_path / "agent.log")
    agent.up("ready", lambda: answers(f"http://127.0.0.1:{port}", "/-/ready"))
    check(folder_server, 'job="scraped"', ASKED | CLASSIC)
    server.shutdown()


@pytest.mark.parametrize("temporality", ["cumulative", "delta"])
@pytest.mark.parametrize("port", ["gateway", "query"])
def test_the_sdk_of_opentelemetry(folder_server, temporality, port):
    path = {"gateway": "/v1/metrics", "query": "/api/v1/otlp/v1/metrics"}[port]
    preferred = {}
    if temporality == "delta":
        preferred = dict.fromkeys((Counter, Histogram, ObservableCounter), AggregationTemporality.DELTA)
    exporter = OTLPMetricExporter(endpoint=getattr(folder_server, port) + path, preferred_temporality=preferred)
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
    resource = Resource.create({"service.name": temporality, "service.instance.id": port})
    provider = MeterProvider(metric_readers=[reader], resource=resource)
    meter = provider.get_meter("shop")
    orders = meter.create_counter("shop.orders", description="Orders.")
    took = meter.create_histogram("shop.took", unit="s", explicit_bucket_boundaries_advisory=BOUNDS)
    queue = meter.create_gauge("shop.queue")
    for index, (kind, seconds) in enumerate(ORDERS):
        orders.add(1, {"kind": kind})
        took.record(seconds)
        queue.set(QUEUE if index == len(ORDERS) - 1 else 100)
        # deltas come in several exports, cumulative values replace each other
        assert provider.force_flush()
    provider.shutdown()
    check(folder_server, f'job="{temporality}",instance="{port}"', ASKED | CLASSIC)
    ((labels, _),) = instant(folder_server.query, f'target_info{{job="{temporality}",instance="{port}"}}').items()
    assert dict(labels)["telemetry_sdk_language"] == "python"
    if temporality == "delta":
        # each order counts, the first of them too
        assert sum(instant(folder_server.query, f'increase(shop_orders_total{{job="{temporality}"}}[1h])').values()) == 6


def test_lines_as_telegraf_writes_them(folder_server):
    counts, below = {}, {bound: 0 for bound in [*map(str, BOUNDS), "+Inf"]}
    with InfluxDBClient(url=folder_server.gateway, token="none", org="o") as client:
        writer = client.write_api(write_options=SYNCHRONOUS)
        for kind, seconds in ORDERS:
            counts[kind] = counts.get(kind, 0) + 1
            for bound in below:
                below[bound] += seconds <= float(bound)
            writer.write("b", record=Point("shop_orders").tag("kind", kind).tag("job", "lines").field("total", counts[kind]))
            for bound, count in below.items():
                writer.write("b", record=Point("shop_took_seconds").tag("le", bound).tag("job", "lines").field("bucket", count))
            time.sleep(0.002)
        total = sum(seconds for _, seconds in ORDERS)
        writer.write("b", record=Point("shop_took_seconds").tag("job", "lines").field("sum", total))
        writer.write("b", record=Point("shop").tag("job", "lines").field("queue", QUEUE))
    check(folder_server, 'job="lines"', ASKED | CLASSIC)


def test_a_client_of_dogstatsd(tmp_path):
    flags = ("--statsd.listen-address", "127.0.0.1:0", "--statsd.flush-interval", "300ms")
    mayfly = Mayfly(tmp_path, tmp_path / "data", flags=flags).start()
    host, port = place(mayfly)
    client = DogStatsd(host=host, port=port, disable_telemetry=True, disable_buffering=True)
    for kind, seconds in ORDERS:
        client.increment("shop.orders.total", tags=[f"kind:{kind}"])
        client.distribution("shop.took.seconds", seconds)
    client.gauge("shop.queue", QUEUE)
    until("flushed", lambda: sum(instant(mayfly.query, "shop_orders_total").values()) == len(ORDERS))
    check(mayfly, 'job="statsd"', ASKED | NATIVE)
    # the third of the six; half of them is the edge between two buckets that are far from each other
    (third,) = instant(mayfly.query, "histogram_quantile(0.4, shop_took_seconds)").values()
    assert third == pytest.approx(0.4, rel=0.1)
    described = data(mayfly.query, "metadata", metric="shop_orders_total")
    assert [found["type"] for found in described["shop_orders_total"]] == ["counter"]
