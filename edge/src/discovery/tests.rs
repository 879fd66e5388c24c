//! Stand-ins for AWS' services, which answer in the shapes that AWS publishes.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{MX, NS, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record};
use testkit::http::{Request, Response, Server};

use super::*;

/// What of an EC2 is asked for: the parameters of each request.
type Asked = Arc<Mutex<Vec<Vec<(String, String)>>>>;

fn ec2(answer: impl Fn(&str, &[(String, String)]) -> Response + Send + Sync + 'static) -> (Server, Asked) {
    let asked = Asked::default();
    let seen = Arc::clone(&asked);
    let server = Server::start(move |request: &Request| {
        let form: Vec<_> = form_urlencoded::parse(&request.body).into_owned().collect();
        let authorization = request.headers.get("authorization").unwrap_or_default();
        let is_signed = authorization.contains("Credential=AKID/")
            && authorization.contains("/eu-west-1/ec2/aws4_request")
            && authorization.contains("SignedHeaders=content-type;host;x-amz-date");
        if !is_signed || request.method != "POST" || request.target != "/" {
            return Response::new(401);
        }
        let action = form.iter().find(|(name, _)| name == "Action").map_or("", |(_, value)| value);
        let response = answer(action, &form);
        seen.lock().unwrap().push(form.clone());
        response
    });
    (server.expect("starts"), asked)
}

/// The only way of a job that has one such entry.
fn way(kind: &str, endpoint: &str, more: &str) -> Discovery {
    let account = "region: eu-west-1, access_key: AKID, secret_key: a key";
    let entry = format!("{{{account}, endpoint: '{endpoint}'{more}}}");
    let text = format!("scrape_configs: [{{job_name: a, {kind}: [{entry}]}}]");
    let jobs = ScrapeJob::read(Path::new("/c/c.yml"), &text).expect("is right");
    // the first one is what stands in the configuration itself
    jobs[0].ways().pop().expect("a way")
}

fn shown(targets: Option<Vec<Labels>>) -> Vec<String> {
    targets.expect("found").iter().map(ToString::to_string).collect()
}

const ZONES: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
    <DescribeAvailabilityZonesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\n\
    <requestId>1</requestId><availabilityZoneInfo><item><zoneName>eu-west-1a</zoneName><zoneId>euw1-az3</zoneId>\
    <messageSet/></item></availabilityZoneInfo></DescribeAvailabilityZonesResponse>";

fn page(instances: &str, token: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\n    <reservationSet>\n\
         <item><reservationId>r-1</reservationId><ownerId>123456789012</ownerId><groupSet/>\n\
         <instancesSet>{instances}</instancesSet></item></reservationSet>{token}</DescribeInstancesResponse>"
    )
}

const WEB: &str = "<item><instanceId>i-1</instanceId><imageId>ami-1</imageId><instanceState><code>16</code>\
    <name>running</name></instanceState><privateDnsName>ip-10-0-0-1.internal</privateDnsName>\
    <dnsName>ec2-1.example</dnsName><reason/><instanceType>m5.large</instanceType><placement>\
    <availabilityZone>eu-west-1a</availabilityZone><tenancy>default</tenancy></placement><platform>windows</platform>\
    <subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId><privateIpAddress>10.0.0.1</privateIpAddress>\
    <ipAddress>54.0.0.1</ipAddress><architecture>x86_64</architecture><instanceLifecycle>spot</instanceLifecycle>\
    <tagSet><item><key>Name</key><value>a &amp; &lt;b&gt;</value></item><item><key>aws:team/x</key><value>t</value></item>\
    <item><key>empty</key><value/></item></tagSet><networkInterfaceSet>\
    <item><subnetId>subnet-1</subnetId><attachment><deviceIndex>0</deviceIndex></attachment><ipv6AddressesSet>\
    <item><ipv6Address>2001:db8::1</ipv6Address><isPrimaryIpv6>false</isPrimaryIpv6></item></ipv6AddressesSet></item>\
    <item><subnetId>subnet-2</subnetId><attachment><deviceIndex>2</deviceIndex></attachment><ipv6AddressesSet>\
    <item><ipv6Address>2001:db8::2</ipv6Address><isPrimaryIpv6>true</isPrimaryIpv6></item></ipv6AddressesSet></item>\
    <item><subnetId>subnet-1</subnetId></item><item><networkInterfaceId>eni-9</networkInterfaceId></item>\
    </networkInterfaceSet></item>";
