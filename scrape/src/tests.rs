use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use config::{ScrapeConfig, ScrapeConfigs, TargetGroup};
use model::{Clock, Labels, Value, is_stale_nan};
use testkit::ManualClock;
use wire::remote_write::WriteRequest;

use crate::target::{Populated, populate};
use crate::{Answered, Asked, Fetch, Health, Scraper, Sink};

/// Answers what it is told to.
#[derive(Debug, Default)]
struct Pages(Mutex<Option<Result<Answered, String>>>);

impl Pages {
    fn set(&self, page: &str) {
        let content_type = Some("text/plain; version=0.0.4".to_owned());
        *self.0.lock().unwrap() = Some(Ok(Answered { content_type, body: page.as_bytes().to_vec() }));
    }

    fn fail(&self, error: &str) {
        *self.0.lock().unwrap() = Some(Err(error.to_owned()));
    }
}

#[async_trait]
impl Fetch for Pages {
    async fn fetch(&self, _: &Asked) -> Result<Answered, String> {
        self.0.lock().unwrap().clone().expect("a page is set")
    }
}

/// Keeps what is written, as text.
#[derive(Debug, Default)]
struct Kept(Mutex<Vec<String>>);

#[async_trait]
impl Sink for Kept {
    async fn write(&self, samples: WriteRequest) -> Result<(), String> {
        for series in samples.series {
            for point in series.points {
                let value = match point.value {
                    Value::Float(value) if is_stale_nan(value) => "stale".to_owned(),
                    Value::Float(value) => value.to_string(),
                    Value::Histogram(histogram) => format!("{} observations", histogram.count),
                };
                self.0.lock().unwrap().push(format!("{} {value} @{}", series.labels, point.at_ms));
            }
        }
        Ok(())
    }
}

impl Kept {
    /// What was written since, but for what scrapes tell of themselves beside `up`.
    fn take(&self) -> Vec<String> {
        let mut found = std::mem::take(&mut *self.0.lock().unwrap());
        found.retain(|line| !line.starts_with("scrape_"));
        found.sort();
        found
    }
}

fn jobs(text: &str) -> Vec<ScrapeConfig> {
    ScrapeConfigs::read("c.yml", &format!("scrape_configs: {text}")).expect("well").jobs
}

struct Bench {
    scraper: Scraper,
    pages: Arc<Pages>,
    kept: Arc<Kept>,
    clock: Arc<ManualClock>,
}

impl Bench {
    fn new(text: &str) -> Self {
        let (pages, kept) = (Arc::new(Pages::default()), Arc::new(Kept::default()));
        let clock = Arc::new(ManualClock::at_ms(1_000_000));
        let scraper = Scraper::new(Arc::clone(&kept) as _, Arc::clone(&clock) as _);
        let bench = Self { scraper, pages, kept, clock };
        bench.configure(text);
        bench
    }

    fn configure(&self, text: &str) {
        let jobs = jobs(text);
        let fetch = || Arc::clone(&self.pages) as Arc<dyn Fetch>;
        self.scraper.replace(jobs.iter().map(|job| (job.clone(), fetch())).collect());
        for job in &jobs {
            self.scraper.discovered(&job.name, job.groups.iter().flat_map(TargetGroup::label_sets).collect());
        }
    }

    /// Does all that is due in the next 15 seconds, and gives what was written.
    async fn scrape(&self) -> Vec<String> {
        let until = self.clock.now_ms() + 15_000;
        while let Some(next_ms) = self.scraper.next_ms().filter(|next_ms| *next_ms < until) {
            self.clock.advance_ms((next_ms - self.clock.now_ms()).max(0));
            for due in self.scraper.due(self.clock.now_ms()) {
                self.scraper.run(due).await;
            }
        }
        self.clock.advance_ms(until - self.clock.now_ms());
        self.kept.take()
    }
}

fn values(lines: &[String]) -> Vec<&str> {
    lines.iter().filter_map(|line| line.rsplit_once(" @").map(|(value, _)| value)).collect()
}

const ONE: &str = "[{job_name: j, scrape_interval: 15s, static_configs: [{targets: ['a:1']}]}]";

