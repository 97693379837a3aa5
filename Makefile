# What a person types and what CI runs are the same targets. Everything is built in one profile (release), so that the C
# libraries inside (librdkafka, OpenSSL, zstd) are compiled once.
.DEFAULT_GOAL := help
CARGO ?= cargo
RELEASE := --release --locked

.PHONY: help build demo test test-unit test-integration kafka registry readers prometheus grafana helm prove bench fuzz fmt lint deny clean-kafka

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## The program: target/release/okta-kafka-source
	$(CARGO) build $(RELEASE)

demo: ## The whole pipeline with nothing installed: a simulated org and an embedded broker, about a minute
	$(CARGO) run $(RELEASE) -- demo

test: test-unit test-integration ## All tests. Starts a real Kafka (Java 17+ and Maven), or uses KAFKA_BOOTSTRAP; names what it left out

# Unit tests run with debug assertions, which the shipped binary does not have: the invariants I1-I10 are asserted there.
test-unit: ## Only what needs no broker and no process: seconds
	$(CARGO) test $(RELEASE) --config profile.release.package.okta-kafka-source.debug-assertions=true --lib

# A failure does not hide what was left out. Tests that can't be made short are `ignored` here, and run by `make prove`.
test-integration: build kafka registry readers prometheus grafana helm ## Only tests/it: the shipped binary against a real Kafka
	@rm -f target/tmp/skipped-tests.txt
	@status=0; $(CARGO) test $(RELEASE) --test it || status=$$?; tests/skipped; exit $$status

kafka: ## Fetches Apache Kafka for the tests into target/kafka, once
	@if [ -n "$$KAFKA_BOOTSTRAP" ]; then echo "Kafka: $$KAFKA_BOOTSTRAP (given)"; \
	else tests/kafka/kafka.sh fetch || [ -z "$$OKS_REQUIRE_BROKER" ]; fi

registry: ## Fetches a schema registry (Apicurio) for the tests into target/registry, once
	@tests/registry/registry.sh fetch || [ -z "$$OKS_REQUIRE_BROKER" ]

readers: ## Fetches Python and Java libraries for the tests, once: they read what is published and check what is signed
	@{ tests/python/python.sh fetch && tests/reader/java.sh fetch; } || [ -z "$$OKS_REQUIRE_BROKER" ]

prometheus: ## Finds or fetches Prometheus, promtool and Alertmanager (Debian's) for the tests into target/prometheus, once
	@tests/prometheus/prometheus.sh fetch || [ -z "$$OKS_REQUIRE_BROKER" ]

grafana: ## Fetches Grafana's types and the TypeScript compiler for the tests into target/grafana, once
	@tests/grafana/grafana.sh fetch || [ -z "$$OKS_REQUIRE_BROKER" ]

helm: ## Builds helm and kubeconform for the tests into target/helm, once (needs Go, some minutes)
	@tests/helm/helm.sh fetch >/dev/null || [ -z "$$OKS_REQUIRE_BROKER" ]

prove: build kafka registry readers prometheus grafana helm ## The long runs in full (an hour and more); writes docs/prove.md from their results
	rm -rf target/prove
	OKS_PROVE=1 OKS_REQUIRE_BROKER=1 $(CARGO) test $(RELEASE) --test it -- --include-ignored --test-threads=1
	OKS_PROVE=1 OKS_REQUIRE_BROKER=1 $(CARGO) bench --locked
	tests/prove/table

test-integration prove: compose

.PHONY: compose
compose: ## Builds the loader of docker-compose.yml for the tests into target/compose, once (needs Go)
	@tests/compose/compose.sh fetch >/dev/null || [ -z "$$OKS_REQUIRE_BROKER" ]

bench: kafka ## Throughput, latency and memory beside a bare loop; the figures in docs/measurements.md
	$(CARGO) bench --locked

fuzz: ## Each fuzz target for FUZZ_SECONDS (600), one after the other, on one core (needs cargo-fuzz)
	fuzz/run

fmt: ## Formats the sources
	$(CARGO) fmt --all

lint: ## What CI refuses: formatting, clippy's warnings
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(RELEASE) --all-targets -- -D warnings

deny: ## Licences, advisories and bans of the dependencies, when Cargo.lock changes (needs cargo-deny)
	cargo-deny check

clean-kafka: ## Forgets the fetched Kafka
	rm -rf target/kafka
