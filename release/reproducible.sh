#!/usr/bin/env bash
# Builds the release twice, each time somewhere else, and fails unless both have the same bytes.
#   release/reproducible.sh FOLDER
# FOLDER keeps both binaries, and what they were built in. The first build takes its folder from what git knows here.
set -euo pipefail

mkdir -p "$1"
folder=$(cd "$1" && pwd -P)
source=$(cd "$(dirname "$0")/.." && pwd -P)
cargo_home=${CARGO_HOME:-$HOME/.cargo}

copy() {
    mkdir -p "$1"
    (cd "$source" && git ls-files -z | tar --create --null --files-from=- --file=-) | tar --extract --directory "$1" --file=-
}

# Other names, other depths, another home of cargo, another language and time zone: nothing of these may be in the result.
rm -rf "$folder/first" "$folder/second-place"
copy "$folder/first"
copy "$folder/second-place/much/deeper/domicile"

${CARGO:-cargo} fetch --locked --manifest-path "$source/Cargo.toml"
mkdir -p "$folder/second-place/cargo"
ln -s "$cargo_home/registry" "$folder/second-place/cargo/registry"

"$folder/first/release/build.sh" "$folder/domicile-1"
(
    export CARGO_HOME="$folder/second-place/cargo" CARGO_NET_OFFLINE=true TZ=Asia/Tokyo LC_ALL=C
    umask 077
    "$folder/second-place/much/deeper/domicile/release/build.sh" "$folder/domicile-2" "$folder/second-place/target"
)

sha256sum "$folder/domicile-1" "$folder/domicile-2"
cmp "$folder/domicile-1" "$folder/domicile-2"
echo "the same $(stat --format=%s "$folder/domicile-1") bytes, from two places"
