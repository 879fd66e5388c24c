"""15: random queries over random data give what a real Prometheus gives, but for what `promql_differences` lists.

The data come from `promql-cases`: into Prometheus as blocks that promtool makes, into Mayfly through the store's writer.
`MAYFLY_PROMQL_SEED=N` repeats one seed; `MAYFLY_PROMQL_QUERIES=N` asks more queries of each."""

import json
import math
import os
import random
import subprocess
import time
from collections import Counter

import pytest

import promql_native
from harness import PROGRAMS, remote_write
from harness.http import api
from harness.mayfly import Mayfly, built
from harness.peers import Prometheus
from harness.process import Failed
from promql_differences import Difference, accepted

SEEDS = [int(os.environ["MAYFLY_PROMQL_SEED"])] if "MAYFLY_PROMQL_SEED" in os.environ else [1, 2, 3]
QUERIES = int(os.environ.get("MAYFLY_PROMQL_QUERIES", "1500"))
FEATURES = "promql-experimental-functions"
MISTAKES_SHOWN = int(os.environ.get("MAYFLY_PROMQL_SHOWN", "25"))
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


def same_value(a, b) -> bool:
    """Two numbers, or two histograms: with the same buckets, whose counts may differ in the last digits."""
    if isinstance(a, str) or isinstance(b, str):
        return isinstance(a, str) and isinstance(b, str) and same_number(a, b)
    numbers = [[h["count"], h["sum"], *(part for bucket in h.get("buckets", []) for part in bucket[1:])] for h in (a, b)]
    rules = [[bucket[0] for bucket in h.get("buckets", [])] for h in (a, b)]
    return rules[0] == rules[1] and all(map(same_number, *numbers))


def rows(data: dict) -> dict:
    """Label pairs to points, floats and histograms."""
    if data["resultType"] in ("scalar", "string"):
        return {(): [data["result"]]}
    found = {}
    for row in data["result"]:
        single = [row[key] for key in ("value", "histogram") if key in row]
        found[tuple(sorted(row["metric"].items()))] = sorted(
            [*single, *row.get("values", []), *row.get("histograms", [])], key=lambda point: point[0]
        )
    return found


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
            if not same_value(a, b):
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
    queries = json.loads((tmp_path / "queries.json").read_text())
    excused = compare(ours, theirs, queries, f"MAYFLY_PROMQL_SEED={seed} MAYFLY_PROMQL_START={start}")
    assert excused.total() < len(queries) / 20, f"too much is excused: {excused}"


@pytest.mark.parametrize("seed", SEEDS)
def test_native_histograms(tmp_path, seed):
    """Both get the same requests of remote write, with stale markers too."""
    start = int(os.environ.get("MAYFLY_PROMQL_START", (int(time.time()) - 4 * 3600) // 10_200 * 10_200))
    features = f"--enable-feature={FEATURES}"
    receiver = ("--web.enable-remote-write-receiver", f"{features},native-histograms", "--storage.tsdb.retention.time=10y")
    prometheus = Prometheus(tmp_path, flags=receiver)
    theirs = prometheus.url
    ours = Mayfly(tmp_path, tmp_path / "data", flags=(features,)).start().query
    for series in promql_native.Data(seed, start * 1_000).requests():
        for url in (ours, theirs):
            answer = remote_write.write(url, series)
            assert answer.status in (200, 204), f"{answer.status} {answer.text}"
    rng, queries = random.Random(seed), promql_native.Queries(seed)
    asked = []
    for number in range(QUERIES // 2):
        at = start + rng.randrange(-60, promql_native.LENGTH_MS // 1_000 + 400)
        if number % 2 == 0:
            asked.append({"query": queries.query(), "time": at})
        else:
            step = rng.choice([13, 30, 60])
            asked.append({"query": queries.query(), "start": at, "end": at + step * rng.randrange(20), "step": step})
    excused = compare(ours, theirs, asked, f"MAYFLY_PROMQL_SEED={seed} MAYFLY_PROMQL_START={start}", prometheus.restart)
    # two thirds of it are remarks, which are worded otherwise in 3.14
    assert excused.total() < len(asked) / 6, f"too much is excused: {excused}"


def compare(ours: str, theirs: str, queries: list, told: str, fresh=None) -> Counter:
    """Asks both, and fails for what differs and is not listed; gives what is. `fresh` starts Prometheus anew: 3.5.3 reuses memory of native histograms
    that is still in use, and after some queries answers others with remains of it, each time with others, or with `index out of range`.
    So what differs is asked again of one that has answered nothing before."""
    wrong, with_values, excused = [], 0, []
    for asked in queries:
        mine, other = (ask(url, asked) for url in (ours, theirs))
        with_values += mine["status"] == "success" and bool(mine["data"]["result"])
        reason, text = judged(asked, mine, other, theirs)
        if fresh and text and not reason and len(wrong) < MISTAKES_SHOWN:
            fresh()
            reason, text = judged(asked, mine, ask(theirs, asked), theirs)
            excused += [] if reason or text else ["gone with a fresh Prometheus"]
        if reason:
            excused.append(reason)
        elif text:
            wrong.append(f"{asked}\n    {text}")
    told = f"{told}: {len(wrong)} of {len(queries)} differ"
    assert not wrong, "\n".join([told, *wrong[:MISTAKES_SHOWN]])
    assert with_values > len(queries) / 2, f"only {with_values} of {len(queries)} queries have a value"
    return Counter(excused)


def ask(url: str, asked: dict) -> dict:
    return api(url, "query" if "time" in asked else "query_range", **asked).json()


def judged(asked: dict, mine: dict, other: dict, theirs: str) -> tuple[str | None, str | None]:
    """The entry that covers the difference, and what differs."""
    found = difference(mine, other)
    if found is None:
        return None, None
    kind, text = found
    return accepted(Difference(kind, asked["query"], mine, other, lambda query: ask(theirs, asked | {"query": query}))), text
