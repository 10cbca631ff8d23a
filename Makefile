# Everything runs in .venv, which is made when first needed. `make help` lists the targets.
PYTHON ?= python3
# The index URL that pytorch.org's selector shows for CPU gives a PyTorch of a few hundred MB; empty: the default build.
TORCH_INDEX ?=
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
TORCH_NEEDED := $(PYTHON) -c 'import tomllib as t; print(*[d for d in t.load(open("pyproject.toml", "rb"))["project"]["dependencies"] if d.startswith("torch")])'
RUN_STAMP := $(VENV)/.installed
TEST_STAMP := $(VENV)/.installed-test

.DEFAULT_GOAL := help
# How long `make soak` injects faults, into which store, and from which seed (empty: another one each time).
SECONDS ?= 60
SEED ?=
STORE ?= sqlite
# Of the benchmarks: anything keeps their numbers in benchmarks/results.
SAVE ?=
.PHONY: demo test test-long soak guards bench-engine bench-gpu bench-cli bench-report pages check clean help

demo: $(RUN_STAMP) ## install, then the whole suite on a small data set, with a report in ./bench-demo
	$(BIN)/bench demo

test: $(TEST_STAMP) ## every test but the long ones, three files at a time; brings its own servers
	$(BIN)/python -m pytest -m "not long" --numprocesses 3 --dist loadfile --no-loadscope-reorder

test-long: $(TEST_STAMP) ## the tests that take minutes each
	$(BIN)/python -m pytest -m long

soak: $(TEST_STAMP) ## random faults against real workers: make soak SECONDS=600 SEED=7 STORE=postgres
	$(BIN)/python tests/soak.py --seconds $(SECONDS) --store $(STORE) $(if $(SEED),--seed $(SEED))

guards: $(TEST_STAMP) ## remove each guard and see its fault test fail (two hours)
	$(BIN)/python tests/guards.py

bench-engine: $(TEST_STAMP) ## measure the engine on a machine without other work; SAVE=1 keeps the numbers
	$(foreach name,engine slots augmentation convolutions bound overhead start growth,$(BIN)/python -m benchmarks.$(name) $(if $(SAVE),--save) &&) true

bench-gpu: $(TEST_STAMP) ## on a card: the engine against a plain script, graphs and kernels, several trainings at once; SAVE=1 keeps the numbers
	$(BIN)/python -m benchmarks.engine --device cuda --images 8000 --precision float32 --precision bfloat16 $(if $(SAVE),--save)
	$(BIN)/python -m benchmarks.graph --precision float32 --precision bfloat16 $(if $(SAVE),--save)
	$(BIN)/python -m benchmarks.packing $(if $(SAVE),--save)

bench-cli: $(TEST_STAMP) ## how long help, status and submit take, as stores grow: make bench-cli JOBS=10,1000
	$(BIN)/python -m benchmarks.cli $(if $(JOBS),--jobs $(JOBS)) $(if $(SAVE),--save)

bench-report: $(TEST_STAMP) ## seconds and memory of the report: make bench-report JOBS=10,1000,10000; KEEP=FOLDER keeps the filled stores
	$(BIN)/python -m benchmarks.report $(if $(JOBS),--jobs $(JOBS)) $(if $(KEEP),--keep $(KEEP)) $(if $(SAVE),--save)

pages: $(TEST_STAMP) ## write the pages of docs/ that are made from the code: all commands, all errors
	$(BIN)/python tests/pages.py

check: $(TEST_STAMP) ## format, lint, types, import contracts
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

clean: ## remove caches, builds and the demo's folder; .venv and .bench stay
	rm -rf bench-demo build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r name text; do printf '%-18s %s\n' "$$name" "$$text"; done

# A stamp is written last, so an install that failed is taken up again by the next call.
define install
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: bench needs Python 3.11 or newer and '$(PYTHON)' is not; fix: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "error: '$(PYTHON)' cannot make virtual environments; fix: install its venv package (Debian: python3-venv)" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(if $(TORCH_INDEX),$(PIP) install --index-url "$(TORCH_INDEX)" $$($(TORCH_NEEDED)))
	$(PIP) install --editable "$(1)"
endef

$(RUN_STAMP): pyproject.toml
	$(call install,.)
	@touch $@

$(TEST_STAMP): pyproject.toml
	$(call install,.[test])
	@touch $(RUN_STAMP) $@
