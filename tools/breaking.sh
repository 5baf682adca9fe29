#!/usr/bin/env bash
# Fails when protos/ breaks callers of what was published: of the last version's tag, and where
# there is none yet, of main. Takes the old protos out of git, so that it needs no clone of its
# own; where git has neither (a clone of one branch, an archive), it says so and passes.
set -euo pipefail
cd "$(dirname "$0")/.."

published() {
    git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null && return
    local ref
    for ref in origin/main main; do
        git rev-parse --verify "$ref^{commit}" >/dev/null 2>&1 && echo "$ref" && return
    done
}

against=$(published || true)
if [ -z "$against" ] || ! git cat-file -e "$against:protos" 2>/dev/null; then
    echo "breaking changes: not looked for, git has no published protos to compare with"
    exit 0
fi
old=$(mktemp -d)
trap 'rm -rf "$old"' EXIT
git archive "$against" protos | tar -x -C "$old"
# The old ones may have a configuration of their own; today's rules are what counts.
.venv/bin/buf breaking protos --against "$old/protos" --against-config protos/buf.yaml
