"""33: `mayfly compact --once` and `mayfly store` on a real S3 server: a compaction is killed at each of its writes, one after the
other, and the next one goes on; what is damaged is named; what is deleted is gone. Answers stay the same all the time."""

import http.client
import io
import json
import subprocess
import threading
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import time

import boto3
import pyarrow.parquet
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from harness.http import call, instant
from harness.mayfly import Mayfly, built, clean_environment, run_to_end

GROUPS = 4
# longer than a lease, so that nobody waits for the one of who was killed
PAUSE_S = 20 * 60


class Later(ThreadingHTTPServer):
    """The same server as it will be later: the `Date` of its answers is so many seconds ahead. Compaction goes by that, and clients sign
    by it, so requests are signed anew."""

    daemon_threads = True

    def __init__(self, seaweedfs):
        self.origin = seaweedfs.endpoint.removeprefix("http://")
        self.signer = S3SigV4Auth(Credentials(seaweedfs.KEY, seaweedfs.SECRET), "s3", "us-east-1")
        self.ahead_s = 0
        self.lock = threading.Lock()
        # when so many writes have come, the process is killed: before the last is done, or after it
        self.process, self.writes, self.kill_at, self.is_done_first = None, 0, None, False
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()
        self.endpoint = f"http://127.0.0.1:{self.server_port}"

    def is_last(self, method: str) -> bool:
        with self.lock:
            self.writes += method == "PUT"
            return method == "PUT" and self.writes == self.kill_at


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        is_last = self.server.is_last(self.command)
        if is_last and not self.server.is_done_first:
            self.server.process.kill()
            self.close_connection = True
            return
        of_client = ("authorization", "host", "x-amz-date", "amz-sdk-invocation-id", "amz-sdk-request", "connection")
        headers = {name: value for name, value in self.headers.items() if name.lower() not in of_client}
        request = AWSRequest(self.command, f"http://{self.server.origin}{self.path}", headers, body)
        self.server.signer.add_auth(request)
        connection = http.client.HTTPConnection(self.server.origin, timeout=30)
        connection.request(self.command, self.path, body, dict(request.headers.items()))
        answer = connection.getresponse()
        content = answer.read()
        if is_last:
            self.server.process.kill()
            self.close_connection = True
            return
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("date", "transfer-encoding", "connection", "content-length"):
                self.send_header(name, value)
        self.send_header("Date", formatdate(time() + self.server.ahead_s, usegmt=True))
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_any


class Store:
    """A server that takes pushes and answers, and the commands beside it."""

    def __init__(self, tmp_path, seaweedfs, url: str):
        self.folder, self.seaweedfs, self.url = tmp_path, seaweedfs, url
        # it does not merge by itself
        flags = (*seaweedfs.flags, "--storage.compact-interval", "0")
        self.server = Mayfly(tmp_path, url, env=seaweedfs.env, flags=flags).start()
        self.later = Later(seaweedfs)
        client = {"aws_access_key_id": seaweedfs.KEY, "aws_secret_access_key": seaweedfs.SECRET}
        self.s3 = boto3.client("s3", endpoint_url=seaweedfs.endpoint, region_name="us-east-1", **client)
        self.prefix = url.removeprefix("s3://metrics/") + "/"

    def push(self):
        for group in range(GROUPS):
            body = f"rows {group}\n# TYPE seen_total counter\nseen_total 1\n"
            assert call(self.server.gateway, "PUT", f"/metrics/job/j/instance/{group}", body).status == 200
            added = f"# TYPE added_total counter\nadded_total {group}\n"
            assert call(self.server.gateway, "POST", f"/aggregate/metrics/job/sum/instance/{group % 3}", added).status == 200

    def answers(self) -> list:
        """As who reads for the first time sees it, and who has read before."""
        self.server.restart_after_kill9()
        return [instant(self.server.query, query) for query in ('{job!=""}', "sum(added_total)") * 2]

    def command(self, *arguments, later: bool = False) -> subprocess.CompletedProcess:
        endpoint = self.later.endpoint if later else self.seaweedfs.endpoint
        return run_to_end(
            self.folder, *arguments, "--storage", self.url, "--s3.endpoint", endpoint, seconds=120, **self.seaweedfs.env
        )

    def compact(self, kill_at: int | None = None, is_done_first: bool = False) -> int:
        """How a compaction ends, of which one write is the last."""
        later = self.later
        later.ahead_s += PAUSE_S
        later.writes, later.kill_at, later.is_done_first = 0, kill_at, is_done_first
        command = [built("mayfly"), "compact", "--once", "--storage", self.url, "--s3.endpoint", later.endpoint]
        env = clean_environment(**self.seaweedfs.env)
        with open(self.folder / "compact.log", "ab") as log:
            later.process = subprocess.Popen([str(part) for part in command], env=env, stdout=log, stderr=log)
            return later.process.wait(timeout=120)

    def stat(self) -> dict:
        run = self.command("store", "stat", "--format=json")
        assert run.returncode == 0, run
        streams = [json.loads(line) for line in run.stdout.splitlines()]
        (pushes,) = [stream for stream in streams if stream["stream"] == "default/pushes"]
        return pushes

    def is_sound(self):
        run = self.command("store", "verify")
        assert run.returncode == 0, run

    def objects(self) -> dict[str, bytes]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket="metrics", Prefix=self.prefix)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return {key: self.s3.get_object(Bucket="metrics", Key=key)["Body"].read() for key in keys}

    def put(self, key: str, content: bytes):
        self.s3.put_object(Bucket="metrics", Key=key, Body=content)


