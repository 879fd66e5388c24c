"""15: with `type-and-unit-labels`, what is pushed has the labels that a real Prometheus gives it when it scrapes a Pushgateway."""

from harness.http import api, call
from harness.mayfly import Mayfly
from harness.peers import Prometheus, Pushgateway
from harness.process import until

FEATURE = "--enable-feature=type-and-unit-labels"
BODY = b"""# TYPE t_runs_total counter
t_runs_total 3
# TYPE t_load gauge
t_load{disk="a"} 2
# TYPE t_plain untyped
t_plain 1
t_bare 1
# TYPE t_took summary
t_took{quantile="0.5"} 4
t_took_sum 8
t_took_count 2
# TYPE t_size histogram
t_size_bucket{le="1"} 1
t_size_bucket{le="+Inf"} 2
t_size_sum 5
t_size_count 2
"""
QUERIES = [
    '{__name__=~"t_.*"}',
    'count by (__type__) ({__name__=~"t_.*"})',
    'sum by (__name__, __type__) ({__name__=~"t_.*"})',
    '{__name__=~"t_.*", __type__="counter"}',
    "t_load * 2",
    "t_runs_total + ignoring (disk, __type__) t_load",
    "max_over_time(t_load[1m])",
    "last_over_time(t_load[1m])",
    'label_replace(t_load, "was", "$1", "__type__", "(.*)")',
]
# a type is a label like others where series find each other
NOTHING = "t_runs_total + ignoring (disk) t_load"
# of these the values differ, since pushes are no samples, but not what is said about them
REMARKS = ["rate(t_runs_total[20s])", "rate(t_load[20s])", "rate(t_plain[20s])", "increase(t_took_sum[20s])", "irate(t_load[20s])"]


def test_type_labels(tmp_path):
    gateway = Pushgateway(tmp_path)
    ours = Mayfly(tmp_path, tmp_path / "data", flags=(FEATURE,)).start()
    for base in (gateway.url, ours.gateway):
        assert call(base, "PUT", "/metrics/job/j/instance/i", BODY).status in (200, 202)
    target = gateway.url.removeprefix("http://")
    job = "{job_name: pushgateway, honor_labels: true, static_configs: [{targets: ['%s']}]}" % target
    theirs = Prometheus(tmp_path, f"scrape_configs: [{job}]\n", flags=(FEATURE,)).url

    def answer(url: str, query: str) -> dict:
        return api(url, "query", query=query).json()

    def scraped_twice() -> bool:
        rows = answer(theirs, "count_over_time(t_runs_total[20s])")["data"]["result"]
        return bool(rows) and float(rows[0]["value"][1]) >= 2

    until("two scrapes", scraped_twice, 30)
    for query in [*QUERIES, NOTHING]:
        mine, other = (answer(url, query)["data"]["result"] for url in (ours.query, theirs))
        rows = [sorted((sorted(row["metric"].items()), row["value"][1]) for row in rows) for rows in (mine, other)]
        assert rows[0] == rows[1] and bool(rows[0]) == (query != NOTHING), f"{query}: ours {rows[0]}, theirs {rows[1]}"
    for query in REMARKS:
        # in 3.14 histograms count as well, and the text says so
        remarks = [[text.replace(' or "histogram"', "") for text in answer(url, query).get("infos", [])] for url in (ours.query, theirs)]
        assert remarks[0] == remarks[1], f"{query}: ours {remarks[0]}, theirs {remarks[1]}"
