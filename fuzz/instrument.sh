#!/usr/bin/env bash
# A RUSTC_WRAPPER for cargo-fuzz: what libFuzzer follows is our code and not that of our dependencies. Each input is looked at along
# every branch that is followed, and theirs are almost half of them.
set -euo pipefail

crate=
previous=
for argument in "$@"; do
    test "$previous" != --crate-name || crate=$argument
    previous=$argument
done

# The fuzzers have names of their own in `fuzz_targets`.
if test "$crate" = domicile || test "$crate" = domicile_fuzz || test -e "$(dirname "$0")/fuzz_targets/$crate.rs"; then
    exec "$@"
fi
kept=()
for argument in "$@"; do
    case $argument in
        -Cpasses=sancov-module | -Cllvm-args=-sanitizer-coverage-*) ;;
        *) kept+=("$argument") ;;
    esac
done
exec "${kept[@]}"
