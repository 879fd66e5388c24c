#!/usr/bin/env bash
# Fetches the real programs and clients that `make test-peers` holds Mayfly against into .peers/ (git-ignored):
#   .peers/debian/  Prometheus with promtool, Alertmanager, Pushgateway, vmagent, VictoriaMetrics: unpacked from Debian packages, not installed
#   .peers/node/    prom-client
#   .peers/opentelemetry/ OpenTelemetry's SDK for Node (tests/peers/clients/extension)
#   .peers/chromium/ Chromium without a screen, with the libraries that it needs and this system lacks: of the system's own suite
#   .peers/grafana/ Grafana's data source for Prometheus, as one script for a browser (tests/peers/clients/grafana)
#   .peers/java/    Prometheus' client for Java with its PushGateway class (simpleclient), as Flink's package on PyPI carries it
#   .peers/ministack/ MiniStack, in a venv of its own: beside other packages pip takes an older one (tests/peers/ministack.txt)
#   .peers/terraform/ the schema of Terraform's AWS provider, as a package of npm carries it; Terraform itself has to be there
#   .peers/sam/     the SAM command line, in a venv of its own (tests/peers/sam.txt)
#   .peers/checkov/ checkov, in a venv of its own (tests/peers/checkov.txt)
#   .peers/schemathesis/ schemathesis, in a venv of its own (tests/peers/schemathesis.txt)
#   .peers/venv/    SeaweedFS, prometheus_client, Playwright, a mail server, clients of StatsD and InfluxDB, DuckDB, pyarrow, pytest: tests/peers/requirements.txt
# Needs Debian (or a system with its apt sources), root, python3 with venv, node with npm, terraform, and a JDK of 11 or later. Where
# everything is there already it only prints the versions. `tools/peers.sh --fresh` starts from nothing.
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
peers=$top/.peers
requirements=$top/tests/peers/requirements.txt
# Debian's stable packages of these are years behind, so they come from the suite that follows the releases
suite=sid
packages=(prometheus promtool prometheus-alertmanager prometheus-pushgateway prometheus-node-exporter victoria-metrics libjaxb-api-java)
programs=(prometheus promtool prometheus-alertmanager prometheus-pushgateway prometheus-node-exporter vmagent victoria-metrics)
prom_client=15.1.3
provider_aws=24.1.0
chromium=chromium-headless-shell
flink=1.18.1
java_client=flink-metrics-prometheus-$flink.jar
java_client_sha256=f1eafa3f21c02d56cbe670ff8a6531e7929e234f5bf98a7277a4a37bdf550ec4

fail() { printf 'tools/peers.sh: %s\n' "$*" >&2; exit 1; }

# the system's own mirror with the suite exchanged, in an apt world of its own: the system's lists stay as they are
write_sources() {
  local deb822=/etc/apt/sources.list.d/debian.sources classic=/etc/apt/sources.list
  if [[ -r $deb822 ]]; then
    awk 'BEGIN { RS = ""; FS = "\n" } !/security/ { print; exit }' "$deb822" |
      sed "s/^Suites:.*/Suites: $suite/" >"$1/peers.sources"
  elif [[ -r $classic ]] && grep -q '^deb ' "$classic"; then
    grep '^deb ' "$classic" | grep -v security | head -1 |
      sed -E "s#^(deb +(\[[^]]*\] +)?[^ ]+ +)[^ ]+#\1$suite#" >"$1/peers.list"
  else
    fail "found no Debian sources in $deb822 or $classic; the programs come from Debian packages"
  fi
}

# Debian's Alertmanager reads its templates from an absolute path that only an installed package has. The path becomes
# one of the same length that is relative to the working directory, so the program is to be started in .peers/debian.
relocate() {
  python3 - "$1" <<'PYTHON' || fail "could not relocate $1"
import sys
from pathlib import Path
program = Path(sys.argv[1])
old, new = b"/usr/share/prometheus/alertmanager", b"usr//share/prometheus/alertmanager"
code = program.read_bytes()
assert len(old) == len(new) and old in code, "the path is not in the program"
program.write_bytes(code.replace(old, new))
PYTHON
}

