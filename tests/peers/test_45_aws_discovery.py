"""45: targets that AWS knows: Mayfly and a real Prometheus ask the same EC2 with the same configuration, and find the same targets with
the same labels; Mayfly alone asks ECS, which Prometheus 3.5 does not."""

import http.server
import json
import threading
import urllib.parse

import botocore.session
import botocore.validate
import pytest

from harness.both import Both
from harness.http import data
from harness.mayfly import Mayfly
from harness.peers import MiniStack
from harness.process import until

NAMESPACE = 'xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"'
ZONES = f"""<?xml version="1.0" encoding="UTF-8"?>
<DescribeAvailabilityZonesResponse {NAMESPACE}><availabilityZoneInfo>
<item><zoneName>eu-west-1a</zoneName><zoneId>euw1-az3</zoneId></item>
</availabilityZoneInfo></DescribeAvailabilityZonesResponse>"""
# what MiniStack's instances do not have: IPv6, spot, windows, no VPC, no address, names of tags that no label has
FULL = """<item><instanceId>i-1</instanceId><imageId>ami-1</imageId><instanceState><code>16</code><name>running</name></instanceState>
<privateDnsName>one.internal</privateDnsName><dnsName>one.example</dnsName><instanceType>m5.large</instanceType>
<placement><availabilityZone>eu-west-1a</availabilityZone></placement><platform>windows</platform><subnetId>subnet-1</subnetId>
<vpcId>vpc-1</vpcId><privateIpAddress>127.0.0.9</privateIpAddress><ipAddress>127.0.0.2</ipAddress><architecture>arm64</architecture>
<instanceLifecycle>spot</instanceLifecycle><tagSet><item><key>aws:team/é</key><value> a &amp; "b" </value></item>
<item><key>empty</key><value/></item></tagSet><networkInterfaceSet>
<item><subnetId>subnet-1</subnetId><attachment><deviceIndex>0</deviceIndex></attachment><ipv6AddressesSet>
<item><ipv6Address>2001:db8::1</ipv6Address><isPrimaryIpv6>false</isPrimaryIpv6></item></ipv6AddressesSet></item>
<item><subnetId>subnet-2</subnetId><attachment><deviceIndex>2</deviceIndex></attachment><ipv6AddressesSet>
<item><ipv6Address>2001:db8::2</ipv6Address><isPrimaryIpv6>true</isPrimaryIpv6></item></ipv6AddressesSet></item>
<item><subnetId>subnet-1</subnetId></item></networkInterfaceSet></item>"""
PLAIN = """<item><instanceId>i-2</instanceId><imageId>ami-2</imageId><instanceState><code>16</code><name>running</name></instanceState>
<privateDnsName/><dnsName/><instanceType>t2.micro</instanceType><placement><availabilityZone>eu-west-1z</availabilityZone></placement>
<privateIpAddress>127.0.0.1</privateIpAddress></item>
<item><instanceId>i-3</instanceId><instanceState><code>48</code><name>terminated</name></instanceState></item>"""


def page(instances: str, token: str) -> str:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<DescribeInstancesResponse {NAMESPACE}><reservationSet><item><reservationId>r-1</reservationId><ownerId>123456789012</ownerId>
<instancesSet>{instances}</instancesSet></item></reservationSet>{token}</DescribeInstancesResponse>"""


class Aws:
    """A service that answers requests with what `answer(headers, body)` makes of them."""

    HEADERS: dict[str, str] = {}

    def __init__(self):
        stand_in = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = stand_in.answer(self.headers, self.rfile.read(int(self.headers["Content-Length"]))).encode()
                self.send_response(200)
                for name, value in (stand_in.HEADERS | {"Content-Length": str(len(body))}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Ec2(Aws):
    """Answers as EC2's documentation shows it, in two pages."""

    HEADERS = {"Content-Type": "text/xml;charset=UTF-8"}

    def answer(self, _, body: bytes) -> str:
        form = urllib.parse.parse_qs(body.decode())
        if form["Action"] == ["DescribeAvailabilityZones"]:
            return ZONES
        if form.get("NextToken") == ["second/="]:
            return page(PLAIN, "")
        return page(FULL, "<nextToken>second/=</nextToken>")


