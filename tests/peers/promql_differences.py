"""Where Mayfly's answers may differ from those of Prometheus 3.5: each entry names what made the difference, and covers its case only.

Mayfly follows Prometheus 3.14, whose own test files it passes."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Difference:
    """Two answers to one query. `kind` is what differs: status, error, data or remarks; `again` asks Prometheus about another query."""

    kind: str
    query: str
    ours: dict
    theirs: dict
    again: Callable[[str], dict]


def accepted(difference: Difference) -> str | None:
    """The entry that covers the difference, if there is one."""
    for entry in ENTRIES:
        if entry(difference):
            return entry.__doc__
    return None


DUPLICATES = re.compile(
    r"found duplicate series for the match group \{(?P<group>.*)\} on the (?P<side>left|right) hand-side of the operation: "
    r"\[(?P<first>.*), (?P<second>\w*\{.*)\];many-to-many matching not allowed: matching labels must be unique on one side"
)


def _order_of_duplicates(case):
    """Of several duplicates, and of their two series, 3.14 and Mayfly name the first by labels, 3.5 the first of its storage."""
    if case.kind != "error":
        return False
    mine, other = (DUPLICATES.fullmatch(answer["error"]) for answer in (case.ours, case.theirs))
    return bool(mine and other) and mine["side"] == other["side"] and mine["group"] <= other["group"]


COMPARISON = re.compile(r" (==|!=|>|<|>=|<=) (?!bool)")


def _matches_that_a_comparison_leaves_out(case):
    """3.14 counts pairs that a comparison filters away when it looks for ambiguous matches (its operators.test), 3.5 does not.

    It does where nothing is filtered away: with `bool`."""
    if case.kind != "status" or case.ours["status"] != "error" or not COMPARISON.search(case.query):
        return False
    unfiltered = case.again(COMPARISON.sub(r" \1 bool ", case.query))
    return case.ours["error"].startswith("multiple matches for labels: ") and case.ours["error"] == unfiltered.get("error")


def _timestamp_of_a_pinned_selector(case):
    """3.5 misses samples in timestamp() of a selector with @ that it finds for the selector alone; Mayfly finds the same for both."""
    if case.kind != "data" or not re.search(r"timestamp\(\w+(\{[^}]*\})?[^()]* @ ", case.query):
        return False
    mine, other, found = (_times(answer) for answer in (case.ours, case.theirs, case.again(case.query.replace("timestamp(", "abs("))))
    return other != mine and other.items() <= mine.items() and mine == found


def _times(answer):
    """The times of every series."""
    if answer["status"] != "success" or answer["data"]["resultType"] not in ("vector", "matrix"):
        return {}
    rows = answer["data"]["result"]
    points = [(row["metric"], [*row.get("values", []), *row.get("histograms", []), *([row["value"]] if "value" in row else [])]) for row in rows]
    return {tuple(sorted(metric.items())): tuple(at for at, _ in values) for metric, values in points}


def _median_of_nan(case):
    """In 3.14 mad_over_time of a window with NaN is NaN (its functions.test), in 3.5 NaN counts as the least value."""
    if case.kind != "data" or "mad_over_time" not in case.query:
        return False
    return "NaN" in json.dumps(case.ours["data"]["result"]) and "NaN" not in json.dumps(case.theirs["data"]["result"])


LEFT_OUT = ("vector contains histograms with incompatible custom buckets", "incompatible bucket layout encountered for binary operator")
RECONCILED = "mismatched custom buckets were reconciled during"
# of which elements there are, or the sum of elements that are themselves computed, so that some may be left out
OF_ALL_ELEMENTS = re.compile(
    r"\b(count|group|min|max|stddev|topk|bottomk|absent|unless|or|count_over_time|changes|resets)\b"
    r"|\b(sum|avg) (by|without) \([^)]*\) \((?!\w+(\{[^}]*\})?( offset \w+)?\))"
)
# what is said of elements that 3.5 has left out
OF_THOSE_LEFT_OUT = "ignored histogram in "


def _custom_buckets_that_do_not_fit(case):
    """3.14 reconciles custom buckets with other bounds and says so (3.8, #17278), 3.5 leaves the elements out and warns.

    So Mayfly has all that 3.5 has, and more. Where an answer depends on which elements there are, it may be another."""
    if case.kind not in ("data", "remarks") or "nhcb" not in case.query:
        return False
    left_out = any(text in remark for text in LEFT_OUT for remark in _remarks(case.theirs))
    if not left_out or not any(RECONCILED in remark for remark in _remarks(case.ours)):
        return False
    if case.kind == "remarks":
        return _same_remarks(case, (*LEFT_OUT, RECONCILED, OF_THOSE_LEFT_OUT))
    if OF_ALL_ELEMENTS.search(case.query):
        return True
    mine, other = (_points(answer) for answer in (case.ours, case.theirs))
    return len(other) < len(mine) and all(key in mine and _close(mine[key], value) for key, value in other.items())


def _points(answer):
    """All values by labels and time."""
    rows = answer["data"]["result"]
    points = [(row["metric"], [*row.get("values", []), *row.get("histograms", []), *(row[key] for key in ("value", "histogram") if key in row)]) for row in rows]
    return {(*sorted(metric.items()), at): value for metric, values in points for at, value in values}


def _close(mine, other):
    """Whether two values are the same but for their last digits."""
    pairs = list(zip(_numbers(mine), _numbers(other)))
    same = (a == b or a != a and b != b or abs(a - b) <= 1e-9 * max(abs(a), abs(b)) + 1e-9 for a, b in pairs)
    return len(pairs) == len(_numbers(mine)) == len(_numbers(other)) and all(same)


def _numbers(value):
    """All numbers of a float or of a histogram."""
    if isinstance(value, dict):
        value = list(value.values())
    return [number for part in value for number in _numbers(part)] if isinstance(value, list) else [float(value)]


def _ties(case):
    """Of equal values topk and bottomk take the first by labels; Prometheus has no order for them in range queries (its issue 15908)."""
    if case.kind != "data" or not case.query.startswith(("topk(", "bottomk(")):
        return False
    return _values_by_time(case.ours) == _values_by_time(case.theirs)


def _values_by_time(answer):
    points = [point for row in answer["data"]["result"] for point in row.get("values", [row.get("value")])]
    # zero of either sign is the same
    return sorted((at, str(float(value) + 0.0)) for at, value in points)


def _mean_of_infinities(case):
    """3.5 comes to means of histograms by subtraction, so that infinite ones give NaN; 3.14 adds shares up (#17312)."""
    if case.kind != "data" or not re.search(r"avg.* / 0", case.query):
        return False
    mine, other = (re.findall(r'"[^"]*"', json.dumps(answer["data"]["result"])) for answer in (case.ours, case.theirs))
    return len(mine) == len(other) and all(a == b or b == '"NaN"' for a, b in zip(mine, other))


def _negation_of_series_that_meet(case):
    """In 3.14 series that become the same by negation are joined where they have no time in common (its operators.test), 3.5 refuses."""
    if case.kind != "status" or "-(" not in case.query or case.theirs.get("error") != "vector cannot contain metrics with the same labelset":
        return False
    return _times(case.ours) == _times(case.again(case.query.replace("-(", "1 * (")))


# of the selector of several metrics that queries have, and its metrics
SEVERAL, EACH = '{__name__=~"g2?",job="a"}', ['g{job="a"}', 'g2{job="a"}']


def _windows_of_series_that_meet(case):
    """3.14 joins series that become the same by a function over ranges where they have no time in common (#18631), 3.5 refuses."""
    if case.kind != "status" or case.theirs.get("error") != "vector cannot contain metrics with the same labelset":
        return False
    if f"({SEVERAL}[" not in case.query:
        return False
    joined: dict = {}
    for alone in EACH:
        for labels, times in _times(case.again(case.query.replace(SEVERAL, alone))).items():
            joined.setdefault(labels, set()).update(times)
    return {labels: set(times) for labels, times in _times(case.ours).items()} == joined


def _other_remarks(case):
    """Remarks that 3.5 does not make, or words otherwise: see REMARKS."""
    return case.kind == "remarks" and _same_remarks(case, ())


def _same_remarks(case, besides):
    """Whether the remarks are the same but for what REMARKS lists, `besides` those with one of these texts."""
    mine, other = ({text for text in _remarks(answer) if not any(part in text for part in besides)} for answer in (case.ours, case.theirs))
    for rule in REMARKS:
        mine, other = rule(case, mine, other)
    return mine == other


PLACE = re.compile(r" \(\d+:\d+\)$")
OF_HISTOGRAMS = (
    "bucket label ",
    "input to histogram_fraction has NaN observations",
    "input to histogram_quantile has NaN observations",
    "input to histogram_quantile needed to be fixed",
    "vector contains a mix of classic and native histograms",
)


def _without_names(case, mine, other):
    """3.14 names the metric in remarks of functions of histograms only with delayed name removal (its annotations.go), 3.5 always.

    Without their names some are the same, and the first place stays."""
    named = {text for text in other if text.split(": ", 1)[1].startswith(OF_HISTOGRAMS)}
    texts = {PLACE.sub("", text) for text in mine}
    bare = {re.sub(r" for metric name \"[^\"]*\"", "", text) for text in named}
    return mine, other - named | {text for text in bare if text in mine or PLACE.sub("", text) not in texts}


def _places_in_subqueries(case, mine, other):
    """3.5 says 1:1 for the place of what is in a subquery, whose position it loses; 3.14 and Mayfly say where it stands."""
    if not re.search(r"\[\w+:\w*\]", case.query):
        return mine, other
    texts = {PLACE.sub("", text) for text in mine}
    lost = {text for text in other - mine if text.endswith(" (1:1)") and PLACE.sub("", text) in texts}
    same = {PLACE.sub("", text) for text in lost}
    return {text for text in mine if text in other or PLACE.sub("", text) not in same}, other - lost


def _place_of_fractions(case, mine, other):
    """3.5 gives the place of the first argument of histogram_fraction where observations are NaN, 3.14 that of the last."""
    mine, other = (
        {PLACE.sub("", text) if "input to histogram_fraction has NaN" in text else text for text in texts} for texts in (mine, other)
    )
    return mine, other


def _name_of_mixed_buckets(case, mine, other):
    """The name is that of the first series that does not fit, and Prometheus has no order of what `or` gives in range queries."""
    if " or " not in case.query:
        return mine, other
    name = re.compile(r"(vector contains a mix of histograms with exponential and custom buckets schemas for metric name) \"[^\"]*\"")
    return ({name.sub(r"\1", text) for text in texts} for texts in (mine, other))


def _conflicting_resets(case, mine, other):
    """3.14 warns where histograms with contradicting reset hints are added up (#17051, #17094, #17312), 3.5 does not."""
    return {text for text in mine if "conflicting counter resets during histogram" not in text}, other


def _negative_histograms(case, mine, other):
    """In 3.14 a histogram times a negative number is a gauge (its native_histograms.test), in 3.5 it stays a counter."""
    if not re.search(r"-\(|[*/] -1", case.query):
        return mine, other
    about = {text for text in mine ^ other if re.search("this native histogram metric is not a (gauge|counter)", text)}
    return mine - about, other - about


def _sort_of_ranges(case, mine, other):
    """3.14 warns that sorting is of no use in range queries (its functions.test), 3.5 does not."""
    return {text for text in mine if "sort is ineffective for range queries" not in text}, other


def _remarks_of_one_operation(case, mine, other):
    """3.5 keeps the last remark of a binary operation at each time only; Mayfly tells all of them (docs/compatibility.md)."""
    about = {text for text in mine | other if " encountered for binary operator " in text}
    return (mine - about, other - about) if other & about < mine & about else (mine, other)


REMARKS = [
    _place_of_fractions,
    _without_names,
    _places_in_subqueries,
    _name_of_mixed_buckets,
    _conflicting_resets,
    _negative_histograms,
    _sort_of_ranges,
    _remarks_of_one_operation,
]


def _remarks(answer):
    return sorted([*answer.get("infos", []), *answer.get("warnings", [])])


ENTRIES = [
    _order_of_duplicates,
    _matches_that_a_comparison_leaves_out,
    _median_of_nan,
    _timestamp_of_a_pinned_selector,
    _custom_buckets_that_do_not_fit,
    _ties,
    _mean_of_infinities,
    _negation_of_series_that_meet,
    _windows_of_series_that_meet,
    _other_remarks,
]