@pytest.fixture
def store(tmp_path, seaweedfs, s3_url):
    store = Store(tmp_path, seaweedfs, s3_url)
    yield store
    store.later.shutdown()


def test_a_compaction_is_killed_at_each_of_its_writes(store):
    store.push()
    answers = store.answers()
    assert len(answers[0]) > GROUPS and list(answers[1].values()) == [sum(range(GROUPS))]
    assert store.stat()["waiting_segments"] == 2 * GROUPS
    store.is_sound()
    kills = 0
    # every second write before it is done, the others when it is
    for is_done_first in (False, True):
        for write in range(1 + is_done_first, 100, 2):
            if store.compact(write, is_done_first) == 0:
                break
            kills += 1
            assert store.answers() == answers, f"killed at write {write}, done: {is_done_first}"
            store.is_sound()
        # the next ones find something to do again
        store.push()
        answers = store.answers()
    assert kills >= 6, "a lease, a run, its ids, the manifest, a second time"
    assert store.compact() == 0
    assert store.stat()["waiting_segments"] == 0 and store.stat()["runs"] >= 1
    assert store.answers() == answers
    store.is_sound()
    text = store.command("store", "ls").stdout
    assert text.startswith("default/pushes\n") and " tick " in text, text


def test_what_is_damaged_is_named(store):
    store.push()
    assert store.compact() == 0
    # what a server leaves of the proof at the start is nobody's
    assert "probe/" not in (store.folder / "compact.log").read_text()
    store.is_sound()
    (key, content), *_ = [(key, content) for key, content in store.objects().items() if "/data/" in key and key.endswith(".parquet")]
    store.put(key, content[:20] + bytes([content[20] ^ 1]) + content[21:])
    run = store.command("store", "verify")
    assert run.returncode == 1 and key.removeprefix(store.prefix) in run.stdout and "checksum" in run.stdout, run
    assert store.command("store", "ls").returncode == 0
    store.put(key, content)
    store.is_sound()


def test_what_is_deleted_is_gone(store):
    store.push()
    pushed = call(store.server.gateway, "PUT", "/metrics/job/leaky-job", "leaky 1\n")
    assert pushed.status == 200 and store.compact() == 0
    before = store.answers()[0]
    match = ("--match", '{job="leaky-job"}')
    counted = store.command("store", "delete", *match, "--dry-run")
    assert counted.returncode == 0 and store.answers()[0] == before, counted
    assert store.command("store", "delete", *match).returncode == 0
    left = {labels: value for labels, value in before.items() if dict(labels)["job"] != "leaky-job"}
    assert len(left) < len(before) and store.answers()[0] == left
    # a tick takes it out, and what it was in goes after the grace; that there is a family `leaky` stays known
    for _ in range(8):
        assert store.compact() == 0
    assert store.answers()[0] == left
    assert not [key for key, content in store.objects().items() if "leaky-job" in said(key, content)]
    assert [key for key, content in store.objects().items() if "added_total" in said(key, content)]
    store.is_sound()


def said(key: str, content: bytes) -> str:
    """What an object says, without compression."""
    table = pyarrow.parquet.read_table(io.BytesIO(content)).to_pylist() if key.endswith(".parquet") else ""
    return content.decode("latin-1") + str(table)
