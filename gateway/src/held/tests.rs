//! What is refused, and the table against a plain model of it.

use std::collections::{BTreeMap, BTreeSet};

use model::{Change, GroupKey, Labels, MetricType};
use store::HeldPart;
use wire::{Family, text};

use super::table::{Entry, NEVER_US, Table};
use super::*;
use crate::intake::PUSH_TIME;

const SEED: u64 = 7;

fn families(body: &str, group: &Labels) -> Vec<Family> {
    let mut families = text::parse(body.as_bytes(), &text::Options::default()).expect("parses");
    for metric in families.iter_mut().flat_map(|family| &mut family.metrics) {
        metric.labels.retain(|(name, _)| group.get(name).is_none());
        metric.labels.extend(group.iter().map(|label| (label.name.clone(), label.value.clone())));
        metric.labels.sort();
    }
    families.sort_by(|a, b| a.name.cmp(&b.name));
    families
}

fn group(pairs: &[(&str, &str)]) -> Labels {
    Labels::from_pairs(pairs.iter().copied())
}

/// Pushes to a gateway's table, one after the other.
struct Pusher {
    held: Held,
    now_us: i64,
}

impl Pusher {
    fn new() -> Self {
        Self { held: Held::new(SEED), now_us: 0 }
    }

    fn push(&mut self, change: Change, labels: &[(&str, &str)], ttl_us: Option<u64>, body: &str) -> String {
        let labels = group(labels);
        let families = families(body, &labels);
        let claims = self.held.claims(&families);
        let compared = Some(&families[..]);
        let intent = Intent { group: GroupKey::of(&labels), change, claims, compared, ttl_us };
        match self.held.push(intent, self.now_us, || Ok::<_, ()>(())) {
            Ok(Claimed::Submitted(())) => String::new(),
            Ok(Claimed::Refused(faults)) => {
                faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
            }
            Err(()) => "not submitted".to_owned(),
        }
    }

    fn put(&mut self, labels: &[(&str, &str)], body: &str) -> String {
        self.push(Change::ReplaceGroup, labels, None, body)
    }

    fn post(&mut self, labels: &[(&str, &str)], body: &str) -> String {
        self.push(Change::ReplaceFamilies, labels, None, body)
    }

    fn delete(&mut self, labels: &[(&str, &str)]) {
        let end = self.held.end(GroupKey::of(&group(labels)), Change::Delete, || Ok::<_, ()>(()));
        assert_eq!(end, Ok(()));
    }
}

const J: &[(&str, &str)] = &[("job", "j")];
const K: &[(&str, &str)] = &[("job", "k")];

#[test]
fn a_type_is_the_same_in_all_groups() {
    let mut pusher = Pusher::new();
    assert_eq!(pusher.put(J, "# TYPE a counter\na 1\n"), "");
    let refused = r#"collected metric "a" { label:{name:"instance" value:""} label:{name:"job" value:"k"} gauge:{value:2}} is not a COUNTER"#;
    assert_eq!(pusher.put(K, "# TYPE a gauge\na 2\n"), refused);
    assert_eq!(pusher.put(K, "# TYPE a counter\na 2\n"), "");
    // one's own type may change only as long as no other group has it
    assert!(pusher.post(J, "# TYPE a gauge\na 1\n").ends_with("is not a COUNTER"));
    pusher.delete(K);
    assert_eq!(pusher.post(J, "# TYPE a gauge\na 1\n"), "");
    assert_eq!(pusher.put(J, "b 1\n"), "");
    assert_eq!(pusher.put(K, "# TYPE a counter\na 2\n"), "");
}

#[test]
fn a_series_is_in_one_group() {
    let mut pusher = Pusher::new();
    let narrow: &[(&str, &str)] = &[("job", "j"), ("instance", "i")];
    assert_eq!(pusher.put(narrow, "a 1\nb 1\n"), "");
    let twice = "was collected before with the same name and label values";
    assert!(pusher.put(J, "a{instance=\"i\"} 2\n").ends_with(twice));
    assert_eq!(pusher.put(J, "a{instance=\"other\"} 2\n"), "");
    assert_eq!(pusher.put(narrow, "b 1\n"), "");
    assert_eq!(pusher.put(J, "a{instance=\"i\"} 2\n"), "");
    assert!(pusher.post(narrow, "a 1\n").ends_with(twice));
    // a histogram is one metric
    assert_eq!(pusher.put(narrow, "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_count 1\n"), "");
    assert!(pusher.post(J, "# TYPE h histogram\nh_bucket{le=\"2\",instance=\"i\"} 1\n").ends_with(twice));
}

