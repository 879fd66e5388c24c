//! What the released Pushgateway 1.11.2 answers was recorded; differences stand at their case.

use http::Method;

use super::*;
use crate::settings::Web;

fn routes(route_prefix: &str, telemetry_path: &str, admin_api: bool) -> Routes {
    let (route_prefix, telemetry_path) = (route_prefix.to_owned(), telemetry_path.to_owned());
    Routes::of(&Web { route_prefix, telemetry_path, admin_api, ..Web::default() })
}

fn group(path: &str) -> Destination {
    Destination::Resource(Resource::Group(path.as_bytes().to_vec()))
}

fn moved(location: &str) -> Destination {
    Destination::Redirect { keeps_method: false, location: location.to_owned() }
}

fn temporary(location: &str) -> Destination {
    Destination::Redirect { keeps_method: true, location: location.to_owned() }
}

const PUSHES: &str = "DELETE, OPTIONS, POST, PUT";

#[test]
fn destinations() {
    let routes = routes("", "/metrics", true);
    let check = |method: Method, raw: &str, expect: Destination| {
        assert_eq!(routes.destination(&method, raw), expect, "{method} {raw}");
    };
    check(Method::GET, "/metrics", Destination::Resource(Resource::Metrics));
    check(Method::GET, "/%6detrics", Destination::Resource(Resource::Metrics));
    check(Method::GET, "/-/healthy", Destination::Resource(Resource::Healthy));
    check(Method::GET, "/-/ready", Destination::Resource(Resource::Ready));
    check(Method::GET, "/", Destination::Resource(Resource::Page));
    check(Method::GET, "/status", Destination::Resource(Resource::Page));
    for method in [Method::GET, Method::PUT, Method::POST] {
        check(method, "/-/quit", Destination::Resource(Resource::Quit));
    }
    check(Method::PUT, "/metrics/job/j", group("/metrics/job/j"));
    check(Method::POST, "/metrics%2Fjob/a%2Fb%2Fc", group("/metrics/job/a/b/c"));
    check(Method::DELETE, "/metrics/job@base64/=", group("/metrics/job@base64/="));
    check(Method::POST, "/metrics/job%40base64/Zm9v", group("/metrics/job@base64/Zm9v"));
    check(Method::POST, "/metrics/job/é", group("/metrics/job/é"));

    check(Method::GET, "/metrics/job/j", Destination::NotAllowed(PUSHES));
    check(Method::HEAD, "/metrics/job/j", Destination::NotAllowed(PUSHES));
    check(Method::OPTIONS, "/metrics/job/j", Destination::Options(PUSHES));
    check(Method::POST, "/metrics", Destination::NotAllowed("GET, OPTIONS"));
    check(Method::HEAD, "/-/healthy", Destination::NotAllowed("GET, OPTIONS"));
    check(Method::OPTIONS, "/-/healthy", Destination::Options("GET, OPTIONS"));
    check(Method::DELETE, "/-/quit", Destination::NotAllowed("GET, OPTIONS, POST, PUT"));
    check(Method::POST, "/", Destination::NotAllowed("GET, OPTIONS"));

    check(Method::POST, "/metrics/job/j/path//var/tmp", moved("/metrics/job/j/path/var/tmp"));
    check(Method::PUT, "/metrics/job/j/x/%2Fvar", moved("/metrics/job/j/x/var"));
    check(Method::PUT, "/metrics/job/j/x/%2e", moved("/metrics/job/j/x"));
    check(Method::PUT, "/metrics/job/a%20b/..", moved("/metrics/job"));
    check(Method::GET, "//metrics", moved("/metrics"));
    check(Method::GET, "/METRICS", moved("/metrics"));
    check(Method::GET, "/metrics/", moved("/metrics"));
    check(Method::GET, "/status/", moved("/status"));
    check(Method::GET, "/-/healthy/", moved("/-/healthy"));
    check(Method::POST, "/METRICS/Job/J", temporary("/metrics/job/J"));
    check(Method::POST, "/metrics/job/", temporary("/metrics/job"));

    for nothing in [
        "/metrics/job",
        "/metrics/job@base64/",
        "/metrics/instance/i",
        "/metrics/jobx/j",
        "/nope",
        "/metrics/",
    ] {
        check(Method::POST, nothing, Destination::NotFound);
    }
    for nothing in ["/METRICS/job/j", "/metrics/job/", "/nope/"] {
        check(Method::GET, nothing, Destination::NotFound);
    }
    check(Method::POST, "/metrics/job/j/x/%zz", Destination::BadRequest);
    check(Method::OPTIONS, "*", Destination::BadRequest);
    for path in ["/METRICS/job/j", "/metrics/job/", "/-/healthy/", "/metrics/"] {
        check(Method::OPTIONS, path, Destination::NotFound);
    }
}

