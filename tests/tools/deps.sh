#!/bin/sh
# shellcheck disable=SC2086  # lists of words are meant to be split
# Installs the Debian packages that building and testing need, and only those that are missing.
# As root directly, otherwise through sudo; without either it says what to install and fails.
# Usage: deps.sh [--list]   (--list prints the packages and installs nothing)
set -eu

build="cmake ninja-build g++ ccache pkg-config libyaml-cpp-dev libspdlog-dev nlohmann-json3-dev libcli11-dev
catch2 libssl-dev libpq-dev"
run="iproute2 iptables procps util-linux python3 python3-psycopg2 python3-pytest"

if ! command -v apt-get >/dev/null 2>&1; then
    echo "deps.sh: not a Debian system; needed are (Debian's names): $build libboost-dev (1.81 or newer) $run" >&2
    exit 0
fi

# bookworm's libboost-dev is 1.74, too old; newer releases have 1.81 or later under the plain name.
boost_dev() {
    for package in libboost1.81-dev libboost-dev; do
        if apt-cache policy "$package" 2>/dev/null | grep -q 'Candidate: [0-9]'; then
            echo "$package"
            return
        fi
    done
    echo libboost1.81-dev
}

installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing_of() {
    for package in "$@"; do
        installed "$package" || printf '%s ' "$package"
    done
}

if [ "${1:-}" = --list ]; then
    echo $build "$(boost_dev)" $run postgresql
    exit 0
fi

# Any Boost of 1.81 or newer does, whatever its package is called.
boost_is_there() {
    header=/usr/include/boost/version.hpp
    [ -r $header ] && [ "$(sed -n 's/^#define BOOST_VERSION \([0-9]*\).*/\1/p' $header)" -ge 108100 ]
}

# Any PostgreSQL of any version and origin does.
server_is_there() {
    for initdb in /usr/lib/postgresql/*/bin/initdb; do
        [ -x "$initdb" ] && return 0
    done
    command -v initdb >/dev/null 2>&1
}

missing=$(missing_of $build $run)
server_is_there || missing="${missing}postgresql "
if boost_is_there && [ -z "$missing" ]; then
    exit 0
fi

if [ "$(id -u)" = 0 ]; then
    as_root=""
elif command -v sudo >/dev/null 2>&1; then
    as_root="sudo"
else
    echo "deps.sh: please install as root: $missing$(boost_is_there || boost_dev)" >&2
    exit 1
fi

# Installing is chatty; what was said matters only when it fails.
quietly() {
    said=$(mktemp)
    "$@" >"$said" 2>&1 </dev/null && result=0 || result=$?
    [ $result = 0 ] || cat "$said" >&2
    rm -f "$said"
    return $result
}

$as_root apt-get update -qq
boost_is_there || missing="$missing$(boost_dev)"
echo "deps.sh: installing $missing"
apt="$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends"

# The server package would create and start a cluster of its own on port 5432. Where PostgreSQL comes only
# because of us, it shall not; what a user has set there is left alone, and the setting is put back afterwards.
settings=/etc/postgresql-common/createcluster.conf
ours=no
if ! installed postgresql-common; then
    quietly $apt postgresql-common
    ours=yes
    $as_root cp -p $settings $settings.before
    $as_root sed -i 's/^#\? *create_main_cluster.*/create_main_cluster = false/' $settings
fi
status=0
quietly $apt $missing || status=$?
if [ $ours = yes ]; then
    $as_root mv $settings.before $settings
fi
exit $status
