# Labrelay. `make run` and `make test` are all that is needed; both set themselves up.
SHELL := /bin/bash
# Scores of processes are started here. Where a machine tells Python to keep nothing of what it compiles, each would
# compile all libraries again: four seconds instead of one.
unexport PYTHONDONTWRITEBYTECODE
.DEFAULT_GOAL := help
PORT ?= 8731
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
STAMPS := $(VENV)/.stamps
PYTEST ?= -n 2 --dist loadfile --no-loadscope-reorder
PACKAGES := routing logistics telemetry web
BENCHES := start xianning acts scanning verify queries ingest faults

.PHONY: help run up test lint format bench osrm translations locks clean system-run system-tests

help: ## List the targets
	@echo 'Labrelay'; awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: setup system-run ## Start everything with the simulated day of Xianning (PORT=8731)
	@exec $(BIN)/labrelay up --demo --port $(PORT)

up: setup system-run ## Start everything without the simulated day (after labrelay init)
	@exec $(BIN)/labrelay up --port $(PORT)

test: setup-dev system-tests ## Run all tests; real PostgreSQL, Redis, Mosquitto and Chromium
	$(BIN)/pytest $(PYTEST)

lint: setup-dev ## Style, types (strict) and complete translations
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/labrelay i18n check

format: setup-dev ## Lay out the code
	$(BIN)/ruff format
	$(BIN)/ruff check --fix-only --quiet

bench: setup-dev system-tests ## Measure and print the figures beside their baselines
	@set -e; for name in $(BENCHES); do echo "== $$name"; $(BIN)/python -m bench.$$name; done

# The wheel carries plain programs; no Python 3.12 is needed to unpack and run them.
osrm: setup-dev ## Bring the OSRM road server, so that the tests also run against the real one
	@$(UV) pip install --quiet --python-version 3.12 --target var/osrm 'osrm-bindings>=26,<27'

translations: setup ## Compile the translations
	$(BIN)/labrelay i18n compile

locks: setup-dev ## Choose newer versions of all libraries
	$(UV) pip compile pyproject.toml --universal --python-version 3.11 --upgrade --generate-hashes \
	  --no-emit-index-url --no-annotate --no-header --quiet -o requirements.lock
	$(UV) pip compile pyproject.toml --extra dev --universal --python-version 3.11 --upgrade --generate-hashes \
	  --no-emit-index-url --no-annotate --no-header --quiet -o requirements-dev.lock
	cd web/frontend && npm update --package-lock-only

clean: ## Remove what make built (not your data in var/)
	rm -rf $(VENV) web/frontend/node_modules web/static/vendor build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find web/translations -name '*.mo' -delete
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- set-up: each step is done again only when what it is made from changes ---
.PHONY: setup setup-dev
setup: $(STAMPS)/python $(STAMPS)/frontend $(STAMPS)/translations $(STAMPS)/kernels
setup-dev: $(STAMPS)/python-dev $(STAMPS)/frontend-dev $(STAMPS)/translations $(STAMPS)/kernels

$(UV):
	@echo 'Setting up 正在准备运行环境 …'
	@scripts/make-venv $(PYTHON)

$(STAMPS)/python: requirements.lock pyproject.toml | $(UV)
	@test -e $(STAMPS)/python-dev && lock=requirements-dev.lock || lock=requirements.lock; \
	  $(UV) pip install --quiet --python $(BIN)/python -r $$lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps -e .
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/python-dev: requirements-dev.lock pyproject.toml | $(UV)
	@$(UV) pip install --quiet --python $(BIN)/python -r requirements-dev.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps -e .
	@mkdir -p $(STAMPS) && touch $@ $(STAMPS)/python

$(STAMPS)/frontend: web/frontend/package-lock.json scripts/frontend.py | $(UV)
	@$(BIN)/python scripts/frontend.py
	@mkdir -p $(STAMPS) && touch $@

# The tests also try the broker that runs on Node.js.
$(STAMPS)/frontend-dev: $(STAMPS)/frontend
	@$(BIN)/python scripts/frontend.py --node
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/kernels: $(wildcard routing/search/*.py) | $(STAMPS)/any-python
	@echo 'Compiling the search of routes (about a minute) 编译路线搜索'
	@rm -f routing/search/__pycache__/*.nb[ic]  # a kernel's own file is all that the compiler's cache looks at
	@$(BIN)/python -m routing.search.warm
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/translations: $(wildcard web/translations/*/*.po) | $(STAMPS)/any-python
	@$(BIN)/labrelay i18n compile
	@mkdir -p $(STAMPS) && touch $@

# Either set of libraries will do for compiling translations.
.PHONY: $(STAMPS)/any-python
$(STAMPS)/any-python:
	@test -e $(STAMPS)/python || $(MAKE) --no-print-directory $(STAMPS)/python

system-run:
	@scripts/system-packages optional mosquitto=mosquitto \
	  '/usr/share/fonts/truetype/wqy/wqy-microhei.ttc=fonts-wqy-microhei'

system-tests:
	@scripts/system-packages required '/usr/lib/postgresql/*/bin/initdb=postgresql' redis-server=redis-server \
	  mosquitto=mosquitto mosquitto_pub=mosquitto-clients caddy=caddy chromium=chromium zbarimg=zbar-tools dmtxread=dmtx-utils \
	  pdftoppm=poppler-utils \
	  '/usr/share/fonts/truetype/wqy/wqy-microhei.ttc=fonts-wqy-microhei'
