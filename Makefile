# Everything a person or CI runs. Works with GNU make 3.81 (macOS) and newer.

ENVIRONMENT ?= local
PYTHON ?= python3
SEED ?= 200
PINS ?= 100000
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup up test lint format bench bench-search golden picture protos images lock clean

help: ## Show this
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: ## Create .venv with the locked dependencies and the pinwheel command (skipped when done)
	@PYTHON="$(PYTHON)" sh scripts/setup.sh

up: setup ## Bring ENVIRONMENT (local) up with SEED=200 pins in it (KEEP=1 keeps its data); Ctrl-C stops everything
	@sh scripts/mysql.sh
	@exec $(BIN)/pinwheel up $(ENVIRONMENT) --seed $(SEED) $(if $(KEEP),--keep)

test: lint ## Set up, check the code, and run the whole test suite
	@sh scripts/mysql.sh
	@$(BIN)/python -m pytest -n 2 --dist loadgroup --cov --cov-report=term:skip-covered

lint: setup ## Style, types and the direction of imports
	@$(BIN)/ruff check --quiet . && $(BIN)/ruff format --quiet --check .
	@$(BIN)/basedpyright --level error
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/buf lint

format: setup ## Put the code in the one style
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format --quiet .

bench: setup ## Time the rehearsal against bare mocks, the Kubernetes API, and a whole `up`
	@$(BIN)/python -m rehearsal.benchmark
	@$(BIN)/python -m emulator.cluster.benchmark
	@$(BIN)/python -m pinwheel.benchmark
	@$(BIN)/python -m services.ml.benchmark

bench-search: setup ## Time search over PINS=100000: the engine beside others, the whole path, a leaf that is killed
	@$(BIN)/python -m services.search.benchmark --pins $(PINS)
	@$(BIN)/python -m pinwheel.search_path_benchmark --pins $(PINS)
	@$(BIN)/python -m services.search.path_benchmark.recovery --pins $(PINS)

golden: setup ## Renew tests/golden after a change of infra; review the diff
	@$(BIN)/python -m tests.golden.renew

picture: setup ## Draw the layers into the README
	@$(BIN)/pinwheel rehearse prod --json .pinwheel-graph.json >/dev/null
	@$(BIN)/python -m preflight.diagram .pinwheel-graph.json README.md && rm -f .pinwheel-graph.json

protos: setup ## Renew the code of services/api from its .proto files
	@$(BIN)/buf lint && sh scripts/protos.sh

images: setup ## Build dist/<image>.pex of every service, or of IMAGE
	@$(BIN)/python scripts/images.py $(IMAGE)

lock: ## Renew requirements.lock from pyproject.toml (needs uv)
	@command -v uv >/dev/null 2>&1 || { echo "error: there is no uv"; echo "  fix: pip install uv"; exit 3; }
	@uv pip compile --quiet --upgrade --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
		--python-version 3.11 --custom-compile-command "make lock" --group dev --output-file requirements.lock pyproject.toml

clean: ## Remove .venv, the state of `up`, and every cache
	@rm -rf .venv .pinwheel dist .pytest_cache .ruff_cache .hypothesis .coverage .coverage.* pinwheel.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
