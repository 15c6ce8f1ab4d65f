# The commands of daily work. `make PYTHON=python3 test` uses another interpreter than that of .venv.

PYTHON ?= .venv/bin/python
SEEDS ?= 0..1000
RUN = $(PYTHON) -W ignore -m

.PHONY: help setup fast test simulation planted lint format types coverage package ci

help:           ## list these commands
	@sed -n 's/^\([a-z]*\): *## /\1\t/p' Makefile | expand -t 14

setup:          ## make .venv, with all that the tests need
	python3 -m venv .venv
	.venv/bin/pip install -c constraints.txt -e '.[dev]'

fast:           ## the tests of the pure parts: run them after each change
	$(PYTHON) -m pytest --fast

test:           ## all tests: run them before each commit
	$(PYTHON) -m pytest

simulation:     ## random histories: make simulation SEEDS=2000..3000
	$(RUN) tests.simulation --seeds $(SEEDS)

planted:        ## plant each fault between two modules, and run the test that should notice it
	$(RUN) tests.simulation.wiring

lint:           ## what ruff has to say
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check

format:         ## let ruff format and mend what it can
	$(PYTHON) -m ruff check --fix
	$(PYTHON) -m ruff format

types:          ## mypy, strict
	$(PYTHON) -m mypy

coverage:       ## all tests with coverage: a table, and htmlcov/index.html
	$(PYTHON) -m pytest --cov --cov-report=term --cov-report=html

package:        ## the wheel, in an empty environment: make package
	.ci/package

ci:             ## what is committed, tested in a new clone with a new environment
	.ci/run
