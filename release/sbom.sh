#!/usr/bin/env bash
# Writes what the binary is made of, as a CycloneDX SBOM.
#   release/sbom.sh FILE
set -euo pipefail

source=$(cd "$(dirname "$0")/.." && pwd -P)
host=$(rustc -vV | sed -n 's/^host: //p')
mkdir -p "$(dirname "$1")"

# It writes beside Cargo.toml. For the target that is built here alone, or the SBOM would name what only Windows needs.
SOURCE_DATE_EPOCH=$(git -C "$source" log -1 --format=%ct 2>/dev/null || date +%s) \
    ${CARGO:-cargo} cyclonedx --quiet --manifest-path "$source/Cargo.toml" --format json --spec-version 1.5 \
    --describe binaries --target "$host"
# Where it was built is nobody's business.
sed "s|path+file://$source|path+file:///domicile|g" "$source/domicile_bin.cdx.json" >"$1"
rm "$source/domicile_bin.cdx.json"
