//! The function `push` stores what the server reads; here both on one folder, in `peers/` on S3.

use std::time::Duration;

use mayfly_tests::Fixture;
use testkit::http::Request;
use testkit::lambda::Function;
use testkit::server::built;

const TIMEOUT: Duration = Duration::from_secs(20);

#[test]
fn pushes_through_the_function_are_answered_like_those_through_the_gateway() {
    let mut fixture = Fixture::new();
    let variables = [("MAYFLY_STORAGE".to_owned(), fixture.storage().display().to_string())];
    let mut function = Function::start(&built("push").unwrap(), &variables, TIMEOUT).unwrap();
    let text = |request: Request| request.header("content-type", "text/plain; version=0.0.4");

    let put = text(Request::new("PUT", "/metrics/job/lambda/path@base64/L3RtcA")).body("x 1\n");
    assert_eq!(function.request(&put).unwrap().status, 200);
    let broken = function.request(&text(Request::new("PUT", "/metrics/job/lambda")).body("x{\n")).unwrap();
    assert_eq!(broken.status, 400);
    assert!(broken.text().starts_with("text format parsing error in line 1"), "{}", broken.text());
    // what was answered is stored: the environment may end at any time
    function.kill();

    fixture.check("x", &[(r#"x{job="lambda",path="/tmp"}"#, "1")]);
    fixture.restart_after_kill();
    fixture.check("x", &[(r#"x{job="lambda",path="/tmp"}"#, "1")]);
}
