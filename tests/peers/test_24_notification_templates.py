"""24: templates of notifications come out as the real amtool expands them, errors included."""

import json
import subprocess
from pathlib import Path

import pytest

from harness.mayfly import built
from harness import PROGRAMS

FIRING = {
    "status": "firing",
    "labels": {"alertname": "Down", "instance": "a:1", "severity": "critical", "job": "x", "html": "<b>&'\""},
    "annotations": {"summary": "s <1>", "runbook": "http://rb?a=b&c=d"},
    "startsAt": "2026-01-02T03:04:05.123456789Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://p/graph?g0.expr=up+%3D%3D+0&g0.tab=1",
    "fingerprint": "abc",
}
RESOLVED = {
    "status": "resolved",
    "labels": {"alertname": "Down", "instance": "b:1", "severity": "warning", "job": "x"},
    "annotations": {},
    "startsAt": "2026-07-02T23:59:59Z",
    "endsAt": "2026-07-03T01:00:00Z",
    "generatorURL": "javascript:alert(1)",
    "fingerprint": "abd",
}
NOTIFICATION = {
    "receiver": "team/ä b&c",
    "status": "firing",
    "alerts": [FIRING, RESOLVED],
    "groupLabels": {"alertname": "Down"},
    "commonLabels": {"alertname": "Down", "job": "x"},
    "commonAnnotations": {},
    "externalURL": "http://am/prefix",
}
EMPTY = {"receiver": "", "status": "resolved", "alerts": [], "externalURL": "http://am"}
EMPTY |= {"groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}}

# what the definitions of the original are called, without those that need another value than the notification
DEFAULTS = [
    f"{kind}.default.{part}"
    for kind, parts in {
        "slack": "title username fallback callbackid pretext titlelink iconemoji iconurl text footer color",
        "pagerduty": "description client clientURL",
        "opsgenie": "message description source",
        "wechat": "message to_user to_party to_tag agent_id",
        "victorops": "state_message entity_display_name monitoring_tool",
        "pushover": "title message url",
        "sns": "subject message",
        "telegram": "message",
        "discord": "content title message",
        "webex": "message",
        "msteams": "summary title text",
        "msteamsv2": "title text",
        "jira": "summary description priority",
        "rocketchat": "title alias titlelink emoji iconurl text",
        "mattermost": "color username title titlelink fallback text",
        "email": "subject html",
    }.items()
    for part in parts.split()
]

TEXTS = [
    "{{ . }}",
    "{{ .CommonLabels }}|{{ .CommonAnnotations }}|{{ range .Alerts }}{{ .Labels.SortedPairs }}{{ end }}|{{ .CommonLabels.Names }}|{{ .CommonLabels.Values }}",
    '{{ printf "%T %T %T %T" .CommonLabels .CommonLabels.SortedPairs .Alerts (index .Alerts 0) }}',
    "{{ . | toJson }}",
    "{{ toJson .CommonLabels.SortedPairs }} {{ toJson .CommonLabels.Names }} {{ toJson (dict \"a\" 1.5 \"b\" (list 1 \"<\")) }} {{ toJson nil }}",
    "{{ range $k, $v := .CommonLabels }}{{ $k }}={{ $v }};{{ end }}{{ len .CommonLabels }}{{ index .CommonLabels \"x\" }}",
    "{{ range .Alerts.Firing }}{{ .Labels.SortedPairs }}{{ .StartsAt }} {{ .EndsAt }} {{ .EndsAt.IsZero }}{{ end }}",
    "{{ range .Alerts }}{{ .StartsAt.Format \"2006-01-02 15:04:05.000 MST\" }} {{ date \"Mon 15:04 MST -0700\" (tz \"Europe/Paris\" .StartsAt) }};{{ end }}",
    "{{ range .Alerts }}{{ (.StartsAt | tz \"Asia/Kolkata\").Hour }} {{ .StartsAt | tz \"America/St_Johns\" }};{{ end }}",
    '{{ tz "Nope" now }}',
    "{{ .Alerts.Firing | len }} {{ len .Alerts.Resolved }} {{ if .Alerts.Resolved }}some{{ end }}{{ if .CommonAnnotations }}some{{ else }}none{{ end }}",
    '{{ .CommonLabels.Remove (stringSlice "job") }}|{{ with .CommonLabels.Remove .GroupLabels.Names }}{{ .Values | join " " }}{{ end }}',
    '{{ list "a" 1 }} {{ append (list "a") "b" }} {{ dict "a" 1 "b" "x" }} {{ printf "%T %T" (list 1) (dict) }}',
    '{{ dict "a" }}',
    "{{ dict 1 2 }}",
    '{{ "HELLO wORLD it\'s o\'neil" | title }} {{ "Abc" | toUpper }} {{ "ABC" | toLower }} [{{ trimSpace "  x " }}]',
    '{{ urlUnescape "a%20b+c%C3%A4" }}',
    '{{ urlUnescape "%zz" }}',
    '{{ join "," .CommonLabels.Names }} {{ stringSlice "a" "b" | join "-" }}',
    '{{ match "^a.c$" "abc" }} {{ reReplaceAll "(a)(n)?" "<$1>" "banana" }}',
    '{{ humanizeDuration 3661 }} {{ humanizeDuration 0.25 }} {{ humanizeDuration "100000" }}',
    '{{ humanizeDuration "x" }}',
    "{{ .Nope }}",
    "{{ .CommonLabels.nope }}|{{ .CommonLabels.alertname.x }}",
    "{{ nope }}",
    "{{ humanize 1 }}",
    '{{ define "x" }}<{{ . }}>{{ end }}{{ template "x" .Status }}',
    "{{ if }}",
    "{{ with }}",
    "{{ range }}{{ else if }}",
    "{{ if .Status }}",
    "{{ end }}",
    '{{ define "__subject" }}mine{{ end }}{{ template "slack.default.title" . }}',
    "{{ $x := 1 }}{{ range .Alerts }}{{ $x = len .Labels }}{{ end }}{{ $x }}",
    "{{ .Receiver | urlquery }} {{ .Receiver | html }} {{ html .Receiver }} {{ urlquery .Receiver \"&\" }}",
    "{{ (index .Alerts 7).Status }}",
    "{{ slice .Status 1 3 }} {{ index .Alerts 0 | toJson }}",
    '{{ safeHtml "<b>" }}{{ safeUrl "javascript:x" }}',
]

# HTML has another message for it
PLAIN = ['{{ template "nope" . }}', '{{ template "nope" }}', '{{ template "nope" .Alerts.Firing | len }}']

# what stands in HTML, by where it stands
HTML = [
    "<p title='{{ (index .Alerts 0).Labels.html }}'>{{ (index .Alerts 0).Labels.html }}</p>",
    "{{ range .Alerts }}<a href=\"{{ .GeneratorURL }}\">{{ .Annotations.summary }}</a>{{ end }}",
    "<a href='http://x/?r={{ .Receiver }}&s={{ .Receiver | urlquery }}'>{{ .CommonLabels }}</a><!-- gone {{ .Status }} -->",
    '{{ safeHtml "<b>" }}<a href="{{ safeUrl "javascript:x" }}">{{ .Receiver | html }}</a>',
    "<script>var a = {{ .Status }}; var b = '{{ .Receiver }}';</script><p style='color: {{ .Status }}'>",
    "{{ range .Alerts }}{{ .StartsAt }}{{ .Labels.SortedPairs.Names }}{{ end }}",
    '<a href="',
]


@pytest.fixture(scope="module")
def notifications(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("notifications")
    files = []
    for name, notification in (("full", NOTIFICATION), ("empty", EMPTY)):
        files.append(folder / f"{name}.json")
        files[-1].write_text(json.dumps(notification))
    return files


def expanded(program: Path, text: str, kind: str, data: Path, definitions: str) -> tuple[int, str]:
    """The exit code, and the text or the message without the program's name."""
    command = [program, "template", "render", "--template.text", text, "--template.type", kind]
    command += ["--template.data", data, "--template.glob", definitions]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if ended.returncode:
        return 1, ended.stderr.strip().removeprefix("amtool: error: ").removeprefix("mayfly: ")
    return 0, ended.stdout


@pytest.mark.parametrize("kind", ["text", "html"])
def test_same_as_amtool(notifications, kind):
    definitions = str(PROGRAMS.parent / "share/prometheus/alertmanager/*.tmpl")
    texts = [f'{{{{ template "{name}" . }}}}' for name in DEFAULTS] + TEXTS + (HTML if kind == "html" else PLAIN)
    wrong = []
    for data in notifications:
        for text in texts:
            ours, theirs = (expanded(program, text, kind, data, definitions) for program in (built("mayfly"), PROGRAMS / "amtool"))
            if ours != theirs:
                wrong.append((data.stem, text, ours, theirs))
    for data, text, ours, theirs in wrong:
        print(f"{data}: {text}\n  ours   {ours}\n  theirs {theirs}")
    assert not wrong, f"{len(wrong)} of {len(texts) * len(notifications)} differ"
