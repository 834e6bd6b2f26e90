#!/usr/bin/env bash
# Builds the control plane that the tests run on, once, and prints the folder that holds it.
#
#   KUBEBUILDER_ASSETS  a folder with these programs, to be used as they are
#   XDG_CACHE_HOME      where the built ones are kept (~/.cache)
set -euo pipefail
unset CDPATH
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
programs=(etcd kube-apiserver kube-controller-manager kube-scheduler kubectl helm)

say() { printf 'control plane: %s\n' "$*" >&2; }
missing_in() {
    local program
    for program in "${programs[@]}"; do
        if ! [ -x "$1/$program" ]; then printf ' %s' "$program"; fi
    done
}

if [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
    missing=$(missing_in "$KUBEBUILDER_ASSETS")
    if [ -n "$missing" ]; then
        say "KUBEBUILDER_ASSETS is $KUBEBUILDER_ASSETS, which lacks$missing"
        say 'put them there, or unset KUBEBUILDER_ASSETS to have all of them built'
        exit 1
    fi
    (cd "$KUBEBUILDER_ASSETS" && pwd)
    exit
fi

# Named after the digest of everything that decides what is built: a changed pin is another folder, and both are kept.
digest() {
    if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi
}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/domicile/control-plane
key=$({ uname -sm; cat "$here"/build.sh "$here"/*/go.mod "$here"/*/go.sum; } | digest | cut -c1-16)
folder=$cache/$key
if [ -d "$folder" ]; then
    echo "$folder"
    exit
fi

if ! command -v go >/dev/null; then
    say 'go is missing: install Go 1.26 or newer, or set KUBEBUILDER_ASSETS to a folder that holds'
    say "${programs[*]}"
    exit 1
fi

mkdir -p "$cache"
# Two builds at once would each take all the processors to make the same files.
if command -v flock >/dev/null; then
    exec 9>"$cache/lock"
    flock 9
    if [ -d "$folder" ]; then
        echo "$folder"
        exit
    fi
fi
building=$(mktemp -d "$cache/building.XXXXXX")
trap 'rm -rf "$building"' EXIT

export CGO_ENABLED=0 GOWORK=off
build() { # MODULE LDFLAGS ARGUMENTS…: `go build` in that module, which may not change
    local module=$1 ldflags=$2
    shift 2
    (cd "$here/$module" && go build -mod=readonly -trimpath -buildvcs=false -ldflags "-s -w $ldflags" "$@") >&2
}
version_of() { (cd "$here/$1" && go list -mod=readonly -m -f '{{.Version}}' "$2"); }

# Releases have their version stamped by the linker; without that, /version says v0.0.0-master.
kubernetes=$(version_of kubernetes k8s.io/kubernetes)
helm=$(version_of helm helm.sh/helm/v4)
IFS=. read -r major minor _ <<<"${kubernetes#v}"
stamps=
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    stamps+=" -X $package.gitVersion=$kubernetes -X $package.gitMajor=$major -X $package.gitMinor=$minor"
    stamps+=" -X $package.gitTreeState=clean"
done

say "building etcd, Kubernetes $kubernetes and Helm $helm: this happens once and takes 10 to 20 minutes"
build kubernetes '' -o "$building/etcd" go.etcd.io/etcd/server/v3
build kubernetes "$stamps" -o "$building/" \
    k8s.io/kubernetes/cmd/{kube-apiserver,kube-controller-manager,kube-scheduler,kubectl}
build helm "-X helm.sh/helm/v4/internal/version.version=$helm" -o "$building/helm" helm.sh/helm/v4/cmd/helm

missing=$(missing_in "$building")
if [ -n "$missing" ]; then
    say "the build left out$missing"
    exit 1
fi
chmod 755 "$building"
# A rename is all or nothing: nobody sees half a folder. Without flock, another build may have been first.
[ -d "$folder" ] || mv "$building" "$folder"
say "built in $SECONDS s"
echo "$folder"
