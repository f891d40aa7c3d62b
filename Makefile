# Every target makes and keeps up to date the environment that it needs: nothing but make and a Python >= 3.11 is assumed.

VENV = .venv
# Candidates, in order of preference. A single one may be given: make test PYTHON=path/of/python
PYTHON = python3.11 python3.12 python3.13 python3
EFFORT = quick
ARGS =

BIN = $(VENV)/bin
COMMA = ,
# Python keeps the byte code of what it imports: to compile all of it takes as long as to install it.
PIP_INSTALL = $(BIN)/python -m pip install -qq --no-input --no-compile --disable-pip-version-check

# Figures are written to files: no target may depend on a display.
export MPLBACKEND = Agg

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Two targets at once would install into one environment at once.
.NOTPARALLEL:
.PHONY: help reproduce figures test test-faults lint format docs benchmark machine-code test-gpu benchmark-gpu clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s  %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "Variables: EFFORT=full (reproduce), ARGS='...' (passed to pytest, figures and the benchmarks), PYTHON, VENV"

reproduce: $(VENV)/installed-reproduce.stamp ## check the theory and draw the figures, all into reports/; EFFORT=full for the long form
	mkdir -p reports
	@# A claim that fails must not keep the figures from being drawn: its status comes last.
	$(BIN)/iterorder check --effort $(EFFORT) --json reports/check.json; checked=$$?; \
	    $(BIN)/python scripts/make_figures.py --effort $(EFFORT) && exit $$checked

figures: $(VENV)/installed-reproduce.stamp ## draw those of figures/ again, as they were drawn; ARGS="clouds risk" for some
	$(BIN)/python scripts/make_figures.py --committed $(ARGS)

test: $(VENV)/installed-test.stamp ## run the tests; ARGS="-k noise -x" is passed to pytest
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

test-faults: $(VENV)/installed-test.stamp ## kill, fill and flip what sweeps rest on, all rounds (minutes)
	FAULTS=full $(BIN)/python -m pytest -q -s tests/test_sweeps_faults.py $(ARGS)

lint: $(VENV)/installed-dev.stamp ## ruff, the format and the types
	$(BIN)/python -m ruff check
	$(BIN)/python -m ruff format --check
	$(BIN)/python -m mypy

format: $(VENV)/installed-dev.stamp ## rewrite the sources in the house format
	$(BIN)/python -m ruff check --fix
	$(BIN)/python -m ruff format

# Material announces the end of its own support with every build, in the words of a warning; the variable is its switch.
docs: $(VENV)/installed-docs.stamp ## build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

benchmark: $(VENV)/installed-benchmark.stamp ## measure side by side with the peers
	$(BIN)/python benchmarks/run.py $(ARGS)

machine-code: $(VENV)/installed-cuda13.stamp $(VENV)/installed-test.stamp ## compile the kernels for GPUs, without one; best with VENV=.venv-cuda
	$(BIN)/python benchmarks/machine_code.py $(ARGS)
	$(BIN)/python -m pytest -q tests/test_machine_code.py

# Of what a machine with a GPU has: nothing is installed or fetched. The driver's libraries may be where the toolkit is.
GPU_PYTHON = python3
test-gpu: ## hold the GPU against the processor, bit for bit; GPU_PYTHON=... with CuPy and numba-cuda
	$(GPU_PYTHON) benchmarks/gpu.py --equality $(ARGS)

benchmark-gpu: ## the same, then measure beside JAX and the processor, into benchmarks/gpu.json
	$(GPU_PYTHON) benchmarks/gpu.py $(ARGS)

# The stamps go too, so that the next target installs again; the environment itself is left, as others may be at work in it.
clean: ## remove reports, caches and build products
	rm -rf reports site build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis $(VENV)/*.stamp
	find iterorder scripts tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# Version managers put stubs on the path that only print an error, and some systems split venv off: a candidate is tried, not looked up.
SUITABLE = import ensurepip, sys; sys.exit(sys.version_info < (3, 11))
# An interrupted installation leaves packages without all of their files, which pip would take for installed.
INTACT = import pip, sys; from importlib.metadata import distributions; \
  sys.exit(sys.version_info < (3, 11) or not all(file.locate().exists() \
  for package in distributions() for file in package.files if file.suffix == ".py"))

# Written only on success and away while pip works: without it the environment is inspected, and made anew if it is not whole.
$(VENV)/made.stamp:
	@if ! $(BIN)/python -I -c '$(INTACT)' >/dev/null 2>&1; then \
	    found=; \
	    for candidate in $(PYTHON); do \
	        if "$$candidate" -c '$(SUITABLE)' >/dev/null 2>&1; then found="$$candidate"; break; fi; \
	    done; \
	    if [ -z "$$found" ]; then \
	        echo "No Python >= 3.11 with the venv module among: $(PYTHON). Install one, or name it: make PYTHON=..." >&2; \
	        exit 1; \
	    fi; \
	    echo "Making $(VENV) with $$found"; \
	    "$$found" -m venv --clear $(VENV); \
	fi
	@touch $@

# The version counts as well: the installed metadata carry it. Several extras are one installation: installed-dev,docs.stamp.
$(VENV)/installed-%.stamp: pyproject.toml iterorder/_version.py | $(VENV)/made.stamp
	@echo "Installing iterorder[$*] into $(VENV)"
	@rm -f $(VENV)/made.stamp
	@# By its path, not by a finder: else a script beside the clone would take the clone's folder for the package.
	@$(PIP_INSTALL) -e ".[$*]" --config-settings editable_mode=compat
	@touch $(VENV)/made.stamp $@ $(foreach extra,$(subst $(COMMA), ,$*),$(VENV)/installed-$(extra).stamp)
