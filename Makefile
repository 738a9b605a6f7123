# make demo    three simulated clouds, one cancel each, and what really happened
# make test    the whole test suite
# make quick   the core alone, without processes and sandbox: seconds
# make soak    random faults and kills for half an hour or longer, and properties with 1,000 examples; CASES=5000 for more
# make test-lowest   the unit tests with the lowest versions that pyproject.toml declares, on Python 3.11
# make dist    wheel, source distribution, self-contained folder (tar.xz, deb, rpm), SBOM, digests, by locked tools
# make test-build   two builds give the same bytes; make test-dist: what make dist has built, installed and tried
# make man     the manual pages in man/, written and checked
# make check   lint, types, import rules, dependencies, licences
# make docs    the pages as a site in build/site, every link checked
# make bench   how fast, against the vendors' own CLIs and SDKs; writes docs/performance.md (QUICK=1: a few minutes; PARTS="limits fleet": only these)
# make screenshots   the pictures in docs/screens, taken anew (minutes)
# make test-peers    the vendors' own CLIs, SDKs for Node.js, Ansible and Kubernetes schemas (large downloads); the budgets, by instructions

PYTHON ?= python3
VENV ?= .venv
PEERS ?= .venv-peers
LOWEST ?= .venv-lowest
BUILD ?= .venv-build
DOCS ?= .venv-docs
LOWEST_PYTHON ?= $(shell command -v python3.11 || echo $(PYTHON))
CASES ?= 2000
BIN := $(VENV)/bin
ROOMS := tests/config tests/engine tests/guards tests/journal tests/providers tests/render tests/runtime
UNIT := $(ROOMS) tests/contract tests/sandbox tests/cli/test_help.py tests/cli/test_output.py \
  $(filter-out %/test_screens.py %/test_runbooks.py,$(wildcard tests/test_*.py))
CORE := $(filter-out tests/journal tests/providers,$(ROOMS)) tests/test_dependencies.py tests/test_errors.py tests/test_text.py tests/test_voice.py
SLOW := tests/config/test_links.py tests/config/test_settings.py tests/render/test_writers.py tests/runtime/test_limiter.py tests/runtime/test_workers.py
SOURCES := $(shell git ls-files -- release runcancel man completions README.md CHANGELOG.md LICENSE pyproject.toml 2>/dev/null) \
  $(wildcard $(shell git rev-parse --git-path logs/HEAD))
PIP := -m pip --disable-pip-version-check --quiet

.PHONY: demo test quick soak check bench test-peers test-lowest test-build test-dist dist docs generate man lock mutants coverage screenshots clean

demo: $(VENV)/.installed
	@$(BIN)/runcancel sandbox demo

# Tests write to memory where there is room: they begin thousands of journals, and each waits for the disk several times.
MEMORY = $(shell [ -w /dev/shm ] && [ $$(df -Pk /dev/shm | awk 'END {print $$4}') -gt 2000000 ] && \
  ! grep -q ' /dev/shm .*noexec' /proc/mounts && echo /dev/shm)

# The first time two processes rewrite the asserts of 200 files, each those of one half: the one that collects finds it done.
# Twenty workers, for a test waits more than it works: with eight, two cores were idle for a part of the time.
test: export PYTHONDONTWRITEBYTECODE =
test: export PYTEST_DEBUG_TEMPROOT = $(MEMORY)
test: $(VENV)/.installed-dev
	@ls tests/__pycache__/conftest.*-pytest-*.pyc >/dev/null 2>&1 || { $(BIN)/python -m pytest -q --collect-only tests/cli >/dev/null & \
	$(BIN)/python -m pytest -q --collect-only --ignore=tests/cli >/dev/null; wait; }
	$(BIN)/python -m pytest -q --workers 20 -o tmp_path_retention_policy=failed

quick: export PYTHONDONTWRITEBYTECODE =
quick: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -q -n 2 --dist worksteal $(addprefix --ignore=,$(SLOW)) $(CORE)

soak: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -q tests/faults --soak $(CASES)
	$(BIN)/python -m pytest -q -m hypothesis --hypothesis-profile soak $(ROOMS) tests/fuzz

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry runcancel
	$(BIN)/python -m pip check
	$(BIN)/python tests/licences.py --check

test-peers: $(VENV)/.installed-dev $(PEERS)/.installed $(PEERS)/node/.installed
	RUNCANCEL_PEERS=$(abspath $(PEERS)) $(BIN)/python -m pytest -q -n 2 tests/peers tests/test_scaling.py

# a bound that is declared is a bound that works; a venv of its own, made anew when a bound changes
test-lowest: $(LOWEST)/.installed
	$(LOWEST)/bin/python -m pytest -q -n 4 --dist worksteal -p no:cacheprovider $(UNIT)

bench: $(VENV)/.installed-dev $(PEERS)/.installed
	RUNCANCEL_PEERS=$(abspath $(PEERS)) $(BIN)/python -m benchmarks $(if $(QUICK),--quick) $(PARTS)
	$(if $(PARTS),,$(BIN)/python -m benchmarks.dependencies $(if $(QUICK),--quick))

# what is generated and kept: completions/, man/, runcancel/schemas/, help and skeletons as they were read last, and the
# marked parts of the pages; tests keep them fresh
generate: $(VENV)/.installed-dev
	$(BIN)/python -c "from pathlib import Path; from runcancel.cli.support.completion import write_all; write_all(Path('completions'))"
	$(BIN)/python -c "from pathlib import Path; from runcancel.cli.manual import write_all; write_all(Path('man'))"
	$(BIN)/python -m runcancel.render.schemas
	$(BIN)/python -c "from runcancel.cli.summarize import write_all; write_all()"
	PYTHONPATH=tests:tests/cli $(BIN)/python tests/cli/golden_help.py
	$(BIN)/python -m tests.cli.skeletons
	$(BIN)/python tests/licences.py
	$(BIN)/python tests/parts.py

