"""20: the real template, built and deployed by SAM onto MiniStack, runs the real functions with the rights it gives them.

Not covered, since MiniStack does not do it: lifecycle rules of the bucket, its policy about TLS (left out where there is none),
signatures at URLs, alarms, and what an answer may weigh.
"""

import json
import shutil
import subprocess
import urllib.parse

import boto3
import pytest
from botocore.exceptions import ClientError

from harness import SAM, TOP
from harness.http import call
from harness.mayfly import built, clean_environment
from harness.peers import Alertmanager, Webhook
from harness.process import until

STACK = "mayfly-test"
TOKEN = "secret"
TOKEN_SHA256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
RULES = """
groups:
- name: test
  rules:
  - alert: FewRows
    expr: rows{job="few"} < 50
    labels: {severity: page}
"""
JOBS = """
scrape_configs:
- job_name: alertmanager
  static_configs: [{targets: ['%s']}]
"""
# MiniStack's root, which may create what the stack has
ROOT = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}


class Stack:
    """A stack that is deployed, and what it put out."""

    def __init__(self, folder, ministack, alertmanager: str):
        self.folder, self.endpoint = folder, ministack.endpoint
        binaries = folder / "binaries"
        binaries.mkdir()
        for name in ("push", "query", "alert", "scrape", "compact", "extension"):
            # with their symbols they are more than Lambda takes
            subprocess.run(["strip", "-o", binaries / name, built(name)], check=True)
        template = folder / "built" / "template.yaml"
        self.sam("build", "--template-file", TOP / "infra" / "sam" / "template.yaml", "--build-dir", template.parent, BOOTSTRAPS=str(binaries))
        # where Lambda looks for it
        assert (template.parent / "Extension" / "extensions" / "mayfly").is_file()
        # beside the rules that are offered, which are built in
        rules = template.parent / "Alert" / "rules"
        assert (rules / "jobs.yml").is_file()
        (rules / "test.yml").write_text(RULES)
        target = urllib.parse.urlsplit(alertmanager).netloc
        (template.parent / "Scrape" / "scrape.yml").write_text(JOBS % target)
        parameters = {"EndpointUrl": self.endpoint, "TokenSha256": TOKEN_SHA256, "AlertmanagerUrl": alertmanager}
        parameters |= {"Rules": "rules/test.yml", "CompactMinutes": "2", "ScrapeConfig": "scrape.yml"}
        overrides = [f"{name}={value}" for name, value in parameters.items()]
        self.sam("deploy", "--template-file", template, "--no-confirm-changeset", "--parameter-overrides", *overrides)
        stack = self.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        self.bucket = urllib.parse.urlsplit(self.outputs["Storage"]).netloc

    def sam(self, command: str, *arguments, **env: str) -> str:
        """`sam COMMAND` with the configuration that lies beside the template."""
        own = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
        own |= {"AWS_ENDPOINT_URL": self.endpoint, "SAM_CLI_TELEMETRY": "0", "HOME": str(self.folder)} | env
        named = [] if command == "build" else ["--stack-name", STACK]
        line = [SAM, command, "--config-file", TOP / "infra" / "sam" / "samconfig.toml", *named, *arguments]
        run = subprocess.run(
            [str(part) for part in line], cwd=self.folder, env=clean_environment(**own), capture_output=True, text=True, timeout=400, check=False
        )
        assert run.returncode == 0, f"{line}: {run.stdout}{run.stderr}"
        return run.stdout

    def client(self, service: str, **identity: str):
        return boto3.client(service, endpoint_url=self.endpoint, **(ROOT | identity))

    def call(self, output: str, method: str, target: str, body: str = "", token: str | None = TOKEN):
        """A request to a function's URL."""
        headers = {"Host": urllib.parse.urlsplit(self.outputs[output]).netloc}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return call(self.endpoint, method, target, body, headers)

    def value(self, query: str) -> str | None:
        """Of an instant query, the value of its only series."""
        answer = self.call("QueryUrl", "GET", f"/api/v1/query?{urllib.parse.urlencode({'query': query})}")
        assert answer.status == 200, answer.text
        result = answer.json()["data"]["result"]
        return result[0]["value"][1] if result else None

    def physical(self, logical: str) -> str:
        detail = self.client("cloudformation").describe_stack_resource(StackName=STACK, LogicalResourceId=logical)
        return detail["StackResourceDetail"]["PhysicalResourceId"]

    def s3_of(self, function: str):
        """S3 as the role of a function sees it."""
        arn = self.client("iam").get_role(RoleName=self.physical(f"{function}Role"))["Role"]["Arn"]
        key = self.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
        identity = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
        return self.client("s3", aws_session_token=key["SessionToken"], **identity)


@pytest.fixture(scope="module")
def webhook():
    receiver = Webhook()
    yield receiver
    receiver.stop()


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory, webhook):
    server = Alertmanager(tmp_path_factory.mktemp("alertmanager"), webhook.url)
    server.process.shared = True
    yield server
    server.process.kill9()


@pytest.fixture(scope="module")
def stack(tmp_path_factory, ministack, alertmanager):
    folder = tmp_path_factory.mktemp("stack")
    yield Stack(folder, ministack, alertmanager.url)
    shutil.rmtree(folder / "built")
    shutil.rmtree(folder / "binaries")


