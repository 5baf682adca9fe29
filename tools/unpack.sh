#!/usr/bin/env bash
# Unpacks a package of another suite of Debian's beside the system: tools/unpack.sh SUITE PACKAGE DIRECTORY
#
# It comes from where this machine's packages come from, with the same keys, and nothing is
# installed. A directory that is there already is left as it is.
set -euo pipefail
readonly suite=$1 package=$2 directory=$3
[ ! -e "$directory" ] || exit 0

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mirror=$(apt-get indextargets --format '$(SITE) $(COMPONENT)' | sed -n 's/ main$//p' | head -1)
keys=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keys] $mirror $suite main" >"$scratch/sources.list"
mkdir -p "$scratch/state/lists/partial" "$scratch/cache/archives/partial"
beside=(
    -qq -o APT::Sandbox::User=root
    -o Dir::Etc::SourceList="$scratch/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o Dir::State="$scratch/state" -o Dir::State::status=/var/lib/dpkg/status
    -o Dir::Cache="$scratch/cache"
)
apt-get "${beside[@]}" update
(cd "$scratch" && apt-get "${beside[@]}" download "$package")
mkdir -p "$(dirname "$directory")"
dpkg -x "$scratch"/*.deb "$scratch/unpacked"
mv "$scratch/unpacked" "$directory"
