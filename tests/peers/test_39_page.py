"""39: the page of the query port in a real Chromium: what it shows, and that it stays usable whatever is asked."""

import urllib.parse

import pytest
from playwright.sync_api import Page, expect

from harness.browser import Tab
from harness.http import api, call, instant
from harness.mayfly import LambdaUrl, Mayfly, run_to_end
from harness.peers import Webhook
from harness.process import until

RULES = """
groups:
- name: backups
  interval: 1s
  rules:
  - alert: Old
    expr: rows_total{job="backup"} > 0
    labels: {severity: page}
    annotations: {runbook: 'https://wiki.example/old'}
  - alert: Quiet
    expr: rows_total < 0
  - record: job:rows:sum
    expr: sum by (job) (rows_total)
"""
BODY = """# HELP rows_total Rows of a table.
# TYPE rows_total counter
rows_total{table="users"} 41
rows_total{table="orders"} 1000
"""


def push(gateway: str, group: str, body: str = BODY, **headers: str):
    assert call(gateway, "PUT", f"/metrics/job/{group}", body, headers).status == 200


@pytest.fixture
def mayfly(folder_server) -> Mayfly:
    for group in ("backup/instance/db1", "backup/instance/db2", "etl"):
        push(folder_server.gateway, group)
    return folder_server


@pytest.fixture
def tab(chromium):
    """Opens an address in a tab of a browser that knows nothing else; at the end nothing may have gone wrong in it."""
    opened: list[Tab] = []

    def open_tab(address: str, **more) -> Page:
        opened.append(Tab(chromium, address, **more))
        return opened[-1].page

    yield open_tab
    for each in opened:
        each.close()


def link(base: str, expr: str, **more) -> str:
    return f"{base}/graph?{urllib.parse.urlencode({'g0.expr': expr} | {f'g0.{key}': value for key, value in more.items()})}"


def write(page: Page, expr: str):
    """Puts an expression in the place of what is in the field, as from the clipboard."""
    field = page.get_by_label("expression")
    field.press("Control+a")
    field.press("Delete")
    page.keyboard.insert_text(expr)
    expect(field).to_have_text(expr.replace("\n", ""))


def has_drawn(page: Page) -> bool:
    """Whether there is something else on the canvas than axes: a pixel of strong colour."""
    script = """canvas => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        for (let at = 0; at < data.length; at += 4)
            if (data[at + 3] > 200 && Math.max(data[at], data[at + 1], data[at + 2]) - Math.min(data[at], data[at + 1], data[at + 2]) > 80) return true;
        return false;
    }"""
    return page.locator(".graph canvas").evaluate(script)


def test_an_expression_is_completed_asked_and_drawn(mayfly, tab):
    page = tab(mayfly.query)
    field = page.get_by_label("expression")
    field.press_sequentially("sum by (job) (rows")
    offered = page.locator(".cm-tooltip-autocomplete li")
    expect(offered.filter(has_text="rows_total")).to_contain_text("counter")
    # the completion is taken by Enter, and asks nothing yet
    until("rows_total is chosen", lambda: "rows_total" in (page.locator(".cm-tooltip-autocomplete li[aria-selected]").text_content() or ""))
    page.wait_for_timeout(100)
    field.press("Enter")
    expect(field).to_have_text("sum by (job) (rows_total)")
    expect(page.locator("table.samples")).to_have_count(0)
    field.press("Enter")
    rows = page.locator("table.samples tbody tr")
    expect(rows).to_have_text(['{job="backup"}2082', '{job="etl"}1041'])

    page.get_by_role("button", name="Graph").click()
    expect(page.locator(".legend .key")).to_have_text(['{job="backup"}', '{job="etl"}'])
    until("lines are drawn", lambda: has_drawn(page))
    # the address says all of it, to whoever gets it
    asked = urllib.parse.parse_qs(urllib.parse.urlsplit(page.url).query)
    assert asked == {"g0.expr": ["sum by (job) (rows_total)"], "g0.tab": ["0"], "g0.range_input": ["1h"]}
    other = tab(page.url, color_scheme="dark")
    expect(other.locator(".legend .key")).to_have_count(2)
    page.go_back()
    expect(rows).to_have_count(2)


