"""11: requests that were recorded from the released Pushgateway get the recorded answers and leave the recorded page.

The cases lie in $MAYFLY_CONFORMANCE/pushgateway/cases.json. Those whose verdict is `ours` hold what docs/compatibility.md says instead
of what was recorded."""

import base64
import json
import os
import re
from pathlib import Path

import pytest

from harness.http import call
from harness.mayfly import Mayfly
from harness.process import until


def recorded() -> dict:
    folder = os.environ.get("MAYFLY_CONFORMANCE")
    if folder is None:
        assert os.environ.get("CI") != "true", "MAYFLY_CONFORMANCE is not set"
        return {"cases": [], "default_flags": []}
    return json.loads((Path(folder) / "pushgateway" / "cases.json").read_text())


RECORDED = recorded()


def folded(text: str) -> str:
    # Go's prototext puts spaces in places that change from build to build
    return re.sub("[ \u00a0]+", " ", text)


def send(base: str, request: dict):
    body = base64.b64decode(request["body_b64"]) if "body_b64" in request else request.get("body", "")
    return call(base, request["method"], request["path"], body, request.get("headers"))


def page_lines(text: str, without_help: bool) -> list[str]:
    """Without what the gateway says about itself, and without times."""
    lines = []
    for line in filter(None, text.split("\n")):
        name = line.split(" ")[2] if line.startswith("# ") else line
        if name.startswith(("go_", "process_", "promhttp_", "pushgateway_")) or re.match("# (HELP|TYPE) push_", line):
            continue
        if without_help and line.startswith("# HELP"):
            continue
        time = re.match(r"(push_(?:failure_)?time_seconds\{.*\}) (\S+)$", line)
        lines.append(f"{time[1]} <now>" if time and float(time[2]) >= 1e9 else line)
    return sorted(lines)


def check_afterwards(base: str, then: dict):
    page = call(base, "GET", "/metrics")
    assert page.status == then["scrape_status"], page.text
    if "scrape" in then:
        assert page_lines(page.text, then.get("ignore_help", False)) == sorted(then["scrape"])
    if "groups" in then:
        groups = [group["labels"] for group in call(base, "GET", "/api/v1/metrics").json()["data"]]
        key = lambda labels: json.dumps(labels, sort_keys=True)
        assert sorted(groups, key=key) == sorted(then["groups"], key=key)


@pytest.mark.parametrize("case", RECORDED["cases"], ids=lambda case: case["id"])
def test_case(tmp_path, case):
    flags = case.get("flags", RECORDED["default_flags"])
    base = Mayfly(tmp_path, tmp_path / "data", flags=tuple(flags)).start().gateway
    for request in case.get("setup", []):
        send(base, request)
    answer, expect = send(base, case["request"]), case["expect"]
    text = folded(answer.text)
    assert answer.status == expect["status"], text
    if "body" in expect:
        assert text == folded(expect["body"])
    if "body_any" in expect:
        assert text in [folded(body) for body in expect["body_any"]]
    assert all(folded(part) in text for part in expect.get("body_contains", [])), text
    for name in ("Location", "Allow", "Content-Type"):
        if name in expect:
            assert answer.headers.get(name.lower()) == expect[name]
    def holds() -> bool:
        check_afterwards(base, case["then"])
        return True

    until("what the case leaves", holds, seconds=5)


def test_there_are_cases():
    if os.environ.get("CI") == "true":
        assert len(RECORDED["cases"]) >= 51
