# A fresh machine needs Go and make. Tools are installed into .bin, what is built goes to .build; neither is committed.
# One set of flags for build, vet, test and lint, so that they share one build cache.
export GOFLAGS = -trimpath -tags=lambda.norpc -buildvcs=false
export SAM_CLI_TELEMETRY = 0

GOLANGCI_VERSION = v2.15.0
SAM_VERSION = 1.170.0
MINISTACK_VERSION = 1.5.33
TRANSLATOR_VERSION = 1.115.0
BIN = .bin
EMULATOR = $(BIN)/emulator
BUILD = .build
VENV = $(BIN)/venv
LOCAL = $(BUILD)/local/signalbox
OPERATE = $(BUILD)/local/signalbox-operate
CLOUD = $(BUILD)/local/signalbox-cloud
CHAOS = $(BUILD)/local/signalbox-chaos
MAP_TEST = $(BUILD)/local/signalbox-map-test
BENCHMARK = $(BUILD)/local/signalbox-bench
# What sam build makes is static and without symbols, and the same bytes on every machine.
SAM_BUILD = CGO_ENABLED=0 GOFLAGS="$(GOFLAGS) -ldflags=-s" $(VENV)/bin/sam build
ARCHITECTURE ?= arm64
GOARCH_arm64 = arm64
GOARCH_x86_64 = amd64
ENV ?= dev
TENANT ?= events/tenants/demo.json
ACTION ?= apply
FUZZTIME ?= 60s
BENCH ?= full
KILLS ?= 100

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(LOCAL) ## Start everything locally, send the sample messages, wait until the CRM simulators hold them, print what happened
	@$(LOCAL) demo

.PHONY: run
run: $(LOCAL) ## Serve locally until interrupted; prints one line of JSON when ready (PUBLIC_BASE_URL=https://... of a tunnel)
	@exec $(LOCAL) run

.PHONY: $(LOCAL)
$(LOCAL):
	@go build -o $@ ./shared/dev/local/cmd/local

# What takes samples under the race detector is run whole without it: see shared/dev/race.
.PHONY: test
test: ## Run unit, contract, conformance and whole-pipeline tests under the race detector
	go test -race -timeout 30m ./...
	go test -timeout 30m -run 'TestContract|Schema|Trouble|Storm|WritersThatMeet|AKill|ForDays|NobodyUnblocks|RedriveAtEvery' \
		./shared/dev/local ./shared/dev/ring1 ./functions/connector/... ./shared/canonical

