"""19: a real Prometheus says about wrong expressions what the table of the parser's tests says that it says."""

import json
import urllib.parse

from harness import TOP
from harness.http import call
from harness.peers import Prometheus

FEATURES = "promql-experimental-functions,promql-duration-expr"
FORM = {"content-type": "application/x-www-form-urlencoded"}
# since 3.14 more may stand where a duration is expected
SINCE = {
    'number, duration, step(), range(), or "]"': 'number or duration or "]"',
    "number, duration, step(), or range()": "number or duration",
}


def verdict(url: str, query: str) -> dict:
    answer = call(url, "POST", "/api/v1/format_query", urllib.parse.urlencode({"query": query}), FORM).json()
    if answer["status"] == "success":
        return {"normal": answer["data"]}
    return {"error": answer["error"].removeprefix('invalid parameter "query": ')}


def test_verdicts(tmp_path):
    real = Prometheus(tmp_path, flags=(f"--enable-feature={FEATURES}",)).url
    wrong = []
    for row in json.loads((TOP / "query" / "tests" / "verdicts.json").read_text()):
        query = row.pop("query")
        for ours, theirs in SINCE.items():
            row = {key: text.replace(ours, theirs) for key, text in row.items()}
        if (told := verdict(real, query)) != row:
            wrong.append((query, row, told))
    assert not wrong, "\n".join(map(str, wrong[:25]))
