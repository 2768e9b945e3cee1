# The first process of a dev job. It waits, and ends by itself when the job has not been used for a while:
# when all that runs here took less than 2 % of a core, the GPUs did nothing, and no terminal was typed or
# printed in. What cannot be read counts as use.
#   sh -c THIS dev IDLE LIMIT GPUS [INTERVAL [ROOT]]
# IDLE, LIMIT (from the start, for a warning alone) and INTERVAL are seconds; IDLE 0: never, LIMIT 0: none.
# For any POSIX sh: dash, busybox, bash. ROOT stands before /proc, /sys and /dev.
idle=$1 limit=$2 gpus=$3 interval=${4:-30} root=${5:-} sleeper=
trap 'kill $sleeper 2>/dev/null; exit 0' TERM INT

pause() { sleep "$1" & sleeper=$!; wait $sleeper; }
now() { date +%s; }
clock() { date -d "@$1" '+%H:%M %Z'; }

# A pod has a /proc of its own. Beside other jobs of a machine ours are those with the job's mark.
ours() { grep -lF "TRAINDECK_JOB=$TRAINDECK_JOB" "$root"/proc/[0-9]*/environ 2>/dev/null; }

# Sets the CPU time (clock ticks of 1/100 s, ended children included) and the terminal of a process, proc(5).
look() {
    line=
    read -r line 2>/dev/null < "${1%environ}stat"
    set -- ${line##*) }
    [ $# -gt 14 ] || return 1
    ticks=$((${12} + ${13} + ${14} + ${15}))
    terminal=
    [ $(($5 >> 8 & 4095)) = 136 ] && terminal=$root/dev/pts/$(($5 & 255 | $5 >> 12 & 1048320))
    return 0
}

# Sets `cpu` to the microseconds of CPU time that all of it has used; to nothing where that cannot be read.
# Starts next to nothing, as what it uses itself counts.
measure() {
    cpu=
    if [ -n "${TRAINDECK_JOB:-}" ]; then
        for process in $(ours); do look "$process" && cpu=$((${cpu:-0} + ticks * 10000)); done
    elif [ -r "$root/sys/fs/cgroup/cpu.stat" ]; then
        while read -r name value; do
            [ "$name" != usage_usec ] || cpu=$value
        done < "$root/sys/fs/cgroup/cpu.stat"
    elif read -r value 2>/dev/null < "$root/sys/fs/cgroup/cpuacct/cpuacct.usage"; then
        cpu=$((value / 1000))
    fi
}

terminals() {
    if [ -n "${TRAINDECK_JOB:-}" ]; then
        for process in $(ours); do look "$process" && [ -n "$terminal" ] && echo "$terminal"; done | sort -u
    else
        for terminal in "$root"/dev/pts/[0-9]*; do [ ! -e "$terminal" ] || echo "$terminal"; done
    fi
}

# Prints when each terminal was read (typed in) and written last, as `w` tells it.
stamps() {
    set -- $(terminals)
    [ $# = 0 ] || stat -c '%n %X %Y' "$@" 2>/dev/null || now
}

cpu_rests() {
    [ -n "$1" ] && [ -n "$2" ] && [ $(($2 - $1)) -ge 0 ] && [ $(($2 - $1)) -lt $((($3 > 0 ? $3 : 1) * 20000)) ]
}

gpus_rest() {
    [ "$gpus" != 0 ] && command -v nvidia-smi >/dev/null 2>&1 || return 0
    figures=$(nvidia-smi ${CUDA_VISIBLE_DEVICES:+-i "$CUDA_VISIBLE_DEVICES"} \
        --query-gpu=utilization.gpu --format=csv,noheader,nounits 2>/dev/null) || figures=
    for figure in ${figures:-unknown}; do [ "$figure" = 0 ] || return 1; done
}

# Writes on all terminals. In the background, as one may take nothing; that we have written is no use.
warn() {
    for terminal in $(terminals); do (printf '\r\n%s\r\n' "$1" > "$terminal") 2>/dev/null & done
    echo "$1"
    pause 1
    seen=$(stamps)
}

began=$(now) used=$(now) seen=$(stamps) told= idle_left=99999 time_left=99999
[ "$idle" -lt 60 ] && span="$idle s" || span="$((idle / 60)) min"
[ "$idle" = 0 ] || echo "waits for a shell; ends by itself when it has been idle for $span"
measure
[ -n "$cpu" ] || echo "CPU use cannot be read here, so it does not end by itself before its time is over"
while :; do
    asleep=$(now)
    measure
    before=$cpu
    pause "$interval"
    measure
    time=$(now) shown=$(stamps)
    if ! cpu_rests "$before" "$cpu" $((time - asleep)) || [ "$shown" != "$seen" ] || ! gpus_rest; then
        [ -z "$told" ] || echo "in use again since $(clock "$time")"
        used=$time told= idle_left=99999
    fi
    seen=$shown ends=$((used + idle))
    if [ "$idle" != 0 ] && [ "$time" -ge "$ends" ]; then
        echo "idle since $(clock "$used"): ends now"
        exit 0
    fi
    if [ "$idle" != 0 ] && [ -z "$told" ] && [ "$time" -gt "$used" ] && [ $((time - used)) -ge $((idle / 4)) ]; then
        told=yes
        echo "idle since $(clock "$used"), ends at $(clock $ends)"
    fi
    for left in 900 300; do
        if [ "$idle" -gt $left ] && [ $((ends - time)) -le $left ] && [ $left -lt $idle_left ]; then
            idle_left=$left
            warn "This job has been idle since $(clock "$used") and ends at $(clock $ends); any key keeps it."
        fi
        if [ "$limit" -gt $left ] && [ $((began + limit - time)) -le $left ] && [ $left -lt $time_left ]; then
            time_left=$left
            warn "This job's time is over at $(clock $((began + limit))) at the latest, unless it was extended."
        fi
    done
done
