"""HTTP with nothing between the test and the wire, and the Prometheus API on top."""

import http.client
import json
import urllib.parse
from dataclasses import dataclass

ANSWER_SECONDS = 30


@dataclass
class Answer:
    status: int
    headers: dict
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")

    def json(self):
        return json.loads(self.body)


def call(base: str, method: str, target: str, body: bytes | str = b"", headers: dict | None = None) -> Answer:
    """One request on one connection; `target` goes out as it stands."""
    place = urllib.parse.urlsplit(base)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=ANSWER_SECONDS)
    try:
        body = body.encode() if isinstance(body, str) else body
        # a server that is killed meanwhile has no answer to wait for
        connection.connect()
        try:
            connection.request(method, target, body=body or None, headers=headers or {})
        except (BrokenPipeError, ConnectionResetError):
            pass  # a server may refuse a body before it has read all of it; its answer is what counts
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def api(base: str, path: str, **parameters) -> Answer:
    """GET of the Prometheus API; `match` becomes `match[]`."""
    pairs = [("match[]" if key == "match" else key, value) for key, value in parameters.items() if value is not None]
    return call(base, "GET", f"/api/v1/{path}?{urllib.parse.urlencode(pairs)}")


def data(base: str, path: str, **parameters):
    """The `data` of a successful answer."""
    answer = api(base, path, **parameters)
    assert answer.status == 200, f"{path} {parameters}: {answer.status} {answer.text}"
    body = answer.json()
    assert body["status"] == "success", body
    return body["data"]


def instant(base: str, query: str, time=None) -> dict:
    """An instant query as a map from sorted label pairs to values."""
    result = data(base, "query", query=query, time=time)
    assert result["resultType"] == "vector", result
    return {tuple(sorted(row["metric"].items())): float(row["value"][1]) for row in result["result"]}
