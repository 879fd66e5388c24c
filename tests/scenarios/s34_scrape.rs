//! Targets are pulled: what a file says, what files and servers say of targets, and what is shown of them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use mayfly_tests::{Fixture, mayfly};
use serde_json::json;
use tempfile::TempDir;
use testkit::http::{self, Request, Response, Server};
use testkit::lambda::Function;
use testkit::server::{built, escape};

#[track_caller]
fn wait_for(what: &str, mut look: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !look() {
        assert!(Instant::now() < until, "{what}: not within 30 s");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The values of an instant query, in order.
fn ask(fixture: &Fixture, query: &str) -> Vec<String> {
    let answer =
        http::get(&fixture.server().query, &format!("/api/v1/query?query={}", escape(query))).unwrap();
    let json = answer.json().unwrap();
    let result = json["data"]["result"].as_array().unwrap_or_else(|| panic!("{query}: {json}")).clone();
    let mut values: Vec<_> = result.iter().map(|row| row["value"][1].as_str().unwrap().to_owned()).collect();
    values.sort();
    values
}

/// A target whose page can be exchanged, or that hangs.
struct Target {
    server: Server,
    page: Arc<Mutex<String>>,
    hangs: Arc<AtomicBool>,
}

impl Target {
    fn new(page: &str) -> Self {
        let page = Arc::new(Mutex::new(page.to_owned()));
        let hangs = Arc::new(AtomicBool::new(false));
        let (shown, hanging) = (Arc::clone(&page), Arc::clone(&hangs));
        let server = Server::start(move |request| {
            assert!(request.headers.get("accept").is_some_and(|accept| accept.contains("q=0.")));
            if hanging.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_secs(2));
            }
            Response::new(200)
                .header("content-type", "text/plain; version=0.0.4")
                .body(shown.lock().unwrap().clone())
        });
        Self { server: server.unwrap(), page, hangs }
    }

    fn address(&self) -> String {
        self.server.address().to_string()
    }
}

const GLOBAL: &str = "global: {scrape_interval: 200ms}\nscrape_configs:\n";

#[test]
fn targets_are_scraped_and_others_go_on_where_one_hangs() {
    let (well, ill) = (Target::new("rows 1\nends 1\n"), Target::new("other 1\n"));
    let config = format!(
        "{GLOBAL}- job_name: j\n  static_configs: [{{targets: ['{}', '{}']}}]\n",
        well.address(),
        ill.address()
    );
    let fixture = Fixture::with_args(|folder| {
        let file = folder.path().join("scrape.yml");
        std::fs::write(&file, config).unwrap();
        vec![format!("--scrape-config={}", file.display())]
    });
    wait_for("both", || ask(&fixture, "up") == ["1", "1"]);
    assert_eq!(ask(&fixture, "sum(rows) + sum(other)"), ["2"]);
    ill.hangs.store(true, Ordering::SeqCst);
    wait_for("one that is down", || ask(&fixture, "up") == ["0", "1"]);
    assert!(ask(&fixture, "other").is_empty());
    let mut scrapes = ask(&fixture, "count_over_time(rows[1m])");
    wait_for("further scrapes of the other", || {
        let before = std::mem::replace(&mut scrapes, ask(&fixture, "count_over_time(rows[1m])"));
        before != scrapes
    });
    let targets = http::get(&fixture.server().query, "/api/v1/targets").unwrap().text();
    assert!(
        targets.contains("context deadline exceeded") && targets.contains("\"health\":\"up\""),
        "{targets}"
    );
    *well.page.lock().unwrap() = "rows 2\n".to_owned();
    wait_for("the end of a series", || ask(&fixture, "ends").is_empty());
    assert_eq!(ask(&fixture, "rows"), ["2"]);
    let own = http::get(&fixture.server().query, "/metrics").unwrap().text();
    assert!(own.contains("prometheus_target_scrape_pool_targets{scrape_job=\"j\"} 2\n"), "{own}");
}

