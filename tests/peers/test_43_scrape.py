"""43: Mayfly and a real Prometheus scrape the same with the same configuration: a node_exporter, a Pushgateway, and pages with all that
pages may have or get wrong. They have the same series, the same `up`, the same ends, and the same targets under generated rules."""

import json
import random
import time

import pytest

from harness import PROGRAMS, protobuf
from harness.both import Both
from harness.http import call, data, instant
from harness.pages import OPENMETRICS, TEXT, Pages, hanging, zipped
from harness.peers import Pushgateway, answers
from harness.process import Process, free_ports, until

def native(_):
    """A histogram that is native and classic."""
    number, double, message, varint = protobuf.number, protobuf.double, protobuf.message, protobuf.varint
    spans = message(12, number(1, 2), number(2, 2))
    classic = message(3, number(1, 1), double(2, 1.0))
    counts = b"".join(number(13, count * 2) for count in (2, 1))
    body = message(7, number(1, 5), double(2, 7.5), classic, number(5, 0), double(6, 0.001), number(7, 0), spans, counts)
    family = message(1, b"native") + number(3, protobuf.HISTOGRAM) + message(4, body)
    return 200, {"Content-Type": protobuf.CONTENT_TYPE}, varint(len(family)) + family


PAGES = {
    "/metrics": "# HELP a What it is.\n# TYPE a counter\na{job=\"own\",instance=\"i\",x=\"1\"} 1\na 2\n"
    "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 1\nh_count 2\n"
    "# TYPE s summary\ns{quantile=\"0.50\"} 1\ns_sum 1\ns_count 1\n{\"x.y\",\"b.c\"=\"d\"} 3\nempty{e=\"\"} 1\nno_end 1",
    "/old": "old 1 %d\n",
    "/zipped": zipped("".join(f'z{{n="{n}"}} {n}\n' for n in range(500))),
    "/openmetrics": (200, {"Content-Type": OPENMETRICS}, "# TYPE c counter\nc_total{x=\"1\"} 5 # {trace_id=\"t\"} 0.5\nc_created{x=\"1\"} 3\n# UNIT u_seconds seconds\n# TYPE u_seconds gauge\nu_seconds 1\n# EOF\n"),
    "/openmetrics-torn": (200, {"Content-Type": OPENMETRICS}, "a 1\n"),
    "/native": native,
    "/broken": "fine 1\nbroken {\n",
    "/twice": "twice 1\ntwice 2\n",
    "/empty": "",
    "/html": (200, {"Content-Type": "text/html"}, "html_is 1\n"),
    "/blank": (200, {"Content-Type": None}, "blank_is 1\n"),
    "/unavailable": (503, {}, "unavailable 1\n"),
    "/moved": (302, {"Location": "/metrics"}, ""),
    "/lies": (200, {"Content-Type": TEXT, "Content-Length": "100000"}, "lies 1\n"),
    "/hangs": hanging(3),
    "/long": 'long{l="%s"} 1\n' % ("x" * 300),
    "/many": "".join(f"many{n} 1\n" for n in range(20)),
    "/query?a=1&b=x+y": "queried 1\n",
}
JOBS = [
    {"job_name": "plain"},
    {"job_name": "honors", "honor_labels": True},
    {"job_name": "old", "metrics_path": "/old"},
    {"job_name": "now", "metrics_path": "/old", "honor_timestamps": False},
    *({"job_name": path.strip("/"), "metrics_path": path} for path in PAGES if path not in ("/metrics", "/old") and "?" not in path),
    {"job_name": "html-is-text", "metrics_path": "/html", "fallback_scrape_protocol": "PrometheusText0.0.4"},
    {"job_name": "not-followed", "metrics_path": "/moved", "follow_redirects": False},
    {"job_name": "classic-too", "metrics_path": "/native", "always_scrape_classic_histograms": True},
    {"job_name": "query", "metrics_path": "/query", "params": {"b": ["x y"], "a": ["1"]}},
    {"job_name": "samples", "metrics_path": "/many", "sample_limit": 10},
    {"job_name": "samples-fit", "metrics_path": "/many", "sample_limit": 20},
    {"job_name": "labels", "metrics_path": "/metrics", "label_limit": 3},
    {"job_name": "names", "metrics_path": "/metrics", "label_name_length_limit": 7},
    {"job_name": "values", "metrics_path": "/long", "label_value_length_limit": 100},
    {"job_name": "body", "metrics_path": "/many", "body_size_limit": "100B"},
    {"job_name": "targets", "target_limit": 1, "static_configs": [{"targets": ["{address}", "127.0.0.1:1"]}]},
    {
        "job_name": "relabelled",
        "metric_relabel_configs": [
            {"source_labels": ["__name__"], "regex": "h_.*", "action": "drop"},
            {"source_labels": ["__name__", "x"], "regex": "a;(.+)", "target_label": "y", "replacement": "got-$1"},
            {"regex": "exported_instance", "action": "labeldrop"},
        ],
    },
    {
        "job_name": "nameless",
        "metric_relabel_configs": [{"regex": "__name__", "action": "labeldrop"}],
    },
]


