"""A server with TLS and tokens, and the agents that scrape something and send it there."""

import json
import ssl
import subprocess
import urllib.parse
import urllib.request
from ipaddress import ip_address

from cryptography import x509

from . import PROGRAMS
from .authority import Authority
from .mayfly import Mayfly, built
from .peers import answers
from .process import Process, free_ports


class Secured:
    """`boss` may do everything, `team` push, read and delete what has the job `app` or `team-…`."""

    def __init__(self, folder, flags: tuple = ()):
        self.folder = folder
        authority = Authority(folder, "ca")
        self.ca = authority.file
        names = (x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1")))
        self.certificate, key = authority.sign("server", *names)
        web = folder / "web.yml"
        web.write_text(f"tls_server_config: {{cert_file: {self.certificate.name}, key_file: {key.name}}}\n")
        self.boss = self.token("boss", "--scope", "admin")
        scopes = ("--scope", "push", "--scope", "read", "--scope", "delete")
        self.team = self.token("team", *scopes, "--match", '{job=~"app|team-.*"}')
        flags = ("--web.config.file", web, "--access.tokens-file", folder / "tokens.yml", *flags)
        self.server = Mayfly(folder, folder / "data", flags=flags).start()
        self.tls = ssl.create_default_context(cafile=self.ca)

    def token(self, name: str, *more: str) -> str:
        command = [built("mayfly"), "token", "new", "--name", name, "--file", self.folder / "tokens.yml", *more]
        token = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.strip()
        (self.folder / name).write_text(token)
        return token

    def as_bearer(self, url, method, timeout, headers, data):
        """A handler of Prometheus' client that sends the token of `team`."""

        def handle():
            named = dict(headers) | {"Authorization": f"Bearer {self.team}"}
            request = urllib.request.Request(url, data=data, method=method, headers=named)
            with urllib.request.urlopen(request, timeout=timeout, context=self.tls):
                pass

        return handle

    def data(self, path: str, token: str | None = None, **parameters):
        """The `data` of an answer of the query port; `boss` asks where no token is given."""
        target = f"{self.server.query}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        request = urllib.request.Request(target, headers={"Authorization": f"Bearer {token or self.boss}"})
        with urllib.request.urlopen(request, context=self.tls, timeout=30) as answer:
            return json.load(answer)["data"]

    def vector(self, query: str, token: str | None = None) -> dict:
        result = self.data("query", token, query=query)["result"]
        return {tuple(sorted(row["metric"].items())): float(row["value"][1]) for row in result}


def scrape_config(address: str, job: str) -> str:
    return (
        f"scrape_configs:\n- job_name: {job}\n  scrape_interval: 1s\n"
        f"  static_configs: [{{targets: ['{address}'], labels: {{instance: one}}}}]\n"
    )


def prometheus_agent(secured: Secured, address: str, job: str, message: str) -> Process:
    """Prometheus in agent mode, with the token of `team`, writing to the query port as to a Prometheus."""
    folder = secured.folder
    (port,) = free_ports(1)
    (folder / f"{job}.yml").write_text(
        scrape_config(address, job) + f"remote_write:\n- url: {secured.server.query}/api/v1/write\n  protobuf_message: {message}\n"
        "  queue_config: {batch_send_deadline: 200ms}\n"
        f"  authorization: {{credentials_file: {folder / 'team'}}}\n  tls_config: {{ca_file: {secured.ca}}}\n"
    )
    command = [PROGRAMS / "prometheus", "--agent", f"--config.file={folder / f'{job}.yml'}"]
    command += [f"--storage.agent.path={folder / f'agent-{job}'}", f"--web.listen-address=127.0.0.1:{port}"]
    agent = Process(f"agent {job}", command, folder / f"agent-{job}.log")
    agent.up("ready", lambda: answers(f"http://127.0.0.1:{port}", "/-/ready"))
    return agent


def vmagent(secured: Secured, address: str, job: str) -> Process:
    """vmagent, with the token of `team` and Prometheus' protocol, writing to the gateway."""
    folder = secured.folder
    (port,) = free_ports(1)
    (folder / "vmagent.yml").write_text(scrape_config(address, job))
    command = [PROGRAMS / "vmagent", f"-promscrape.config={folder / 'vmagent.yml'}", f"-httpListenAddr=127.0.0.1:{port}"]
    command += [f"-remoteWrite.tmpDataPath={folder / 'vmagent'}", "-remoteWrite.flushInterval=200ms"]
    command += [f"-remoteWrite.url={secured.server.gateway}/api/v1/write", "-remoteWrite.forcePromProto=true"]
    command += [f"-remoteWrite.bearerTokenFile={folder / 'team'}", f"-remoteWrite.tlsCAFile={secured.ca}"]
    agent = Process("vmagent", command, folder / "vmagent.log")
    agent.up("healthy", lambda: answers(f"http://127.0.0.1:{port}", "/health"))
    return agent


# every agent that writes, by what it speaks
AGENTS = {
    "prometheus-1.0": lambda *given: prometheus_agent(*given, "prometheus.WriteRequest"),
    "prometheus-2.0": lambda *given: prometheus_agent(*given, "io.prometheus.write.v2.Request"),
    "vmagent": vmagent,
}
