//! Label sets in JSON.

/// As an object.
pub(crate) mod map {
    use std::collections::BTreeMap;

    use model::Labels;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(labels: &Labels, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(labels.iter().map(|label| (&*label.name, &*label.value)))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Labels, D::Error> {
        let pairs = BTreeMap::<String, String>::deserialize(deserializer)?;
        Ok(Labels::from_pairs(pairs))
    }
}

/// As an array of objects.
pub(super) mod list {
    use std::collections::BTreeMap;

    use model::Labels;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize)]
    struct Item<'a>(#[serde(with = "super::map")] &'a Labels);

    pub(crate) fn serialize<S: Serializer>(list: &[Labels], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(list.iter().map(Item))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Labels>, D::Error> {
        let list = Vec::<BTreeMap<String, String>>::deserialize(deserializer)?;
        Ok(list.into_iter().map(Labels::from_pairs).collect())
    }
}