#[test]
fn parts_of_histograms_and_summaries() {
    let mut pusher = Pusher::new();
    assert_eq!(pusher.put(J, "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n"), "");
    assert_eq!(pusher.put(&[("job", "s")], "# TYPE s summary\ns_sum 3\ns_count 2\n"), "");
    let check =
        |pusher: &mut Pusher, body: &str, expect: &str| assert_eq!(pusher.put(K, body), expect, "{body}");
    let part = |name: &str, kind: &str, base: &str| {
        format!(
            "collected metric named \"{name}\" collides with previously collected {kind} named \"{base}\""
        )
    };
    check(&mut pusher, "h_count 5\n", &part("h_count", "histogram", "h"));
    check(&mut pusher, "h_bucket 5\n", &part("h_bucket", "histogram", "h"));
    check(&mut pusher, "s_sum 5\n", &part("s_sum", "summary", "s"));
    check(&mut pusher, "s_bucket 5\nx_sum 1\ny_bucket 1\n", "");
    let base = |kind: &str, name: &str, part: &str| {
        format!(
            "collected {kind} named \"{name}\" collides with previously collected metric named \"{part}\""
        )
    };
    let other: &[(&str, &str)] = &[("job", "other")];
    let histogram = |name: &str| format!("# TYPE {name} histogram\n{name}_bucket{{le=\"1\"}} 1\n");
    assert_eq!(pusher.put(other, &histogram("x")), base("histogram or summary", "x", "x_sum"));
    assert_eq!(pusher.put(other, &histogram("y")), base("histogram", "y", "y_bucket"));
    assert_eq!(pusher.put(other, "# TYPE y summary\ny_sum 1\n"), "");
    // in one's own group: what a POST leaves there counts, what a PUT ends does not
    assert_eq!(pusher.post(J, "h_count 5\n"), part("h_count", "histogram", "h"));
    assert_eq!(pusher.put(J, "h_count 5\n"), "");
}

#[test]
fn what_expired_or_was_wiped_contradicts_nobody() {
    let mut pusher = Pusher::new();
    assert_eq!(pusher.push(Change::ReplaceGroup, J, Some(60), "# TYPE a counter\na 1\n"), "");
    pusher.now_us = 59;
    assert!(pusher.put(K, "# TYPE a gauge\na 2\n").ends_with("is not a COUNTER"));
    pusher.now_us = 60;
    assert!(!pusher.held.has_group(GroupKey::of(&group(J)), 60));
    assert_eq!(pusher.put(K, "# TYPE a gauge\na 2\n"), "");
    let wipe = pusher.held.end(GroupKey::of(&Labels::empty()), Change::Wipe, || Ok::<_, ()>(()));
    assert_eq!((wipe, pusher.held.counts()), (Ok(()), (0, 0)));
}

#[test]
fn aggregating_pushes_add_metrics() {
    let mut pusher = Pusher::new();
    let merge = |pusher: &mut Pusher, body: &str| pusher.push(Change::Merge, J, None, body);
    assert_eq!(merge(&mut pusher, "# TYPE a counter\na{x=\"1\"} 1\n"), "");
    assert_eq!(merge(&mut pusher, "# TYPE a counter\na{x=\"1\"} 1\na{x=\"2\"} 1\n"), "");
    assert_eq!(merge(&mut pusher, "# TYPE b counter\nb 1\n"), "");
    assert_eq!(pusher.held.counts(), (1, 3));
    assert_eq!(merge(&mut pusher, "# TYPE a gauge\na{x=\"3\"} 1\n"), "");
    assert_eq!(pusher.held.counts(), (1, 2));
}

#[test]
fn what_is_not_handed_on_is_not_noted() {
    let mut pusher = Pusher::new();
    assert_eq!(pusher.put(J, "a 1\n"), "");
    let families = families("b 1\n", &group(K));
    let (key, claims) = (GroupKey::of(&group(K)), pusher.held.claims(&families));
    let intent = Intent { group: key, change: Change::ReplaceGroup, claims, compared: None, ttl_us: None };
    assert!(pusher.held.push(intent, 0, || Err::<(), _>("busy")).is_err());
    assert!(!pusher.held.has_group(key, 0));
    assert!(pusher.held.has_group(GroupKey::of(&group(J)), 0));
}