#[tokio::test]
async fn series_end_with_their_page_and_their_target() {
    let bench = Bench::new(ONE);
    let line = |name: &str, value: &str| format!("{name}{{instance=\"a:1\", job=\"j\"}} {value}");
    bench.pages.set("x 1\ny 2");
    assert_eq!(values(&bench.scrape().await), [line("up", "1"), line("x", "1"), line("y", "2")]);
    bench.pages.set("x 1\n");
    assert_eq!(values(&bench.scrape().await), [line("up", "1"), line("x", "1"), line("y", "stale")]);
    bench.pages.fail("away");
    assert_eq!(values(&bench.scrape().await), [line("up", "0"), line("x", "stale")]);
    assert_eq!(values(&bench.scrape().await), [line("up", "0")]);
    bench.pages.set("x 3\nbroken {\n");
    assert_eq!(values(&bench.scrape().await), [line("up", "0")]);
    bench.pages.set("x 4\n");
    let first = bench.scrape().await;
    let second = bench.scrape().await;
    assert_eq!(values(&second), [line("up", "1"), line("x", "4")]);
    // from scrape to scrape it is the interval
    let at = |lines: &[String]| lines[0].rsplit_once('@').unwrap().1.parse::<i64>().unwrap();
    assert_eq!(at(&second) - at(&first), 15_000);
    // a target that stays goes on, and one that goes ends
    bench.configure("[{job_name: j, scrape_interval: 15s, static_configs: [{targets: ['a:1', 'b:1']}]}]");
    assert_eq!(values(&bench.scrape().await).len(), 4);
    bench.configure("[{job_name: j, scrape_interval: 15s, static_configs: [{targets: ['b:1']}]}]");
    let ended: Vec<_> = bench.scrape().await.into_iter().filter(|line| line.contains("stale")).collect();
    assert_eq!(values(&ended), [line("up", "stale"), line("x", "stale")]);
    bench.configure("[]");
    assert_eq!(values(&bench.scrape().await).len(), 2);
    assert_eq!(bench.scraper.next_ms(), None);
}

#[tokio::test]
async fn times_of_samples_count_where_they_are_honored() {
    let bench = Bench::new(ONE);
    bench.pages.set("x 1 5000\n");
    assert!(bench.scrape().await.iter().any(|line| line.ends_with(" 1 @5000")));
    bench.pages.set("y 1\n");
    // it has its own time, so nobody knows that it has ended
    assert!(!bench.scrape().await.iter().any(|line| line.contains("stale")));
    let tracking = ONE.replace("job_name: j,", "job_name: j, track_timestamps_staleness: true,");
    let bench = Bench::new(&tracking);
    bench.pages.set("x 1 5000\n");
    bench.scrape().await;
    bench.pages.set("y 1\n");
    assert!(bench.scrape().await.iter().any(|line| line.contains("stale")));
    let bench = Bench::new(&ONE.replace("job_name: j,", "job_name: j, honor_timestamps: false,"));
    bench.pages.set("x 1 5000\n");
    assert!(!bench.scrape().await.iter().any(|line| line.ends_with("@5000")));
}

