//! Secrets of a stand-in for Amazon's services, which checks signatures by what it has received.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use serde_json::json;
use testkit::ManualClock;
use testkit::http::{Request, Response, Server};

use super::*;

const NOW_MS: i64 = 1_800_000_000_000;

/// What the request's own signature should be, if it is signed by the key `AKID`.
fn signature(request: &Request) -> String {
    let header = |name: &str| request.headers.get(name).unwrap_or_default();
    let date = header("x-amz-date");
    let scope = header("authorization").split('/').collect::<Vec<_>>();
    let (region, service) = (scope[2], scope[3]);
    let at = |from: usize, to: usize| date[from..to].parse::<i8>().expect("digits");
    let civil = seconds_to(date[..4].parse().expect("a year"), at(4, 6), at(6, 8));
    let (hour, minute, second) = (at(9, 11), at(11, 13), at(13, 15));
    let seconds = civil + i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
    let identity = Credentials::new("AKID", "a key", None, None, "test").into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).expect("is past 1970")))
        .settings(SigningSettings::default())
        .build()
        .expect("all is given");
    let url = format!("http://{}{}", header("host"), request.target);
    let signed = ["content-type", "x-amz-target"].map(|name| (name, header(name)));
    let body = SignableBody::Bytes(&request.body);
    let request =
        SignableRequest::new(&request.method, url, signed.into_iter(), body).expect("can be signed");
    let (instructions, _) = sign(request, &params.into()).expect("signs").into_parts();
    let (headers, _) = instructions.into_parts();
    let authorization = headers.iter().find(|header| header.name() == "authorization");
    authorization.expect("is signed").value().to_owned()
}

/// Seconds of 1970 to a day.
fn seconds_to(year: i64, month: i8, day: i8) -> i64 {
    // days from civil, for years after 1970
    let (year, month, day) = (year - i64::from(month <= 2), i64::from(month), i64::from(day));
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    (year * 365 + year / 4 - year / 100 + year / 400 + of_year - 719_468) * 86_400
}

/// Answers like both services. `is_down`: with 500.
fn services(is_down: Arc<AtomicBool>) -> Server {
    let answer = move |request: &Request| {
        if is_down.load(Ordering::SeqCst) {
            return Response::new(500);
        }
        assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/"));
        assert_eq!(request.headers.get("content-type"), Some("application/x-amz-json-1.1"));
        assert_eq!(request.headers.get("authorization"), Some(signature(request).as_str()));
        let asked: serde_json::Value = serde_json::from_slice(&request.body).expect("is JSON");
        let refused = |kind: &str| Response::new(400).body(json!({"__type": kind}).to_string());
        let answer = match request.headers.get("x-amz-target") {
            Some("AmazonSSM.GetParameter") => match asked {
                asked if asked == json!({"Name": "/hook", "WithDecryption": true}) => {
                    json!({"Parameter": {"Name": "/hook", "Type": "SecureString", "Value": "s3cret\n"}})
                }
                _ => return refused("ParameterNotFound"),
            },
            Some("secretsmanager.GetSecretValue") => match asked["SecretId"].as_str() {
                Some("pager") => json!({"SecretString": "{\"key\": \"s3cret\", \"id\": 7, \"none\": null}"}),
                Some("plain") => json!({"SecretString": "s3cret"}),
                Some("binary") => json!({"SecretBinary": "czNjcmV0"}),
                Some("blank") => json!({"SecretString": " "}),
                Some(arn) if arn.starts_with("arn:aws:secretsmanager:eu-north-1:") => {
                    let scope = request.headers.get("authorization").unwrap_or_default();
                    assert!(scope.contains("/eu-north-1/secretsmanager/aws4_request"), "{scope}");
                    json!({"SecretString": "of another region"})
                }
                _ => return refused("ResourceNotFoundException"),
            },
            other => panic!("{other:?}"),
        };
        Response::new(200).body(answer.to_string())
    };
    Server::start(answer).expect("starts")
}

