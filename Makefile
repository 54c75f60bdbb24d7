# make demo       installs what is needed into .venv, runs the demo; ARGS="--exit-after-alert --json" goes to `squall demo`
# make install    only installs
# Python 3.11 or newer: make demo PYTHON=python3.12

PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install install-dev demo

help:
	@sed -n 's/^# //p' Makefile

install: $(VENV)/.installed

install-dev: $(VENV)/.installed-dev

demo: install
	@exec $(BIN)/squall demo $(ARGS)

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
	@touch $@

$(VENV)/.installed-dev: pyproject.toml requirements.lock | $(BIN)/python
	@echo "installing what tests and training need, once"
	@$(PIP) install --quiet -c requirements.lock -e '.[dev,train,demo]'
	@touch $@ $(VENV)/.installed
