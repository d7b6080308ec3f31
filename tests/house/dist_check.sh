#!/usr/bin/env bash
# Builds the sdist, a wheel from that sdist alone, installs the wheel into an empty folder and
# imports it from there. $PY is the interpreter of the environment that has the build tools. Kernels are compiled without
# optimisation: what is tried is which files are there and that they work together, and nobody waits for a compiler.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

"$PY" setup.py --quiet egg_info --egg-base "$work" sdist --dist-dir "$work/sdist" >"$work/log" 2>&1 ||
    { cat "$work/log"; exit 1; }
tar -xzf "$work"/sdist/tracestore-*.tar.gz -C "$work"
source_dir="$(echo "$work"/tracestore-*/)"
if [ -n "$(find "$source_dir" -name '*.c' -o -name '*.so')" ]; then
    echo "the sdist holds generated C or built modules" >&2
    exit 1
fi

TRACESTORE_DEBUG_KERNELS=1 "$PY" -m pip wheel --quiet --no-build-isolation --no-deps --wheel-dir "$work/wheel" "$source_dir"
# A file, not a pipe: grep -q ends a program that still writes to it.
"$PY" -m zipfile --list "$work"/wheel/*.whl >"$work/files"
if grep -E '^(tests|bench|docs)/|\.c |\.pyx ' "$work/files"; then
    echo "the wheel holds files that are not for users" >&2
    exit 1
fi
if [ -e tracestore/ui/dist/index.html ] &&
    ! grep -q '^tracestore/ui/dist/index.html ' "$work/files"; then
    echo "the wheel lacks the pages of the UI" >&2
    exit 1
fi

"$PY" -m pip install --quiet --no-deps --target "$work/site" "$work"/wheel/*.whl
mkdir "$work/empty" && cd "$work/empty"
PYTHONPATH="$work/site" "$PY" -P - "$work/site" <<'PROGRAM'
import importlib
import pathlib
import sys

site = pathlib.Path(sys.argv[1])
import tracestore
import tracestore_ingest
import tracestore_query

assert pathlib.Path(tracestore.__file__).is_relative_to(site), tracestore.__file__
modules = [p.name.split(".")[0] for p in (site / "tracestore" / "_native").glob("*.so")]
for name in modules:
    importlib.import_module(f"tracestore._native.{name}")
print(f"wheel works from an empty folder: {len(modules)} native modules")
PROGRAM
