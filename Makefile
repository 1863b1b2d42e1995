# Needs python3 (3.11 or newer, with venv), git and make; everything else is installed into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
TEST_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup gate test check lock ui clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' $(MAKEFILE_LIST) | expand -t 14

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is older than 3.11: install a newer one and name it, e.g. make PYTHON=python3.12 gate"; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "$(PYTHON) has no venv: install it (Debian, Ubuntu: apt-get install python3-venv)"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

setup: $(INSTALLED) ## virtual environment, installation, Dagster home
	@# Each process of a gate loads it, and compiles it again where PYTHONDONTWRITEBYTECODE is set.
	@$(BIN)/python -m compileall -q hologram_dagster
	@$(BIN)/hologram setup

gate: setup ## the dev gate on the embedded stack: a verdict and a report
	@$(BIN)/hologram gate --profile dev

test: setup ## all tests but the long studies
	$(BIN)/python -m pytest -m "not study" -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(TEST_ARGS)

check: $(INSTALLED) ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

lock: $(INSTALLED) ## pin what pyproject.toml needs, with hashes, in requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --all-extras --python-version 3.11 \
	  --no-emit-index-url --no-header --no-annotate --output-file requirements.lock pyproject.toml

ui: setup ## the Dagster UI on http://127.0.0.1:3000
	@$(BIN)/hologram ui

clean: ## remove the environment, state and reports
	rm -rf $(VENV) .hologram reports
