"""21: kill -9 under load, again and again on one storage, while segments are merged: what was acknowledged is there, once, and what
was refused is not. KILL_RUNS says how often (20), on a new storage after each 50; what is drawn at random comes from KILL_SEED, which a
failure shows."""

import http.client
import os
import random
import threading
import time

import pytest

from harness.http import call, instant
from harness.mayfly import Mayfly

RUNS = int(os.environ.get("KILL_RUNS", "20"))
SEED = int(os.environ.get("KILL_SEED", time.strftime("%Y%j", time.gmtime())))
PUSHERS = 6
# what was pushed in the last minutes is not merged yet, and each start reads all of it
RUNS_OF_STORAGE = 50


class Load:
    """Pushes of one run, until the server is gone, and what came of each."""

    def __init__(self, run: int):
        self.run = run
        self.kept: dict[str, float] = {}
        self.unknown: dict[str, float] = {}
        self.refused: list[str] = []
        # per pusher: what was added for sure, and what may have been
        self.added, self.perhaps = [0] * PUSHERS, [0] * PUSHERS
        self.lock = threading.Lock()

    def pusher(self, server: Mayfly, index: int):
        for push in range(1_000_000):
            name = f"{index}-{push}"
            if push % 7 == 3:
                answer = self.send(server, "PUT", f"/metrics/job/kill/run/{self.run}/instance/{name}", "kept{ 1\n")
                if answer is None:
                    return
                assert answer == 400, answer
                with self.lock:
                    self.refused.append(name)
            elif push % 3 == 1:
                body = f"# TYPE added_total counter\nadded_total {push}\n"
                headers = {"Idempotency-Key": f"{self.run}/{name}"}
                target = f"/aggregate/metrics/job/add/run/{self.run}/instance/{index}"
                answer = self.send(server, "POST", target, body, headers)
                self.added[index] += push if answer == 200 else 0
                if answer != 200:
                    self.perhaps[index] = push
                    return
            else:
                answer = self.send(server, "PUT", f"/metrics/job/kill/run/{self.run}/instance/{name}", f"kept {push}\n")
                with self.lock:
                    (self.kept if answer == 200 else self.unknown)[name] = push
            if answer is None:
                return

    def send(self, server: Mayfly, *request) -> int | None:
        try:
            return call(server.gateway, *request).status
        except (OSError, http.client.HTTPException):
            return None

    def check(self, server: Mayfly):
        found = instant(server.query, f'kept{{job="kill",run="{self.run}"}}')
        found = {dict(labels)["instance"]: value for labels, value in found.items()}
        lost = {name: value for name, value in self.kept.items() if found.get(name) != value}
        assert not lost, f"run {self.run}: acknowledged and not there: {lost}"
        strange = {name: value for name, value in found.items() if (self.kept | self.unknown).get(name) != value}
        assert not strange, f"run {self.run}: there, and nobody was told so: {strange}; refused: {self.refused}"
        sums = instant(server.query, f'added_total{{job="add",run="{self.run}"}}')
        sums = {dict(labels)["instance"]: value for labels, value in sums.items()}
        for index in range(PUSHERS):
            least, most = self.added[index], self.added[index] + self.perhaps[index]
            assert sums.get(str(index), 0) in (least, most), f"run {self.run}: {sums}, not {least} or {most} of {index}"


def storage(kind: str, folder, request) -> Mayfly:
    merging = ("--storage.compact-interval", "1s")
    if kind == "s3":
        seaweedfs, url = request.getfixturevalue("seaweedfs"), request.getfixturevalue("s3_url")
        return Mayfly(folder, f"{url}/{folder.name}", env=seaweedfs.env, flags=(*seaweedfs.flags, *merging))
    flags = ("--storage.ack", "stored") if kind == "folder-stored" else ()
    return Mayfly(folder, folder / "data", flags=(*flags, *merging))


@pytest.mark.parametrize("kind", ["folder-logged", "folder-stored", "s3"])
def test_killed_under_load(kind, tmp_path, request):
    chance = random.Random(f"{SEED} {kind}")
    # half of the runs on each kind of acknowledgement of a folder, all of them on S3
    runs = RUNS if kind == "s3" else -(-RUNS // 2)
    acknowledged = 0
    for first in range(0, runs, RUNS_OF_STORAGE):
        folder = tmp_path / f"from-{first}"
        folder.mkdir()
        some = range(first, min(runs, first + RUNS_OF_STORAGE))
        acknowledged += killed_again_and_again(storage(kind, folder, request), some, chance)
        print(f"{kind}: {some.stop} kills, {acknowledged} sets acknowledged, seed {SEED}", flush=True)


def killed_again_and_again(server: Mayfly, runs: range, chance: random.Random) -> int:
    """How many sets were acknowledged."""
    server.start()
    loads = []
    for run in runs:
        load = Load(run)
        pushers = [threading.Thread(target=load.pusher, args=(server, index)) for index in range(PUSHERS)]
        for pusher in pushers:
            pusher.start()
        time.sleep(chance.uniform(0.02, 0.5))
        server.kill9()
        for pusher in pushers:
            pusher.join()
        server.start()
        load.check(server)
        loads.append(load)
    acknowledged = sum(len(load.kept) for load in loads)
    assert acknowledged >= len(runs), "there is load"
    for load in loads:
        load.check(server)
    # and again when all of it was closed and opened in peace
    assert server.stop() == 0
    server.start()
    for load in loads:
        load.check(server)
    assert server.stop() == 0
    return acknowledged
