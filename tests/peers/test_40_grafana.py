"""40: Grafana's own data source code, in a real Chromium, finds with Mayfly what it finds with a real Prometheus that scrapes the same."""

import time

import pytest

from harness import GRAFANA
from harness.browser import Tab
from harness.http import call, instant
from harness.mayfly import Mayfly
from harness.peers import Prometheus
from harness.process import until

RULES = """
groups:
- name: sums
  interval: 1s
  rules:
  - record: job:rows:sum
    expr: sum by (job) (rows_total)
    labels: {kept: for_ever}
"""
BODY = """# HELP rows_total Rows of a table.
# TYPE rows_total counter
rows_total{{table="users"}} {0}
rows_total{{table="orders"}} 1000
# HELP took_seconds How long it took.
# TYPE took_seconds histogram
took_seconds_bucket{{le="0.5"}} 3
took_seconds_bucket{{le="+Inf"}} 4
took_seconds_sum 2.5
took_seconds_count 4
# HELP size_bytes Size of what was "written".
# TYPE size_bytes gauge
size_bytes 1e9
just_so 3
"""
# what Prometheus adds for each target
OF_SCRAPES = "up", "scrape_duration_seconds", "scrape_samples_post_metric_relabeling", "scrape_samples_scraped", "scrape_series_added"
# what Grafana's page would have
BOOT = """window.grafanaBootData = {
    settings: { featureToggles: {}, buildInfo: {}, datasources: {}, regionalFormat: "en" },
    user: { locale: "en", language: "en-US", timezone: "utc" },
    navTree: [],
}"""


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Mayfly with pushes, and a Prometheus that scrapes its gateway as if it were a Pushgateway; both with the same rule."""
    tmp_path = tmp_path_factory.mktemp("grafana")
    (tmp_path / "rules.yml").write_text(RULES)
    mayfly = Mayfly(tmp_path, tmp_path / "data", flags=("--rules", tmp_path / "rules.yml")).start()
    for at, group in enumerate(("backup/instance/db1", "backup/instance/db2", "etl/instance/db1")):
        assert call(mayfly.gateway, "PUT", f"/metrics/job/{group}", BODY.format(at)).status == 200
    target = mayfly.gateway.removeprefix("http://")
    # the labels of the target are those of a group, so that they are no more values than there are
    scrape = f"""rule_files: ['{tmp_path / "rules.yml"}']
scrape_configs:
- job_name: etl
  honor_labels: true
  static_configs: [{{targets: ['{target}'], labels: {{instance: db1}}}}]
"""
    prometheus = Prometheus(tmp_path, scrape)
    for base in (mayfly.query, prometheus.url):
        until(f"{base} has all", lambda: len(instant(base, "job:rows:sum")) == 2 and len(instant(base, "rows_total")) == 6, 30)
    mayfly.process.shared = prometheus.process.shared = True
    yield mayfly.query, prometheus.url
    mayfly.process.kill9()
    prometheus.process.kill9()


def answers(chromium, base: str, method: str, start: float, end: float) -> dict:
    """What the data source finds on a page of the server itself, which needs nobody's leave then."""
    tab = Tab(chromium, f"{base}/-/healthy")
    tab.page.evaluate(BOOT)
    tab.page.add_script_tag(path=GRAFANA)
    found = tab.page.evaluate("([method, start, end]) => window.answers(method, start, end)", [method, start, end])
    tab.close()
    return found


def without_scrapes(found):
    """The same without what Prometheus has of scrapes."""
    if isinstance(found, list):
        texts = [each["text"] if isinstance(each, dict) else each for each in found]
        return [each for each, text in zip(found, texts, strict=True) if text not in OF_SCRAPES]
    return {key: value for key, value in found.items() if key not in OF_SCRAPES} if isinstance(found, dict) else found


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_it_finds_the_same(both, chromium, method):
    end = time.time()
    ours, theirs = (answers(chromium, base, method, end - 60, end) for base in both)
    assert ours["asked"] == theirs["asked"]
    either = {f"{method} /api/v1/{path}" for path in ("labels", "series", "query", "query_exemplars")}
    assert set(ours["asked"]) == either | {f"GET /api/v1/{path}" for path in ("label/…/values", "metadata", "rules")}
    # nothing is told of it before a push has failed (docs/compatibility.md)
    del theirs["found"]["metadata"]["push_failure_time_seconds"]
    for what, expect in theirs["found"].items():
        assert ours["found"][what] == without_scrapes(expect), what
    # and it is something
    found = ours["found"]
    assert [each["text"] for each in found["label_values(job)"]] == ["backup", "etl"]
    assert [each["text"] for each in found["rows_total"]][0] == 'rows_total{instance="db1",job="backup",table="orders"}'
    assert found["metadata"]["rows_total"]["help"] == "Rows of a table." and found["histograms"] == ["took_seconds_bucket"]
    assert found["rules"].keys() == {"job:rows:sum"} and found["exemplars"]