fetch_debian() {
  local apt=$peers/apt out=$peers/debian.new options package
  command -v apt-get >/dev/null && command -v dpkg >/dev/null || fail "needs apt-get and dpkg (Debian)"
  ((EUID == 0)) || fail "apt-get needs root to fetch packages; run this once as root, the tests themselves do not need it"
  rm -rf "$apt" "$out"
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/parts" "$out"
  write_sources "$apt/parts"
  options=(-oDir::State::Lists="$apt/lists" -oDir::Etc::SourceList=/dev/null -oDir::Etc::SourceParts="$apt/parts"
    -oDir::Cache="$apt/cache" -oAPT::Sandbox::User=root -oAcquire::Retries=3)
  # a suite list without Release.gpg trust or a mirror that is away ends here, with apt's own words
  apt-get "${options[@]}" -q update >"$apt/log" 2>&1 || { tail -5 "$apt/log" >&2; fail "apt-get update failed for suite $suite"; }
  for package in "${packages[@]}"; do
    (cd "$apt/cache" && apt-get "${options[@]}" -q download "$package" >>"$apt/log" 2>&1) ||
      { tail -2 "$apt/log" >&2; fail "could not download the Debian package $package from $suite"; }
    dpkg -x "$apt/cache/${package}"_*.deb "$out" || fail "could not unpack $package"
  done
  relocate "$out/usr/bin/prometheus-alertmanager"
  rm -rf "$apt" "$peers/debian"
  mv "$out" "$peers/debian"
}

