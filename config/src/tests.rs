use model::Labels;

use crate::{Auth, CONFIG_BYTES_MAX, Config, Secret, SigV4, TlsVersion};

fn read(text: &str) -> Result<Config, String> {
    let variable = |name: &str| (name == "REGION").then(|| "eu".to_owned());
    Config::read("p.yml", text, &variable).map_err(|error| error.to_string())
}

fn good(text: &str) -> Config {
    read(text).unwrap_or_else(|told| panic!("{text}: {told}"))
}

#[test]
fn what_is_there() {
    let config = good(
        "global:\n  evaluation_interval: 15s\n  rule_query_offset: 1m\n  external_labels: {region: '${REGION}-1', n: 1}\n\
         rule_files: [rules.yml, 'more/*.yml']\nalerting:\n  alert_relabel_configs: [{regex: replica, action: labeldrop}]\n",
    );
    assert_eq!((config.evaluation_interval_ms, config.rule_query_offset_ms), (Some(15_000), 60_000));
    assert_eq!(config.external_labels, Labels::from_pairs([("region", "eu-1"), ("n", "1")]));
    assert_eq!(config.rule_files, ["rules.yml", "more/*.yml"]);
    assert_eq!(config.alert_relabel.len(), 1);
    let empty = good("");
    assert!(empty.evaluation_interval_ms.is_none() && empty.rule_files.is_empty());
    assert!(good("global: {evaluation_interval: 0s}\nalerting:\n").evaluation_interval_ms.is_none());
}

#[test]
fn alertmanagers() {
    let config = good(
        "alerting:\n  alertmanagers:\n  - scheme: https\n    path_prefix: /x//y/\n    timeout: 3s\n    api_version: v2\n    \
         static_configs:\n    - targets: ['a:1', 'b:2', 'a:1']\n      labels: {zone: z}\n    \
         relabel_configs: [{source_labels: [__address__], regex: 'b.*', action: drop}]\n    \
         alert_relabel_configs: [{action: keep, source_labels: [x], regex: y}]\n  - static_configs: [{targets: [c]}]\n",
    );
    let [first, second] = config.alertmanagers.as_slice() else { panic!("two: {config:?}") };
    let urls = |targets: &[crate::AlertmanagerTarget]| {
        targets.iter().map(crate::AlertmanagerTarget::url).collect::<Vec<_>>()
    };
    assert_eq!(urls(&first.targets), ["https://a:1/x/y/api/v2/alerts"]);
    assert_eq!(urls(&first.dropped), ["https://b:2/x/y/api/v2/alerts"]);
    assert_eq!((first.timeout_ms, first.alert_relabel.len()), (3_000, 1));
    assert_eq!(urls(&second.targets), ["http://c/api/v2/alerts"]);
    assert_eq!((second.timeout_ms, &second.auth), (10_000, &Auth::None));
}

fn entry(fields: &str) -> String {
    format!("alerting:\n  alertmanagers:\n  - {{static_configs: [{{targets: [a]}}], {fields}}}\n")
}

