"""30: Influx line protocol: the real client of InfluxDB, and the same lines as VictoriaMetrics takes them."""

import gzip
import json
import time

from influxdb_client import InfluxDBClient, Point, WritePrecision
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from harness import PROGRAMS
from harness.http import call, data, instant
from harness.process import Process, free_ports, until

# as Telegraf writes them, and corners; %d is a time in nanoseconds
LINES = [
    "cpu,cpu=cpu-total,host=a usage_user=1.5,usage_idle=98.5 %d",
    "mem,host=a free=123456789i,total=987654321012u,ok=true,swap=f %d",
    "disk,device=sda1,host=a,mode=rw,path=/var/lib\\ x,tag=a\\,b\\=c used_percent=12.25 %d",
    "net-response,host=a result.code=0i,response-time=1e-3 %d",
    "temperature,host=a value=7 %d",
    'procs,host=a running=3i,state="sleeping, \\"deep\\" = 1" %d',
    "neg,host=a v=-1.5e3,i=-5i %d",
    "unié,host=é v=1 %d",
    "with:colon,host=a v=1 %d",
    "own,db=mine,host=a v=1 %d",
]


def values(base: str) -> dict:
    """The last values of all there is, by labels."""
    return instant(base, '{__name__=~".+",host!=""}')


def test_the_same_lines_as_victoriametrics(tmp_path, folder_server):
    (port,) = free_ports(1)
    theirs = f"http://127.0.0.1:{port}"
    command = [PROGRAMS / "victoria-metrics", f"-httpListenAddr=127.0.0.1:{port}", f"-storageDataPath={tmp_path / 'vm'}"]
    # names that Prometheus can have, and no delay before new samples are seen
    command += ["-usePromCompatibleNaming", "-search.latencyOffset=0s"]
    process = Process("victoria-metrics", command, tmp_path / "vm.log")
    process.up("healthy", lambda: call(theirs, "GET", "/health").status == 200)
    now = time.time_ns() // 1_000_000_000 * 1_000_000_000
    body = "".join(line % now + "\n" for line in LINES)
    for base in (theirs, folder_server.gateway):
        answer = call(base, "POST", "/write?db=metrics", body)
        assert (answer.status, answer.text) == (204, "")
    # VictoriaMetrics makes 0 of a text, which Mayfly leaves out
    expected = until("stored", lambda: len(values(theirs)) == 17 and values(theirs))
    texts = {labels: value for labels, value in expected.items() if dict(labels)["__name__"] == "procs_state"}
    assert list(texts.values()) == [0]
    assert values(folder_server.query) == {labels: value for labels, value in expected.items() if labels not in texts}


def test_the_client_of_influxdb(folder_server):
    with InfluxDBClient(url=folder_server.gateway, token="none", org="o") as client:
        assert client.ping()
        assert client.health().status == "pass"
        writer = client.write_api(write_options=SYNCHRONOUS)
        at = int(time.time()) - 60
        point = Point("weather").tag("place", "Zürich, CH").field("temp", 21.5).field("rain", False).field("note", "dry")
        writer.write("bucket", record=[point.time(at, WritePrecision.S)], write_precision=WritePrecision.S)
        writer.write("bucket", record={"measurement": "weather", "tags": {"place": "Bern"}, "fields": {"temp": 19}})
        assert instant(folder_server.query, "weather_temp") == {
            (("__name__", "weather_temp"), ("place", "Bern")): 19,
            (("__name__", "weather_temp"), ("place", "Zürich, CH")): 21.5,
        }
        assert list(instant(folder_server.query, "weather_rain").values()) == [0]
        (series,) = data(folder_server.query, "query", query='weather_temp{place=~"Z.*"}[5m]')["result"]
        assert [float(time) for time, _ in series["values"]] == [at]
        # in batches, compressed
        with InfluxDBClient(url=folder_server.gateway, token="none", org="o", enable_gzip=True) as packed:
            with packed.write_api() as batches:
                for index in range(1_000):
                    batches.write("bucket", record=f"many,index={index % 10} v={index} {time.time_ns()}")
        assert sum(instant(folder_server.query, "many_v").values()) == sum(range(990, 1_000))
        # a client shows what is wrong
        try:
            writer.write("bucket", record=["good v=1", "bad", "worse v=x"])
            raise AssertionError("not refused")
        except ApiException as error:
            told = json.loads(error.body)
            assert error.status == 400 and told["code"] == "invalid"
            assert "unable to parse 'bad': missing fields" in told["message"]
            assert "1 values were stored, and 2 lines or values were not" in told["message"]
    assert list(instant(folder_server.query, "good_v").values()) == [1]


def test_bad_input(folder_server):
    base = folder_server.gateway
    for target, headers, body, status, part in [
        ("/write", {}, b"a", 400, "missing fields"),
        ("/write?precision=d", {}, b"a v=1", 400, "invalid precision"),
        ("/write", {"content-encoding": "gzip"}, b"a v=1", 400, "EOF"),
        ("/write", {"content-encoding": "gzip"}, gzip.compress(b"a v=1\n" * 20_000_000, 1), 413, "inflated_body_bytes_max"),
        ("/write", {"content-encoding": "zstd"}, b"a v=1", 400, "unsupported compression"),
        ("/write", {}, b"a v=1 %d" % (time.time_ns() + 3_600_000_000_000), 400, "too far in the future"),
        ("/api/v2/write", {}, b"\xff\xfe v=1", 400, "not UTF-8"),
        ("/query?q=SELECT+1", {}, b"", 400, "PromQL"),
    ]:
        answer = call(base, "POST", target, body, headers)
        told = answer.json()
        assert answer.status == status and part in (told.get("error") or told["message"]), (target, answer.text)
    assert instant(folder_server.query, '{__name__=~".+_v"}') == {}
    # Telegraf asks for its database first
    form = {"content-type": "application/x-www-form-urlencoded"}
    answer = call(base, "POST", "/query", 'q=CREATE+DATABASE+"telegraf"', form)
    assert (answer.status, answer.json()) == (200, {"results": [{"statement_id": 0}]})
    assert call(folder_server.query, "POST", "/write", "a v=1").status == 404
