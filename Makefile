# The one way to build, run and check Latchkey. Nothing here needs more than Go,
# a shell and make; `make test` fetches the rest where it may (scripts/prepare).
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

GOLANGCI_LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.6.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
FUZZTIME ?= 30s
# A program knows its commit where there is one to know: not in an archive of the sources.
BUILDVCS := $(shell git rev-parse -q --verify HEAD >/dev/null 2>&1 && echo true || echo false)

.PHONY: help build run test unit bench bench-compare lint vuln fuzz strings shots docs release

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build ./bin/latchkey
	CGO_ENABLED=0 go build -trimpath -buildvcs=$(BUILDVCS) -o bin/latchkey ./cmd/latchkey

run: build ## build and start the demo: everything on this machine, nothing to set up (ADDR=localhost:9000)
	./bin/latchkey demo $(if $(ADDR),--addr $(ADDR))

test: ## everything: vet, layers, race tests on both databases, browser
	@scripts/test

unit: ## the part that needs nothing installed, in under a minute
	go test -short ./...

bench: build ## the table of figures, on both databases (BENCH="--only silent --duration 5s" for some)
	@scripts/bench $(BENCH)

bench-compare: build ## the same figures beside those of another commit, in turn (BASE=commit; BENCH as above)
	@scripts/bench-compare "$(BASE)" $(BENCH)

lint: ## gofmt, vet, staticcheck and more, by golangci-lint
	@scripts/lint $(GOLANGCI_LINT)

vuln: ## known vulnerabilities in what the binary really calls
	@scripts/vuln $(GOVULNCHECK)

fuzz: ## every Fuzz test for FUZZTIME (30s)
	@scripts/fuzz $(FUZZTIME)

docs: ## write docs/configuration.md from the comments in package internal/config
	go generate ./internal/config

strings: ## texts missing or unused, by language
	@go test -count=1 -v -run '^TestReportStrings$$' ./locales

shots: ## the pictures in the README, taken anew (every page: SHOTS=folder go test ./e2e)
	PICTURES="$(CURDIR)/docs/images" go test -count=1 -run '^TestPictures$$' ./e2e

release: ## archives, checksums and SBOM of the last commit, into ./dist (scripts/reproduce proves it twice)
	@scripts/release
