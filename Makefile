# Every recipe here works on a fresh clone.
.PHONY: run build test bench lint fmt

CARGO ?= cargo
SECONDS_PER_CASE ?= 10

## run: start the server on the embedded default (./data, http://127.0.0.1:8091/)
run:
	$(CARGO) run --release --locked --bin drawbridge -- serve

build:
	$(CARGO) build --release --locked

## test: install what the tests need where it is missing, and run them all
test:
	deploy/install-test-packages
	$(CARGO) test --locked --workspace

## bench: measure draws beside their limits; writes target/bench/results.json
bench: build
	target/release/loadtest bench --seconds $(SECONDS_PER_CASE)

## lint: what CI checks besides the tests
lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) deny --locked check licenses bans sources

fmt:
	$(CARGO) fmt