#[test]
fn the_api() {
    let api = |resource| Destination::Resource(Resource::Api(resource));
    let check_in = |routes: &Routes, method: Method, raw: &str, expect: Destination| {
        assert_eq!(routes.destination(&method, raw), expect, "{method} {raw}");
    };
    let (with, without) = (routes("", "/metrics", true), routes("", "/metrics", false));
    let check = |method, raw, expect| check_in(&with, method, raw, expect);
    check(Method::GET, "/api/v1/status", api(ApiResource::Status));
    check(Method::GET, "/api/v1/metrics", api(ApiResource::Metrics));
    check(Method::OPTIONS, "/api/v1/status", api(ApiResource::Options));
    check(Method::OPTIONS, "/api/v1/nope", api(ApiResource::Options));
    check(Method::OPTIONS, "/api/v1/", api(ApiResource::Options));
    check(Method::POST, "/api/v1/status", Destination::NotAllowed("GET, OPTIONS"));
    check(Method::PUT, "/api/v1/admin/wipe", api(ApiResource::Wipe));
    check(Method::GET, "/api/v1/admin/wipe", Destination::NotAllowed("OPTIONS, PUT"));
    check(Method::DELETE, "/api/v1/admin/groups", api(ApiResource::Groups));
    check(Method::POST, "/api/v1/batch", api(ApiResource::Batch));
    check_in(&without, Method::DELETE, "/api/v1/admin/groups", Destination::NotFound);
    check_in(&without, Method::PUT, "/api/v1/admin/wipe", Destination::NotFound);
    check_in(&without, Method::GET, "/api/v1/admin/wipe", Destination::NotFound);
    for method in [Method::GET, Method::PUT, Method::OPTIONS] {
        check(method, "/api/v1", moved("/api/v1/"));
    }
    for nothing in ["/api/v1/", "/api/v1/nope", "/API/v1/status", "/api", "/api/v2/status"] {
        check(Method::GET, nothing, Destination::NotFound);
    }
    // the Pushgateway sends these to /metrics, /status and /admin/wipe
    check(Method::GET, "/api/v1/metrics/", moved("/api/v1/metrics"));
    check(Method::GET, "/api/v1/STATUS", moved("/api/v1/status"));
    check(Method::PUT, "/api/v1/admin/wipe/", temporary("/api/v1/admin/wipe"));
}

#[test]
fn below_a_prefix() {
    let routes = routes("pre/fix/", "tele", true);
    let check = |method: Method, raw: &str, expect: Destination| {
        assert_eq!(routes.destination(&method, raw), expect, "{method} {raw}");
    };
    check(Method::GET, "/pre/fix/", Destination::Resource(Resource::Page));
    check(Method::GET, "/pre/fix", moved("/pre/fix/"));
    check(Method::GET, "/pre/fix/tele", Destination::Resource(Resource::Metrics));
    check(Method::GET, "/pre/fix/-/ready", Destination::Resource(Resource::Ready));
    check(Method::PUT, "/pre/fix/metrics/job/j", group("/metrics/job/j"));
    check(Method::POST, "/pre/fix/METRICS/job/j", temporary("/pre/fix/metrics/job/j"));
    check(Method::POST, "/pre/fix/metrics/job/", temporary("/pre/fix/metrics/job"));
    check(Method::PUT, "/pre/fix//metrics/job/j", moved("/pre/fix/metrics/job/j"));
    check(Method::GET, "/pre/fix/status/", moved("/pre/fix/status"));
    check(Method::GET, "/pre/fix/api/v1/metrics", Destination::Resource(Resource::Api(ApiResource::Metrics)));
    check(Method::GET, "/pre/fix/api/v1", moved("/pre/fix/api/v1/"));
    for nothing in
        ["/", "/tele", "/metrics", "/pre/fix/metrics", "/-/ready", "/api/v1/metrics", "/metrics/job/j"]
    {
        check(Method::GET, nothing, Destination::NotFound);
        check(Method::PUT, nothing, Destination::NotFound);
    }
}