@pytest.fixture
def pages():
    pages = Pages()
    yield pages
    pages.stop()


def series(url: str, matching: str) -> set:
    found = data(url, "series", match=matching)
    return {tuple(sorted(labels.items())) for labels in found}


def test_the_same_pages_become_the_same_series(tmp_path, pages):
    now = int(time.time() * 1000)
    pages.pages = {path: page for path, page in PAGES.items()}
    pages.pages["/old"] = PAGES["/old"] % (now - 60_000)
    pages.pages["/query?a=1&b=x+y"] = PAGES["/query?a=1&b=x+y"]
    (port,) = free_ports(1)
    exporter = Process(
        "node_exporter", [PROGRAMS / "prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{port}", "--collector.disable-defaults", "--collector.loadavg", "--collector.uname", "--collector.meminfo", "--collector.netdev"], tmp_path / "node.log"
    )
    exporter.up("ready", lambda: answers(f"http://127.0.0.1:{port}", "/metrics"))
    pushgateway = Pushgateway(tmp_path)
    assert call(pushgateway.url, "PUT", "/metrics/job/backup/instance/db", "# TYPE rows gauge\nrows 42\n").status == 200
    jobs = []
    for job in JOBS:
        job = {"scrape_protocols": ["PrometheusProto", "OpenMetricsText1.0.0", "PrometheusText0.0.4"]} | job
        job.setdefault("static_configs", [{"targets": ["{address}"], "labels": {"zone": "z"}}])
        jobs.append(json.loads(json.dumps(job).replace("{address}", pages.address)))
    jobs.append({"job_name": "node", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]})
    jobs.append({"job_name": "pushgateway", "honor_labels": True, "static_configs": [{"targets": [pushgateway.url.removeprefix("http://")]}]})
    both = Both(tmp_path, {"global": {"scrape_interval": "1s", "scrape_timeout": "800ms"}, "scrape_configs": jobs})
    try:
        for url in both.urls:
            until("all targets scraped", lambda url=url: both.scraped(url) == len(jobs) + 1, 30)
        theirs, ours = (both.targets(url) for url in both.urls)
        shown = ["discoveredLabels", "labels", "health", "scrapeInterval", "scrapeTimeout", "globalUrl"]
        for key in ours | theirs:
            assert [ours[key][name] for name in shown] == [theirs[key][name] for name in shown], (key, ours[key], theirs[key])
        told = {key: (t["lastError"], theirs[key]["lastError"]) for key, t in ours.items()}
        same = {key for key, (mine, other) in told.items() if mine == other}
        # what is wrong inside of a page is told in words of our own
        assert {key.split()[0] for key in told.keys() - same} <= {"broken", "openmetrics-torn", "lies", "hangs", "nameless"}, told
        assert all(bool(mine) == bool(other) for mine, other in told.values()), told
        # all that Prometheus has of them, Mayfly has too, and nothing else
        for job in jobs:
            asked = '{job="%s"}' % job["job_name"] if job["job_name"] != "pushgateway" else '{job=~"backup|pushgateway"}'
            mine, other = (series(url, asked) for url in reversed(both.urls))
            assert keep(mine) == keep(other), job
        counted = "scrape_samples_scraped or scrape_samples_post_metric_relabeling"
        mine, other = ({k: v for k, v in instant(url, counted).items() if ("job", "node") not in k} for url in reversed(both.urls))
        assert mine == other
        for query in ["up", '{job="plain",__name__!~"scrape_.*"}', '{job=~"openmetrics|twice|relabelled|query|samples-fit"} unless {__name__=~"scrape_.*"}', "old{job='now'}", "old{job='old'}", "rows"]:
            mine, other = (instant(url, query) for url in reversed(both.urls))
            assert mine == other, query
        for query in ["histogram_count(native)", "histogram_quantile(0.9, native{job='native'})"]:
            mine, other = (instant(url, query) for url in reversed(both.urls))
            assert mine == other and mine, query
        exemplars = [data(url, "query_exemplars", query="c_total", start=time.time() - 60, end=time.time() + 1) for url in both.urls]
        assert [[e["labels"] for e in row["exemplars"]][:1] for row in exemplars[0]] == [[e["labels"] for e in row["exemplars"]][:1] for row in exemplars[1]]
        assert exemplars[1]

        # series and targets that go away
        pages.pages["/metrics"] = "a 2\n"
        exporter.kill9()
        for job in jobs:
            if job["job_name"] == "zipped":
                job["static_configs"] = []
        for url in both.urls:
            until("up 0", lambda url=url: instant(url, 'up{job="node"}') and not any(instant(url, 'up{job="node"}').values()), 10)
            until("the end of series", lambda url=url: not instant(url, 'h_count{job="plain"}'), 10)
            until("the end of node's series", lambda url=url: not instant(url, "node_load1"), 10)
        both.reload({"global": {"scrape_interval": "1s", "scrape_timeout": "800ms"}, "scrape_configs": jobs})
        for url in both.urls:
            until("the end of a target", lambda url=url: not instant(url, '{job="zipped"}'), 20)
            assert set(instant(url, 'a{job="plain"}').values()) == {2.0}
        mine, other = (series(url, '{job="plain"}') for url in reversed(both.urls))
        assert keep(mine) == keep(other)
    finally:
        both.stop()
        pushgateway.process.stop()


