"""15: random queries over random data give what a real Prometheus gives, but for what `promql_differences` lists.

The data come from `promql-cases`: into Prometheus as blocks that promtool makes, into Mayfly through the store's writer.
`MAYFLY_PROMQL_SEED=N` repeats one seed; `MAYFLY_PROMQL_QUERIES=N` asks more queries of each."""

import json
import math
import os
import subprocess
import time

import pytest

from harness import PROGRAMS
from harness.http import api
from harness.mayfly import Mayfly, built
from harness.peers import Prometheus
from harness.process import Failed
from promql_differences import accepted

SEEDS = [int(os.environ["MAYFLY_PROMQL_SEED"])] if "MAYFLY_PROMQL_SEED" in os.environ else [1, 2, 3]
QUERIES = int(os.environ.get("MAYFLY_PROMQL_QUERIES", "1500"))
FEATURES = "promql-experimental-functions"
# what is nearer to another number than this share, or nearer to zero than this, is the same
TOLERANCE = 1e-9


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise Failed(f"{command}: exit {done.returncode}: {done.stdout}{done.stderr}")


def same_number(a: str, b: str) -> bool:
    if a == b:
        return True
    x, y = float(a), float(b)
    if math.isnan(x) or math.isnan(y) or math.isinf(x) or math.isinf(y):
        return False
    return abs(x - y) <= TOLERANCE * max(abs(x), abs(y)) + TOLERANCE


def rows(data: dict) -> dict:
    """Label pairs to points."""
    if data["resultType"] in ("scalar", "string"):
        return {(): [data["result"]]}
    points = [(row["metric"], row.get("values") or [row["value"]]) for row in data["result"]]
    return {tuple(sorted(metric.items())): values for metric, values in points}


def difference(ours: dict, theirs: dict) -> tuple[str, str] | None:
    """What differs in two answers of the API – status, error, data or remarks – and how."""
    if ours["status"] != theirs["status"]:
        return "status", f"ours {ours['status']} {ours.get('error')}, theirs {theirs['status']} {theirs.get('error')}"
    if ours["status"] == "error":
        texts = [(answer["errorType"], answer["error"]) for answer in (ours, theirs)]
        return None if texts[0] == texts[1] else ("error", f"ours {texts[0]}, theirs {texts[1]}")
    if data := difference_of_data(ours["data"], theirs["data"]):
        return "data", data
    for kind in ("warnings", "infos"):
        remarks = [sorted(answer.get(kind, [])) for answer in (ours, theirs)]
        if remarks[0] != remarks[1]:
            return "remarks", f"{kind}: ours {remarks[0]}, theirs {remarks[1]}"
    return None


def difference_of_data(ours: dict, theirs: dict) -> str | None:
    if ours["resultType"] != theirs["resultType"]:
        return f"ours {ours['resultType']}, theirs {theirs['resultType']}"
    mine, other = rows(ours), rows(theirs)
    if mine.keys() != other.keys():
        return f"only ours {sorted(mine.keys() - other.keys())}, only theirs {sorted(other.keys() - mine.keys())}"
    for labels, points in mine.items():
        if [point[0] for point in points] != [point[0] for point in other[labels]]:
            return f"{labels}: other times: ours {points}, theirs {other[labels]}"
        for (at, a), (_, b) in zip(points, other[labels]):
            if not same_number(a, b):
                return f"{labels} at {at}: ours {a}, theirs {b}"
    return None


@pytest.mark.parametrize("seed", SEEDS)
def test_answers(tmp_path, seed):
    # a multiple of every step of a subquery, so that the same seed meets the same data at any time of the day
    start = int(os.environ.get("MAYFLY_PROMQL_START", (int(time.time()) - 4 * 3600) // 10_200 * 10_200))
    run(built("promql-cases"), seed, start, QUERIES, tmp_path)
    run(PROGRAMS / "promtool", "tsdb", "create-blocks-from", "openmetrics", tmp_path / "data.om", tmp_path / "tsdb")
    theirs = Prometheus(tmp_path, flags=("--storage.tsdb.retention.time=10y", f"--enable-feature={FEATURES}")).url
    ours = Mayfly(tmp_path, tmp_path / "data", flags=(f"--enable-feature={FEATURES}",)).start().query
    wrong, with_values, excused = [], 0, []
    for asked in json.loads((tmp_path / "queries.json").read_text()):
        path = "query" if "time" in asked else "query_range"
        mine, other = (api(url, path, **asked).json() for url in (ours, theirs))
        with_values += mine["status"] == "success" and bool(mine["data"]["result"])
        found = difference(mine, other)
        if found is None:
            continue
        reason = accepted(found[0], asked["query"], mine, other)
        if reason:
            excused.append(reason)
        else:
            wrong.append(f"{asked}\n    {found[1]}")
    told = f"MAYFLY_PROMQL_SEED={seed} MAYFLY_PROMQL_START={start}: {len(wrong)} of {QUERIES} differ"
    assert not wrong, "\n".join([told, *wrong[:25]])
    assert with_values > QUERIES / 2, f"only {with_values} of {QUERIES} queries have a value"
    assert len(excused) < QUERIES / 20, f"too much is excused: {excused}"
