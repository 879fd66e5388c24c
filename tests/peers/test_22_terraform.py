"""22: the Terraform module is valid, does what its variables say, and describes what the SAM template describes."""

import json
import re
import shutil
import subprocess
import zipfile

import pytest

from harness.terraform import MODULE, Terraform
from test_10_infra import translated

# what a resource of CloudFormation is to Terraform; a bucket's properties are resources of their own there
SAME = {
    "AWS::CloudWatch::Alarm": "aws_cloudwatch_metric_alarm",
    "AWS::IAM::Role": "aws_iam_role",
    "AWS::Lambda::EventInvokeConfig": "aws_lambda_function_event_invoke_config",
    "AWS::Lambda::EventSourceMapping": "aws_lambda_event_source_mapping",
    "AWS::Lambda::Function": "aws_lambda_function",
    "AWS::Lambda::LayerVersion": "aws_lambda_layer_version",
    "AWS::Lambda::Permission": "aws_lambda_permission",
    "AWS::Lambda::Url": "aws_lambda_function_url",
    "AWS::Logs::LogGroup": "aws_cloudwatch_log_group",
    "AWS::S3::Bucket": "aws_s3_bucket",
    "AWS::S3::BucketPolicy": "aws_s3_bucket_policy",
    "AWS::SQS::Queue": "aws_sqs_queue",
    "AWS::Scheduler::Schedule": "aws_scheduler_schedule",
}


@pytest.fixture(scope="module")
def terraform(tmp_path_factory):
    return Terraform(tmp_path_factory.mktemp("terraform"))


@pytest.fixture(scope="module")
def module(terraform, tmp_path_factory):
    """A copy of the module, initialised."""
    folder = tmp_path_factory.mktemp("module") / "terraform"
    shutil.copytree(MODULE, folder, ignore=shutil.ignore_patterns(".terraform*", "packages"))
    shutil.copytree(MODULE / "tests" / "packages", folder / "tests" / "packages")
    terraform.run(folder, "init", "-no-color")
    return folder


@pytest.fixture(scope="module")
def applied(terraform, module):
    """The resources that the run with tokens made of a mock of AWS, by type."""
    lines = terraform.run(module, "test", "-json", "-verbose").splitlines()
    events = [json.loads(line) for line in lines if line.startswith("{")]
    (state,) = [
        event["test_state"] for event in events if event.get("test_state") and event.get("@testrun") == "with_tokens"
    ]
    resources = {}

    def collect(of: dict):
        for resource in of.get("resources", []):
            resources.setdefault(resource["type"], []).append(resource["values"])
        for child in of.get("child_modules", []):
            collect(child)

    collect(state["root_module"])
    return resources


@pytest.fixture(scope="module")
def sam():
    """The resources of the SAM template, by type."""
    patch = pytest.MonkeyPatch()
    patch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    resources = {}
    for name, resource in translated()["Resources"].items():
        resources.setdefault(resource["Type"], {})[name] = resource["Properties"]
    patch.undo()
    return resources


def test_it_is_written_as_terraform_writes_it(terraform):
    terraform.run(MODULE, "fmt", "-check", "-recursive", "-diff")


def test_it_is_valid_and_so_are_its_examples(terraform, module):
    assert "The configuration is valid" in terraform.run(module, "validate", "-no-color")
    for name in ("complete", "measured"):
        example = module / "examples" / name
        terraform.run(example, "init", "-no-color")
        assert "The configuration is valid" in terraform.run(example, "validate", "-no-color")


def test_its_own_tests_pass(terraform, module):
    told = terraform.run(module, "test", "-no-color")
    assert re.search(r"^Success! 4 passed, 0 failed", told, re.MULTILINE), told


@pytest.mark.parametrize(
    ("file", "right", "wrong", "told"),
    [
        ("storage.tf", "sqs_managed_sse_enabled", "sqs_managed_sse_enable", 'argument named "sqs_managed_sse_enable"'),
        ("calls.tf", "  schedule_expression = ", "  # ", '"schedule_expression" is required'),
        ("function/main.tf", "logging_config {", "logs {", 'Blocks of type "logs" are not expected'),
        ("outputs.tf", "messages.url", "messages.uri", 'no argument, nested block, or exported attribute named "uri"'),
    ],
)
def test_a_mistake_would_be_found(terraform, module, tmp_path, file, right, wrong, told):
    folder = tmp_path / "module"
    shutil.copytree(module, folder)
    text = (folder / file).read_text()
    assert right in text
    (folder / file).write_text(text.replace(right, wrong))
    found = re.sub(r"[│\s]+", " ", terraform.run(folder, "validate", "-no-color", fails=True))
    assert told in found


def test_a_failing_assertion_fails(terraform, module, tmp_path):
    folder = tmp_path / "module"
    shutil.copytree(module, folder)
    calls = folder / "calls.tf"
    calls.write_text(calls.read_text().replace("= local.auth_type", '= "NONE"'))
    assert "1 failed" in terraform.run(folder, "test", "-no-color", fails=True)


def test_both_describe_the_same_resources(applied, sam):
    ours = {SAME[type]: len(resources) for type, resources in sam.items()}
    theirs = {type: len(resources) for type, resources in applied.items() if type in ours}
    assert theirs == ours
    others = {type for type in applied if type not in ours}
    assert others == {
        "aws_iam_role_policy",
        "aws_iam_role_policy_attachment",
        "aws_s3_bucket_lifecycle_configuration",
        "aws_s3_bucket_ownership_controls",
        "aws_s3_bucket_public_access_block",
        "aws_s3_bucket_server_side_encryption_configuration",
    }


