# Everything a newcomer runs. Needs Python 3.11+, make and the network; nothing here needs root.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN_READY := $(VENV)/.run-$(shell cksum < requirements/run.txt | cut -d' ' -f1)
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate \
	--no-strip-extras --generate-hashes
LOCK := $(COMPILE) pyproject.toml --extra local
# The Azure CLI brings some 90 packages of its own, so it lives apart from all else.
AZCLI := .venv-azcli
AZCLI_READY := $(AZCLI)/.ready-$(shell cksum < requirements/azcli.txt | cut -d' ' -f1)
# The tests wait for servers half of their time, so twice as many of them as there are cores.
WORKERS := $(shell $(PYTHON) -c 'import os; print(2 * os.cpu_count())')
DEV_READY := $(VENV)/.dev-$(shell cksum < requirements/dev.txt | cut -d' ' -f1)

.PHONY: demo test test-azcli lint torture crowd bench docs lock clean

demo: $(RUN_READY)
	$(BIN)/vhdlift rehearse

test: $(DEV_READY) lint
	scripts/debian-tools
	PATH="$(CURDIR)/.tools/bin:$$PATH:/usr/sbin:/sbin" $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --cov

test-azcli: $(DEV_READY) $(AZCLI_READY)
	ARMLOCAL_AZ="$(CURDIR)/$(AZCLI)/bin/az" $(BIN)/python -m pytest tests/azcli

lint: $(DEV_READY)
	$(BIN)/ruff format --check src tests scripts bench
	$(BIN)/ruff check src tests scripts bench
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/cog --check README.md

torture: $(DEV_READY)
	$(BIN)/python -m tests.torture $(ARGS)

crowd: $(DEV_READY)
	$(BIN)/python -m tests.crowd $(ARGS)

bench: $(DEV_READY)
	$(BIN)/python -m bench

docs: $(DEV_READY)
	$(BIN)/cog -r README.md
	$(BIN)/python -m vhdlift.azure.rights > docs/role.json

# Extras stay in the pins: without them, older pips take a newer release of such a package and refuse its hash.
lock: $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check uv
	$(LOCK) -o requirements/run.txt
	$(LOCK) --group dev -o requirements/dev.txt
	$(COMPILE) requirements/azcli.in -o requirements/azcli.txt

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

$(AZCLI_READY):
	$(PYTHON) -m venv $(AZCLI)
	$(AZCLI)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/azcli.txt
	touch $@

clean:
	rm -rf $(VENV) $(AZCLI) .tools .rehearsal .coverage*