.PHONY: lint
lint: $(BIN)/golangci-lint-$(GOLANGCI_VERSION) ## Run go vet (for Linux and macOS) and golangci-lint
	go vet ./...
	GOOS=darwin go vet ./shared/dev/... $(addprefix ./,$(wildcard functions/*/*/relay functions/*/*/cmd/*-relay))
	$(BIN)/golangci-lint-$(GOLANGCI_VERSION) run ./...

$(BIN)/golangci-lint-$(GOLANGCI_VERSION):
	GOFLAGS= GOBIN=$(abspath $(BIN)) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	mv $(BIN)/golangci-lint $@

.PHONY: bench
# The peer's variables reach it through its environment: PEER_TOKEN is a secret.
bench: export PEER := $(PEER)
bench: export PEER_PATH := $(PEER_PATH)
bench: export PEER_BODY := $(value PEER_BODY)
bench: export PEER_TOKEN := $(PEER_TOKEN)
bench: export PEER_SINK := $(PEER_SINK)
bench: export PEER_PIDS := $(PEER_PIDS)
bench: $(BENCHMARK) ## Measure everything and print it beside the last committed run (BENCH=quick times each thing once, BENCH=keep commits to this run) and a peer (PEER=, see shared/docs/bench)
	@$(BENCHMARK) -json $(BUILD)/bench.json $(if $(filter quick,$(BENCH)),-quick) $(if $(filter keep,$(BENCH)),-keep) $(if $(filter beside,$(BENCH)),-beside)

.PHONY: $(BENCHMARK)
$(BENCHMARK):
	@go build -o $@ ./shared/dev/bench/cmd/bench

.PHONY: chaos
chaos: $(CHAOS) ## Break everything under load and check that nothing is lost, doubled or out of order (SEED=, KILLS=100, DURATION=40s, REPORT=.build/chaos.json)
	@$(CHAOS) -kills $(KILLS) $(if $(SEED),-seed $(SEED)) $(if $(DURATION),-duration $(DURATION)) $(if $(REPORT),-report $(REPORT))

.PHONY: $(CHAOS)
$(CHAOS):
	@go build -o $@ ./shared/dev/chaos/cmd/chaos

.PHONY: fuzz
fuzz: ## Fuzz every parser for FUZZTIME each (60s)
	@for f in $$(grep -rlE '^func Fuzz' --include='*_test.go' shared functions); do \
		for name in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/p' $$f); do \
			echo "$$name in $$(dirname $$f)"; \
			go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) ./$$(dirname $$f) || exit 1; \
		done; \
	done

.PHONY: validate
validate: ## Check template.yaml: sam validate, sam build, the cfn-lint and structure tests on the expanded template
	@if command -v python3 >/dev/null && python3 -m venv --help >/dev/null 2>&1; then \
		$(MAKE) --no-print-directory validate-with-sam; \
	elif [ -n "$(CI)" ]; then \
		echo "validate: python3 with venv is needed to install the SAM CLI" >&2; exit 1; \
	else \
		echo "SKIPPED: cfn-lint, sam validate, sam build and the expanded template: install python3 with venv for them" >&2; \
		go test -count=1 ./shared/architecture; \
	fi

# The checks make no call; sam wants a region all the same. Deployments take the operator's own.
.PHONY: validate-with-sam
validate-with-sam: export AWS_DEFAULT_REGION = us-east-1
validate-with-sam: $(VENV)/sam-$(SAM_VERSION)
	$(VENV)/bin/sam validate --config-env dev
	@mkdir -p $(BUILD)
	$(VENV)/bin/python shared/architecture/expand.py --loops template.yaml > $(BUILD)/expanded.json
	$(VENV)/bin/cfn-lint --regions us-east-1 --template $(BUILD)/expanded.json
	SAM_PYTHON=$(abspath $(VENV))/bin/python go test -count=1 -v -run 'Expanded|Every|Times|Parameters' ./shared/architecture
	$(SAM_BUILD) --config-env dev
	@for environment in dev staging prod; do cp .aws-sam/build/template.yaml $(BUILD)/$$environment.yaml && \
		$(VENV)/bin/python shared/operations/resolve_parameters.py $(BUILD)/$$environment.yaml $$environment >/dev/null || exit 1; done
	SAM_PYTHON=$(abspath $(VENV))/bin/python SAM_BUILT=$(abspath .aws-sam/build) SAM_RESOLVED=$(abspath $(BUILD)/dev.yaml) \
		go test -count=1 -v -run Released ./shared/architecture

$(VENV)/sam-$(SAM_VERSION):
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check aws-sam-cli==$(SAM_VERSION)
	touch $@

.PHONY: build
build: ## Build every function (ARCHITECTURE=arm64|x86_64): .build/lambda/<name>/bootstrap
	@rm -rf $(BUILD)/bootstraps $(BUILD)/lambda && mkdir -p $(BUILD)/bootstraps
	CGO_ENABLED=0 GOOS=linux GOARCH=$(or $(GOARCH_$(ARCHITECTURE)),$(error ARCHITECTURE is arm64 or x86_64, not $(ARCHITECTURE))) \
		go build -ldflags=-s -o $(BUILD)/bootstraps/ ./functions/...
	@for binary in $(BUILD)/bootstraps/*; do \
		name=$$(basename $$binary); \
		case $$name in *-simulate|*-relay) continue;; esac; \
		mkdir -p $(BUILD)/lambda/$$name && mv $$binary $(BUILD)/lambda/$$name/bootstrap && \
		printf '%9d bytes  %s\n' $$(wc -c < $(BUILD)/lambda/$$name/bootstrap) $(BUILD)/lambda/$$name/bootstrap; \
	done

.PHONY: relay
relay: ## Build what runs on people's own machines, for macOS and Linux: .build/relay/<name>-<system>-<architecture>
	@for system in darwin linux; do for architecture in arm64 amd64; do for folder in $(wildcard functions/*/*/cmd/*-relay); do \
		to=$(BUILD)/relay/$$(basename $$folder)-$$system-$$architecture; \
		CGO_ENABLED=0 GOOS=$$system GOARCH=$$architecture go build -ldflags=-s -o $$to ./$$folder || exit 1; \
		printf '%9d bytes  %s\n' $$(wc -c < $$to) $$to; \
	done; done; done

.PHONY: deploy
deploy: $(VENV)/sam-$(SAM_VERSION) $(OPERATE) ## Build and deploy with AWS SAM, unless what it takes away is in use: make deploy ENV=dev|staging|prod
	$(SAM_BUILD) --config-env $(ENV)
	where=$$($(VENV)/bin/python shared/operations/resolve_parameters.py .aws-sam/build/template.yaml $(ENV)) && \
		env ENDPOINT= $$where PARAMETERS=.aws-sam/build/parameters.yaml $(OPERATE) check
	$(VENV)/bin/sam deploy --config-env $(ENV) --parameter-overrides file://.aws-sam/build/parameters.yaml

# Variables reach the operators' program through its environment, so that no text of theirs is ever part of a shell command.
.PHONY: recover
recover: $(OPERATE) ## Take back what a deleted stack kept, into a stack of its name: make recover STACK=... | ENDPOINT=..., then make deploy
	@$(OPERATE) recover

.PHONY: remove
remove: $(OPERATE) ## Show what a deleted stack kept, and delete it for good, all data with it: make remove STACK=... CONFIRM=<the same>
	@$(OPERATE) remove

.PHONY: apply
apply: export ACTION := $(ACTION)
# The demo tenant has simulators for CRMs: it is applied where it is named, and never for want of a name.
apply: export TENANT := $(if $(filter file,$(origin TENANT)),,$(TENANT))
apply: $(OPERATE) ## Plan or apply the file of a tenant or an account: make apply STACK=... | ENDPOINT=http://127.0.0.1:4566 TENANT=acme.yaml ACTION=plan|apply
	@$(OPERATE) apply

.PHONY: connect
connect: export ACTION := $(if $(filter file,$(origin ACTION)),connect,$(ACTION))
connect: export TENANT := $(if $(filter file,$(origin TENANT)),,$(TENANT))
connect: $(OPERATE) ## Install what a tenant's CRMs lack, and print what is left to do: make connect STACK=... | ENDPOINT=... TENANT=acme [CRM=] [ACTION=check]
	@$(OPERATE) connect

.PHONY: health
health: $(OPERATE) ## Print how each tenant's CRM is, and fail if a gate is closed: make health STACK=... | ENDPOINT=http://127.0.0.1:4566 [CRM=kind] [MINUTES=10]
	@$(OPERATE) health

.PHONY: map-test
map-test: export EVENT := $(EVENT)
map-test: export TENANT := $(TENANT)
map-test: export CRM := $(CRM)
map-test: $(MAP_TEST) ## Print what each CRM of a tenant file would be sent for an event, without a network: make map-test EVENT=events/canonical-sms.json TENANT=acme.yaml [CRM=<name>]
	@$(MAP_TEST)

.PHONY: $(MAP_TEST)
$(MAP_TEST):
	@go build -o $@ ./shared/dev/maptest/cmd/map-test

.PHONY: resume
resume: export TENANT := $(if $(filter file,$(origin TENANT)),,$(TENANT))
resume: $(OPERATE) ## Deliver what is parked, once what kept it waiting is mended: make resume STACK=... | ENDPOINT=http://127.0.0.1:4566 TENANT=acme [CRM=<name>]
	@$(OPERATE) resume

.PHONY: redrive
# What the environment says counts as what the command line says: a plan must never act. Only the defaults above do not.
redrive: export ACTION := $(if $(filter file,$(origin ACTION)),redrive,$(ACTION))
redrive: export TENANT := $(if $(filter file,$(origin TENANT)),,$(TENANT))
redrive: $(OPERATE) ## Put dead letters back, or replay: make redrive STACK=... | ENDPOINT=http://127.0.0.1:4566 TENANT=demo REASON=... (see README)
	@$(OPERATE) redrive

.PHONY: backfill
backfill: $(OPERATE) ## Ask a provider for what never came: make backfill STACK=... | ENDPOINT=... ACCOUNT=<id> FROM=2026-01-31T10:00:00Z TO=... REASON=...
	@$(OPERATE) backfill

# Addresses reach it through its environment, and no plan is ever an apply: of the defaults above none counts.
.PHONY: consent consent-import
consent consent-import: export ACTION := $(if $(filter file,$(origin ACTION)),,$(ACTION))
consent consent-import: export TENANT := $(if $(filter file,$(origin TENANT)),,$(TENANT))
consent: $(OPERATE) ## Show, enter or export consent: make consent STACK=... | ENDPOINT=... TENANT=acme ADDRESS=+1... ACTION=show|enter|export
	@$(OPERATE) consent

consent-import: $(OPERATE) ## Import consent with its evidence: make consent-import STACK=... | ENDPOINT=... TENANT=acme FILE=x.csv ACTION=plan|apply
	@$(OPERATE) consent-import

.PHONY: smoke
smoke: export TENANT := $(TENANT)
smoke: $(OPERATE) ## Send one signed message and follow it: make smoke STACK=... | ENDPOINT=http://127.0.0.1:4566 | URL=... TENANT=acme.yaml
	@$(OPERATE) smoke

.PHONY: $(OPERATE)
$(OPERATE):
	@go build -o $@ ./shared/operations/cmd/operate

.PHONY: channel crm
channel crm: export NAME := $(NAME)
channel: ## Write the folder of a new channel, whose conformance test says what is left to write: make channel NAME=<folder>
	@go run ./shared/dev/scaffold/cmd/scaffold channel

crm: ## Write the folder of a new CRM, whose conformance test says what is left to write: make crm NAME=<folder>
	@go run ./shared/dev/scaffold/cmd/scaffold crm

.PHONY: clients
clients: ## Run CRM clients that nobody here wrote against the simulators; which operations work, which differ
	@command -v python3 >/dev/null || { echo "clients: python3 with venv is needed" >&2; exit 1; }
	@mkdir -p $(BUILD)/local && go build -o $(BUILD)/local/ ./functions/connector/*/cmd/*-simulate
	@python3 shared/dev/clients/run.py $(BIN)/clients $(BUILD)/local

.PHONY: widget-test
widget-test: ## Build and test clients for TypeScript, and the chat widget in a browser (CHROMIUM=, SHOTS= a folder for screenshots)
	@for check in functions/adapter/*/client-ts/check.sh; do [ ! -e $$check ] || BUILD=$(abspath $(BUILD)) SHOTS=$(abspath $(SHOTS)) sh $$check || exit 1; done

.PHONY: described
described: ## Hold the CRM simulators against the vendors' own API descriptions; a skip says where to get them
	@mkdir -p $(BUILD); go test -count=1 -v -run 'Description$$' ./functions/connector/... > $(BUILD)/described.log 2>&1; result=$$?; \
		grep -E '^(FAIL|panic)|is not set|does not fit|shapes' $(BUILD)/described.log; exit $$result

.PHONY: cloud
cloud: $(CLOUD) $(VENV)/sam-$(SAM_VERSION) $(if $(ENDPOINT),,$(EMULATOR)/ministack-$(MINISTACK_VERSION)) ## Deploy to an emulator of AWS, send the samples, change a parameter (ENDPOINT= of one that runs, RECOVERY=1, KEEP=1)
	@$(CLOUD)

.PHONY: $(CLOUD)
$(CLOUD):
	@go build -o $@ ./shared/dev/emulator/cmd/emulate

.PHONY: event
event: ## Print an event for sam local invoke -e, signed now: make -s event FUNCTION=... (events/invoke has them) SAMPLE= PUBLIC_BASE_URL=
	@go run ./shared/dev/samlocal/cmd/sam-event

.PHONY: emulator
emulator: $(EMULATOR)/ministack-$(MINISTACK_VERSION) ## Run the conformance suites, and a recovery, on a third-party emulator (MiniStack, port 4566); every skip is printed
	@mkdir -p $(BUILD)
	@BIND_HOST=127.0.0.1 $(EMULATOR)/bin/ministack > $(BUILD)/emulator.log 2>&1 & emulator=$$!; trap 'kill $$emulator' EXIT; \
		for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do sleep 1; grep -qi 'ready\|running on' $(BUILD)/emulator.log && break; done; \
		SIGNALBOX_EMULATOR_URL=http://127.0.0.1:4566 go test -count=1 -v -run 'Emulator' ./shared/aws/... > $(BUILD)/emulator-tests.log 2>&1; result=$$?; \
		grep -E '^(ok|FAIL|panic)|--- FAIL|--- SKIP|test\.go:[0-9]+: ' $(BUILD)/emulator-tests.log | grep -v 'no test'; exit $$result

# The extra is what it needs for provided.al2023 functions and HTTP APIs; the translator is what it expands SAM templates with.
$(EMULATOR)/ministack-$(MINISTACK_VERSION):
	python3 -m venv $(EMULATOR)
	$(EMULATOR)/bin/pip install --quiet --disable-pip-version-check 'ministack[full]==$(MINISTACK_VERSION)' aws-sam-translator==$(TRANSLATOR_VERSION)
	touch $@

.PHONY: clean
clean: ## Remove what was built; installed tools stay
	rm -rf $(BUILD) .aws-sam
