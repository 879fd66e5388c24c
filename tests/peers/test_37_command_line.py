"""37: `mayfly query` says what promtool says, byte for byte, about a server and about a storage without one; and history comes in from
the files that promtool takes, and goes out to it."""

import http.server
import json
import subprocess
import threading
import time

import pytest

from harness import PROGRAMS
from harness.http import call
from harness.mayfly import Mayfly, clean_environment, run_to_end
from harness.peers import Prometheus
from harness.remote_write import Histogram, write

HISTOGRAM = {"count": "10", "sum": "3.5", "buckets": [[1, "-4", "-2", "3"], [3, "-0.001", "0.001", "1"], [0, "1", "2", "2"]]}


def success(data, **more) -> tuple[int, bytes]:
    return 200, json.dumps({"status": "success", "data": data, **more}).encode()


def result(kind: str, found) -> tuple[int, bytes]:
    return success({"resultType": kind, "result": found})


def error(status: int, kind: str, text: str) -> tuple[int, bytes]:
    return status, json.dumps({"status": "error", "errorType": kind, "error": text}).encode()


ERRORS = {
    "bad": error(400, "bad_data", 'invalid parameter "query": 1:1: parse error: "x"'),
    "execution": error(422, "execution", "one\n two"),
    "timeout": error(503, "timeout", "too long"),
    "internal": (500, b"some text\n\n"),
    "absent": (404, b"404 page not found\n"),
    "unauthorized": (401, b"Unauthorized\n"),
    "odd": (304, b""),
    "error-as-success": error(200, "bad_data", "no"),
    "success-as-error": (400, success([])[1]),
}
VALUES = {
    "vector": result(
        "vector",
        [
            {"metric": {"__name__": "up", "job": 'a"<b>&\n\u00e9', "x": "\u2028\u0001\t", "x1": ""}, "value": [1.5, "1e+30"]},
            {"metric": {}, "value": [1435781451.781, "NaN"]},
            {"metric": {"a": "b"}, "value": [1e9, "-Inf"]},
            {"metric": {"__name__": "foo.bar", "a.b": "c"}, "value": [1, "0.1"]},
            {"metric": {"__name__": "h"}, "histogram": [1.25, HISTOGRAM]},
        ],
    ),
    "matrix": result(
        "matrix",
        [
            {"metric": {"__name__": "up", "b": "c"}, "values": [[1, "1"], [2.5, "+Inf"]]},
            {"metric": {"__name__": "up"}, "values": [[1, "1e-7"]], "histograms": [[1.25, HISTOGRAM], [3, {"count": "0", "sum": "0"}]]},
            {"metric": {"__name__": "up", "a": "c"}, "histograms": [[3, HISTOGRAM]]},
            {"metric": {"a": "b"}, "values": [[1, "-0"]]},
        ],
    ),
    "scalar": result("scalar", [1.5, "1e-7"]),
    "nothing": result("vector", []),
    "no-streams": result("matrix", []),
    "partly": success({"resultType": "vector", "result": []}, errorType="timeout", error="partly"),
}
LISTS = {
    "series": success([{"__name__": "up", "a": 'b"<', "a1": "x"}, {"x.y": "1"}, {}]),
    "none": success([]),
}
WORDS = {"words": success(["a", "b<", "c\nd", "\u00e9"]), "warned": success(["a"], warnings=["w1", "w2"]), "none": success([])}


class Canned:
    """A server whose answers are known; `asked` is what it was asked."""

    def __init__(self, answers: dict):
        asked = self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
                kept = {name.lower(): value for name, value in self.headers.items()}
                asked.append((self.command, self.path.split("?")[0], sorted((body or self.path.split("?")[-1]).split("&")), kept))
                status, answer = answers[self.path.split("/")[1]]
                self.send_response(status)
                if status != 304:
                    self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def canned():
    server = Canned(ERRORS | VALUES | LISTS | WORDS)
    yield server
    server.stop()


