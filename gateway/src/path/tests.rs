//! What the released Pushgateway 1.11.2 answers was recorded; differences stand at their case.

use http::Method;

use super::*;

#[test]
fn destinations() {
    let check = |method: Method, raw: &str, expect: Destination| {
        assert_eq!(destination(&method, raw), expect, "{method} {raw}");
    };
    let group = |path: &str| Destination::Resource(Resource::Group(path.as_bytes().to_vec()));
    let moved = |location: &str| Destination::Redirect { keeps_method: false, location: location.to_owned() };
    let temporary =
        |location: &str| Destination::Redirect { keeps_method: true, location: location.to_owned() };

    check(Method::GET, "/metrics", Destination::Resource(Resource::Metrics));
    check(Method::GET, "/%6detrics", Destination::Resource(Resource::Metrics));
    check(Method::GET, "/-/healthy", Destination::Resource(Resource::Healthy));
    check(Method::GET, "/-/ready", Destination::Resource(Resource::Ready));
    check(Method::PUT, "/metrics/job/j", group("/metrics/job/j"));
    check(Method::POST, "/metrics%2Fjob/a%2Fb%2Fc", group("/metrics/job/a/b/c"));
    check(Method::DELETE, "/metrics/job@base64/=", group("/metrics/job@base64/="));
    check(Method::POST, "/metrics/job%40base64/Zm9v", group("/metrics/job@base64/Zm9v"));
    check(Method::POST, "/metrics/job/é", group("/metrics/job/é"));

    let pushes = "DELETE, OPTIONS, POST, PUT";
    check(Method::GET, "/metrics/job/j", Destination::NotAllowed(pushes));
    check(Method::HEAD, "/metrics/job/j", Destination::NotAllowed(pushes));
    check(Method::OPTIONS, "/metrics/job/j", Destination::Options(pushes));
    check(Method::POST, "/metrics", Destination::NotAllowed("GET, OPTIONS"));
    check(Method::HEAD, "/-/healthy", Destination::NotAllowed("GET, OPTIONS"));
    check(Method::OPTIONS, "/-/healthy", Destination::Options("GET, OPTIONS"));

    check(Method::POST, "/metrics/job/j/path//var/tmp", moved("/metrics/job/j/path/var/tmp"));
    check(Method::PUT, "/metrics/job/j/x/%2Fvar", moved("/metrics/job/j/x/var"));
    check(Method::PUT, "/metrics/job/j/x/%2e", moved("/metrics/job/j/x"));
    check(Method::PUT, "/metrics/job/a%20b/..", moved("/metrics/job"));
    check(Method::GET, "//metrics", moved("/metrics"));
    check(Method::GET, "/METRICS", moved("/metrics"));
    check(Method::GET, "/metrics/", moved("/metrics"));
    check(Method::GET, "/-/healthy/", moved("/-/healthy"));
    check(Method::POST, "/METRICS/Job/J", temporary("/metrics/job/J"));
    check(Method::POST, "/metrics/job/", temporary("/metrics/job"));

    for nothing in [
        "/",
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
