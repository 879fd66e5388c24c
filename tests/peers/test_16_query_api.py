"""16: the rest of the query API answers as a real Prometheus answers, to the byte where an answer does not tell about the
program itself, and a real Prometheus takes over our series by federation."""

import gzip
import json
import time
import urllib.parse
import zlib

import pytest

from harness import remote_write
from harness.http import Answer, call, instant
from harness.mayfly import Mayfly
from harness.peers import Prometheus
from harness.process import until

FORM = {"content-type": "application/x-www-form-urlencoded"}

# what both programs answer with the same bytes: method and target, or for POST the form
SAME = [
    "GET query?time=abc&query=1",
    "GET query?time=2020-01-01T00:00:00&query=1",
    "GET query?query=1&time=5&timeout=abc",
    "GET query?query=1&time=5&lookback_delta=abc",
    "GET query?query=1&time=5&lookback_delta=-5",
    "GET query?query=1&time=5&limit=abc",
    "GET query?query=1&time=5&limit=-1",
    "GET query?query=1&time=5&limit=99999999999999999999",
    "GET query?query=vector(1)&time=5.1234",
    "GET query_range?query=1&start=1&end=5&step=1&lookback_delta=x",
    "GET query_range?query=1&start=x&end=5&step=1",
    "GET query_range?query=1&start=1&end=2&step=1e20",
    "GET query_exemplars",
    "GET query_exemplars?query=test",
    "GET query_exemplars?query=test&start=x",
    "GET query_exemplars?query=test&start=1&end=0",
    "GET query_exemplars?query=test&start=1700000000000&end=1800000000000",
    "GET query_exemplars?query=test(&start=1&end=2",
    "POST query_exemplars query=test&start=1&end=2",
    "GET format_query?query=sum(a)by(b)",
    "GET parse_query",
    "GET parse_query?query=rate(",
    "GET labels?match[]=up{",
    "GET labels?match[]={}",
    "GET labels?match[]=sum(up)",
    "GET labels?start=abc",
    "GET labels?end=abc",
    "GET labels?limit=abc",
    "GET label/job/values?match[]=up{",
    "GET label/job/values?limit=x",
    "POST label/job/values a=b",
    "GET series",
    "GET series?match[]={}",
    "GET series?match[]={a=%22%22}",
    "GET series?match[]=up&start=x",
    "GET series?match[]=up[5m]",
    "GET metadata",
    "GET metadata?limit=abc",
    "GET metadata?limit=0",
    "GET metadata?limit_per_metric=abc",
    "GET metadata?metric=nothing",
    "GET targets",
    "GET targets?state=active",
    "GET targets?state=dropped",
    "GET targets?state=bogus",
    "GET targets/metadata",
    "GET targets/metadata?limit=abc",
    "GET targets/metadata?match_target={",
    "GET scrape_pools",
    "GET status/tsdb?limit=abc",
    "GET status/tsdb?limit=0",
    "GET status/tsdb?limit=-1",
    "GET status/walreplay",
    "GET notifications",
    "GET alerts",
    "GET rules",
    "POST admin/tsdb/delete_series?match[]=up ",
    "PUT admin/tsdb/clean_tombstones",
    "POST admin/tsdb/snapshot ",
    "GET nothing",
    "PUT query?query=1",
    "OPTIONS query",
]

TREES = [
    "1", "1e100", "-Inf", "+1", "1h30m", '"a\\"b"', "(a)", "-a", "a+b", "a > bool b", "a * on(x) group_left(y,z) b", "a / ignoring(x) b",
    "a and on() b", "a^b^c", "1 + a", "a + 1 > 2", "sum by (x) (a)", "sum without (x) (a)", "topk(5,a)", 'count_values("v",a)', "rate(a[5m])",
    'a{b="c",d=~"e.*",f!="",g!~"h"}', '{"a.b"}', '{__name__=~"x"}', "a offset -5m", "a @ 1.5", "a @ start()", "a[5m] offset 1m @ 3",
    "a[1h:5m]", "a[1h:] offset 1d @ end()", "rate(sum(a)[1h:5m])", "time()", "round(a)", 'label_join(a,"b","c","d","e")', "hour()",
    "a * on() group_right b", "vector(NaN)",
]

