"""05: a rule on a pushed metric reaches a real Alertmanager as firing, and as resolved after the metric changes."""

import pytest
from prometheus_client import CollectorRegistry, Gauge, push_to_gateway

from harness.mayfly import Mayfly
from harness.peers import Alertmanager, Webhook
from harness.process import until

RULES = """
groups:
- name: jobs
  rules:
  - alert: BackupFailed
    expr: backup_exit_code{job="backup"} > 0
    for: 1s
    labels:
      severity: page
      team: "{{ $labels.team }}"
    annotations:
      summary: '{{ $labels.job }} ended with code {{ $value }}'
"""


def push(server: Mayfly, code: int):
    registry = CollectorRegistry()
    Gauge("backup_exit_code", "Exit code.", ["team"], registry=registry).labels("storage").set(code)
    push_to_gateway(server.gateway, job="backup", registry=registry)


@pytest.fixture
def webhook():
    receiver = Webhook()
    yield receiver
    receiver.stop()


@pytest.fixture
def alertmanager(tmp_path, webhook):
    return Alertmanager(tmp_path, webhook.url)


def flags(tmp_path, alertmanager) -> tuple:
    rules = tmp_path / "rules.yml"
    rules.write_text(RULES)
    return ("--rules", rules, "--alertmanager.url", alertmanager.url, "--evaluation-interval", "1s")


def test_firing_then_resolved(tmp_path, webhook, alertmanager):
    server = Mayfly(tmp_path, tmp_path / "data", flags=flags(tmp_path, alertmanager)).start()
    push(server, 0)
    push(server, 3)
    firing = until("firing", lambda: webhook.with_status("firing"), 20)[0]
    labels = {"alertname": "BackupFailed", "job": "backup", "severity": "page", "team": "storage"}
    assert firing["labels"] == labels
    assert firing["annotations"] == {"summary": "backup ended with code 3"}
    (active,) = alertmanager.alerts()
    assert (active["labels"], active["status"]["state"]) == (labels, "active")

    assert webhook.with_status("resolved") == []
    push(server, 0)
    resolved = until("resolved", lambda: webhook.with_status("resolved"), 20)[0]
    assert (resolved["labels"], resolved["startsAt"]) == (labels, firing["startsAt"])
    until("gone from the list", lambda: alertmanager.alerts() == [])


def test_a_firing_alert_survives_kill9_of_the_server(tmp_path, webhook, alertmanager):
    server = Mayfly(tmp_path, tmp_path / "data", flags=flags(tmp_path, alertmanager)).start()
    push(server, 1)
    firing = until("firing", lambda: webhook.with_status("firing"), 20)[0]
    server.restart_after_kill9()
    push(server, 0)
    resolved = until("resolved", lambda: webhook.with_status("resolved"), 20)[0]
    # the same alert since the same time: the state lies in the store, not in the process
    assert resolved["startsAt"] == firing["startsAt"]
    assert {alert["startsAt"] for alert in webhook.with_status("firing")} == {firing["startsAt"]}