/// What the store tells of a group: each series in a part of its own.
fn stored(labels: &Labels, names: &[(&str, MetricType, &[&str])]) -> Vec<HeldPart> {
    let group = GroupKey::of(labels);
    let part = |family: &str, r#type, series| HeldPart {
        group,
        family: family.into(),
        r#type,
        series,
        until_us: None,
    };
    let of_families = names.iter().flat_map(|(name, r#type, series)| {
        series.iter().map(move |line| {
            let family = families(&format!("{line} 1\n"), labels).remove(0);
            let labels = family.metrics[0].labels.iter().cloned();
            let labels = labels.chain([(Labels::NAME.into(), family.name.clone())]);
            part(name, *r#type, vec![Labels::from_pairs(labels)])
        })
    });
    of_families.chain([part(PUSH_TIME, MetricType::Gauge, vec![labels.clone()])]).collect()
}

fn fill(held: &Held, parts: &[HeldPart]) {
    let mut filling = held.filling();
    parts.iter().rev().for_each(|part| filling.add(std::slice::from_ref(part)));
    held.fill(filling);
}

#[test]
fn what_the_store_holds_counts_and_what_was_pushed_meanwhile_too() {
    let mut pusher = Pusher::new();
    assert!(pusher.held.is_doubtful());
    pusher.held.begin_fill();
    let bodies = "# TYPE c gauge\nc 1\n";
    assert_eq!(pusher.put(K, bodies), "");
    let series: &[&str] = &["h_bucket{le=\"1.0\"}", "h_bucket{le=\"+Inf\"}", "h_sum", "h_count"];
    let live = [
        stored(&group(J), &[("a", MetricType::Counter, &["a"]), ("h", MetricType::Histogram, series)]),
        // the store may or may not have what was pushed while it was read
        stored(&group(K), &[("b", MetricType::Counter, &["b"])]),
    ];
    fill(&pusher.held, &live.concat());
    assert!(!pusher.held.is_doubtful());
    let other: &[(&str, &str)] = &[("job", "other")];
    assert!(pusher.put(other, "# TYPE a gauge\na 2\n").ends_with("is not a COUNTER"));
    assert!(pusher.put(other, "# TYPE c counter\nc 2\n").ends_with("is not a GAUGE"));
    assert_eq!(pusher.put(other, "# TYPE b gauge\nb 2\n"), "");
    assert_eq!(pusher.held.counts(), (3, 4));
    let own = "# TYPE h histogram\nh_bucket{le=\"5\"} 1\n";
    assert_eq!(pusher.put(J, own), "");
    // a write that failed brings the next fill
    pusher.held.doubt();
    assert!(pusher.held.is_doubtful());
    pusher.held.begin_fill();
    pusher.held.give_up_fill();
    assert!(pusher.held.is_doubtful());
    fill(&pusher.held, &[]);
    assert_eq!(pusher.held.counts(), (3, 3), "a fill that was given up changes nothing");
}

#[test]
fn groups_without_a_push_time_are_gone_and_others_expire_as_it_says() {
    let pusher = Pusher::new();
    pusher.held.begin_fill();
    let mut lives = stored(&group(J), &[("a", MetricType::Counter, &["a"])]);
    lives.last_mut().expect("its push time").until_us = Some(5_000);
    let mut gone = stored(&group(K), &[("b", MetricType::Counter, &["b"])]);
    gone.pop();
    fill(&pusher.held, &[lives, gone].concat());
    let has = |labels, now_us| pusher.held.has_group(GroupKey::of(&group(labels)), now_us);
    assert_eq!((has(J, 4_999), has(K, 4_999), pusher.held.counts()), (true, false, (1, 1)));
    assert_eq!((has(J, 5_000), pusher.held.counts()), (false, (0, 0)));
}

