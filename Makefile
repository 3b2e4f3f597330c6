# Everything a fresh machine needs: `make demo`, `make test`. Each makes .venv if it is missing.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' && { echo $$p; break; }; done)
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: help demo test check format bench screenshots clean
.DEFAULT_GOAL := help

help:  ## Show this list
	@grep -hE '^[a-z]+:.*##' Makefile | sed -E 's/^([a-z]+):.*## /  make \1\t/'

$(STAMP): pyproject.toml
	@test -n "$(PYTHON)" || { echo "bkd needs Python 3.11 or newer on the PATH (or: make PYTHON=/path/to/python3.11 ...)"; exit 2; }
	@test -x $(BIN)/python || { echo "Creating .venv with $$($(PYTHON) --version)"; $(PYTHON) -m venv .venv; }
	@echo "Installing bkd and its packages into .venv (PyTorch is large: 2 to 10 minutes the first time)"
	@$(BIN)/python -m pip install --progress-bar on -e '.[dev]'
	@touch $(STAMP)

install: $(STAMP)  ## Make .venv and install everything into it

demo: $(STAMP)  ## Train teachers and students on the digits, print the table, open the app
	@$(BIN)/bkd demo

test: $(STAMP)  ## Run all tests
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile

check: $(STAMP)  ## Format, lint, types, import contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(STAMP)  ## Put the code into its format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(STAMP)  ## Run the benchmarks and print their ratios
	@$(BIN)/python tests/benchmarks/run.py

screenshots: $(STAMP)  ## Draw the screenshots of README and manual again
	@$(BIN)/python -m pytest tests/pilot/test_screenshots.py --snapshot-update

clean:  ## Remove caches and the virtual environment (save/ stays)
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
