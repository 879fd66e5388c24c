"""34: who may ask. Real senders and clients of a server that has TLS, certificates and tokens; and `--web.config.file` beside a real
Pushgateway, which is given the same files."""

import json
import ssl
import subprocess
import urllib.error

import pytest
from cryptography import x509
from influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import Counter as OtelCounter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry, Gauge, delete_from_gateway, push_to_gateway
from prometheus_client.exposition import basic_auth_handler

from harness import PROGRAMS
from harness.authority import Authority
from harness.http import call
from harness.mayfly import Mayfly, built
from harness.process import Process, free_ports, until
from harness.secured import AGENTS, Secured, scrape_config
from test_18_remote_write import App


@pytest.fixture
def secured(tmp_path):
    return Secured(tmp_path)


@pytest.fixture
def app():
    app = App()
    yield app
    app.stop()


@pytest.mark.parametrize("name", AGENTS)
def test_a_sender_writes_what_its_token_allows(secured, app, name):
    agent = AGENTS[name](secured, app.address, "app")
    up = (("__name__", "up"), ("instance", "one"), ("job", "app"))
    until("it has come", lambda: secured.vector("up").get(up) == 1.0, seconds=30)
    assert secured.vector("up", secured.team) == secured.vector("up")
    agent.stop()
    agent = AGENTS[name](secured, app.address, "others")
    refused = "is outside of that"
    until("it is refused", lambda: refused in agent.output(), seconds=30)
    assert secured.vector("{job='others'}") == {}
    agent.stop()


def test_a_client_library_pushes_what_its_token_allows(secured):
    registry = CollectorRegistry()
    Gauge("rows", "Rows.", registry=registry).set(7)

    def as_password(url, method, timeout, headers, data):
        return basic_auth_handler(url, method, timeout, headers, data, "any", secured.team)

    def unknown(url, method, timeout, headers, data):
        return basic_auth_handler(url, method, timeout, headers, data, "any", "wrong")

    # what the handler of the library trusts
    default, ssl._create_default_https_context = ssl._create_default_https_context, lambda: secured.tls
    try:
        for job, handler in [("team-a", as_password), ("team-b", secured.as_bearer)]:
            push_to_gateway(secured.server.gateway, job=job, registry=registry, handler=handler)
        assert {dict(labels)["job"] for labels in secured.vector("rows", secured.team)} == {"team-a", "team-b"}
        for job, handler, status in [("other", as_password, 403), ("other", secured.as_bearer, 403), ("team-c", unknown, 401)]:
            with pytest.raises(urllib.error.HTTPError) as refused:
                push_to_gateway(secured.server.gateway, job=job, registry=registry, handler=handler)
            assert refused.value.code == status
        delete_from_gateway(secured.server.gateway, job="team-a", handler=as_password)
    finally:
        ssl._create_default_https_context = default
    assert {dict(labels)["job"] for labels in secured.vector("rows")} == {"team-b"}


@pytest.mark.parametrize("temporality", list(AggregationTemporality)[1:], ids=lambda value: value.name.lower())
def test_opentelemetry_exports_what_its_token_allows(secured, temporality, monkeypatch):
    # requests takes this for what is trusted before what the exporter is told
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(secured.ca))
    for job, count in [("team-otel", 1), ("other", 0)]:
        exporter = OTLPMetricExporter(
            f"{secured.server.gateway}/v1/metrics",
            certificate_file=str(secured.ca),
            headers={"authorization": f"Bearer {secured.team}"},
            preferred_temporality={OtelCounter: temporality},
        )
        reader = PeriodicExportingMetricReader(exporter, export_interval_millis=1e9)
        provider = MeterProvider([reader], resource=Resource({"service.name": job}), shutdown_on_exit=False)
        provider.get_meter("m").create_counter("rows").add(3)
        provider.shutdown()
        found = secured.vector(f"rows_total{{job='{job}'}}")
        assert list(found.values()) == [3.0] * count