const WEB_TARGET: &str = r#"{__address__="10.0.0.1:9100", __meta_ec2_ami="ami-1", __meta_ec2_architecture="x86_64", __meta_ec2_availability_zone="eu-west-1a", __meta_ec2_availability_zone_id="euw1-az3", __meta_ec2_instance_id="i-1", __meta_ec2_instance_lifecycle="spot", __meta_ec2_instance_state="running", __meta_ec2_instance_type="m5.large", __meta_ec2_ipv6_addresses=",2001:db8::1,2001:db8::2,", __meta_ec2_owner_id="123456789012", __meta_ec2_platform="windows", __meta_ec2_primary_ipv6_addresses=",,,2001:db8::2,", __meta_ec2_primary_subnet_id="subnet-1", __meta_ec2_private_dns_name="ip-10-0-0-1.internal", __meta_ec2_private_ip="10.0.0.1", __meta_ec2_public_dns_name="ec2-1.example", __meta_ec2_public_ip="54.0.0.1", __meta_ec2_region="eu-west-1", __meta_ec2_subnet_id=",subnet-1,subnet-2,", __meta_ec2_tag_Name="a & <b>", __meta_ec2_tag_aws_team_x="t", __meta_ec2_vpc_id="vpc-1"}"#;
/// Neither in a VPC nor with a public address; and one that is gone.
const OLD: &str = "<item><instanceId>i-2</instanceId><privateIpAddress>10.0.0.2</privateIpAddress>\
    <dnsName>not-shown</dnsName></item><item><instanceId>i-3</instanceId></item>";
const OLD_TARGET: &str = r#"{__address__="10.0.0.2:9100", __meta_ec2_instance_id="i-2", __meta_ec2_owner_id="123456789012", __meta_ec2_private_ip="10.0.0.2", __meta_ec2_region="eu-west-1"}"#;

#[tokio::test]
async fn instances_are_targets_page_by_page() {
    let (server, asked) = ec2(|action, form| match action {
        "DescribeAvailabilityZones" => Response::new(200).body(ZONES),
        _ if form.contains(&("NextToken".to_owned(), "t/2=".to_owned())) => {
            Response::new(200).body(page(OLD, "<nextToken/>"))
        }
        _ => Response::new(200).body(page(WEB, "<nextToken>t/2=</nextToken>")),
    });
    let filters = ", port: 9100, filters: [{name: 'tag:a b', values: [x, 'y&']}, {name: n, values: [v]}]";
    let mut way = way("ec2_sd_configs", &server.url(), filters);
    assert_eq!(way.refresh(), Some(Duration::from_secs(60)));
    assert_eq!(shown(way.look().await), [WEB_TARGET, OLD_TARGET]);
    assert_eq!(shown(way.look().await).len(), 2);
    let asked = asked.lock().unwrap();
    let actions: Vec<_> = asked.iter().map(|form| form[0].1.as_str()).collect();
    let instances = "DescribeInstances";
    let expect = ["DescribeAvailabilityZones", instances, instances, instances, instances];
    assert_eq!(actions, expect, "zones are asked for once");
    let pairs: Vec<_> = asked[1].iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(
        pairs.join("; "),
        "Action=DescribeInstances; Version=2016-11-15; Filter.1.Name=tag:a b; Filter.1.Value.1=x; \
         Filter.1.Value.2=y&; Filter.2.Name=n; Filter.2.Value.1=v; MaxResults=1000"
    );
}

#[tokio::test]
async fn zones_need_not_be_known() {
    let denied = "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>not you</Message></Error></Errors>\
        <RequestID>1</RequestID></Response>";
    let times = AtomicUsize::new(0);
    let (server, _) = ec2(move |action, _| match action {
        "DescribeAvailabilityZones" if times.fetch_add(1, Ordering::SeqCst) == 0 => {
            Response::new(403).body(denied)
        }
        "DescribeAvailabilityZones" => Response::new(200).body(ZONES),
        _ => Response::new(200).body(page(WEB, "")),
    });
    let mut way = way("ec2_sd_configs", &server.url(), ", port: 9100");
    let without = WEB_TARGET.replace(" __meta_ec2_availability_zone_id=\"euw1-az3\",", "");
    assert_eq!(shown(way.look().await), [without]);
    assert_eq!(shown(way.look().await), [WEB_TARGET], "they are asked for until they are told");
}

