# make report: environment, install, the studies, the report (QUICK=1 for a first look).
# make test: what tests need, then style and types, then the tests.
PYTHON ?= python3
VENV := .venv
LOWEST := .venv-lowest
BIN := $(VENV)/bin
OUTPUT ?= build/reports
WORKERS ?= $(shell $(PYTHON) -c "import os; print(os.cpu_count() or 1)")

.PHONY: report test lint test-lowest test-browser benchmark reference mutants robustness docs clean

report: $(VENV)/installed
	$(BIN)/maml-bench report --output $(OUTPUT) --workers $(WORKERS) $(if $(QUICK),--quick)

test: lint
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

lint: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The suite on the lowest versions that pyproject.toml allows, in an environment of its own.
test-lowest: $(LOWEST)/installed
	$(LOWEST)/bin/python -m pytest -n $(WORKERS) --dist loadfile

$(LOWEST)/installed: pyproject.toml
	$(PYTHON) -m venv $(LOWEST)
	$(PYTHON) tests/lowest.py > $(LOWEST)/pins.txt
	$(LOWEST)/bin/python -m pip install --quiet -r $(LOWEST)/pins.txt
	$(LOWEST)/bin/python -m pip install --quiet --no-deps --editable .
	touch $@

# PEERS=1 installs JAX and PyTorch too, to compare with; without them the table says so. QUICK=1: a first look in
# a minute, beside the committed table, which stays as it is.
benchmark: $(VENV)/installed-test
	$(if $(PEERS),$(BIN)/python -m pip install --quiet --editable '.[peers]')
	$(BIN)/python -m pytest tests/benchmarks --benchmark-enable --benchmark-only -p no:xdist \
		$(if $(QUICK),--benchmark-max-time=0.05 --benchmark-min-rounds=1 -k test_time)
	PYTHONPATH=. $(BIN)/python tests/benchmarks/performance.py \
		$(if $(QUICK),$(OUTPUT)/performance --quick,reports/performance)

# The committed reference run: the same job as `make report`, written to reports/.
reference: $(VENV)/installed
	$(BIN)/maml-bench report --output reports --workers $(WORKERS)
	$(BIN)/python docs/readme.py

# The page and the documentation in a headless Chromium, Debian's package; `make test` runs them where it is present.
test-browser: $(VENV)/installed-test
	command -v chromium || apt-get install --yes chromium
	$(BIN)/python -m pip install --quiet --editable '.[browser,docs]'
	$(BIN)/python -m pytest tests/browser

# Ten thousand lines typed and as many calls made at random, and a study killed 50 times.
robustness: $(VENV)/installed-test
	MAML_BENCH_EXAMPLES=10000 MAML_BENCH_KILLS=50 $(BIN)/python -m pytest -n $(WORKERS) \
		tests/maml_bench/cli/test_any_input.py tests/maml_bench/test_any_input.py tests/maml_bench/study/test_run.py

# Small, wrong changes made one at a time: how many does the suite notice? The table goes to tests/mutants.md.
mutants: $(VENV)/installed-test
	$(BIN)/python -m pip install --quiet --editable '.[mutants]'
	$(BIN)/python tests/mutants.py run
	$(BIN)/python tests/mutants.py table

docs: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	$(BIN)/python -m sphinx -q -W docs build/docs
	@echo build/docs/index.html

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[data]'
	touch $@

# What the page's tests need only where there is a browser to run them in.
$(VENV)/installed-test: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[test,lint,cluster,data$$(command -v chromium >/dev/null && echo ,browser,docs)]"
	touch $@ $(VENV)/installed

clean:
	rm -rf $(VENV) $(LOWEST) build
