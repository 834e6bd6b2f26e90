#!/usr/bin/env bash
# Assembles the image from a binary that is built already, without a registry: the last stage of the Dockerfile.
#   release/image.sh BINARY ARCHIVE
# Takes buildah: `apt-get install buildah`, `dnf install buildah`.
set -euo pipefail

binary=$1
archive=$2
source=$(cd "$(dirname "$0")/.." && pwd -P)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

install -m 0755 "$binary" "$folder/domicile"
# From its own words, so that what is tried is what is published.
sed -n '/^FROM scratch$/,$p' "$source/Dockerfile" | sed 's/^COPY --from=build \/domicile /COPY domicile /' >"$folder/Dockerfile"
grep --quiet '^COPY domicile ' "$folder/Dockerfile"

revision=$(git -C "$source" rev-parse HEAD 2>/dev/null || echo unknown)
# The time of the commit, so that the same commit gives the same image.
time=$(git -C "$source" log -1 --format=%ct 2>/dev/null || echo 0)
store=(--root "$folder/store" --runroot "$folder/run" --storage-driver vfs)
buildah "${store[@]}" build --quiet --isolation chroot --timestamp "$time" --build-arg "REVISION=$revision" \
    --tag domicile "$folder" >/dev/null
rm -f "$archive"
buildah "${store[@]}" push --quiet domicile "oci-archive:$archive:domicile"

buildah "${store[@]}" inspect --type image --format \
    '{{.OCIv1.Config.User}} {{.OCIv1.Config.Entrypoint}} {{.OCIv1.Config.Labels}}{{"\n"}}' domicile
container=$(buildah "${store[@]}" from --pull-never domicile)
root=$(buildah "${store[@]}" mount "$container")
echo 'files in the image:'
(cd "$root" && find . -type f -printf '  %M %U:%G %s bytes  /%P\n')
buildah "${store[@]}" umount "$container" >/dev/null
buildah "${store[@]}" rm "$container" >/dev/null
stat --format='the archive has %s bytes' "$archive"
