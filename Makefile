# Orderfleet. `make help` explains every target.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

MODULES  := shared producer worker deploy
# The longest tests begin first; most of their time they wait.
PACKAGES := ./deploy/test ./deploy/stress ./deploy/chaos ./worker ./shared/... ./producer/... ./worker/... ./deploy/...
TESTFLAGS := -p 4 -timeout 20m

GOLANGCI_LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOVULNCHECK   := golang.org/x/vuln/cmd/govulncheck@v1.9.0

# How long each fuzz target runs, and which tests `make test` runs.
FUZZTIME ?= 20s
ARGS     ?=

.PHONY: help
help: ## Say what each target does
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Run the main job once: embedded NATS, paper broker, worker, 200 orders; prove the result
	@mkdir -p .bin && go build -o .bin/local ./deploy/cmd/local
	@exec .bin/local demo $(ARGS)

.PHONY: up
up: ## The same system, left running, to publish to; Ctrl-C stops it
	@mkdir -p .bin && go build -o .bin/local ./deploy/cmd/local # not go run: it would fail at Ctrl-C
	@exec .bin/local up $(ARGS)

.PHONY: test
test: ## Run all tests
	go test $(TESTFLAGS) $(PACKAGES) $(ARGS)

.PHONY: race
race: ## Run all tests under the race detector
	go test -race $(TESTFLAGS) $(PACKAGES) $(ARGS)

.PHONY: bench
bench: ## Run every benchmark, then the stress test beside the bare SDK loop
	go test -run '^$$' -bench . -benchmem $(PACKAGES) $(ARGS)
	go run ./deploy/cmd/stress --compare

# How long `make chaos` breaks things.
DURATION ?= 5m

.PHONY: chaos
chaos: ## Kill, freeze, cut and confuse the running fleet for DURATION (default 5m); check every order
	@mkdir -p .bin && go build -o .bin/ ./deploy/cmd/chaos ./worker/cmd/worker
	@exec .bin/chaos --duration $(DURATION) $(ARGS)

# The bugs that `make planted` plants; all if it is empty.
BUGS ?=

.PHONY: planted
planted: ## Plant bugs in the workers, one at a time, and see that the judge of make chaos finds each
	@mkdir -p .bin && go build -o .bin/ ./deploy/cmd/chaos && go build -tags planted -o .bin/worker-planted ./worker/cmd/worker
	@exec .bin/chaos planted $(BUGS) $(ARGS)

.PHONY: lint
lint: ## Check formatting, go vet, golangci-lint, module files, known vulnerabilities
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo 'run gofmt -w on these files'; exit 1; }
	go vet $(PACKAGES)
	go run $(GOLANGCI_LINT) run $(PACKAGES)
	@for m in $(MODULES); do (cd $$m && GOWORK=off go mod verify >/dev/null && GOWORK=off go build ./...); done
	@if curl -sfm 5 -o /dev/null https://vuln.go.dev/index/db.json; then \
	  for m in $(MODULES); do (cd $$m && go run $(GOVULNCHECK) ./...); done; \
	else echo 'govulncheck: its database cannot be reached from here; skipped'; fi

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (default 20s)
	@for pkg in $$(go list -f '{{.Dir}}' $(PACKAGES)); do \
	  for f in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]+' $$pkg/*_test.go 2>/dev/null | awk '{print $$2}'); do \
	    echo "$$pkg $$f"; (cd $$pkg && go test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) .); \
	  done; done

.PHONY: ci
ci: ## What CI runs: tests, lint, race detector, one round of every benchmark
	.ci/run