def test_the_field_stays_as_it_is_while_it_is_asked(mayfly, tab):
    page = tab(link(mayfly.query, "rows_total", tab=1))
    rows = page.locator("table.samples tbody tr")
    expect(rows).to_have_count(6)
    field = page.get_by_label("expression")
    field.press("End")
    field.press_sequentially('{table="users"}')
    for _ in '"}':
        field.press("ArrowLeft")
    field.press("Escape")
    field.press("Enter")
    expect(rows).to_have_count(3)
    # focus and cursor are where they were, and what was written can be undone
    expect(field).to_be_focused()
    page.keyboard.insert_text("x")
    expect(field).to_have_text('rows_total{table="usersx"}')
    page.keyboard.press("Escape")
    while field.text_content() != "rows_total":
        before = field.text_content()
        page.keyboard.press("Control+z")
        until("something is undone", lambda: field.text_content() != before)
    # another expression, from history, goes into the same field
    field.press("Enter")
    expect(rows).to_have_count(6)
    page.go_back()
    expect(field).to_have_text('rows_total{table="users"}')
    expect(rows).to_have_count(3)


def test_an_old_answer_does_not_replace_a_newer_one(mayfly, tab):
    page = tab(f"{mayfly.query}/?view=groups")
    cards = page.locator(".card")
    expect(cards).to_have_count(3)
    slow = []
    # what is asked with the first letters is answered when the last are
    page.route("**/api/v1/query", lambda route: slow.append(route) if "et.*" in urllib.parse.unquote_plus(route.request.post_data) else route.continue_())
    field = page.get_by_label("Groups")
    field.fill("et")
    until("it is asked", lambda: slow or page.wait_for_timeout(50))
    field.fill("backup")
    expect(cards).to_have_count(2)
    for route in slow:
        route.continue_()
    page.wait_for_timeout(300)
    expect(cards).to_have_count(2)


def test_labels_and_values_are_offered(mayfly, tab):
    page = tab(mayfly.query)
    field = page.get_by_label("expression")
    offered = page.locator(".cm-tooltip-autocomplete li")
    field.press_sequentially("rows_total{ta")
    expect(offered.filter(has_text="table")).to_be_visible()
    field.press_sequentially('ble="')
    expect(offered).to_have_text(["orders", "users"])


def test_a_mistake_is_shown_at_its_position(mayfly, tab):
    wrong = 'sum("größe", rows_total) +\n  rate(rows_total)'
    told = api(mayfly.query, "parse_query", query=wrong).json()["error"]
    assert told.startswith('invalid parameter "query": 1:'), told
    page = tab(link(mayfly.query, wrong, tab=1))
    expect(page.locator(".cm-lintRange-error").first).to_be_visible()
    expect(page.locator(".problem")).to_contain_text(told.split("parse error: ")[1])
    # behind characters of several bytes, and in the second line
    field = page.get_by_label("expression")
    for text, marked, place in (
        ("vector(1) + rows_total{job=}", "}", "column 28: "),
        ('"größe" + rate(rows_total)', "rows_total", "column 16: "),
        ("rows_total +\n  rate(rows_total)", "rows_total", "line 2, column 8: "),
    ):
        write(page, text)
        expect(page.locator(".problem")).to_contain_text(place)
        expect(page.locator(".cm-lintRange-error")).to_have_text(marked)
    # what it is asked for nevertheless, it is told in the same place
    field.press("Enter")
    expect(page.locator(".problem")).to_contain_text("line 2, column 8: ")
    expect(page.locator(".answer")).to_be_empty()
    write(page, "rows_total")
    expect(page.locator(".problem")).to_be_empty()
    expect(page.locator(".cm-lintRange-error")).to_have_count(0)


def test_other_errors_and_remarks_are_told(mayfly, tab):
    page = tab(link(mayfly.query, "rows_total * on (job) group_left rows_total", tab=1))
    expect(page.locator(".answer .told.wrong")).to_contain_text("found duplicate series for the match group")
    page = tab(link(mayfly.query, "rate(push_time_seconds[5m])", tab=1))
    expect(page.locator(".answer .told.warning").first).to_contain_text("metric might not be a counter")
    page = tab(link(mayfly.query, "rows_total", tab=0, range_input="soon"))
    expect(page.locator(".answer .told.wrong")).to_contain_text("soon is no range")


