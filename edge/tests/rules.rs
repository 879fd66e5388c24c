//! Rules over what is stored: what a tick asks of the object store, and what its rules see of each other.

use std::fmt::Write as _;
use std::sync::Arc;

use alert::{Components, Evaluator, InstantQuery, QueryValue, Rules, Settings};
use mayfly_edge::{Ack, Counts, RuleQueries, RuleSamples, Storage};
use model::{Clock, Labels, Samples, Value};
use store::{SampleBatch, Writer};
use testkit::ManualClock;

const T0: i64 = 1_795_391_160_000;
const MINUTE: i64 = 60_000;

struct House {
    storage: Storage,
    clock: Arc<ManualClock>,
    writer: Arc<Writer<SampleBatch>>,
    queries: Arc<RuleQueries>,
}

impl House {
    async fn new() -> Self {
        let storage = Storage::open("memory:", None).await.expect("opens");
        let clock = Arc::new(ManualClock::at_ms(T0));
        let writer = storage.sample_writer(clock.clone(), Ack::Stored).await.expect("writes");
        let reader = storage.reader(None, Some(&writer));
        let (_, queries) =
            mayfly_edge::queries(Arc::new(reader), query::Settings::default(), Arc::clone(&clock) as _);
        Self { storage, clock, writer: Arc::new(writer), queries: Arc::new(queries) }
    }

    /// A sample of now for each instance.
    async fn write(&self, instances: usize) {
        let series = (0..instances).map(|instance| {
            let mut samples = Samples::default();
            samples.push(self.clock.now_ms(), 1.0);
            (
                Labels::from_pairs([("__name__", "up".to_owned()), ("instance", format!("i{instance}"))]),
                samples,
            )
        });
        self.writer.push(SampleBatch::of(series.collect())).await.expect("written");
    }

    fn evaluator(&self, file: &str) -> Evaluator {
        let rules = Rules::load(&[("rules.yml", file)], &*self.queries).expect("loads");
        let components = Components {
            query: Arc::clone(&self.queries) as _,
            notifiers: Vec::new(),
            state: Arc::new(self.storage.rule_state()),
            sink: Some(Arc::new(RuleSamples::new(Arc::clone(&self.writer)))),
            clock: Arc::clone(&self.clock) as _,
        };
        Evaluator::new(rules, components, Settings::default())
    }

    /// What a tick of all groups asks of the object store.
    async fn tick(&self, evaluator: &Evaluator) -> Counts {
        let before = self.storage.counts();
        let progress = evaluator.tick(self.clock.now_ms()).await.expect("ticks");
        assert_eq!(progress.rules_failed, 0, "{progress:?}");
        self.storage.counts().since(&before)
    }

    async fn value(&self, expr: &str) -> f64 {
        match self.queries.query(expr, self.clock.now_ms()).await.expect("answers") {
            QueryValue::Vector(elements) => match elements.as_slice() {
                [(_, Value::Float(value))] => *value,
                other => panic!("{expr}: {other:?}"),
            },
            other => panic!("{expr}: {other:?}"),
        }
    }
}

fn quiet_rules(groups: usize, rules: usize) -> String {
    let mut file = String::from("groups:\n");
    for group in 0..groups {
        writeln!(file, "- name: g{group}\n  rules:").expect("is a text");
        for rule in 0..rules {
            writeln!(file, "  - {{alert: A{rule}, expr: 'up{{instance=\"i{rule}\"}} == 0'}}")
                .expect("is a text");
        }
    }
    file
}

/// However many rules there are, the store is listed once, and of the state nothing is read that is known.
#[tokio::test]
async fn a_tick_asks_no_more_for_many_rules_than_for_one() {
    for (groups, rules) in [(1, 1), (10, 100)] {
        let house = House::new().await;
        house.write(100).await;
        house.clock.advance_ms(MINUTE);
        let evaluator = house.evaluator(&quiet_rules(groups, rules));
        let first = house.tick(&evaluator).await;
        // the state, two manifests, and the one segment
        assert_eq!(
            (first.lists, first.gets, first.puts),
            (2, 1 + 2 + 1, 1),
            "{groups} groups of {rules}: {first:?}"
        );
        house.clock.advance_ms(MINUTE);
        let next = house.tick(&evaluator).await;
        assert_eq!((next.lists, next.gets, next.puts), (2, 1 + 2, 1), "{groups} groups of {rules}: {next:?}");
        let idle = house.tick(&evaluator).await;
        assert_eq!((idle.lists, idle.gets, idle.puts), (0, 1, 0), "nothing is due: {idle:?}");
        assert_eq!(next.bytes_got, 0, "what is known is not sent again: {next:?}");
    }
}

/// As in Prometheus, a rule sees what the rules before it have recorded.
#[tokio::test]
async fn a_rule_sees_what_rules_before_it_recorded() {
    let house = House::new().await;
    house.write(3).await;
    let file = r#"
groups:
- name: g
  rules:
  - {record: ups, expr: sum(up)}
  - {record: twice, expr: 'ups{more=""} * 2'}
  - {record: ups, expr: twice * 5, labels: {more: 'yes'}}
  - {record: all, expr: sum(ups)}
  - {alert: Many, expr: all > 30}
"#;
    let evaluator = house.evaluator(file);
    for minute in 0..3 {
        house.clock.advance_ms(MINUTE);
        let counts = house.tick(&evaluator).await;
        assert_eq!(
            (counts.lists, counts.puts),
            (2, 2),
            "one for all samples and one for the state: {counts:?}"
        );
        for (expr, expect) in [("twice", 6.0), ("ups{more=\"yes\"}", 30.0), ("all", 33.0), ("ALERTS", 1.0)] {
            assert_eq!(house.value(expr).await.to_bits(), f64::to_bits(expect), "{expr} at {minute}m");
        }
        house.write(3).await;
    }
}
