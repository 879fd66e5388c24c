//! Every route, what it tells of what is stored, and requests by which it may be made to show or change what is of others.

use testkit::http::Request;
use testkit::protobuf::Message;
use testkit::remote_write::{RequestV2, V1, V2, request_v1, series_v1};

use super::{now_ms, otlp, snappy};

/// What an answer to whoever may see everything has of what others pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tells {
    /// Names, values or texts.
    Data,
    /// Nothing.
    Nothing,
}

use Tells::{Data, Nothing};

/// All routes. One that is not here fails the test, so that nobody adds one without a thought about what it tells to whom.
pub(super) const ROUTES: [(&str, &str, Tells); 74] = [
    ("gateway", "/", Data),
    ("gateway", "/metrics", Data),
    ("gateway", "/api/v1/metrics", Data),
    ("gateway", "/status", Data),
    ("gateway", "/-/healthy", Nothing),
    ("gateway", "/-/ready", Nothing),
    ("gateway", "/-/quit", Nothing),
    ("gateway", "/metrics/job/{*group}", Nothing),
    ("gateway", "/metrics/job@base64/{*group}", Nothing),
    ("gateway", "/aggregate/metrics/job/{*group}", Nothing),
    ("gateway", "/aggregate/metrics/job@base64/{*group}", Nothing),
    ("gateway", "/api/v1/status", Nothing),
    ("gateway", "/api/v1/batch", Nothing),
    ("gateway", "/api/v1/admin/groups", Data),
    ("gateway", "/api/v1/admin/wipe", Nothing),
    ("gateway", "/write", Nothing),
    ("gateway", "/api/v2/write", Nothing),
    ("gateway", "/ping", Nothing),
    ("gateway", "/health", Nothing),
    ("gateway", "/query", Nothing),
    ("gateway", "/api/v1/write", Nothing),
    ("gateway", "/v1/metrics", Nothing),
    ("gateway", "/api/v1/otlp/v1/metrics", Nothing),
    ("query", "/api/v1/query", Data),
    ("query", "/api/v1/query_range", Data),
    ("query", "/api/v1/format_query", Nothing),
    ("query", "/api/v1/parse_query", Nothing),
    ("query", "/api/v1/query_exemplars", Data),
    ("query", "/api/v1/series", Data),
    ("query", "/api/v1/labels", Data),
    ("query", "/api/v1/label/{name}/values", Data),
    ("query", "/api/v1/metadata", Data),
    ("query", "/federate", Data),
    ("query", "/api/v1/read", Data),
    ("query", "/api/v1/rules", Data),
    ("query", "/api/v1/alerts", Data),
    ("query", "/api/v1/alertmanagers", Nothing),
    ("query", "/api/v1/targets", Nothing),
    ("query", "/api/v1/targets/metadata", Nothing),
    ("query", "/api/v1/targets/relabel_steps", Nothing),
    ("query", "/api/v1/scrape_pools", Nothing),
    ("query", "/api/v1/scrape_pools/config", Nothing),
    ("query", "/api/v1/status/buildinfo", Nothing),
    ("query", "/api/v1/status/runtimeinfo", Nothing),
    ("query", "/api/v1/status/config", Nothing),
    ("query", "/api/v1/status/flags", Nothing),
    ("query", "/api/v1/status/tsdb", Data),
    ("query", "/api/v1/status/tsdb/blocks", Nothing),
    ("query", "/api/v1/status/walreplay", Nothing),
    ("query", "/api/v1/notifications", Nothing),
    ("query", "/api/v1/notifications/live", Nothing),
    ("query", "/api/v1/openapi.yaml", Nothing),
    ("query", "/api/v1/features", Nothing),
    ("query", "/version", Nothing),
    ("query", "/", Nothing),
    ("query", "/graph", Nothing),
    ("query", "/assets/{name}", Nothing),
    ("query", "/api/v1/admin/tsdb/delete_series", Nothing),
    ("query", "/api/v1/admin/tsdb/clean_tombstones", Nothing),
    ("query", "/api/v1/admin/tsdb/snapshot", Nothing),
    ("query", "/-/reload", Nothing),
    ("query", "/alertmanager/-/ready", Nothing),
    ("query", "/alertmanager/api/v2/alerts", Nothing),
    ("query", "/alertmanager/api/v2/alerts/groups", Nothing),
    ("query", "/alertmanager/api/v2/receivers", Nothing),
    ("query", "/alertmanager/api/v2/silence/{id}", Nothing),
    ("query", "/alertmanager/api/v2/silences", Nothing),
    ("query", "/alertmanager/api/v2/status", Nothing),
    ("query", "/-/healthy", Nothing),
    ("query", "/-/ready", Nothing),
    ("query", "/metrics", Data),
    ("query", "/api/v1/write", Nothing),
    ("query", "/v1/metrics", Nothing),
    ("query", "/api/v1/otlp/v1/metrics", Nothing),
];

