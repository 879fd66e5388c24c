"""43: a real Alertmanager and Mayfly go by one configuration and get the same alerts: receivers are told the same, in the same
order, within a second or two; amtool and a real Prometheus talk to Mayfly as to an Alertmanager; a mail server takes the mail."""

import http.server
import json
import ssl
import subprocess
import threading
import time
from email import message_from_string
from urllib.parse import urlsplit

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509

from harness.authority import Authority
from harness.http import call
from harness.mayfly import Mayfly
from harness.peers import PEERS, PROGRAMS
from harness.process import Process, free_ports, until

CONFIG = """
global: {resolve_timeout: 1h}
route:
  receiver: all
  group_by: [group]
  group_wait: 1s
  group_interval: 3s
  repeat_interval: 1h
  routes:
  - {receiver: often, matchers: [team=often], group_by: ['...'], repeat_interval: 5s}
  - {receiver: both, matchers: ['team=~"b.*"'], continue: true}
  - {receiver: firing, matchers: [team=both]}
receivers:
- {name: all, webhook_configs: [{url: '%(url)s/all'}]}
- {name: often, webhook_configs: [{url: '%(url)s/often', max_alerts: 1}]}
- {name: both, webhook_configs: [{url: '%(url)s/both'}]}
- {name: firing, webhook_configs: [{url: '%(url)s/firing', send_resolved: false}]}
inhibit_rules:
- {source_matchers: [alertname=Down], target_matchers: [alertname=Slow], equal: [group]}
"""


