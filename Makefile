# One front door. `make help` lists what is here; CI calls the same targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:

PYTHON  ?= python3.12
VENV    := .venv
BIN     := $(VENV)/bin
READY   := $(VENV)/.ready-$(firstword $(shell cat requirements/bootstrap.txt requirements/dev.txt requirements/overrides.txt pyproject.toml | sha256sum))
BUNDLE  ?= build/lab
NODES   ?= 1
PYTEST  := $(BIN)/python -m pytest
WORKERS ?= 2
PLUGINS := vllm embeddings graphrag unstructured presidio langgraph

# Unit tests run in four processes, each of which imports only what its tests are of, WORKERS at once. Thousands of small
# files are in memory, where there is a gigabyte for them: a disk's flushes would be waited for.
UNIT      := $(filter-out %/__pycache__,$(patsubst %/,%,$(wildcard tests/unit/*/))) $(PLUGINS:%=plugins/%/tests)
INSTALLER := tests/unit/bundle tests/unit/installer
DOCUMENTS := tests/unit/support plugins/graphrag/tests plugins/unstructured/tests
AGENTS    := plugins/presidio/tests plugins/langgraph/tests
PARTS     := $(addprefix test-unit-,documents agents installer rest)
MEMORY    := $(shell df --output=avail /dev/shm 2>/dev/null | awk 'NR == 2 && $$1 > 1000000 { print "/dev/shm" }')
INMEMORY  := $(MEMORY:%=TMPDIR=%) PYTEST_ADDOPTS='-o tmp_path_retention_policy=failed'

# Else each process of each tier compiles all that it imports.
unexport PYTHONDONTWRITEBYTECODE

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 20

setup: $(READY) ## make the Python environment in .venv (half a minute; seconds when cached)

$(READY): requirements/bootstrap.txt requirements/dev.txt requirements/overrides.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "error: LLMFlow is developed on Python 3.12, and there is no $(PYTHON) on PATH: install it, or name it with PYTHON=…" >&2; exit 4; }
	echo "Setting up $(VENV) (half a minute; seconds when cached)" >&2
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	$(BIN)/uv pip install --quiet --require-hashes --no-deps -r requirements/dev.txt   # it is the whole closure, and spaCy is left out of it
	$(BIN)/uv pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

bundle: $(READY) ## build the lab bundle into BUNDLE=build/lab (first time 12 minutes, then seconds)
	@$(BIN)/llmflow bundle build lab --out $(BUNDLE)

demo: $(READY) ## build, rehearse NODES=1 or 3 hosts, install, ask a question (first time 25 minutes, then 5)
	@[ "$$(id -u)" = 0 ] || { echo "error: the demo boots hosts on a bridge, which needs root: sudo make demo" >&2; exit 4; }
	started=$$(date +%s)
	$(BIN)/llmflow bundle build lab --out $(BUNDLE)
	LLMFLOW_PLUGIN_PYTHON=$(CURDIR)/$(BIN)/python $(BUNDLE)/llmflow demo --bundle $(BUNDLE) --nodes $(NODES) --build-seconds $$(( $$(date +%s) - started ))

demo-down: $(READY) ## end the demo: no process, mount, bridge or rule stays
	@$(BIN)/llmflow rehearse down

check: $(READY) ## format, lint and types
	@$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	for plugin in $(filter-out vllm,$(PLUGINS)); do $(BIN)/mypy plugins/$$plugin; done
	$(BIN)/mypy --python-version 3.11 plugins/unstructured/llmflow_unstructured   # its organ's Python is Debian 12's

test: check test-unit test-contract test-integration test-e2e ## every tier (first time 45 minutes, then 30)

test-unit: $(READY) ## seconds: no sockets but loopback, no root
	@$(MAKE) --no-print-directory --jobs=$(WORKERS) --output-sync --keep-going $(PARTS)

test-unit-installer: part := $(INSTALLER)
test-unit-documents: part := $(DOCUMENTS)
test-unit-agents: part := $(AGENTS)
test-unit-rest: part := $(filter-out $(INSTALLER) $(DOCUMENTS) $(AGENTS),$(UNIT))
$(PARTS): $(READY)
	@$(INMEMORY) $(PYTEST) $(part)

test-contract: $(READY) ## two sides that must agree: locks, playbooks, charts, packages
	@$(PYTEST) tests/contract
	$(INMEMORY) $(PYTEST) --hypothesis-profile=long -m hypothesis $(UNIT)

test-integration: $(READY) ## real engines on CPU
	@$(PYTEST) tests/integration

test-e2e: $(READY) ## rehearsals: install, second run, kill, egress, teardown (root)
	@$(PYTEST) tests/e2e

record: $(READY) ## record the demo as docs/images/demo.svg
	@$(BIN)/python docs/record.py docs/images/demo.svg -- make demo

forms: $(READY) ## draw the plugins' forms for their READMEs
	@$(BIN)/python docs/form.py $(PLUGINS:%=plugins/%)

bench: $(READY) ## measure ratios side by side, write docs/reference/benchmarks.md
	@$(BIN)/python tests/bench

lock: $(READY) ## resolve the intent again: requirements and the bundle's lock (online)
	@cd requirements
	uv=../$(BIN)/uv
	compile() { $$uv pip compile --quiet --generate-hashes --no-emit-find-links --no-emit-index-url --custom-compile-command "make lock" "$$@"; }
	compile --universal --python-version 3.11 runtime.in -o runtime.txt
	compile --python-version 3.12 -c runtime.txt --overrides overrides.txt dev.in -o dev.txt
	compile --python-version 3.12 -c dev.txt bootstrap.in -o bootstrap.txt
	compile --python-version 3.12 milvus.in -o milvus.txt
	for plugin in $(PLUGINS); do
		compile --python-version 3.12 --python-platform x86_64-manylinux_2_28 ../plugins/$$plugin/requirements.in -o ../plugins/$$plugin/requirements.txt
	done
	cd .. && $(BIN)/llmflow bundle lock lab

clean: ## remove what was built here; caches stay (make clean-cache)
	@rm -rf build $(VENV) .mypy_cache .pytest_cache .ruff_cache

clean-cache: ## remove the caches of fetched and built bytes
	@rm -rf "$${LLMFLOW_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/llmflow}"

.PHONY: help setup bundle demo demo-down check test test-unit $(PARTS) test-contract test-integration test-e2e record forms bench lock clean clean-cache