def promtool(folder, *arguments) -> tuple[int, str, str]:
    command = [PROGRAMS / "promtool", "query", *arguments]
    ended = subprocess.run(command, cwd=folder, env=clean_environment(), capture_output=True, text=True, timeout=60, check=False)
    return ended.returncode, ended.stdout, ended.stderr


def mayfly(folder, *arguments) -> tuple[int, str, str]:
    ended = run_to_end(folder, "query", *arguments)
    return ended.returncode, ended.stdout, ended.stderr


def same(folder, *arguments) -> tuple[int, str, str]:
    """What both say."""
    expected = promtool(folder, *arguments)
    assert mayfly(folder, *arguments) == expected, arguments
    return expected


@pytest.mark.parametrize("form", ["promql", "json"])
def test_what_a_server_answers_is_shown_as_promtool_shows_it(tmp_path, canned, form):
    for name in [*ERRORS, *VALUES]:
        same(tmp_path, "instant", "-o", form, "--time", "5", f"{canned.url}/{name}", "up")
        same(tmp_path, "range", f"--format={form}", "--start=1", "--end=9", f"{canned.url}/{name}", "up")
    for name in [*ERRORS, *LISTS]:
        same(tmp_path, "series", "-o", form, "--match=up", f"{canned.url}/{name}")
    for name in [*ERRORS, *WORDS]:
        same(tmp_path, "labels", "-o", form, f"{canned.url}/{name}", "job")


def test_a_server_is_asked_as_promtool_asks_it(tmp_path, canned):
    questions = [
        ["instant", "--time=-5.25", f"{canned.url}/vector", 'up{a="b é&+"}'],
        ["instant", "--time=2026-01-31T08:00:00.5+01:00", f"{canned.url}/vector/", "up"],
        ["instant", "--time=1", f"{canned.url}/vector?tenant=a", "up"],
        ["range", "--start=5", "--end=4000.5", "--header", "X-Scope=a", "--header=Y=b=c", f"{canned.url}/matrix", "up"],
        ["range", "--start=5", "--end=40", "--step=1m30s", f"{canned.url}/matrix", "up"],
        ["range", "--start=5", "--end=40", "--step=1.5s", f"{canned.url}/matrix", "up"],
        ["range", "--end=1000", f"{canned.url}/matrix", "up"],
        ["series", "--match=up", "--match={a=~'b.*'}", "--start=1", "--end=2.5", f"{canned.url}/series"],
        ["labels", "--match=up", "--start=1", "--end=2.5", f"{canned.url}/words", "job"],
        ["labels", "--start=1", "--end=2.5", f"{canned.url}/words", "a b"],
    ]
    for question in questions:
        same(tmp_path, *question)
        theirs, ours = canned.asked[-2], canned.asked[-1]
        # they repeat in the form what stands in the URL
        assert ours[:2] == theirs[:2] and set(ours[2]) <= set(theirs[2]), question
        for header in ("x-scope", "y", "content-type", "authorization"):
            assert ours[3].get(header) == theirs[3].get(header), (question, header)


def test_who_asks_stands_in_a_file_or_in_the_url(tmp_path, canned):
    (tmp_path / "secret").write_text("s3cret\n")
    files = [
        "basic_auth: {username: me, password_file: secret}",
        "authorization: {type: Token, credentials: abc}",
        "bearer_token: abc",
    ]
    for text in files:
        (tmp_path / "client.yml").write_text(text)
        same(tmp_path, "instant", "--http.config.file=client.yml", "--time=1", f"{canned.url}/vector", "up")
        assert canned.asked[-1][3]["authorization"] == canned.asked[-2][3]["authorization"]
    same(tmp_path, "instant", "--time=1", f"{canned.url.replace('//', '//me:p%40ss@')}/vector", "up")
    assert canned.asked[-1][3]["authorization"] == canned.asked[-2][3]["authorization"]


