"""27: what `infra/container` describes: the image's commands in a root file system like its own, read-only and as nobody, and what
linters say. No container engine is needed, and so neither the build stage nor the base image is run."""

import json
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from harness import TOP, VENV
from harness.mayfly import built

CONTAINER = TOP / "infra" / "container"


def instructions() -> list[tuple[str, str]]:
    text = (CONTAINER / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [tuple(line.split(" ", 1)) for line in lines]


def of_the_image(name: str) -> str:
    """The last instruction of this kind, which counts."""
    return [value for kind, value in instructions() if kind == name][-1]


def exec_form(value: str) -> list[str]:
    return json.loads(value[value.index("[") :])


def root_file_system(folder: Path) -> Path:
    """The binary, what it is linked with, and nothing else but empty places to mount on."""
    root = folder / "root"
    mayfly = built("mayfly")
    for place in ("usr/local/bin", "data", "proc", "dev"):
        (root / place).mkdir(parents=True)
    shutil.copy(mayfly, root / "usr/local/bin/mayfly")
    linked = subprocess.run(["ldd", mayfly], capture_output=True, text=True, check=True).stdout
    for library in {word for word in linked.split() if word.startswith("/")} | {"/etc/ssl/certs/ca-certificates.crt"}:
        copy = root / library.lstrip("/")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(library).resolve(), copy)
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
    return root


# with its own network, where both ports are free, and nothing to write to but the volume
STORY = """
set -eu
ip link set lo up
mount --bind "$ROOT" "$ROOT"
mount -o remount,ro,bind "$ROOT"
mount -t tmpfs -o mode=755,uid=65532,gid=65532 none "$ROOT/data"
inside() { chroot --userspec="$OWNER" --groups= "$ROOT" "$@"; }
! inside $HEALTH 2>/dev/null
chroot --userspec="$OWNER" --groups= "$ROOT" $SERVE & server=$!
for try in $(seq 300); do inside $ENTRY check ready >/dev/null 2>&1 && break; sleep 0.1; done
inside $ENTRY check ready
inside $HEALTH
! touch "$ROOT/written" 2>/dev/null
python3 - <<'PYTHON'
import json, urllib.request
body = urllib.request.Request("http://localhost:9091/metrics/job/backup", b"rows 42\\n", method="PUT")
assert urllib.request.urlopen(body).status == 200
answer = json.load(urllib.request.urlopen("http://localhost:9090/api/v1/query?query=rows"))
assert answer["data"]["result"][0]["value"][1] == "42", answer
PYTHON
find "$ROOT/data" -type f -printf '%U %P\\n'
kill -TERM $server
wait $server
! inside $HEALTH 2>/dev/null
echo story ended
"""


def test_the_commands_of_the_image(tmp_path):
    entry, serve = exec_form(of_the_image("ENTRYPOINT")), exec_form(of_the_image("CMD"))
    health = exec_form(of_the_image("HEALTHCHECK"))
    assert of_the_image("USER") == "65532:65532" and of_the_image("VOLUME") == "/data" and of_the_image("EXPOSE") == "9090 9091"
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "ROOT": str(root_file_system(tmp_path)),
        "OWNER": of_the_image("USER"),
        "ENTRY": shlex.join(entry),
        "SERVE": shlex.join(entry + serve),
        "HEALTH": shlex.join(health),
    }
    command = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", STORY]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "SUCCESS:  http://localhost:9090 is Ready." in run.stdout and run.stdout.endswith("story ended\n")
    files = [line for line in run.stdout.splitlines() if line.startswith("65532 ")]
    assert files, run.stdout


def test_the_image_is_built_from_what_is_there():
    ignored = (CONTAINER / "Dockerfile.dockerignore").read_text()
    build = [value for kind, value in instructions() if kind == "RUN"]
    assert build[0].startswith("cargo build --release --locked -p mayfly --bin mayfly")
    (toolchain,) = [line for line in (TOP / "rust-toolchain.toml").read_text().splitlines() if line.startswith("channel")]
    (image,) = [value.split()[0] for kind, value in instructions() if kind == "FROM" and value.endswith("AS build")]
    assert image == f"rust:{'.'.join(toolchain.split(chr(34))[1].split('.')[:2])}-slim-bookworm"
    assert "target" in ignored.split()


def test_hadolint_finds_nothing():
    run = subprocess.run([VENV / "hadolint", CONTAINER / "Dockerfile"], capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stdout + run.stderr) == (0, "")


def test_hadolint_would_find_something(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM debian\nRUN cd / && sudo ls\n")
    assert subprocess.run([VENV / "hadolint", tmp_path / "Dockerfile"], capture_output=True, timeout=60, check=False).returncode == 1


def manifests() -> dict:
    return {each["kind"]: each for each in yaml.safe_load_all((CONTAINER / "kubernetes.yaml").read_text())}


def kubernetes_validate(path: Path) -> subprocess.CompletedProcess:
    command = [VENV / "kubernetes-validate", "--strict", path]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_kubernetes_takes_the_example(tmp_path):
    run = kubernetes_validate(CONTAINER / "kubernetes.yaml")
    assert run.returncode == 0, run.stdout + run.stderr
    broken = tmp_path / "broken.yaml"
    broken.write_text((CONTAINER / "kubernetes.yaml").read_text().replace("replicas: 2", "replicas: two"))
    assert kubernetes_validate(broken).returncode != 0


def test_the_example_runs_as_the_image_does():
    deployment = manifests()["Deployment"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    pod = deployment["spec"]["template"]["spec"]["securityContext"]
    assert f"{pod['runAsUser']}:{pod['runAsGroup']}" == of_the_image("USER")
    assert container["securityContext"]["readOnlyRootFilesystem"] and pod["runAsNonRoot"]
    # the flags are ones that the server takes
    flags = [arg.replace("s3://BUCKET/metrics", "memory:") for arg in container["args"]]
    run = subprocess.run([built("mayfly"), *flags, "--help"], capture_output=True, text=True, timeout=30, check=False)
    assert run.returncode == 0, run.stderr
    run = subprocess.run([built("mayfly"), *flags, "--nope"], capture_output=True, text=True, timeout=30, check=False)
    assert "unexpected argument '--nope'" in run.stderr
    listening = {port["containerPort"] for port in container["ports"]}
    assert {str(port) for port in listening} == set(of_the_image("EXPOSE").split())
    targets = {port["targetPort"]: port["port"] for port in manifests()["Service"]["spec"]["ports"]}
    assert targets == {port["name"]: port["containerPort"] for port in container["ports"]}


@pytest.mark.parametrize("question", ["healthy", "ready"])
@pytest.mark.parametrize(
    ("url", "told"),
    [("http://127.0.0.1:1", "no answer"), ("nonsense", "is no URL to send to")],
)
def test_who_is_not_there_is_not_well(question, url, told):
    run = subprocess.run([built("mayfly"), "check", question, "--url", url], capture_output=True, text=True, timeout=30, check=False)
    assert run.returncode == 1 and told in run.stderr, run.stderr
