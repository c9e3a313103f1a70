# `make run` and `make test` set everything up first; all they need is Python 3.11+, git and make.
PYTHON ?= python3
BIN := .venv/bin
PARALLEL := -n auto --dist loadfile
STAMP := .venv/.installed-$(shell cat requirements.lock pyproject.toml | cksum | cut -d' ' -f1)

.PHONY: help setup setup-scale run test test-all check clean

help:          ## say what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

setup: $(STAMP)   ## make .venv from the hash-pinned requirements.lock

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Installing into .venv (a few minutes the first time) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@rm -f .venv/.installed-* && touch $@

setup-scale: setup  ## add Ray, to embed on many machines (460 MB)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-scale.lock

run: setup     ## the main job: the whole DAG over the sample project
	@$(BIN)/llmops monitor simulate --once
	@$(BIN)/llmops run

test: setup    ## the tests, in under a minute
	@$(BIN)/python -m pytest $(PARALLEL) -m "not slow and not prefect and not shared_data"

test-all: setup  ## every test, the slow ones too
	@$(BIN)/python -m pytest $(PARALLEL) -m ""

check: setup   ## style, types and the rules between rooms
	@.ci/run lint types layers

clean:         ## remove what was computed; sources, prompts and releases stay
	@rm -rf .llmops data/ingest data/embed data/testset data/evaluate data/monitor data/retrain data/forecast data/report
