"""28: the samples of docs/functions.md run as they stand, against the real push function, and what they add adds up."""

import hashlib
import re
import subprocess
from pathlib import Path

import pytest

from harness import PEERS, TOP, VENV
from harness.http import instant
from harness.mayfly import LambdaUrl, clean_environment

TOKEN = "a token of a test"


def samples() -> dict[str, list[str]]:
    """Blocks of code, by the heading above them."""
    found: dict = {}
    for section in re.split(r"^## ", (TOP / "docs" / "functions.md").read_text(), flags=re.MULTILINE)[1:]:
        found[section.splitlines()[0]] = re.findall(r"^```\w+\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL)
    return found


def python(folder: Path, code: str) -> list:
    (folder / "sample.py").write_text(code)
    return [VENV / "python", "sample.py"]


def node(folder: Path, code: str) -> list:
    (folder / "sample.js").write_text(code)
    return ["node", "sample.js"]


def java(folder: Path, code: str) -> list:
    (folder / "Resize.java").write_text(code)
    jars = [*(PEERS / "java").glob("*.jar"), PEERS / "debian/usr/share/java/jaxb-api.jar"]
    return ["java", "-cp", ":".join(map(str, jars)), "Resize.java"]


def rust(folder: Path, code: str) -> list:
    (folder / "src").mkdir(exist_ok=True)
    (folder / "src/main.rs").write_text(code)
    (folder / "Cargo.toml").write_text(
        "[package]\nname = 'resize'\nedition = '2021'\n[workspace]\n[dependencies]\n"
        "prometheus = { version = '0.14', default-features = false }\n"
        "ureq = { version = '3', default-features = false }\nuuid = { version = '1', features = ['v4'] }\n"
    )
    return ["cargo", "run", "--quiet"]


def shell(folder: Path, code: str) -> list:
    (folder / "sample.sh").write_text(code)
    return ["sh", "-eu", "sample.sh"]


@pytest.mark.parametrize(
    ("heading", "job", "language"),
    [
        ("Python", "resize-py", python),
        ("Node", "resize-js", node),
        ("Java", "resize-java", java),
        ("Rust", "resize-rs", rust),
        ("Shell", "resize-sh", shell),
    ],
)
def test_a_sample(tmp_path, seaweedfs, s3_url, s3_server, heading, job, language):
    (code,) = samples()[heading]
    env = seaweedfs.env | {
        "MAYFLY_S3_ENDPOINT": seaweedfs.endpoint,
        "MAYFLY_STORAGE": s3_url,
        "MAYFLY_TOKEN_SHA256": hashlib.sha256(TOKEN.encode()).hexdigest(),
    }
    function = LambdaUrl(tmp_path, "push", env)
    command = language(tmp_path, code)
    known = {"NODE_PATH": str(PEERS / "node" / "node_modules"), "MAYFLY_URL": function.url}
    run = lambda token: subprocess.run(
        command, cwd=tmp_path, env=clean_environment(MAYFLY_TOKEN=token, **known), capture_output=True, text=True, timeout=240, check=False
    )
    for _ in range(2):
        ended = run(TOKEN)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    assert run("another").returncode != 0
    if heading == "Shell":
        assert list(instant(s3_server.query, f'job_exit_status{{job="{job}"}}').values()) == [0]
        return
    assert list(instant(s3_server.query, f'sum by (status) (increase(calls_total{{job="{job}"}}[5m]))').items()) == [((("status", "ok"),), 2)]
    assert list(instant(s3_server.query, f'call_seconds_count{{job="{job}"}}').values()) == [2]


def test_the_sample_of_a_message(tmp_path):
    """Its message is what the function takes from the queue; that SQS brings it there is in test_20."""
    (code,) = samples()["Through the queue"]
    (tmp_path / "boto3.py").write_text(
        "class client:\n"
        "    def __init__(self, name):\n        assert name == 'sqs'\n"
        "    def send_message(self, QueueUrl, MessageBody):\n        print(QueueUrl, MessageBody)\n"
    )
    env = clean_environment(MESSAGES_URL="http://queue", PYTHONPATH=str(tmp_path))
    run = subprocess.run(python(tmp_path, code), cwd=tmp_path, env=env, capture_output=True, text=True, timeout=30, check=True)
    assert run.stdout == (
        'http://queue {"method": "POST", "path": "/aggregate/metrics/job/resize-sqs", '
        '"body": "calls_total{status=\\"ok\\"} 1\\n"}\n'
    )
