//! The bytes of the state: JSON with a version in front.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::{GroupState, State};

/// The version that is written. Older ones are read; a newer one is refused, because it may hold what we would lose.
pub const STATE_VERSION: u32 = 2;

/// How large the state may be, written and read.
pub const STATE_BYTES_MAX: usize = 256 << 20;

/// Why bytes are no state.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Written by a newer Mayfly.
    #[error("the rule state has version {found}; this program reads versions up to {STATE_VERSION}")]
    Newer {
        /// The version that it has.
        found: u32,
    },
    /// Not what we write.
    #[error("the rule state is damaged: {0}")]
    Damaged(#[source] serde_json::Error),
    /// More alerts than one object should hold.
    #[error("the rule state has {bytes} bytes; the limit is {STATE_BYTES_MAX}")]
    TooLarge {
        /// How large it is.
        bytes: usize,
    },
}

#[derive(Deserialize)]
struct Head {
    version: u32,
}

#[derive(Deserialize)]
struct Document {
    state: State,
}

/// The bytes of groups as they were written last: of the next state those that have changed are encoded, and no others.
#[derive(Debug, Default)]
pub(crate) struct Encoded {
    groups: BTreeMap<String, (Arc<GroupState>, Vec<u8>)>,
}

impl Encoded {
    /// The bytes of a state.
    pub(crate) fn encode(&mut self, state: &State) -> Result<Vec<u8>, StateError> {
        let mut known = std::mem::take(&mut self.groups);
        let mut bytes = format!("{{\"version\":{STATE_VERSION},\"state\":{{\"groups\":{{").into_bytes();
        for (key, group) in &state.groups {
            let same = known.remove(key).filter(|(known, _)| Arc::ptr_eq(known, group));
            let (group, encoded) = match same {
                Some(same) => same,
                None => (Arc::clone(group), serde_json::to_vec(&**group).map_err(StateError::Damaged)?),
            };
            if bytes.last() != Some(&b'{') {
                bytes.push(b',');
            }
            serde_json::to_writer(&mut bytes, key).map_err(StateError::Damaged)?;
            bytes.push(b':');
            bytes.extend_from_slice(&encoded);
            self.groups.insert(key.clone(), (group, encoded));
        }
        bytes.extend_from_slice(b"},\"outbox\":");
        serde_json::to_writer(&mut bytes, &state.outbox).map_err(StateError::Damaged)?;
        bytes
            .extend_from_slice(format!(",\"next_delivery\":{},\"orphans\":", state.next_delivery).as_bytes());
        serde_json::to_writer(&mut bytes, &state.orphans).map_err(StateError::Damaged)?;
        bytes.extend_from_slice(b"}}");
        within_limit(&bytes)?;
        Ok(bytes)
    }
}

/// The state of some bytes.
pub(crate) fn decode(bytes: &[u8]) -> Result<State, StateError> {
    within_limit(bytes)?;
    // The version first: what follows may be of another shape.
    let head: Head = serde_json::from_slice(bytes).map_err(StateError::Damaged)?;
    if head.version > STATE_VERSION {
        return Err(StateError::Newer { found: head.version });
    }
    let document: Document = serde_json::from_slice(bytes).map_err(StateError::Damaged)?;
    Ok(document.state)
}

fn within_limit(bytes: &[u8]) -> Result<(), StateError> {
    if bytes.len() > STATE_BYTES_MAX { Err(StateError::TooLarge { bytes: bytes.len() }) } else { Ok(()) }
}

/// Groups, each of its own.
pub(super) fn groups<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, Arc<GroupState>>, D::Error> {
    let groups = BTreeMap::<String, GroupState>::deserialize(deserializer)?;
    Ok(groups.into_iter().map(|(key, group)| (key, Arc::new(group))).collect())
}

/// The rules of a group: one of which there is nothing to tell as an array, as most are, and any other as an object.
pub(super) mod rules {
    use std::fmt;

    use model::Labels;
    use serde::de::value::MapAccessDeserializer;
    use serde::de::{Error, MapAccess, SeqAccess, Visitor};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::state::{Health, Identity, RuleState, labels};

    #[derive(Serialize, Deserialize)]
    struct JsonLabels(#[serde(with = "labels::map")] Labels);

    struct Shown<'a>(&'a RuleState);

    impl Serialize for Shown<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let rule = self.0;
            if !rule.is_quiet() {
                return rule.serialize(serializer);
            }
            let Identity { alerting, name, labels } = &rule.identity;
            let labels = JsonLabels(labels.clone());
            (alerting, name, labels, rule.last_evaluation_ms, rule.evaluation_ms).serialize(serializer)
        }
    }

    struct Read(RuleState);

    impl<'de> Deserialize<'de> for Read {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_any(Form).map(Self)
        }
    }

    struct Form;

    impl<'de> Visitor<'de> for Form {
        type Value = RuleState;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the state of a rule")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RuleState, A::Error> {
            RuleState::deserialize(MapAccessDeserializer::new(map))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<RuleState, A::Error> {
            let short = |length| A::Error::invalid_length(length, &self);
            let alerting = array.next_element()?.ok_or_else(|| short(0))?;
            let name = array.next_element()?.ok_or_else(|| short(1))?;
            let JsonLabels(labels) = array.next_element()?.ok_or_else(|| short(2))?;
            let last_evaluation_ms = array.next_element()?.ok_or_else(|| short(3))?;
            let evaluation_ms = array.next_element()?.ok_or_else(|| short(4))?;
            let identity = Identity { alerting, name, labels };
            let health = Health::Ok;
            Ok(RuleState { identity, health, last_evaluation_ms, evaluation_ms, ..RuleState::default() })
        }
    }

    pub(crate) fn serialize<S: Serializer>(rules: &[RuleState], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(rules.iter().map(Shown))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<RuleState>, D::Error> {
        let rules = Vec::<Read>::deserialize(deserializer)?;
        Ok(rules.into_iter().map(|Read(rule)| rule).collect())
    }
}

/// Floats as texts, because JSON has no NaN and no infinities.
pub(super) mod float {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
