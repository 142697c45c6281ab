# Every recipe here works on a fresh clone. `make help` lists them, by the lines that begin with ##.
.PHONY: run help build test test-mysql fuzz bench bench-pair bench-micro flame bench-growth bench-mixed bench-results k6 jmeter cluster cluster-down chaos chaos-availability overload sim-seeds load soak audit-load stock-model lint fmt

CARGO ?= cargo
PORT ?= 8091
DATA ?= ./data
# Only what was asked for: options would win over a configuration in the environment.
RUN_OPTIONS = $(if $(findstring file,$(origin DATA)),,--data "$(DATA)") \
	$(if $(findstring file,$(origin PORT)),,--listen 127.0.0.1:$(PORT) --admin 127.0.0.1:$(shell expr $(PORT) + 1))
SECONDS_PER_CASE ?= 6
PAIRS ?= 5
FLOOR ?= 0.97
SHARDS ?= 2
GATEWAYS ?= 2
CHAOS_FAULTS ?= 60
ROUNDS ?= 1
SEEDS ?= 100000
FUZZ_SECONDS ?= 60
OVERLOAD_SECONDS ?= 60
SOAK_SECONDS ?= 1200
SOAK_GATEWAYS ?= 1
AUDIT_ORDERS ?= 10000000
RESULTS_ORDERS ?= 10000000
MIXED_ROUNDS ?= 3
URL ?= http://127.0.0.1:8091
PROFILE ?= ramp:0..2000:10s,hold:2000:20s

## run: build for trying and start the server on the embedded default (http://127.0.0.1:8091/, ./data);
## PORT=8191 takes that port and the next one, DATA=folder keeps the draws elsewhere
run:
	@deploy/check-ports "$(PORT)"
	$(CARGO) run --profile try --locked --bin drawbridge -- serve $(RUN_OPTIONS)

## help: list what can be made
help:
	@awk '/^## / { sub(/^## /, ""); if (match($$0, /^[a-z0-9-]+: /)) \
		printf "%-20s %s\n", substr($$0, 1, RLENGTH - 2), substr($$0, RLENGTH + 1); else printf "%-20s %s\n", "", $$0 }' $(MAKEFILE_LIST)

## build: build everything for real use: target/release/drawbridge
build:
	$(CARGO) build --release --locked

## test: install what the tests need where it is missing (it asks on a terminal; YES=1 does not), and run them all
test:
	deploy/install-test-packages
	$(CARGO) test --locked --workspace

## test-mysql: run the storage tests with MySQL 9 in place of MariaDB; gets it first; as root
test-mysql:
	deploy/install-test-packages
	CARGO=$(CARGO) deploy/test-mysql

## stock-model: visit every state of small instances of the stock's protocol, and find each broken rule; some minutes
stock-model:
	docs/design/stock_model.py

## fuzz: look for requests that the decoder stumbles over; gets cargo-fuzz and a nightly toolchain first
fuzz:
	rustup toolchain list | grep -q ^nightly || rustup toolchain install nightly --profile minimal
	$(CARGO) fuzz --version >/dev/null 2>&1 || $(CARGO) install cargo-fuzz --locked
	mkdir -p fuzz/corpus/decoder
	cd fuzz && $(CARGO) +nightly fuzz run --fuzz-dir . decoder corpus/decoder seeds/decoder -- -max_total_time=$(FUZZ_SECONDS) -max_len=4096

## bench: measure draws beside their limits; writes target/bench/results.json
bench: build
	deploy/install-test-packages
	target/release/loadtest bench --seconds $(SECONDS_PER_CASE)

## bench-pair: measure draws and refusals of this tree and of the commit BASE in turn, PAIRS times; fails when the
## median of the ratios is below FLOOR; writes target/bench/pair.json; BASE_BIN=path takes a binary in place of a commit
bench-pair: build
	deploy/install-test-packages
	CARGO="$(CARGO)" BASE_BIN="$(BASE_BIN)" loadtest/pair "$(BASE)" --pairs $(PAIRS) --seconds $(SECONDS_PER_CASE) --floor $(FLOOR) $(if $(CASES),--cases $(CASES))

## bench-micro: measure the parts of a draw by themselves: odds, rules, router, limits, plan and settle
bench-micro:
	$(CARGO) bench --locked -p loadtest --bench micro

## flame: draw flame graphs of a gateway and a shard under load; gets perf and inferno first; writes target/bench/flame-*.svg
flame: build
	deploy/install-test-packages
	loadtest/flame

