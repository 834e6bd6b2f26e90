#!/usr/bin/env bash
# Starts a binary where there is no other file but the devices that every container has, as in the image, and has it answer reviews.
#   release/alone.sh BINARY
# Takes what release/alone-in.sh takes.
set -euo pipefail

binary=$1
source=$(cd "$(dirname "$0")/.." && pwd -P)
folder=$(mktemp -d)
ended() {
    test -z "${served:-}" || { kill "$served" 2>/dev/null && wait "$served" || true; }
    rm -rf "$folder"
}
trap ended EXIT

# The binary where the image has it, and what it is asked to read, as a volume would bring it.
install -D -m 0755 "$binary" "$folder/root/usr/local/bin/domicile"
mkdir "$folder/root/state"
cp -r "$source/examples/cluster" "$source/examples/shop/namespaces.yaml" "$folder/root/state"
chmod -R a+rX "$folder"

within=("$source/release/alone-in.sh" "$folder/root")
env --ignore-environment "PATH=$PATH" "${within[@]}" /usr/local/bin/domicile --version

# Ports that nobody else has: the system chooses them, and the log says which.
env --ignore-environment "PATH=$PATH" "${within[@]}" /usr/local/bin/domicile serve --cluster /state/cluster /state/namespaces.yaml \
    --listen=127.0.0.1:0 --metrics-listen=127.0.0.1:0 --log-format=json --shutdown-grace=0s 2>"$folder/log" &
served=$!
for _ in $(seq 100); do
    grep --quiet '"message":"serving"' "$folder/log" && break
    kill -0 "$served" 2>/dev/null || break
    sleep 0.1
done
said() { sed -n "s/.*\"$1\":\"\(127[^\"]*\)\".*/\1/p" "$folder/log" | head -n 1; }
https=$(said listen)
health=$(said metrics)
test -n "$https" || { cat "$folder/log" >&2; exit 1; }

curl --silent --show-error --fail --retry 20 --retry-connrefused --retry-delay 1 "http://$health/readyz" >/dev/null
asked() {
    local answer
    # Its certificate is made as it starts, and known to nobody; what is asked here is whether it answers.
    answer=$(curl --silent --show-error --fail --insecure --http2 --header 'content-type: application/json' \
        --data-binary "@$source/examples/reviews/$1" "https://$https/validate?timeout=5s")
    grep --quiet "\"allowed\":$2" <<<"$answer" || { echo "$1: $answer" >&2; exit 1; }
    echo "$1: allowed $2"
}
asked deployment-cart.json true
asked deployment-checkout.json false
asked binding-churn.json false

kill "$served"
wait "$served"
served=
echo 'it ended in order'
