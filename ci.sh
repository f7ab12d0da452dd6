#!/usr/bin/env bash
# Installs what is missing, then checks the project: all of it, or the named parts.
# `./ci.sh --help` lists the parts.
set -euo pipefail
cd "$(dirname "$0")"

usage() {
    cat <<'EOF'
usage: ./ci.sh [PART…] [--long [SECONDS]]

Without a part: all of these, in this order.

  files        rules for the files: length, unsafe code, tests switched off, paths
  lint         rustfmt, clippy, shellcheck
  deny         licences, sources and bans of all dependencies (deny.toml)
  nostd        the core crates for thumbv6m-none-eabi, without an allocator; owned packets with one
  nopanic      an image of the whole codec links though no function may panic
  features     the core crates in all combinations of their features; those for std in a few
  docs         rustdoc without a warning, the examples in it run
  test         every test of the workspace; real brokers and the official client included; the core's for 32 bits as well
  conformance  the codec on the statements of the standards
  interop      only the tests against mosquitto and the official Python client
  fuzz         each target on its corpus, then for ten seconds on new inputs
  firmware     the images
  demo         the program's own demo, as a release build

Only by name, since they take their time:

  mutants      every small change to the codec's code makes a test fail, or is in .ci/mutants.toml with its reason;
               hours, or a part of them: MUTANTS_SHARD=0/8 in the environment; MUTANTS_JOBS=N at once (2)
  miri         the codec's tests in an interpreter: with 64 bits, with 32, and with big-endian numbers

--long makes test, interop and fuzz take their time; with fuzz, SECONDS for each target (3600).
Needs Rust by rustup; the rest is installed (apt-get, cargo, pip), as root or by sudo.
EOF
}

all_parts=(files lint deny nostd nopanic features docs test conformance interop fuzz firmware demo)

target_dir=${CARGO_TARGET_DIR:-target}
logs=$target_dir/ci
mkdir -p "$logs"
# The tools of .ci/tools.txt.
PATH=$PWD/.venv/bin:$PATH
if [ -n "${CI:-}" ]; then
    # Nothing is built twice on a fresh clone: no state for the next build, and no full debug information.
    export CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=line-tables-only CARGO_TERM_COLOR=never
fi

# shellcheck source=.ci/setup.sh
. .ci/setup.sh

# What the failing step was, said last.
step=
part=
finish() {
    local status=$?
    remove_policy
    [ "$status" -eq 0 ] || printf '\nFAILED in %s%s\n' "${part:-ci.sh}" "${step:+: $step}" >&2
}
trap finish EXIT

# run COMMAND…: shown, then run.
run() {
    step="$*"
    # Where its output goes is not part of what is shown.
    [ "$1" != quiet ] || step="${*:3}"
    printf '$ %s\n' "$step"
    "$@" </dev/null
    step=
}

# check NAME COMMAND…: like run; counted, since the command counts nothing itself.
check() {
    local name=$1
    shift
    run "$@"
    printf 'check: %s: ok\n' "$name"
}

# quiet LOG COMMAND…: its output goes to a log, and is shown when it fails.
quiet() {
    local log=$1
    shift
    "$@" >"$log" 2>&1 || {
        tail -n 60 "$log" >&2
        return 1
    }
}

in_project() {
    local pattern
    for pattern in "$@"; do
        compgen -G "$pattern" >/dev/null && return
    done
    return 1
}

not_here_yet() {
    printf 'not in the project yet: %s\n' "$1"
}

# features_of CRATE: one a line.
features_of() {
    cargo metadata --no-deps --format-version 1 | python3 -c '
import json, sys
for package in json.load(sys.stdin)["packages"]:
    if package["name"] == sys.argv[1]:
        print("\n".join(sorted(package["features"])))' "$1"
}

# combinations WORD…: every subset, comma-separated, one a line; the empty one is `-`.
combinations() {
    local subsets=("") subset word
    for word in "$@"; do
        for subset in "${subsets[@]}"; do
            subsets+=("${subset:+$subset,}$word")
        done
    done
    for subset in "${subsets[@]}"; do
        printf '%s\n' "${subset:--}"
    done
}

# axes CRATE: those of the features that are built in all combinations which the crate has.
axes() {
    features_of "$1" | grep -xE 'v5|qos2|store|alloc' || true
}

