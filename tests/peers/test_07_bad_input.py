"""07: bad input is refused with the originals' status and a text that says what is wrong; nothing of it is stored and
the server goes on. Each row goes to the real program as well, so that the table cannot drift from it."""

import gzip

import pytest

from harness.http import api, call, instant
from harness.peers import Prometheus, Pushgateway

PROTOBUF = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
BASE = "/metrics/job/bad"

# name: method, target, headers, body, status, a part of the text
PUSHES = {
    "no value": ("PUT", BASE, {}, b"a\n", 400, "text format parsing error in line 1: expected float as value"),
    "no newline at the end": ("PUT", BASE, {}, b"a 1", 400, "text format parsing error in line 1: unexpected end of input stream"),
    "good line, then a broken one": ("POST", BASE, {}, b"ok 1\nbroken{\n", 400, "text format parsing error in line 2"),
    "windows line ends": ("PUT", BASE, {}, b"a 1\r\n", 400, "expected float as value"),
    "unknown type": ("PUT", BASE, {}, b"# TYPE a nonsense\na 1\n", 400, 'unknown metric type "nonsense"'),
    "JSON": ("PUT", BASE, {"content-type": "application/json"}, b'{"a": 1}\n', 400, "text format parsing error in line 1"),
    "a timestamp": ("PUT", BASE, {}, b"a 1 1700000000000\n", 400, "pushed metrics must not have timestamps"),
    "twice the same series": ("PUT", BASE, {}, b"a 1\na 2\n", 400, "was collected before with the same name and label values"),
    "a reserved label name": ("PUT", BASE, {}, b'a{__x="1"} 1\n', 400, "__x"),
    "odd path": ("PUT", BASE + "/instance", {}, b"a 1\n", 400, 'odd number of components in label string "/instance"'),
    "label name": ("PUT", BASE + "/a-b/c", {}, b"a 1\n", 400, 'improper label name "a-b"'),
    "base64": ("PUT", BASE + "/x@base64/foo.bar", {}, b"a 1\n", 400, 'invalid base64 encoding for label x="foo.bar"'),
    "no job": ("PUT", "/metrics/job@base64/=", {}, b"a 1\n", 400, "job name is required"),
    "path without job": ("PUT", "/metrics/instance/x", {}, b"a 1\n", 404, "404 page not found"),
    "unknown path": ("PUT", "/push/job/bad", {}, b"a 1\n", 404, "404 page not found"),
    "verb": ("PATCH", BASE, {}, b"a 1\n", 405, "Method Not Allowed"),
    "gzip": ("PUT", BASE, {"content-encoding": "gzip"}, b"a 1\n", 400, "EOF"),
    "protobuf cut off": ("PUT", BASE, {"content-type": PROTOBUF}, b"\x28\x0a\x0bbytes", 400, "unexpected EOF"),
}

# name: path below /api/v1, parameters, a part of the text
QUERIES = {
    "unclosed": ("query", {"query": "sum("}, "parse error"),
    "unknown function": ("query", {"query": "frobnicate(up)"}, "unknown function with name"),
    "wrong argument": ("query", {"query": "rate(up)"}, "expected type range vector in call to function"),
    "empty selector": ("query", {"query": '{job=""}'}, "at least one non-empty matcher"),
    "regular expression": ("query", {"query": 'up{job=~"("}'}, "error parsing regexp"),
    "no query": ("query", {}, 'invalid parameter "query"'),
    "time": ("query", {"query": "up", "time": "yesterday"}, 'invalid parameter "time"'),
    "range vector as answer of a range": ("query_range", {"query": "up[5m]", "start": 0, "end": 10, "step": 1}, "invalid expression type"),
    "too many points": ("query_range", {"query": "up", "start": 0, "end": 11001, "step": 1}, "exceeded maximum resolution of 11,000 points"),
    "backwards": ("query_range", {"query": "up", "start": 10, "end": 0, "step": 1}, "end timestamp must not be before start time"),
    "no step": ("query_range", {"query": "up", "start": 0, "end": 10, "step": 0}, "zero or negative query resolution step widths"),
    "series of everything": ("series", {}, "no match[] parameter provided"),
    "series with a broken matcher": ("series", {"match": "up{"}, 'invalid parameter "match[]"'),
}


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("originals")
    pushgateway = Pushgateway(folder)
    prometheus = Prometheus.scraping(folder, pushgateway.url)
    pushgateway.process.shared = prometheus.process.shared = True
    yield pushgateway.url, prometheus.url
    prometheus.process.kill9()
    pushgateway.process.kill9()