const SELECTORS: [&str; 6] = [
    "zebra_rows",
    "{job=\"other\"}",
    "{job=~\".*\",__name__=~\"zebra.*\"}",
    "{__name__=~\".+\"}",
    "{job!~\"team-.*\",__name__!=\"\"}",
    "ALERTS",
];

/// With which a deletion deletes nothing, and says what it would.
pub(super) const DRY: &str = "dry_run=true";

const EXPRESSIONS: [&str; 3] = [
    "info(up) or absent(zebra_rows) or label_replace(zebra_rows, \"job\", \"team-a\", \"\", \"\")",
    "count by (__name__, job, owner) ({__name__=~\".+\"}) or topk(9, {job=~\".+\"}) or scalar(sum(zebra_rows))",
    "max_over_time({__name__=~\".+\",job=~\".+\"}[1h:1m] @ end())",
];

/// All that may be tried on a route.
pub(super) fn attempts(method: &str, path: &str) -> Vec<Request> {
    let named = ["owner", "job", "__name__", "help", "trace"].map(|name| path.replace("{name}", name));
    let named = if named[0] == named[1] { &named[..1] } else { &named[..] };
    let mut all: Vec<Request> = named.iter().flat_map(|path| asking(method, path)).collect();
    if !matches!(method, "GET" | "HEAD") {
        all.extend(writing(method, path));
    }
    all
}

/// With parameters that some route or other knows.
fn asking(method: &str, path: &str) -> Vec<Request> {
    let (path, now_s) = (path.replace("{*group}", "other"), now_ms() / 1_000);
    let times = format!("start={}&end={now_s}&step=60&limit=1000", now_s - 3_600);
    let known = "state=any&type=alert&stats=all&q=CREATE+DATABASE+x&metric=zebra_rows";
    let plain = |target: &str| Request::new(method, target);
    let mut all = vec![plain(&path), plain(&format!("{path}?{times}")), plain(&format!("{path}?{known}"))];
    for selector in SELECTORS {
        let selector = testkit::server::escape(selector);
        let asked = format!("query={selector}&match[]={selector}&{times}&q=CREATE+DATABASE+x");
        all.push(plain(&format!("{path}?{asked}&{known}")));
        if method == "POST" {
            all.push(plain(&path).header("content-type", "application/x-www-form-urlencoded").body(asked));
        }
    }
    for expression in EXPRESSIONS {
        let target = format!("{path}?query={}&{times}&explain=1", testkit::server::escape(expression));
        all.push(plain(&target));
    }
    let everything = testkit::server::escape(SELECTORS[3]);
    let of_jobs = testkit::server::escape("{job=~\".+\"}");
    all.push(plain(&format!("{path}?match[]={of_jobs}&{DRY}")));
    for accept in [
        "application/openmetrics-text; version=1.0.0",
        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
    ] {
        all.push(plain(&format!("{path}?match[]={everything}")).header("accept", accept));
    }
    all
}

/// Which job may be pushed to by whom.
const JOBS: [&str; 2] = ["other", "team-a"];

