"""08: what cannot start says why in one line, and exits with something other than 0."""

import contextlib
import socket

import pytest

from harness.http import call
from harness.mayfly import Mayfly, built, clean_environment, run_to_end
from harness.process import Process

FLAGS = [
    "--storage",
    "--s3.endpoint",
    "--gateway.listen-address",
    "--query.listen-address",
    "--rules",
    "--alertmanager.url",
    "--evaluation-interval",
]
FREE = ["--gateway.listen-address", "127.0.0.1:0", "--query.listen-address", "127.0.0.1:0"]
RULE_FILES = {
    "no YAML": ("groups: [", "rules.yml"),
    "no such field": ("groups:\n- name: g\n  rulez: []\n", "rulez"),
    "no expression": ("groups:\n- name: g\n  rules:\n  - alert: A\n", "expr"),
    "bad expression": ("groups:\n- name: g\n  rules:\n  - alert: A\n    expr: sum(\n", "parse error"),
    "both kinds": ("groups:\n- name: g\n  rules:\n  - {alert: A, record: b, expr: up}\n", "record"),
}


def refused(folder, *arguments, **env) -> str:
    """Runs `mayfly serve` into its failure and returns the one line."""
    run = run_to_end(folder, "serve", *arguments, **env)
    assert run.returncode not in (0, 101), run
    assert "ready" not in run.stdout.splitlines()
    lines = run.stderr.splitlines()
    assert len(lines) == 1, run.stderr
    return lines[0]


@pytest.mark.parametrize("flag", ["--gateway.listen-address", "--query.listen-address"])
def test_a_taken_port(tmp_path, flag):
    with contextlib.closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        other = next(name for name in FLAGS[2:4] if name != flag)
        line = refused(tmp_path, "--storage", tmp_path / "data", flag, address, other, "127.0.0.1:0")
    assert address in line and "in use" in line.lower()


def test_an_address_that_is_none(tmp_path):
    run = run_to_end(tmp_path, "serve", "--storage", "memory:", "--gateway.listen-address", "nonsense")
    assert run.returncode not in (0, 101) and "nonsense" in run.stderr


def test_sockets_of_systemd(tmp_path):
    flags = ["--storage", "memory:", "--web.systemd-socket", *FREE[2:]]
    assert "no socket" in refused(tmp_path, *flags)
    with contextlib.closing(socket.socket()) as opened, contextlib.closing(socket.socket()) as other:
        for each in (opened, other):
            each.bind(("127.0.0.1", 0))
            each.listen()
        # the third open file and those after it, of the process that is told so
        passed = f"exec 3<&{opened.fileno()} 4<&{other.fileno()}; export LISTEN_FDS=2 LISTEN_PID=$$; exec \"$@\""
        command = ["bash", "-c", passed, "bash", built("mayfly"), "serve", *flags]
        fds = (opened.fileno(), other.fileno())
        process = Process("mayfly", command, tmp_path / "mayfly.log", clean_environment(), pass_fds=fds)
        process.line(lambda line: line == "ready")
        for each in (opened, other):
            url = f"http://127.0.0.1:{each.getsockname()[1]}"
            assert f"gateway listening on {url}" in process.lines
            assert call(url, "PUT", "/metrics/job/j", "a 1\n").status == 200
        assert process.stop() == 0


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    storage = tmp_path / "file" / "data"
    assert str(storage) in refused(tmp_path, "--storage", storage, *FREE)


def test_a_storage_of_unknown_kind(tmp_path):
    assert "gs://" in refused(tmp_path, "--storage", "gs://bucket/prefix", *FREE)


@pytest.mark.parametrize("name", RULE_FILES)
def test_a_bad_rule_file(tmp_path, name):
    text, part = RULE_FILES[name]
    rules = tmp_path / "rules.yml"
    rules.write_text(text)
    line = refused(tmp_path, "--storage", tmp_path / "data", "--rules", rules, *FREE)
    assert str(rules) in line and part in line


def test_a_rule_file_that_is_not_there(tmp_path):
    rules = tmp_path / "absent.yml"
    assert str(rules) in refused(tmp_path, "--storage", tmp_path / "data", "--rules", rules, *FREE)


def test_an_unknown_flag_and_an_unknown_command(tmp_path):
    for arguments in (["serve", "--storrage", "x"], ["frobnicate"]):
        run = run_to_end(tmp_path, *arguments)
        assert run.returncode not in (0, 101) and arguments[-2 if len(arguments) > 1 else 0] in run.stderr


def test_version_and_help(tmp_path):
    version = run_to_end(tmp_path, "--version")
    assert version.returncode == 0 and version.stdout.startswith("mayfly "), version
    text = run_to_end(tmp_path, "serve", "--help")
    assert text.returncode == 0
    assert [flag for flag in FLAGS if flag not in text.stdout] == []
    for default in ("./mayfly-data", "127.0.0.1:9091", "127.0.0.1:9090"):
        assert default in text.stdout


def test_the_default_folder_is_mayfly_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    server = Mayfly(tmp_path, "./mayfly-data")
    server.start()
    assert (tmp_path / "mayfly-data").is_dir()
    assert server.stop() == 0


def test_an_s3_that_does_not_answer(tmp_path):
    with contextlib.closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{free.getsockname()[1]}"
    keys = {"AWS_ACCESS_KEY_ID": "some", "AWS_SECRET_ACCESS_KEY": "some", "AWS_REGION": "us-east-1"}
    line = refused(tmp_path, "--storage", "s3://metrics/x", "--s3.endpoint", endpoint, *FREE, **keys)
    assert "s3://metrics" in line and endpoint in line


def test_wrong_keys_for_s3(tmp_path, seaweedfs):
    keys = seaweedfs.env | {"AWS_SECRET_ACCESS_KEY": "wrong"}
    line = refused(tmp_path, "--storage", "s3://metrics/denied", *seaweedfs.flags, *FREE, **keys)
    assert "s3://metrics" in line


def test_no_keys_for_s3(tmp_path, seaweedfs):
    assert "credentials" in refused(tmp_path, "--storage", "s3://metrics/denied", *seaweedfs.flags, *FREE)
