"""23: a real Prometheus and Mayfly with the same configuration, rules and data, each sending to its own real Alertmanager: the same
alerts in the same order, at the same evaluation."""

import math
import time
import urllib.parse
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Gauge, delete_from_gateway, push_to_gateway

from harness import remote_write
from harness.http import data
from harness.mayfly import Mayfly
from harness.peers import Alertmanager, Prometheus, Pushgateway, Webhook
from harness.process import until

RULES = """
groups:
- name: disks
  interval: 3s
  labels: {group: disks}
  rules:
  - {record: disks:low, expr: count(disk_free < 10) or vector(0)}
  - alert: DiskLow
    expr: disk_free < 10
    labels: {severity: '{{ if lt $value 5.0 }}page{{ else }}ticket{{ end }}', replica: from rule}
    annotations:
      summary: '{{ $labels.host }} has {{ $value | humanize }} left in {{ $externalLabels.cluster }}'
      others: '{{ range query "disk_free" | sortByLabel "host" }}{{ .Labels.host }}={{ .Value }} {{ end }}'
  - {alert: SeveralDisksLow, expr: 'count(ALERTS{alertname="DiskLow", alertstate="firing"}) == 2'}
  - {alert: RecordedLow, expr: disks:low > 1, for: 3s, annotations: {value: '{{ $value }}'}}
- name: queues
  interval: 3s
  labels: {group: queues}
  rules:
  - {alert: QueueLong, expr: queue_length > 3, for: 6s}
  - {alert: Errors, expr: errors > 0, for: 3s, keep_firing_for: 6s, annotations: {value: '{{ $value }}'}}
  - {alert: Dropped, expr: errors > 0}
- name: presence
  interval: 4s
  query_offset: 1s
  labels: {group: presence}
  rules:
  - {alert: Silent, expr: 'absent(heartbeat{job="batch"}) and on () queue_length{queue="long"}', for: 4s, annotations: {summary: '{{ $labels.job }} is silent'}}
  - {alert: Late, expr: time() - last_success > 10, annotations: {seconds: '{{ $value | humanizeDuration }}'}}
  - {alert: Limited, expr: disk_free}
"""

CONFIG = """
global: {external_labels: {cluster: c1, replica: r0}}
rule_files: [rules.yml]
alerting:
  alert_relabel_configs:
  - {action: labeldrop, regex: replica}
  - {action: drop, source_labels: [alertname], regex: Dropped|Limited}
  alertmanagers: [{static_configs: [{targets: ['%s']}]}]
"""

# what is not low is high enough; the story lasts so many seconds, a sample a second
SECONDS = 36
STORY = {
    ("disk_free", "host", "a"): lambda t: 3 if 10 <= t < 22 else 100,
    ("disk_free", "host", "b"): lambda t: 7.5 if 14 <= t < 27 else 100,
    ("queue_length", "queue", "long"): lambda t: 9 if 10 <= t < 24 else 0,
    # pending, but not for long enough
    ("queue_length", "queue", "brief"): lambda t: 9 if 14 <= t < 18 else 0,
    ("errors", "code", "500"): lambda t: t if 10 <= t < 18 else 0,
    ("heartbeat", "job", "batch"): lambda t: 1 if t < 12 or t >= 24 else None,
    # seconds since the epoch, as jobs tell when they were done
    ("last_success", "job", "batch"): lambda t: (0, 26)[t >= 26],
}


@dataclass(frozen=True, order=True)
class Event:
    """What a receiver heard, and the evaluation by which it began or ended."""

    slot: str
    status: str
    labels: tuple
    annotations: tuple
    starts_at: str
    generator: str


def events(webhook: Webhook) -> list[Event]:
    """In the order of their arrival."""
    found = []
    for alert in [alert for note in list(webhook.notifications) for alert in note["alerts"]]:
        url = urllib.parse.urlsplit(alert["generatorURL"])
        slot = alert["startsAt"] if alert["status"] == "firing" else alert["endsAt"]
        pairs = (tuple(sorted(alert[field].items())) for field in ("labels", "annotations"))
        found.append(Event(slot, alert["status"], *pairs, alert["startsAt"], f"{url.path}?{url.query}"))
    return found


def story(start: int) -> list:
    series = []
    for (name, label, value), at in STORY.items():
        samples, was = [], False
        for second in range(SECONDS + 20):
            now = at(second)
            if now is not None and name == "last_success":
                now += start
            if now is not None or was:
                samples.append(((start + second) * 1000, remote_write.STALE if now is None else float(now)))
            was = now is not None
        series.append(({"__name__": name, label: value}, samples))
    return series


@pytest.fixture
def webhooks():
    both = Webhook(), Webhook()
    yield both
    for webhook in both:
        webhook.stop()


def both(tmp_path: Path, webhooks, rules: str, prometheus_more: str = "", **prometheus) -> tuple[Mayfly, Prometheus]:
    """The two servers: one rule file, so one name for its groups, which sets when they are evaluated."""
    (tmp_path / "rules.yml").write_text(rules)
    configs = []
    for name, webhook, more in zip(("mayfly", "prometheus"), webhooks, ("", prometheus_more)):
        folder = tmp_path / f"alertmanager-{name}"
        folder.mkdir()
        alertmanager = Alertmanager(folder, webhook.url, "...")
        configs.append(tmp_path / f"{name}-config.yml")
        configs[-1].write_text(CONFIG % alertmanager.url.removeprefix("http://") + more)
    mayfly = Mayfly(tmp_path, tmp_path / "data", flags=("--config.file", configs[0]))
    prometheus = Prometheus(tmp_path, config=configs[1], **prometheus)
    # it finds its Alertmanager some seconds after it is ready; alerts before that are lost
    until("an Alertmanager", lambda: data(prometheus.url, "alertmanagers")["activeAlertmanagers"], 30)
    return mayfly.start(), prometheus