# the manual pages, out of the same declarations as help; man itself looks for mistakes
man: $(VENV)/.installed-dev
	$(BIN)/python -c "from pathlib import Path; from runcancel.cli.manual import write_all; write_all(Path('man'))"
	$(BIN)/python -m pytest -q tests/cli/test_manual.py

# a commit has one build: its time stands for every file's, and nothing else of the machine gets in
dist: dist/SHA256SUMS

dist/SHA256SUMS: $(BUILD)/.installed $(SOURCES)
	SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct)} $(BUILD)/bin/python release/make.py dist

# two builds of the last commit; the first of them stays in dist/
test-build: $(BUILD)/.installed
	$(BUILD)/bin/python tests/twice.py dist

test-dist: $(VENV)/.installed-dev dist/SHA256SUMS
	RUNCANCEL_DIST=$(abspath dist) $(BIN)/python -m pytest -q tests/release

# the pages as a site; the commands and the topics in it are the program's own help
docs: $(VENV)/.installed-dev $(DOCS)/.installed
	$(BIN)/python tests/site.py pages build/pages
	rm -rf build/site
	$(DOCS)/bin/zensical build --strict --clean --config-file zensical.toml
	$(BIN)/python tests/site.py links build/site

# the development environment and the tools that build, pinned and hashed for every Python and platform; used by LOCKED=1
lock: $(VENV)/.installed-dev
	$(BIN)/python $(PIP) install uv
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --upgrade \
	  --no-emit-index-url --custom-compile-command "make lock" --quiet --output-file requirements-dev.lock
	$(BIN)/uv pip compile pyproject.toml --group build --universal --python-version 3.11 --generate-hashes --constraint requirements-dev.lock \
	  --no-emit-index-url --custom-compile-command "make lock" --quiet --output-file requirements-build.lock
	$(BIN)/uv pip compile --group docs --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --custom-compile-command "make lock" --quiet --output-file requirements-docs.lock

# what the judges would not notice: every mutant that survives is explained in docs/trust.md
mutants: $(VENV)/.installed-dev
	$(BIN)/python $(PIP) install mutmut
	$(BIN)/mutmut run
	$(BIN)/mutmut results

# branch coverage of the whole suite, subprocesses included
coverage: $(VENV)/.installed-dev
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q -n 2
	$(BIN)/coverage combine -q
	$(BIN)/coverage report --skip-covered --show-missing

# the real command on terminals of three widths before a sandbox; a test takes some of them again and compares
screenshots: $(VENV)/.installed-dev
	$(BIN)/python tests/screens.py docs/screens

clean:
	rm -rf $(VENV) $(PEERS) $(LOWEST) $(BUILD) $(DOCS) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "runcancel needs Python 3.11 or newer; name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	@echo "installing into $(VENV) ..."
	@$(BIN)/python $(PIP) install -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/bin/python
	@echo "installing with development tools into $(VENV) ..."
	@$(if $(LOCKED),$(BIN)/python $(PIP) install --require-hashes -r requirements-dev.lock -r requirements-build.lock && $(BIN)/python $(PIP) install --no-deps --no-build-isolation -e .,$(BIN)/python $(PIP) install -e '.[dev]')
	@touch $@ $(VENV)/.installed

$(BUILD)/.installed: requirements-build.lock
	@echo "installing what builds into $(BUILD) ..."
	@rm -rf $(BUILD) && $(PYTHON) -m venv $(BUILD)
	@$(BUILD)/bin/python $(PIP) install --require-hashes -r requirements-build.lock
	@touch $@

$(DOCS)/.installed: requirements-docs.lock
	@echo "installing what makes the site into $(DOCS) ..."
	@rm -rf $(DOCS) && $(PYTHON) -m venv $(DOCS)
	@$(DOCS)/bin/python $(PIP) install --require-hashes -r requirements-docs.lock
	@touch $@

$(LOWEST)/.installed: pyproject.toml
	@echo "installing the lowest declared versions into $(LOWEST) ..."
	@rm -rf $(LOWEST) && $(LOWEST_PYTHON) -m venv $(LOWEST)
	@$(LOWEST)/bin/python $(PIP) install uv
	@$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python --resolution lowest-direct -e '.[dev]'
	@touch $@

$(PEERS)/.installed: tests/peers/requirements.txt
	@echo "installing the vendors' CLIs and the job runners' tools into $(PEERS) ..."
	@$(PYTHON) -m venv $(PEERS)
	@$(PEERS)/bin/python $(PIP) install -r tests/peers/requirements.txt
	@touch $@

# without npm, or without its registry, there is no marker, so that the next run looks again; the tests say what they miss
$(PEERS)/node/.installed: tests/peers/node/package.json | $(PEERS)/.installed
	@if ! command -v npm >/dev/null; then echo "npm is not on PATH: the SDKs for Node.js are left out" >&2; exit 0; fi; \
	echo "installing the SDKs for Node.js into $(PEERS)/node ..."; \
	mkdir -p $(PEERS)/node && cp tests/peers/node/package.json $(PEERS)/node/ && \
	if npm install --prefix $(PEERS)/node --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error \
	  --fetch-retries=1 --fetch-timeout=60000; then touch $@; else rm -rf $(PEERS)/node/node_modules; \
	  echo "npm cannot install the SDKs for Node.js: they are left out" >&2; fi
