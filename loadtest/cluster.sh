# Sourced by the scripts here: a cluster that lives as long as the script that started it.
# Wants `set -euo pipefail` and the top folder of the project as the working folder.
# shellcheck shell=bash

# The folder of this run, when it has one.
folder=''

say() { printf '\n== %s\n' "$*"; }
die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 2
}

end_run() {
    trap '' INT TERM HUP
    [[ -z $folder ]] || {
        [[ ! -f $folder/cluster/settings ]] || deploy/local/cluster down "$folder/cluster" >/dev/null
        rm -rf "$folder"
    }
}
trap end_run EXIT
trap 'exit 130' INT TERM HUP

start_cluster() {
    say "a cluster, for as long as this runs"
    deploy/local/cluster up "$folder/cluster"
}

field() { # PART, KEY: the first value of that key in the line of cluster.json where the part begins
    sed -n "s/.*\"$1\": .*\"$2\": \"\{0,1\}\([^\",}]*\).*/\1/p" "$folder/cluster/cluster.json"
}

apt_install() { # PACKAGE...
    local sudo=''
    command -v apt-get >/dev/null || die "please install: $*"
    [[ $(id -u) == 0 ]] || sudo=sudo
    say "from Debian: $*"
    $sudo apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "$@"
}
