# Everything a person types here. Set-up is done by the targets themselves, and is quick when nothing is missing.

.DEFAULT_GOAL := help
SHELL := /bin/bash
NEXTEST := cargo nextest run --workspace --no-fail-fast
CONSOLE := daemons/desk/console
SETUPS := base nextest browser python udev uml media trixie

include install.mk
include image/image.mk

.PHONY: help demo test check console build sim crowd bench fuzz setup $(SETUPS:%=setup-%) setup-bench peers cross-arm64 check-buildroot

help: ## This list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sort | sed -E 's/^([a-z0-9-]+):.*## /  make \1\t/' | expand -t 20

demo: setup-base setup-media console ## A whole centre and a school on this computer, with a button to press
	@echo "building the daemons (the first time takes some minutes) ..."
	@# With the examples: their features are those of the tests, and both then share one build.
	cargo build --workspace --bins --examples
	target/debug/onepress demo

test: setup build check ## Everything that is shown by tests
	$(NEXTEST)
	cargo test --workspace --doc --quiet
	cd $(CONSOLE) && npm run --silent check && npm test --silent
	$(MAKE) --no-print-directory fuzz SECONDS=5

check: console ## Formatting and lints
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings

build: console ## The daemons as tests use them
	cargo build --workspace --bins --examples
	tests/uml/build.sh

console: $(CONSOLE)/dist/index.html ## The web console, which is built into the desk

$(CONSOLE)/node_modules/.package-lock.json: $(CONSOLE)/package-lock.json | setup-base
	cd $(CONSOLE) && npm ci --no-audit --no-fund
	@touch $@

$(CONSOLE)/dist/index.html: $(CONSOLE)/node_modules/.package-lock.json $(CONSOLE)/index.html $(CONSOLE)/vite.config.ts $(shell find $(CONSOLE)/src -type f 2>/dev/null)
	cd $(CONSOLE) && npm run --silent build
	@touch $@

sim: ## The simulation: make sim SEEDS=5000, or make sim SEED=17
	SIM_SEEDS=$(or $(SEEDS),200) $(if $(SEED),SIM_SEED=$(SEED)) cargo nextest run -p onepress-tests --test sim --no-capture

crowd: console ## Two hundred incidents with pictures and voices at once, for a minute
	cargo build --release --workspace --bins --example bench
	target/release/examples/bench --crowd

fuzz: ## Arbitrary bytes at all that reads from outside: make fuzz SECONDS=60, each
	cd fuzz && cargo build --quiet --bins
	ls fuzz/fuzz_targets | sed 's/[.]rs$$//' | xargs -P 2 -I{} fuzz/run.sh {} $(or $(SECONDS),5)

setup: $(SETUPS:%=setup-%) ## What the tests need on this machine

$(SETUPS:%=setup-%) setup-bench:
	@tests/setup/$(@:setup-%=%).sh

bench: console setup-bench ## Times beside their floors and beside brokers, to bench/RESULTS.md; make bench SHORT=1 for a glance
	cargo build --release --workspace --bins --example bench --example plain-relay --example floor --example crowd
	target/release/examples/bench $(if $(SHORT),--short)

cross-arm64: console ## All daemons for arm64, looked at under QEMU: make cross-arm64 PROFILE=dist
	image/cross-arm64.sh $(PROFILE)

check-buildroot: ## The Buildroot tree loads and loses nothing: make check-buildroot BUILDROOT=a checkout
	@image/buildroot/check.sh $(BUILDROOT)

peers: ## The stock MoQ relay that make bench measures beside ours: half an hour, once
	@tests/setup/peers.sh