def test_links_of_alerts_show_their_expression(tmp_path, tab):
    # Mayfly sends lists of alerts, as to an Alertmanager
    received = Webhook()
    (tmp_path / "rules.yml").write_text(RULES)
    flags = ("--rules", tmp_path / "rules.yml", "--alertmanager.url", received.url)
    mayfly = Mayfly(tmp_path, tmp_path / "data", flags=flags).start()
    push(mayfly.gateway, "backup")
    alert = until("an alert", lambda: next((alert for alerts in list(received.notifications) for alert in alerts), None), 20)
    assert alert["generatorURL"].startswith(mayfly.query + "/graph?g0.expr=")
    page = tab(alert["generatorURL"])
    expect(page.get_by_label("expression")).to_have_text('rows_total{job="backup"} > 0')
    expect(page.locator("table.samples tbody tr")).to_have_count(2)

    page.get_by_role("link", name="Alerts").click()
    expect(page.locator(".card").first).to_contain_text("Old")
    expect(page.locator(".card").first.locator("tbody tr")).to_have_count(2)
    expect(page.locator(".card tbody a").first).to_have_attribute("href", "https://wiki.example/old")
    expect(page.locator(".badges")).to_contain_text("1 rule firing")
    expect(page.locator(".badges")).to_contain_text("1 rule inactive")
    page.get_by_label("Alerts", exact=True).fill("quiet")
    expect(page.locator(".card")).to_have_count(1)
    assert "view=alerts&filter=quiet" in page.url
    page.get_by_role("link", name="Rules").click()
    expect(page.locator("table.rules tbody tr")).to_have_count(3)
    page.get_by_role("link", name="sum by (job) (rows_total)").click()
    expect(page.locator("table.samples tbody tr")).to_have_text(['{job="backup"}1041'])


def test_groups_targets_and_the_store(mayfly, tab):
    assert call(mayfly.gateway, "POST", "/metrics/job/etl", "rows_total 1 1000\n").status == 400
    push(mayfly.gateway, "short", **{"X-Mayfly-TTL": "1s"})
    until("a group has expired", lambda: instant(mayfly.query, "push_expired_time_seconds"))
    page = tab(f"{mayfly.query}/?view=groups")
    cards = page.locator(".card")
    expect(cards).to_have_count(4)
    expect(cards.filter(has_text="short")).to_contain_text("expired")
    expect(cards.filter(has_text="etl")).to_contain_text("last push refused")
    # a group whose labels are a part of another's has only its own
    push(mayfly.gateway, "backup", "only_here 7\n")
    page.get_by_label("Groups").fill('job="backup"')
    expect(cards).to_have_count(3)
    page.locator(".card", has_not_text="instance").locator("summary").click()
    expect(page.locator(".card table.samples")).to_contain_text("only_here")
    expect(page.locator(".card table.samples")).not_to_contain_text("rows_total")
    # also where no other group is listed; and only what every series of the group has is left out of them
    push(mayfly.gateway, "backup", 'only_here{b="backup"} 7\n')
    page.get_by_label("Groups").fill('job="backup",instance=""')
    expect(cards).to_have_count(1)
    cards.locator("summary").click()
    expect(page.locator(".card table.samples")).to_contain_text('only_here{b="backup"}')
    expect(page.locator(".card table.samples")).not_to_contain_text("rows_total")
    page.get_by_role("link", name="Ask about these series").click()
    expect(page.locator("table.samples tbody tr")).to_have_count(3)

    page.get_by_role("link", name="Targets").click()
    expect(page.locator("main")).to_contain_text("Nothing is scraped here")
    page.get_by_role("link", name="Store").click()
    expect(page.locator("main")).to_contain_text("Mayfly is ready.")
    expect(page.locator(".figures")).to_contain_text("series")
    for shown in ("rows_total", "storage_requests_total", "compaction_waiting_segments", "--storage"):
        expect(page.locator("main")).to_contain_text(shown)


def test_much_is_cut_and_said_so(mayfly, tab):
    push(mayfly.gateway, "many", "".join(f'many{{n="{n:05}"}} {n}\n' for n in range(20_000)))
    page = tab(link(mayfly.query, "many", tab=1))
    expect(page.locator(".status")).to_contain_text("The first 1,000 series; there are more", timeout=30_000)
    expect(page.locator("table.samples tbody tr")).to_have_count(1_000)
    page.get_by_role("button", name="Graph").click()
    expect(page.locator(".status")).to_contain_text("The first 200 series; there are more", timeout=30_000)
    expect(page.locator(".legend .key")).to_have_count(200)
    # more than a browser should read
    page.get_by_role("button", name="Table").click()
    write(page, "vector(time())[20d:1s]")
    page.get_by_label("expression").press("Enter")
    expect(page.locator(".answer")).to_contain_text("32 MiB", timeout=60_000)


