//! Label sets as they were sent: checked, and put in order.

use model::{Label, Labels, name};

use super::faults::Faults;
use crate::quote;

/// A name or a value: its bytes, and the text if it is one.
pub(super) trait Symbol {
    fn bytes(&self) -> &[u8];
    fn text(&self) -> Option<std::sync::Arc<str>>;
}

/// What the setting is called by whose value `labels_max` is.
const LABELS_MAX: &str = "labels_per_series_max";

/// No more of a label set than this is shown.
const SHOWN_BYTES_MAX: usize = 2 << 10;

/// As Prometheus shows a label set in its errors: `{__name__="up", "a.b"="c"}`.
pub fn show<'a>(pairs: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> String {
    let mut shown = String::from("{");
    for (label, value) in pairs {
        if shown.len() > 1 {
            shown.push_str(", ");
        }
        if shown.len() + label.len() + value.len() > SHOWN_BYTES_MAX {
            shown.push('…');
            break;
        }
        match std::str::from_utf8(label) {
            Ok(label) if name::is_legacy_label_name(label) => shown.push_str(label),
            _ => shown.push_str(&quote::text(label)),
        }
        shown.push('=');
        shown.push_str(&quote::text(value));
    }
    shown.push('}');
    shown
}

/// Puts pairs in order. What is wrong with them goes to `faults`.
pub(super) fn build<S: Symbol>(
    mut pairs: Vec<(S, S)>,
    labels_max: usize,
    faults: &mut Faults,
) -> Option<Labels> {
    pairs.sort_by(|a, b| a.0.bytes().cmp(b.0.bytes()));
    let shown = |pairs: &[(S, S)]| show(pairs.iter().map(|(name, value)| (name.bytes(), value.bytes())));
    if pairs.len() > labels_max {
        faults.add_of(Some(LABELS_MAX), || {
            let count = pairs.len();
            format!(
                "{count} labels are more than {labels_max}, which is {LABELS_MAX}, in series {}",
                shown(&pairs)
            )
        });
        return None;
    }
    let name_bytes = Labels::NAME.as_bytes();
    let name = pairs.iter().find(|(name, _)| name.bytes() == name_bytes);
    let texts: Option<Vec<Label>> = pairs
        .iter()
        .map(|(name, value)| {
            Some(Label { name: name.text().filter(|name| !name.is_empty())?, value: value.text()? })
        })
        .collect();
    let (Some(mut labels), true) = (texts, name.is_some_and(|(_, value)| !value.bytes().is_empty())) else {
        faults.add(|| format!("invalid metric name or labels, got {}", shown(&pairs)));
        return None;
    };
    if let Some(twice) = labels.windows(2).find(|two| two[0].name == two[1].name) {
        let name = &twice[0].name;
        faults
            .add(|| format!("invalid labels for series, labels {}, duplicated label {name}", shown(&pairs)));
        return None;
    }
    labels.retain(|label| !label.value.is_empty());
    Some(Labels::from_sorted(labels))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_as_prometheus_does() {
        let check = |pairs: &[(&[u8], &[u8])], expect: &str| assert_eq!(show(pairs.iter().copied()), expect);
        check(&[], "{}");
        check(&[(b"__name__", b"m"), (b"a.b", b"c\"")], r#"{__name__="m", "a.b"="c\""}"#);
        check(&[(b"", b"m"), (b"\xff", b"v\xfe")], r#"{""="m", "\xff"="v\xfe"}"#);
        let long = vec![b'x'; SHOWN_BYTES_MAX];
        check(&[(b"a", b"b"), (b"c", &long), (b"d", b"e")], r#"{a="b", …}"#);
    }
}