# With the lists of the system's own suite, in an apt world of its own, since only libraries of that suite fit beside the system's.
fetch_chromium() {
  local apt=$peers/apt out=$peers/chromium.new options package
  rm -rf "$apt" "$out"
  mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$apt/parts" "$out"
  if [[ -r /etc/apt/sources.list.d/debian.sources ]]; then
    cp /etc/apt/sources.list.d/debian.sources "$apt/parts"
  else
    grep '^deb ' /etc/apt/sources.list >"$apt/parts/debian.list" || fail "found no Debian sources; Chromium comes from Debian packages"
  fi
  options=(-oDir::State::Lists="$apt/lists" -oDir::Etc::SourceList=/dev/null -oDir::Etc::SourceParts="$apt/parts"
    -oDir::Cache::archives="$apt/archives" -oAPT::Sandbox::User=root -oAcquire::Retries=3)
  apt-get "${options[@]}" -q update >"$apt/log" 2>&1 || { tail -5 "$apt/log" >&2; fail "apt-get update failed"; }
  apt-get "${options[@]}" -q -y --no-install-recommends --reinstall --download-only install "$chromium" >>"$apt/log" 2>&1 ||
    { tail -5 "$apt/log" >&2; fail "could not download the Debian package $chromium"; }
  for package in "$apt/archives"/*.deb; do
    dpkg -x "$package" "$out" || fail "could not unpack $package"
  done
  dpkg-deb -f "$apt/archives/$chromium"_*.deb Version >"$out/version"
  rm -rf "$apt" "$peers/chromium"
  mv "$out" "$peers/chromium"
}

# $1: the folder, $2: the package, $3: its version. No scripts of packages are run: these have none that they need. What they are
# meant to stand beside is left out.
fetch_node() {
  command -v node >/dev/null && command -v npm >/dev/null || fail "needs node and npm (on Debian: apt-get install nodejs npm)"
  rm -rf "${peers:?}/$1"
  mkdir -p "$peers/$1"
  npm install --prefix "$peers/$1" --ignore-scripts --no-audit --no-fund --legacy-peer-deps "$2@$3" >"$peers/$1.log" 2>&1 ||
    { tail -5 "$peers/$1.log" >&2; fail "npm could not install $2 $3"; }
}

# $1: the folder, $2: the package
node_version() { sed -n '/^[[:space:]]*"version": /{s/.*: "\(.*\)",$/\1/p;q}' "$peers/$1/node_modules/$2/package.json" 2>/dev/null; }

ensure_node() { [[ $(node_version "$1" "$2") == "$3" ]] || fetch_node "$1" "$2" "$3"; }

# $1: the folder, $2: where its package.json is, with a lockfile
fetch_locked() {
  rm -rf "${peers:?}/$1"
  mkdir -p "$peers/$1"
  cp "$2/package.json" "$2/package-lock.json" "$peers/$1"
  npm ci --prefix "$peers/$1" --ignore-scripts --no-audit --no-fund --legacy-peer-deps >"$peers/$1.log" 2>&1 ||
    { tail -5 "$peers/$1.log" >&2; fail "npm could not install what $2/package-lock.json says"; }
}

# Grafana's data source with what it needs, at the versions of a lockfile, as one script for a browser
fetch_grafana() {
  local source=$top/tests/peers/clients/grafana
  fetch_locked grafana "$source"
  node "$source/build.mjs" "$peers/grafana" >>"$peers/grafana.log" 2>&1 ||
    { tail -5 "$peers/grafana.log" >&2; fail "Grafana's data source could not be bundled"; }
}

# Flink's plugin holds the client's classes under their own names. pip can only hand over the whole source package; nothing of it
# is kept but that one file.
fetch_java() {
  local all=$peers/java.new
  command -v java >/dev/null || fail "needs a JDK (on Debian: apt-get install default-jdk-headless)"
  rm -rf "$all"
  mkdir -p "$all" "$peers/java"
  "$peers/venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps -d "$all" "apache-flink-libraries==$flink" \
    >"$peers/java.log" 2>&1 || { tail -5 "$peers/java.log" >&2; fail "pip could not fetch apache-flink-libraries $flink"; }
  tar -xzf "$all/apache-flink-libraries-$flink.tar.gz" -C "$peers/java" --wildcards --strip-components=4 "*/$java_client" ||
    fail "$java_client is not in apache-flink-libraries $flink"
  rm -rf "$all"
}

has_java() { printf '%s  %s\n' "$java_client_sha256" "$peers/java/$java_client" | sha256sum --check --status 2>/dev/null; }

# $1: the venv, $2: what it is to hold
fetch_python() {
  rm -rf "$peers/$1"
  python3 -m venv "$peers/$1" >"$peers/$1.log" 2>&1 ||
    { tail -3 "$peers/$1.log" >&2; fail "python3 -m venv failed (on Debian: apt-get install python3-venv)"; }
  "$peers/$1/bin/pip" install --quiet --disable-pip-version-check -r "$2" >>"$peers/$1.log" 2>&1 ||
    { tail -5 "$peers/$1.log" >&2; fail "pip could not install $2"; }
}

program() { printf '%s/debian/usr/bin/%s' "$peers" "$1"; }

complete() {
  local name
  # the Java client needs it, and a JDK no longer has it
  [[ -r $peers/debian/usr/share/java/jaxb-api.jar ]] || return 1
  for name in "${programs[@]}"; do [[ -x $(program "$name") ]] || return 1; done
}

command -v python3 >/dev/null || fail "needs python3"
command -v terraform >/dev/null || fail "needs terraform, 1.9 or later (https://developer.hashicorp.com/terraform/install)"
[[ ${1:-} == "--fresh" ]] && rm -rf "$peers"
mkdir -p "$peers"

complete || fetch_debian
complete || fail "the packages came, but one of these is not in them: ${programs[*]} jaxb-api.jar"

[[ -x $peers/chromium/usr/lib/chromium/$chromium ]] || fetch_chromium
[[ -x $peers/chromium/usr/lib/chromium/$chromium ]] || fail "the packages came, but $chromium is not in them"

