"""The real programs that Mayfly is held against."""

import http.server
import json
import subprocess
import threading
from pathlib import Path

import boto3

from . import CHECKOV, CHROMIUM, GRAFANA, MINISTACK, OPENTELEMETRY, PEERS, PROGRAMS, PROVIDER_AWS, SAM, SCHEMATHESIS, VENV
from .http import call
from .mayfly import clean_environment
from .process import Failed, Process, free_ports


def missing() -> list[Path]:
    """Programs that `tools/peers.sh` should have fetched and that are not there."""
    names = ["prometheus", "promtool", "prometheus-alertmanager", "prometheus-pushgateway", "vmagent", "victoria-metrics"]
    programs = [*(PROGRAMS / name for name in names), VENV / "weed", MINISTACK, SAM, CHECKOV, SCHEMATHESIS, CHROMIUM, GRAFANA, PROVIDER_AWS / "package.json", OPENTELEMETRY / "@opentelemetry/sdk-metrics/package.json"]
    return [path for path in programs if not path.is_file()]


def answers(base: str, target: str) -> bool:
    return call(base, "GET", target).status == 200


class Pushgateway:
    """The real Pushgateway."""

    def __init__(self, folder: Path):
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        command = [PROGRAMS / "prometheus-pushgateway", f"--web.listen-address=127.0.0.1:{port}"]
        self.process = Process("pushgateway", command, folder / "pushgateway.log")
        self.process.up("ready", lambda: answers(self.url, "/-/ready"))


class Prometheus:
    """The real Prometheus, with the `scrape_configs` and flags that are given: without any it scrapes nothing. `config` is a file
    instead."""

    def __init__(
        self,
        folder: Path,
        scrape_configs: str = "",
        flags: tuple = (),
        name: str = "prometheus",
        config: Path | None = None,
    ):
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        if config is None:
            config = folder / f"{name}.yml"
            config.write_text("global: {scrape_interval: 1s}\n" + scrape_configs)
        self.command = [
            PROGRAMS / "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
            *flags,
        ]
        self.name, self.log = name, folder / f"{name}.log"
        self.start()

    def start(self):
        self.process = Process(self.name, self.command, self.log)
        self.process.up("ready", lambda: answers(self.url, "/-/ready"))

    def restart(self):
        self.process.stop()
        self.start()

    @classmethod
    def scraping(cls, folder: Path, pushgateway: str):
        """As one scrapes a Pushgateway, every second."""
        target = pushgateway.removeprefix("http://")
        job = "{job_name: pushgateway, honor_labels: true, static_configs: [{targets: ['%s']}]}" % target
        return cls(folder, f"scrape_configs: [{job}]\n")


