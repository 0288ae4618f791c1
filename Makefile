# make run: set everything up and run boomerang.  make test: set everything up and run all tests.
# make audit: whether anything that boomerang runs on has a known vulnerability.
# make demo: an app that sleeps is rescued, in 12 seconds.
# make bench: what the figures in README come from.  make format: bring the code into shape.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
STAMP = $(VENV)/.installed

.PHONY: run demo test check audit bench format clean servers

run: $(STAMP)-run
	exec $(BIN)/twistd -n --pidfile= boomerang

demo: $(STAMP)-run
	$(BIN)/python examples/demo.py

test: check
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage report

check: $(STAMP)-test servers audit
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy boomerang twisted tests benchmarks .ci/audit.py

audit: $(STAMP)-test
	$(BIN)/python .ci/audit.py $(AUDIT)

bench: $(STAMP)-bench
	command -v wrk >/dev/null && command -v redis-server >/dev/null || ./.ci/apt wrk redis-server
	$(BIN)/python -m benchmarks $(BENCH)

format: $(STAMP)-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# What the tests need beside Python: real servers, the checkers of metrics and units, a mock.
servers:
	./.ci/apt redis-server promtool:prometheus systemd-analyze:systemd
	./.ci/prism $(VENV)/prism

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(STAMP)-run: $(VENV)/bin/python setup.py
	$(BIN)/pip install --quiet --editable .
	touch $@

$(STAMP)-test: $(VENV)/bin/python setup.py
	$(BIN)/pip install --quiet --editable '.[test,bench]'
	touch $@ $(STAMP)-run

$(STAMP)-bench: $(VENV)/bin/python setup.py
	$(BIN)/pip install --quiet --editable '.[bench]'
	touch $@ $(STAMP)-run

clean:
	rm -rf $(VENV) build dist *.egg-info .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis
