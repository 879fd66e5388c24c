use access::{Hash, Scope};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::get;
use edge::SystemClock;
use gateway::Web;
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;
use crate::serve::tenants::tests::named;

/// With a file of these tokens; without any, whoever asks may do everything.
pub(super) fn access(tokens: &str, trusts_tenant_header: bool) -> Access {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tokens.yml");
    std::fs::write(&path, tokens).expect("is written");
    let tokens_file = (!tokens.is_empty()).then_some(path);
    let flags = AccessFlags { tokens_file, trusts_tenant_header, ..AccessFlags::default() };
    Access::open(&flags, Arc::new(SystemClock)).expect("opens")
}

fn tokens() -> String {
    let entry = |name: &str, scopes: &str, more: &str| {
        format!("- {{name: {name}, hash: {}, scopes: [{scopes}]{more}}}\n", Hash::of(name.as_bytes()))
    };
    "tokens:\n".to_owned()
        + &entry("reader", "read", "")
        + &entry("team", "push, read, delete", ", match: '{job=~\"team-.*\"}'")
        + &entry("boss", "admin", ", tenant: default")
        + &entry("other", "admin", ", tenant: other")
        + &entry("old", "admin", ", expires: 2020-01-01")
}

async fn asked(access: &Arc<Access>, port: Port, request: Request<Body>) -> (StatusCode, String) {
    let routes = Router::new()
        .route("/api/v1/query", get(async || "data"))
        .route("/-/healthy", get(async || "well"))
        .route("/metrics", get(async || "data"));
    let response =
        guarded(routes, port, &Web::default(), access, &named(1)).oneshot(request).await.expect("answers");
    let status = response.status();
    assert_eq!(status == StatusCode::UNAUTHORIZED, response.headers().contains_key("www-authenticate"));
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn scripts_are_refused_without_a_prompt() {
    let access = Arc::new(access(&tokens(), false));
    let challenges = async |header: &str| {
        let request = Request::get("/api/v1/query").header(header, "XMLHttpRequest").body(Body::empty());
        let routes = guarded(Router::new(), Port::Query, &Web::default(), &access, &named(1));
        let response = routes.oneshot(request.expect("a request")).await.expect("answers");
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        let all = response.headers().get_all("www-authenticate").iter();
        all.map(|value| value.to_str().expect("text").to_owned()).collect::<Vec<_>>()
    };
    let (bearer, basic) = ("Bearer realm=\"mayfly\"", "Basic realm=\"mayfly\"");
    assert_eq!(challenges("x-requested-with").await, [bearer]);
    assert_eq!(challenges("x-other").await, [bearer, basic]);
}

#[tokio::test]
async fn who_presents_nothing_that_is_good_learns_nothing() {
    let access = Arc::new(access(&tokens(), false));
    let check = async |path: &str, header: Option<&str>, status: u16, part: &str| {
        let mut request = Request::get(path);
        if let Some(header) = header {
            request = request.header("authorization", header);
        }
        let request = request.body(Body::empty()).expect("a request");
        let (found, body) = asked(&access, Port::Query, request).await;
        assert!(found.as_u16() == status && body.contains(part), "{path} {header:?}: {found} {body}");
    };
    let query = "/api/v1/query";
    check(query, Some("Bearer reader"), 200, "data").await;
    // any:reader
    check(query, Some("Basic YW55OnJlYWRlcg=="), 200, "data").await;
    check(
        query,
        None,
        401,
        "{\"status\":\"error\",\"errorType\":\"unauthorized\",\"error\":\"no token was presented",
    )
    .await;
    check(query, Some("Bearer wrong"), 401, "the token is not known").await;
    check(query, Some("nonsense"), 401, "no token was presented").await;
    check(query, Some("Bearer old"), 401, "has expired").await;
    check(query, Some("Bearer other"), 200, "other query").await;
    check("/metrics", Some("Bearer other"), 403, "about the server as a whole, which tenant other is not")
        .await;
    check("/-/healthy", Some("Bearer other"), 200, "well").await;
    check("/nothing", Some("Bearer other"), 404, "").await;
    check("/-/healthy", None, 200, "well").await;
    check("/metrics", Some("Bearer reader"), 200, "data").await;
    check("/metrics", Some("Bearer team"), 403, "about more than that").await;
    check("/nothing", None, 401, "no token").await;
    check("/nothing", Some("Bearer reader"), 403, "has no scope admin").await;
    check("/nothing", Some("Bearer boss"), 404, "").await;
    let refused = access.families().remove(0).metrics;
    assert_eq!(
        refused.iter().map(|metric| metric.value.clone()).collect::<Vec<_>>(),
        [5.0, 3.0, 0.0].map(wire::MetricValue::Counter)
    );
}

#[tokio::test]
async fn without_a_file_nobody_is_asked() {
    let access = Arc::new(access("", false));
    let request = Request::get("/api/v1/query").body(Body::empty()).expect("a request");
    assert_eq!(asked(&access, Port::Query, request).await, (StatusCode::OK, "data".to_owned()));
}

#[tokio::test]
async fn a_tenant_in_a_header_counts_where_it_is_trusted() {
    let asking = |token: &str, tenants: &[&str]| {
        let request = Request::get("/api/v1/query").header("authorization", format!("Bearer {token}"));
        let request =
            tenants.iter().fold(request, |request, tenant| request.header("x-scope-orgid", *tenant));
        request.body(Body::empty()).expect("a request")
    };
    let check = async |trusts: bool, token: &str, tenants: &[&str], status: u16, part: &str| {
        let access = Arc::new(access(&tokens(), trusts));
        let (found, body) = asked(&access, Port::Query, asking(token, tenants)).await;
        assert!(found.as_u16() == status && body.contains(part), "{token} {tenants:?}: {found} {body}");
    };
    // a token without a tenant, and those with one
    check(true, "reader", &[], 200, "data").await;
    check(true, "reader", &["default"], 200, "data").await;
    check(true, "reader", &["mine"], 200, "mine query").await;
    check(true, "boss", &["default"], 200, "data").await;
    check(true, "boss", &["mine"], 403, "is for tenant").await;
    check(true, "other", &[], 200, "other query").await;
    check(true, "other", &["other"], 200, "other query").await;
    check(true, "other", &["default"], 403, "is for tenant").await;
    check(true, "other", &["mine"], 403, "is for tenant").await;
    let bad = "\"errorType\":\"bad_data\"";
    for names in [&["a|b"][..], &["other|other"], &["a", "b"], &["default", "default"]] {
        check(true, "reader", names, 400, "a request is for one tenant").await;
    }
    for name in ["", "../x", "A", "a/b", " a b"] {
        check(true, "reader", &[name], 400, bad).await;
    }
    // whoever is not admitted learns nothing of names
    check(true, "wrong", &["../x"], 401, "the token is not known").await;
    for name in ["mine", "../x", "a|b"] {
        check(false, "reader", &[name], 200, "data").await;
        check(false, "other", &[name], 200, "other query").await;
    }
    let anybody = Arc::new(access("", true));
    let (status, body) = asked(&anybody, Port::Query, asking("none", &["mine"])).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "mine query"));
}

