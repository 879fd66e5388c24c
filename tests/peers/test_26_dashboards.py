"""26: every query of every Grafana dashboard finds something, asked as Grafana asks."""

import json
import re
import time
import urllib.parse

import pytest
import yaml
from prometheus_client import CollectorRegistry, Counter, Histogram, push_to_gateway, pushadd_to_gateway

from harness import TOP
from harness.extension import Function
from harness.http import call, data, instant
from harness.mayfly import Mayfly
from harness.peers import Prometheus
from harness.process import until

GRAFANA = TOP / "infra" / "grafana"
DASHBOARDS = {path.stem: json.loads(path.read_text()) for path in sorted((GRAFANA / "dashboards").glob("*.json"))}

# what is there only while something is wrong
EMPTY = {
    "functions": set(),
    "jobs": {"Refused since the last push"},
    "lambda": {"What the extension could not send", "What the extension dropped"},
    "mayfly": set(),
}


@pytest.fixture
def mayfly(tmp_path) -> Mayfly:
    """A Mayfly with a job that pushes, a function that is called twice, one that the extension measures, rules with something to tell, and its own metrics,
    which a real Prometheus sends to it."""
    folder = tmp_path
    (folder / "rules.yml").write_text("groups: [{name: g, interval: 1s, rules: [{alert: A, expr: vector(1)}]}]")
    flags = ("--rules", folder / "rules.yml", "--alertmanager.url", "http://127.0.0.1:9", "--storage.compact-interval=1s")
    mayfly = Mayfly(folder, folder / "data", flags=flags).start()
    registry = CollectorRegistry()
    rows = Counter("rows", "Rows of a backup.", registry=registry)
    for _ in range(2):
        rows.inc()
        push_to_gateway(mayfly.gateway.removeprefix("http://"), "backup", registry)
    for status in ("ok", "failed"):
        called = CollectorRegistry()
        Counter("calls", "Calls of the function.", ["status"], registry=called).labels(status).inc()
        Histogram("call_seconds", "Time of a call.", buckets=(0.1, 1, 10), registry=called).observe(0.5)
        pushadd_to_gateway(f"{mayfly.gateway}/aggregate", "resize", called)
    measured = Function(folder, "py", MAYFLY_GATEWAY=mayfly.gateway)
    measured.invoke()
    measured.invoke("fail")
    measured.end()
    short = call(mayfly.gateway, "POST", "/metrics/job/short", body=b"x 1\n", headers={"X-Mayfly-TTL": "1s"})
    assert short.status == 200
    scrape = f"scrape_configs: [{{job_name: mayfly, static_configs: [{{targets: ['{mayfly.query.removeprefix('http://')}']}}]}}]\n"
    Prometheus(folder, scrape + f"remote_write: [{{url: '{mayfly.query}/api/v1/write'}}]\n")
    until("three scrapes", lambda: max(instant(mayfly.query, "count_over_time(mayfly_build_info[1m])").values(), default=0) >= 3, 60)
    return mayfly


def values(variable: dict, mayfly: Mayfly, known: dict) -> list[str]:
    """What Grafana finds for `label_values(selector, label)`."""
    selector, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"]).groups()
    selector = filled(selector, known)
    return data(mayfly.query, f"label/{label}/values", match=selector)


def post(mayfly: Mayfly, path: str, form: dict) -> dict:
    kind = {"content-type": "application/x-www-form-urlencoded"}
    return call(mayfly.query, "POST", f"/api/v1/{path}", urllib.parse.urlencode(form), kind).json()


def filled(expr: str, known: dict) -> str:
    known = {"__rate_interval": "1m", "__interval": "15s", "__range": "3600s"} | known
    return re.sub(r"\$(\w+)", lambda match: known[match[1]], expr)


def test_queries_find_something(mayfly):
    for name in DASHBOARDS:
        each_query_finds_something(mayfly, name)
    refused_pushes_are_shown(mayfly)


def each_query_finds_something(mayfly: Mayfly, name: str):
    board = DASHBOARDS[name]
    known: dict = {}
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            found = values(variable, mayfly, known)
            assert found, variable
            known[variable["name"]] = variable.get("allValue", found[0])
    now = time.time()
    for panel in board["panels"]:
        for target in panel["targets"]:
            expr = filled(target["expr"], known)
            if target.get("instant"):
                path, form = "query", {"query": expr, "time": now}
            else:
                path, form = "query_range", {"query": expr, "start": now - 3600, "end": now, "step": "15s"}
            answer = post(mayfly, path, form)
            assert answer["status"] == "success", (panel["title"], expr, answer)
            assert bool(answer["data"]["result"]) == (panel["title"] not in EMPTY[name]), (panel["title"], expr, answer)


def refused_pushes_are_shown(mayfly: Mayfly):
    """What is empty above is not always so."""
    (target,) = [panel["targets"][0] for panel in DASHBOARDS["jobs"]["panels"] if panel["title"] in EMPTY["jobs"]]
    assert call(mayfly.gateway, "POST", "/metrics/job/backup", body=b"rows_total 1 1000\n").status == 400
    expr = filled(target["expr"], {"job": ".+"})
    (labels,) = until("a refused push", lambda: instant(mayfly.query, expr), 10)
    assert dict(labels)["job"] == "backup"


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_is_one(name):
    """As far as that can be seen without Grafana: names that are there once, panels that do not overlap, variables that exist."""
    board = DASHBOARDS[name]
    assert board["uid"] and board["title"] and board["schemaVersion"] >= 39
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    taken: set = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken and at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells
        assert panel["datasource"] == {"type": "prometheus", "uid": "${source}"}
    variables = {variable["name"] for variable in board["templating"]["list"]} | {"__rate_interval", "__interval", "__range"}
    assert set(re.findall(r"\$\{?(\w+)", json.dumps(board["panels"]))) <= variables | {"source"}


def test_dashboards_are_provisioned_beside_their_data_source():
    (provider,) = yaml.safe_load((GRAFANA / "provisioning" / "dashboards" / "mayfly.yaml").read_text())["providers"]
    assert (provider["type"], provider["options"]) == ("file", {"path": "$MAYFLY_DASHBOARDS"})
    (source,) = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "mayfly.yaml").read_text())["datasources"]
    for board in DASHBOARDS.values():
        assert board["templating"]["list"][0]["current"]["value"] == source["uid"]
