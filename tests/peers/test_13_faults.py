"""13: clients and storage that misbehave: others go on, memory stays bounded, and what was answered 2xx is there."""

import concurrent.futures
import gzip
import resource
import socket
import threading
import time
import urllib.parse

from harness.http import call, instant
from harness.mayfly import Mayfly
from harness.process import until

IDLE = 10_000
MEMORY_MAX = 400 << 20


def resident_bytes(process) -> int:
    lines = open(f"/proc/{process.child.pid}/status").read().splitlines()
    (line,) = [line for line in lines if line.startswith("VmRSS:")]
    return int(line.split()[1]) << 10


def connect(base: str, first: bytes = b"") -> socket.socket:
    place = urllib.parse.urlsplit(base)
    client = socket.create_connection((place.hostname, place.port), timeout=30)
    client.sendall(first)
    return client


def push(base: str, value: float) -> int:
    return call(base, "PUT", "/metrics/job/j", f"a {value}\n").status


def test_ten_thousand_idle_connections(folder_server):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # a server gives a part of its open files to pushers; where the machine gives few, there are fewer connections
    connections = min(IDLE, hard // 2)
    assert connections >= 2_000, f"the test needs more open files than {hard}"
    print(f"{connections} idle connections")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    idle = []
    try:
        for index in range(connections):
            # half of them have begun a request
            idle.append(connect(folder_server.gateway, b"PUT /metrics/job/x HTTP/1.1\r\nHo" if index % 2 else b""))
        began = time.monotonic()
        assert push(folder_server.gateway, 1) == 200
        assert call(folder_server.gateway, "GET", "/-/ready").status == 200
        assert time.monotonic() - began < 10
        assert resident_bytes(folder_server.process) < MEMORY_MAX
    finally:
        for client in idle:
            client.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert list(instant(folder_server.query, "a").values()) == [1]


def test_clients_that_stop_in_mid_body(folder_server):
    head = b"PUT /metrics/job/half HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nb 1\n"
    stopped = [connect(folder_server.gateway, head) for _ in range(200)]
    assert push(folder_server.gateway, 2) == 200
    for client in stopped[::2]:
        client.close()
    assert push(folder_server.gateway, 3) == 200
    assert instant(folder_server.query, "b") == {}
    # who goes on after all is served
    stopped[1].sendall(b"c 2\n")
    assert stopped[1].recv(12) == b"HTTP/1.1 200"
    for client in stopped[1::2]:
        client.close()


def test_more_than_may_be_worked_on_is_told_to_come_back(folder_server):
    head = b"PUT /metrics/job/half HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\n"
    waiting = [connect(folder_server.gateway, head) for _ in range(600)]
    full = lambda: call(folder_server.gateway, "PUT", "/metrics/job/j", "a 1\n")

    def refused():
        answer = full()
        if answer.status != 503:
            # this push may have had a place that one of those that wait was refused for
            waiting.append(connect(folder_server.gateway, head))
        return answer.status == 503 and answer

    answer = until("full", refused)
    assert answer.headers["retry-after"] == "1" and "pushes_in_flight_max" in answer.text
    assert call(folder_server.gateway, "GET", "/-/ready").status == 500
    for client in waiting:
        client.close()
    until("served again", lambda: full().status == 200)


def test_bombs(folder_server):
    line = b"# " + b"x" * 1_000 + b"\n"
    bomb = gzip.compress(line * 300_000, 1)
    before = resident_bytes(folder_server.process)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        send = lambda _: call(folder_server.gateway, "PUT", "/metrics/job/j", bomb, {"content-encoding": "gzip"})
        answers = list(pool.map(send, range(16)))
    # of several at once, those that find no room are told to come again; how many depends on how they meet
    assert {answer.status for answer in answers} <= {413, 503}
    for busy in (answer for answer in answers if answer.status == 503):
        assert busy.headers["retry-after"].isdigit() and "which is received_bytes_max" in busy.text
    # as many at once as there were, with what a body may be inflated to
    assert resident_bytes(folder_server.process) < before + 8 * (64 << 20) + MEMORY_MAX
    # one that is alone is told what is wrong with it
    assert send(0).status == 413
    assert push(folder_server.gateway, 4) == 200


class Link:
    """Between Mayfly and its storage; can be cut."""

    def __init__(self, target: str):
        place = urllib.parse.urlsplit(target)
        self.target = (place.hostname, place.port)
        self.up = True
        self.open: list[socket.socket] = []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            if not self.up:
                client.close()
                continue
            far = socket.create_connection(self.target)
            self.open += [client, far]
            for source, sink in ((client, far), (far, client)):
                threading.Thread(target=self._copy, args=(source, sink), daemon=True).start()

    @staticmethod
    def _copy(source: socket.socket, sink: socket.socket):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        self.up = False
        ends, self.open = self.open, []
        for end in ends:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def mend(self):
        self.up = True

    def close(self):
        self.cut()
        self.server.close()


AWAY_SECONDS = 60


def test_a_store_that_is_away(tmp_path, seaweedfs, s3_url):
    link = Link(seaweedfs.endpoint)
    mayfly = Mayfly(tmp_path, s3_url, env=seaweedfs.env, flags=("--s3.endpoint", link.url)).start()
    answered: dict[int, int] = {}
    took: list[float] = []

    def pusher(number: int):
        group, began = f"/metrics/job/j/pusher/{number % 4}", time.monotonic()
        answer = call(mayfly.gateway, "POST", group, f"n{number} {number}\n")
        took.append(time.monotonic() - began)
        answered[number] = answer.status
        # refused with a word about when to come back, or taken
        assert answer.status == 200 or (answer.status, answer.headers.get("retry-after")) == (503, "1"), answer.text

    pusher(0)
    before = resident_bytes(mayfly.process)
    link.cut()
    end, number = time.monotonic() + AWAY_SECONDS, 1
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        futures = []
        while time.monotonic() < end:
            futures.append(pool.submit(pusher, number))
            number += 1
            time.sleep(0.1)
        assert call(mayfly.gateway, "GET", "/-/healthy").status in (200, 500)
        refused = sum(status == 503 for status in answered.values())
        assert resident_bytes(mayfly.process) < before + MEMORY_MAX
        link.mend()
        for future in futures:
            future.result(60)
    print(f"{refused} of {number} refused while it was away; the longest answer took {max(took):.1f} s")
    # `call` would not have waited for longer than 30 s
    assert refused
    until("taken again", lambda: call(mayfly.gateway, "POST", "/metrics/job/j", "back 1\n").status == 200, seconds=30)
    # what was answered 2xx is there for everybody, after a kill as well
    mayfly.kill9()
    mayfly.start()
    there = {int(dict(labels)["__name__"][1:]) for labels in instant(mayfly.query, '{__name__=~"n[0-9]+"}')}
    assert {number for number, status in answered.items() if status == 200} <= there
    assert 0 in there and instant(mayfly.query, "back")
    link.close()
