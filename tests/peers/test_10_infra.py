"""10: what `infra/` describes is what AWS and Grafana accept, and what checkov finds in it is meant to be so."""

import json
import subprocess

import pytest
import yaml
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

from harness import CHECKOV, SAM, TOP, VENV
from harness.mayfly import clean_environment

TEMPLATE = TOP / "infra" / "sam" / "template.yaml"
MEASURED = TEMPLATE.with_name("measured.yaml")
EXPLAINED = TOP / "infra" / "checkov.yaml"


class NoManagedPolicies:
    """SAM asks for AWS' managed policies only where a template names one."""

    def load(self):
        return {}


def translated(path=TEMPLATE) -> dict:
    """The CloudFormation template that SAM makes of ours, as it stands after `sam build`: code is in a bucket."""
    template = yaml_parse(path.read_text())
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function" and "InlineCode" not in resource["Properties"]:
            resource["Properties"]["CodeUri"] = "s3://built/code.zip"
        if resource["Type"] == "AWS::Serverless::LayerVersion":
            resource["Properties"]["ContentUri"] = "s3://built/layer.zip"
    return transform(template, {}, NoManagedPolicies())


def lint(tmp_path, template: dict) -> subprocess.CompletedProcess:
    path = tmp_path / "template.json"
    path.write_text(json.dumps(template))
    command = [VENV / "cfn-lint", "--regions", "eu-west-1", "--", path]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("path", [TEMPLATE, MEASURED], ids=lambda path: path.stem)
def test_a_template_has_no_finding(tmp_path, monkeypatch, path):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    run = lint(tmp_path, translated(path))
    assert (run.returncode, run.stdout) == (0, ""), run.stdout + run.stderr


def test_a_mistake_would_be_found(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    template = translated()
    template["Outputs"]["Storage"]["Value"] = {"Fn::GetAtt": ["Gone", "FunctionUrl"]}
    assert "Gone" in lint(tmp_path, template).stdout


@pytest.mark.parametrize("path", [TEMPLATE, MEASURED], ids=lambda path: path.stem)
def test_sam_finds_a_template_valid(tmp_path, path):
    env = clean_environment(AWS_DEFAULT_REGION="eu-west-1", SAM_CLI_TELEMETRY="0", HOME=str(tmp_path))
    command = [SAM, "validate", "--lint", "--template-file", path]
    run = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0 and "is a valid SAM Template" in run.stdout, run.stdout + run.stderr
    assert "warning" not in (run.stdout + run.stderr).lower(), run.stdout + run.stderr


def checkov(*what) -> set:
    """The checks that fail, whatever `infra/checkov.yaml` says."""
    command = [CHECKOV, "--skip-download", "--quiet", "--output", "json", *what]
    run = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, timeout=120, check=False)
    told = json.loads(run.stdout)
    assert told["summary"]["passed"] > 50 and told["summary"]["parsing_errors"] == 0, told["summary"]
    return {check["check_id"] for check in told["results"]["failed_checks"]}


def test_what_checkov_finds_is_explained(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    path = tmp_path / "template.json"
    path.write_text(json.dumps(translated()))
    measured = tmp_path / "measured.json"
    measured.write_text(json.dumps(translated(MEASURED)))
    found = checkov("--framework", "cloudformation", "--file", path, measured)
    found |= checkov("--framework", "terraform", "--directory", TOP / "infra" / "terraform")
    assert found == set(yaml.safe_load(EXPLAINED.read_text())["skip-check"])


@pytest.mark.parametrize(
    ("function", "expect"),
    [
        (
            "Push",
            {
                "List": {"s3:ListBucket"},
                "Objects": {"s3:GetObject", "s3:PutObject"},
                "Messages": {"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"},
            },
        ),
        ("Query", {"List": {"s3:ListBucket"}, "Objects": {"s3:GetObject"}}),
        (
            "Alert",
            {
                "List": {"s3:ListBucket"},
                "Objects": {"s3:GetObject"},
                "Written": {"s3:PutObject"},
                "TakenIn": {"s3:DeleteObject"},
                "Rules": {"s3:GetObject"},
            },
        ),
        (
            "Scrape",
            {
                "List": {"s3:ListBucket"},
                "Objects": {"s3:GetObject"},
                "Written": {"s3:PutObject"},
                "Jobs": {"s3:GetObject"},
            },
        ),
        (
            "Compact",
            {
                "List": {"s3:ListBucket"},
                "Objects": {"s3:DeleteObject", "s3:GetObject", "s3:PutObject"},
            },
        ),
    ],
)
def test_functions_may_do_what_they_need_and_no_more(monkeypatch, function, expect):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    role = translated()["Resources"][f"{function}Role"]["Properties"]
    allowed = {}
    for policy in role["Policies"]:
        # what an option allows
        if "Fn::If" in policy:
            continue
        for statement in policy["PolicyDocument"]["Statement"]:
            actions = statement["Action"]
            assert "*" not in json.dumps(actions) and statement["Resource"] != "*"
            allowed[statement["Sid"]] = {actions} if isinstance(actions, str) else set(actions)
    assert allowed == expect
    # logs, and nothing else by a policy of AWS
    (managed,) = role["ManagedPolicyArns"]
    assert managed.endswith("AWSLambdaBasicExecutionRole")


def test_the_scrape_function_may_ask_for_targets_where_it_is_told_to(monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    options = [policy["Fn::If"] for policy in translated()["Resources"]["ScrapeRole"]["Properties"]["Policies"] if "Fn::If" in policy]
    ((condition, policy, otherwise),) = options
    assert (condition, otherwise) == ("Discovers", {"Ref": "AWS::NoValue"})
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert all(action.startswith(("ec2:Describe", "ecs:Describe", "ecs:List")) for action in statement["Action"])


def test_the_data_source_is_what_grafana_provisions():
    path = TOP / "infra" / "grafana" / "provisioning" / "datasources" / "mayfly.yaml"
    (source,) = yaml.safe_load(path.read_text())["datasources"]
    assert (source["type"], source["access"]) == ("prometheus", "proxy")
    assert source["jsonData"]["httpMethod"] == "POST"
