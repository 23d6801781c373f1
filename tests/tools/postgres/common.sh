# What start and stop share; sourced, never run. Sets FOLDER, TOOLS (PostgreSQL's programs) and AS (how to run them).

die() { printf 'tests/tools/postgres: %s\n' "$1" >&2; exit 1; }

FOLDER=$(realpath -m -- "${1:-${TMPDIR:-/tmp}/fanfare-postgres-$(id -u)}")

# The folder of initdb: of the one on the path, else of the newest that Debian installed. Empty where there is none.
find_tools() {
    local found
    found=$(command -v initdb || ls -1d /usr/lib/postgresql/*/bin/initdb 2>/dev/null | sort -V | tail -n 1) || true
    [ -n "$found" ] && dirname "$(readlink -f "$found")"
}

TOOLS=$(find_tools) || die 'needs PostgreSQL 14 or newer: apt-get install postgresql'

# PostgreSQL refuses to run as root: then it runs as the package's own user, or as nobody.
AS=()
OWNER=$(id -un)
if [ "$(id -u)" = 0 ]; then
    OWNER=nobody
    ! id -u postgres >/dev/null 2>&1 || OWNER=postgres
    AS=(setpriv "--reuid=$OWNER" "--regid=$(id -gn "$OWNER")" --clear-groups --)
fi

# Sets URL, PORT and PGPASSWORD of the server that was started.
address() {
    [ -d "$FOLDER/data" ] || die "no server was started in $FOLDER"
    URL=$(cat "$FOLDER/url")
    [[ $URL =~ :([^:@]+)@127.0.0.1:([0-9]+)/ ]] || die "the address in $FOLDER/url cannot be read"
    export PGPASSWORD=${BASH_REMATCH[1]}
    # shellcheck disable=SC2034 # whoever calls uses it
    PORT=${BASH_REMATCH[2]}
}