ensure_node node prom-client "$prom_client"
grafana_wanted=$(cat "$top"/tests/peers/clients/grafana/* | sha256sum)
if [[ ! -r $peers/grafana/source.js || $(cat "$peers/grafana.stamp" 2>/dev/null) != "$grafana_wanted" ]]; then
  fetch_grafana
  printf '%s\n' "$grafana_wanted" >"$peers/grafana.stamp"
fi
# OpenTelemetry's SDK for Node
opentelemetry_wanted=$(sha256sum <"$top/tests/peers/clients/extension/package-lock.json")
if [[ $(cat "$peers/opentelemetry.stamp" 2>/dev/null) != "$opentelemetry_wanted" ]]; then
  fetch_locked opentelemetry "$top/tests/peers/clients/extension"
  printf '%s\n' "$opentelemetry_wanted" >"$peers/opentelemetry.stamp"
fi
ensure_node terraform @cdktn/provider-aws "$provider_aws"

# a venv is made anew when what it should hold has changed; $3: a program that is in it
ensure_python() {
  local wanted
  wanted=$(sha256sum <"$2")
  if [[ ! -x $peers/$1/bin/$3 || $(cat "$peers/$1.stamp" 2>/dev/null) != "$wanted" ]]; then
    fetch_python "$1" "$2"
    printf '%s\n' "$wanted" >"$peers/$1.stamp"
  fi
}
ensure_python venv "$requirements" pytest
ensure_python ministack "$top/tests/peers/ministack.txt" ministack
ensure_python sam "$top/tests/peers/sam.txt" sam
ensure_python checkov "$top/tests/peers/checkov.txt" checkov
ensure_python schemathesis "$top/tests/peers/schemathesis.txt" schemathesis
has_java || fetch_java
has_java || fail "$java_client is not the file that it was: expected SHA-256 $java_client_sha256"

for name in "${programs[@]}"; do
  printf '%-26s %s\n' "$name" "$("$(program "$name")" --version 2>&1 | sed -n '1s/.*version \([^ ,]*\).*/\1/p')"
done
printf '%-26s %s\n' chromium "$(cat "$peers/chromium/version")"
printf '%-26s %s\n' prom-client "$(node_version node prom-client)"
printf '%-26s %s\n' @opentelemetry/sdk-metrics "$(node_version opentelemetry @opentelemetry/sdk-metrics)"
printf '%-26s %s\n' @grafana/prometheus "$(node_version grafana @grafana/prometheus)"
printf '%-26s %s\n' terraform "$(terraform version -json 2>/dev/null | sed -n 's/.*"terraform_version": "\(.*\)",*/\1/p')"
printf '%-26s %s\n' 'simpleclient (Java)' "in $java_client"
printf '%-26s %s\n' ministack "$("$peers/ministack/bin/pip" show --disable-pip-version-check ministack | sed -n 's/^Version: //p')"
printf '%-26s %s\n' sam "$("$peers/sam/bin/pip" show --disable-pip-version-check aws-sam-cli | sed -n 's/^Version: //p')"
printf '%-26s %s\n' checkov "$("$peers/checkov/bin/pip" show --disable-pip-version-check checkov | sed -n 's/^Version: //p')"
printf '%-26s %s\n' schemathesis "$("$peers/schemathesis/bin/pip" show --disable-pip-version-check schemathesis | sed -n 's/^Version: //p')"
printf '%-26s %s\n' seaweedfs "$("$peers/venv/bin/weed" version 2>/dev/null | awk 'NR == 1 { print $3 }')"
"$peers/venv/bin/pip" list --disable-pip-version-check --format=freeze |
  grep -iE '^(prometheus.client|playwright|datadog|statsd|influxdb-client|duckdb|pyarrow|pytest)==' | sed 's/==/ /' | awk '{ printf "%-26s %s\n", $1, $2 }'
