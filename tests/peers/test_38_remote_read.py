"""38: remote read. A real Prometheus that reads from Mayfly answers like one that has the samples itself, and like Mayfly about what was
pushed; and Mayfly's answers are those of the real one, byte for byte where the same samples are in the same chunks."""

import random
import socket
import time
from urllib.parse import urlencode, urlsplit

import promql_native
import pytest
from test_15_promql import difference_of_data

from harness import remote_read, remote_write
from harness.http import api, call, instant
from harness.mayfly import LambdaUrl, Mayfly
from harness.peers import Prometheus
from harness.protobuf import double, message, number, varint
from harness.remote_read import CHUNKS, REGEX, SAMPLES, matcher, query, snappy
from harness.remote_write import GAUGE, RESET, STALE, UNKNOWN, Histogram, sample, zigzag

RECEIVER = ("--web.enable-remote-write-receiver", "--enable-feature=native-histograms", "--storage.tsdb.retention.time=10y")
EXTERNAL = "{region: eu, replica: a}"


def mayfly(folder, *flags) -> Mayfly:
    config = folder / "mayfly.yml"
    config.write_text("global: {external_labels: %s}\n" % EXTERNAL)
    return Mayfly(folder, folder / "data", flags=(f"--config.file={config}", *flags)).start()


def prometheus(folder, *flags) -> Prometheus:
    """One that has the samples itself."""
    config = folder / "theirs.yml"
    config.write_text("global: {external_labels: %s}\n" % EXTERNAL)
    return Prometheus(folder, config=config, flags=(*RECEIVER, *flags), name="theirs")


def reader(folder, url: str, name: str, more: str = "") -> Prometheus:
    """One that has nothing, and reads from somebody."""
    (folder / name).mkdir()
    config = f"remote_read: [{{url: '{url}/api/v1/read', read_recent: true{more}}}]\n"
    flags = ("--enable-feature=native-histograms,promql-experimental-functions",)
    return Prometheus(folder / name, config, flags=flags, name=name)


def write(urls: list, series: list):
    for url in urls:
        answer = remote_write.write(url, series)
        assert answer.status in (200, 204), f"{answer.status} {answer.text}"


def ask(url: str, asked: dict, **more) -> dict:
    answer = api(url, "query" if "time" in asked else "query_range", **asked, **more).json()
    # the order of remarks and of series is not what is compared
    result = answer.get("data", {}).get("result", [])
    if isinstance(result, list) and result and isinstance(result[0], dict):
        answer["data"]["result"] = sorted(result, key=lambda row: sorted(row["metric"].items()))
    return answer["data"] if answer["status"] == "success" else answer


def differ(found: dict, expected: dict) -> bool:
    """Sums may end in other digits: Prometheus adds series in the order in which it has them."""
    if "resultType" in found and "resultType" in expected:
        return difference_of_data(found, expected) is not None
    return found != expected


