"""12: client libraries push, add and delete, and a real Prometheus sees the same through Mayfly as through a Pushgateway."""

import contextlib
import subprocess
import time

import pytest

from harness import PEERS, protobuf
from harness.http import call, instant
from harness.mayfly import Mayfly
from harness.peers import Prometheus, Pushgateway
from harness.process import until

from test_09_same_as_the_originals import push_all

CLIENT = "tests/peers/clients/push.js"


def node(url: str, what: str) -> int:
    command = ["node", str(PEERS.parent / CLIENT), url, what]
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "NODE_PATH": str(PEERS / "node" / "node_modules")}
    run = subprocess.run(command, capture_output=True, text=True, timeout=30, env=env, check=False)
    assert run.returncode == 0, run.stderr
    return int(run.stdout)


def held(base: str, name: str) -> dict:
    """Values by labels other than name, job and instance."""
    dropped = ("__name__", "job", "instance", "zone")
    return {tuple(pair for pair in labels if pair[0] not in dropped): value for labels, value in instant(base, name).items()}


def test_node(folder_server):
    gateway, query = folder_server.gateway, folder_server.query
    assert node(gateway, "push") == 200
    assert held(query, "node_rows_total") == {(("table", "a"),): 3}
    assert held(query, "node_took_bucket") == {(("le", "0.5"),): 1, (("le", "2.0"),): 2, (("le", "+Inf"),): 3}
    ((labels, value),) = instant(query, "node_depth").items()
    assert (dict(labels)["job"], dict(labels)["instance"], value) == ("node job", "i.1 ä", 1.5)
    assert node(gateway, "add") == 200
    assert (held(query, "node_depth"), held(query, "node_took_sum")) == ({(): 2.5}, {(): 10.1})
    assert node(gateway, "push") == 200
    assert node(gateway, "delete") == 202
    assert instant(query, '{job="node job"}') == {}


def java(url: str, what: str):
    jars = [*(PEERS / "java").glob("*.jar"), PEERS / "debian/usr/share/java/jaxb-api.jar"]
    # compiles the one file and runs it
    command = ["java", "-cp", ":".join(map(str, jars)), str(PEERS.parent / "tests/peers/clients/Push.java"), url, what]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (run.returncode, run.stdout) == (0, "done\n"), run.stderr


def test_java(folder_server):
    gateway, query = folder_server.gateway, folder_server.query
    java(gateway, "push")
    # it has a base64 path for what holds a slash only, and encodes a space as plus
    ((labels, value),) = instant(query, "java_depth").items()
    labels = dict(labels)
    assert (labels["job"], labels["instance"], labels["path"], value) == ("java+job", "i.1+ä", "/var/tmp", 1.5)
    assert list(instant(query, "java_rows_total{table='a'}").values()) == [3]
    buckets = {dict(labels)["le"]: value for labels, value in instant(query, "java_took_bucket").items()}
    assert buckets == {"0.5": 1, "2.0": 2, "+Inf": 3}
    java(gateway, "add")
    assert list(instant(query, "java_depth").values()) == [2.5]
    assert list(instant(query, "java_took_sum").values()) == [10.1]
    java(gateway, "delete")
    assert instant(query, '{job="java+job"}') == {}


def go_bodies() -> tuple[bytes, bytes]:
    """What Go's client pushes, and then adds."""
    first = [
        protobuf.family("go_rows_total", protobuf.COUNTER, protobuf.counter(3, table="a"), protobuf.counter(4, table="b"), help="Rows."),
        protobuf.family("go_depth", protobuf.GAUGE, protobuf.gauge(1.5)),
        protobuf.family("go_took", protobuf.HISTOGRAM, protobuf.histogram(3, 10.1, [(0.5, 1), (2.0, 2)])),
    ]
    return b"".join(first), protobuf.family("go_depth", protobuf.GAUGE, protobuf.gauge(2.5))


