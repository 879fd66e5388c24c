//! The flags of a Pushgateway to the settings of the gateway.

use std::collections::BTreeMap;

use anyhow::Context;
use gateway::{About, Settings, Web};
use query::api::BuildInfo;

use crate::cli::Serve;

/// What the flags say about the gateway.
pub(super) fn settings(flags: &Serve) -> anyhow::Result<Settings> {
    let of = &flags.pushgateway;
    if of.persistence_file.is_some() || of.persistence_interval.is_some() {
        tracing::warn!(
            "--persistence.file and --persistence.interval are ignored: what was pushed is in --storage"
        );
    }
    let external_url = flags.external_url.as_deref().filter(|url| !url.is_empty());
    let external_path = || external_url.map(path_of_url).transpose();
    let route_prefix = match &of.route_prefix {
        Some(prefix) => prefix.clone(),
        None => external_path()?.unwrap_or_default(),
    };
    Ok(Settings {
        web: Web {
            route_prefix,
            telemetry_path: of.telemetry_path.clone(),
            admin_api: of.admin_api,
            lifecycle: of.lifecycle,
            openmetrics: flags.openmetrics,
        },
        lenient_text: flags.lenient_text,
        timestamps: flags.timestamps,
        consistency_check: !of.unchecked,
        utf8_names: of.utf8_names,
        push_ttl_ms: flags.push_ttl.and_then(|ttl| u64::try_from(ttl.as_millis()).ok()),
        ..Settings::default()
    })
}

fn path_of_url(url: &str) -> anyhow::Result<String> {
    let parsed: axum::http::Uri = url
        .parse()
        .with_context(|| format!("--web.external-url {url}: expected a URL like http://host/path"))?;
    Ok(parsed.path().to_owned())
}

/// What the gateway tells about the process.
pub(super) fn about(build: &BuildInfo, flags: BTreeMap<String, String>, started_us: i64) -> About {
    About {
        version: build.version.clone(),
        revision: build.revision.clone(),
        branch: build.branch.clone(),
        build_user: build.build_user.clone(),
        build_date: build.build_date.clone(),
        compiler: format!("rust{}", env!("CARGO_PKG_RUST_VERSION")),
        flags,
        started_us,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn settings_of(flags: &[&str]) -> anyhow::Result<Settings> {
        let words = ["mayfly", "serve"].iter().chain(flags);
        let Command::Serve(serve) = Cli::try_parse_from(words).expect("flags").command else {
            panic!("not serve")
        };
        settings(&serve)
    }

    #[test]
    fn the_route_prefix() {
        let check = |flags: &[&str], expect: &str| {
            assert_eq!(settings_of(flags).expect("settings").web.route_prefix, expect, "{flags:?}");
        };
        check(&[], "");
        check(&["--web.external-url="], "");
        check(&["--web.external-url=http://host"], "/");
        check(&["--web.external-url=https://host:1/a/b/"], "/a/b/");
        check(&["--web.external-url=http://host/a", "--web.route-prefix=/"], "/");
        check(&["--web.external-url=http://host/a", "--web.route-prefix=b"], "b");
    }

    #[test]
    fn what_has_no_use_is_taken() {
        assert!(settings_of(&["--persistence.file=x", "--persistence.interval=1m"]).is_ok());
        let settings = settings_of(&["--push.disable-consistency-check", "--push.enable-utf8-names"]);
        let settings = settings.expect("settings");
        assert!(settings.utf8_names && !settings.consistency_check);
    }
}
