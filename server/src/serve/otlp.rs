//! The section `otlp` of the configuration, as receivers understand it.

use config::OtlpConfig;
use wire::otlp::{Promoted, Strategy, Translation};

pub(super) fn translation(config: &OtlpConfig) -> Translation {
    let named = |name: &String| Strategy::ALL.into_iter().find(|(known, _)| known == name);
    let promoted = match config.promote_all_resource_attributes {
        true => Promoted::AllBut(config.ignore_resource_attributes.clone()),
        false => Promoted::These(config.promote_resource_attributes.clone()),
    };
    Translation {
        // others are mistakes of the configuration
        strategy: config
            .translation_strategy
            .as_ref()
            .and_then(named)
            .map_or_else(Strategy::default, |(_, known)| known),
        promoted,
        keeps_identifying: config.keep_identifying_resource_attributes,
        native_histograms: config.convert_histograms_to_nhcb,
        scopes: config.promote_scope_metadata,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strategies_are_called_as_the_configuration_calls_them() {
        assert_eq!(Strategy::ALL.map(|(name, _)| name), config::STRATEGIES);
        for (name, strategy) in Strategy::ALL {
            let config = OtlpConfig { translation_strategy: Some(name.to_owned()), ..OtlpConfig::default() };
            assert_eq!(translation(&config), Translation { strategy, ..Translation::default() });
        }
        assert_eq!(translation(&OtlpConfig::default()), Translation::default());
    }
}