def test_a_token_is_asked_for_and_kept_in_the_tab(tmp_path, tab):
    tokens = tmp_path / "tokens.yml"
    new = ("token", "new", "--name", "reader", "--scope", "read", "--scope", "push", "--file", tokens)
    token = run_to_end(tmp_path, *new).stdout.strip()
    mayfly = Mayfly(tmp_path, tmp_path / "data", flags=("--access.tokens-file", tokens)).start()
    push(mayfly.gateway, "etl", Authorization=f"Bearer {token}")
    page = tab(link(mayfly.query, "rows_total", tab=1))
    box = page.get_by_role("dialog")
    expect(box).to_contain_text("no token was presented")
    page.get_by_label("Token, or password").fill("wrong")
    page.keyboard.press("Enter")
    expect(box).to_contain_text("the token is not known")
    page.get_by_label("Token, or password").fill(token)
    page.keyboard.press("Enter")
    expect(page.locator("table.samples tbody tr")).to_have_count(2)
    page.reload()
    expect(page.locator("table.samples tbody tr")).to_have_count(2)
    assert page.evaluate("[Object.values(sessionStorage), Object.keys(localStorage), document.cookie]") == [[f"Bearer {token}"], [], ""]
    page.get_by_role("button", name="Forget token").click()
    expect(box).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".answer .told.wrong")).to_contain_text("no token was presented")


def test_a_user_may_sign_in_too(tmp_path, tab):
    # of the password pw
    hash = "$2y$04$HhxrtpTHFGxVQLgGJDZ8GOM2ejmvxsrVNMpx9tQq7c7lbusFnXn32"
    (tmp_path / "web.yml").write_text(f"basic_auth_users: {{ann: '{hash}'}}")
    mayfly = Mayfly(tmp_path, "memory:", flags=("--web.config.file", tmp_path / "web.yml")).start()
    page = tab(link(mayfly.query, "vector(7)", tab=1))
    page.get_by_label("Token, or password").fill("pw")
    page.get_by_label("User, only with a password").fill("ann")
    page.keyboard.press("Enter")
    expect(page.locator("table.samples tbody tr")).to_have_text(["{}7"])
    expect(page.locator("#version")).to_contain_text("Mayfly")


@pytest.mark.parametrize("view", ["query", "groups", "alerts", "rules", "targets", "store"])
def test_it_fits_a_phone(mayfly, tab, view):
    page = tab(f"{mayfly.query}/?view={view}&g0.expr=rows_total&g0.tab=0", viewport={"width": 390, "height": 800}, color_scheme="dark")
    expect(page.locator("main")).not_to_be_empty()
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_files_are_kept_and_compressed(mayfly):
    index = call(mayfly.query, "GET", "/")
    assert index.status == 200 and index.body == call(mayfly.query, "GET", "/graph?g0.expr=up").body
    (script,) = [word for word in index.text.split('"') if word.endswith(".js")]
    answer = call(mayfly.query, "GET", f"/{script}", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip" and len(answer.body) < 300_000
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert index.headers["cache-control"] == "no-cache"
    for each in (index, answer):
        policy = each.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';") and "unsafe" not in policy
        assert each.headers["x-content-type-options"] == "nosniff"
    assert call(mayfly.query, "GET", "/assets/nothing.js").status == 404


def test_the_plain_page_of_the_function(tmp_path, seaweedfs, s3_server, s3_url, tab):
    push(s3_server.gateway, "etl")
    env = {**seaweedfs.env, "MAYFLY_S3_ENDPOINT": seaweedfs.endpoint, "MAYFLY_STORAGE": s3_url}
    function = LambdaUrl(tmp_path, "query", env)
    page = tab(link(function.url, "rows_total", tab=1))
    expect(page.locator("#answer tr")).to_have_count(2)
    expect(page.locator("footer")).to_contain_text("make page")
    page.get_by_label("graph").check()
    page.get_by_role("button", name="Ask").click()
    expect(page.locator("#answer polyline")).to_have_count(2)
    page.get_by_label("expression").fill("rows_total{")
    page.get_by_role("button", name="Ask").click()
    expect(page.locator("#told")).to_contain_text("1:12: parse error")
    function.stop()