def test_delimited_protobuf_as_go_sends_it(folder_server):
    gateway, query = folder_server.gateway, folder_server.query
    # Go encodes a space as plus, which is no space in a path, and only what holds a slash as base64
    path = "/metrics/job/go+job/instance@base64/aS8x"
    headers = {"content-type": protobuf.CONTENT_TYPE}
    first, second = go_bodies()
    assert call(gateway, "PUT", path, first, headers).status == 200
    assert held(query, "go_rows_total") == {(("table", "a"),): 3, (("table", "b"),): 4}
    assert held(query, "go_took_bucket") == {(("le", "0.5"),): 1, (("le", "2.0"),): 2, (("le", "+Inf"),): 3}
    assert call(gateway, "POST", path, second, headers).status == 200
    ((labels, value),) = instant(query, "go_depth").items()
    assert (dict(labels)["job"], dict(labels)["instance"], value) == ("go+job", "i/1", 2.5)
    assert call(gateway, "DELETE", path).status == 202
    assert instant(query, '{job="go+job"}') == {}


# not what a scrape adds, what a gateway says about itself (all of that has the job of the scrape), and what differs from push to push
COMPARED = '{__name__!="",job!="pushgateway",__name__!~"push_time_seconds|push_failure_time_seconds|.*_created"}'


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Mayfly and a Pushgateway, each with a Prometheus that scrapes it, all with the same pushes."""
    folders = [tmp_path_factory.mktemp(name) for name in ("mayfly", "pushgateway")]
    # whatever has started is ended, also when what comes after it fails
    with contextlib.ExitStack() as started:

        def keep(process):
            process.shared = True
            started.callback(process.kill9)

        mayfly = Mayfly(folders[0], folders[0] / "data").start()
        keep(mayfly.process)
        pushgateway = Pushgateway(folders[1])
        keep(pushgateway.process)
        scrapers = []
        for folder, url in zip(folders, (mayfly.gateway, pushgateway.url)):
            scrapers.append(Prometheus.scraping(folder, url))
            keep(scrapers[-1].process)
        bases = [mayfly.query, *(scraper.url for scraper in scrapers)]
        push_to_both((mayfly.gateway, pushgateway.url), bases)
        yield bases


def push_to_both(gateways: tuple[str, str], bases: list[str]):
    for url in gateways:
        push_all(url)
        first, second = go_bodies()
        headers = {"content-type": protobuf.CONTENT_TYPE}
        call(url, "PUT", "/metrics/job/go", first, headers)
        node(url, "push")
        java(url, "push")
    # more values, each of them long enough that every scraper and the virtual scrapes see it
    for value in (5, 3, 8):
        for url in gateways:
            assert call(url, "PUT", "/metrics/job/steps", f"# TYPE steps counter\nsteps {value}\n").status == 200
        seen = lambda: [held(bases[0], "steps"), *(held(base, "steps") for base in bases[1:])] == [{(): value}] * 3
        until("scraped", seen)
        time.sleep(2.5)


def test_prometheus_sees_the_same_through_both(pair):
    def vectors():
        found = [instant(base, COMPARED) for base in pair]
        return [{labels: float(f"{value:.12g}") for labels, value in vector.items()} for vector in found]

    ours, through_ours, through_theirs = vectors()
    assert len(ours) > 40
    assert through_ours == through_theirs
    assert ours == through_theirs


RANGES = ["max_over_time", "min_over_time", "last_over_time", "present_over_time", "changes", "resets"]


def test_functions_of_ranges_agree_as_scraped(pair):
    wrong = []
    for function in RANGES:
        query = f"{function}(steps[5m])"
        ours = call(pair[0], "GET", f"/api/v1/query?query={query}&as_scraped=1s").json()["data"]["result"]
        values = [[row["value"][1] for row in ours]]
        values += [[f"{value:g}" for value in instant(base, query).values()] for base in pair[1:]]
        if not values[0] == values[1] == values[2]:
            wrong.append((function, values))
    assert not wrong, wrong
