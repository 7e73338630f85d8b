# make report: environment, install, the studies, the report (QUICK=1 for a first look).
# make test: what tests need, then the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUTPUT ?= build/reports
WORKERS ?= $(shell $(PYTHON) -c "import os; print(os.cpu_count() or 1)")

.PHONY: report test benchmark reference clean

report: $(VENV)/installed
	$(BIN)/maml-bench report --output $(OUTPUT) --workers $(WORKERS) $(if $(QUICK),--quick)

test: $(VENV)/installed-test
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

benchmark: $(VENV)/installed-test
	$(BIN)/python -m pytest tests/benchmarks --benchmark-enable --benchmark-only -p no:xdist

# The committed reference run: the same job as `make report`, written to reports/.
reference: $(VENV)/installed
	$(BIN)/maml-bench report --output reports --workers $(WORKERS)

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[data]'
	touch $@

$(VENV)/installed-test: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[test,cluster,data]'
	touch $@ $(VENV)/installed

clean:
	rm -rf $(VENV) build
