"""25: Alertmanagers that let nobody in: TLS with certificates on both sides, and AWS' signatures, checked by OpenSSL and botocore."""

import http.server
import json
import ssl
import threading
from ipaddress import ip_address
from pathlib import Path

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography import x509

from harness.authority import Authority
from harness.http import call
from harness.mayfly import Mayfly
from harness.process import until

RULES = """
groups:
- name: always
  interval: 1s
  rules: [{alert: Always, expr: vector(1), labels: {'ä': 'ö ü'}}]
"""


class Receiver:
    """Stands where an Alertmanager would, keeps requests with the name that a client's certificate gives, and answers what
    `check` says of them."""

    def __init__(self, tls: ssl.SSLContext | None = None, check=lambda request: 200):
        self.requests = []
        requests = self.requests

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.body = self.rfile.read(int(self.headers["Content-Length"]))
                self.client = self.connection.getpeercert() if tls else None
                status = check(self)
                requests.append((status, json.loads(self.body), self.client))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):
                """Handshakes fail on purpose."""

        self.server = Server(("127.0.0.1", 0), Handler)
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receivers():
    made = []

    def receiver(*arguments, **more) -> Receiver:
        made.append(Receiver(*arguments, **more))
        return made[-1]

    yield receiver
    for each in made:
        each.stop()


def serve(folder: Path, port: int, settings: str, scheme: str = "http", **env: str) -> Mayfly:
    (folder / "rules.yml").write_text(RULES)
    target = f"static_configs: [{{targets: ['127.0.0.1:{port}']}}]"
    config = folder / "mayfly.yml"
    config.write_text(
        "rule_files: [rules.yml]\n"
        f"alerting: {{alertmanagers: [{{scheme: {scheme}, {target}, {settings}}}]}}\n"
    )
    return Mayfly(folder, folder / "data", flags=("--config.file", config), env=env).start()


def failures(mayfly: Mayfly) -> float:
    lines = call(mayfly.query, "GET", "/metrics").text.splitlines()
    counts = [line.rsplit(" ", 1)[1] for line in lines if line.startswith("prometheus_notifications_errors_total")]
    return sum(float(count) for count in counts)


def server_context(authority: Authority, clients: Authority, name) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.sign("alertmanager", name))
    context.load_verify_locations(clients.file)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def test_certificates_on_both_sides(tmp_path, receivers):
    servers, clients = Authority(tmp_path, "servers"), Authority(tmp_path, "clients")
    receiver = receivers(server_context(servers, clients, x509.IPAddress(ip_address("127.0.0.1"))))
    cert, key = clients.sign("mayfly")
    # paths are relative to the configuration
    mayfly = serve(
        tmp_path, receiver.port, f"tls_config: {{ca_file: {servers.file.name}, cert_file: {cert.name}, key_file: {key.name}}}", "https"
    )
    until("an alert", lambda: receiver.requests, 20)
    _, alerts, client = receiver.requests[0]
    assert alerts[0]["labels"] == {"alertname": "Always", "ä": "ö ü"}
    assert ((("commonName", "mayfly"),),) == client["subject"]
    assert failures(mayfly) == 0


@pytest.mark.parametrize(
    ("settings", "known"),
    [
        ("ca_file: {clients}", "127.0.0.1"),  # a certificate of somebody else
        ("ca_file: {servers}", "alertmanager.internal"),  # of the right one, for another host
        ("ca_file: {servers}", "127.0.0.1"),  # we show none of ours
    ],
)
def test_nothing_is_sent_to_somebody_else(tmp_path, receivers, settings, known):
    servers, clients = Authority(tmp_path, "servers"), Authority(tmp_path, "clients")
    name = x509.IPAddress(ip_address(known)) if known[0].isdigit() else x509.DNSName(known)
    receiver = receivers(server_context(servers, clients, name))
    mine = ""
    if "clients" in settings or not known[0].isdigit():
        cert, key = clients.sign("mayfly")
        mine = f", cert_file: {cert}, key_file: {key}"
    settings = settings.format(clients=clients.file, servers=servers.file) + mine
    mayfly = serve(tmp_path, receiver.port, f"tls_config: {{{settings}}}", "https")
    until("a failure", lambda: failures(mayfly) >= 2, 20)
    assert receiver.requests == []


@pytest.mark.parametrize("settings", ["server_name: alertmanager.internal, ca_file: {servers}", "insecure_skip_verify: true"])
def test_other_names_where_they_are_wanted(tmp_path, receivers, settings):
    servers, clients = Authority(tmp_path, "servers"), Authority(tmp_path, "clients")
    receiver = receivers(server_context(servers, clients, x509.DNSName("alertmanager.internal")))
    cert, key = clients.sign("mayfly")
    settings = settings.format(servers=servers.file) + f", cert_file: {cert}, key_file: {key}"
    serve(tmp_path, receiver.port, f"tls_config: {{{settings}}}", "https")
    until("an alert", lambda: receiver.requests, 20)


def signed_by(secret: str):
    """Answers 403 unless botocore makes the same signature of the same request."""

    def check(request) -> int:
        headers = request.headers
        scope, signed, given = headers["Authorization"].removeprefix("AWS4-HMAC-SHA256 ").split(", ")
        key, date, region, service, _ = scope.removeprefix("Credential=").split("/")
        names = signed.removeprefix("SignedHeaders=").split(";")
        again = AWSRequest(
            "POST",
            f"http://{headers['Host']}{request.path}",
            data=request.body,
            headers={name: headers[name] for name in names if name != "x-amz-date"},
        )
        again.context["timestamp"] = headers["x-amz-date"]
        signer = SigV4Auth(Credentials(key, secret, headers.get("x-amz-security-token")), service, region)
        again.headers["X-Amz-Date"] = headers["x-amz-date"]
        expected = signer.signature(signer.string_to_sign(again, signer.canonical_request(again)), again)
        right = given == f"Signature={expected}" and (key, region, service) == ("AKTEST", "eu-west-1", "aps")
        return 200 if right and {"host", "x-amz-date", "content-type"} <= set(names) else 403

    return check


@pytest.mark.parametrize("token", ["", "a/session+token=="])
def test_signatures(tmp_path, receivers, token):
    receiver = receivers(check=signed_by("secret/of+aws"))
    env = {"AWS_ACCESS_KEY_ID": "AKTEST", "AWS_SECRET_ACCESS_KEY": "secret/of+aws", "AWS_REGION": "eu-west-1"}
    if token:
        env["AWS_SESSION_TOKEN"] = token
    serve(tmp_path, receiver.port, "path_prefix: /workspaces/ws-1/alertmanager, sigv4: {}", **env)
    until("an alert", lambda: receiver.requests, 20)
    assert receiver.requests[0][0] == 200


def test_other_keys_are_noticed(tmp_path, receivers):
    """That the check checks."""
    receiver = receivers(check=signed_by("another secret"))
    mayfly = serve(
        tmp_path, receiver.port, "sigv4: {region: eu-west-1, access_key: AKTEST, secret_key: secret}"
    )
    until("an attempt", lambda: receiver.requests, 20)
    assert receiver.requests[0][0] == 403
    until("a failure", lambda: failures(mayfly) >= 1, 20)