def test_what_is_pushed_to_the_url_is_answered_at_the_other(stack):
    assert stack.call("PushUrl", "PUT", "/metrics/job/backup", "rows 1\n", token=None).status == 401
    assert stack.call("QueryUrl", "GET", "/api/v1/query?query=rows", token="wrong").status == 401
    assert stack.call("PushUrl", "PUT", "/metrics/job/backup", "rows 42\n").status == 200
    assert stack.value('rows{job="backup"}') == "42"
    # a Function URL does not decode it
    assert stack.call("PushUrl", "PUT", "/metrics/job/a%20b", "rows 7\n").status == 200
    assert stack.value('rows{job="a b"}') == "7"
    assert stack.call("QueryUrl", "GET", "/api/v1/query?query=rows{").status == 400


def test_messages_are_stored_once_and_bad_ones_stay(stack):
    queue = stack.client("sqs")
    push = {"method": "POST", "path": "/aggregate/metrics/job/queue", "body": "# TYPE done counter\ndone 5\n"}
    for body in (json.dumps(push), "no json", json.dumps(push)):
        queue.send_message(QueueUrl=stack.outputs["MessagesUrl"], MessageBody=body)
    until("both are counted", lambda: stack.value('done{job="queue"}') == "10", 60, pause=0.5)

    def left() -> dict:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = queue.get_queue_attributes(QueueUrl=stack.outputs["MessagesUrl"], AttributeNames=names)
        return {name: int(count) for name, count in found["Attributes"].items()}

    # the bad one waits to be tried again, and will end in the dead-letter queue
    until("one is left", lambda: sum(left().values()) == 1, 30)


def test_a_scheduled_tick_reaches_an_alertmanager(stack, webhook):
    assert stack.call("PushUrl", "PUT", "/metrics/job/few", "rows 3\n").status == 200
    # nobody but the stack's own schedule asks for it
    found = until("firing", lambda: webhook.with_status("firing"), 240, pause=1)
    assert found[0]["labels"] == {"alertname": "FewRows", "job": "few", "severity": "page"}
    # on demand it does what is left to do, and says so
    invoked = stack.client("lambda").invoke(FunctionName=stack.outputs["AlertFunction"], Payload=b"{}")
    said = json.loads(invoked["Payload"].read())
    assert "FunctionError" not in invoked and said["rulesFailed"] == 0, said


def test_targets_are_scraped(stack):
    invoked = stack.client("lambda").invoke(FunctionName=stack.outputs["ScrapeFunction"], Payload=b"{}")
    said = json.loads(invoked["Payload"].read())
    assert "FunctionError" not in invoked and said["targets"] == 1, said
    # the schedule may have come first
    assert stack.value('up{job="alertmanager"}') == "1"


def test_segments_are_merged_on_demand(stack):
    assert stack.call("PushUrl", "PUT", "/metrics/job/merged", "merged 1\n").status == 200
    invoked = stack.client("lambda").invoke(FunctionName=stack.outputs["CompactFunction"], Payload=b"{}")
    said = json.loads(invoked["Payload"].read())
    assert "FunctionError" not in invoked, said
    # the schedule may be at it just now
    assert said["default/pushes"]["outcome"] in ("done", "another process does it"), said


def test_segments_are_merged_by_schedule(stack):
    s3 = stack.client("s3")

    def count(folder: str) -> int:
        return s3.list_objects_v2(Bucket=stack.bucket, Prefix=f"metrics/default/pushes/{folder}/")["KeyCount"]

    assert count("hot") > 0
    # minutes are merged some minutes after they are over
    until("a merged file", lambda: count("data"), 480, pause=2)
    assert stack.value('rows{job="backup"}') == "42"


@pytest.mark.parametrize(
    ("function", "allowed", "refused"),
    [
        ("Push", "put metrics/default/pushes/hot/x", ["delete metrics/default/pushes/hot/x", "put other/x", "get rules/x"]),
        ("Query", "get metrics/default/pushes/x", ["put metrics/default/pushes/x", "delete metrics/x", "get other/x"]),
        ("Alert", "put metrics/default/alerts/x", ["put metrics/default/pushes/x", "delete metrics/default/alerts/x", "get other/x"]),
        ("Scrape", "put metrics/default/scrape/x", ["put metrics/default/pushes/x", "delete metrics/default/scrape/x", "get other/x"]),
        ("Compact", "delete metrics/default/pushes/x", ["put other/x", "get rules/x", "delete other/x"]),
    ],
)
def test_roles_are_refused_what_they_do_not_need(stack, function, allowed, refused):
    s3 = stack.s3_of(function)

    def outcome(what: str) -> str:
        action, key = what.split()
        try:
            match action:
                case "put":
                    s3.put_object(Bucket=stack.bucket, Key=key, Body=b"")
                case "get":
                    s3.get_object(Bucket=stack.bucket, Key=key)
                case "delete":
                    s3.delete_object(Bucket=stack.bucket, Key=key)
        except ClientError as err:
            return err.response["Error"]["Code"]
        return "done"

    assert outcome(allowed) in ("done", "NoSuchKey")
    assert {what: outcome(what) for what in refused} == dict.fromkeys(refused, "AccessDenied")
    stack.client("s3").delete_object(Bucket=stack.bucket, Key="metrics/default/pushes/hot/x")


def test_the_stack_can_be_deleted(stack):
    stack.sam("delete", "--no-prompts", "--region", "us-east-1")
    functions = stack.client("lambda").list_functions()["Functions"]
    assert [function["FunctionName"] for function in functions if STACK in function["FunctionName"]] == []
    # what was pushed is not the stack's to delete
    assert stack.client("s3").list_objects_v2(Bucket=stack.bucket, Prefix="metrics/default/pushes/")["KeyCount"] > 0
