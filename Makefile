# make run   the server on this machine's loopback interface (HTTP=8080 where port 80 is taken)
# make test  the tests; those that need root are skipped without it
# make lint  style, types, docstrings
# make docs  the documentation, into docs/_build/html
# make bench the speed, against ndppd and npd6, in network namespaces: needs root and two cores
# make soak  the memory under ten million machines that do not exist: needs root
# make fuzz  the responder, for FUZZ_SECONDS

PYTHON ?= python3
VENV ?= .venv
HTTP ?= 80
FUZZ_SECONDS ?= 600
FUZZ_CORPUS ?= .fuzz-corpus
BIN := $(VENV)/bin
ROOT := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: run test lint docs bench bench-correctness soak fuzz wheel clean

# Each stamp is an installation: the package alone, with the tests, with all tools.
$(VENV)/.venv:
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.venv setup.cfg pyproject.toml
	$(PIP) install --quiet --editable .
	@$(BIN)/twistd --help >/dev/null
	@touch $@

$(VENV)/.test: $(VENV)/.venv setup.cfg pyproject.toml
	$(PIP) install --quiet --editable '.[test]'
	@$(BIN)/twistd --help >/dev/null
	@touch $@ $(VENV)/.run

$(VENV)/.dev: $(VENV)/.venv setup.cfg pyproject.toml
	$(PIP) install --quiet --editable '.[dev,docs]'
	@touch $@ $(VENV)/.run $(VENV)/.test

run: $(VENV)/.run
	@echo "When it says what it serves, try: curl -g 'http://[2001:db8::cafe]$(if $(filter-out 80,$(HTTP)),:$(HTTP))/'"
	@$(ROOT) env PYTHONDONTWRITEBYTECODE=1 $(BIN)/twistd -n --pidfile= prefix64 --http $(HTTP)

test: $(VENV)/.test
	$(BIN)/python -m twisted.trial $(TRIALFLAGS) tests

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.dev
	$(BIN)/sphinx-build -W -n -q -b html docs docs/_build/html

bench: $(VENV)/.test
	$(ROOT) $(BIN)/python -m benchmarks.ndp $(BENCHFLAGS)

bench-correctness: $(VENV)/.test
	$(ROOT) $(BIN)/python -m benchmarks.correctness

soak: $(VENV)/.test
	$(ROOT) $(BIN)/python -m benchmarks.memory $(SOAKFLAGS)

$(VENV)/.fuzz: $(VENV)/.test
	$(PIP) install --quiet --editable '.[fuzz]'
	@touch $@

fuzz: $(VENV)/.fuzz
	$(BIN)/python -m fuzz.responder $(FUZZ_CORPUS) -max_total_time=$(FUZZ_SECONDS) \
		-artifact_prefix=$(FUZZ_CORPUS)/

wheel: $(VENV)/.dev
	rm -rf build dist
	$(BIN)/python -m build --wheel

clean:
	rm -rf $(VENV) build dist docs/_build _trial_temp* .hypothesis $(FUZZ_CORPUS) .mypy_cache .ruff_cache src/*.egg-info
