"""42: `mayfly push` to a real Pushgateway and to Mayfly, where the same is held afterwards; and straight into S3, beside a server."""

import re

from harness.http import call, data
from harness.mayfly import run_to_end
from harness.peers import Pushgateway
from harness.process import until

GIVEN = ["--job", "nightly dump", "--label", "path=/var/lib", "rows=42", 'rows{table="users"}=7', "done_total=3"]


def held(url: str, job: str = "nightly dump") -> dict[str, str]:
    """What a gateway holds of a job, without times and without what it says of pushes."""
    lines = (line for line in call(url, "GET", "/metrics").text.splitlines() if f'job="{job}"' in line)
    series = dict(line.rsplit(" ", 1) for line in lines)
    return {name: value for name, value in series.items() if not re.match(r"push_|.*(timestamp|duration)_seconds", name)}


def test_a_real_pushgateway_and_mayfly_hold_the_same(tmp_path, folder_server):
    urls = [Pushgateway(tmp_path).url, folder_server.gateway]
    found = []
    for url in urls:
        ended = run_to_end(tmp_path, "push", "--gateway", url, *GIVEN, "--", "sh", "-c", "echo done; exit 3")
        assert (ended.returncode, ended.stdout, ended.stderr) == (3, "done\n", "")
        found.append(held(url))
        times = [line for line in call(url, "GET", "/metrics").text.splitlines() if re.match("job_(start|end)_timestamp_seconds{", line)]
        assert len(times) == 2, times
        # all that the group holds is replaced
        ended = run_to_end(tmp_path, "push", "--gateway", url, "--replace", *GIVEN[:4], "last=1")
        assert (ended.returncode, ended.stderr) == (0, "")
        found.append(held(url))
    group = 'instance="",job="nightly dump",path="/var/lib"'
    assert found[0] == {
        f"rows{{{group}}}": "42",
        f'rows{{{group},table="users"}}': "7",
        f"done_total{{{group}}}": "3",
        f"job_exit_code{{{group}}}": "3",
    }
    assert found[1] == {f"last{{{group}}}": "1"}
    assert found[2:] == found[:2]


def test_s3_needs_no_gateway(tmp_path, s3_server, seaweedfs, s3_url):
    flags = ["--storage", s3_url, *seaweedfs.flags]
    for _ in range(2):
        ended = run_to_end(tmp_path, "push", *flags, "--job=j", "--add", "runs_total=2", "--", "true", **seaweedfs.env)
        assert (ended.returncode, ended.stderr) == (0, "")

    def total():
        found = data(s3_server.query, "query", query="sum(runs_total)")["result"]
        return found and found[0]["value"][1] == "4"

    until("what was pushed", total)
