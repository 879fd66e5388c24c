"""41: the query port answers as `edge/src/openapi.yaml` says, whatever is asked: schemathesis makes requests of the description, right ones
and wrong ones, and no answer may be a server error, or have a status or a media type that is not described."""

import subprocess

from harness import SCHEMATHESIS, TOP
from harness.http import call
from harness.mayfly import Mayfly, clean_environment

DESCRIPTION = TOP / "edge" / "src" / "openapi.yaml"
# protobuf is not made by it; and that there are no snapshots is a server error in Prometheus' words
LEFT_OUT = ("/api/v1/read", "/api/v1/write", "/api/v1/admin/tsdb/snapshot")


def served(tmp_path) -> Mayfly:
    server = Mayfly(tmp_path, tmp_path / "data", flags=("--web.enable-admin-api",)).start()
    answer = call(server.gateway, "PUT", "/metrics/job/a", body=b'rows{part="1"} 42\nother_total 7\n')
    assert answer.status == 200, answer
    return server


def asked(server: Mayfly, description, folder, *more) -> subprocess.CompletedProcess:
    """Requests that are the same each time: no chance decides whether this passes."""
    command = [
        SCHEMATHESIS,
        *("--config-file", TOP / "tests" / "peers" / "schemathesis.toml"),
        *("run", description, "--url", server.query),
        *("--checks", "not_a_server_error,status_code_conformance,content_type_conformance"),
        *("--phases", "examples,coverage,fuzzing", "--max-examples", "3", "--generation-deterministic"),
        *("--request-timeout", "20", "--continue-on-failure", "--warnings", "off", "--no-color"),
        *more,
    ]
    env = clean_environment(HOME=str(folder), COLUMNS="200")
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=150, check=False)


def test_every_answer_is_described(tmp_path):
    server = served(tmp_path)
    left_out = [part for path in LEFT_OUT for part in ("--exclude-path", path)]
    run = asked(server, DESCRIPTION, tmp_path, *left_out)
    assert run.returncode == 0, run.stdout + run.stderr
    # it is still there, and serves
    assert call(server.query, "GET", "/api/v1/query?query=1").status == 200


def test_an_answer_that_is_not_described_would_be_found(tmp_path):
    server = served(tmp_path)
    wrong = DESCRIPTION.read_text().replace("application/json", "application/yaml")
    (tmp_path / "wrong.yaml").write_text(wrong)
    run = asked(server, tmp_path / "wrong.yaml", tmp_path, "--include-path", "/api/v1/labels")
    assert run.returncode == 1 and "Undocumented Content-Type" in run.stdout, run.stdout + run.stderr
