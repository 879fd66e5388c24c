"""Fixtures. A scenario that lacks something fails; none is skipped."""

import re

import pytest
from playwright.sync_api import sync_playwright

from harness.browser import launched
from harness.mayfly import Mayfly, built
from harness.peers import MiniStack, SeaweedFS, missing
from harness.process import Failed, Process


def pytest_sessionstart(session):
    absent = missing()
    if absent:
        pytest.exit(f"missing: {', '.join(map(str, absent))}; run tools/peers.sh", returncode=1)
    try:
        for name in ("mayfly", "push", "query", "alert", "extension", "lambda-url", "lambda-sandbox", "promql-cases"):
            built(name)
    except Failed as err:
        pytest.exit(str(err), returncode=1)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Puts the output of every process that still runs under a failed test."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for process in Process.running:
            report.sections.append((process.name, process.output()))


@pytest.fixture(autouse=True)
def nothing_stays_behind():
    yield
    Process.kill_rest()


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory):
    server = SeaweedFS(tmp_path_factory.mktemp("seaweedfs"))
    server.process.shared = True
    yield server
    server.process.kill9()


@pytest.fixture(scope="session")
def ministack(tmp_path_factory):
    server = MiniStack(tmp_path_factory.mktemp("ministack"))
    server.process.shared = True
    yield server
    server.process.kill9()


@pytest.fixture(scope="session")
def chromium():
    with sync_playwright() as playwright:
        browser = launched(playwright)
        yield browser
        browser.close()


@pytest.fixture
def folder_server(tmp_path):
    """A server on a local folder."""
    return Mayfly(tmp_path, tmp_path / "data").start()


@pytest.fixture
def s3_url(request):
    """A prefix that no other test uses."""
    return "s3://metrics/" + re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")


@pytest.fixture
def s3_server(tmp_path, seaweedfs, s3_url):
    """A server on a real S3 server."""
    return Mayfly(tmp_path, s3_url, env=seaweedfs.env, flags=seaweedfs.flags).start()


@pytest.fixture(params=["folder", "s3"])
def server(request):
    """The same scenario on both kinds of storage."""
    return request.getfixturevalue(f"{request.param}_server")
