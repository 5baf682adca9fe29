#!/usr/bin/env bash
# Makes this machine able to run every target of the Makefile, and does nothing where it is.
#
# Three things: Debian packages for the programs that are missing, the virtual environment
# .venv with the versions of requirements-dev.lock, and this project in it, editable. Starts no
# service, and removes no package but the busybox that busybox-static stands in for.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin

# Which package has each program. One that is there already is used, whoever installed it.
declare -rA PACKAGE_OF=(
    [containerd]=containerd # with its shim, and ctr to look at it from outside
    [runc]=runc
    [crun]=crun     # the other runtime
    [catatonit]=catatonit # the init that a container may have
    [ip]=iproute2   # looks at networks from outside
    [nft]=nftables  # looks at rules from outside, and brings the library by which moored makes them
    [iptables]=iptables # others' firewalls, for tests beside them
    [openssl]=openssl # makes the certificates that the documents make
    [apparmor_parser]=apparmor # compiles the profile of packaging/, and loads none
    [skopeo]=skopeo # turns images into what other tools make of them
)
# What one target alone needs, as PROGRAM=PACKAGE, or as FILE=PACKAGE where it has no program.
readonly ALSO=("$@")
readonly POLICY=/usr/sbin/policy-rc.d STAMP=.venv/.set-up

say() { printf 'setup: %s\n' "$*"; }

refuse() {
    say "$@" >&2
    exit 1
}

is_there() { [ -e "$1" ] || command -v "$1" >/dev/null; }

missing_packages() {
    local program named
    for program in "${!PACKAGE_OF[@]}"; do
        command -v "$program" >/dev/null || echo "${PACKAGE_OF[$program]}"
    done
    for named in "${ALSO[@]}"; do
        is_there "${named%%=*}" || echo "${named#*=}"
    done
    # By its package: the program of the same name in the package busybox is not static.
    [ -e /usr/share/doc/busybox-static ] || echo busybox-static
    # Plugins are on nobody's path, and two of them call iptables.
    [ -x /usr/lib/cni/bridge ] || echo containernetworking-plugins
    # The schema of runtime specs, which tests hold ours to.
    [ -e /usr/share/doc/golang-github-opencontainers-specs-dev ] ||
        echo golang-github-opencontainers-specs-dev
    [ -x .venv/bin/python ] || find_python >/dev/null || echo python3-venv
}

# Prints the first Python that is new enough and can make a virtual environment.
find_python() {
    local python
    for python in python3.11 /usr/bin/python3 python3; do
        if "$python" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' \
            2>/dev/null; then
            command -v "$python"
            return
        fi
    done
    return 1
}

apt() {
    DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
        apt-get -qq --yes --no-install-recommends -o Dpkg::Use-Pty=0 -o Acquire::Retries=3 "$@"
}

install_packages() {
    command -v apt-get >/dev/null || refuse "cannot install $*: there is no apt-get here"
    [ "$(id -u)" = 0 ] || refuse "cannot install $*: not root; try: sudo apt-get install $*"
    say "installing $*"
    # Lists that are old, or came without the security archive, have other versions than are needed.
    apt update || say "cannot bring the lists of packages up to date; going by those that are here"
    local removed
    removed=$(apt --simulate install "$@" | sed -n 's/^Remv \([^ ]*\).*/\1/p')
    case $removed in
    "" | busybox) ;;
    *) refuse "cannot install $*: that would remove" $removed ;;
    esac
    forbid_services
    apt install "$@" >/dev/null
}

# No package that is installed here may start its service: ours are started by who needs them.
forbid_services() {
    [ ! -e "$POLICY" ] || return 0
    trap 'rm -f "$POLICY"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$POLICY"
    chmod 755 "$POLICY"
}

# What the environment is made from; it holds absolute paths, so where it is counts too.
wanted() { { pwd && cat requirements-dev.lock pyproject.toml; } | sha256sum; }

is_made() { [ -x .venv/bin/python ] && [ -f $STAMP ] && [ "$(<$STAMP)" = "$(wanted)" ]; }

make_environment() {
    say "making .venv"
    [ -x .venv/bin/pip ] || "$(find_python)" -m venv --clear .venv
    .venv/bin/pip --quiet --disable-pip-version-check install \
        "$(grep '^uv==' requirements-dev.lock)"
    # uv knows nothing of pip's settings, and a private index is one that it has to know.
    if [ -n "${PIP_INDEX_URL:-}" ]; then
        export UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX:-$PIP_INDEX_URL}
    fi
    .venv/bin/uv pip install --quiet --python .venv/bin/python \
        --requirement requirements-dev.lock --editable '.[server]'
    wanted >$STAMP
}

mapfile -t missing < <(missing_packages)
[ ${#missing[@]} = 0 ] || install_packages "${missing[@]}"
is_made || make_environment
