# Everything needs only Python 3.11 or 3.12 and make. Each target can be interrupted and run again.
#   VENV=path          the environment (default .venv)
#   OUTREACH_HOME=path state and warehouse (default .outreach)
#   ARGS="…"           passed on to outreach or pytest
#   AGAINST=revision   whose contracts `make lint` compares with (default HEAD)
#   WORKERS=n          processes that share `make test` (default 3; 0: none but pytest's own)
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV ?= .venv
ARGS ?=
AGAINST ?= HEAD
WORKERS ?= 3
PY := $(VENV)/bin/python
STAMP := $(VENV)/.outreach-setup
BENCHES := $(patsubst tests/bench/bench_%.py,%,$(wildcard tests/bench/bench_*.py))
KINDS := unit contract property dbt integration causal acceptance browser long

STATE := $(abspath $(or $(OUTREACH_HOME),.outreach))

# Compiled bytecode is worth seconds in each of the many processes of a night.
unexport PYTHONDONTWRITEBYTECODE
ifdef OUTREACH_HOME
export OUTREACH_HOME
endif

# The first interpreter that really runs, is of a supported version and can make environments.
FIND_PYTHON = for p in $(PYTHON) python3.11 python3.12 python3; do \
	  "$$p" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' \
	    >/dev/null 2>&1 && { echo "$$p"; exit; }; \
	done; \
	echo "No Python 3.11 or 3.12 with its venv module found (Debian: apt-get install python3.11-venv)." >&2; exit 1

# With few tests per code path, the JVM's second compiler costs more than it saves: 78 instead of 116 CPU seconds
# for the same short series of statements. Workers share the cores, so that a
# second thread of linear algebra only waits; with three, two cores were idle for less than one percent of a run.
TEST_ENV = OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 JAVA_TOOL_OPTIONS="$(strip $(JAVA_TOOL_OPTIONS) -XX:TieredStopAtLevel=1)"

.PHONY: help setup demo notebooks docs pictures ui test $(KINDS:%=test-%) lint format lock bench engine-stop clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo "  make test-KIND    one kind of tests: $(KINDS)"
	@echo "  make bench-NAME   one benchmark: $(BENCHES)"

setup: $(STAMP) ## make the environment (again only after a change of the lock)

$(STAMP): requirements.lock pyproject.toml
	@echo "[1/4] environment in $(VENV)"
	@test -x $(PY) && $(PY) -m pip --version >/dev/null 2>&1 \
	  || { python=$$($(FIND_PYTHON)) && "$$python" -m venv $(VENV); }
	@echo "[2/4] packages of requirements.lock, each checked against its hash"
	@awk '/^[^ #]/ { take = /^uv==/ } take' requirements.lock > $(VENV)/uv.lock.txt
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $(VENV)/uv.lock.txt
	@VIRTUAL_ENV= $(PY) -m uv pip sync --python $(PY) --require-hashes requirements.lock \
	  || { echo "uv could not; trying pip, which knows this machine's own package settings"; \
	       $(PY) -m pip install --disable-pip-version-check --require-hashes --no-deps -r requirements.lock; }
	@echo "[3/4] this project, editable"
	@VIRTUAL_ENV= $(PY) -m uv pip install --quiet --python $(PY) --no-deps --no-build-isolation --offline -e .
	@echo "[4/4] the Delta jars, so that the first start needs no network"
	@$(PY) -m jobs.engine fetch || echo "not fetched now; the first start of the engine tries again"
	@touch $@
	@echo "ready: $(VENV)/bin/outreach --help"

demo: setup ## simulate a health plan and publish tonight's list
	@$(VENV)/bin/outreach demo $(ARGS)

notebooks: setup ## run the notebooks on this state folder's tables; results in its folder notebooks/
	@mkdir -p "$(STATE)/notebooks" && chmod 700 "$(STATE)/notebooks"
	@OUTREACH_HOME="$(STATE)" $(VENV)/bin/jupyter execute notebooks/*.ipynb --output="$(STATE)/notebooks/{notebook_name}" $(ARGS)
	@echo "written to $(STATE)/notebooks"

docs: setup ## data dictionary, lineage and dbt's pages, in the folder docs/ of the state folder
	@$(VENV)/bin/outreach docs $(ARGS)

pictures: setup ## the README's pictures, from this state folder's demo; needs Chromium
	@$(PY) tests/browser/pictures.py --home "$(STATE)"

ui: setup ## open the Dagster UI
	@$(VENV)/bin/outreach ui $(ARGS)

test: setup ## run every kind of test but `long`: nights over real files, a year of lists and its outcomes
	$(TEST_ENV) $(PY) -m pytest -n $(WORKERS) --no-loadscope-reorder $(or $(ARGS),$(patsubst %,tests/%,$(filter-out long,$(KINDS))))

$(KINDS:%=test-%): test-%: setup
	$(TEST_ENV) $(PY) -m pytest tests/$* $(ARGS)

lint: setup ## ruff, mypy, sqlfluff, broken promises of contracts; all of them, whatever the first says
	@status=0; \
	$(VENV)/bin/ruff check . || status=1; \
	$(VENV)/bin/ruff format --check . || status=1; \
	$(VENV)/bin/mypy || status=1; \
	$(VENV)/bin/sqlfluff lint dbt/models --nocolor || status=1; \
	$(VENV)/bin/outreach contracts diff --against $(AGAINST) || status=1; \
	exit $$status

format: setup ## let ruff write what `lint` would only name
	@$(VENV)/bin/ruff check --fix . && $(VENV)/bin/ruff format .

lock: setup ## resolve pyproject.toml anew into requirements.lock
	$(PY) -m uv pip compile --universal --generate-hashes --python-version 3.11 --extra dev pyproject.toml -o requirements.lock

bench-%: setup
	$(PY) tests/bench/bench_$*.py $(ARGS)

bench: $(BENCHES:%=bench-%) ## benchmarks, as ratios against a reference in the same run

engine-stop: ## stop the embedded Spark engine, if it runs
	@test ! -x $(VENV)/bin/outreach || $(VENV)/bin/outreach engine stop

clean: engine-stop ## remove caches; the environment and the warehouse stay (remove $(VENV), .outreach by hand)
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis dbt/target dbt/logs *.egg-info build dist
	find contracts causal jobs dagster_project tests -name __pycache__ -type d -prune -exec rm -rf {} +
