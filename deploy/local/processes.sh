# shellcheck shell=bash
# Processes and ports: which are ours, which are alive, which listen where. Sourced by `cluster`.
#
# Each part has a file DIR/state/PART with one line: its process, when that began, its port, and
# for gateways the admin port. Functions that call `read_state` declare these four as locals.

read_state() { # PART: sets pid, began, port and admin
    read -r pid began port admin <"$DIR/state/$1"
}

write_state() { # PART: as they are set now
    printf '%s %s %s %s\n' "$pid" "$began" "$port" "$admin" >"$DIR/state/$1.new"
    mv "$DIR/state/$1.new" "$DIR/state/$1"
}

lock() { # NAME: until this shell ends
    local descriptor
    exec {descriptor}>"$DIR/lock/$1"
    flock "$descriptor"
}

## Processes

began_at() { # PID: when it began, in ticks since the machine did; fails when it has ended
    local stat fields
    { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
    # What stands before the last bracket is the program's name, and may look like anything.
    read -r -a fields <<<"${stat##*) }"
    [[ ${fields[0]} != [ZX] ]] || return 1
    printf '%s' "${fields[19]}"
}

runs() { # PID, WORD...: is this its command line? An interpreter may stand before it
    local words
    { mapfile -d '' -t words <"/proc/$1/cmdline"; } 2>/dev/null || return 1
    shift
    [[ "${words[*]}" == *"$*" ]]
}

# Process ids are used again. Ours is the one that began when ours began and runs our command.
is_alive() { # PART
    local pid began port admin folder line
    read_state "$1" 2>/dev/null || return 1
    start_line "$1"
    [[ $pid != 0 && $(began_at "$pid") == "$began" ]] && runs "$pid" "${line[@]}"
}

any_alive() { # PART...
    local part
    for part; do
        is_alive "$part" && return 0
    done
    return 1
}

close_descriptors() { # all but the standard ones: otherwise a reader of a pipe would wait for us
    local descriptor
    for descriptor in "/proc/$BASHPID/fd/"*; do
        descriptor=${descriptor##*/}
        # 255 is bash's own, and closes by itself.
        ((descriptor <= 2 || descriptor == 255)) || eval "exec $descriptor>&-"
    done
}

spawn() { # PART: starts its program; does not wait until it is ready
    local pid began port admin folder line
    read_state "$1"
    start_line "$1"
    (
        cd "$folder" || exit
        close_descriptors
        # In a session of its own neither Ctrl-C nor the end of a terminal reaches it.
        exec setsid "${line[@]}"
    ) </dev/null >>"$DIR/log/$1.log" 2>&1 &
    pid=$!
    # Otherwise bash would report how it ended.
    disown "$pid"
    began=$(began_at "$pid") || began=0
    write_state "$1"
    # For a moment it is still this shell's copy, which `is_alive` does not know.
    while [[ $(began_at "$pid") == "$began" ]] && ! runs "$pid" "${line[@]}"; do sleep 0.01; done
}

send() { # SIGNAL, PART
    local pid began port admin
    is_alive "$2" || return 0
    read_state "$2"
    kill "-$1" "$pid" 2>/dev/null || true
}

wait_gone() { # SECONDS, PART...
    local deadline=$((SECONDS + $1))
    shift
    while any_alive "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.05
    done
}

end_parts() { # PART...: asks them all to end, waits, and kills what does not
    local part
    for part; do
        is_alive "$part" || continue
        # A paused process can do nothing else.
        send CONT "$part"
        # A mariadbd that gets the signal before it has started up hangs for ever.
        if is_database "$part" && ! is_ready "$part"; then send KILL "$part"; else send TERM "$part"; fi
    done
    # A gateway drains for at most 15 seconds.
    wait_gone 20 "$@" && return
    for part; do
        ! is_alive "$part" || say "$part does not end: killed"
        send KILL "$part"
    done
    wait_gone 10 "$@" || say "some of these could not be killed: $*"
}

## Ports

listeners() { # PORT: inodes of the sockets that listen on it, at any address
    local suffix
    printf -v suffix ':%04X' "$1"
    # 0A is the state LISTEN. Sockets in other states, left by former processes, do not matter.
    awk -v suffix="$suffix" \
        'substr($2, length($2) - 4) == suffix && $4 == "0A" { print $10 }' /proc/net/tcp*
}

listens() { # PID, PORT: is it this process that listens there, and not a stranger?
    local inode
    for inode in $(listeners "$2"); do
        [[ -z $(find "/proc/$1/fd" -lname "socket:\[$inode\]" 2>/dev/null) ]] || return 0
    done
    return 1
}

given=()

take_port() { # sets taken: a free port that no other part was given
    local first last tries
    if [[ -n $PORT_BASE ]]; then
        taken=$((PORT_BASE + ${#given[@]}))
        [[ -z $(listeners "$taken") ]] || die "port $taken is in use"
        given+=("$taken")
        return
    fi
    # Below the range of outgoing connections: one of those could take the port of a part that is
    # down, and it could not come back.
    first=10000
    read -r last _ </proc/sys/net/ipv4/ip_local_port_range
    ((last > first + 2000)) || last=32768
    for ((tries = 0; tries < 1000; tries++)); do
        taken=$((first + RANDOM % (last - first)))
        [[ -z $(listeners "$taken") && " ${given[*]} " != *" $taken "* ]] || continue
        given+=("$taken")
        return
    done
    die "no free port from $first to $last"
}

ask() { # PORT, TEXT: sends it, and prints the first line of an answer that ends the connection
    (
        exec {connection}<>"/dev/tcp/127.0.0.1/$1"
        printf '%b' "$2" >&"$connection"
        IFS= read -r -t 2 -u "$connection" answer
        printf '%s' "$answer"
        # Hanging up before the end would put an error into the other side's log.
        while IFS= read -r -t 2 -u "$connection"; do :; done
    ) 2>/dev/null
}

http_get() { # PORT, PATH: the answer's first line
    ask "$1" "GET $2 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
}