/// With bodies of all kinds, of others' jobs and of the team's own, which name metrics that others have too.
fn writing(method: &str, path: &str) -> Vec<Request> {
    let mut all = Vec::new();
    for job in JOBS {
        let path = path.replace("{*group}", job);
        let plain = || Request::new(method, &path);
        for metadata in
            ["", "# HELP zebra_rows mine\n# TYPE zebra_rows gauge\n", "# TYPE zebra_rows counter\n"]
        {
            all.push(plain().body(format!("{metadata}zebra_rows{{owner=\"mine\"}} 9\n")));
        }
        let text = "# TYPE zebra_calls counter\n# UNIT zebra_calls calls\n# HELP zebra_calls mine\nzebra_calls_total 9\n# EOF\n";
        all.push(plain().header("content-type", "application/openmetrics-text").body(text));
        for written in [remote_write_v1(job), remote_write_v1_of_two(job)] {
            all.push(snappy_of(plain().header("content-type", V1), &written));
        }
        all.push(snappy_of(plain().header("content-type", V2), &remote_write_v2(job)));
        for temporality in [1, 2] {
            all.push(plain().header("content-type", "application/json").body(otlp(job, temporality)));
        }
        all.push(plain().body(format!("zebra_rows,job={job} rows=9\n")));
    }
    // whose path is of the team, while its body is not
    let own = path.replace("/job/{*group}", "/owner/team-a/job/other");
    all.push(Request::new(method, &own).body("zebra_rows{job=\"team-a\"} 9\n"));
    let path = path.replace("{*group}", "other");
    for (name, form) in [("__name__", 0), ("__name__", 1), ("job", 0), ("job", 1)] {
        let matcher = Message::new().varint(1, 2).bytes(2, name).bytes(3, "zebra.*|.*_rows|other");
        let query = Message::new().int(1, 0).int(2, now_ms()).message(3, matcher);
        let message = Message::new().message(1, query).varint(2, form).into_bytes();
        all.push(Request::new(method, &path).body(snappy(&message)));
    }
    let batch = r##"{"requests":[{"method":"PUT","path":"/metrics/job/other","body":"zebra_rows 9\n"},
        {"method":"PUT","path":"/metrics/job/team-a","body":"# HELP zebra_rows mine\nzebra_rows 9\n"},
        {"method":"DELETE","path":"/metrics/job/other/owner/x"},{"method":"POST","path":"/aggregate/metrics/job/other/a/b","body":"zebra_rows 9\n"}]}"##;
    all.push(Request::new(method, &path).header("content-type", "application/json").body(batch));
    all
}

fn snappy_of(request: Request, message: &[u8]) -> Request {
    request.header("content-encoding", "snappy").body(snappy(message))
}

/// A counter, and what it is: once of the series, and of a family of others that has none here.
fn remote_write_v1(job: &str) -> Vec<u8> {
    let labels = [("__name__", "zebra_written"), ("job", job)];
    let mut written = request_v1([series_v1(&labels, &[(now_ms(), 9.0)])]);
    for family in ["zebra_written", "zebra_rows", "zebra_calls"] {
        let told = Message::new().varint(1, 1).bytes(2, family).bytes(4, "mine").bytes(5, "mines");
        written.extend(Message::new().message(3, told).into_bytes());
    }
    written
}

/// One series of a job, and one of others.
fn remote_write_v1_of_two(job: &str) -> Vec<u8> {
    let series = |job: &str| {
        let trace = Message::new().bytes(1, "trace_id").bytes(2, "mine");
        let exemplar = Message::new().message(1, trace).double(2, 0.5).int(3, now_ms());
        series_v1(&[("__name__", "zebra_written"), ("job", job)], &[(now_ms(), 9.0)]).message(3, exemplar)
    };
    request_v1([series(job), series("other")])
}

fn remote_write_v2(job: &str) -> Vec<u8> {
    let mut request = RequestV2::default();
    let (help, unit) = (request.symbol("mine"), request.symbol("mines"));
    let told = Message::new().varint(1, 2).varint(3, help).varint(4, unit);
    let sample = Message::new().double(1, 9.0).int(2, now_ms());
    request
        .series(&[("__name__", "zebra_written"), ("job", job)], |series| {
            series.message(2, sample).message(5, told)
        })
        .into_bytes()
}