@pytest.fixture
def shapes():
    shapes = Ec2()
    yield shapes
    shapes.stop()


def found(url: str) -> list:
    """What targets were before relabelling, active and dropped."""
    targets = data(url, "targets")
    targets = targets["activeTargets"] + targets["droppedTargets"]
    return sorted(sorted(target["discoveredLabels"].items()) for target in targets)


def test_the_same_instances_are_the_same_targets(tmp_path, shapes):
    ministack = MiniStack(tmp_path, actions=("s3:*", "ec2:Describe*"))
    ec2 = ministack.client("ec2", "test", "test")
    web = ec2.run_instances(ImageId="ami-web", InstanceType="t3.small", MinCount=2, MaxCount=2)["Instances"]
    ids = [instance["InstanceId"] for instance in web]
    ec2.create_tags(Resources=ids, Tags=[{"Key": "Name", "Value": "web"}, {"Key": "aws/is:odd", "Value": "é <&>"}])
    ec2.run_instances(ImageId="ami-db", MinCount=1, MaxCount=1)
    account = {
        "region": ministack.env["AWS_REGION"],
        "access_key": ministack.env["AWS_ACCESS_KEY_ID"],
        "secret_key": ministack.env["AWS_SECRET_ACCESS_KEY"],
        "refresh_interval": "1s",
    }
    real = account | {"endpoint": ministack.endpoint, "port": 9100}
    filtered = real | {"filters": [{"name": "tag:Name", "values": ["web", "other"]}, {"name": "instance-state-name", "values": ["running"]}]}
    drop_all = [{"action": "drop", "regex": ".*"}]
    jobs = [
        {"job_name": "all", "ec2_sd_configs": [real], "relabel_configs": drop_all},
        {"job_name": "web", "ec2_sd_configs": [filtered], "relabel_configs": drop_all},
        {"job_name": "shapes", "ec2_sd_configs": [account | {"region": "eu-west-1", "endpoint": shapes.url}]},
        {"job_name": "refused", "ec2_sd_configs": [real | {"secret_key": "another"}]},
    ]
    both = Both(tmp_path, {"scrape_configs": jobs})
    try:
        prometheus, mayfly = both.urls
        for url in both.urls:
            until("all instances are found", lambda url=url: len(found(url)) == 3 + 2 + 2, 20)
        assert found(mayfly) == found(prometheus)
        ec2.terminate_instances(InstanceIds=ids[:1])
        for url in both.urls:
            # MiniStack keeps the address of what is terminated, so it is found by those who do not ask for its state
            until("one is gone", lambda url=url: len(found(url)) == 3 + 1 + 2, 20)
        assert found(mayfly) == found(prometheus)
    finally:
        both.stop()
        ministack.process.stop()


REGION = "eu-west-1"
ARN = f"arn:aws:ecs:{REGION}:123456789012"
CLUSTERS = [{"clusterArn": f"{ARN}:cluster/{name}", "clusterName": name, "tags": [{"key": "env:x", "value": name}]} for name in ("blue", "green")]
SERVICES = {
    "blue": [
        {"serviceArn": f"{ARN}:service/blue/s{n}", "serviceName": f"s{n}", "clusterArn": f"{ARN}:cluster/blue", "status": "ACTIVE", "tags": []}
        for n in range(12)
    ],
    "green": [],
}


def task(number: int, group: str, **more) -> dict:
    return {
        "taskArn": f"{ARN}:task/blue/t{number}",
        "clusterArn": f"{ARN}:cluster/blue",
        "group": group,
        "taskDefinitionArn": f"{ARN}:task-definition/d:7",
        "availabilityZone": f"{REGION}a",
        "desiredStatus": "RUNNING",
        "lastStatus": "RUNNING",
        "healthStatus": "HEALTHY",
    } | more


def interface(address: str, name: str) -> list:
    details = {"subnetId": "subnet-1", "networkInterfaceId": name, "macAddress": "0a:00:00:00:00:01", "privateIPv4Address": address}
    return [{"id": "1", "type": "ElasticNetworkInterface", "status": "ATTACHED", "details": [{"name": k, "value": v} for k, v in details.items()]}]


