use super::*;
use crate::auth::SigV4;
use crate::secret::Secret;

fn read(text: &str) -> Result<ScrapeConfigs, String> {
    ScrapeConfigs::read("c.yml", text).map_err(|error| error.to_string())
}

#[test]
fn defaults_are_those_of_prometheus() {
    let text = "global: {scrape_interval: 30s, sample_limit: 7}\nrule_files: [a]\nscrape_configs:\n\
        - job_name: a\n  static_configs: [{targets: ['x:1', 'y:2'], labels: {zone: z}}]\n\
        - {job_name: b, scrape_interval: 4s, sample_limit: 9, body_size_limit: 1.5KB}\n\
        - {job_name: c, scrape_interval: 0s, scrape_timeout: 20s}\n";
    let jobs = read(text).unwrap().jobs;
    let times: Vec<_> = jobs.iter().map(|job| (job.interval_ms, job.timeout_ms)).collect();
    assert_eq!(times, [(30_000, 10_000), (4_000, 4_000), (30_000, 20_000)]);
    let [a, b, _] = jobs.as_slice() else { panic!("{jobs:?}") };
    assert_eq!((a.limits.samples_max, b.limits.samples_max, b.limits.body_bytes_max), (7, 9, 1_536));
    assert_eq!(
        (a.path.as_str(), a.scheme.as_str(), a.honor_timestamps, a.honor_labels),
        ("/metrics", "http", true, false)
    );
    assert_eq!(a.protocols, ScrapeProtocol::DEFAULT);
    let sets: Vec<_> =
        a.groups.iter().flat_map(TargetGroup::label_sets).map(|labels| labels.to_string()).collect();
    assert_eq!(sets, [r#"{__address__="x:1", zone="z"}"#, r#"{__address__="y:2", zone="z"}"#]);
}

/// Texts that promtool 3.5.3 gives for the same.
#[test]
fn mistakes_have_the_words_of_prometheus() {
    let check = |job: &str, expect: &str| {
        let error = read(&format!("scrape_configs:\n- {job}\n")).expect_err(job);
        assert!(
            (error.starts_with("c.yml:2:") || error.starts_with("c.yml:3:")) && error.contains(expect),
            "{job}: {error}"
        );
    };
    check("{}", "job_name is empty");
    check("null", "empty or null scrape config section");
    check("{job_name: a}\n- {job_name: a}", "found multiple scrape configs with job name \"a\"");
    let of_a = "for scrape config with job name \"a\"";
    check("{job_name: a, scrape_protocols: []}", &format!("scrape_protocols cannot be empty {of_a}"));
    let known =
        "[OpenMetricsText0.0.1 OpenMetricsText1.0.0 PrometheusProto PrometheusText0.0.4 PrometheusText1.0.0]";
    let unknown = format!("scrape_protocols: unknown scrape protocol x, supported: {known} {of_a}");
    check("{job_name: a, scrape_protocols: [x]}", &unknown);
    let twice =
        format!("duplicated protocol in scrape_protocols, got [PrometheusProto PrometheusProto] {of_a}");
    check("{job_name: a, scrape_protocols: [PrometheusProto, PrometheusProto]}", &twice);
    let fallback =
        format!("invalid fallback_scrape_protocol {of_a}: unknown scrape protocol X, supported: {known}");
    check("{job_name: a, fallback_scrape_protocol: X}", &fallback);
    check(
        "{job_name: a, static_configs: [{targets: ['http://x/y']}]}",
        "\"http://x/y\" is not a valid hostname",
    );
    check("{job_name: a, static_configs: [null]}", "empty or null section in static_configs");
    check("{job_name: a, relabel_configs: [null]}", "empty or null target relabeling rule in scrape config");
    check(
        "{job_name: a, file_sd_configs: [{files: [a.txt]}]}",
        "path name \"a.txt\" is not valid for file discovery",
    );
    check("{job_name: a, file_sd_configs: [{files: ['*/a.yml']}]}", "is not valid for file discovery");
    check(
        "{job_name: a, file_sd_configs: [{files: []}]}",
        "file service discovery config must contain at least one path name",
    );
    check("{job_name: a, http_sd_configs: [{}]}", "URL is missing");
    check("{job_name: a, http_sd_configs: [{url: 'ftp://x'}]}", "URL scheme must be 'http' or 'https'");
    check("{job_name: a, http_sd_configs: [{url: 'http:///x'}]}", "host is missing in URL");
    check("{job_name: a, dns_sd_configs: [{}]}", "DNS-SD config must contain at least one SRV record name");
    check("{job_name: a, dns_sd_configs: [{names: [a], type: X}]}", "invalid DNS-SD records type X");
    check("{job_name: a, dns_sd_configs: [{names: [a], type: A}]}", "a port is required in DNS-SD configs");
    check(
        "{job_name: a, scrape_interval: 5s, scrape_timeout: 10s}",
        &format!("scrape timeout greater than scrape interval {of_a}"),
    );
    check("{job_name: a, body_size_limit: 1XB}", "units: unknown unit XB in 1XB");
    check("{job_name: a, sample_limit: -1}", "invalid digit");
    check("{job_name: a, params: {a: b}}", "must be a list");
    check(
        "{job_name: a, consul_sd_configs: []}",
        "field \"consul_sd_configs\" in a scrape config is not supported: targets are found by",
    );
    check("{job_name: a, scrape_classic_histograms: true}", "unknown field \"scrape_classic_histograms\"");
    check("{job_name: a, bearer_token: a, basic_auth: {username: b}}", "at most one of");
    let global = read("global: {scrape_interval: 5s, scrape_timeout: 10s}").unwrap_err();
    assert!(global.contains("1:31: global scrape timeout greater than scrape interval"), "{global}");
    assert!(read("remote_write: []").unwrap_err().contains("what is scraped is stored"));
}

#[test]
fn aws_is_asked_for_instances() {
    let text = "scrape_configs:\n- job_name: a\n  ec2_sd_configs:\n  - {}\n  - region: eu-west-1\n    endpoint: http://e\n\
        \x20   access_key: k\n    secret_key: s\n    profile: p\n    role_arn: r\n    refresh_interval: 5m\n    port: 9100\n\
        \x20   filters: [{name: 'tag:x', values: [a, b]}]\n    tls_config: {insecure_skip_verify: true}\n";
    let jobs = read(text).unwrap().jobs;
    let [first, second] = jobs[0].aws.as_slice() else { panic!("{jobs:?}") };
    assert_eq!((first.refresh_ms, first.port, &first.account), (60_000, 80, &SigV4::default()));
    assert_eq!(first.role, AwsRole::Ec2 { filters: Vec::new() });
    let account = SigV4 {
        region: Some("eu-west-1".into()),
        keys: Some(("k".into(), Secret::Inline("s".into()))),
        profile: Some("p".into()),
        role_arn: Some("r".into()),
        external_id: None,
    };
    let filter = Ec2Filter { name: "tag:x".into(), values: vec!["a".into(), "b".into()] };
    assert_eq!((second.refresh_ms, second.port, &second.account), (300_000, 9_100, &account));
    assert_eq!(second.role, AwsRole::Ec2 { filters: vec![filter] });
    assert!(second.endpoint.as_deref() == Some("http://e") && second.tls.insecure_skip_verify);
    let check = |entry: &str, expect: &str| {
        let error =
            read(&format!("scrape_configs: [{{job_name: a, ec2_sd_configs: [{entry}]}}]")).unwrap_err();
        assert!(error.starts_with("c.yml:1:") && error.contains(expect), "{entry}: {error}");
    };
    check("null", "empty or null section in ec2_sd_configs");
    check("{filters: [{name: a}]}", "EC2 SD configuration filter values cannot be empty");
    check("{access_key: a}", "access_key and secret_key must be configured together");
    check("{basic_auth: {username: a}}", "is not supported: requests to AWS are signed");
    check("{proxy_url: 'http://x'}", "is not supported: requests go straight to AWS");
    check("{clusters: [a]}", "unknown field \"clusters\"");
    check("{port: 70000}", "number too large");
}

#[test]
fn aws_is_asked_for_tasks() {
    let text = "scrape_configs:\n- job_name: a\n  ecs_sd_configs: [{}, {clusters: [x], request_concurrency: 5}]\n\
        \x20 aws_sd_configs:\n  - {role: ecs, clusters: [y], port: 1}\n  - {role: ec2, filters: [{name: n, values: [v]}]}\n";
    let jobs = read(text).unwrap().jobs;
    let ecs = |clusters: &[&str], requests_at_once| {
        let clusters = clusters.iter().map(|name| (*name).to_owned()).collect();
        AwsRole::Ecs { clusters, requests_at_once }
    };
    let filters = vec![Ec2Filter { name: "n".into(), values: vec!["v".into()] }];
    let roles: Vec<_> = jobs[0].aws.iter().map(|aws| aws.role.clone()).collect();
    let ec2 = AwsRole::Ec2 { filters };
    assert_eq!(roles, [ecs(&[], 20), ecs(&["x"], 5), ecs(&["y"], 20), ec2]);
    let check = |entry: &str, expect: &str| {
        let error =
            read(&format!("scrape_configs: [{{job_name: a, aws_sd_configs: [{entry}]}}]")).unwrap_err();
        assert!(error.starts_with("c.yml:1:") && error.contains(expect), "{entry}: {error}");
    };
    check("{}", "unknown AWS SD role \"\"");
    check("{role: x}", "unknown AWS SD role \"x\"");
    check("{role: msk}", "AWS SD role \"msk\" is not supported; there are ec2 and ecs");
    check("{role: ec2, clusters: [a]}", "clusters are of the role ecs");
    check("{role: ecs, filters: []}", "filters are of the role ec2");
}

#[test]
fn files_of_targets_are_yaml_or_json() {
    let groups = target_groups("[{\"targets\": [\"a:1\"], \"labels\": {\"x\": \"y\"}}]").unwrap();
    assert_eq!(
        groups,
        target_groups("- targets: ['a:1']\n  labels: {x: y}\n")
            .unwrap()
            .iter()
            .map(|group| TargetGroup {
                targets: vec![(groups[0].targets[0].0, "a:1".to_owned())],
                labels: group.labels.clone()
            })
            .collect::<Vec<_>>()
    );
    assert_eq!(target_groups("").unwrap(), []);
    assert!(target_groups("- targets: x").unwrap_err().contains("targets must be a list"));
    assert!(target_groups("a: [").is_err());
}