#[tokio::test]
async fn one_tenant_too_many_is_told_so() {
    let (access, tenants) = (Arc::new(access("", true)), named(1));
    let routes = Router::new().route("/api/v1/query", get_of("data"));
    let routes = guarded(routes, Port::Query, &Web::default(), &access, &tenants);
    for (tenant, status) in [("a", 200), ("b", 503), ("a", 200), ("default", 200)] {
        let request = Request::get("/api/v1/query").header("x-scope-orgid", tenant);
        let request = request.body(Body::empty()).expect("a request");
        let response = routes.clone().oneshot(request).await.expect("answers");
        let limit = response.headers().get("mayfly-limit").map(|limit| limit.to_str().expect("text"));
        assert_eq!(
            (response.status().as_u16(), limit),
            (status, (status == 503).then_some("tenants_max_open"))
        );
        assert_eq!(response.headers().contains_key("retry-after"), status == 503);
    }
}

#[test]
fn a_file_names_tenants_that_there_can_be() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tokens.yml");
    let entry = |tenant: &str| {
        format!("tokens: [{{name: t, hash: {}, scopes: [read], tenant: {tenant}}}]\n", Hash::of(b"t"))
    };
    let open = |text: String| {
        std::fs::write(&path, text).expect("is written");
        let flags = AccessFlags { tokens_file: Some(path.clone()), ..AccessFlags::default() };
        Access::open(&flags, Arc::new(SystemClock)).map(|_| ()).map_err(|error| format!("{error:#}"))
    };
    assert_eq!(open(entry("team-a")), Ok(()));
    let told = open(entry("Team A")).expect_err("is refused");
    assert!(told.contains("token \"t\": tenant \"Team A\" is not allowed: a tenant is 1 to 63"), "{told}");
}