#[test]
fn who_sends() {
    let auth = |fields: &str| good(&entry(fields)).alertmanagers[0].auth.clone();
    let inline = |text: &str| Secret::Inline(text.to_owned());
    let basic = Auth::Basic { username: inline("u"), password: Secret::File("p".to_owned()) };
    assert_eq!(auth("basic_auth: {username: u, password_file: p}"), basic);
    let bearer = Auth::Authorization { r#type: "Bearer".to_owned(), credentials: inline("c") };
    assert_eq!(auth("authorization: {credentials: c}"), bearer);
    assert!(!format!("{bearer:?}").contains("\"c\""), "{bearer:?}");
    let sigv4 = SigV4 {
        region: Some("eu-west-1".to_owned()),
        keys: Some(("k".to_owned(), inline("s"))),
        role_arn: Some("arn:x".to_owned()),
        ..SigV4::default()
    };
    let given = auth("sigv4: {region: eu-west-1, access_key: k, secret_key: s, role_arn: 'arn:x'}");
    assert_eq!(given, Auth::SigV4(sigv4));
    let tls = &good(&entry(
        "tls_config: {ca_file: ca, cert: c, key_file: k, server_name: n, insecure_skip_verify: true, min_version: TLS13}",
    ))
    .alertmanagers[0]
        .tls;
    assert_eq!(tls.ca, Some(Secret::File("ca".to_owned())));
    assert_eq!(tls.client, Some((inline("c"), Secret::File("k".to_owned()))));
    assert!(tls.insecure_skip_verify && tls.server_name.as_deref() == Some("n"));
    assert_eq!((tls.min_version, tls.max_version), (Some(TlsVersion::Tls13), None));
}

#[test]
fn mistakes_have_file_line_and_column() {
    let check = |text: &str, expect: &str| assert_eq!(read(text).expect_err(text), expect, "{text}");
    check("a: [", "p.yml:2: yaml: line 2: while parsing a node, did not find expected node content");
    check(
        "global:\n  evaluation_interval: 1q\nfoo: 1\n",
        "p.yml:2:24: unknown unit \"q\" in duration \"1q\"\n\
         p.yml:3:1: unknown field \"foo\" in the configuration; there are global, rule_files, alerting, otlp",
    );
    check(
        "scrape_configs: []\nglobal: {scrape_interval: 1s}\n",
        "p.yml:1:1: field \"scrape_configs\" in the configuration is not supported: what is scraped stands in a file of its own, --scrape-config of mayfly serve\n\
         p.yml:2:10: field \"scrape_interval\" in global is not supported: what is scraped stands in a file of its own, --scrape-config of mayfly serve",
    );
    check("global: {external_labels: {'': x}}", "p.yml:1:28: \"\" is not a valid label name");
    check("rule_files: ['a/*/b.yml']", "p.yml:1:14: invalid rule file path \"a/*/b.yml\"");
    check("rule_files: rules.yml", "p.yml:1:13: rule_files must be a list");
    check("alerting: {alert_relabel_configs: [{action: x}]}", "p.yml:1:45: unknown relabel action \"x\"");
    let large = "#".repeat(CONFIG_BYTES_MAX + 1);
    check(&large, "p.yml: the file has 1048577 bytes; the limit is 1048576");
}

#[test]
fn targets_are_bounded() {
    let with = |count: usize| {
        let targets = vec!["a"; count].join(", ");
        read(&format!("alerting:\n  alertmanagers:\n  - static_configs: [{{targets: [{targets}]}}]\n"))
    };
    assert_eq!(with(crate::TARGETS_MAX).expect("as many as there may be").alertmanagers[0].targets.len(), 1);
    let error = with(crate::TARGETS_MAX + 1).expect_err("too many");
    assert!(error.ends_with("more than 1000 targets"), "{error}");
}

#[test]
fn mistakes_in_alertmanagers() {
    let check = |fields: &str, expect: &str| {
        let told = read(&entry(fields)).expect_err(fields);
        let (place, text) = told.split_once(": ").expect("a place");
        assert!(place.starts_with("p.yml:3:"), "{told}");
        assert_eq!(text, expect, "{fields}");
    };
    check("api_version: v1", "expected Alertmanager api version to be one of [v2] but got v1");
    check("scheme: ftp", "the scheme must be http or https, not \"ftp\"");
    check("timeout: 0s", "the timeout must be above 0");
    check("basic_auth: {}, sigv4: {}", "at most one of basic_auth, authorization & sigv4 must be configured");
    check(
        "basic_auth: {password: a, password_file: b}",
        "at most one of basic_auth password & password_file must be configured",
    );
    check(
        "authorization: {type: basic, credentials: x}",
        "authorization type cannot be set to \"basic\", use \"basic_auth\" instead",
    );
    check("authorization: {}", "authorization must have credentials or credentials_file");
    check(
        "sigv4: {access_key: a}",
        "must provide a AWS SigV4 Access key and Secret Key if credentials are specified in the SigV4 config",
    );
    check(
        "tls_config: {cert_file: c}",
        "exactly one of key or key_file must be configured when a client certificate is configured",
    );
    check("tls_config: {min_version: TLS1}", "unknown TLS version: \"TLS1\"; there are TLS12 and TLS13");
    check("tls_config: {ca: a, ca_file: b}", "at most one of ca and ca_file must be configured");
    check(
        "dns_sd_configs: []",
        "field \"dns_sd_configs\" in an alertmanager is not supported: Alertmanagers are found by static_configs alone",
    );
    check(
        "relabel_configs: [{target_label: __address__, replacement: 'http://x'}]",
        "\"http://x\" is not a valid hostname",
    );
    check(
        "relabel_configs: [{target_label: __scheme__, replacement: ''}]",
        "the scheme must be http or https, not \"\"",
    );
}
