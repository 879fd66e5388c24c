"""14: 64 pushers add to one group through three servers on one S3 bucket, all of which are killed now and then, with retries:
the sum is exact. And the real prometheus_client pushes below /aggregate by its base URL."""

import http.client
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary, delete_from_gateway, pushadd_to_gateway

from harness.http import call, instant
from harness.mayfly import Mayfly

SERVERS, PUSHERS, PUSHES, TRIES = 3, 64, 3, 300


def test_the_sum_is_exact(tmp_path, seaweedfs, s3_url):
    def start(index: int) -> Mayfly:
        folder = tmp_path / str(index)
        folder.mkdir(exist_ok=True)
        return Mayfly(folder, s3_url, env=seaweedfs.env, flags=seaweedfs.flags).start()

    servers = [start(index) for index in range(SERVERS)]
    answered = itertools.count(1)
    reached = threading.Condition()
    last = 0

    def add(pusher: int):
        nonlocal last
        for push in range(1, PUSHES + 1):
            body = f"# TYPE calls_total counter\ncalls_total {push}\n"
            headers = {"Idempotency-Key": f"{pusher}/{push}"}
            # as a client that lost the answer, some ask once more when they have one
            wanted = 1 + ((pusher + push) % 4 == 0)
            for attempt in range(TRIES):
                try:
                    gateway = servers[(pusher + push + attempt) % SERVERS].gateway
                    answer = call(gateway, "POST", "/aggregate/metrics/job/many", body, headers)
                except (OSError, http.client.HTTPException):
                    threading.Event().wait(0.05)
                    continue
                assert answer.status in (200, 503), answer.text
                wanted -= answer.status == 200
                if not wanted:
                    break
            assert not wanted, f"push {push} of pusher {pusher} was not answered"
            with reached:
                last = next(answered)
                reached.notify()

    with ThreadPoolExecutor(PUSHERS) as pool:
        pushers = [pool.submit(add, pusher) for pusher in range(PUSHERS)]
        for kill in range(SERVERS):
            with reached:
                assert reached.wait_for(lambda: last >= (kill + 1) * PUSHERS * PUSHES // (SERVERS + 1), timeout=300)
            servers[kill].restart_after_kill9()
        for pusher in pushers:
            pusher.result()
    total = PUSHERS * PUSHES * (PUSHES + 1) / 2
    for server in servers:
        assert list(instant(server.query, "calls_total").values()) == [total]
        assert list(instant(server.query, "increase(calls_total[1h])").values()) == [total]


def test_a_real_client_by_its_base_url(server):
    def run(seconds: float, buckets: tuple):
        registry = CollectorRegistry()
        Counter("calls", "Calls.", registry=registry).inc(5)
        Gauge("size", "Size.", registry=registry).set(seconds)
        Histogram("took", "Took.", registry=registry, buckets=buckets).observe(seconds)
        Summary("waited", "Waited.", registry=registry).observe(seconds)
        pushadd_to_gateway(f"{server.gateway}/aggregate", job="f", registry=registry)

    run(0.5, (1, 10))
    run(3, (1, 5, 10))

    def value(query: str) -> list[float]:
        return list(instant(server.query, query).values())

    assert value("calls_total") == [10]
    assert value("size") == [3]
    assert (value("waited_sum"), value("waited_count")) == ([3.5], [2])
    assert [value(f'took_bucket{{le="{le}"}}') for le in ("1.0", "5.0", "10.0", "+Inf")] == [[1], [2], [2], [2]]
    assert 'calls_total{instance="",job="f"} 10\n' in call(server.gateway, "GET", "/metrics").text
    delete_from_gateway(f"{server.gateway}/aggregate", job="f")
    assert value("calls_total") == []