def test_defaults_of_times_are_those_of_promtool(tmp_path, canned):
    def numbers(question) -> dict:
        pairs = (pair.split("=") for pair in question[2])
        return {name: float(value) for name, value in pairs if name in ("time", "start", "end", "step")}

    for arguments in (
        ["instant", f"{canned.url}/vector", "up"],
        ["range", f"{canned.url}/matrix", "up"],
        ["range", "--start", str(time.time() - 5000), f"{canned.url}/matrix", "up"],
        ["series", "--match=up", f"{canned.url}/series"],
        ["labels", f"{canned.url}/words", "job"],
    ):
        same(tmp_path, *arguments)
        theirs, ours = numbers(canned.asked[-2]), numbers(canned.asked[-1])
        assert ours == pytest.approx(theirs, abs=10, rel=0), arguments


def test_mistakes_are_told_as_promtool_tells_them(tmp_path, canned):
    url = f"{canned.url}/vector"
    for arguments in (
        ["instant", "--time=yesterday", url, "up"],
        ["instant", "--time=2026-01-31T08:00:00", url, "up"],
        ["range", "--start=yesterday", url, "up"],
        ["range", "--end=yesterday", url, "up"],
        ["range", "--start=5", "--end=5", url, "up"],
        ["series", "--match=up", "--start=x", url],
        ["series", "--match=up", "--end=x", url],
        ["labels", "--start=x", url, "job"],
        ["labels", "--end=x", url, "job"],
        ["instant", "http://127.0.0.1:1", "up"],
        ["labels", "http://127.0.0.1:1", "--start=1", "--end=2", "job"],
    ):
        code, out, err = same(tmp_path, *arguments)
        assert (code, out) == (1, "") and err, arguments
    for arguments in (["instant", url], ["series", url], ["range", "--step=5", url, "up"], ["instant", "-o", "xml", url, "up"]):
        code, out, err = mayfly(tmp_path, *arguments)
        assert promtool(tmp_path, *arguments)[0] == 1 and code != 0 and out == "" and err, arguments


QUESTIONS = [
    ["instant", "--time={now}", "up"],
    ["instant", "--time={now}", "sum by (job) (up)"],
    ["instant", "--time={now}", "h"],
    ["instant", "--time={now}", "up[2m]"],
    ["instant", "--time={now}", "h[2m]"],
    ["instant", "--time={now}", "{{__name__=~'up|h'}}[5m]"],
    ["instant", "--time={now}", "scalar(sum(up)) / 3"],
    ["instant", "--time={now}", "nothing"],
    ["instant", "--time={now}", "rate("],
    ["instant", "--time={now}", "up * on() up"],
    ["instant", "--time={now}", "label_replace(up, 'x', 'y', 'job', '(')"],
    ["range", "--start={start}", "--end={now}", "--step=1m", "up"],
    ["range", "--start={start}", "--end={now}", "--step=45s", "h"],
    ["range", "--start={start}", "--end={now}", "rate(up[2m])"],
    ["range", "--start={start}", "--end={now}", "sum("],
    ["range", "--start=1", "--end={now}", "--step=1s", "up"],
    ["series", "--match=up", "--start={start}", "--end={now}"],
    ["series", "--match=up", "--match=h"],
    ["series", "--match={{job=~'a.*'}}", "--start={start}"],
    ["series", "--match=up{{"],
    ["labels", "job"],
    ["labels", "--match=up", "path"],
    ["labels", "--match=up{{", "job"],
    ["labels", "nothing"],
]


