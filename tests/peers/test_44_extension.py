"""44: a Python function with prometheus_client and a Node function with OpenTelemetry, measured through the Lambda extension under an emulated
Runtime, Extensions and Telemetry API: invocations that succeed, fail, time out and are frozen in between arrive, once, through a gateway
and straight on a real S3 server; that server away for three invocations loses nothing; and what a reply waits for is told."""

import http.server
import json
import statistics
import threading
import time

import pytest

from harness.extension import TIMEOUT_MS, Function
from harness.http import call, instant
from harness.mayfly import Mayfly

LABELS = {"function_name": "mayfly-test", "function_version": "$LATEST", "region": "us-east-1"}


def value(mayfly: Mayfly, query: str) -> float | None:
    found = list(instant(mayfly.query, query).values())
    assert len(found) <= 1, (query, found)
    return found[0] if found else None


def check(mayfly: Mayfly, expected: dict):
    assert {query: value(mayfly, query) for query in expected} == expected


def of_function(job: str, books: int, toys: int) -> dict:
    """What the functions say of so many orders, which took 0.5 and 2.5 s."""
    at = f'{{job="{job}"}}'
    return {
        f'shop_orders_total{{job="{job}",kind="book"}}': books or None,
        f'shop_orders_total{{job="{job}",kind="toy"}}': toys or None,
        # each increment counts, the first of them too
        f"sum(increase(shop_orders_total{at}[1h]))": books + toys,
        f"shop_took_seconds_count{at}": books + toys,
        f"shop_took_seconds_sum{at}": 0.5 * books + 2.5 * toys,
        f'shop_took_seconds_bucket{{job="{job}",le="1.0"}}': books,
        f"shop_queue{at}": 3,
    }


def of_platform(invocations: int, errors: int = 0, timeouts: int = 0, sandboxes: int = 1) -> dict:
    return {
        "aws_lambda_invocations_total": invocations,
        "aws_lambda_errors_total": errors,
        "aws_lambda_timeouts_total": timeouts,
        "histogram_count(aws_lambda_duration_seconds)": invocations,
        "histogram_count(aws_lambda_max_memory_used_bytes)": invocations,
        "histogram_count(aws_lambda_init_duration_seconds)": sandboxes,
        "aws_lambda_memory_size_bytes": 256 << 20,
    }


@pytest.mark.parametrize("language", ["py", "js"])
def test_whatever_becomes_of_an_invocation_it_arrives_once(tmp_path, folder_server, language):
    function = Function(tmp_path, language, MAYFLY_GATEWAY=folder_server.gateway)
    job = f"shop-{language}"
    assert json.loads(function.invoke()["told"]) == {"ordered": "book"}
    # the caller has its answer before, and when the invocation is over all of it is there
    check(folder_server, of_function(job, 1, 0))
    for kind, took in (("book", 0.5), ("toy", 2.5)):
        function.ask("POST", "/freeze")
        time.sleep(0.2)
        function.ask("POST", "/thaw")
        assert function.invoke(kind=kind, took=took)["outcome"] == "success"
    assert function.invoke("fail")["outcome"] == "error"
    check(folder_server, of_function(job, 3, 1))
    assert function.ask("GET", "/memory")["bytes"] < 30 << 20
    # the sandbox goes with it, and another one comes
    assert function.invoke("hang")["outcome"] == "timeout"
    check(folder_server, of_function(job, 4, 1) | of_platform(5, errors=2, timeouts=1))
    assert function.invoke(kind="toy", took=2.5)["outcome"] == "success"
    function.end()
    check(folder_server, of_function(job, 4, 2) | of_platform(6, errors=2, timeouts=1, sandboxes=2))
    ((labels, _),) = instant(folder_server.query, f'shop_orders_total{{job="{job}",kind="toy"}}').items()
    assert LABELS.items() <= dict(labels).items()
    # a busy machine is late
    longest = value(folder_server, "histogram_quantile(1, aws_lambda_duration_seconds)")
    assert TIMEOUT_MS / 1_000 <= longest < 1.5 * TIMEOUT_MS / 1_000


class Wire:
    """Hands requests on to an S3 server, until somebody cuts it."""

    def __init__(self, endpoint: str):
        self.is_cut, self.refused = False, 0
        wire = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def hand_on(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if wire.is_cut:
                    wire.refused += 1
                    self.close_connection = True
                    return
                # the signature is for the host that was asked
                answer = call(endpoint, self.command, self.path, body, dict(self.headers))
                self.send_response(answer.status)
                for name, text in answer.headers.items():
                    if name not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                        self.send_header(name, text)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer.body)

            do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = hand_on

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.mark.parametrize("language", ["py", "js"])
def test_a_storage_that_is_away_for_three_invocations_loses_nothing(tmp_path, seaweedfs, s3_server, s3_url, language):
    wire = Wire(seaweedfs.endpoint)
    env = {**seaweedfs.env, "MAYFLY_STORAGE": s3_url, "MAYFLY_S3_ENDPOINT": wire.endpoint, "MAYFLY_SEND_TIMEOUT": "800ms"}
    function = Function(tmp_path, language, **env)
    job = f"shop-{language}"
    function.invoke()
    check(s3_server, of_function(job, 1, 0))
    wire.is_cut = True
    for _ in range(3):
        assert function.invoke(kind="toy", took=2.5)["outcome"] == "success"
    assert wire.refused
    check(s3_server, of_function(job, 1, 0))
    wire.is_cut = False
    function.invoke()
    function.end()
    check(s3_server, of_function(job, 2, 3) | of_platform(5))
    # a storage that fails is left alone for a while
    assert value(s3_server, "mayfly_extension_send_failures_total") >= 1
    assert value(s3_server, "mayfly_extension_dropped_metrics_total") is None
    wire.server.shutdown()


def test_a_reply_waits_for_next_to_nothing(tmp_path, folder_server, record_property):
    """The same function with the extension and with nowhere to push to: how much later its caller has the answer."""
    measured = Function(tmp_path, "py", MAYFLY_GATEWAY=folder_server.gateway)
    (tmp_path / "bare").mkdir()
    bare = Function(tmp_path / "bare", "py", MAYFLY_GATEWAY=folder_server.gateway, BARE="1")
    replies = {"measured": [], "bare": []}
    # one after the other, so that both meet the same machine
    for _ in range(40):
        replies["measured"].append(measured.invoke()["reply_ms"])
        replies["bare"].append(bare.invoke()["reply_ms"])
    # what else the machine does makes calls slower, never quicker: a tenth of them are as quick as they can be
    quick = {name: statistics.quantiles(found, n=10)[0] for name, found in replies.items()}
    median = {name: statistics.median(found) for name, found in replies.items()}
    added = quick["measured"] - quick["bare"]
    told = f"reply {quick['measured']:.2f} ms with the extension, {quick['bare']:.2f} ms without: {added:.2f} ms more"
    told += f" (medians {median['measured']:.2f} and {median['bare']:.2f})"
    memory = measured.ask("GET", "/memory")["bytes"]
    print(f"{told}; the extension had {memory / (1 << 20):.1f} MiB resident")
    record_property("added_ms", added)
    assert added < 5, told
    assert memory < 30 << 20
