# Everything a newcomer runs. Needs Python 3.11+, make and the network; nothing here needs root.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN_READY := $(VENV)/.run-$(shell cksum < requirements/run.txt | cut -d' ' -f1)
DEV_READY := $(VENV)/.dev-$(shell cksum < requirements/dev.txt | cut -d' ' -f1)

.PHONY: demo test lint bench docs clean

demo: $(RUN_READY)
	$(BIN)/vhdlift rehearse

test: $(DEV_READY) lint
	scripts/debian-tools
	PATH="$(CURDIR)/.tools/bin:$$PATH:/usr/sbin:/sbin" $(BIN)/python -m pytest -n auto --dist worksteal --cov

lint: $(DEV_READY)
	$(BIN)/ruff format --check src tests scripts bench
	$(BIN)/ruff check src tests scripts bench
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/cog --check README.md

bench: $(DEV_READY)
	$(BIN)/python -m bench

docs: $(DEV_READY)
	$(BIN)/cog -r README.md

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(RUN_READY): $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

$(DEV_READY): $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

clean:
	rm -rf $(VENV) .tools .rehearsal .coverage*