class Alertmanager:
    """The real Alertmanager, telling `receiver` (a `Webhook`) about alerts and their end without delay, all alerts of one name at
    once, or `group_by` other labels (`...` is each by itself)."""

    def __init__(self, folder: Path, receiver: str, group_by: str = "alertname"):
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        config = folder / "alertmanager.yml"
        config.write_text(
            f"route: {{receiver: test, group_wait: 0s, group_interval: 1s, repeat_interval: 1h, group_by: ['{group_by}']}}\n"
            "receivers:\n"
            "- name: test\n"
            f"  webhook_configs: [{{url: '{receiver}', send_resolved: true}}]\n"
        )
        command = [
            PROGRAMS / "prometheus-alertmanager",
            f"--config.file={config}",
            f"--storage.path={folder / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ]
        # its templates: see tools/peers.sh
        self.process = Process("alertmanager", command, folder / "alertmanager.log", cwd=PEERS / "debian")
        self.process.up("ready", lambda: answers(self.url, "/-/ready"))

    def alerts(self) -> list[dict]:
        """Those that are not resolved."""
        return call(self.url, "GET", "/api/v2/alerts").json()


class Webhook:
    """Keeps what is posted to it, like what Alertmanager sends on."""

    def __init__(self):
        self.notifications: list[dict] = []
        received = self.notifications

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def with_status(self, status: str) -> list[dict]:
        """The alerts of all notifications so far that have this status, `firing` or `resolved`."""
        return [alert for note in list(self.notifications) for alert in note["alerts"] if alert["status"] == status]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class SeaweedFS:
    """A real S3 server with one bucket, `metrics`. Signatures are checked."""

    KEY, SECRET = "AKMAYFLYTEST", "mayfly-test-secret"

    def __init__(self, folder: Path):
        s3, master, volume, filer, admin, *grpc = free_ports(9)
        self.endpoint = f"http://127.0.0.1:{s3}"
        self.env = {
            "AWS_ACCESS_KEY_ID": self.KEY,
            "AWS_SECRET_ACCESS_KEY": self.SECRET,
            "AWS_REGION": "us-east-1",
        }
        data = folder / "weed"
        data.mkdir()
        command = [VENV / "weed", "-logtostderr=true", "mini", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
        command += [f"-s3.port={s3}", f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}"]
        command += [f"-admin.port={admin}", f"-master.port.grpc={grpc[0]}", f"-volume.port.grpc={grpc[1]}"]
        command += [f"-filer.port.grpc={grpc[2]}", f"-admin.port.grpc={grpc[3]}"]
        command += ["-webdav=false", "-admin.ui=false", "-master.telemetry=false", "-bucket=metrics"]
        env = clean_environment(**self.env)
        self.process = Process("seaweedfs", command, folder / "seaweedfs.log", env)
        # unsigned requests are refused, which is how one sees that the server speaks S3 and checks
        self.process.up("refuses the unsigned", lambda: call(self.endpoint, "GET", "/metrics").status == 403)

    @property
    def flags(self) -> tuple:
        """What `mayfly serve` needs to find it."""
        return ("--s3.endpoint", self.endpoint)


class MiniStack:
    """Another S3 server, with AWS' identities: signatures and permissions are checked. One bucket, `metrics`; and other services of AWS.
    Its user may do `actions`."""

    def __init__(self, folder: Path, actions: tuple = ("s3:*",)):
        (port,) = free_ports(1)
        self.endpoint = f"http://127.0.0.1:{port}"
        env = clean_environment(
            AUTH="true",
            BIND_HOST="127.0.0.1",
            GATEWAY_PORT=str(port),
            S3_DATA_DIR=str(folder / "s3"),
            STATE_DIR=str(folder / "state"),
        )
        self.process = Process("ministack", [MINISTACK], folder / "ministack.log", env, cwd=folder)
        self.process.up("healthy", lambda: answers(self.endpoint, "/_ministack/health"))
        # the signature of its root is not checked, so the tests use a user
        iam = self.client("iam", "test", "test")
        iam.create_user(UserName="mayfly")
        everything = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
        iam.put_user_policy(UserName="mayfly", PolicyName="s3", PolicyDocument=policy)
        key = iam.create_access_key(UserName="mayfly")["AccessKey"]
        self.env = {
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
            "AWS_REGION": "us-east-1",
        }
        self.client("s3", key["AccessKeyId"], key["SecretAccessKey"]).create_bucket(Bucket="metrics")

    def client(self, service: str, key: str, secret: str):
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
        )

    @property
    def flags(self) -> tuple:
        """What `mayfly serve` needs to find it."""
        return ("--s3.endpoint", self.endpoint)


class Promtool:
    """`promtool query ...` against one server."""

    def __init__(self, url: str):
        self.url = url

    def _run(self, kind: str, flags: list, rest: list) -> str:
        command = [str(PROGRAMS / "promtool"), "query", kind, *flags, self.url, *rest]
        run = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        if run.returncode != 0:
            raise Failed(f"{' '.join(command)}: exit {run.returncode}: {run.stdout}{run.stderr}")
        return run.stdout

    def instant(self, expr: str, time: float | None = None) -> list:
        """JSON of the API's `result`."""
        at = [] if time is None else [f"--time={time:.3f}"]
        return json.loads(self._run("instant", ["-o", "json", *at], [expr]))

    def range(self, expr: str, start: float, end: float, step: str) -> list:
        flags = ["-o", "json", f"--start={start:.3f}", f"--end={end:.3f}", f"--step={step}"]
        return json.loads(self._run("range", flags, [expr]))

    def series(self, match: str) -> list[str]:
        """One label set per line, in promtool's own writing."""
        return self._run("series", [f"--match={match}"], []).splitlines()

    def labels(self, name: str) -> list[str]:
        return self._run("labels", [], [name]).splitlines()