TASKS = [
    task(1, "service:s1", launchType="FARGATE", platformFamily="Linux", platformVersion="1.4.0", attachments=interface("10.0.0.1", "eni-1"), tags=[{"key": "k", "value": "v"}]),
    task(2, "service:s11", launchType="EC2", containerInstanceArn=f"{ARN}:container-instance/blue/c1", attachments=[]),
    # no service's; and without an address yet
    task(3, "family:d", launchType="FARGATE", attachments=interface("10.0.0.3", "eni-3")),
    task(4, "service:s1", launchType="FARGATE", attachments=[], lastStatus="PROVISIONING"),
]
INSTANCES = [{"containerInstanceArn": f"{ARN}:container-instance/blue/c1", "ec2InstanceId": "i-1"}]
INTERFACES = f"""<DescribeNetworkInterfacesResponse {NAMESPACE}><networkInterfaceSet>
<item><networkInterfaceId>eni-1</networkInterfaceId><association><publicIp>54.0.0.1</publicIp></association></item>
<item><networkInterfaceId>eni-2</networkInterfaceId></item></networkInterfaceSet></DescribeNetworkInterfacesResponse>"""


def pages(asked: dict, field: str, names: list) -> dict:
    at = int(asked.get("nextToken", 0))
    more = {"nextToken": str(at + 5)} if at + 5 < len(names) else {}
    return {field: names[at : at + 5]} | more


class Ecs(Aws):
    """ECS and EC2 in one. Requests to ECS and answers of it are checked against the model that AWS publishes for its SDKs."""

    ANSWERS = {
        "ListClusters": lambda asked: pages(asked, "clusterArns", [cluster["clusterArn"] for cluster in CLUSTERS]),
        "DescribeClusters": lambda asked: {"clusters": [c for c in CLUSTERS if c["clusterArn"] in asked["clusters"]]},
        "ListServices": lambda asked: pages(asked, "serviceArns", [s["serviceArn"] for s in SERVICES[asked["cluster"].rpartition("/")[2]]]),
        "DescribeServices": lambda asked: {"services": [s for s in SERVICES["blue"] if s["serviceArn"] in asked["services"]]},
        "ListTasks": lambda asked: pages(asked, "taskArns", [t["taskArn"] for t in TASKS]),
        "DescribeTasks": lambda asked: {"tasks": [t for t in TASKS if t["taskArn"] in asked["tasks"]]},
        "DescribeContainerInstances": lambda asked: {"containerInstances": INSTANCES},
    }

    def __init__(self):
        self.wrong: list = []
        self.asked: list = []
        self.model = botocore.session.get_session().get_service_model("ecs")
        super().__init__()

    def answer(self, headers, body: bytes) -> str:
        target, signed = headers["X-Amz-Target"], headers["Authorization"]
        if target is None:
            action = urllib.parse.parse_qs(body.decode())["Action"][0]
            service, answer = "ec2", INTERFACES if action == "DescribeNetworkInterfaces" else page(FULL, "")
        else:
            prefix, _, action = target.partition(".")
            service, answer = "ecs", self.ecs(action, json.loads(body))
            if prefix != self.model.metadata["targetPrefix"] or "x-amz-target" not in signed:
                self.wrong.append(f"{target}: {signed}")
        if f"/{REGION}/{service}/aws4_request" not in signed:
            self.wrong.append(f"{action}: {signed}")
        self.asked.append(action)
        return answer

    def ecs(self, operation: str, asked: dict) -> str:
        shapes, validator = self.model.operation_model(operation), botocore.validate.ParamValidator()
        answer = self.ANSWERS[operation](asked)
        for told, shape in ((asked, shapes.input_shape), (answer, shapes.output_shape)):
            report = validator.validate(told, shape)
            if report.has_errors():
                self.wrong.append(f"{operation}: {report.generate_report()}")
        if len(asked.get("services", [])) > 10:
            self.wrong.append("more services than ECS takes")
        return json.dumps(answer)


