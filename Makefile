# Every command a person types; `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
export PYTHONDONTWRITEBYTECODE := 1

.PHONY: help setup demo dev test check format docs lock bench chaos clean

help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: .venv/.ready ## Make .venv from the hash-pinned lock (no-op when nothing changed)

.venv/.ready: requirements/dev.lock requirements/bootstrap.lock $(wildcard services/*/pyproject.toml shared/*/pyproject.toml compose/*/pyproject.toml)
	@$(PYTHON) tools/setup.py

demo: setup ## Watch a page become approved ads; PIPELINE=document_batch or ai_task: others
	@$(BIN)/python -m signalbox_devstack.demo $(PIPELINE)

dev: setup ## The same stack, kept up; prints addresses and the development key
	@$(BIN)/signalbox-dev up --state-dir .state/dev

test: setup ## Unit, integration, end-to-end, browser and kill tests
	@$(BIN)/python tools/browser.py
	@$(BIN)/python tools/ocr.py
	@$(BIN)/python -m pytest tests --ignore tests/bench -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)
	@$(BIN)/python tools/other_pythons.py

check: setup ## Style, types, architecture, locks
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python tools/events_doc.py --check
	@$(BIN)/python tools/locks.py --check

format: setup ## Format the code
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

docs: setup ## Generate docs/events.md from the catalogue
	@$(BIN)/python tools/events_doc.py

lock: setup ## Resolve again and export requirements/*.lock
	@$(BIN)/python tools/locks.py

bench: setup ## Benchmarks with limits and peers
	@$(BIN)/python -m pytest tests/bench -o timeout=1200 -p no:logging $(ARGS)

chaos: setup ## Only the tests that kill processes (make test runs them too)
	@$(BIN)/python -m pytest tests/chaos $(ARGS)

clean: ## Remove .venv and all local state
	@rm -rf .venv .state