def test_about_prometheus_mayfly_and_a_storage_without_any_server_they_say_the_same(tmp_path, folder_server):
    prometheus = Prometheus(tmp_path, flags=("--web.enable-remote-write-receiver", "--enable-feature=native-histograms"))
    now = int(time.time())
    start = now - 300
    times = [start + 30 * n for n in range(11)]
    floats = [[(at * 1000 + 250, (index + 1) * n * 0.1) for n, at in enumerate(times)] for index in range(3)]
    histograms = [Histogram(n * 1.5, {0: n, 3: 1.5}, {1: 2}, zero_count=1, zero_threshold=0.001).encode(at * 1000) for n, at in enumerate(times)]
    series = [
        ({"__name__": "up", "job": "a", "path": 'C:\\"x"\n<é>'}, floats[0]),
        ({"__name__": "up", "job": "b", "http.status": "200"}, floats[1]),
        ({"__name__": "up", "job": "ab"}, floats[2]),
        ({"__name__": "h", "job": "a"}, histograms),
    ]
    for base in (prometheus.url, folder_server.query):
        assert write(base, series).status in (200, 204)

    def asked(question: list, *more) -> list:
        question = [part.format(now=now, start=start) for part in question]
        kind, rest, word = question[0], question[1:], []
        if kind != "series":
            rest, word = question[1:-1], question[-1:]
        return [kind, *rest, *more, *word]

    expected = {}
    for form in ("promql", "json"):
        for index, question in enumerate(QUESTIONS):
            same(tmp_path, *asked(question, "-o", form, prometheus.url))
            expected[form, index] = same(tmp_path, *asked(question, "-o", form, folder_server.query))
    assert expected["promql", 0][1].count(" => ") == 3 and "Count: " in expected["promql", 2][1]
    folder_server.stop()
    storage = tmp_path / "data"

    def files() -> dict:
        # its own folder has the locks of who has it open
        found = (path for path in storage.rglob("*") if ".mayfly" not in path.parts)
        return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in found}

    before = files()
    for (form, index), told in expected.items():
        found = mayfly(tmp_path, *asked(QUESTIONS[index], "-o", form, "--storage", str(storage)))
        assert found == told, QUESTIONS[index]
    assert files() == before, "to ask changes nothing"


def test_a_storage_on_s3_is_asked_without_a_server(tmp_path, seaweedfs, s3_url):
    server = Mayfly(tmp_path, s3_url, env=seaweedfs.env, flags=seaweedfs.flags).start()
    at = int(time.time()) - 10
    assert write(server.query, [({"__name__": "rows", "job": "a"}, [(at * 1000, 42.0)])]).status in (200, 204)
    assert server.stop() == 0
    flags = ["--storage", s3_url, *seaweedfs.flags, f"--time={at}"]
    ended = run_to_end(tmp_path, "query", "instant", *flags, "rows + 1", **seaweedfs.env)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f'{{job="a"}} => 43 @[{at}]\n', "")


def blocks(folder, file, *flags) -> Prometheus:
    """A Prometheus on the blocks that promtool makes of a file."""
    made = [PROGRAMS / "promtool", "tsdb", "create-blocks-from", "openmetrics", "-q", *flags, file, folder / "tsdb"]
    ended = subprocess.run(made, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, ""), ended
    return Prometheus(folder)


def by_series(text: str) -> list:
    return sorted(json.loads(text), key=lambda series: sorted(series["metric"].items()))


def both(folder, prometheus: Prometheus, storage, question: list) -> list:
    """What both say, in the order of series."""
    kind, *rest, expression = question
    code, theirs, err = promtool(folder, kind, *rest, "-o", "json", prometheus.url, expression)
    assert code == 0, err
    code, ours, err = mayfly(folder, kind, *rest, "-o", "json", "--storage", str(storage), expression)
    assert code == 0, err
    assert by_series(ours) == by_series(theirs), question
    return by_series(ours)


HISTORY = """\
# HELP a_seconds How \\"long\\".
# TYPE a_seconds counter
# UNIT a_seconds seconds
a_seconds_total{{x="q\\"\\\\\\n é"}} 1 {0}.781 # {{trace_id="x"}} 0.5 {0}
a_seconds_total{{x="q\\"\\\\\\n é"}} 2.5 {1}.004
a_seconds_created{{x="q\\"\\\\\\n é"}} {0} {1}.004
# TYPE h histogram
h_bucket{{le="1"}} 1 {0}
h_bucket{{le="+Inf"}} 2 {0}
h_bucket{{le="1"}} 3 {1}
h_count 2 {0}
h_sum 1e+06 {0}
# TYPE s summary
s{{quantile="0.50"}} 0.25 {0}
s_sum 1 {0}
# TYPE info info
info_info{{version="1",empty="",source="own"}} 1 {0}
# TYPE state stateset
state{{state="on"}} 1 {0}
# TYPE g gauge
g NaN {0}
g -Inf {1}.5
# TYPE u unknown
u{{le="1"}} 1e-300 {0}
# TYPE g gauge
g{{again="1"}} +Inf {0}
{{"foo.bar","a.b"="c"}} 7 {0}
# EOF
"""