@pytest.mark.parametrize("seed", [1, 2])
def test_a_prometheus_that_reads_answers_like_one_that_has_the_samples(tmp_path, seed):
    start = (int(time.time()) - 4 * 3600) // 10_200 * 10_200
    theirs = Prometheus(tmp_path, flags=(*RECEIVER, "--enable-feature=promql-experimental-functions"))
    ours = Mayfly(tmp_path, tmp_path / "data").start().query
    reading = reader(tmp_path, ours, "reading")
    for series in promql_native.Data(seed, start * 1_000).requests():
        write([ours, theirs.url], series)
    rng, queries = random.Random(seed), promql_native.Queries(seed)
    wrong, with_values = [], 0
    for index in range(300):
        at = start + rng.randrange(-60, promql_native.LENGTH_MS // 1_000 + 400)
        step = rng.choice([13, 30, 60])
        text = queries.query()
        while "topk" in text or "bottomk" in text:
            # where values tie, the first in Prometheus' own order counts
            text = queries.query()
        asked = {"query": text}
        asked |= {"time": at} if index % 2 == 0 else {"start": at, "end": at + step * rng.randrange(20), "step": step}
        found, expected = ask(reading.url, asked), ask(theirs.url, asked)
        if differ(found, expected):
            # 3.5.3 reuses memory of histograms that is still in use: what differs is asked again of processes that have answered nothing
            reading.restart()
            theirs.restart()
            found, expected = ask(reading.url, asked), ask(theirs.url, asked)
        with_values += bool(expected.get("result"))
        if differ(found, expected):
            wrong.append(f"{asked}\n  reading {found}\n  having  {expected}")
    assert not wrong, f"{len(wrong)} differ\n" + "\n".join(wrong[:5])
    assert with_values > 150


PUSHED = [
    "rows",
    "sum by (job) (rows)",
    "count_over_time(rows[2m])",
    "avg_over_time(rows[5m])",
    "rate(calls_total[1m])",
    "increase(calls_total[5m])",
    "timestamp(rows)",
    "changes(rows[3m])",
    "absent(rows{job='gone'})",
    "last_over_time(rows{job='gone'}[5m])",
    "push_time_seconds",
]


def test_what_was_pushed_is_read_as_scraped(tmp_path):
    ours = mayfly(tmp_path)
    reading = reader(tmp_path, ours.query, "reading")

    def push(group: str, body: str, method: str = "PUT"):
        answer = call(ours.gateway, method, f"/metrics/{group}", body)
        assert answer.status in (200, 202), answer

    push("job/a", "rows 1\n# TYPE calls_total counter\ncalls_total 5\n")
    push("job/gone", "rows 3\n")
    time.sleep(16)
    push("job/a", "rows 2\n# TYPE calls_total counter\ncalls_total 9\n")
    push("job/gone", "", "DELETE")
    time.sleep(16)
    now = int(time.time())
    wrong = []
    for text in PUSHED:
        for asked in ({"time": now}, {"time": now - 17}, {"start": now - 60, "end": now, "step": 1}):
            asked |= {"query": text}
            found, expected = ask(reading.url, asked), ask(ours.query, asked, as_scraped="15s")
            for row in found.get("result", []):
                # an aggregation leaves out the labels that the server adds, a selector does not
                assert "region" not in row["metric"] or row["metric"]["region"] == "eu", row
                [row["metric"].pop(name, None) for name in ("region", "replica")]
            if found != expected:
                wrong.append(f"{asked}\n  reading {found}\n  ours    {expected}")
    assert not wrong, "\n".join(wrong[:5])
    assert instant(reading.url, "count(rows)", now) == {(): 1.0}
    assert instant(reading.url, "count(last_over_time(rows[5m]))", now) == {(): 2.0}


def test_required_matchers_and_what_is_asked_about_series(tmp_path):
    ours = Mayfly(tmp_path, tmp_path / "data").start().query
    now = int(time.time())
    points = [((now - 60 + 15 * i) * 1_000, float(i)) for i in range(5)]
    write([ours], [({"__name__": "x", "job": job}, points) for job in "abc"])
    requiring = reader(tmp_path, ours, "requiring", ", required_matchers: {job: a}")
    reading = reader(tmp_path, ours, "reading")
    for url, expected in ((reading.url, "abc"), (requiring.url, "")):
        assert sorted(dict(key)["job"] for key in instant(url, "x", now)) == list(expected)
    assert instant(requiring.url, 'x{job="a"}', now) == {(("__name__", "x"), ("job", "a")): 4.0}
    series = api(reading.url, "series", match="x", start=now - 60, end=now).json()["data"]
    assert [row["job"] for row in series] == ["a", "b", "c"]


def whole(at_ms: int, counts: list, total: float, offset: int = 0, hint: int = UNKNOWN, bounds: tuple = ()) -> bytes:
    """A native histogram of whole numbers: positive buckets that follow each other, and a negative one as large as the first."""
    deltas = [after - before for before, after in zip([0, *counts], counts)]
    packed = b"".join(varint(zigzag(delta)) for delta in deltas)
    span = [number(1, zigzag(offset)), number(2, len(counts))]
    positive = [message(11, *span), message(12, packed)]
    if bounds:
        head = [number(1, sum(counts)), double(3, total), number(4, zigzag(-53)), number(6, 0)]
        tail = [number(15, at_ms), message(16, remote_write.doubles(bounds))]
        return message(4, *head, *positive, *tail)
    head = [number(1, sum(counts) + counts[0] + 2), double(3, total), number(4, zigzag(1)), double(5, 2.0**-128), number(6, 2)]
    negative = [message(8, number(1, zigzag(-1)), number(2, 1)), message(9, varint(zigzag(counts[0])))]
    return message(4, *head, *negative, *positive, number(14, hint), number(15, at_ms))




def one_chunk_each(start_ms: int) -> list:
    """Series whose samples Prometheus has in the chunks in which Mayfly sends them."""
    rng = random.Random(7)
    times = [start_ms + 15_000 * i for i in range(100)]
    jitter = [at_ms + rng.randrange(-3_000, 3_000) for at_ms in times[1:]]

    def named(name: str, points: list) -> tuple:
        return {"__name__": name, "job": "a", "größe": "x"}, points

    grown, histograms, floating, gauges, custom, wider = 0, [], [], [], [], []
    for index, at_ms in enumerate(times):
        grown += rng.randrange(1, 50)
        histograms.append(whole(at_ms, [grown, 2 * grown, grown + 7], 1.5 * grown))
        # a bucket more from the middle on, at either end
        buckets = [grown, 2 * grown] if index < 50 else [index, grown, 2 * grown, index]
        wider.append(whole(at_ms, buckets, 1.5 * grown, 0 if index < 50 else -1))
        custom.append(whole(at_ms, [grown, grown + 3, grown], grown / 4, bounds=(0.005, 0.1, 1 / 3)))
        floating.append(Histogram(2.5 * grown, {0: grown / 4, 2: grown / 2 + 0.1}, {0: 0.5}, 3, 0.25, 0.001).encode(at_ms))
        sizes = {index: rng.randrange(1, 99) / 4 + 0.1 for index in rng.sample(range(-3, 5), 4)}
        gauges.append(Histogram(rng.randrange(-99, 99) / 8, sizes, schema=1, hint=GAUGE).encode(at_ms))
    # a zero below zero is not here: Go leaves it out of a sample, as it does zero, and Mayfly does not
    odd = [0.0, 1e300, -1e-300, float("inf"), float("-inf"), float("nan"), 5e-324, 1 / 3, STALE]
    return [
        named("constant", [sample(at_ms, 5.0) for at_ms in times]),
        named("counter", [sample(at_ms, float(7 * index)) for index, at_ms in enumerate(times)]),
        named("custom", custom),
        # one of floats is full after so many
        named("floating", floating[:10]),
        named("gauge", [sample(at_ms, rng.randrange(-900, 900) / 16) for at_ms in jitter]),
        named("gauge_histograms", gauges[:10]),
        named("histograms", histograms),
        named("noise", [sample(at_ms, rng.random()) for at_ms in jitter]),
        named("odd", [sample(at_ms, rng.choice(odd)) for at_ms in times]),
        named("one", [sample(start_ms, 1.0)]),
        named("resets", histograms[:40] + [whole(times[40], [1, 2, 3], 1.0), whole(times[41], [5, 5, 5], 2.0)]),
        named("stale", [sample(at_ms, None if index % 7 == 6 else float(index)) for index, at_ms in enumerate(times)]),
        named("stale_histograms", histograms[:20] + [sample(times[20], None)] + histograms[21:23]),
        named("wider", wider),
    ]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Both with the same samples, and the same external labels."""
    folder = tmp_path_factory.mktemp("pair")
    ours, theirs = mayfly(folder), prometheus(folder)
    start_ms = (int(time.time()) // 7_200 - 2) * 7_200_000
    for labels, points in one_chunk_each(start_ms):
        # in the order of time also where floats and histograms take turns, which one request does not keep
        rest = list(points)
        while rest:
            kind = rest[0][0]
            alike = next((index for index, point in enumerate(rest) if point[0] != kind), len(rest))
            write([ours.query, theirs.url], [(labels, rest[:alike])])
            rest = rest[alike:]
    for process in (ours.process, theirs.process):
        process.shared = True
    yield ours.query, theirs.url, start_ms
    for process in (ours.process, theirs.process):
        process.stop()


def as_known(field: tuple) -> tuple:
    """A field of a series without what 3.5 forgets of a histogram and 3.14 does not: a reset, and custom bounds."""
    tag, value = field
    return (tag, [part for part in remote_read.fields(value) if part != (14, RESET) and part[0] != 16]) if tag == 4 else field


def unknown_reset(chunk: tuple) -> tuple:
    """The same of a chunk."""
    first, last, encoding, data = chunk
    return (first, last, encoding, data[:2] + b"\0" + data[3:]) if encoding > 1 and data[2] == 0x80 else chunk


def test_both_forms_are_those_of_prometheus_to_the_byte(pair):
    ours, theirs, start_ms = pair
    end_ms = start_ms + 7_200_000
    everything = query(start_ms, end_ms, matcher("__name__", ".+", REGEX))
    in_samples = [remote_read.samples(remote_read.read(base, everything)) for base in (ours, theirs)]
    in_frames = [remote_read.frames(remote_read.read(base, everything, accepted=(CHUNKS, SAMPLES))) for base in (ours, theirs)]
    assert len(in_samples[1][0]) == len(in_frames[1]) == 14
    wrong = []
    for found, expected in zip(in_samples[0][0], in_samples[1][0], strict=True):
        if found == expected:
            continue
        pairs = list(zip(remote_read.fields(found), map(as_known, remote_read.fields(expected)), strict=True))
        at = [(index, a, b) for index, (a, b) in enumerate(pairs) if a != b and as_known(a) != b]
        wrong += [(remote_read.labels(expected), "as samples", at[:1])] if at else []
    for (_, found), (_, expected) in zip(*in_frames, strict=True):
        pairs = list(zip(remote_read.chunks(found), remote_read.chunks(expected), strict=True))
        at = [(index, a, b) for index, (a, b) in enumerate(pairs) if a != b and unknown_reset(a) != b]
        wrong += [(remote_read.labels(expected), "as chunks", at[:1])] if at else []
    assert not wrong, "\n".join(map(str, wrong))


def test_times_matchers_and_several_queries(pair):
    ours, theirs, start_ms = pair
    name = matcher("__name__", "counter")
    asked = [
        [query(start_ms + 15_000, start_ms + 30_000, name)],
        [query(start_ms + 15_001, start_ms + 29_999, name)],
        [query(start_ms + 30_000, start_ms + 15_000, name)],
        [query(start_ms, start_ms + 60_000, name, matcher("region", "eu"))],
        [query(start_ms, start_ms + 60_000, name, matcher("region", "us"))],
        [query(start_ms, start_ms + 60_000, name, matcher("region", "e.", REGEX))],
        [query(start_ms, start_ms + 60_000, name, matcher("job", "b", remote_read.NOT_EQUAL))],
        [query(start_ms, start_ms + 60_000, name, matcher("job", "a|b", remote_read.NOT_REGEX))],
        [query(start_ms, start_ms, name), query(0, 1, name), query(start_ms, start_ms + 99_000, matcher("__name__", "one|odd", REGEX))],
    ]
    for queries in asked:
        for accepted in ((), (SAMPLES,), (7, SAMPLES), (CHUNKS,), (SAMPLES, CHUNKS)):
            found, expected = (remote_read.read(base, *queries, accepted=accepted) for base in (ours, theirs))
            if accepted == (CHUNKS,):
                assert remote_read.frames(found) == remote_read.frames(expected), (queries, accepted)
            else:
                # a series of which no sample lies in the time is left out
                expected = [[series for series in result if any(tag > 1 for tag, _ in remote_read.fields(series))] for result in remote_read.samples(expected)]
                assert remote_read.samples(found) == expected, (queries, accepted)


def test_bad_requests_are_refused_as_prometheus_refuses_them(pair):
    ours, theirs, start_ms = pair
    name = matcher("__name__", "counter")
    good = query(start_ms, start_ms + 1, name)
    bodies = {
        "nothing": b"",
        "no Snappy": b"hello",
        "Snappy that ends": snappy(b"hello" * 9)[:-1],
        "a message that ends": snappy(b"\x0a\xff"),
        "no queries": snappy(b""),
        "no queries, as chunks": snappy(number(2, 1)),
        "an unknown kind of matcher": snappy(query(0, 1, matcher("a", "b", 7))),
        "the same as chunks": snappy(query(0, 1, matcher("a", "b", 7)) + number(2, 1)),
        "a bad expression": snappy(query(0, 1, matcher("a", "(", REGEX))),
        "an unknown form": snappy(good + number(2, 5) + number(2, 9)),
        "fields that nobody knows": snappy(good + message(99, b"x")),
    }
    for what, body in bodies.items():
        found, expected = (remote_read.post(base, body) for base in (ours, theirs))
        told = [(answer.status, answer.headers.get("content-type"), answer.body) for answer in (found, expected)]
        assert told[0] == told[1], what
    wrong_kind = remote_read.post(ours, snappy(b"\x08\x01"))
    assert (wrong_kind.status, wrong_kind.text) == (400, "proto: wrong wireType for field Queries\n")
    for method in ("GET", "PUT", "DELETE"):
        found, expected = (remote_read.post(base, b"", method) for base in (ours, theirs))
        assert (found.status, found.body) == (expected.status, expected.body) == (405, b"Method Not Allowed\n")
    bomb = snappy(b"\0" * (33 << 20))
    assert remote_read.post(ours, bomb).status == 400
    assert remote_read.post(ours, b"\0" * (33 << 20)).status in (400, 413)


def test_limits(tmp_path):
    limits = ("--storage.remote.read-sample-limit=9", "--storage.remote.read-max-bytes-in-frame=100", "--storage.remote.read-concurrent-limit=1")
    ours, theirs = mayfly(tmp_path, *limits), prometheus(tmp_path, *limits)
    start_ms = (int(time.time()) // 7_200 - 2) * 7_200_000
    rng = random.Random(3)
    points = [(start_ms + 15_000 * index, rng.random()) for index in range(240)]
    write([ours.query, theirs.url], [({"__name__": "x"}, points)])
    for end, status in ((8, 200), (9, 400)):
        asked = query(start_ms, start_ms + 15_000 * end, matcher("__name__", "x"))
        found, expected = (remote_read.read(base, asked) for base in (ours.query, theirs.url))
        assert (found.status, found.body) == (expected.status, expected.body)
        assert found.status == status
    # each of the two queries has as many as one may have
    asked = query(start_ms, start_ms + 15_000 * 8, matcher("__name__", "x"))
    assert remote_read.read(ours.query, asked, asked).status == 200
    asked = query(start_ms, start_ms + 7_200_000, matcher("__name__", "x"))
    found, expected = (remote_read.frames(remote_read.read(base, asked, accepted=(CHUNKS,))) for base in (ours.query, theirs.url))
    assert found == expected
    assert len(found) == 2


def test_a_client_that_goes_away_frees_its_place(tmp_path):
    ours = mayfly(tmp_path, "--storage.remote.read-concurrent-limit=1").query
    now_ms = int(time.time()) * 1_000
    rng = random.Random(5)
    for batch in range(20):
        series = [({"__name__": "x", "n": f"{batch}-{n}"}, [(now_ms - 15_000 * (200 - i), rng.random()) for i in range(200)]) for n in range(100)]
        write([ours], series)
    body = snappy(query(0, now_ms, matcher("__name__", "x")) + number(2, CHUNKS))
    place = urlsplit(ours)
    head = f"POST /api/v1/read HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    for read_bytes in (0, 1_000, 100_000):
        with socket.create_connection((place.hostname, place.port)) as connection:
            connection.sendall(head + body)
            while read_bytes > 0:
                read_bytes -= len(connection.recv(min(read_bytes, 65_536)))
    answer = remote_read.read(ours, query(0, now_ms, matcher("__name__", "x")), accepted=(CHUNKS,))
    assert len(remote_read.frames(answer)) == 2_000
    assert call(ours, "GET", f"/api/v1/query?{urlencode({'query': 'count(x)'})}").status == 200


def test_the_query_function_answers_the_same(tmp_path, seaweedfs, s3_url, s3_server):
    now = int(time.time())
    series = [({"__name__": "x", "job": job}, [((now - 60 + 15 * i) * 1_000, i / 3) for i in range(5)]) for job in "abc"]
    write([s3_server.query], series)
    variables = seaweedfs.env | {"MAYFLY_STORAGE": s3_url, "MAYFLY_S3_ENDPOINT": seaweedfs.endpoint}
    function = LambdaUrl(tmp_path, "query", variables)
    for form in (SAMPLES, CHUNKS):
        asked = query((now - 60) * 1_000, now * 1_000, matcher("__name__", "x"))
        found, expected = (remote_read.read(base, asked, accepted=(form,)) for base in (function.url, s3_server.query))
        assert (found.status, found.body, found.headers["content-type"]) == (200, expected.body, expected.headers["content-type"])
    bad = remote_read.post(function.url, b"x")
    assert (bad.status, bad.text) == (400, "snappy: corrupt input\n")
    function.stop()