def keep(found: set) -> set:
    """Without what the other one measures of scrapes with extra-scrape-metrics, and what changes while they look."""
    extra = ("scrape_timeout_seconds", "scrape_sample_limit", "scrape_body_size_bytes")
    return {labels for labels in found if dict(labels).get("__name__") not in extra}


def test_targets_under_generated_rules_are_the_same(tmp_path):
    random.seed(43)
    names = ["__address__", "job", "zone", "__meta_x", "__metrics_path__", "__scheme__", "instance", "new", "__tmp_y", "__param_p", "__scrape_interval__"]
    values = ["a.example:80", "a", "b-1", "/x/y", "https", "", "30s", "Ab.C", "Ü"]

    def rule() -> dict:
        action = random.choice(["replace"] * 5 + ["keep", "drop", "hashmod", "labelmap", "labeldrop", "labelkeep", "lowercase", "uppercase", "keepequal", "dropequal"])
        sources = random.sample(names, random.randint(1, 2))
        pattern = random.choice(["(.*)", ".+", "([a-z.]+)[:;-](.*)", "", ".*a.*", "(?i)A.*", "__meta_(.*)", "[^;]*;?.*"])
        target = random.choice(names)
        match action:
            case "replace":
                made = random.choice(["$1", "${2}-$1", "x", "/p$1", "", "host:$2"])
                found = {"source_labels": sources, "regex": pattern, "target_label": random.choice([target, "l_$1"]), "replacement": made}
            case "keep" | "drop":
                found = {"source_labels": sources, "regex": random.choice([".*", ".*a.*", "(.+;)?[^q]*"])}
            case "hashmod":
                found = {"source_labels": sources, "target_label": target, "modulus": random.randint(1, 50)}
            case "labelmap":
                found = {"regex": random.choice(["__meta_(.+)", "(z)one", "(.*)"]), "replacement": random.choice(["$1", "m_$1"])}
            case "labeldrop":
                found = {"regex": random.choice(["zone", "__meta_.*", "new|l_.*", "nothing"])}
            case "labelkeep":
                found = {"regex": random.choice(["__.*|job|instance|zone", ".*"])}
            case "lowercase" | "uppercase":
                found = {"source_labels": sources, "target_label": target}
            case _:
                found = {"source_labels": sources, "target_label": target}
        return found | {"action": action}

    jobs = []
    for number in range(150):
        groups = []
        for _ in range(3):
            labels = {name: random.choice(values) for name in random.sample(names[2:4] + names[7:8], random.randint(0, 3))}
            groups.append({"targets": [f"t{random.randint(0, 9)}.invalid:80"], "labels": labels})
        jobs.append({"job_name": f"j{number}", "static_configs": groups, "relabel_configs": [rule() for _ in range(random.randint(1, 4))], "params": {"p": ["1", "2"]}})
    both = Both(tmp_path, {"global": {"scrape_interval": "1h"}, "scrape_configs": jobs})
    try:
        until("targets", lambda: data(both.urls[0], "targets")["activeTargets"], 20)
        theirs, ours = (data(url, "targets") for url in both.urls)

        def seen(found: dict) -> tuple[set, set]:
            # of targets that are the same either one's discovered labels are shown
            shown = ["scrapePool", "labels", "scrapeUrl", "scrapeInterval", "scrapeTimeout"]
            sets = []
            for kind in ("activeTargets", "droppedTargets"):
                of_kind = shown if kind == "activeTargets" else ["scrapePool", "discoveredLabels"]
                rows = ({name: target[name] for name in of_kind} for target in found[kind])
                sets.append({json.dumps(row, sort_keys=True) for row in rows})
            return tuple(sets)

        (active, dropped), (their_active, their_dropped) = seen(ours), seen(theirs)
        assert sorted(active ^ their_active) == [] and sorted(dropped ^ their_dropped) == []
        assert len(active) > 100 and len(dropped) > 20
    finally:
        both.stop()
