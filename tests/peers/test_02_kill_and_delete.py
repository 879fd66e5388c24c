"""02 and 03: nothing that was answered 2xx is lost by a kill -9, on a folder and on S3; a deleted group is gone now
and still there for queries about the time before."""

import time

import pytest
from prometheus_client import CollectorRegistry, Gauge, delete_from_gateway, push_to_gateway

from harness.http import call, instant
from harness.mayfly import Mayfly
from harness.peers import Promtool

EMPTY: dict = {}


def push(server: Mayfly, value: float, **grouping_key: str):
    registry = CollectorRegistry()
    Gauge("kept", "Kept.", registry=registry).set(value)
    push_to_gateway(server.gateway, job="kill", grouping_key=grouping_key, registry=registry)


def kept(server: Mayfly, time=None) -> list[float]:
    return sorted(instant(server.query, "kept", time).values())


def test_killed_directly_behind_the_2xx(server):
    for round in (1, 2, 3):
        push(server, round)
        server.restart_after_kill9()
        assert kept(server) == [round]
    assert [row["value"][1] for row in Promtool(server.query).instant("kept")] == ["3"]
    # the gateway's own page knows it as well, and goes on from there
    assert 'kept{instance="",job="kill"} 3' in call(server.gateway, "GET", "/metrics").text
    push(server, 4, instance="other")
    assert kept(server) == [3, 4]


def test_many_pushes_then_killed(server):
    for index in range(40):
        push(server, index, instance=str(index))
    server.restart_after_kill9()
    assert kept(server) == list(range(40))


def test_a_clean_stop_keeps_all_and_exits_0(server):
    push(server, 1)
    assert server.stop() == 0
    server.start()
    assert kept(server) == [1]


@pytest.mark.parametrize("kill", [False, True], ids=["running", "killed"])
def test_deleted_is_gone_but_not_its_past(server, kill):
    push(server, 5)
    time.sleep(0.05)
    before = time.time()
    time.sleep(0.05)
    delete_from_gateway(server.gateway, job="kill")
    if kill:
        server.restart_after_kill9()
    assert kept(server) == []
    assert instant(server.query, 'push_time_seconds{job="kill"}') == EMPTY
    assert kept(server, f"{before:.3f}") == [5]
    assert [row["value"][1] for row in Promtool(server.query).instant("kept", before)] == ["5"]
    assert "kept" not in call(server.gateway, "GET", "/metrics").text
    # and the group can come back
    push(server, 6)
    assert (kept(server), kept(server, f"{before:.3f}")) == ([6], [5])