#[tokio::test]
async fn nothing_is_said_of_targets_where_not_all_are_told() {
    let answers = [
        Response::new(503),
        Response::new(200).body("<DescribeInstancesResponse><reservationSet>"),
        Response::new(200).body("no XML"),
        Response::new(200).body(page("<item><imageId>without an ID</imageId></item>", "")),
        Response::new(200).body(page(WEB, "<nextToken>always another</nextToken>")),
    ];
    for answer in answers {
        let told = format!("{:?}", answer.body);
        let (server, _) = ec2(move |_, _| answer.clone());
        let mut way = way("ec2_sd_configs", &server.url(), "");
        assert_eq!(way.look().await, None, "{told}");
    }
    let mut nobody = way("ec2_sd_configs", "http://127.0.0.1:1", "");
    assert_eq!(nobody.look().await, None);
}

/// Both services in one, by operation; what is refused answers 400.
fn ecs(answer: impl Fn(&str, &serde_json::Value) -> Option<String> + Send + Sync + 'static) -> Server {
    let server = Server::start(move |request: &Request| {
        let target = request.headers.get("x-amz-target").unwrap_or_default();
        let action = match target.strip_prefix("AmazonEC2ContainerServiceV20141113.") {
            Some(operation) => operation.to_owned(),
            None => form_urlencoded::parse(&request.body).next().expect("an action").1.into_owned(),
        };
        let asked = serde_json::from_slice(&request.body).unwrap_or_default();
        match answer(&action, &asked) {
            Some(body) => Response::new(200).body(body),
            None => Response::new(400).body(r#"{"__type":"AccessDeniedException","message":"not you"}"#),
        }
    });
    server.expect("starts")
}

fn tasks_at(server: &Server) -> ecs::Ecs {
    let account = config::SigV4 {
        region: Some("eu-west-1".to_owned()),
        keys: Some(("AKID".to_owned(), config::Secret::Inline("a key".to_owned()))),
        ..config::SigV4::default()
    };
    let client = HttpClient::new().expect("there are certificates");
    let service =
        |name| crate::aws::AwsService::new(name, account.clone(), Some(server.url()), client.clone());
    ecs::Ecs::new(service("ecs"), ec2::Ec2::new(service("ec2")), 2)
}

/// A cluster with one service, and what its tasks are.
fn cluster(action: &str, tasks: &str) -> Option<String> {
    Some(match action {
        "ListClusters" => r#"{"clusterArns":["arn:c"]}"#.to_owned(),
        "DescribeClusters" => r#"{"clusters":[{"clusterArn":"arn:c","clusterName":"c"}]}"#.to_owned(),
        "ListServices" => r#"{"serviceArns":["arn:s"]}"#.to_owned(),
        "DescribeServices" => {
            r#"{"services":[{"serviceArn":"arn:s","serviceName":"s","clusterArn":"arn:c","status":"ACTIVE"}]}"#.to_owned()
        }
        "ListTasks" => r#"{"taskArns":["arn:t"]}"#.to_owned(),
        "DescribeTasks" => format!(r#"{{"tasks":[{tasks}],"failures":[]}}"#),
        _ => return None,
    })
}

const ON_ITS_OWN: &str = r#"{"taskArn":"arn:t","group":"service:s","taskDefinitionArn":"arn:d","lastStatus":"RUNNING",
    "containerInstanceArn":"arn:i","attachments":[{"type":"ElasticNetworkInterface","details":[
    {"name":"networkInterfaceId","value":"eni-1"},{"name":"privateIPv4Address","value":"10.0.0.1"}]}]}"#;
const ON_A_HOST: &str =
    r#"{"taskArn":"arn:t","group":"service:s","containerInstanceArn":"arn:i","attachments":[]}"#;

#[tokio::test]
async fn rights_that_are_not_needed_need_not_be_given() {
    let server = ecs(|action, _| cluster(action, ON_ITS_OWN));
    let targets = tasks_at(&server).targets(&[], 80).await.expect("are found");
    assert_eq!(
        shown(Some(targets)),
        [concat!(
            r#"{__address__="10.0.0.1:80", __meta_ecs_cluster="c", __meta_ecs_cluster_arn="arn:c", "#,
            r#"__meta_ecs_container_instance_arn="arn:i", __meta_ecs_ip_address="10.0.0.1", __meta_ecs_last_status="RUNNING", "#,
            r#"__meta_ecs_network_mode="awsvpc", __meta_ecs_region="eu-west-1", __meta_ecs_service="s", "#,
            r#"__meta_ecs_service_arn="arn:s", __meta_ecs_service_status="ACTIVE", __meta_ecs_task_arn="arn:t", "#,
            r#"__meta_ecs_task_definition="arn:d", __meta_ecs_task_group="service:s"}"#
        )]
    );
    // a task whose address is that of its host is not found without it
    let server = ecs(|action, _| cluster(action, ON_A_HOST));
    let told = tasks_at(&server).targets(&[], 80).await.expect_err("is not known").to_string();
    assert_eq!(told, "DescribeContainerInstances: answered 400 Bad Request: AccessDeniedException: not you");
}

#[tokio::test]
async fn tasks_on_hosts_have_what_ec2_knows_of_them() {
    let server = ecs(|action, asked| match action {
        "DescribeContainerInstances" => {
            assert_eq!(*asked, serde_json::json!({"cluster": "arn:c", "containerInstances": ["arn:i"]}));
            Some(
                r#"{"containerInstances":[{"containerInstanceArn":"arn:i","ec2InstanceId":"i-1"}]}"#
                    .to_owned(),
            )
        }
        "DescribeInstances" => Some(page(WEB, "")),
        action => cluster(action, ON_A_HOST),
    });
    let targets = tasks_at(&server).targets(&["arn:c".to_owned()], 9_100).await.expect("are found");
    let [target] = targets.as_slice() else { panic!("{targets:?}") };
    for (name, value) in [
        ("__address__", "10.0.0.1:9100"),
        ("__meta_ecs_ec2_instance_id", "i-1"),
        ("__meta_ecs_ec2_instance_type", "m5.large"),
        ("__meta_ecs_network_mode", "bridge"),
        ("__meta_ecs_public_ip", "54.0.0.1"),
        ("__meta_ecs_subnet_id", "subnet-1"),
        ("__meta_ecs_tag_ec2_Name", "a & <b>"),
    ] {
        assert_eq!(target.get(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn lists_without_an_end_and_answers_that_are_none_are_told() {
    let endless = |action: &str, _: &serde_json::Value| match action {
        "ListClusters" => Some(r#"{"clusterArns":[],"nextToken":"always another"}"#.to_owned()),
        _ => None,
    };
    let check = async |server: Server, expect: &str| {
        let found = Box::pin(tasks_at(&server).targets(&[], 80)).await;
        let told = found.expect_err("is refused").to_string();
        assert!(told.contains(expect), "{told}");
    };
    check(ecs(endless), "ListClusters: more than 1000 pages").await;
    check(ecs(|_, _| Some("no JSON".to_owned())), "ListClusters: the answer cannot be read").await;
    check(ecs(|_, _| Some("{}".to_owned())), "ListClusters: the answer cannot be read").await;
}

/// A server of the DNS that knows records of one name, and answers for any other that there is none.
async fn dns_server(records: Vec<RData>) -> ResolverConfig {
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("binds");
    let port = socket.local_addr().expect("is bound").port();
    tokio::spawn(async move {
        let mut buffer = [0; 1_500];
        while let Ok((bytes, from)) = socket.recv_from(&mut buffer).await {
            let asked = Message::from_vec(&buffer[..bytes]).expect("a question");
            let query = asked.queries[0].clone();
            let mut answer = Message::response(asked.metadata.id, OpCode::Query);
            answer.metadata.response_code = match query.name().to_ascii().as_str() {
                "_web._tcp.example." => {
                    let of_type = records.iter().filter(|data| data.record_type() == query.query_type());
                    let name = query.name().clone();
                    answer
                        .add_answers(of_type.map(|data| Record::from_rdata(name.clone(), 60, data.clone())));
                    ResponseCode::NoError
                }
                "broken.example." => ResponseCode::ServFail,
                _ => ResponseCode::NXDomain,
            };
            answer.add_query(query);
            socket.send_to(&answer.to_vec().expect("an answer"), from).await.expect("is sent");
        }
    });
    let mut connection = ConnectionConfig::udp();
    connection.port = port;
    let server = NameServerConfig::new([127, 0, 0, 1].into(), true, vec![connection]);
    ResolverConfig::from_name_servers(vec![server])
}

#[tokio::test]
async fn records_of_the_dns_are_targets() {
    let name = |text: &str| Name::from_ascii(text).expect("a name");
    let records = vec![
        RData::SRV(SRV::new(1, 2, 9_100, name("a.example."))),
        RData::SRV(SRV::new(1, 2, 9_200, name("b.example."))),
        RData::MX(MX::new(10, name("mail.example."))),
        RData::NS(NS(name("ns.example."))),
    ];
    let servers = dns_server(records).await;
    let look = async |record, names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let config = config::DnsDiscovery { names, refresh_ms: 30_000, record, port: 25 };
        shown(Some(Box::pin(dns::Names::new(config).asking(servers.clone()).look()).await))
    };
    let web = "_web._tcp.example.";
    assert_eq!(
        look(config::DnsRecord::Srv, &[web, "gone.example.", "broken.example."]).await,
        [
            r#"{__address__="a.example:9100", __meta_dns_name="_web._tcp.example.", __meta_dns_srv_record_port="9100", __meta_dns_srv_record_target="a.example."}"#,
            r#"{__address__="b.example:9200", __meta_dns_name="_web._tcp.example.", __meta_dns_srv_record_port="9200", __meta_dns_srv_record_target="b.example."}"#,
        ]
    );
    assert_eq!(
        look(config::DnsRecord::Mx, &[web]).await,
        [
            r#"{__address__="mail.example:25", __meta_dns_mx_record_target="mail.example.", __meta_dns_name="_web._tcp.example."}"#
        ]
    );
    assert_eq!(
        look(config::DnsRecord::Ns, &[web]).await,
        [
            r#"{__address__="ns.example:25", __meta_dns_name="_web._tcp.example.", __meta_dns_ns_record_target="ns.example."}"#
        ]
    );
    assert_eq!(look(config::DnsRecord::Srv, &["gone.example."]).await, [""; 0]);
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a secret is a variable of the environment")]
async fn who_asks_for_targets_has_secrets_and_headers_and_follows() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let asked = Arc::clone(&seen);
    let server = Server::start(move |request: &Request| {
        let header = |name| request.headers.get(name).unwrap_or_default().to_owned();
        asked.lock().unwrap().push((request.target.clone(), header("authorization"), header("x-zone")));
        // a proxy is asked for whole URLs
        if !request.target.ends_with("/targets") {
            return Response::new(302).header("Location", "/targets");
        }
        let list = r#"[{"targets": ["a:1"]}]"#;
        Response::new(200).header("Content-Type", "application/json").body(list)
    });
    let server = server.expect("starts");
    let look = async |more: &str| {
        let url = server.url();
        let text =
            format!("scrape_configs: [{{job_name: a, http_sd_configs: [{{url: '{url}/moved'{more}}}]}}]");
        let jobs = ScrapeJob::read(Path::new("/c/c.yml"), &text).expect("is right");
        let mut way = jobs[0].ways().pop().expect("a way");
        Box::pin(way.look()).await
    };
    // a variable of every environment
    let secret = std::env::var("PATH").expect("is set").trim().to_owned();
    let found = look(", bearer_token_file: 'env:PATH', http_headers: {x-zone: {values: [z]}}").await;
    assert_eq!(found.map(|found| found.len()), Some(1));
    let bearer = format!("Bearer {secret}");
    let expect = ["/moved", "/targets"].map(|at| (at.to_owned(), bearer.clone(), "z".to_owned()));
    assert_eq!(*seen.lock().unwrap(), expect);
    assert_eq!(look(", follow_redirects: false").await, None);
    assert_eq!(look(", bearer_token_file: 'env:MAYFLY_HAS_NO_SUCH_VARIABLE'").await, None);
    assert_eq!(look(", proxy_url: 'http://127.0.0.1:1'").await, None);
    assert_eq!(look(", http_headers: {x-zone: {files: [gone]}}").await, None);
    let through = format!(", proxy_url: '{}'", server.url());
    assert_eq!(look(&through).await.map(|found| found.len()), Some(1));
    let last = seen.lock().unwrap().last().expect("was asked").0.clone();
    assert!(last.starts_with("http://127.0.0.1:") && last.ends_with("/targets"), "{last}");
}