def listed(of) -> list:
    return of if isinstance(of, list) else [of]


def test_both_functions_have_the_same_settings(applied, sam):
    theirs = {}
    for function in applied["aws_lambda_function"]:
        (environment,) = function["environment"]
        theirs[function["function_name"].removeprefix("mayfly-")] = (
            set(environment["variables"]),
            function["memory_size"],
            function["timeout"],
            function["runtime"],
            function["handler"],
        )
    ours = {}
    for name, function in sam["AWS::Lambda::Function"].items():
        # emulators of AWS are for the tests of the template
        variables = set(function["Environment"]["Variables"]) - {"AWS_ENDPOINT_URL"}
        ours[name.lower()] = (
            variables,
            function["MemorySize"],
            function["Timeout"],
            function["Runtime"],
            function["Handler"],
        )
    assert theirs == ours


def test_both_allow_the_same(applied, sam):
    theirs = {}
    for policy in applied["aws_iam_role_policy"]:
        statements = json.loads(policy["policy"])["Statement"]
        allowed = [
            (statement.get("Sid"), sorted(listed(statement["Action"])), len(listed(statement["Resource"])))
            for statement in statements
        ]
        theirs[json.dumps(sorted(allowed, key=str))] = True
    ours = {}
    for role in sam["AWS::IAM::Role"].values():
        # neither has what an option allows, which is off
        policies = [policy["PolicyDocument"] for policy in role["Policies"] if "Fn::If" not in policy]
        statements = [statement for policy in policies for statement in policy["Statement"]]
        allowed = [
            (statement.get("Sid"), sorted(listed(statement["Action"])), len(listed(statement["Resource"])))
            for statement in statements
        ]
        ours[json.dumps(sorted(allowed, key=str))] = True
    assert theirs == ours
    managed = {attached["policy_arn"].rsplit("/", 1)[1] for attached in applied["aws_iam_role_policy_attachment"]}
    assert managed == {"AWSLambdaBasicExecutionRole"}


def test_both_have_the_same_layer(applied, sam):
    (theirs,), (ours,) = applied["aws_lambda_layer_version"], sam["AWS::Lambda::LayerVersion"].values()
    assert theirs["description"] == ours["Description"] and theirs["skip_destroy"]
    assert theirs["compatible_architectures"] == ["x86_64"] and ours["CompatibleArchitectures"] == [{"Ref": "Architecture"}]


def test_both_have_the_same_alarms(applied, sam):
    theirs = {
        (alarm["alarm_description"], alarm["namespace"], alarm["metric_name"], alarm["statistic"], alarm["period"], alarm["threshold"])
        for alarm in applied["aws_cloudwatch_metric_alarm"]
    }
    ours = {
        (alarm["AlarmDescription"], alarm["Namespace"], alarm["MetricName"], alarm["Statistic"], alarm["Period"], alarm["Threshold"])
        for alarm in sam["AWS::CloudWatch::Alarm"].values()
    }
    assert theirs == ours


def test_both_have_the_same_queues(applied, sam):
    theirs = {
        (queue["message_retention_seconds"], queue["visibility_timeout_seconds"], queue["sqs_managed_sse_enabled"])
        for queue in applied["aws_sqs_queue"]
        if queue["name"] == "mayfly-messages"
    }
    queue = sam["AWS::SQS::Queue"]["Messages"]
    assert theirs == {(queue["MessageRetentionPeriod"], queue["VisibilityTimeout"], queue["SqsManagedSseEnabled"])}
    (mapping,) = applied["aws_lambda_event_source_mapping"]
    (same,) = sam["AWS::Lambda::EventSourceMapping"].values()
    assert mapping["batch_size"] == same["BatchSize"]
    assert mapping["maximum_batching_window_in_seconds"] == same["MaximumBatchingWindowInSeconds"]
    assert mapping["function_response_types"] == same["FunctionResponseTypes"]


def test_packages_hold_a_program_that_may_be_run(tmp_path):
    bootstraps, packages, seen = tmp_path / "bootstraps", tmp_path / "packages", []
    bootstraps.mkdir()
    for name in ("push", "query", "alert", "scrape", "compact", "extension"):
        (bootstraps / name).write_text(f"#!/bin/sh\necho {name}\n")
        (bootstraps / name).chmod(0o755)
    for _ in range(2):
        command = ["make", "-C", MODULE, "packages", f"BOOTSTRAPS={bootstraps}", f"PACKAGES={packages}"]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        seen.append({path.name: path.read_bytes() for path in packages.iterdir()})
    assert set(seen[0]) == {"push.zip", "query.zip", "alert.zip", "scrape.zip", "compact.zip", "extension.zip"}
    assert seen[0] == seen[1]
    for name in seen[0]:
        with zipfile.ZipFile(packages / name) as package:
            # what a layer starts beside a function, where Lambda looks for it
            program = "extensions/mayfly" if name == "extension.zip" else "bootstrap"
            assert package.getinfo(program).external_attr >> 16 & 0o111
            assert f"echo {name.removesuffix('.zip')}\n" in package.read(program).decode()
            rules = [path for path in package.namelist() if path.startswith("rules/")]
            assert bool(rules) == (name == "alert.zip")