def test_tasks_of_services_are_targets(tmp_path):
    """With the labels that Prometheus' documentation lists for `role: ecs` of `aws_sd_configs`."""
    ecs = Ecs()
    config = tmp_path / "scraped.yml"
    jobs = [
        {"job_name": "all", "aws_sd_configs": [{"role": "ecs", "port": 9100}]},
        {"job_name": "one", "ecs_sd_configs": [{"clusters": [f"{ARN}:cluster/green"]}]},
    ]
    config.write_text(json.dumps({"scrape_configs": jobs}))
    # both services are where the environment says, and so are the keys
    env = {"AWS_ENDPOINT_URL": ecs.url, "AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "key"}
    mayfly = Mayfly(tmp_path, tmp_path / "data", env=env, flags=("--scrape-config", config)).start()
    try:
        until("all tasks are found", lambda: len(found(mayfly.query)) == 2, 20)
        until("the other cluster has been asked", lambda: ecs.asked.count("ListServices") >= 3 + 1 + 1, 20)
        of_all = {
            "__scheme__": "http",
            "__metrics_path__": "/metrics",
            "__scrape_interval__": "1m",
            "__scrape_timeout__": "10s",
            "job": "all",
            "__meta_ecs_cluster": "blue",
            "__meta_ecs_cluster_arn": f"{ARN}:cluster/blue",
            "__meta_ecs_tag_cluster_env_x": "blue",
            "__meta_ecs_service_status": "ACTIVE",
            "__meta_ecs_task_definition": f"{ARN}:task-definition/d:7",
            "__meta_ecs_region": REGION,
            "__meta_ecs_availability_zone": f"{REGION}a",
            "__meta_ecs_subnet_id": "subnet-1",
            "__meta_ecs_desired_status": "RUNNING",
            "__meta_ecs_last_status": "RUNNING",
            "__meta_ecs_health_status": "HEALTHY",
        }
        on_its_own = of_all | {
            "__address__": "10.0.0.1:9100",
            "__meta_ecs_service": "s1",
            "__meta_ecs_service_arn": f"{ARN}:service/blue/s1",
            "__meta_ecs_task_group": "service:s1",
            "__meta_ecs_task_arn": f"{ARN}:task/blue/t1",
            "__meta_ecs_launch_type": "FARGATE",
            "__meta_ecs_network_mode": "awsvpc",
            "__meta_ecs_ip_address": "10.0.0.1",
            "__meta_ecs_public_ip": "54.0.0.1",
            "__meta_ecs_platform_family": "Linux",
            "__meta_ecs_platform_version": "1.4.0",
            "__meta_ecs_tag_task_k": "v",
        }
        on_a_host = of_all | {
            "__address__": "127.0.0.9:9100",
            "__meta_ecs_service": "s11",
            "__meta_ecs_service_arn": f"{ARN}:service/blue/s11",
            "__meta_ecs_task_group": "service:s11",
            "__meta_ecs_task_arn": f"{ARN}:task/blue/t2",
            "__meta_ecs_launch_type": "EC2",
            "__meta_ecs_network_mode": "bridge",
            "__meta_ecs_ip_address": "127.0.0.9",
            "__meta_ecs_public_ip": "127.0.0.2",
            "__meta_ecs_container_instance_arn": f"{ARN}:container-instance/blue/c1",
            "__meta_ecs_ec2_instance_id": "i-1",
            "__meta_ecs_ec2_instance_type": "m5.large",
            "__meta_ecs_ec2_instance_private_ip": "127.0.0.9",
            "__meta_ecs_ec2_instance_public_ip": "127.0.0.2",
            "__meta_ecs_tag_ec2_aws_team__": ' a & "b" ',
        }
        assert found(mayfly.query) == sorted(sorted(labels.items()) for labels in (on_its_own, on_a_host))
        assert not ecs.wrong
        # twelve services in two batches, and tasks by the cluster, not by the service
        assert (ecs.asked.count("DescribeServices"), ecs.asked.count("ListTasks"), ecs.asked.count("DescribeTasks")) == (2, 1, 1)
    finally:
        mayfly.stop()
        ecs.stop()
