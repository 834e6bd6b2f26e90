# What people run. `make` alone lists it.

CARGO        ?= cargo
TARGET       := $(or $(CARGO_TARGET_DIR),target)
BUILT        := $(TARGET)/debug
CASES        ?= 10000
FUZZ_SECONDS ?= 60
FUZZ_RUNS    ?= 10000000
TORTURE_RATE ?= 100
DENY_VERSION := 0.20.2
FUZZ_VERSION := 0.13.2
BOOK_VERSION := 0.5.4
OHA_VERSION  := 1.16.0
CYCLONEDX_VERSION := 0.5.9
MUTANTS_VERSION   := 27.1.0

.DEFAULT_GOAL := help
.PHONY: help demo demo-cluster test torture control-plane bench load load-limits load-cluster book lint fmt fuzz fuzz-nightly properties mutants sbom \
	reproducible image install-tools need-rust need-deny need-fuzz need-book need-oha need-cyclonedx need-mutants need-buildah need-chromium need-faketime

help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# A build without optimisation: it is there soonest, and `make test` uses the same one.
demo: need-rust ## Judge the example shop, and ask the webhook, without Kubernetes
	@$(CARGO) build --locked --target-dir $(TARGET) --bins --examples
	@echo; echo '$$ domicile check -f examples/shop --cluster examples/cluster'; echo
	@status=0; $(BUILT)/domicile check -f examples/shop --cluster examples/cluster || status=$$?; \
	echo; echo "exit status $$status (1: the shop breaks policies, as it is meant to)"; \
	test $$status -eq 1
	@echo; echo '$$ domicile explain deployment/checkout -n shop --cluster examples/cluster examples/shop'; echo
	@status=0; $(BUILT)/domicile explain deployment/checkout -n shop --cluster examples/cluster examples/shop || status=$$?; \
	test $$status -le 1
	@echo; $(BUILT)/examples/webhook

demo-cluster: need-rust control-plane ## Install Domicile into a real control plane, and be refused by it
	@$(CARGO) test --locked --quiet --test demo -- --nocapture --quiet

test: need-rust control-plane need-chromium ## Run every test, those in the documentation too
	@$(CARGO) test --locked
	@$(MAKE) --no-print-directory properties

# The faults that are brief are a part of `make test`, which does without the load that this has.
torture: need-rust need-faketime control-plane ## Try every fault under TORTURE_RATE (100) creations a second: half an hour (docs/reliability.md)
	@DOMICILE_TORTURE=$(TORTURE_RATE) $(CARGO) test --locked --test torture -- --nocapture

control-plane: ## Build the Kubernetes control plane that the tests use, once, and print its folder
	@tests/controlplane/build.sh

bench: need-rust ## Measure time and memory, and how they grow (docs/performance.md)
	@$(CARGO) bench --locked

load: need-rust need-oha ## Measure the webhook under load, beside one that judges nothing
	@$(CARGO) bench --locked --bench load

load-limits: need-rust need-oha ## Push the webhook until it refuses or is slow (docs/reliability.md)
	@$(CARGO) bench --locked --bench limits

load-cluster: need-rust control-plane ## Measure what pods pay for admission on a real control plane
	@$(CARGO) bench --locked --bench load-cluster

book: need-book ## Build the documentation as a book, into target/book
	@mdbook build docs

lint: need-rust need-deny ## Check format, lints, licences, sources and advisories
	@$(CARGO) fmt --all --check
	@$(CARGO) clippy --locked --all-targets -- -D warnings
	@$(CARGO) deny --locked check licenses bans sources
	@if timeout 300 $(CARGO) deny --locked fetch db >/dev/null 2>&1; then \
		$(CARGO) deny --locked check --disable-fetch advisories; \
	else \
		echo 'advisories SKIPPED: the RustSec database cannot be fetched from this machine'; \
	fi

fmt: need-rust ## Format the code
	@$(CARGO) fmt --all

# libFuzzer's instrumentation asks for flags that a stable compiler hides; the variable shows them.
fuzz: need-rust need-fuzz ## Run each fuzz target for FUZZ_SECONDS (60)
	@set -e; targets="$(or $(FUZZ_TARGETS),$$($(CARGO) fuzz list))"; test -n "$$targets"; for target in $$targets; do \
		echo "fuzz $$target"; \
		mkdir -p "fuzz/corpus/$$target"; \
		RUSTC_BOOTSTRAP=1 RUSTC_WRAPPER=$(CURDIR)/fuzz/instrument.sh $(CARGO) fuzz run $(FUZZ_OPTIONS) "$$target" "fuzz/corpus/$$target" "fuzz/seeds/$$target" -- \
			-max_total_time=$(FUZZ_SECONDS) -runs=$(or $(RUNS),-1) -timeout=10 -len_control=0 -max_len=512 \
			-print_final_stats=1; \
	done

