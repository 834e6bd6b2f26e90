#!/usr/bin/env bash
# Starts a program where there is no other file than in a folder and the devices that every container has, as the image's user.
#   release/alone-in.sh FOLDER PROGRAM [ARGUMENT...]
# Takes root, or namespaces that anybody may make: without root, it is the user who starts it, and not 65532.
set -euo pipefail

# Devices are mounted where nobody else sees them, and go with the program.
if test -z "${DOMICILE_ALONE:-}"; then
    root=()
    test "$(id -u)" = 0 || root=(--map-root-user)
    DOMICILE_ALONE=$(id -u) exec unshare --mount "${root[@]}" "$0" "$@"
fi

folder=$1
shift
# As the runtime specification of OCI has it. Without them, random numbers come from nowhere.
mkdir -p "$folder/dev"
for device in null random urandom; do
    touch "$folder/dev/$device"
    mount --bind "/dev/$device" "$folder/dev/$device"
done

user=()
test "$DOMICILE_ALONE" != 0 || user=(--userspec=65532:65532)
unset DOMICILE_ALONE
exec chroot "${user[@]}" "$folder" "$@"
