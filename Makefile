# make run: set everything up and run boomerang.  make test: set everything up and run all tests.
# make audit: whether anything that boomerang runs on has a known vulnerability.
# make demo: an app that sleeps is rescued, in 12 seconds.
# make chaos: hurt a running boomerang in every way there is, and write docs/faults.md (35 minutes).
# make bench: what the figures in README come from.  make format: bring the code into shape.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
STAMP = $(VENV)/.installed

.PHONY: run demo test check audit chaos bench format clean servers

run: $(STAMP)-run
	exec $(BIN)/twistd -n --pidfile= boomerang

demo: $(STAMP)-run
	$(BIN)/python examples/demo.py

test: check
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage report
	$(BIN)/python -m chaos --short

check: $(STAMP)-test servers audit
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy boomerang twisted tests benchmarks chaos .ci/audit.py

chaos: $(STAMP)-test servers
	$(BIN)/python -m chaos $(or $(CHAOS),--report)

audit: $(STAMP)-test
	$(BIN)/python .ci/audit.py $(AUDIT)

bench: $(STAMP)-bench
	command -v wrk >/dev/null && command -v redis-server >/dev/null || ./.ci/apt wrk redis-server
	command -v cc >/dev/null || ./.ci/apt gcc || echo 'no C compiler: going on without the floor' >&2
	$(BIN)/python -m benchmarks $(BENCH)

format: $(STAMP)-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# What the tests need beside Python: real servers, a browser, the checkers of metrics and units, a
# clock to set, a mock.
servers:
	./.ci/apt redis-server chromium promtool:prometheus systemd-analyze:systemd faketime ip:iproute2
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