# Without AddressSanitizer, which `make fuzz` has: there is no unsafe code of ours, and it is several times as fast. Those that make a cluster
# or a geography of every input are tried a hundredth as often.
fuzz-nightly: ## Run each fuzz target FUZZ_RUNS (10,000,000) times: a night
	@$(MAKE) --no-print-directory fuzz FUZZ_SECONDS=0 RUNS=$(FUZZ_RUNS) FUZZ_TARGETS="manifests places selectors judge reviews" \
		FUZZ_OPTIONS="--sanitizer none --no-trace-compares"
	@$(MAKE) --no-print-directory fuzz FUZZ_SECONDS=0 RUNS=$$(($(FUZZ_RUNS) / 100)) FUZZ_TARGETS="clusters geographies" \
		FUZZ_OPTIONS="--sanitizer none --no-trace-compares"

properties: need-rust ## Try each property of the judgement with CASES (10000) random objects
	@CARGO_PROFILE_DEV_OPT_LEVEL=1 DOMICILE_CASES=$(CASES) $(CARGO) test --locked --test properties

# MUTANTS="--file src/geography/pattern.rs" tries one file, MUTANTS="--shard 0/8" an eighth of everything. A mutant takes half a minute.
mutants: need-rust need-mutants ## Break the judgement in every small way, and list what no test notices
	@mkdir -p $(TARGET)/mutants
	@$(CARGO) mutants --output $(TARGET)/mutants --jobs 1 --no-shuffle $(MUTANTS)

sbom: need-rust need-cyclonedx ## Write what the binary is made of, as a CycloneDX SBOM in target/domicile.cdx.json
	@release/sbom.sh $(TARGET)/domicile.cdx.json

reproducible: need-rust ## Build the release twice, in two places, and compare: half an hour
	@release/reproducible.sh $(TARGET)/reproducible

image: need-rust need-buildah control-plane ## Build the image without a registry, and try its binary where there is no other file
	@release/build.sh $(TARGET)/image/domicile $(TARGET)
	@release/alone.sh $(TARGET)/image/domicile
	@release/image.sh $(TARGET)/image/domicile $(TARGET)/image/domicile.tar
	@DOMICILE_IMAGE=$(TARGET)/image/domicile $(CARGO) test --locked --test install -- image

install-tools: need-rust need-deny need-fuzz need-oha need-cyclonedx need-mutants ## Install cargo-deny, cargo-fuzz, oha, cargo-cyclonedx and cargo-mutants

need-rust:
	@command -v $(CARGO) >/dev/null || { echo 'cargo is missing: install Rust 1.95 or newer, with rustup or from your distribution' >&2; exit 1; }
	@command -v cc >/dev/null || { echo 'cc is missing: install a C compiler (gcc or clang), which the TLS library needs' >&2; exit 1; }

need-deny: need-rust
	@$(CARGO) deny --version >/dev/null 2>&1 || $(CARGO) install --locked cargo-deny@$(DENY_VERSION)

need-fuzz: need-rust
	@$(CARGO) fuzz --version >/dev/null 2>&1 || $(CARGO) install --locked cargo-fuzz@$(FUZZ_VERSION)

need-book:
	@mdbook --version >/dev/null 2>&1 || { $(MAKE) --no-print-directory need-rust && $(CARGO) install --locked --no-default-features --features search mdbook@$(BOOK_VERSION); }

need-oha: need-rust
	@test "$$(oha --version 2>/dev/null)" = "oha $(OHA_VERSION)" || $(CARGO) install --locked oha@$(OHA_VERSION)

need-cyclonedx: need-rust
	@$(CARGO) cyclonedx --version 2>/dev/null | grep --quiet ' $(CYCLONEDX_VERSION)$$' || $(CARGO) install --locked cargo-cyclonedx@$(CYCLONEDX_VERSION)

need-mutants: need-rust
	@$(CARGO) mutants --version >/dev/null 2>&1 || $(CARGO) install --locked cargo-mutants@$(MUTANTS_VERSION)

need-buildah:
	@command -v buildah >/dev/null || { echo 'buildah is missing: install it from your distribution (apt-get install buildah)' >&2; exit 1; }

# The auditor's page is tested in a browser. CHROMIUM names one that is called otherwise.
need-chromium:
	@command -v "$${CHROMIUM:-chromium}" >/dev/null || { \
		test -z "$$CHROMIUM" && test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -qq \
			&& DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null; \
	} || { echo 'chromium is missing: install it from your distribution (apt-get install chromium), or name it in CHROMIUM' >&2; exit 1; }

# Debian's and its children's, which tests/torture/clock.rs looks for. Others have to be installed by hand.
need-faketime:
	@ls /usr/lib/*/faketime/libfaketimeMT.so.1 /usr/lib64/faketime/libfaketimeMT.so.1 2>/dev/null | grep --quiet . || { \
		test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -qq \
			&& DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends faketime >/dev/null; \
	} || { echo 'libfaketime is missing: install it from your distribution (apt-get install faketime)' >&2; exit 1; }