fn check_with(utf8_names: bool, path: &[u8], expect: Result<&str, &str>) {
    let group = GroupPath::of(path).expect("a group's path");
    let found = grouping_labels(&group, utf8_names);
    let found = found.map(|labels| labels.to_string()).map_err(|error| error.to_string());
    assert_eq!(found.as_deref().map_err(|e| &**e), expect, "{}", path.escape_ascii());
}

#[test]
fn groups() {
    let check = |path: &str, expect| check_with(false, format!("/metrics{path}").as_bytes(), expect);
    check("/job/j", Ok(r#"{job="j"}"#));
    check("/job/j/", Ok(r#"{job="j"}"#));
    check("/job/a+b c", Ok(r#"{job="a+b c"}"#));
    check("/job/j/b/2/a/1", Ok(r#"{a="1", b="2", job="j"}"#));
    check("/job/j/x/1/x/2", Ok(r#"{job="j", x="2"}"#));
    check("/job/j/job/k", Ok(r#"{job="j"}"#));
    check("/job/j/path@base64/L3Zhci90bXA", Ok(r#"{job="j", path="/var/tmp"}"#));
    check("/job@base64/Zm9v===/x/1", Ok(r#"{job="foo", x="1"}"#));
    // the Pushgateway has these in a group of their own
    check("/job/j/x@base64/=", Ok(r#"{job="j"}"#));
    check("/job/j/x@base64/", Ok(r#"{job="j"}"#));
    check("/job/j/x/", Ok(r#"{job="j"}"#));
    check("/job@base64/=", Err("job name is required"));
    check("/job@base64/=/x", Err(r#"odd number of components in label string "/x""#));
    check("/job/j/a/b/c", Err(r#"odd number of components in label string "/a/b/c""#));
    check("/job/j/x/1/", Err(r#"odd number of components in label string "/x/1/""#));
    check("/job/j/__a/2", Err(r#"improper label name "__a""#));
    check("/job/j/__a@base64/Zg", Err(r#"improper label name "__a""#));
    check("/job/j/@base64/Zg", Err(r#"improper label name """#));
    check("/job/j/a=b/2", Err(r#"improper label name "a=b""#));
    check("/job/j/a:b/2", Err(r#"improper label name "a:b""#));
    check("/job/j/a.b/2", Err(r#"improper label name "a.b""#));
    check(
        "/job/j/x@base64/foo.bar",
        Err(r#"invalid base64 encoding for label x="foo.bar": illegal base64 data at input byte 3"#),
    );
    check(
        "/job@base64/Zm9v!",
        Err(r#"invalid base64 encoding in job name "foo": illegal base64 data at input byte 4"#),
    );
}

#[test]
fn bytes_that_are_not_utf8_are_refused_by_name() {
    let check = |path: &[u8], expect| check_with(false, path, Err(expect));
    check(b"/metrics/job/\xff", r#"label "job" has a value that is not utf8: "\xff""#);
    check(b"/metrics/job@base64/_w", r#"label "job" has a value that is not utf8: "\xff""#);
    check(b"/metrics/job/j/x/a\xff", r#"label "x" has a value that is not utf8: "a\xff""#);
    check(b"/metrics/job/j/x@base64/_w", r#"label "x" has a value that is not utf8: "\xff""#);
    check(b"/metrics/job/j/\xff/x", r#"improper label name "\xff""#);
}

#[test]
fn label_names_of_any_character_if_allowed() {
    let check = |utf8_names: bool, path: &str, expect| {
        check_with(utf8_names, format!("/metrics/job/j/{path}").as_bytes(), expect);
    };
    check(false, "U__foo_2e_bar/1", Ok(r#"{U__foo_2e_bar="1", job="j"}"#));
    check(true, "U__foo_2e_bar/1", Ok(r#"{"foo.bar"="1", job="j"}"#));
    check(true, "U__foo_2e_bar@base64/Zg", Ok(r#"{"foo.bar"="f", job="j"}"#));
    check(true, "foo.bar/1", Ok(r#"{"foo.bar"="1", job="j"}"#));
    check(true, "é/1", Ok(r#"{job="j", "é"="1"}"#));
    check(true, "U____x/1", Ok(r#"{_x="1", job="j"}"#));
    check(true, "U__x_zz_/1", Ok(r#"{U__x_zz_="1", job="j"}"#));
    check(true, "U______x/1", Err(r#"improper label name "U______x""#));
    check(true, "__x/1", Err(r#"improper label name "__x""#));
}