#[test]
fn hashes_of_pushed_and_stored_metrics_agree() {
    let labels = group(&[("job", "j"), ("x", "1")]);
    for (body, series, r#type) in [
        ("a{y=\"2\",z=\"\"} 1\n", "a{y=\"2\"}", MetricType::Untyped),
        (
            "# TYPE h histogram\nh_bucket{le=\"1\",y=\"2\"} 1\n",
            "h_bucket{le=\"1.0\",y=\"2\"}",
            MetricType::Histogram,
        ),
        ("# TYPE s summary\ns{quantile=\"0.5\"} 1\n", "s{quantile=\"0.5\"}", MetricType::Summary),
        ("# TYPE s summary\ns_sum{y=\"2\"} 1\n", "s_sum{y=\"2\"}", MetricType::Summary),
    ] {
        let pushed = Claim::of_pushed(&families(body, &labels)[0], SEED);
        let name = pushed.name.clone();
        let live = stored(&labels, &[(&name, r#type, &[series])]);
        assert_eq!(Claim::of_stored(&live[0], SEED), pushed, "{body}");
        assert_ne!(Claim::of_pushed(&families(body, &labels)[0], SEED + 1), pushed);
    }
}

/// What each group holds, said plainly.
type Model = BTreeMap<u128, BTreeMap<String, (MetricType, BTreeSet<u64>)>>;

#[test]
fn the_table_is_what_a_plain_model_is() {
    const TYPES: [MetricType; 3] = [MetricType::Counter, MetricType::Gauge, MetricType::Histogram];
    for seed in 0..40 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut table, mut model) = (Table::default(), Model::new());
        for _ in 0..200 {
            let key = u128::from(random.u8(0..4));
            let change = match random.u8(0..20) {
                0 => Change::Wipe,
                1..4 => Change::Delete,
                4..9 => Change::ReplaceGroup,
                9..14 => Change::Merge,
                _ => Change::ReplaceFamilies,
            };
            let mut claims = Vec::new();
            if !matches!(change, Change::Wipe | Change::Delete) {
                for name in 0..random.u64(0..4) {
                    // a metric is in one group only, as the checks see to
                    let metrics = (0..random.u64(1..4)).map(|m| name * 1_000 + key as u64 * 10 + m).collect();
                    let r#type = TYPES[random.usize(0..TYPES.len())];
                    claims.push(Claim { name: format!("n{name}").into(), r#type, metrics });
                }
            }
            play(&mut model, key, change, &claims);
            table.apply(Entry { group: GroupKey(key), change, claims, until_us: NEVER_US });
            compare(&table, &model, seed);
        }
    }
}

fn play(model: &mut Model, key: u128, change: Change, claims: &[Claim]) {
    match change {
        Change::Wipe => return model.clear(),
        Change::Delete => {
            model.remove(&key);
            return;
        }
        Change::ReplaceGroup => {
            model.remove(&key);
        }
        Change::ReplaceFamilies | Change::Merge => {}
    }
    let group = model.entry(key).or_default();
    for claim in claims {
        let family = group.entry(claim.name.to_string()).or_insert((claim.r#type, BTreeSet::new()));
        if change != Change::Merge || family.0 != claim.r#type {
            *family = (claim.r#type, BTreeSet::new());
        }
        family.1.extend(&claim.metrics);
    }
}

fn compare(table: &Table, model: &Model, seed: u64) {
    assert_eq!(table.group_count(), model.len(), "seed {seed}");
    let metrics =
        model.values().flat_map(|group| group.values()).map(|(_, metrics)| metrics.len()).sum::<usize>();
    assert_eq!(table.metric_count(), metrics, "seed {seed}");
    for key in 0..4 {
        for name in (0..4).map(|name| format!("n{name}")) {
            let held = |key: &u128| model.get(key).and_then(|group| group.get(&name));
            assert_eq!(
                table.type_in(&name, GroupKey(key)),
                held(&key).map(|(r#type, _)| *r#type),
                "seed {seed}"
            );
            let elsewhere: BTreeSet<_> = (0..4)
                .filter(|other| *other != key)
                .filter_map(|other| held(&other))
                .map(|(t, _)| t.as_str())
                .collect();
            let found: BTreeSet<_> =
                table.types_elsewhere(&name, GroupKey(key)).map(MetricType::as_str).collect();
            assert_eq!(found, elsewhere, "seed {seed}");
            for metric in held(&key).iter().flat_map(|(_, metrics)| metrics) {
                assert!(
                    !table.is_elsewhere(*metric, GroupKey(key)) && table.is_elsewhere(*metric, GroupKey(9))
                );
            }
        }
    }
}
