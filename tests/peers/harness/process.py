"""One child process: its output, its readiness, its end. Ends only what it started."""

import contextlib
import os
import queue
import signal
import socket
import subprocess
import threading
import time

START_SECONDS = 60
STOP_SECONDS = 20


class Failed(AssertionError):
    """A process did not do what it was started for; the text holds its output."""


def free_ports(count: int, below: int = 32000) -> list[int]:
    """Ports that are free now, all different, below the range from which the kernel takes ports for clients."""
    found: list[int] = []
    start = 20000 + (os.getpid() * 37 + time.monotonic_ns()) % 9000
    for port in range(start, below):
        with contextlib.closing(socket.socket()) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise Failed(f"no {count} free ports")


def until(what: str, check, seconds: float = 15, pause: float = 0.02):
    """Waits for `check()` to return something true and returns it; an exception counts as not yet."""
    end = time.monotonic() + seconds
    last: object = None
    while True:
        try:
            last = check()
            if last:
                return last
        except (OSError, ValueError, AssertionError) as err:
            last = err
        if time.monotonic() >= end:
            raise Failed(f"{what}: not within {seconds} s; last: {last!r}")
        time.sleep(pause)


class Process:
    """A program with its standard output as lines and its standard error in a file."""

    running: list["Process"] = []
    # outlives the test that started it
    shared = False

    def __init__(self, name: str, command: list, log, env: dict | None = None, **more):
        self.name, self.log = name, log
        self.lines: list[str] = []
        self._queue: queue.Queue = queue.Queue()
        with open(log, "ab") as stderr:
            self.child = subprocess.Popen(
                [str(part) for part in command],
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=env,
                start_new_session=True,
                **{"stdin": subprocess.DEVNULL} | more,
            )
        Process.running.append(self)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.child.stdout:
            text = line.decode(errors="replace").rstrip("\n")
            self.lines.append(text)
            self._queue.put(text)
        self._queue.put(None)

    def line(self, wanted, seconds: float = START_SECONDS) -> str:
        """Waits for the next line of standard output for which `wanted(line)` holds."""
        end = time.monotonic() + seconds
        while True:
            try:
                line = self._queue.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise Failed(f"{self.name}: the awaited line did not come within {seconds} s\n{self.output()}") from None
            if line is None:
                raise Failed(f"{self.name}: ended ({self.child.wait()}) before the awaited line\n{self.output()}")
            if wanted(line):
                return line

    def up(self, what: str, check, seconds: float = START_SECONDS):
        """Waits until `check()` holds while the process lives."""

        def alive_and_checked():
            if self.child.poll() is not None:
                raise RuntimeError(f"{self.name}: ended ({self.child.returncode})\n{self.output()}")
            return check()

        try:
            return until(f"{self.name}: {what}", alive_and_checked, seconds)
        except Failed as err:
            raise Failed(f"{err}\n{self.output()}") from None

    def errors(self) -> str:
        """What it wrote to standard error."""
        return self.log.read_text(errors="replace")

    def output(self, last: int = 60) -> str:
        """The end of both outputs, for a failure's text."""
        return "\n".join(["--- stdout", *self.lines[-last:], "--- stderr", *self.errors().splitlines()[-last:]])

    def exit(self, seconds: float = STOP_SECONDS) -> int:
        """Waits for its own end and returns the exit code."""
        try:
            code = self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name}: still runs after {seconds} s\n{self.output()}") from None
        self._reader.join(5)
        if self in Process.running:
            Process.running.remove(self)
        return code

    def kill9(self):
        """SIGKILL, at once."""
        self._signal(signal.SIGKILL)
        self.exit()

    def stop(self) -> int:
        """SIGTERM, then waits; SIGKILL and a failure where that does not end it."""
        self._signal(signal.SIGTERM)
        try:
            return self.exit()
        except Failed:
            self.kill9()
            raise

    def hang_up(self):
        """SIGHUP: configuration is read anew."""
        self._signal(signal.SIGHUP)

    def _signal(self, number):
        if self.child.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.child.pid, number)

    @classmethod
    def kill_rest(cls):
        """Kills what a test has left running."""
        for process in [process for process in cls.running if not process.shared][::-1]:
            process.kill9()