## bench-growth: measure draws with more shards, prizes, accounts; writes target/bench/growth.json
bench-growth: build
	deploy/install-test-packages
	target/release/loadtest growth --seconds $(SECONDS_PER_CASE) $(if $(STEPS),--steps $(STEPS))

## bench-mixed: measure a mix of calls (70 % draws, 20 % queries, 10 % sign-ins, purchases and reports), draws that pay
## points, and purchases, each beside draws alone; fails below 0.8 of them; writes target/bench/mixed.json
bench-mixed: build
	deploy/install-test-packages
	target/release/loadtest mixed --seconds $(SECONDS_PER_CASE) --rounds $(MIXED_ROUNDS)

## bench-results: export RESULTS_ORDERS orders from a cluster, alone and beside draws at half of its maximum; writes
## target/bench/export-load.json
bench-results: build
	deploy/install-test-packages
	target/release/loadtest export-load --orders $(RESULTS_ORDERS) $(if $(MAX_RATE),--max-rate $(MAX_RATE))

## k6: run the k6 plans shortly on a cluster of this machine; gets k6 first; PLANS chooses some
k6: $(if $(DRAWBRIDGE),,build)
	deploy/install-test-packages
	loadtest/run-plans k6

## jmeter: run the JMeter plans shortly on a cluster of this machine; gets JMeter first
jmeter: $(if $(DRAWBRIDGE),,build)
	deploy/install-test-packages
	loadtest/run-plans jmeter

## load: send draws to the server at URL by the schedule PROFILE; writes target/load/index.html
load: build
	target/release/loadtest load --url $(URL) --profile $(PROFILE) --retries 3 --keep target/load/kept --report target/load --progress

## soak: load a cluster for SOAK_SECONDS at 60 % of its maximum; writes target/bench/soak.json
soak: build
	deploy/install-test-packages
	target/release/loadtest soak --seconds $(SOAK_SECONDS) --gateways $(SOAK_GATEWAYS) $(if $(MAX_RATE),--max-rate $(MAX_RATE)) $(if $(USERS),--users $(USERS)) $(if $(SPREAD),--spread $(SPREAD))

## audit-load: audit a cluster with AUDIT_ORDERS orders beside draws at half of its maximum; writes target/bench/audit-load.json
audit-load: build
	deploy/install-test-packages
	target/release/loadtest audit-load --orders $(AUDIT_ORDERS) $(if $(MAX_RATE),--max-rate $(MAX_RATE))

## cluster: start databases, Redis, gateways and nginx in the folder DIR (deploy/local/README.md)
cluster: $(if $(DRAWBRIDGE),,build)
	deploy/install-test-packages
	SHARDS=$(SHARDS) GATEWAYS=$(GATEWAYS) deploy/local/cluster up "$(DIR)"

## cluster-down: end what `make cluster` started in the folder DIR
cluster-down:
	deploy/local/cluster down "$(DIR)"

## chaos: break a cluster under load, more often than the tests do; CHAOS_SEED repeats a run
chaos:
	deploy/install-test-packages
	CHAOS_FAULTS=$(CHAOS_FAULTS) $(CARGO) test --locked -p gateway --test e2e chaos -- --nocapture

## chaos-availability: check that each fault costs only the users whom it concerns, ROUNDS rounds of all faults;
## CHAOS_AVAILABILITY_SEED repeats a run, CHAOS_AVAILABILITY_ONLY=NAME takes the faults with that in their name
chaos-availability:
	deploy/install-test-packages
	CHAOS_AVAILABILITY_ROUNDS=$(ROUNDS) $(CARGO) test --locked -p gateway --test e2e cluster::availability -- --nocapture

## overload: send three times what a cluster can commit, for longer than the tests do
overload:
	deploy/install-test-packages
	OVERLOAD_SECONDS=$(OVERLOAD_SECONDS) $(CARGO) test --locked -p gateway --test e2e cluster::overload -- --nocapture

## sim-seeds: simulate from SEEDS seeds, ten times as many as `make test` does; says what happened how often
sim-seeds:
	SIM_SEEDS=$(SEEDS) $(CARGO) test --locked -p shards --lib everything_holds_whatever_happens -- --nocapture

## lint: what CI checks besides the tests
lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) deny --locked check licenses bans sources

## fmt: format the sources
fmt:
	$(CARGO) fmt