def test_a_file_that_promtool_takes_is_imported_to_the_same_samples(tmp_path):
    at = int(time.time()) - 1000
    file = tmp_path / "history.om"
    file.write_text(HISTORY.format(at, at + 15))
    (tmp_path / "data").mkdir()
    flags = ["--label=source=old", "--label=site=b"]
    ended = run_to_end(tmp_path, "import", "openmetrics", *flags, "--storage=data", file)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "imported 17 samples, 1 exemplars and what is told of 7 families\n"
    prometheus = blocks(tmp_path, file, *flags)
    found = both(tmp_path, prometheus, tmp_path / "data", ["instant", f"--time={at + 60}", '{__name__=~".+"}[5m]'])
    assert sum(len(series["values"]) for series in found) == 17
    # what one refuses, the other refuses too
    for text in (f"a 1 {at}\n", f"a 1\n# EOF\n", f"a 1 {at}\n\n# EOF\n", f"a x {at}\n# EOF\n", f"# a\na 1 {at}\n# EOF\n"):
        file.write_text(text)
        made = [PROGRAMS / "promtool", "tsdb", "create-blocks-from", "openmetrics", file, tmp_path / "none"]
        assert subprocess.run(made, capture_output=True, timeout=60, check=False).returncode == 1, text
        ended = run_to_end(tmp_path, "import", "openmetrics", "--storage=data", file)
        assert (ended.returncode, ended.stdout) == (1, "") and f"{file}:" in ended.stderr, text


def test_what_is_exported_is_history_to_a_real_prometheus(tmp_path, folder_server):
    now = int(time.time())
    start = now - 3 * 3600
    times = [start + 60 * n for n in range(170)]
    series = []
    for index in range(20):
        labels = {"__name__": "rows_total", "job": f"j{index % 3}", "n": str(index), "x.y": 'q"\\\n é'}
        series.append((labels, [(at * 1000 + 7 * index, 0.1 * n * index) for n, at in enumerate(times)]))
    series.append(({"__name__": "foo.bar"}, [(at * 1000, float(at % 97)) for at in times]))
    assert write(folder_server.query, series).status in (200, 204)
    assert call(folder_server.gateway, "PUT", "/metrics/job/pushed", "# TYPE rows gauge\nrows 42\n").status == 200
    folder_server.stop()
    storage, end = tmp_path / "data", now + 600
    ended = run_to_end(tmp_path, "export", "--storage", storage, f"--end={end}", "--pushed=scraped")
    assert ended.returncode == 0, ended.stderr
    file = tmp_path / "exported.om"
    file.write_text(ended.stdout)
    prometheus = blocks(tmp_path, file)
    questions = [
        ["instant", f"--time={now}", '{__name__=~"rows_total|foo.bar"}[4h]'],
        ["range", f"--start={start}", f"--end={now}", "--step=77s", "sum by (job) (rate(rows_total[5m]))"],
        ["range", f"--start={start}", f"--end={now}", "--step=77s", '{"foo.bar"} > 50'],
        ["range", f"--start={now + 60}", f"--end={end}", "--step=30s", 'rows{job="pushed"}'],
        ["range", f"--start={now + 120}", f"--end={end}", "--step=30s", 'count_over_time(rows{job="pushed"}[1m])'],
    ]
    for question in questions:
        assert both(tmp_path, prometheus, storage, question), question
    # and it comes back as it went out
    (tmp_path / "again").mkdir()
    ended = run_to_end(tmp_path, "import", "openmetrics", "--storage=again", file)
    assert ended.returncode == 0, ended.stderr
    for question in questions:
        both(tmp_path, prometheus, tmp_path / "again", question)