#[test]
fn targets_come_from_files_and_servers_and_the_file_is_read_anew() {
    let target = Target::new("x 1\n");
    let groups = format!("[{{\"targets\": [\"{}\"], \"labels\": {{\"by\": \"server\"}}}}]", target.address());
    let lists = Server::start(move |request| {
        assert!(request.headers.get("x-prometheus-refresh-interval-seconds").is_some());
        Response::new(200).header("content-type", "application/json").body(groups.clone())
    });
    let lists = lists.unwrap();
    let mut folder_of = None;
    let fixture = Fixture::with_args(|folder| {
        let (path, list) = (
            folder.path().to_owned(),
            format!("- targets: ['{}']\n  labels: {{by: file}}\n", target.address()),
        );
        std::fs::write(path.join("targets.yml"), list).unwrap();
        let relabel =
            "relabel_configs: [{source_labels: [__meta_filepath], regex: '.*/(.*)', target_label: file}]";
        let config = format!(
            "{GLOBAL}- {{job_name: files, file_sd_configs: [{{files: ['targets*.yml']}}], {relabel}}}\n\
             - {{job_name: servers, http_sd_configs: [{{url: '{}/list'}}]}}\n",
            lists.url()
        );
        std::fs::write(path.join("scrape.yml"), config).unwrap();
        folder_of = Some(path.clone());
        vec![format!("--scrape-config={}", path.join("scrape.yml").display())]
    });
    let folder = folder_of.unwrap();
    wait_for("both", || ask(&fixture, "x{by=~\"file|server\"}") == ["1", "1"]);
    assert_eq!(ask(&fixture, "x{file=\"targets.yml\"}"), ["1"]);
    // what is wrong with it is told, and what was in force stays
    let file = folder.join("scrape.yml");
    std::fs::write(&file, "scrape_configs: [{}]\n").unwrap();
    fixture.server().hang_up().unwrap();
    thread::sleep(Duration::from_millis(600));
    assert_eq!(ask(&fixture, "count(x)"), ["2"]);
    let config =
        format!("{GLOBAL}- {{job_name: one, static_configs: [{{targets: ['{}']}}]}}\n", target.address());
    std::fs::write(&file, config).unwrap();
    fixture.server().hang_up().unwrap();
    wait_for("other jobs", || ask(&fixture, "x{job=\"one\"}") == ["1"]);
    wait_for("the end of those before", || ask(&fixture, "count(x)") == ["1"]);
    let pools = http::get(&fixture.server().query, "/api/v1/scrape_pools").unwrap().text();
    assert_eq!(pools, r#"{"status":"success","data":{"scrapePools":["one"]}}"#);
}

#[test]
fn a_file_with_mistakes_is_refused_whole() {
    let folder = TempDir::new().unwrap();
    let refused = |text: &str, expect: &str| {
        std::fs::write(folder.path().join("s.yml"), text).unwrap();
        let arguments = [
            "serve",
            "--storage=memory:",
            "--scrape-config=s.yml",
            "--gateway.listen-address=127.0.0.1:0",
            "--query.listen-address=127.0.0.1:0",
        ];
        let (code, _, err) = mayfly(folder.path(), &arguments);
        assert!(code == Some(1) && err.contains(expect), "{text}: {code:?} {err}");
    };
    refused(
        "scrape_configs:\n- job_name: a\n- job_name: a\n",
        "s.yml:3:3: found multiple scrape configs with job name \"a\"",
    );
    refused(
        "scrape_configs: [{job_name: a, consul_sd_configs: []}]",
        "field \"consul_sd_configs\" in a scrape config is not supported",
    );
    refused("scrape_configs: [{job_name: a, proxy_url: 'socks5://x'}]", "proxy_url must be http://HOST:PORT");
    refused("scrape_configs: [{job_name: a, tls_config: {ca_file: none.pem}}]", "none.pem");
}

#[test]
fn who_may_see_some_series_sees_their_targets_only() {
    let target = Target::new("x 1\n");
    let fixture = Fixture::with_args(|folder| {
        let path = folder.path().to_owned();
        let config = format!(
            "{GLOBAL}- {{job_name: team-a, static_configs: [{{targets: ['{0}']}}]}}\n\
             - {{job_name: team-b, static_configs: [{{targets: ['{0}']}}]}}\n",
            target.address()
        );
        std::fs::write(path.join("scrape.yml"), config).unwrap();
        let (code, out, err) = mayfly(
            &path,
            &["token", "new", "--name=a", "--scope=read", "--match={job=\"team-a\"}", "--file=tokens.yml"],
        );
        assert_eq!(code, Some(0), "{err}");
        std::fs::write(path.join("token"), out.lines().next().unwrap()).unwrap();
        vec![
            format!("--scrape-config={}", path.join("scrape.yml").display()),
            format!("--access.tokens-file={}", path.join("tokens.yml").display()),
        ]
    });
    let token = std::fs::read_to_string(fixture.storage().parent().unwrap().join("token")).unwrap();
    let get = |target: &str| {
        let request = Request::new("GET", target).header("authorization", &format!("Bearer {token}"));
        http::send(&fixture.server().query, &request).unwrap().text()
    };
    wait_for("what it may see", || get("/api/v1/targets").contains("team-a"));
    for path in [
        "/api/v1/targets",
        "/api/v1/targets?state=dropped",
        "/api/v1/targets/metadata",
        "/api/v1/scrape_pools",
    ] {
        assert!(!get(path).contains("team-b"), "{path}: {}", get(path));
    }
}

/// The scrape function over a storage and a configuration, which is ended when it is dropped.
fn scrape_function(storage: &str, config: &std::path::Path, more: &[(&str, &str)]) -> Function {
    let mut variables = vec![
        ("MAYFLY_STORAGE".to_owned(), storage.to_owned()),
        ("MAYFLY_SCRAPE_CONFIG".to_owned(), config.display().to_string()),
    ];
    variables.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Function::start(&built("scrape").unwrap(), &variables, Duration::from_secs(30)).unwrap()
}

fn tick(function: &mut Function) -> serde_json::Value {
    serde_json::from_slice(&function.invoke(b"{}").unwrap()).unwrap()
}

fn scraped(targets: u64, scrapes: u64, failed: u64) -> serde_json::Value {
    json!({"targets": targets, "scrapes": scrapes, "scrapesFailed": failed, "scrapesCutOff": 0})
}

#[test]
fn the_function_scrapes_and_remembers() {
    let fixture = Fixture::with_args(|_| ["--storage.ack", "stored"].map(str::to_owned).to_vec());
    let storage = fixture.storage().display().to_string();
    let folder = TempDir::new().unwrap();
    let (config, files) = (folder.path().join("scrape.yml"), folder.path().join("targets.yml"));
    let (one, other) = (Target::new("rows 1\nends 1\n"), Target::new("other 1\n"));
    std::fs::write(
        &config,
        "global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: j\n  file_sd_configs: [{files: [targets.yml]}]\n",
    )
    .unwrap();
    let targets = |targets: &[&Target]| {
        let addresses: Vec<_> = targets.iter().map(|target| format!("'{}'", target.address())).collect();
        std::fs::write(&files, format!("[{{targets: [{}]}}]", addresses.join(", "))).unwrap();
    };
    targets(&[&one, &other]);
    let mut function = scrape_function(&storage, &config, &[]);
    assert_eq!(tick(&mut function), scraped(2, 2, 0));
    assert_eq!(ask(&fixture, "up"), ["1", "1"]);
    assert_eq!(ask(&fixture, "rows + ends"), ["2"]);
    assert_eq!(ask(&fixture, "sum(scrape_series_added)"), ["3"]);

    // another process knows what this one has seen: what is no longer there ends, and nothing is new
    drop(function);
    *one.page.lock().unwrap() = "rows 2\n".to_owned();
    let mut second = scrape_function(&storage, &config, &[]);
    assert_eq!(tick(&mut second), scraped(2, 2, 0));
    assert_eq!(ask(&fixture, "rows"), ["2"]);
    assert!(ask(&fixture, "ends").is_empty());
    assert_eq!(ask(&fixture, "sum(scrape_series_added)"), ["0"]);

    // the first that looks ends what another has seen, of a target that is gone too
    targets(&[&one]);
    let mut third = scrape_function(&storage, &config, &[]);
    assert_eq!(tick(&mut third), scraped(1, 1, 0));
    assert!(ask(&fixture, "other").is_empty());
    assert_eq!(ask(&fixture, "up"), ["1"]);

    // whoever is warm knows what others have done since
    *one.page.lock().unwrap() = "rows 3\nlate 1\n".to_owned();
    assert_eq!(tick(&mut third), scraped(1, 1, 0));
    drop(one);
    let mut fourth = scrape_function(&storage, &config, &[]);
    assert_eq!(tick(&mut fourth), scraped(1, 1, 1));
    assert_eq!(ask(&fixture, "up"), ["0"]);
    assert!(ask(&fixture, "rows").is_empty() && ask(&fixture, "late").is_empty());
    assert_eq!(tick(&mut third), scraped(1, 1, 1));

    // a mistake is told, and the last good configuration stays
    let good = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, "scrape_configs: [{job_name: ''}]\n").unwrap();
    let told = format!("{:?}", third.invoke(b"{}").expect_err("is mistaken"));
    assert!(told.contains("MAYFLY_SCRAPE_CONFIG") && told.contains("job_name is empty"), "{told}");
    assert!(!ask(&fixture, "up").is_empty());
    std::fs::write(&config, good).unwrap();
    assert_eq!(tick(&mut third), scraped(1, 1, 1));
}

