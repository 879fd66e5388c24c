"""09: the same pushes into Mayfly and into the real Pushgateway with a real Prometheus behind it give the same vectors."""

from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram, Info, Summary, push_to_gateway, pushadd_to_gateway

from harness.http import call, instant
from harness.peers import Prometheus, Pushgateway
from harness.process import until

ASKED = [
    "rows_total",
    "sum by (job) (rows_total)",
    "sum without (table) (rows_total)",
    "avg(rows_total)",
    "topk(1, rows_total)",
    "count by (table) (rows_total) > 1",
    "depth * 2 + 1",
    "depth > bool 3",
    "rows_total / on (job) group_left sum by (job) (rows_total)",
    "histogram_quantile(0.5, sum by (le, job) (took_bucket))",
    "took_bucket",
    "took_sum / took_count",
    'rows_total{job!~"e.*"}',
    'rows_total{table=~"orders|items",instance!=""}',
    "state == 1",
    "build_info",
    "absent(depth)",
    'absent(nothing{job="x"})',
    "push_failure_time_seconds",
    "max_over_time(depth[1m])",
    "last_over_time(depth[1m])",
]


def push_all(url: str):
    for job, instance, rows in (("etl", "a", 10), ("etl", "b", 30), ("report", "", 7)):
        registry = CollectorRegistry()
        counter = Counter("rows", "Rows.", ["table"], registry=registry)
        counter.labels("orders").inc(rows)
        counter.labels("items").inc(rows / 3)
        Gauge("depth", "Depth.", registry=registry).set(rows - 8)
        took = Histogram("took", "Duration.", registry=registry, buckets=(0.5, 2, 7.5))
        summary = Summary("wait", "Waiting.", registry=registry)
        for seconds in range(rows):
            took.observe(seconds / 3)
            summary.observe(seconds)
        Enum("state", "State.", states=["up", "down"], registry=registry).state("down")
        Info("build", "Build.", registry=registry).info({"version": "1.2.3"})
        push_to_gateway(url, job=job, grouping_key={"instance": instance} if instance else {}, registry=registry)
    later = CollectorRegistry()
    Gauge("depth", "Depth.", registry=later).set(99)
    pushadd_to_gateway(url, job="etl", grouping_key={"instance": "a"}, registry=later)
    # the same series from two bodies with labels that the grouping key overrides
    call(url, "POST", "/metrics/job/forced", 'forced{job="other",x="1"} 1\n')


def rounded(vector: dict) -> dict:
    # what the gateway's own page adds to a scrape is not what this compares
    kept = {labels: value for labels, value in vector.items() if dict(labels).get("job") != "pushgateway"}
    return {labels: float(f"{value:.12g}") for labels, value in kept.items()}


def test_vectors(tmp_path, folder_server):
    pushgateway = Pushgateway(tmp_path)
    push_all(pushgateway.url)
    prometheus = Prometheus.scraping(tmp_path, pushgateway.url)
    until("scraped", lambda: instant(prometheus.url, "forced"))
    push_all(folder_server.gateway)
    wrong = []
    for query in [*ASKED, "forced"]:
        ours, theirs = rounded(instant(folder_server.query, query)), rounded(instant(prometheus.url, query))
        if ours != theirs:
            wrong.append(f"{query}:\n  ours     {ours}\n  theirs   {theirs}")
    assert not wrong, "\n".join(wrong)


def test_the_page_of_the_gateway(tmp_path, folder_server):
    pushgateway = Pushgateway(tmp_path)
    pages = []
    for url in (pushgateway.url, folder_server.gateway):
        push_all(url)
        lines = call(url, "GET", "/metrics").text.splitlines()
        own = ("go_", "process_", "pushgateway_", "push_time_seconds", "mayfly_")
        mine = [line for line in lines if not line.removeprefix("# HELP ").removeprefix("# TYPE ").startswith(own)]
        pages.append([line for line in mine if "_created" not in line])
    assert pages[1] == pages[0]