def in_order(found: list[Event]):
    """What came earlier is of an earlier evaluation, or of the same, group by group."""
    for group in {dict(event.labels)["group"] for event in found}:
        slots = [event.slot for event in found if dict(event.labels)["group"] == group]
        assert slots == sorted(slots), (group, found)


def test_samples_known_in_advance(tmp_path, webhooks):
    """Both get the whole story at once, with the times of its samples lying ahead. So they see the same at each evaluation, however
    busy the machine is, and have to agree to the millisecond."""
    mayfly, prometheus = both(tmp_path, webhooks, RULES, flags=("--web.enable-remote-write-receiver",))
    start = math.ceil(time.time())
    for base in (mayfly.query, prometheus.url):
        answer = remote_write.write(base, story(start))
        assert answer.status in (200, 204), answer.text
    time.sleep(start + SECONDS - time.time())

    def agree():
        ours, theirs = (sorted(set(events(webhook))) for webhook in webhooks)
        assert ours == theirs
        return ours

    told = until("the same alerts", agree, 20)
    for webhook in webhooks:
        found = events(webhook)
        assert len(found) == len(set(found)), found
        in_order(found)
    names = sorted((dict(event.labels)["alertname"], event.status) for event in told)
    once = ["Errors", "Late", "QueueLong", "RecordedLow", "SeveralDisksLow", "Silent"]
    expected = [(name, status) for name in [*once, "DiskLow", "DiskLow"] for status in ("firing", "resolved")]
    assert names == sorted(expected)
    assert {dict(event.labels)["cluster"] for event in told} == {"c1"}
    assert not any("replica" in dict(event.labels) for event in told)

    # and what rules wrote on the way, where a series ended included; Prometheus writes no ALERTS in its first two evaluations
    for query in ("ALERTS", "ALERTS_FOR_STATE", "disks:low"):
        window = {"query": query, "start": start + 9, "end": start + SECONDS - 4, "step": "500ms"}
        ours, theirs = (data(base, "query_range", **window) for base in (mayfly.query, prometheus.url))
        by_labels = lambda answer: sorted(answer["result"], key=lambda series: sorted(series["metric"].items()))
        assert by_labels(ours) == by_labels(theirs), query
        assert ours["result"], query


PUSHED = """
groups:
- name: jobs
  interval: 1s
  labels: {group: jobs}
  rules:
  - {alert: Failed, expr: exit_code > 0, for: 1s, annotations: {summary: '{{ $labels.job }} ended with {{ $value }}'}}
  - {alert: Absent, expr: 'absent(exit_code{job="late"}) and on () exit_code{job="early"} == 3'}
  - {alert: Stale, expr: time() - push_time_seconds > 6}
"""


def test_pushes(tmp_path, webhooks):
    """Mayfly is pushed to; the real Pushgateway is, too, and Prometheus scrapes that every half second. Each push is made when both
    have told of the one before."""
    pushgateway = Pushgateway(tmp_path)
    target = pushgateway.url.removeprefix("http://")
    scrape = "scrape_configs:\n- {job_name: pushgateway, scrape_interval: 500ms, scrape_timeout: 500ms, honor_labels: true, %s}\n"
    scrape %= "metric_relabel_configs: [{action: labeldrop, regex: instance}], static_configs: [{targets: ['%s']}]" % target
    mayfly, prometheus = both(tmp_path, webhooks, PUSHED, scrape)
    gateways = (mayfly.gateway, pushgateway.url)
    slot = lambda event: datetime.fromisoformat(event.slot).timestamp()

    def push(job: str, code: int):
        registry = CollectorRegistry()
        Gauge("exit_code", "Exit code.", registry=registry).set(code)
        for gateway in gateways:
            push_to_gateway(gateway, job=job, registry=registry)

    def told(alertname: str, status: str, job: str):
        """Waits until both have; then they have told of the same, once, at evaluations as near to each other as pushing to one after
        the other, scraping every half second and a busy machine allow."""

        def found():
            wanted = lambda event: (event.status, dict(event.labels)["alertname"], dict(event.labels)["job"]) == (status, alertname, job)
            ours, theirs = ([event for event in events(webhook) if wanted(event)] for webhook in webhooks)
            assert len(ours) == len(theirs) == 1, (ours, theirs)
            return ours + theirs

        ours, theirs = until(f"{alertname} of {job} is {status}", found, 30)
        assert (ours.labels, ours.annotations, ours.generator) == (theirs.labels, theirs.annotations, theirs.generator)
        assert abs(slot(ours) - slot(theirs)) <= 5, (ours, theirs)

    push("early", 3)
    told("Failed", "firing", "early")
    told("Absent", "firing", "late")
    push("late", 0)
    told("Absent", "resolved", "late")
    push("late", 4)
    told("Failed", "firing", "late")
    push("early", 0)
    told("Failed", "resolved", "early")
    told("Stale", "firing", "late")
    for gateway in gateways:
        delete_from_gateway(gateway, job="late")
    told("Failed", "resolved", "late")
    told("Stale", "resolved", "late")
