"""Where Mayfly's answers may differ from those of Prometheus 3.5: each entry names what made the difference, and covers its case only.

Mayfly follows Prometheus 3.14, whose own test files it passes."""


import json
import re


def accepted(kind: str, query: str, ours: dict, theirs: dict) -> str | None:
    """The entry that covers the difference, if there is one. `kind` is what differs: status, error, data or remarks."""
    for entry in ENTRIES:
        if entry(kind, query, ours, theirs):
            return entry.__doc__
    return None


def _order_of_duplicates(kind, query, ours, theirs):
    """Of several duplicates, and of their two series, 3.14 and Mayfly name the first by labels, 3.5 the first of its storage."""
    if kind != "error":
        return False
    start = "found duplicate series for the match group "
    return all(answer["error"].startswith(start) for answer in (ours, theirs))


def _position_of_subqueries(kind, query, ours, theirs):
    """3.5 says 1:1 for the place of every subquery in its remarks (it loses their position), Mayfly where they stand."""
    if kind != "remarks" or not re.search(r"\[\w+:\w*\]", query):
        return False
    place = re.compile(r" \(\d+:\d+\)$")
    mine, other = ([*answer.get("infos", []), *answer.get("warnings", [])] for answer in (ours, theirs))
    same_texts = sorted(place.sub("", text) for text in mine) == sorted(place.sub("", text) for text in other)
    return same_texts and all(text in mine or text.endswith(" (1:1)") for text in other)


def _matches_that_a_comparison_leaves_out(kind, query, ours, theirs):
    """3.14 counts pairs that a comparison filters away when it looks for ambiguous matches (its operators.test), 3.5 does not."""
    return (
        kind == "status"
        and ours["status"] == "error"
        and ours["error"].startswith("multiple matches for labels: ")
        and re.search(r" (==|!=|>|<|>=|<=) (?!bool)", query) is not None
    )


def _timestamp_of_a_pinned_selector(kind, query, ours, theirs):
    """3.5 misses samples in timestamp() of a selector with @ that it finds for the selector alone; Mayfly finds the same for both."""
    if kind != "data" or not re.search(r"timestamp\(\w+(\{[^}]*\})?[^()]* @ ", query):
        return False
    return len(theirs["data"]["result"]) < len(ours["data"]["result"])


def _median_of_nan(kind, query, ours, theirs):
    """In 3.14 mad_over_time of a window with NaN is NaN (its functions.test), in 3.5 NaN counts as the least value."""
    if kind != "data" or "mad_over_time" not in query:
        return False
    return "NaN" in json.dumps(ours["data"]["result"]) and "NaN" not in json.dumps(theirs["data"]["result"])


ENTRIES = [
    _order_of_duplicates,
    _position_of_subqueries,
    _matches_that_a_comparison_leaves_out,
    _median_of_nan,
    _timestamp_of_a_pinned_selector,
]
