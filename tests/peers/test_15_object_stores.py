"""15: the contract of object stores on real S3 servers, several processes at once included."""

import json
import re
import subprocess

import pytest

from harness import TOP
from harness.http import call, instant
from harness.mayfly import Mayfly, clean_environment

# those of objects/src/contract/mod.rs, and the one of several processes
CASES = 23


def contract() -> str:
    """The test binary of `objects`, as `make test` builds it."""
    command = ["cargo", "test", "--workspace", "--lib", "--locked", "--no-run", "--message-format=json"]
    run = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    messages = [json.loads(line) for line in run.stdout.splitlines()]
    (binary,) = [
        message["executable"]
        for message in messages
        if message.get("executable") and "/objects/src/lib.rs" in message["target"]["src_path"]
    ]
    return binary


@pytest.fixture(scope="module")
def binary() -> str:
    return contract()


@pytest.mark.parametrize("name", ["seaweedfs", "ministack"])
def test_the_contract(name, binary, request):
    server = request.getfixturevalue(name)
    env = clean_environment(MAYFLY_TEST_S3_ENDPOINT=server.endpoint, MAYFLY_TEST_S3_BUCKET="metrics", **server.env)
    run = subprocess.run(
        [binary, "of_the_environment", "--test-threads=2"], env=env, capture_output=True, text=True, timeout=600, check=False
    )
    assert run.returncode == 0, run.stdout
    passed = int(re.search(r"(\d+) passed", run.stdout).group(1))
    assert passed >= CASES, run.stdout


def test_pushes_on_ministack(tmp_path, ministack):
    server = Mayfly(tmp_path, "s3://metrics/pushes", env=ministack.env, flags=ministack.flags).start()
    assert call(server.gateway, "PUT", "/metrics/job/j", "a 1\n").status == 200
    assert call(server.query, "GET", "/-/ready").status == 200
    server.restart_after_kill9()
    assert list(instant(server.query, "a").values()) == [1]


@pytest.mark.parametrize("name", ["seaweedfs", "ministack"])
def test_a_key_that_is_not_known_is_named(name, tmp_path, request):
    server = request.getfixturevalue(name)
    env = server.env | {"AWS_SECRET_ACCESS_KEY": "wrong"}
    command = Mayfly(tmp_path, "s3://metrics/x", env=env, flags=server.flags).command()
    run = subprocess.run(
        [str(part) for part in command], env=clean_environment(**env), capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode != 0
    assert "s3://metrics" in run.stderr and "403" in run.stderr and "SignatureDoesNotMatch" in run.stderr, run.stderr