def test_lines_are_written_with_a_token(secured):
    client = InfluxDBClient(url=secured.server.gateway, token=secured.team, org="o", ssl_ca_cert=str(secured.ca))
    writes = client.write_api(write_options=SYNCHRONOUS)
    writes.write("b", "o", "m,job=team-i v=1")
    assert list(secured.vector("m_v").values()) == [1.0]
    with pytest.raises(Exception, match="is outside of that"):
        writes.write("b", "o", "m,job=other v=1")
    assert len(secured.vector("m_v")) == 1


def test_promtool_and_curl_ask_with_a_token(secured):
    secured_url, config = secured.server.query, secured.folder / "http.yml"
    config.write_text(f"authorization: {{credentials_file: {secured.folder / 'team'}}}\ntls_config: {{ca_file: {secured.ca}}}\n")
    command = [PROGRAMS / "promtool", "query", "instant", f"--http.config.file={config}", secured_url, "vector(7)"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert run.returncode == 0 and "{} => 7" in run.stdout, run.stdout + run.stderr
    for protocol, version in [("--http1.1", "1.1"), ("--http2", "2")]:
        curl = ["curl", "-sS", protocol, "--cacert", secured.ca, "-u", f"any:{secured.boss}", "-w", "\n%{http_version} %{http_code}"]
        run = subprocess.run(
            [*curl, "--data-binary", "@-", f"{secured.server.gateway}/metrics/job/curl"],
            input="rows 1\n",
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert run.stdout.splitlines()[-1] == f"{version} 200", run.stdout + run.stderr


def test_tenants_are_told_as_cortex_and_mimir_are_told(tmp_path, app):
    server = Mayfly(tmp_path, tmp_path / "data", flags=("--access.trust-tenant-header",)).start()
    agents = []
    for tenant in ("a", "b"):
        folder = tmp_path / tenant
        folder.mkdir()
        (port,) = free_ports(1)
        (folder / "agent.yml").write_text(
            scrape_config(app.address, f"of-{tenant}")
            + f"remote_write:\n- url: {server.query}/api/v1/write\n  headers: {{X-Scope-OrgID: {tenant}}}\n"
            "  queue_config: {batch_send_deadline: 200ms}\n"
        )
        command = [PROGRAMS / "prometheus", "--agent", f"--config.file={folder / 'agent.yml'}"]
        command += [f"--storage.agent.path={folder / 'agent'}", f"--web.listen-address=127.0.0.1:{port}"]
        agents.append(Process(f"agent-{tenant}", command, folder / "agent.log"))

    def jobs(tenant: str) -> str:
        config = tmp_path / "http.yml"
        config.write_text(f"http_headers: {{X-Scope-OrgID: {{values: [{tenant}]}}}}\n")
        command = [PROGRAMS / "promtool", "query", "instant", f"--http.config.file={config}", server.query, "count by (job) (up)"]
        run = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        return run.stdout + run.stderr

    for tenant in ("a", "b"):
        until(f"tenant {tenant}", lambda tenant=tenant: f'{{job="of-{tenant}"}} => 1' in jobs(tenant), seconds=30)
    assert "of-b" not in jobs("a") and "of-a" not in jobs("b")
    assert "of-" not in jobs("default")
    assert "a request is for one tenant" in jobs("a|b")
    for agent in agents:
        agent.stop()


class Pushgateway:
    """The real one, with a web configuration."""

    def __init__(self, folder, web):
        (port,) = free_ports(1)
        self.address = f"127.0.0.1:{port}"
        command = [PROGRAMS / "prometheus-pushgateway", f"--web.listen-address={self.address}", f"--web.config.file={web}"]
        self.process = Process("pushgateway", command, folder / "pushgateway.log", cwd=folder)


BROKEN = [
    "x: 1",
    "[]",
    "tls_server_config: {x: 1}",
    "tls_server_config: {cert_file: ca-server.pem}",
    "tls_server_config: {key_file: ca-server.key}",
    "tls_server_config: {client_auth_type: NoClientCert}",
    "tls_server_config: {cert_file: ca-server.pem, key_file: none.pem}",
    "tls_server_config: {cert_file: none.pem, key_file: ca-server.key}",
    "tls_server_config: {cert_file: ca-server.pem, key_file: ca-server.key, min_version: TLS9}",
    "tls_server_config: {cert_file: ca-server.pem, key_file: ca-server.key, client_auth_type: Foo}",
    "tls_server_config: {cert_file: ca-server.pem, key_file: ca-server.key, client_ca_file: ca-ca.pem}",
    "tls_server_config: {cert_file: ca-server.pem, key_file: ca-server.key, cipher_suites: [FOO]}",
    "tls_server_config: {cert_file: ca-server.pem, key_file: ca-server.key, curve_preferences: [FOO]}",
    "http_server_config: {x: 1}",
    "http_server_config: {http2: maybe}",
    "http_server_config: {headers: {Foo: bar}}",
    "http_server_config: {headers: {X-Frame-Options: bar}}",
    "http_server_config: {headers: {X-Content-Type-Options: bar}}",
    "rate_limit: {x: 1}",
    "rate_limit: {interval: x}",
    "basic_auth_users: [a]",
    "basic_auth_users: {a: 1}",
    "basic_auth_users: {a: '$3y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi'}",
    "basic_auth_users: {a: '%2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi'}",
    "basic_auth_users: {a: '$2y$99$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi'}",
]


def test_a_broken_web_configuration_is_told_as_the_pushgateway_tells_it(tmp_path):
    Authority(tmp_path, "ca").sign("server", x509.DNSName("localhost"))
    for text in BROKEN:
        (tmp_path / "web.yml").write_text(text + "\n")
        (port,) = free_ports(1)
        real = [PROGRAMS / "prometheus-pushgateway", f"--web.listen-address=127.0.0.1:{port}", "--web.config.file=web.yml"]
        told = subprocess.run(real, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False).stderr
        (line,) = [line for line in told.splitlines() if "HTTP server stopped" in line]
        expect = json.loads(line[line.index("err=") + 4 :])
        own = [built("mayfly"), "serve", "--storage=memory:", "--web.config.file=web.yml"]
        run = subprocess.run(own, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
        assert run.returncode == 1
        # a line, however many the reason has
        assert run.stderr.strip() == f"mayfly: --web.config.file: {' '.join(expect.split())}", text


def test_users_and_headers_are_those_of_the_pushgateway(tmp_path):
    # of the password fakepassword, as a user's as well
    hash = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"
    web = tmp_path / "web.yml"
    good = (
        f"basic_auth_users: {{ann: '{hash}'}}\nhttp_server_config: {{headers: {{X-Frame-Options: deny, Strict-Transport-Security: max-age=1}}}}\n"
    )
    web.write_text(good)
    real = Pushgateway(tmp_path, web)
    url = f"http://{real.address}"
    until("it answers", lambda: reachable(url), seconds=30)
    own = Mayfly(tmp_path, "memory:", flags=("--web.config.file", web)).start()

    def told(base: str, headers: dict) -> tuple:
        answer = call(base, "GET", "/metrics", headers=headers)
        kept = ("www-authenticate", "x-frame-options", "strict-transport-security")
        shown = [(name, answer.headers.get(name)) for name in kept]
        return answer.status, shown, answer.text if answer.status != 200 else None

    def compare():
        # ann:fakepassword, ann:no, ben:fakepassword, and nonsense
        for value in (None, "Basic YW5uOmZha2VwYXNzd29yZA==", "Basic YW5uOm5v", "Basic YmVuOmZha2VwYXNzd29yZA==", "Basic !", "Bearer x"):
            headers = {"Authorization": value} if value else {}
            assert told(own.gateway, headers) == told(url, headers), value

    compare()
    assert told(own.gateway, {"Authorization": "Basic YW5uOmZha2VwYXNzd29yZA=="})[0] == 200
    web.write_text("x: 1\n")
    until("it is read", lambda: call(own.gateway, "GET", "/metrics").status == 500, seconds=10)
    compare()
    web.write_text(good)
    until("it is read", lambda: call(own.gateway, "GET", "/metrics").status == 401, seconds=10)
    compare()


def reachable(url: str) -> bool:
    try:
        return call(url, "GET", "/").status > 0
    except OSError:
        return False