fn references(server: &Server, clock: &Arc<ManualClock>) -> SecretReferences {
    let url = server.url();
    let variables = move |name: &str| match name {
        "TOKEN" => Some("t0ken".to_owned()),
        "AWS_ENDPOINT_URL" => Some(url.clone()),
        _ => None,
    };
    let account = SigV4 {
        region: Some("eu-west-1".to_owned()),
        keys: Some(("AKID".to_owned(), Secret::Inline("a key".to_owned()))),
        ..SigV4::default()
    };
    SecretReferences::new(Arc::new(variables), account, Arc::clone(clock) as _)
}

async fn one(references: &SecretReferences, text: &str) -> Result<Secret, String> {
    let reference = SecretReference::of(text).expect("is a reference");
    let mut found = references.find(BTreeSet::from([reference.clone()])).await;
    assert!(!format!("{found:?} {references:?}").contains("s3cret"), "{found:?}");
    found.remove(&reference).expect("is answered").map_err(|error| format!("{reference}: {error}"))
}

#[tokio::test]
async fn secrets_are_found_where_they_are() {
    let server = services(Arc::default());
    let references = references(&server, &Arc::new(ManualClock::at_ms(NOW_MS)));
    for (text, expect) in [
        ("env:TOKEN", "t0ken"),
        ("ssm:/hook", "s3cret"),
        ("secretsmanager:plain", "s3cret"),
        ("secretsmanager:pager#key", "s3cret"),
        ("secretsmanager:pager#id", "7"),
        ("secretsmanager:arn:aws:secretsmanager:eu-north-1:1:secret:x-AbCdEf", "of another region"),
    ] {
        assert_eq!(one(&references, text).await, Ok(Secret::Inline(expect.to_owned())), "{text}");
    }
    for (text, expect) in [
        ("env:GONE", "env:GONE: the environment has no such variable"),
        ("ssm:", "ssm:: names nothing behind the colon"),
        ("ssm:/gone", "ssm:/gone: answered 400 Bad Request: ParameterNotFound"),
        ("secretsmanager:gone", "secretsmanager:gone: answered 400 Bad Request: ResourceNotFoundException"),
        ("secretsmanager:binary", "secretsmanager:binary: it is no text"),
        ("secretsmanager:blank", "secretsmanager:blank: it is empty"),
        ("secretsmanager:plain#key", "secretsmanager:plain#key: it is no JSON object, so it has no keys"),
        ("secretsmanager:pager#none", "secretsmanager:pager#none: it has no text under that key"),
    ] {
        assert_eq!(one(&references, text).await, Err(expect.to_owned()));
    }
}

#[tokio::test]
async fn secrets_are_asked_for_again_and_kept_while_nobody_answers() {
    let is_down = Arc::new(AtomicBool::new(false));
    let (server, clock) = (services(Arc::clone(&is_down)), Arc::new(ManualClock::at_ms(NOW_MS)));
    let references = references(&server, &clock);
    let found = Ok(Secret::Inline("s3cret".to_owned()));
    assert_eq!(one(&references, "ssm:/hook").await, found);
    is_down.store(true, Ordering::SeqCst);
    assert_eq!(one(&references, "ssm:/hook").await, found, "is remembered");
    clock.advance_ms(300_000);
    assert_eq!(one(&references, "ssm:/hook").await, found, "stays what it was");
    // what was not asked for has been forgotten
    assert!(one(&references, "env:TOKEN").await.is_ok());
    let told = one(&references, "ssm:/hook").await.expect_err("nobody answers");
    assert!(told.contains("answered 500"), "{told}");
}

#[test]
fn files_are_no_references() {
    for file in ["token", "/run/secrets/token", "./env:TOKEN", "C:token", ""] {
        assert_eq!(SecretReference::of(file), None, "{file}");
    }
}