#[tokio::test]
async fn what_changes_is_in_force_and_what_is_broken_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tokens.yml");
    let entry = |name: &str| {
        format!("tokens: [{{name: {name}, hash: {}, scopes: [admin]}}]\n", Hash::of(name.as_bytes()))
    };
    std::fs::write(&path, entry("a")).expect("is written");
    let flags = AccessFlags { tokens_file: Some(path.clone()), ..AccessFlags::default() };
    let access = Access::open(&flags, Arc::new(SystemClock)).expect("opens");
    let may = async |token: &str| {
        let header =
            ("authorization".parse().expect("a name"), format!("Bearer {token}").parse().expect("a value"));
        let admitted = access.admit(&HeaderMap::from_iter([header]), &Extensions::new(), None).await;
        admitted.is_ok_and(|(grant, _)| grant.check_scope(Scope::Admin).is_ok())
    };
    assert!(may("a").await && !may("b").await);
    std::fs::write(&path, "tokens: [").expect("is written");
    let told = access.read().expect_err("is broken");
    assert!(told.contains("tokens.yml: yaml: line"), "{told}");
    assert!(may("a").await);
    std::fs::write(&path, entry("b")).expect("is written");
    assert_eq!(access.read(), Ok(()));
    assert!(may("b").await && !may("a").await);
    std::fs::remove_file(&path).expect("is removed");
    assert!(access.read().is_err_and(|told| told.contains("No such file")));
    assert!(may("b").await);
    std::fs::write(&path, "tokens:\n").expect("is written");
    assert!(access.read().is_err_and(|told| told.contains("there are no tokens in it")));
    assert!(may("b").await);
    // nobody any more, and not everybody
    std::fs::write(&path, "tokens: []\n").expect("is written");
    assert_eq!(access.read(), Ok(()));
    assert!(!may("b").await && !may("a").await && access.asks());
    assert!(matches!(access.admit(&HeaderMap::new(), &Extensions::new(), None).await, Err(Denied::Nobody)));
}

#[tokio::test]
async fn users_may_do_everything_and_tokens_what_they_say() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, file) = (folder.path().join("web.yml"), folder.path().join("tokens.yml"));
    // of the password pw
    let text = format!(
        "basic_auth_users: {{ann: '{}'}}\nhttp_server_config: {{headers: {{X-Frame-Options: deny}}}}\nrate_limit: {{interval: 1h, burst: 8}}\n",
        bcrypt::hash("pw", 4).expect("a hash")
    );
    std::fs::write(&path, text).expect("is written");
    std::fs::write(&file, tokens()).expect("is written");
    let open = |tokens_file: Option<&std::path::PathBuf>| {
        let (web_config_file, tokens_file) = (Some(path.display().to_string()), tokens_file.cloned());
        let flags = AccessFlags { web_config_file, tokens_file, ..AccessFlags::default() };
        Arc::new(Access::open(&flags, Arc::new(SystemClock)).expect("opens"))
    };
    let get = |path: &str, header: Option<&str>| {
        let request = header
            .into_iter()
            .fold(Request::get(path), |request, header| request.header("authorization", header));
        request.body(Body::empty()).expect("a request")
    };
    // ann:pw, ann:no, any:team
    let (ann, no, team) = ("Basic YW5uOnB3", "Basic YW5uOm5v", "Basic YW55OnRlYW0=");
    let users = open(None);
    assert!(users.asks());
    for (header, path, expect) in [
        (Some(ann), "/metrics", (StatusCode::OK, "data")),
        (Some(no), "/api/v1/query", (StatusCode::UNAUTHORIZED, "Unauthorized\n")),
        (Some(team), "/metrics", (StatusCode::UNAUTHORIZED, "Unauthorized\n")),
        (None, "/metrics", (StatusCode::UNAUTHORIZED, "Unauthorized\n")),
        (None, "/-/healthy", (StatusCode::OK, "well")),
    ] {
        let (status, body) = asked(&users, Port::Query, get(path, header)).await;
        assert_eq!((status, body.as_str()), expect, "{header:?} {path}");
    }
    let both = open(Some(&file));
    for (header, path, status) in
        [(ann, "/metrics", 200), (no, "/metrics", 401), (team, "/metrics", 403), (team, "/api/v1/query", 200)]
    {
        assert_eq!(
            asked(&both, Port::Query, get(path, Some(header))).await.0.as_u16(),
            status,
            "{header} {path}"
        );
    }
    // of one port, so many at once
    let routes = guarded(
        Router::new().route("/-/healthy", get_of("well")),
        Port::Query,
        &Web::default(),
        &users,
        &named(1),
    );
    let mut statuses = Vec::new();
    for _ in 0..9 {
        let response = routes.clone().oneshot(get("/-/healthy", None)).await.expect("answers");
        assert_eq!(response.headers().contains_key("x-frame-options"), response.status() == StatusCode::OK);
        statuses.push(response.status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 200, 200, 429]);
}

fn get_of(text: &'static str) -> axum::routing::MethodRouter {
    get(async move || text)
}