# what Prometheus has said about these since 3.5
NEWER = {"anchored", "smoothed", "offsetExpr", "rangeExpr", "stepExpr", "fillValues"}


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Mayfly and Prometheus, both empty."""
    folder = tmp_path_factory.mktemp("api")
    mayfly = Mayfly(folder, folder / "data").start()
    prometheus = Prometheus(folder)
    mayfly.process.shared = prometheus.process.shared = True
    yield mayfly.query, prometheus.url
    mayfly.process.kill9()
    prometheus.process.kill9()


def ask(base: str, row: str) -> Answer:
    method, target, *form = row.split(" ")
    target = f"/api/v1/{target}"
    return call(base, method, target, form[0], FORM) if form else call(base, method, target)


def test_answers_are_those_of_prometheus(both):
    wrong = []
    for row in SAME:
        ours, theirs = (ask(base, row) for base in both)
        seen = [(answer.status, answer.headers.get("content-type"), answer.body) for answer in (ours, theirs)]
        if seen[0] != seen[1]:
            wrong.append((row, *seen))
    assert not wrong, "\n".join(map(str, wrong))


def known(tree):
    if isinstance(tree, dict):
        return {key: known(value) for key, value in tree.items() if key not in NEWER}
    return [known(item) for item in tree] if isinstance(tree, list) else tree


def test_trees_are_those_of_prometheus(both):
    wrong = []
    for expr in TREES:
        row = "GET parse_query?query=" + urllib.parse.quote(expr)
        ours, theirs = (ask(base, row).json() for base in both)
        if known(ours) != theirs:
            wrong.append((expr, known(ours), theirs))
    assert not wrong, "\n".join(map(str, wrong))


def test_what_tells_about_the_program_has_the_same_fields(both):
    for target in ("status/runtimeinfo", "status/buildinfo", "status/config", "status/tsdb"):
        ours, theirs = (ask(base, f"GET {target}").json()["data"] for base in both)
        assert ours.keys() == theirs.keys(), target
        for key, value in ours.items():
            assert type(value) is type(theirs[key]), (target, key, value)
    flags = ask(both[0], "GET status/flags").json()["data"]
    assert flags["query.lookback-delta"] == "5m"
    features = ask(both[0], "GET features").json()["data"]
    assert features["promql_functions"]["rate"] and not features["promql_functions"]["info"]
    assert json.loads(call(both[0], "GET", "/version").body) == ask(both[0], "GET status/buildinfo").json()["data"]


ORIGINS = ("--web.cors.origin=https?://(a|b)[.]example",)
CORS = ("vary", "access-control-allow-origin", "access-control-allow-headers", "access-control-allow-methods", "access-control-expose-headers")


def test_headers_about_origins_and_encodings_are_those_of_prometheus(tmp_path):
    ours = Mayfly(tmp_path, tmp_path / "data", flags=ORIGINS).start().query
    theirs = Prometheus(tmp_path, flags=ORIGINS).url
    for method, target in [("GET", "query?query=1"), ("POST", "labels"), ("GET", "rules"), ("GET", "query"), ("OPTIONS", "query"), ("OPTIONS", "nothing")]:
        for origin in (None, "https://a.example", "https://a.example.org"):
            asked = {"Origin": origin} if origin else {}
            found, expected = (call(base, method, f"/api/v1/{target}", headers=asked) for base in (ours, theirs))
            told = [(answer.status, *(answer.headers.get(name) for name in CORS)) for answer in (found, expected)]
            assert told[0] == told[1], (method, target, origin)
    for encoding, unpack in (("gzip", gzip.decompress), ("deflate", zlib.decompress)):
        for base in (ours, theirs):
            answer = call(base, "GET", "/api/v1/status/flags", headers={"Accept-Encoding": encoding})
            assert answer.headers["content-encoding"] == encoding
            assert json.loads(unpack(answer.body))["status"] == "success"
    # what is small, or of another encoding, is sent as it is
    assert "content-encoding" not in call(ours, "GET", "/api/v1/labels", headers={"Accept-Encoding": "gzip"}).headers
    assert "content-encoding" not in call(ours, "GET", "/api/v1/status/flags", headers={"Accept-Encoding": "br, gzip;q=0"}).headers


def test_federation_adds_external_labels(tmp_path):
    config = tmp_path / "both.yml"
    config.write_text("global: {external_labels: {region: eu, job: none}}\n")
    ours = Mayfly(tmp_path, tmp_path / "data", flags=(f"--config.file={config}",)).start().query
    theirs = Prometheus(tmp_path, config=config, flags=("--web.enable-remote-write-receiver",)).url
    at_ms = int(time.time()) * 1_000
    pages = []
    for base in (ours, theirs):
        answer = remote_write.write(base, [({"__name__": name, **more}, [(at_ms, 1.5)]) for name in ("x", "y") for more in ({"a": "1"}, {"job": "j", "instance": "i"})])
        assert answer.status in (200, 204), answer
        pages.append(call(base, "GET", "/federate?match[]=%7B__name__=~%22x|y%22%7D").text)
    assert pages[0] == pages[1]
    assert 'x{a="1",instance="",job="none",region="eu"} 1.5 ' in pages[0]


def test_metadata_are_what_was_pushed(folder_server):
    text = "# HELP rows_total Rows \"copied\".\n# TYPE rows_total counter\nrows_total 1\n# TYPE took histogram\ntook_bucket{le=\"+Inf\"} 1\ntook_sum 2\ntook_count 1\nbare 3\n"
    assert call(folder_server.gateway, "PUT", "/metrics/job/a", text).status == 200
    found = ask(folder_server.query, "GET metadata").json()["data"]
    assert found["rows_total"] == [{"type": "counter", "help": 'Rows "copied".', "unit": ""}]
    assert found["took"] == [{"type": "histogram", "help": "", "unit": ""}]
    assert found["bare"][0]["type"] == "unknown"
    assert ask(folder_server.query, "GET metadata?metric=took").json()["data"] == {"took": found["took"]}
    assert len(ask(folder_server.query, "GET metadata?limit=2").json()["data"]) == 2
    most = ask(folder_server.query, "GET status/tsdb?limit=1").json()["data"]
    assert most["seriesCountByMetricName"] == [{"name": "bare", "value": 1}]
    assert most["headStats"]["numSeries"] == 7


def test_a_prometheus_takes_our_series_over_by_federation(folder_server, tmp_path):
    gateway, query = folder_server.gateway, folder_server.query
    assert call(gateway, "PUT", "/metrics/job/a/instance/i", 'x{q="1\\n2"} 1.5\ny 2\n').status == 200
    assert call(gateway, "PUT", "/metrics/job/b", "# TYPE z_total counter\nz_total 1e6\n").status == 200
    page = call(query, "GET", "/federate?match[]=x&match[]={job=%22b%22,__name__=~%22z.*%22}")
    assert page.status == 200
    assert page.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"
    lines = page.text.splitlines()
    assert [line.rsplit(" ", 1)[0] for line in lines] == [
        "# TYPE x",
        'x{instance="i",job="a",q="1\\n2"} 1.5',
        "# TYPE z_total",
        'z_total{job="b",instance=""} 1e+06',
    ]
    assert call(query, "GET", "/federate").body == b""
    refused = call(query, "GET", "/federate?match[]=up{")
    assert (refused.status, refused.text) == (400, "1:4: parse error: unexpected end of input inside braces\n")

    scrape = (
        "scrape_configs:\n- job_name: federation\n  honor_labels: true\n  metrics_path: /federate\n"
        "  params: {'match[]': ['{job=~\"a|b\",__name__!~\"push_.*\"}']}\n"
        f"  static_configs: [{{targets: ['{query.removeprefix('http://')}']}}]\n"
    )
    prometheus = Prometheus(tmp_path, scrape)
    ours = instant(query, '{job=~"a|b",__name__!~"push_.*"}')
    assert len(ours) == 3
    until("federated", lambda: instant(prometheus.url, '{job=~"a|b"}') == ours)
    # what carries a time of its own gets no stale marker there; here it is gone at once
    assert call(gateway, "DELETE", "/metrics/job/b").status == 202
    assert call(query, "GET", "/federate?match[]={job=%22b%22}").body == b""
