"""A Python function that measures itself with prometheus_client, through the extension or not at all, and the loop of a runtime."""

import http.client
import json
import os
import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, pushadd_to_gateway


def push(registry: CollectorRegistry):
    if not os.environ.get("BARE"):
        url = f"http://127.0.0.1:{os.environ['MAYFLY_PUSH_PORT']}/aggregate"
        pushadd_to_gateway(url, job="shop-py", registry=registry)


def handler(event):
    registry = CollectorRegistry()
    orders = Counter("shop_orders", "Orders.", ["kind"], registry=registry)
    took = Histogram("shop_took_seconds", "How long.", buckets=(0.25, 1, 5), registry=registry)
    Gauge("shop_queue", "Waiting.", registry=registry).set(event["queue"])
    try:
        orders.labels(event["kind"]).inc()
        took.observe(event["took"])
    finally:
        push(registry)
    if event["do"] == "fail":
        raise ValueError("no such book")
    if event["do"] == "hang":
        time.sleep(60)
    return {"ordered": event["kind"]}


def main():
    runtime = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    runtime.connect()
    while True:
        runtime.request("GET", "/2018-06-01/runtime/invocation/next")
        answer = runtime.getresponse()
        event, request = answer.read(), answer.headers["Lambda-Runtime-Aws-Request-Id"]
        try:
            kind, body = "response", handler(json.loads(event))
        except Exception as err:
            kind, body = "error", {"errorMessage": str(err), "errorType": type(err).__name__}
        runtime.request("POST", f"/2018-06-01/runtime/invocation/{request}/{kind}", json.dumps(body))
        runtime.getresponse().read()


if __name__ == "__main__":
    main()
