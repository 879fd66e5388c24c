"""Terraform with a provider that has AWS' schema and does nothing: see `schema_provider`."""

import json
import os
import subprocess
from pathlib import Path

from . import PROVIDER_AWS, TOP, VENV
from .aws_schema import schema
from .process import Failed

MODULE = TOP / "infra" / "terraform"
# the version whose schema the package has
VERSION = "6.45.0"
KINDS = [
    "cloudwatch-log-group",
    "cloudwatch-metric-alarm",
    "iam-role",
    "iam-role-policy",
    "iam-role-policy-attachment",
    "lambda-event-source-mapping",
    "lambda-function",
    "lambda-function-event-invoke-config",
    "lambda-function-url",
    "lambda-layer-version",
    "lambda-permission",
    "s3-bucket",
    "s3-bucket-lifecycle-configuration",
    "s3-bucket-ownership-controls",
    "s3-bucket-policy",
    "s3-bucket-public-access-block",
    "s3-bucket-server-side-encryption-configuration",
    "scheduler-schedule",
    "sqs-queue",
]
PROGRAM = """#!{python}
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from harness.schema_provider import serve
serve(Path({schema!r}))
"""


class Terraform:
    """Terraform that finds no provider but ours, for modules in any folder."""

    def __init__(self, folder: Path):
        told = folder / "schema.json"
        told.write_text(json.dumps(schema(PROVIDER_AWS, KINDS)))
        mirror = folder / "mirror"
        program = mirror / "registry.terraform.io/hashicorp/aws" / VERSION / "linux_amd64" / f"terraform-provider-aws_v{VERSION}"
        program.parent.mkdir(parents=True)
        tests = str(TOP / "tests" / "peers")
        program.write_text(PROGRAM.format(python=VENV / "python", tests=tests, schema=str(told)))
        program.chmod(0o755)
        settings = folder / "terraform.rc"
        settings.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n')
        self.env = {
            **os.environ,
            "TF_CLI_CONFIG_FILE": str(settings),
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
        }

    def run(self, folder: Path, *arguments: str, fails: bool = False) -> str:
        """What it prints. It is to succeed, or to fail where that is expected."""
        command = ["terraform", *arguments]
        run = subprocess.run(
            command, cwd=folder, env=self.env, capture_output=True, text=True, timeout=120, check=False
        )
        if (run.returncode != 0) != fails:
            raise Failed(f"{' '.join(command)}: exit {run.returncode}: {run.stdout}{run.stderr}")
        return run.stdout + run.stderr
