"""29: the real clients of StatsD and DogStatsD, and the same again after a kill."""

import socket
import time
import urllib.parse

import pytest
import statsd
from datadog.dogstatsd.base import DogStatsd

from harness.http import call, instant
from harness.mayfly import Mayfly
from harness.process import until

FLUSH = "300ms"


@pytest.fixture
def listening(tmp_path):
    """A server that takes packets, and where."""
    flags = ("--statsd.listen-address", "127.0.0.1:0", "--statsd.flush-interval", FLUSH)
    mayfly = Mayfly(tmp_path, tmp_path / "data", flags=flags).start()
    return mayfly, *place(mayfly)


def place(mayfly) -> tuple[str, int]:
    line = next(line for line in mayfly.process.lines if line.startswith("statsd listening on "))
    url = urllib.parse.urlsplit(line.removeprefix("statsd listening on "))
    return url.hostname, url.port


def value(mayfly, query: str) -> float | None:
    found = list(instant(mayfly.query, query).values())
    assert len(found) < 2, found
    return found[0] if found else None


def becomes(mayfly, query: str, expect: float):
    until(query, lambda: value(mayfly, query) == expect)


def own(mayfly) -> dict[str, float]:
    lines = call(mayfly.query, "GET", "/metrics").text.splitlines()
    return {name: float(number) for name, number in (line.rsplit(" ", 1) for line in lines if line.startswith("mayfly_statsd"))}


def test_the_client_of_statsd(listening):
    mayfly, host, port = listening
    client = statsd.StatsClient(host, port, prefix="shop.web")
    client.incr("orders")
    client.incr("orders", 4)
    client.gauge("queue", 7)
    client.gauge("queue", 3, delta=True)
    client.gauge("queue", -4, delta=True)
    client.timing("took", 320)
    client.set("users", "ann")
    client.set("users", "bob")
    with client.pipeline() as pipe:
        pipe.incr("batches", 2)
        pipe.timing("took", 80)
    becomes(mayfly, "shop_web_orders", 5)
    becomes(mayfly, "shop_web_queue", 6)
    becomes(mayfly, "shop_web_users", 2)
    becomes(mayfly, "shop_web_batches", 2)
    becomes(mayfly, "histogram_count(shop_web_took)", 2)
    assert value(mayfly, "histogram_sum(shop_web_took)") == pytest.approx(0.4)
    assert value(mayfly, "histogram_quantile(1, shop_web_took)") == pytest.approx(0.32, rel=0.1)
    # nobody came since
    becomes(mayfly, "shop_web_users", 0)
    # all that was counted shows in functions of counters, the first of it too
    client.incr("orders", 10)
    becomes(mayfly, "increase(shop_web_orders[1h])", 15)
    ((labels, _),) = instant(mayfly.query, "shop_web_orders").items()
    assert dict(labels) == {"__name__": "shop_web_orders", "job": "statsd"}
    groups = call(mayfly.gateway, "GET", "/api/v1/metrics").json()["data"]
    assert [group["labels"] for group in groups] == [{"job": "statsd"}]


def test_the_client_of_dogstatsd(listening):
    mayfly, host, port = listening
    client = DogStatsd(host=host, port=port, constant_tags=["env:prod"], disable_telemetry=True, disable_buffering=True)
    client.increment("page.views", 3, tags=["path:/a,b", "new"])
    client.increment("page.views", 2, tags=["path:/a,b", "new"])
    client.gauge("depth", 12.5)
    client.histogram("size", 10)
    client.distribution("size", 30)
    client.timing("took", 250)
    client.set("visitors", "a:b")
    client.event("deployed", "version 2")
    client.service_check("up", DogStatsd.OK)
    becomes(mayfly, 'sum(page_views{env="prod",new="true"})', 5)
    becomes(mayfly, 'depth{env="prod"}', 12.5)
    becomes(mayfly, "histogram_avg(size)", 20)
    becomes(mayfly, "histogram_sum(took)", 0.25)
    until("ignored", lambda: own(mayfly)['mayfly_statsd_ignored_total{kind="event"}'] == 1)
    assert own(mayfly)['mayfly_statsd_ignored_total{kind="service_check"}'] == 1
    # its buffer packs values of one metric into a line, and lines into packets
    with DogStatsd(host=host, port=port, disable_telemetry=True, disable_buffering=False) as buffered:
        for _ in range(1_000):
            buffered.increment("packed")
            buffered.distribution("packed.size", 2)
    becomes(mayfly, "packed", 1_000)
    becomes(mayfly, "histogram_count(packed_size)", 1_000)
    assert not [name for name in own(mayfly) if "refused" in name]


def test_bad_lines_and_a_restart(listening):
    mayfly, host, port = listening
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"good:1|c\nbad\nworse:x|c\nworst:1|y\n\xff:1|c", (host, port))
        sender.sendto(b"x" * 60_000, (host, port))
        becomes(mayfly, "good", 1)
        until("counted", lambda: sum(number for name, number in own(mayfly).items() if "refused" in name) == 5)
        refused = {name.split('"')[1]: number for name, number in own(mayfly).items() if "refused" in name}
        assert refused == {"name": 2, "value": 1, "type": 1, "utf8": 1}
        # what was flushed is there after a kill; what came last is flushed by a server that is told to stop
        mayfly.restart_after_kill9()
        sender.sendto(b"good:2|c", place(mayfly))
        becomes(mayfly, "good", 3)
        sender.sendto(b"good:4|c", place(mayfly))
        until("taken", lambda: own(mayfly)["mayfly_statsd_lines_total"] == 2)
    assert mayfly.stop() == 0
    mayfly.start()
    assert value(mayfly, "good") == 7


def test_many_packets(listening):
    mayfly, host, port = listening
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for packet in range(200):
            sender.sendto(b"".join(b"many:1|c|#k:%d\n" % (packet % 10) for _ in range(20)), (host, port))
            # as fast as loopback goes is faster than what a socket keeps
            time.sleep(0.001)
    until("all of them", lambda: value(mayfly, "sum(many)") == 4_000)
