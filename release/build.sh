#!/usr/bin/env bash
# Builds the binary that is released: it needs nothing beside it, and its bytes say neither where nor by whom it was built.
#   release/build.sh OUTPUT [TARGET_FOLDER]
set -euo pipefail

output=$1
source=$(cd "$(dirname "$0")/.." && pwd -P)
mkdir -p "${2:-$source/target}"
target=$(cd "${2:-$source/target}" && pwd -P)
cargo_home=${CARGO_HOME:-$HOME/.cargo}
host=$(rustc -vV | sed -n 's/^host: //p')
commit=$(rustc -vV | sed -n 's/^commit-hash: //p')

# C compilers are given their flags in one variable, separated by spaces.
case "$source$target$cargo_home" in
    *[[:space:]]*) echo 'build the release in a folder, and with a home of cargo, that have no space in their names' >&2; exit 1 ;;
esac

# Where something was compiled, and where it says that it was. Of several that fit, rustc and gcc take the last.
places=(
    "$source=/domicile"
    "$target=/domicile/target"
    "$cargo_home=/cargo"
    "$(rustc --print sysroot)/lib/rustlib/src/rust=/rustc/$commit"
)

# The C library inside: the image has no other file. The target is named below, so that this does not reach build scripts.
flags=(-C target-feature=+crt-static)
cflags=
for place in "${places[@]}"; do
    flags+=("--remap-path-prefix=$place")
    cflags+=" -ffile-prefix-map=$place"
done

# The allocator says when it was compiled: never.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-0} \
RUSTFLAGS="${flags[*]}" \
CFLAGS="${CFLAGS:-}$cflags" \
CARGO_INCREMENTAL=0 \
CARGO_PROFILE_RELEASE_STRIP=symbols \
    ${CARGO:-cargo} build --locked --release --bin domicile \
    --manifest-path "$source/Cargo.toml" --target "$host" --target-dir "$target"

# A warning of the linker about getaddrinfo is of names that glibc looks up with plug-ins; DNS and /etc/hosts are built in.
if readelf --dynamic --wide "$target/$host/release/domicile" | grep --fixed-strings '(NEEDED)' >&2; then
    echo 'the binary needs a library: it is not static' >&2
    exit 1
fi

install -D -m 0755 "$target/$host/release/domicile" "$output"