#[test]
fn the_function_goes_on_for_as_long_as_it_is_told_to() {
    let fixture = Fixture::with_args(|_| ["--storage.ack", "stored"].map(str::to_owned).to_vec());
    let folder = TempDir::new().unwrap();
    let (config, target) = (folder.path().join("scrape.yml"), Target::new("rows 1\n"));
    let text = format!("{GLOBAL}- job_name: j\n  static_configs: [{{targets: ['{}']}}]\n", target.address());
    std::fs::write(&config, text).unwrap();
    let storage = fixture.storage().display().to_string();
    let mut function = scrape_function(&storage, &config, &[("MAYFLY_SCRAPE_FOR", "2s")]);
    let told = tick(&mut function);
    let scrapes = told["scrapes"].as_u64().unwrap();
    assert!((6..=12).contains(&scrapes), "{told}");
    assert_eq!(ask(&fixture, "count_over_time(rows[1m])"), [scrapes.to_string()]);
}

#[test]
fn two_ticks_at_once_lose_nothing() {
    let fixture = Fixture::with_args(|_| ["--storage.ack", "stored"].map(str::to_owned).to_vec());
    let folder = TempDir::new().unwrap();
    let (config, target) = (folder.path().join("scrape.yml"), Target::new("rows 1\nends 1\n"));
    let text = format!("{GLOBAL}- job_name: j\n  static_configs: [{{targets: ['{}']}}]\n", target.address());
    std::fs::write(&config, text).unwrap();
    let storage = fixture.storage().display().to_string();
    let start = || scrape_function(&storage, &config, &[]);
    let mut functions = [start(), start(), start()];
    for _ in 0..5 {
        thread::scope(|scope| {
            for function in &mut functions {
                scope.spawn(|| tick(function));
            }
        });
    }
    assert_eq!(ask(&fixture, "up + rows + ends"), ["3"]);
    *target.page.lock().unwrap() = "rows 2\n".to_owned();
    assert_eq!(tick(&mut functions[0]), scraped(1, 1, 0));
    assert!(ask(&fixture, "ends").is_empty());
    assert_eq!(ask(&fixture, "rows"), ["2"]);
}
