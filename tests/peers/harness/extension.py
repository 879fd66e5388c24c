"""A function that is measured: a sandbox with a program of the function and the extension beside it."""

import json
import subprocess
import sys

from harness import OPENTELEMETRY, PEERS
from harness.http import call
from harness.mayfly import built, clean_environment
from harness.process import Process, free_ports

CLIENTS = PEERS.parent / "tests/peers/clients/extension"
FUNCTIONS = {"py": [sys.executable, CLIENTS / "function.py"], "js": ["node", CLIENTS / "function.cjs"]}
TIMEOUT_MS = 2_000


class Function:
    """A function of a language in a sandbox, with the extension unless it is to be measured without."""

    def __init__(self, folder, language: str, **settings: str):
        push, otlp, statsd = map(str, free_ports(3))
        self.log = folder / f"extension-{language}.log"
        env = {"MAYFLY_PUSH_PORT": push, "MAYFLY_OTLP_PORT": otlp, "MAYFLY_STATSD_PORT": statsd}
        # Lambda's own keys for the function; the sandbox has an address that an emulator does not give it
        env |= {"MAYFLY_TELEMETRY_HOST": "127.0.0.1", "NODE_PATH": str(OPENTELEMETRY), **settings}
        command = [built("lambda-sandbox"), built("extension"), self.log, str(TIMEOUT_MS), *FUNCTIONS[language]]
        log = folder / f"sandbox-{language}.log"
        self.process = Process(f"sandbox-{language}", command, log, clean_environment(**env), stdin=subprocess.PIPE)
        line = self.process.line(lambda line: line.startswith("sandbox listening on "))
        self.url = line.removeprefix("sandbox listening on ")

    def ask(self, method: str, target: str, body: str = "") -> dict:
        answer = call(self.url, method, target, body)
        assert answer.status == 200, f"{target}: {answer.text}\n{self.log.read_text()}"
        return answer.json()

    def invoke(self, do: str = "succeed", kind: str = "book", took: float = 0.5, queue: int = 3) -> dict:
        return self.ask("POST", "/invoke", json.dumps({"do": do, "kind": kind, "took": took, "queue": queue}))

    def end(self):
        assert self.ask("POST", "/end") == {"status": 0}, self.log.read_text()
