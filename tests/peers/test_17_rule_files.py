"""17: `mayfly check rules` and `mayfly test rules` print what the real promtool prints, and end as it does."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from harness.mayfly import built
from harness.peers import PROGRAMS

RULES = """
groups:
- name: g
  rules:
  - {record: double, expr: 2 * x}
  - alert: High
    expr: double > 4
    for: 2m
    labels: {severity: page}
    annotations: {text: '{{ $labels.i }} is {{ $value | humanize }}'}
  - {alert: Shown, expr: h, annotations: {text: '{{ $value }} {{ with query "h" }}{{ . | first | value }}{{ end }}'}}
"""

# tests that pass and tests that fail in every way there is
TESTS = """
rule_files: [rules.yml, nope*.yml]
evaluation_interval: 1m
tests:
- name: what is seen between two evaluations
  interval: 10s
  input_series:
  - {series: a, values: 0+1x20}
  - {series: 'x{i="1"}', values: 1+1x30 _x3 stale}
  - {series: h, values: '{{schema:0 sum:-0.3 count:32.1 z_bucket:3 z_bucket_w:0.25 buckets:[5.1 0 7 1e6] n_buckets:[2.5]}}'}
  promql_expr_test:
  - {expr: a, eval_time: 1m30s, exp_samples: [{labels: a, value: 99}]}
  - {expr: a*0/0, eval_time: 1m30s, exp_samples: [{value: .nan}]}
  - {expr: 'a[1m]', eval_time: 1m30s}
  - {expr: '"x"', eval_time: 1m30s}
  - {expr: 'a b', eval_time: 1m30s}
  - {expr: h, eval_time: 1m30s}
  - {expr: '1', eval_time: 1m30s, exp_samples: [{labels: 'a{', value: 1}]}
  - {expr: '1', eval_time: 1m30s, exp_samples: [{labels: a, histogram: '1', value: 1}]}
  - {expr: 'label_replace(vector(1), "é-x", "é\\n\\"", "", "")', eval_time: 1m30s}
  - {expr: 'count_over_time(a[1m:])', eval_time: 2m, exp_samples: [{labels: '{}', value: 7}]}
  - {expr: double, eval_time: 7m, exp_samples: []}
  - {expr: ALERTS, eval_time: 5m, exp_samples: []}
  alert_rule_test:
  - {alertname: High, eval_time: 0, exp_alerts: [{exp_labels: {é-y: a, b: "1"}, exp_annotations: {x: "a\\nb"}}, {}]}
  - {alertname: High, eval_time: 4m, exp_alerts: []}
  - {alertname: Shown, eval_time: 0, exp_alerts: []}
  - alertname: High
    eval_time: 4m
    exp_alerts: [{exp_labels: {i: "1", severity: page}, exp_annotations: {text: 1 is 50}}]
- name: a test without a name of an alert
  alert_rule_test: [{eval_time: 5m}]
"""

# what promtool 3.5 says of a map is in no fixed order, and it knows fewer features than the releases behind it
UNORDERED = re.compile(r"on the right hand-side of the operation: .*?;")
NEWER = ("features.yml", "duplicate_grp.bad.yaml", "good-sd-file.yml")


def told(program, arguments, folder):
    ended = subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
    return ended.returncode, UNORDERED.sub("", ended.stdout), UNORDERED.sub("", ended.stderr)


def same(arguments, folder):
    arguments = [str(argument) for argument in arguments]
    assert told(built("mayfly"), arguments, folder) == told(PROGRAMS / "promtool", arguments, folder), arguments


def test_own_files(tmp_path):
    (tmp_path / "rules.yml").write_text(RULES)
    (tmp_path / "tests.yml").write_text(TESTS)
    code, _, err = told(PROGRAMS / "promtool", ["test", "rules", "tests.yml"], tmp_path)
    assert code == 1 and err.count("expr: ") == 11, err
    same(["test", "rules", "tests.yml"], tmp_path)
    same(["test", "rules", "--run", "alert$", "tests.yml"], tmp_path)
    same(["check", "rules", "rules.yml"], tmp_path)


@pytest.mark.parametrize("folder", ["rules", "rulefmt"])
def test_files_of_upstream(folder):
    root = os.environ.get("MAYFLY_CONFORMANCE")
    if not root:
        assert os.environ.get("CI") != "true", "MAYFLY_CONFORMANCE is not set"
        pytest.skip("MAYFLY_CONFORMANCE does not name the folder of upstream's files")
    folder = Path(root) / folder
    files = [path.name for path in sorted(folder.iterdir()) if path.name not in NEWER]
    assert len(files) > 10
    for name in files:
        same(["check", "rules", name], folder)
        if "tests:" in (folder / name).read_text():
            same(["test", "rules", name], folder)