# Every script of the project: by its name, or by its first line.
shell_scripts() {
    git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
        [ -f "$file" ] || continue
        if [[ $file == *.sh ]] || head -n 1 "$file" | grep -qaE '^#!.*\b(ba|da)?sh\b'; then
            printf '%s\n' "$file"
        fi
    done
}

part_files() {
    run .ci/files
}

part_lint() {
    rust_component fmt=rustfmt clippy=clippy
    need shellcheck=shellcheck
    check rustfmt cargo fmt --all --check
    ! in_project fuzz/Cargo.toml || check 'rustfmt of fuzz' cargo fmt --manifest-path fuzz/Cargo.toml --check
    check clippy cargo clippy -q --workspace --all-targets --all-features -- -D warnings
    local scripts
    mapfile -t scripts < <(shell_scripts)
    check "shellcheck of ${#scripts[@]} scripts" shellcheck -x "${scripts[@]}"
}

part_deny() {
    cargo_tool cargo-deny 0.20.2
    check 'bans, licences and sources' cargo deny --log-level error --all-features check bans licenses sources
}

part_nostd() {
    need_python
    local triple=thumbv6m-none-eabi crate features
    local crates=(mqtt-device-proto mqtt-device-core mqtt-device-embedded)
    rust_target "$triple"
    check "builds for $triple" cargo build -q --no-default-features --target "$triple" "${crates[@]/#/-p}"
    # Atomics that the processor has not are made up, for the check that nothing wants `std`.
    check "owned packets and serde build for $triple" env RUSTFLAGS='--cfg portable_atomic_unsafe_assume_single_core' \
        CARGO_TARGET_DIR="$target_dir/atomics" cargo build -q -p mqtt-device-proto --target "$triple" \
        --no-default-features --features v5,bytes,serde,bytes/extra-platforms
    check "builds for $triple with defmt" cargo build -q -p mqtt-device-proto --features defmt,v5 --target "$triple"

    step='dependencies of mqtt-device-core'
    local tree
    tree=$(cargo tree -p mqtt-device-core -e normal --all-features --prefix none)
    if grep -E '^(tokio|embedded-io)' <<<"$tree"; then
        die 'mqtt-device-core depends on a runtime or a transport'
    fi
    printf 'check: mqtt-device-core knows no runtime and no transport: ok\n'

    # A library that is linked for itself and has no allocator: rustc refuses it as soon as any crate in it
    # wants one. With every feature that promises to do without.
    local probe=$logs/no-alloc
    mkdir -p "$probe/src"
    cp Cargo.lock "$probe/"
    {
        printf '[package]\nname = "no-alloc"\nversion = "0.0.0"\nedition = "2024"\n[workspace]\n'
        printf '[lib]\ncrate-type = ["staticlib"]\n[profile.dev]\npanic = "abort"\n[dependencies]\n'
        local path
        for crate in "${crates[@]}"; do
            path=$(dirname "$(grep -lxF "name = \"$crate\"" crates/*/Cargo.toml)")
            features=$(features_of "$crate" | grep -xE 'v5|qos2|store' | sed 's/.*/"&"/' | paste -sd, || true)
            printf '%s = { path = "%s", default-features = false, features = [%s] }\n' "$crate" "$PWD/$path" "$features"
        done
    } >"$probe/Cargo.toml"
    {
        printf '#![no_std]\n'
        for crate in "${crates[@]}"; do
            printf 'use %s as _;\n' "${crate//-/_}"
        done
        printf '#[panic_handler]\nfn panic(_: &core::panic::PanicInfo<'"'"'_>) -> ! {\n    loop {}\n}\n'
    } >"$probe/src/lib.rs"
    check 'links without an allocator' \
        env CARGO_TARGET_DIR="$target_dir/no-alloc" cargo build -q --manifest-path "$probe/Cargo.toml" --target "$triple"
}

part_features() {
    need_python
    local crate names set feature
    for crate in mqtt-device-proto mqtt-device-core; do
        mapfile -t names < <(axes "$crate")
        while read -r set; do
            set=${set#-}
            check "$crate with ${set:-no feature}" cargo clippy -q -p "$crate" --lib --no-default-features --features "$set" -- -D warnings
            run cargo test -q -p "$crate" --no-default-features --features "$set" --lib --tests
        done < <(combinations "${names[@]}")
    done
    # What only adds to the types that are there: each alone, with and without MQTT 5; then all of it, tested without
    # MQTT 5, since `test` has it all with.
    for feature in bytes serde defmt proptest unchecked-ascii; do
        for set in "$feature" "$feature,v5"; do
            check "mqtt-device-proto with $set" cargo clippy -q -p mqtt-device-proto --lib --no-default-features --features "$set" -- -D warnings
        done
    done
    set=bytes,serde,defmt,proptest
    check "mqtt-device-proto with $set" cargo clippy -q -p mqtt-device-proto --all-targets --no-default-features --features "$set" -- -D warnings
    run cargo test -q -p mqtt-device-proto --no-default-features --features "$set" --lib --tests
    for set in codec codec,v5; do
        check "mqtt-device-tokio with $set" cargo clippy -q -p mqtt-device-tokio --lib --no-default-features --features "$set" -- -D warnings
    done
}

part_docs() {
    check rustdoc env RUSTDOCFLAGS='-D warnings' cargo doc -q --workspace --no-deps --all-features
    # Part of test as well.
    [[ " ${parts[*]} " == *' test '* ]] || run cargo test -q --workspace --all-features --doc
}

part_test() {
    need_mosquitto
    need_python_client
    # Minutes of compiling are not to pass in silence.
    run cargo test --workspace --all-features --no-run
    run cargo test -q --workspace --all-features
    # Code for 32 bits, which needs no quick ways to be good: what a chip runs, at the speed of this machine.
    rust_target i686-unknown-linux-musl
    run env CARGO_TARGET_I686_UNKNOWN_LINUX_MUSL_LINKER=rust-lld cargo test -q -p mqtt-device-proto \
        -p mqtt-device-core --all-features --lib --tests --target i686-unknown-linux-musl
}

part_nopanic() {
    local triple level features log=$logs/nopanic.log
    local triples=(thumbv6m-none-eabi x86_64-unknown-none)
    rust_target "${triples[@]}"
    local build=(env CARGO_TARGET_DIR="$target_dir/nopanic" cargo build -q --release --locked
        --manifest-path .ci/nopanic/Cargo.toml)
    # Small for a chip; fast, with what is inlined by force there, for a machine with 64 bits.
    for triple in "${triples[@]}"; do
        level='"z"'
        [[ $triple != x86_64* ]] || level=3
        for features in '' v5 v5,unchecked-ascii; do
            check "no panic can be reached in the codec${features:+ with $features} on $triple" \
                "${build[@]}" --config "profile.release.opt-level=$level" --target "$triple" --features "$features"
        done
    done
    # The check can fail: a deliberate unwrap does not link, and for this reason alone.
    step='a deliberate panic is found'
    for triple in "${triples[@]}"; do
        if "${build[@]}" --target "$triple" --features deliberate >"$log" 2>&1 </dev/null; then
            die "an image with a deliberate unwrap was linked for $triple: this check finds nothing"
        fi
        grep -q 'undefined symbol: a_panic_can_be_reached' "$log" || die "it failed for another reason: $log"
        printf 'check: a deliberate panic is found on %s: ok\n' "$triple"
    done
    step=
}

part_conformance() {
    if ! in_project crates/proto/tests/conformance.rs crates/proto/tests/conformance/main.rs; then
        not_here_yet 'the conformance test of the codec'
        return
    fi
    run cargo test -q -p mqtt-device-proto --all-features --test conformance -- --nocapture
}

part_interop() {
    # All of it is part of test.
    if [[ " ${parts[*]} " == *' test '* ]] && [ -z "$long" ]; then
        printf 'done: part of test\n'
        return
    fi
    need_mosquitto
    need_python_client
    local tests=(--test 'mosquitto*')
    ! in_project 'crates/*/tests/interop*' || tests+=(--test 'interop*')
    run cargo test -q --workspace --all-features "${tests[@]}"
}

part_fuzz() {
    if ! in_project fuzz/Cargo.toml; then
        not_here_yet 'fuzz targets'
        return
    fi
    need_nightly
    cargo_tool cargo-fuzz 0.13.2
    local seconds=10 name known new dict=()
    [ -z "$long" ] || seconds=$long_seconds
    ! in_project fuzz/mqtt.dict || dict=(-dict=fuzz/mqtt.dict)
    # Only safe code: the address sanitizer would find nothing, and halve the speed.
    local fuzz=(cargo +nightly fuzz)
    local targets
    mapfile -t targets < <("${fuzz[@]}" list)
    [ ${#targets[@]} -gt 0 ] || die 'fuzz/ has no target'
    run quiet "$logs/fuzz-build.log" "${fuzz[@]}" build --sanitizer none
    for name in "${targets[@]}"; do
        known=fuzz/corpus/$name
        # What is found goes here, not among the committed inputs.
        new=$logs/fuzz/$name
        mkdir -p "$known" "$new"
        check "$name on its corpus of $(find "$known" -type f | wc -l)" \
            quiet "$logs/fuzz-$name.log" "${fuzz[@]}" run --sanitizer none "$name" "$known" -- -runs=0 "${dict[@]}"
        check "$name for $seconds s on new inputs" \
            quiet "$logs/fuzz-$name.log" "${fuzz[@]}" run --sanitizer none "$name" "$new" "$known" -- \
            -max_total_time="$seconds" -print_final_stats=1 -timeout=10 "${dict[@]}"
        awk -v name="$name" '/number_of_executed_units/ { printf "%s: %d inputs\n", name, $2 }' "$logs/fuzz-$name.log"
    done
}

part_firmware() {
    if ! in_project 'firmware/*/Cargo.toml' firmware/Cargo.toml; then
        not_here_yet 'firmware images'
        return
    fi
    rust_target thumbv6m-none-eabi
    check firmware cargo build --release --manifest-path firmware/Cargo.toml
}

part_demo() {
    run cargo build -q --release -p mqtt-device-cli
    local program=$target_dir/release/mqtt-device
    if ! "$program" demo --help >/dev/null 2>&1; then
        not_here_yet 'the demo of mqtt-device'
        return
    fi
    check demo "$program" demo
}

# The mutants of the codec. Those that no test can tell from the code are listed, each with its reason, in
# .ci/mutants.toml; any other that survives fails the part.
part_mutants() {
    cargo_tool cargo-mutants 27.1.0
    need_python
    rm -rf "$logs/mutants"
    run .ci/mutants "$logs/mutants"
}

# The codec under Miri: undefined behaviour (of which safe code has none, but core has some to offer), overflow of
# numbers of other sizes, and answers that would depend on the order of the bytes of a number. Few rounds of what is
# random: see `rounds` in the tests.
part_miri() {
    need_nightly
    rustup component add --toolchain nightly miri rust-src
    local triple
    for triple in x86_64-unknown-linux-gnu i686-unknown-linux-gnu s390x-unknown-linux-gnu; do
        run quiet "$logs/miri-$triple.log" cargo +nightly miri setup --target "$triple"
        # Without the symbolic check of alignments: memchr, which serde_json brings, aligns its pointers by their numbers.
        run env MIRIFLAGS='-Zmiri-strict-provenance' \
            cargo +nightly miri test -q -p mqtt-device-proto --all-features --lib --tests --target "$triple"
    done
}

parts=()
long=
long_seconds=3600
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        usage
        exit
        ;;
    --long)
        long=yes
        if [[ ${2:-} =~ ^[0-9]+$ ]]; then
            long_seconds=$2
            shift
        fi
        # Read by the tests that have a long form.
        export MQTT_DEVICE_LONG=1
        ;;
    *)
        declare -F "part_$1" >/dev/null || die "no part $1; ./ci.sh --help lists them"
        parts+=("$1")
        ;;
    esac
    shift
done
[ ${#parts[@]} -gt 0 ] || parts=("${all_parts[@]}")

times=()
for part in "${parts[@]}"; do
    printf '\n== %s\n' "$part"
    began=$SECONDS
    "part_$part"
    times+=("$(printf '%4d s  %s' $((SECONDS - began)) "$part")")
    printf '== %s: %d s\n' "$part" $((SECONDS - began))
done
part=

printf '\n'
printf '%s\n' "${times[@]}"
printf '%4d s  in all\n' "$SECONDS"
