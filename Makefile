# The one list of commands. `make demo` and `make test` need cargo alone.
CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
# cargo-nextest where it is installed
NEXTEST := $(shell $(CARGO) nextest --version >/dev/null 2>&1 && echo yes)

.PHONY: check fmt clippy docs deny page build bootstraps functions test test-peers simulate soak mutants demo bench-store bench-promql bench-gateway bench-query bench-scrape bench-alert bench-ticks bench-notify bench-functions fuzz

# what CI runs
check: fmt clippy docs test functions simulate test-peers

fmt:
	$(CARGO) fmt --all --check

clippy:
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

docs:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items --locked

# licences, advisories and duplicates of the dependencies; needs cargo-deny
deny:
	$(CARGO) deny check

# the page of the query port in full, of the sources in page/: it is in what is built after that. Needs node and npm
page:
	cd page && npm ci --ignore-scripts --no-audit --no-fund && npm run build

build:
	$(CARGO) build --workspace --bins --locked

# the Lambda functions and the extension as they are deployed, into target/lambda
bootstraps:
	$(CARGO) build --profile lambda --locked -p mayfly-functions -p mayfly-extension --bins

# the same, and what deploying them takes for granted
functions: bootstraps
	tools/check-functions.sh "$(TARGET)/lambda"

# all hermetic tests; property tests begin at one seed, so that a run can be repeated: PROPTEST_RNG_SEED=N for others
test: export PROPTEST_RNG_SEED ?= 1
test: build
ifeq ($(NEXTEST),yes)
	$(CARGO) nextest run --workspace --locked --no-fail-fast
	$(CARGO) test --workspace --doc --locked
else
	$(CARGO) test --workspace --locked --no-fail-fast
endif

# damaged input for every decoder and for paths, for longer than `make test` does; FUZZ_SEED=N for other inputs
fuzz:
	FUZZ_ROUNDS=$${FUZZ_ROUNDS:-1000000} FUZZ_SEED=$${FUZZ_SEED:-1} $(CARGO) test --release --locked -p mayfly-wire --test fuzz
	FUZZ_ROUNDS=$${FUZZ_ROUNDS:-1000000} FUZZ_SEED=$${FUZZ_SEED:-1} $(CARGO) test --release --locked -p mayfly-gateway --lib fuzz

# the whole store under faults, from another first seed each day; SIM_SEED=N SIM_SEEDS=1 plays one seed again, SIM_TELL=1 tells it
simulate: export SIM_SEED ?= $(shell date -u +%Y%j)000
simulate: export SIM_SEEDS ?= 60
simulate:
	$(CARGO) test --workspace --locked --test simulation -- --nocapture nothing_is_lost_doubled_or_wrong

# the same for long: 10,000 seeds, and 1,000 servers killed on a folder and 1,000 on S3
soak: export SIM_SEED ?= $(shell date -u +%Y%j)000000
soak: export SIM_SEEDS ?= 10000
soak: export KILL_RUNS ?= 1000
# a story goes from thread to thread, which takes several times as long from one processor to another
soak: PIN := $(shell command -v taskset >/dev/null && echo taskset -c 0)
soak: build
	$(CARGO) test --release --workspace --locked --test simulation --no-run
	$(PIN) $(CARGO) test --release --workspace --locked --test simulation -- --nocapture nothing_is_lost_doubled_or_wrong
	tools/peers.sh
	CARGO_TARGET_DIR="$(TARGET)" .peers/venv/bin/python -m pytest -c tests/peers/pytest.ini tests/peers/test_21_kill_runs.py -s

# breaks the protocol of the store in one place after the other, and expects the simulation to notice
mutants:
	tools/mutants.sh

# real clients and servers against the real binaries; fetches them first (Debian, root)
test-peers: page build
	tools/peers.sh
	CARGO_TARGET_DIR="$(TARGET)" .peers/venv/bin/python -m pytest -c tests/peers/pytest.ini tests/peers

# bytes per sample, samples per second of processor time, and a day compacted (docs/benchmarks.md)
bench-store:
	$(CARGO) run --release --locked -p mayfly-bench --bin bench-store

# microseconds to parse, samples per second of processor time to evaluate
bench-promql:
	$(CARGO) run --release --locked -p mayfly-bench --bin bench-promql

# push latency, pushes per second, memory and start beside the real Pushgateway
bench-gateway:
	tools/peers.sh
	$(CARGO) build --release --locked -p mayfly --bin mayfly
	$(CARGO) run --release --locked -p mayfly-bench --bin bench-gateway -- \
	  "$(TARGET)/release/mayfly" .peers/debian/usr/bin/prometheus-pushgateway

# remote write: samples per second, processor time, memory and bytes on disk beside the real Prometheus and VictoriaMetrics
bench-ingest:
	tools/peers.sh
	$(CARGO) build --release --locked -p mayfly --bin mayfly
	$(CARGO) run --release --locked -p mayfly-bench --bin bench-ingest -- \
	  "$(TARGET)/release/mayfly" .peers/debian/usr/bin/prometheus .peers/debian/usr/bin/victoria-metrics

# 1,000 targets of 1,000 series: processor time and memory of a round of scrapes beside the real Prometheus
bench-scrape:
	tools/peers.sh
	$(CARGO) build --release --locked -p mayfly --bin mayfly
	$(CARGO) run --release --locked -p mayfly-bench --bin bench-scrape -- "$(TARGET)/release/mayfly" .peers/debian/usr/bin/prometheus

# what dashboards and alerts ask, beside the real Prometheus and VictoriaMetrics; BENCH_PERCENT=2 of the data for a look at it,
# BENCH_FOLDER=FOLDER keeps the data, so that they need not be loaded again
bench-query:
	tools/peers.sh
	$(CARGO) build --release --locked -p mayfly --bin mayfly
	$(CARGO) run --release --locked -p mayfly-bench --bin bench-query -- "$(TARGET)/release/mayfly" \
	  .peers/debian/usr/bin/prometheus .peers/debian/usr/bin/victoria-metrics $(or $(BENCH_PERCENT),100) $(BENCH_FOLDER)

# 10,000 alert rules over 100,000 series: processor time and memory beside the real Prometheus
bench-alert:
	tools/peers.sh
	$(CARGO) build --release --locked -p mayfly --bin mayfly
	$(CARGO) run --release --locked -p mayfly-bench --bin bench-alert -- \
	  "$(TARGET)/release/mayfly" .peers/debian/usr/bin/prometheus

# the same rules in one process, tick after tick: processor time and requests
bench-ticks:
	$(CARGO) run --release --locked -p mayfly-bench --bin bench-ticks

# 50,000 alerts in 5,000 groups, told to a webhook in one tick: time, processor time and memory
bench-notify:
	$(CARGO) run --release --locked -p mayfly-bench --bin bench-notify

# the Lambda functions on a real S3 server: size, start, memory, requests, and what they cost (docs/deploy-aws.md)
bench-functions: export AWS_ACCESS_KEY_ID = bench
bench-functions: export AWS_SECRET_ACCESS_KEY = bench-secret
bench-functions: export AWS_REGION = us-east-1
bench-functions: functions
	tools/peers.sh
	$(CARGO) run --release --locked -p mayfly-bench --bin bench-functions -- "$(TARGET)/lambda" .peers/venv/bin/weed

# a batch job, its metrics, a question, an alert; ONCE=1 ends after the story, DEMO_INPUT=FOLDER is what the job reads
demo: build
	@ONCE="$(ONCE)" DEMO_INPUT="$(DEMO_INPUT)" "$(TARGET)/debug/mayfly-demo"
