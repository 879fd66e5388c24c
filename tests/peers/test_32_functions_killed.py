"""32: 64 processes of the function `push`, each with a caller of its own, are killed at random while they take pushes from every
source of events, on a real S3 server. Callers try again. All that was answered is there, sums are exact."""

import base64
import http.client
import json
import os
import random
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from harness.http import call, instant
from harness.mayfly import LambdaUrl, Mayfly

CALLERS, PUSHES, TRIES = 64, 5, 200
INVOKE = "/2015-03-31/functions/push/invocations"


def of_url(path: str, body: str, key: str) -> tuple:
    """As a Function URL is called: method, target, body, headers."""
    return "POST", path, body, {"Idempotency-Key": key, "Content-Type": "text/plain"}


def of_http_api(path: str, body: str, key: str) -> tuple:
    """An event of an HTTP API with a stage, payload format 2.0, its body in base64."""
    event = {
        "version": "2.0",
        "routeKey": "ANY /{proxy+}",
        "rawPath": f"/prod{path}",
        "rawQueryString": "",
        "headers": {
            "accept": "*/*",
            "content-length": str(len(body)),
            "content-type": "text/plain",
            "host": "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com",
            "idempotency-key": key,
            "x-amzn-trace-id": "Root=1-67c0d1e2-0123456789abcdef01234567",
            "x-forwarded-for": "203.0.113.7",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
        },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "a1b2c3d4e5",
            "domainName": "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com",
            "domainPrefix": "a1b2c3d4e5",
            "http": {
                "method": "POST",
                "path": f"/prod{path}",
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.7",
                "userAgent": "Python-urllib/3.11",
            },
            "requestId": "F1aGkiXaIAMEVtA=",
            "routeKey": "ANY /{proxy+}",
            "stage": "prod",
            "time": "27/Nov/2026:09:00:00 +0000",
            "timeEpoch": 1795770000000,
        },
        "pathParameters": {"proxy": path[1:]},
        "body": base64.b64encode(body.encode()).decode(),
        "isBase64Encoded": True,
    }
    return "POST", INVOKE, json.dumps(event), {}


def of_load_balancer(path: str, body: str, key: str) -> tuple:
    """An event of an application load balancer."""
    event = {
        "requestContext": {
            "elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/push/0123456789abcdef"}
        },
        "httpMethod": "POST",
        "path": path,
        "queryStringParameters": {},
        "headers": {
            "content-type": "text/plain",
            "host": "push-1234567890.eu-west-1.elb.amazonaws.com",
            "idempotency-key": key,
            "user-agent": "curl/8.5.0",
            "x-forwarded-for": "203.0.113.7",
        },
        "body": body,
        "isBase64Encoded": False,
    }
    return "POST", INVOKE, json.dumps(event), {}


def of_queue(path: str, body: str, key: str) -> tuple:
    """A batch of a queue with one message."""
    message = {"method": "POST", "path": path, "headers": {"Idempotency-Key": key}, "body": body}
    record = {
        "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
        "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
        "body": json.dumps(message),
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1795770000000",
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": "1795770000001",
        },
        "messageAttributes": {},
        "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:mayfly-messages",
        "awsRegion": "eu-west-1",
    }
    return "POST", INVOKE, json.dumps({"Records": [record]}), {}


SOURCES = (of_url, of_http_api, of_load_balancer, of_queue)


def is_taken(source, answer) -> bool:
    """Whether the source of an event counts it as done; a push that is refused for good would be a mistake of the test."""
    if source is of_url:
        assert answer.status in (200, 502, 503), answer.text
        return answer.status == 200
    if "x-amz-function-error" in answer.headers:
        return False
    if source is of_queue:
        return answer.json() == {"batchItemFailures": []}
    assert answer.json()["statusCode"] in (200, 503), answer.text
    return answer.json()["statusCode"] == 200


def test_what_was_answered_is_there(tmp_path, seaweedfs, s3_url):
    env = {**seaweedfs.env, "MAYFLY_S3_ENDPOINT": seaweedfs.endpoint, "MAYFLY_STORAGE": s3_url}

    def start(index: int) -> LambdaUrl:
        folder = tmp_path / str(index)
        folder.mkdir()
        return LambdaUrl(folder, "push", env)

    with ThreadPoolExecutor(8) as pool:
        functions = list(pool.map(start, range(CALLERS)))
    done, kills = threading.Event(), 0
    chance = random.Random(32)

    def bootstrap_of(function: LambdaUrl) -> int | None:
        pid = function.process.child.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
            found = children.read().split()
        return int(found[0]) if found else None

    def kill():
        nonlocal kills
        while not done.wait(0.02):
            pid = bootstrap_of(chance.choice(functions))
            if pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    kills += 1

    def push(caller: int):
        source = SOURCES[caller % len(SOURCES)]
        for number in range(1, PUSHES + 1):
            for path, body in (
                ("/aggregate/metrics/job/many", f"# TYPE calls_total counter\ncalls_total {number}\n"),
                (f"/metrics/job/own/instance/{caller}", f"# TYPE last gauge\nlast {number}\n"),
            ):
                method, target, body, headers = source(path, body, f"{caller}/{number}{path}")
                # as a client that lost the answer, some ask once more when they have one
                wanted = 1 + ((caller + number) % 5 == 0)
                for _ in range(TRIES):
                    try:
                        answer = call(functions[caller].url, method, target, body, headers)
                    except (OSError, http.client.HTTPException):
                        continue
                    wanted -= is_taken(source, answer)
                    if not wanted:
                        break
                assert not wanted, f"caller {caller} had no answer for {path}, push {number}"

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with ThreadPoolExecutor(CALLERS) as pool:
            for pushed in [pool.submit(push, caller) for caller in range(CALLERS)]:
                pushed.result()
    finally:
        done.set()
        killer.join()
        for function in functions:
            function.stop()
    assert kills > CALLERS / 2, f"only {kills} were killed"

    folder = tmp_path / "server"
    folder.mkdir()
    server = Mayfly(folder, s3_url, env=seaweedfs.env, flags=seaweedfs.flags).start()
    query = LambdaUrl(folder, "query", env)
    for url in (server.query, query.url):
        assert list(instant(url, "calls_total").values()) == [CALLERS * PUSHES * (PUSHES + 1) / 2]
        assert list(instant(url, "increase(calls_total[1h])").values()) == [CALLERS * PUSHES * (PUSHES + 1) / 2]
        last = {dict(labels)["instance"]: value for labels, value in instant(url, "last").items()}
        assert last == {str(caller): PUSHES for caller in range(CALLERS)}
    query.stop()
