"""The real binaries of this repository."""

import os
import subprocess
from pathlib import Path

from . import TOP
from .process import Failed, Process


def built(name: str) -> Path:
    """A binary of the build that `make test-peers` has just made."""
    # absolute: tests start the binaries in folders of their own; a relative target folder is cargo's, below the workspace
    target = TOP / os.environ.get("CARGO_TARGET_DIR", "target")
    path = target / os.environ.get("PROFILE", "debug") / name
    if not path.is_file():
        raise Failed(f"{path} does not exist; `make test-peers` builds it")
    return path


def clean_environment(**more: str) -> dict:
    """This process's environment without what could send an AWS client elsewhere, the machine's own role included."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    return kept | {"AWS_EC2_METADATA_DISABLED": "true"} | more


class Mayfly:
    """`mayfly serve` on free ports. `start` after `kill9` or `stop` gives a new process on the same storage."""

    def __init__(self, folder: Path, storage, *, env: dict | None = None, flags: tuple = ()):
        self.log = folder / "mayfly.log"
        self.storage, self.flags = storage, list(flags)
        self.env = clean_environment(**(env or {}))
        self.process: Process | None = None
        self.gateway = self.query = ""

    def command(self) -> list:
        listen = ["--gateway.listen-address", "127.0.0.1:0", "--query.listen-address", "127.0.0.1:0"]
        return [built("mayfly"), "serve", "--storage", self.storage, *listen, *self.flags]

    def start(self) -> "Mayfly":
        self.process = Process("mayfly", self.command(), self.log, self.env)
        self.gateway = self._address("gateway listening on ")
        self.query = self._address("query listening on ")
        self.process.line(lambda line: line == "ready")
        return self

    def _address(self, prefix: str) -> str:
        # the two listeners may report in either order
        for line in self.process.lines:
            if line.startswith(prefix):
                return line.removeprefix(prefix)
        return self.process.line(lambda line: line.startswith(prefix)).removeprefix(prefix)

    def kill9(self):
        self.process.kill9()

    def stop(self) -> int:
        return self.process.stop()

    def restart_after_kill9(self):
        self.kill9()
        self.start()


def run_to_end(folder: Path, *arguments, seconds: float = 30, **env: str) -> subprocess.CompletedProcess:
    """`mayfly ARGUMENTS` to its own end, outputs as text."""
    command = [str(part) for part in (built("mayfly"), *arguments)]
    try:
        return subprocess.run(
            command, cwd=folder, env=clean_environment(**env), capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as err:
        raise Failed(f"{command} did not end within {seconds} s: {err.stdout!r} {err.stderr!r}") from None


class LambdaUrl:
    """A function's bootstrap behind an address, under the emulated Runtime API of `testkit`."""

    def __init__(self, folder: Path, function: str, env: dict):
        command = [built("lambda-url"), built(function)]
        environment = clean_environment(**env)
        self.process = Process(function, command, folder / f"{function}.log", environment, stdin=subprocess.PIPE)
        line = self.process.line(lambda line: line.startswith("function listening on "))
        self.url = line.removeprefix("function listening on ")

    def stop(self):
        self.process.child.stdin.close()
        self.process.exit()
