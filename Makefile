# `make run` and `make test` need Python 3.11 (with venv and pip), make and git; everything else goes into .venv.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
MEASURED := .venv-bench

KILLS  ?= 10000

# Where a run may be killed does not hang on the server's version: these are run on one of them.
KILLS_ONCE := crash crash_backup storm injection transfer_crash tutorials howto report_browser

.PHONY: run test lint format storm bench bench-full clean

run: $(VENV)/.installed  ## Apply Maxwell's migrations to maxwell.db, verify, and show where the database stands.
	$(BIN)/maxwell-db apply
	$(BIN)/maxwell-db verify --quiet
	$(BIN)/maxwell-db status

test: $(VENV)/.tested lint  ## Everything that must hold, on SQLite and on a PostgreSQL that the tests start by themselves.
	$(BIN)/pytest -n auto
	MAXWELL_TEST_PG_VERSION=16 $(BIN)/pytest -n auto -m postgres $(KILLS_ONCE:%=--ignore=tests/test_%.py)

lint: $(VENV)/.tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/maxwell-db lint --squawk require --strict

storm: $(VENV)/.tested  ## Three runners at once, killed at random KILLS times, on each dialect.
	$(BIN)/python -m tests.storm --dialect sqlite --kills $(KILLS)
	$(BIN)/python -m tests.storm --dialect postgres --kills $(KILLS)

bench: $(MEASURED)/.installed  ## What everything costs beside other programs, in a small size: about five minutes.
	$(MEASURED)/bin/python -m bench

bench-full: $(MEASURED)/.installed  ## The same in a large size: about an hour, and 30 GB of disk.
	$(MEASURED)/bin/python -m bench --size full

format: $(VENV)/.tested
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(MEASURED) .bench build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# Installed again when the metadata changes; the code itself is used as it lies here.
$(VENV)/.installed: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/.tested: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@ $(VENV)/.installed

# An environment as users have it, where nothing but the program and its peers is found at each start of Python.
$(MEASURED)/.installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(MEASURED)
	$(MEASURED)/bin/python -m pip install --quiet --disable-pip-version-check '.[bench]'
	rm -rf build
	touch $@
