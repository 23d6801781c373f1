# What up, down and fault share; sourced, never run. Sets FOLDER: everything of one cluster, its pids included.

. "$(dirname "${BASH_SOURCE[0]}")/../tools/common.sh"

# Ends what a folder's supervisor began, then its folder. The API server drains for many seconds when asked, so nobody asks.
end_cluster() {
    local folder=$1 pid=
    [ ! -f "$folder/supervisor.pid" ] || pid=$(cat "$folder/supervisor.pid")
    if [ -n "$pid" ] && grep -qs "$folder" "/proc/$pid/cmdline"; then
        # Its processes die with it: each has it as the parent whose death is theirs.
        kill -TERM "$pid" 2>/dev/null || true
        for _ in $(seq 100); do
            [ -d "/proc/$pid" ] || break
            sleep 0.05
        done
        kill -KILL "$pid" 2>/dev/null || true
    fi
    rm -rf "$folder"
}
