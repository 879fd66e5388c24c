"""What the scenarios share: processes on free ports of loopback, and clients of their APIs."""

from pathlib import Path

TOP = Path(__file__).resolve().parents[3]
PEERS = TOP / ".peers"
PROGRAMS = PEERS / "debian" / "usr" / "bin"
VENV = PEERS / "venv" / "bin"
MINISTACK = PEERS / "ministack" / "bin" / "ministack"
SAM = PEERS / "sam" / "bin" / "sam"
CHECKOV = PEERS / "checkov" / "bin" / "checkov"
SCHEMATHESIS = PEERS / "schemathesis" / "bin" / "schemathesis"
CHROMIUM = PEERS / "chromium" / "usr" / "lib" / "chromium" / "chromium-headless-shell"
GRAFANA = PEERS / "grafana" / "source.js"
OPENTELEMETRY = PEERS / "opentelemetry" / "node_modules"
PROVIDER_AWS = PEERS / "terraform" / "node_modules" / "@cdktn" / "provider-aws"