#[tokio::test]
async fn what_is_wrong_is_shown_with_the_target() {
    let bench = Bench::new(
        "[{job_name: j, scrape_interval: 15s, sample_limit: 1, static_configs: [{targets: ['a:1']}]}]",
    );
    let status = |bench: &Bench| bench.scraper.pools(|pools| pools[0].targets().next().unwrap().status());
    assert_eq!(status(&bench).health, Health::Unknown);
    bench.pages.set("x 1\nx 2\n# HELP x That.\n");
    let written = bench.scrape().await;
    assert_eq!((status(&bench).health, values(&written)[1]), (Health::Up, r#"x{instance="a:1", job="j"} 1"#));
    assert_eq!(status(&bench).families[0].1.help.as_ref(), "That.");
    bench.pages.set("x 1\ny 1\n");
    let written = bench.scrape().await;
    assert_eq!((status(&bench).health, &*status(&bench).last_error), (Health::Down, "sample limit exceeded"));
    assert_eq!(values(&written), [r#"up{instance="a:1", job="j"} 0"#, r#"x{instance="a:1", job="j"} stale"#]);
    bench.pages.set("x\n");
    bench.scrape().await;
    assert!(status(&bench).last_error.starts_with("line 1: "), "{}", status(&bench).last_error);
}

#[test]
fn targets_are_made_of_labels() {
    let job = &jobs(
        "[{job_name: j, params: {b: ['1', '2'], a: ['x y']}, metrics_path: 'm/ü', relabel_configs: [{source_labels: [__meta_z], target_label: z}, {source_labels: [no], regex: 'yes', action: drop}]}]",
    )[0];
    let check = |pairs: &[(&str, &str)]| match populate(job, &Labels::from_pairs(pairs.iter().copied())) {
        Ok(Populated::Active(target)) => Ok((target.labels.to_string(), target.url)),
        Ok(Populated::Dropped(_)) => Err("dropped".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    let (labels, url) = check(&[("__address__", "h:1"), ("__meta_z", "q"), ("__param_b", "3")]).unwrap();
    assert_eq!(labels, r#"{instance="h:1", job="j", z="q"}"#);
    // the job's own parameters win over those that were discovered
    assert_eq!(url, "http://h:1/m/%C3%BC?a=x+y&b=1&b=2");
    assert_eq!(check(&[("__address__", "h"), ("no", "yes")]), Err("dropped".to_owned()));
    assert_eq!(check(&[]), Err("no address".to_owned()));
    assert_eq!(check(&[("__address__", "h/x")]), Err("\"h/x\" is not a valid hostname".to_owned()));
    let times = [("__address__", "h"), ("__scrape_interval__", "1s"), ("__scrape_timeout__", "2s")];
    assert_eq!(
        check(&times),
        Err("scrape timeout cannot be greater than scrape interval (\"2s\" > \"1s\")".to_owned())
    );
    assert!(
        check(&[("__address__", "h"), ("__scrape_interval__", "x")])
            .unwrap_err()
            .starts_with("error parsing scrape interval")
    );
}

#[tokio::test]
async fn other_rules_count_at_once_and_another_interval_ends_nothing() {
    let bench = Bench::new(ONE);
    bench.pages.set("x 1\ny 2\n");
    assert_eq!(bench.scrape().await.len(), 3);
    let dropping = ONE.replace(
        "job_name: j,",
        "job_name: j, metric_relabel_configs: [{source_labels: [__name__], regex: y, action: drop}],",
    );
    bench.configure(&dropping);
    let line = |name: &str, value: &str| format!("{name}{{instance=\"a:1\", job=\"j\"}} {value}");
    assert_eq!(values(&bench.scrape().await), [line("up", "1"), line("x", "1"), line("y", "stale")]);
    bench.configure(&dropping.replace("scrape_interval: 15s", "scrape_interval: 15s, scrape_timeout: 1s"));
    assert_eq!(values(&bench.scrape().await), [line("up", "1"), line("x", "1")]);
}

/// Another process that goes on where the first one was.
async fn another(bench: &Bench, text: &str) -> Bench {
    let saved = bench.scraper.saved().await;
    let saved = crate::Saved::decode(&saved.encode().expect("fits")).expect("reads");
    let other = Bench { clock: Arc::clone(&bench.clock), ..Bench::new("[]") };
    let other =
        Bench { scraper: Scraper::new(Arc::clone(&other.kept) as _, Arc::clone(&other.clock) as _), ..other };
    let fetch = || Arc::clone(&other.pages) as Arc<dyn Fetch>;
    other.scraper.replace(jobs(text).into_iter().map(|job| (job, fetch())).collect());
    other.scraper.restore(saved);
    other
}

/// What a tick of a minute writes.
async fn tick(bench: &Bench) -> Vec<String> {
    for due in bench.scraper.due_since_last(bench.clock.now_ms(), 30_000) {
        bench.scraper.run(due).await;
    }
    bench.kept.take()
}

#[tokio::test]
async fn another_process_goes_on() {
    const TWO: &str = "[{job_name: j, scrape_interval: 1m, static_configs: [{targets: ['a:1']}]},\
                       {job_name: k, scrape_interval: 5m, static_configs: [{targets: ['b:1']}]}]";
    let first = Bench::new(TWO);
    first.pages.set("x 1\ny 2\n");
    let x = |of: &str, value: &str| format!("x{{{of}}} {value}");
    let (a, b) = ("instance=\"a:1\", job=\"j\"", "instance=\"b:1\", job=\"k\"");
    assert_eq!(tick(&first).await.len(), 6);

    // the one of five minutes is not due yet, and what is not there ends
    let second = another(&first, TWO).await;
    second.clock.advance_ms(60_000);
    second.pages.set("x 3\n");
    for job in &jobs(TWO) {
        let found = job.groups.iter().flat_map(TargetGroup::label_sets).collect();
        second.scraper.discovered(&job.name, found);
    }
    let told = tick(&second).await;
    assert_eq!(values(&told), [format!("up{{{a}}} 1"), x(a, "3"), format!("y{{{a}}} stale")]);

    // a job that is gone ends, and targets that nobody can be asked for stay
    let third = another(&second, ONE).await;
    third.clock.advance_ms(60_000);
    third.pages.set("x 4\n");
    let told = tick(&third).await;
    let ended = [format!("up{{{b}}} stale"), x(b, "stale"), format!("y{{{b}}} stale")];
    let [up, first_x] = [format!("up{{{a}}} 1"), x(a, "4")];
    assert_eq!(values(&told), [&up, &ended[0], &first_x, &ended[1], &ended[2]]);
    let saved = third.scraper.saved().await;
    assert_eq!((saved.jobs.len(), saved.jobs["j"].targets[0].series.len()), (1, 1));
}
