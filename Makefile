# One command each for what is done often; `make help` lists them, `make check` is what CI runs.
# Stamp files in .venv remember what is installed; a change of pyproject.toml installs again.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# glibc gives memory of this size back to the system at once and asks for it anew in the next step,
# page by page: attention on a CPU then takes 3 to 25 times as long. Python must find these at its start.
TRAIN_ENV := MALLOC_MMAP_THRESHOLD_=17179869184 MALLOC_TRIM_THRESHOLD_=17179869184

HAS_TORCH = $(BIN)/python -c 'import importlib.util; raise SystemExit(not importlib.util.find_spec("torch"))'
# Where PyTorch is not to be had, what it defines has no types; the rest is checked as ever.
TYPES_WITHOUT_TORCH := --disable-error-code=import-not-found --allow-subclassing-any --allow-untyped-decorators \
	--no-warn-return-any --no-warn-unused-ignores

.DEFAULT_GOAL := help
.PHONY: help serve test lint check train evaluate bench corpus-check openapi fuzz faults clean torch

help: ## List the targets.
	@awk -F ':[^#]*## ' '/^[a-z-]+:[^#]*## / { printf "%-16s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

serve: $(VENV)/serving.stamp ## Start the service with the newest release in models/ (SOFTSELL_PORT=8000).
	@exec $(BIN)/softsell serve

test: torch ## Run all tests; those that need PyTorch are skipped where it is not to be had.
	$(BIN)/python -m pytest -rs

lint: torch ## Check style, types and the layers.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict $$($(HAS_TORCH) || echo "$(TYPES_WITHOUT_TORCH)")
	$(BIN)/mypy --strict tools
	$(BIN)/lint-imports

check: lint test ## All that CI checks.

train: torch ## Rebuild a release of the model from the corpus.
	@$(HAS_TORCH) || { echo "make train needs PyTorch; see the message above" >&2; exit 1; }
	$(TRAIN_ENV) $(BIN)/softsell-train all

evaluate: torch ## Measure the newest release through the code that serves.
	$(TRAIN_ENV) $(BIN)/softsell-train evaluate

bench: torch ## Measure softsell beside other servers: ONLY=softsell,naive PARTS=throughput ROUNDS=3 SECONDS=8 FRESH=1.
	@$(HAS_TORCH) || { echo "make bench needs PyTorch; see the message above" >&2; exit 1; }
	$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY)) $(if $(PARTS),--parts $(PARTS)) \
		$(if $(LOADS),--loads $(LOADS)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(FRESH),--fresh)

corpus-check: $(VENV)/development.stamp ## Check every line of the corpus.
	$(BIN)/softsell-train corpus-check

openapi: $(VENV)/development.stamp ## Write openapi/ anew from the code.
	$(BIN)/python -m app.api.documents.openapi

fuzz: $(VENV)/development.stamp ## Fuzz every family of transcript readers for SECONDS (600) each; what breaks one is left in build/fuzz/.
	$(PIP) install --editable '.[fuzz]'
	$(BIN)/python -m tests.fuzz_readers --seconds $(or $(SECONDS),600)

faults: $(VENV)/development.stamp ## Kill softsell KILLS (50) times in jobs of ITEMS (5000) conversations, and count what is left.
	$(BIN)/python -m tests.faults --kills $(or $(KILLS),50) --items $(or $(ITEMS),5000)

clean: ## Remove the virtual environment and caches; build/ stays, with the checkpoints of hours of training.
	rm -rf $(VENV) dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find app benchmarks training tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "softsell needs Python 3.11 or newer; '$(PYTHON)' is not: install one, or run make PYTHON=/path/to/python3" >&2; \
		exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/serving.stamp: pyproject.toml | $(BIN)/python
	$(PIP) install --editable .
	@touch $@

$(VENV)/development.stamp: pyproject.toml | $(BIN)/python
	$(PIP) install --editable '.[dev,training]'
	@touch $@ $(VENV)/serving.stamp

# Tried again on each run until it is there, since the index that pip asks may have been changed.
torch: $(VENV)/development.stamp
	@$(BIN)/python tools/install_torch.py || true
