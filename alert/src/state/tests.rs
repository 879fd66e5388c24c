use super::*;

fn alert(name: &str, value: f64) -> ActiveAlert {
    ActiveAlert {
        labels: Labels::from_pairs([("alertname", name)]),
        annotations: Labels::from_pairs([("summary", "it is <bad>")]),
        value,
        state: AlertState::Firing,
        active_at_ms: 1_000,
        fired_at_ms: Some(2_000),
        resolved_at_ms: None,
        last_sent_ms: Some(2_000),
        keep_firing_since_ms: None,
    }
}

#[test]
fn what_is_written_is_read() {
    let rule = RuleState {
        health: Health::Err,
        last_error: "no".to_owned(),
        alerts: vec![alert("a", f64::INFINITY), alert("b", 0.1 + 0.2)],
        series: vec![Labels::from_pairs([("__name__", "x"), ("a", "b")])],
        ..RuleState::default()
    };
    let identity = Identity {
        alerting: true,
        name: "quiet \"one\"".to_owned(),
        labels: Labels::from_pairs([("a", "b")]),
    };
    let quiet =
        RuleState { identity, health: Health::Ok, last_evaluation_ms: Some(5), ..RuleState::default() };
    let unknown = RuleState { health: Health::Unknown, ..quiet.clone() };
    let rules = vec![rule, quiet, unknown];
    let group = Arc::new(GroupState { last_slot_ms: Some(7), rules, ..GroupState::default() });
    let keys = ["f;g", "f;\"quoted\"", "g;g"].map(str::to_owned);
    let mut state = State { groups: keys.clone().map(|key| (key, group.clone())).into(), ..State::default() };
    let mut encoded = Encoded::default();
    let bytes = encoded.encode(&state).expect("encodes");
    assert_eq!(decode(&bytes).expect("decodes"), state);
    // what was encoded before is not taken for what has changed
    state.groups.remove(&keys[0]);
    state.groups.insert(keys[1].clone(), Arc::new(GroupState { last_slot_ms: Some(8), ..(*group).clone() }));
    let bytes = encoded.encode(&state).expect("encodes");
    assert_eq!(bytes, Encoded::default().encode(&state).expect("encodes"));
    assert_eq!(decode(&bytes).expect("decodes"), state);
    let empty = State::default();
    assert_eq!(decode(&encoded.encode(&empty).expect("encodes")).expect("decodes"), empty);
}

#[test]
fn nan_survives() {
    let text = serde_json::to_string(&alert("a", f64::NAN)).expect("encodes");
    let read: ActiveAlert = serde_json::from_str(&text).expect("decodes");
    assert!(read.value.is_nan());
}

#[test]
fn a_newer_version_is_refused() {
    let error = decode(br#"{"version":3,"state":{"something":"else"}}"#).expect_err("newer");
    assert_eq!(error.to_string(), "the rule state has version 3; this program reads versions up to 2");
    assert!(matches!(decode(b"{}"), Err(StateError::Damaged(_))));
}

#[test]
fn a_state_has_a_limit() {
    let bytes = vec![0; STATE_BYTES_MAX + 1];
    let error = decode(&bytes).expect_err("is too large");
    assert_eq!(error.to_string(), "the rule state has 268435457 bytes; the limit is 268435456");
}

/// The first format, as it lies in stores: it must be read for ever.
#[test]
fn version_1_is_read() {
    let state = decode(include_bytes!("version1.json")).expect("decodes");
    let rule = &state.groups["rules.yml;g"].rules[0];
    assert_eq!((rule.alerts[0].state, rule.alerts[0].value), (AlertState::Firing, 1.0));
    assert_eq!(state.outbox[0].alerts[0].starts_at_ms, 60_000);
}
