# `make demo` and `make test` need Python 3.11 or later; everything is installed into .venv.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable
PYTEST := $(BIN)/python -m pytest --numprocesses logical --maxprocesses 8 --dist worksteal

.PHONY: demo test test-full lint docs bench faults lock clean

demo: .venv/demo
	$(BIN)/python main.py demo
	@echo 'Your own cameras, on a page at http://127.0.0.1:8080:  $(BIN)/streamer serve'

# The fast tests that need only pip packages, in parallel.
test: lint
	$(BIN)/python main.py models fetch nanodet starter
	$(PYTEST) -m 'not slow and not system and not elsewhere'

# All tests; CONTRIBUTING.md lists what must be installed.
test-full: lint
	$(BIN)/python main.py models fetch nanodet starter
	$(PYTEST)

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The pages in docs/ as a web site: build/site/index.html. A warning is an error.
docs: .venv/dev
	$(BIN)/mkdocs build --strict

# Takes an hour and a half; FAULTS='--only killed --repetitions 5' for less.
faults: .venv/dev
	$(BIN)/python -m tests.faults.lab $(FAULTS)

bench: .venv/bench
	$(BIN)/python -m benchmarks

# Pins the tested versions; run it after changing pyproject.toml, then `make test`.
lock:
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet --editable '.[dev,bench]'
	build/lock/bin/python -m pip freeze --exclude-editable > constraints.txt

clean:
	rm -rf .venv build out *.egg-info

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed; try make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv

.venv/demo: .venv/bin/python pyproject.toml constraints.txt
	@echo 'installing into .venv: downloads about 800 MB, takes a few minutes and 2.7 GB of disk'
	$(INSTALL) '.[demo]'
	@touch $@

.venv/dev: .venv/bin/python pyproject.toml constraints.txt
	$(INSTALL) '.[dev]'
	@touch $@ .venv/demo

.venv/bench: .venv/bin/python pyproject.toml constraints.txt
	$(INSTALL) '.[dev,bench]'
	@touch $@ .venv/dev .venv/demo
