# The commands for people; `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
export PYTHONDONTWRITEBYTECODE := 1

.PHONY: help setup demo dev test check format docs generate lock bench chaos containers release clean

help: ## Explain the commands
	@echo "Signalbox. To see it work: make demo. To change it: make check and make test before a commit."
	@echo "Every command runs make setup first where it needs to; it is a no-op when nothing has changed."
	@awk -F ':.*## ' '/^## /{printf "\n%s\n", substr($$0, 4)} /^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' \
		$(MAKEFILE_LIST)

## Run
setup: .venv/.ready ## Install the hash-pinned locks into .venv (no-op when nothing changed)

.venv/.ready: requirements/dev.lock requirements/bootstrap.lock \
		$(wildcard services/*/pyproject.toml shared/*/pyproject.toml compose/*/pyproject.toml)
	@$(PYTHON) tools/setup.py

demo: setup ## Demonstrate PIPELINE=ad_creative (default), document_batch, ai_task or invoice_import
	@$(BIN)/python -m signalbox_devstack.demo $(PIPELINE)

dev: setup ## Start the embedded stack and keep it running; prints addresses and a key
	@$(BIN)/signalbox-dev up --state-dir .state/dev

## Change
test: setup ## Run unit, integration, end-to-end, browser and kill tests; ARGS= goes to pytest
	@$(BIN)/python tools/browser.py
	@$(BIN)/python tools/ocr.py
	@$(BIN)/python tools/fonts.py
	@$(BIN)/python tools/programs.py
	@$(BIN)/python tools/helm.py
	@$(BIN)/python -m pytest tests --ignore tests/bench \
		-n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)
	@$(BIN)/python tools/other_pythons.py

check: setup ## Check style, types, import layers, generated pages, manifests and locks
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python tools/events_doc.py --check
	@$(BIN)/python tools/approval_diagram.py --check
	@$(BIN)/python tools/sync_client.py --check
	@$(BIN)/python tools/manifests.py
	@$(BIN)/python tools/helm_chart.py --check
	@$(BIN)/python tools/dashboards.py --check
	@$(BIN)/python tools/locks.py --check

generate: setup ## Generate the blocking client, the dashboards and the Helm chart
	@$(BIN)/python tools/sync_client.py
	@$(BIN)/python tools/dashboards.py
	@$(BIN)/python tools/helm_chart.py

format: setup ## Format the code
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

docs: setup ## Generate docs/events.md and docs/approval-lifecycle.md
	@$(BIN)/python tools/events_doc.py
	@$(BIN)/python tools/approval_diagram.py

lock: setup ## Export requirements/*.lock, pins kept; ARGS=--upgrade takes the newest
	@$(BIN)/python tools/locks.py $(ARGS)

## Measure and ship
bench: setup ## Run the benchmarks, each against a limit and a peer
	@$(BIN)/python -m pytest tests/bench -o timeout=1200 -p no:logging $(ARGS)

chaos: setup ## Run only the tests that kill processes (make test runs them too)
	@$(BIN)/python -m pytest tests/chaos $(ARGS)

containers: setup ## Build the images with Podman, run the services locked down and use them
	@$(BIN)/python tools/containers.py $(ARGS)

release: setup ## Build wheels, the npm package, release notes and checksums into dist/
	@$(BIN)/python tools/release.py

## Clean
clean: ## Remove .venv and all local state
	@rm -rf .venv .state dist
