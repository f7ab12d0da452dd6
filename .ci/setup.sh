# shellcheck shell=bash
# Installs what the parts of ci.sh need and the machine lacks. Sourced by ci.sh. Nothing here is skipped:
# what cannot be installed stops the run and says what is missing.

# Where what the installers say is kept.
: "${logs:?is set by ci.sh}"

die() {
    printf '\n%s\n' "ci.sh: $*" >&2
    exit 1
}

# as_root COMMAND…: as it is for root, by sudo for others.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "needs root for: $* (become root, or install sudo)"
    fi
}

policy=/usr/sbin/policy-rc.d
policy_is_ours=
remove_policy() {
    [ -z "$policy_is_ours" ] || as_root rm -f "$policy"
    policy_is_ours=
}

# debian PACKAGE…: installs Debian packages. The services in them do not start by themselves.
debian() {
    command -v apt-get >/dev/null || die "install by hand, since this is no Debian: $*"
    printf 'installing %s\n' "$*"
    if [ ! -e "$policy" ]; then
        policy_is_ours=yes
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod +x "$policy"
    fi
    local lock=DPkg::Lock::Timeout=300
    as_root apt-get -qq -o "$lock" update </dev/null
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq -o "$lock" install -y --no-install-recommends "$@" </dev/null >"$logs/apt.log" 2>&1 ||
        { tail -n 20 "$logs/apt.log" >&2; die "apt-get could not install: $*"; }
    remove_policy
}

# need COMMAND=PACKAGE…: each command is on the path, or its package is installed.
need() {
    local pair missing=()
    for pair in "$@"; do
        PATH=$PATH:/usr/sbin command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
    done
    [ ${#missing[@]} -eq 0 ] || debian "${missing[@]}"
}

need_python() {
    need python3=python3
    python3 -c 'import ensurepip, venv' 2>/dev/null || debian python3-venv
}

need_mosquitto() {
    need mosquitto=mosquitto mosquitto_passwd=mosquitto mosquitto_ctrl=mosquitto \
        mosquitto_sub=mosquitto-clients mosquitto_pub=mosquitto-clients mosquitto_rr=mosquitto-clients \
        stdbuf=coreutils
}

# The project's own Python environment. It holds its own .gitignore.
need_venv() {
    [ -x .venv/bin/pip ] && return
    need_python
    python3 -m venv .venv
    printf '*\n' >.venv/.gitignore
}

# pip_install FILE [OPTION…]: a requirements file into .venv, once for each of its states.
pip_install() {
    local file=$1 stamp
    shift
    need_venv
    stamp=.venv/$(basename "$file").installed
    cmp -s "$file" "$stamp" && return
    printf 'installing %s\n' "$(grep -oE '^[a-z0-9_-]+==[0-9.]+' "$file" | tr '\n' ' ')"
    .venv/bin/pip install -q --disable-pip-version-check "$@" -r "$file" </dev/null || return
    cp "$file" "$stamp"
}

need_python_client() {
    pip_install .ci/interop.txt || die "pip could not install .ci/interop.txt"
}

# cargo_tool NAME VERSION: a cargo subcommand of that version. On x86_64 Linux the pinned binary of
# .ci/tools.txt (seconds), if it is there; else built from source.
cargo_tool() {
    local name=$1 version=$2
    [ "$("$name" "${name#cargo-}" --version 2>/dev/null)" = "$name $version" ] && return
    if [ "$(uname -sm)" = "Linux x86_64" ] && grep -qF -- "-$name==$version " .ci/tools.txt &&
        pip_install .ci/tools.txt --require-hashes; then
        return
    fi
    need_venv
    cargo install --locked --root .venv "$name@$version" </dev/null
}

need_rustup() {
    command -v rustup >/dev/null || die "install rustup first (this part needs $1)"
}

# rust_target TRIPLE…
rust_target() {
    need_rustup "the target $*"
    local triple
    for triple in "$@"; do
        rustup target list --installed | grep -qx "$triple" || rustup target add "$triple"
    done
}

rust_component() {
    local pair
    for pair in "$@"; do
        cargo "${pair%%=*}" --version >/dev/null 2>&1 && continue
        need_rustup "the component ${pair#*=}"
        rustup component add "${pair#*=}"
    done
}

need_nightly() {
    need_rustup nightly
    rustup run nightly rustc --version >/dev/null 2>&1 ||
        rustup toolchain install nightly --profile minimal --no-self-update
}
