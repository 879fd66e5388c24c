//! The section `otlp`: how what comes as OTLP is made into series. Texts of what is wrong are Prometheus'.

use model::quote::quoted;
use yaml::{Node, Reader};

/// What the section says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OtlpConfig {
    /// Attributes of resources that become labels of series.
    pub promote_resource_attributes: Vec<String>,
    /// Whether all of them do.
    pub promote_all_resource_attributes: bool,
    /// But for these.
    pub ignore_resource_attributes: Vec<String>,
    /// What becomes of names; one of [`STRATEGIES`].
    pub translation_strategy: Option<String>,
    /// Whether `target_info` has those attributes too that say which resource it is.
    pub keep_identifying_resource_attributes: bool,
    /// Whether histograms with explicit bounds become native ones.
    pub convert_histograms_to_nhcb: bool,
    /// Whether what is known of scopes becomes labels.
    pub promote_scope_metadata: bool,
}

/// All there are.
pub const STRATEGIES: [&str; 4] = [
    "UnderscoreEscapingWithSuffixes",
    "UnderscoreEscapingWithoutSuffixes",
    "NoUTF8EscapingWithSuffixes",
    "NoTranslation",
];

const FIELDS: [&str; 7] = [
    "promote_resource_attributes",
    "promote_all_resource_attributes",
    "ignore_resource_attributes",
    "translation_strategy",
    "keep_identifying_resource_attributes",
    "convert_histograms_to_nhcb",
    "promote_scope_metadata",
];

pub(crate) fn read(reader: &mut Reader, node: &Node) -> OtlpConfig {
    let mut config = OtlpConfig::default();
    let (mut promoted, mut ignored) = (None, None);
    for (key, value) in reader.entries(node, "otlp") {
        match &*key.0 {
            "promote_resource_attributes" => {
                config.promote_resource_attributes = attributes(reader, &value, &key.0, "promoted");
                promoted = Some(value.position);
            }
            "promote_all_resource_attributes" => {
                config.promote_all_resource_attributes = reader.bool(&value);
            }
            "ignore_resource_attributes" => {
                config.ignore_resource_attributes = attributes(reader, &value, &key.0, "ignored");
                ignored = Some(value.position);
            }
            "translation_strategy" => {
                let strategy = reader.string(&value);
                if !strategy.is_empty() && !STRATEGIES.contains(&&*strategy) {
                    let known = STRATEGIES.join(", ");
                    let text = format!(
                        "unsupported OTLP translation strategy {}; there are {known}",
                        quoted(&strategy)
                    );
                    reader.complain(value.position, text);
                }
                config.translation_strategy = Some(strategy).filter(|strategy| !strategy.is_empty());
            }
            "keep_identifying_resource_attributes" => {
                config.keep_identifying_resource_attributes = reader.bool(&value);
            }
            "convert_histograms_to_nhcb" => config.convert_histograms_to_nhcb = reader.bool(&value),
            "promote_scope_metadata" => config.promote_scope_metadata = reader.bool(&value),
            _ => reader.unknown(&key, "otlp", &FIELDS),
        }
    }
    match (config.promote_all_resource_attributes, promoted, ignored) {
        (true, Some(position), _) if !config.promote_resource_attributes.is_empty() => reader.complain(
            position,
            "'promote_all_resource_attributes' and 'promote_resource_attributes' cannot be configured simultaneously",
        ),
        (false, _, Some(position)) if !config.ignore_resource_attributes.is_empty() => reader.complain(
            position,
            "'ignore_resource_attributes' cannot be configured unless 'promote_all_resource_attributes' is true",
        ),
        _ => {}
    }
    config
}

/// Names without the blanks around them, none of them twice.
fn attributes(reader: &mut Reader, node: &Node, field: &str, adjective: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for item in reader.items(node, field) {
        let name = reader.string(&item).trim().to_owned();
        if name.is_empty() {
            let text = format!("invalid '{field}': empty {adjective} OTel resource attribute");
            reader.complain(item.position, text);
        } else if names.contains(&name) {
            let text = format!(
                "invalid '{field}': duplicated {adjective} OTel resource attribute {}",
                quoted(&name)
            );
            reader.complain(item.position, text);
        } else {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use crate::Config;

    fn read(text: &str) -> Result<super::OtlpConfig, String> {
        let read = Config::read("p.yml", text, &|_| None);
        read.map(|config| config.otlp).map_err(|error| error.to_string())
    }

    #[test]
    fn all_of_it() {
        assert_eq!(read("otlp: {}\n"), Ok(super::OtlpConfig::default()));
        let text = "otlp:\n  promote_all_resource_attributes: true\n  ignore_resource_attributes: [a, ' b ']\n  \
                    translation_strategy: NoTranslation\n  keep_identifying_resource_attributes: true\n  \
                    convert_histograms_to_nhcb: true\n  promote_scope_metadata: true\n";
        let expect = super::OtlpConfig {
            promote_all_resource_attributes: true,
            ignore_resource_attributes: vec!["a".to_owned(), "b".to_owned()],
            translation_strategy: Some("NoTranslation".to_owned()),
            keep_identifying_resource_attributes: true,
            convert_histograms_to_nhcb: true,
            promote_scope_metadata: true,
            ..super::OtlpConfig::default()
        };
        assert_eq!(read(text), Ok(expect));
        assert_eq!(read("otlp: {translation_strategy: ''}\n"), Ok(super::OtlpConfig::default()));
    }

    /// As promtool 3.5.3 says them, with places.
    #[test]
    fn mistakes() {
        let check = |text: &str, expect: &str| {
            let told = read(&format!("otlp: {{{text}}}\n")).expect_err("is refused");
            assert!(told.contains(expect), "{text}: {told}");
        };
        check("translation_strategy: x", "p.yml:1:30: unsupported OTLP translation strategy \"x\"");
        check(
            "ignore_resource_attributes: [a]",
            "p.yml:1:36: 'ignore_resource_attributes' cannot be configured unless 'promote_all_resource_attributes' is true",
        );
        check(
            "promote_all_resource_attributes: true, promote_resource_attributes: [a]",
            "'promote_all_resource_attributes' and 'promote_resource_attributes' cannot be configured simultaneously",
        );
        check("promote_resource_attributes: [a, '']", "empty promoted OTel resource attribute");
        check("promote_resource_attributes: [a, ' a']", "duplicated promoted OTel resource attribute \"a\"");
        check(
            "promote_all_resource_attributes: true, ignore_resource_attributes: ['']",
            "invalid 'ignore_resource_attributes': empty ignored OTel resource attribute",
        );
        check("promote: [a]", "unknown field \"promote\" in otlp");
    }
}