class Recorder:
    """Keeps what is posted to it, with the time."""

    def __init__(self):
        self.got: list[tuple[float, str, dict]] = []
        got = self.got

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                got.append((time.time(), self.path, body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def told(self) -> dict[str, list]:
        """What each group was told, in order: when, status, reason, and status and name of each alert."""
        groups: dict[str, list] = {}
        for at, path, body in self.got:
            alerts = [(alert["status"], alert["labels"]["alertname"], alert["fingerprint"]) for alert in body["alerts"]]
            told = (body["status"], body["notification_reason"], body["truncatedAlerts"], alerts)
            groups.setdefault(f"{path} {body['groupKey']}", []).append((at, told))
        return groups


@pytest.fixture
def recorders():
    made = [Recorder(), Recorder()]
    yield made
    for recorder in made:
        recorder.stop()


def alertmanager(folder, config: str) -> str:
    (port,) = free_ports(1)
    file = folder / "real.yml"
    file.write_text(config)
    command = [PROGRAMS / "prometheus-alertmanager", f"--config.file={file}", f"--storage.path={folder / 'real'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
    process = Process("alertmanager", command, folder / "alertmanager.log", cwd=PEERS / "debian")
    url = f"http://127.0.0.1:{port}"
    process.up("ready", lambda: call(url, "GET", "/-/ready").status == 200)
    return url


def mayfly(folder, config: str, *flags) -> tuple[Mayfly, str]:
    file = folder / "alertmanager.yml"
    file.write_text(config)
    server = Mayfly(folder, folder / "data", flags=("--alertmanager.config-file", file, *flags)).start()
    return server, f"{server.query}/alertmanager"


def amtool(url: str, *arguments) -> str:
    command = [PROGRAMS / "amtool", f"--alertmanager.url={url}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
    return done.stdout


def stamp(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1000):03}Z"


def test_the_same_is_told_at_the_same_time(tmp_path, recorders):
    real = alertmanager(tmp_path, CONFIG % {"url": recorders[0].url})
    server, ours = mayfly(tmp_path, CONFIG % {"url": recorders[1].url})
    urls = [real, ours]
    began, starts = time.time(), {}

    def post(*names: str, over=False):
        alerts = []
        for name in names:
            alertname, group, team = name.split("/")
            starts.setdefault(name, time.time())
            alert = {"labels": {"alertname": alertname, "group": group, "team": team}, "startsAt": stamp(starts[name])}
            alert["annotations"] = {"summary": f"{name} <&>"}
            alert["generatorURL"] = "http://example/graph"
            if over:
                alert["endsAt"] = stamp(time.time())
                del starts[name]
            alerts.append(alert)
        for url in urls:
            parts = urlsplit(f"{url}/api/v2/alerts")
            assert call(f"http://{parts.netloc}", "POST", parts.path, json.dumps(alerts), {"Content-Type": "application/json"}).status == 200

    def at(second: float):
        time.sleep(max(0.0, began + second - time.time()))

    ids = {}
    post("A/g/x", "B/g/x", "Down/h/x", "Slow/h/x", "O/o/often", "P/p/both", "Quiet/q/x")
    for url in urls:
        ids[url] = amtool(url, "silence", "add", "-a", "me", "-c", "test", "-d", "1h", "alertname=Quiet").strip()
    at(5.5)
    post("C/g/x", "Gone/i/x")
    post("Gone/i/x", over=True)
    post("A/g/x", over=True)
    at(9.5)
    post("Down/h/x", over=True)
    post("P/p/both", over=True)
    for url in urls:
        amtool(url, "silence", "expire", ids[url])
    at(16)
    post("B/g/x", "C/g/x", "O/o/often", over=True)
    server.restart_after_kill9()
    urls[1] = f"{server.query}/alertmanager"
    at(22)
    post("A/g/x")
    at(25.5)

    expected, found = (recorder.told() for recorder in recorders)
    # repetitions come with the first flush after their time in one, and with the one after it in the other, as their clocks have it
    repeated = [group for group in expected if group.startswith("/often")]
    for group in repeated:
        for told in (expected[group], found[group]):
            told[:] = [one for one in told if one[1][1] != "repeat interval elapsed"]
    assert {group: [told for _, told in all] for group, all in found.items()} == {
        group: [told for _, told in all] for group, all in expected.items()
    }
    assert {group.split(" ")[0] for group in expected} == {"/all", "/often", "/both", "/firing"}
    assert len(expected) == 6, list(expected)
    late = max(abs(a[0] - b[0]) for group in expected for a, b in zip(expected[group], found[group], strict=True))
    assert late < 3, late
    # byte for byte, but for the address of the sender
    first = [next(body for _, path, body in recorder.got if path == "/both") for recorder in recorders]
    for body in first:
        body["externalURL"] = ""
    assert first[0] == first[1]


def test_amtool_and_prometheus_talk_to_mayfly(tmp_path, recorders):
    _, url = mayfly(tmp_path, CONFIG % {"url": recorders[0].url})
    amtool(url, "alert", "add", "Full", "disk=a", "--annotation=summary=full")
    assert "Full" in amtool(url, "alert", "query")
    silence = amtool(url, "silence", "add", "-a", "me", "-c", "later", "-d", "1h", "alertname=Full", "disk=~a|b").strip()
    assert silence in amtool(url, "silence", "query")
    assert json.loads(amtool(url, "silence", "query", "-o", "json", "alertname=Full"))[0]["createdBy"] == "me"
    assert "Full" not in amtool(url, "alert", "query") and "Full" in amtool(url, "alert", "query", "--silenced")
    longer = amtool(url, "silence", "update", "-d", "2h", "-o", "json", silence)
    assert json.loads(longer)[0]["id"] == silence
    amtool(url, "silence", "expire", silence)
    assert silence not in amtool(url, "silence", "query")
    assert amtool(url, "config", "routes", "test", "team=both").strip() == "both,firing"

    rules = tmp_path / "rules.yml"
    rules.write_text("groups: [{name: g, interval: 1s, rules: [{alert: Always, expr: vector(1)}]}]\n")
    target = url.removeprefix("http://").split("/")[0]
    config = tmp_path / "prometheus.yml"
    config.write_text(
        "global: {evaluation_interval: 1s}\nrule_files: [rules.yml]\nalerting:\n  alertmanagers:\n"
        f"  - {{path_prefix: /alertmanager, static_configs: [{{targets: ['{target}']}}]}}\n"
    )
    (port,) = free_ports(1)
    command = [PROGRAMS / "prometheus", f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'tsdb'}"]
    # what is sent before it has looked for Alertmanagers is lost
    command += [f"--web.listen-address=127.0.0.1:{port}", "--rules.alert.resend-delay=1s"]
    Process("prometheus", command, tmp_path / "prometheus.log")
    until("told", lambda: any("Always" in str(body) for _, _, body in recorders[0].got), 20)


class Mails:
    def __init__(self):
        self.mails = []

    async def handle_DATA(self, _server, session, envelope):
        self.mails.append((session.ssl is not None, envelope.mail_from, envelope.rcpt_tos, envelope.content.decode()))
        return "250 OK"


def logs_in(_server, _session, _envelope, _mechanism, data):
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"me", b"secret")
    return AuthResult(success=good)


def test_a_mail_server_takes_the_mail(tmp_path):
    authority = Authority(tmp_path, "ca")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.sign("localhost", x509.DNSName("localhost")))
    mails = Mails()
    options = {"tls_context": context, "require_starttls": True, "authenticator": logs_in, "auth_required": True}
    controller = Controller(mails, hostname="127.0.0.1", port=free_ports(1)[0], **options)
    controller.start()
    try:
        (tmp_path / "password").write_text("secret\n")
        config = (
            "route: {receiver: mail, group_wait: 0s}\nreceivers:\n- name: mail\n  email_configs:\n"
            f"  - {{to: 'a@b.example, Bö <b@b.example>', from: m@b.example, smarthost: '127.0.0.1:{controller.port}', auth_username: me,\n"
            f"     auth_password_file: password, tls_config: {{ca_file: '{authority.file}', server_name: localhost}}, text: 'é'}}\n"
        )
        _, url = mayfly(tmp_path, config)
        amtool(url, "alert", "add", "Full", "disk=ä")
        is_tls, sender, to, text = until("mailed", lambda: mails.mails, 15)[0]
        assert (is_tls, sender, to) == (True, "m@b.example", ["a@b.example", "b@b.example"])
        mail = message_from_string(text)
        plain, html = mail.get_payload()
        assert plain.get_payload(decode=True).decode().strip() == "é"
        assert "disk = ä" in html.get_payload(decode=True).decode()
        assert mail["Subject"].startswith("=?utf-8?q?[FIRING:1]_")
    finally:
        controller.stop()