@pytest.fixture
def goes_on(folder_server):
    """Around a bad request: what was there stays, nothing is added, and the next good push is taken."""
    gateway, query = folder_server.gateway, folder_server.query
    assert call(gateway, "PUT", "/metrics/job/good", "good 1\n").status == 200
    yield folder_server
    assert list(instant(query, "good").values()) == [1]
    assert instant(query, '{job="bad"}') == {}
    assert 'job="bad"' not in call(gateway, "GET", "/metrics").text
    for base in (gateway, query):
        assert call(base, "GET", "/-/healthy").status == call(base, "GET", "/-/ready").status == 200
    assert call(gateway, "PUT", "/metrics/job/good", "good 2\n").status == 200
    assert list(instant(query, "good").values()) == [2]


def test_bad_pushes(goes_on, originals):
    wrong = []
    for name, (method, target, headers, body, status, part) in PUSHES.items():
        for who, base in (("original", originals[0]), ("mayfly", goes_on.gateway)):
            answer = call(base, method, target, body, headers)
            if answer.status != status or part not in answer.text:
                wrong.append(f"{name}: {who}: {answer.status} {answer.text!r}, expected {status} …{part!r}…")
    assert not wrong, "\n".join(wrong)


def test_bad_queries(goes_on, originals):
    wrong = []
    for name, (path, parameters, part) in QUERIES.items():
        original, ours = (api(base, path, **parameters) for base in (originals[1], goes_on.query))
        assert part in original.json()["error"], (name, original.text)
        fields = ours.json() if ours.headers.get("content-type", "").startswith("application/json") else {}
        same = [fields.get(key) == original.json()[key] for key in ("status", "errorType")]
        if ours.status != original.status or not all(same) or part not in fields["error"]:
            wrong.append(f"{name}: {ours.status} {ours.text}, the original: {original.status} {original.text}")
    assert not wrong, "\n".join(wrong)


def test_errors_of_the_parser_name_the_place(goes_on):
    answer = api(goes_on.query, "query", query="sum(rate(up[5m]) by (job)").json()
    assert answer["error"].startswith('invalid parameter "query": 1:18: parse error: '), answer


def test_a_mistake_at_run_time_is_422(goes_on, originals):
    assert call(goes_on.gateway, "PUT", "/metrics/job/many", 'l{a="1"} 1\nl{a="2"} 1\nr 1\n').status == 200
    answer = api(goes_on.query, "query", query='l * on(job) l')
    assert (answer.status, answer.json()["errorType"]) == (422, "execution"), answer.text
    assert "many-to-many matching not allowed" in answer.json()["error"]


def test_an_unknown_path_of_the_api_is_404(goes_on):
    for target in ("/api/v1/nothing", "/nothing"):
        assert call(goes_on.query, "GET", target).status == 404


def test_a_body_that_is_too_large_is_413(goes_on):
    line = b"a 1\n"
    body = b"#" + b"x" * (128 << 20) + b"\n" + line
    plain = call(goes_on.gateway, "PUT", BASE, body)
    assert plain.status == 413 and "larger than" in plain.text, plain
    # a small body that inflates to a large one
    bomb = gzip.compress(body, 1)
    assert len(bomb) < 1 << 20
    inflated = call(goes_on.gateway, "PUT", BASE, bomb, {"content-encoding": "gzip"})
    assert inflated.status == 413 and "larger than" in inflated.text, inflated


def test_a_deep_or_long_query_is_refused_and_not_suffered(goes_on):
    deep = api(goes_on.query, "query", query="(" * 20_000 + "1" + ")" * 20_000)
    assert deep.status in (400, 414), deep.text
    signs = call(goes_on.query, "POST", "/api/v1/query", "query=" + "-" * 100_000 + "1", {"content-type": "application/x-www-form-urlencoded"})
    assert signs.status == 400, signs.text
