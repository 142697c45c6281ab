# shellcheck shell=bash
# The parts of a cluster: their names, files, start lines, and how to tell that one is ready.
# Sourced by `cluster`.
# shellcheck disable=SC2153,SC2154 # GATEWAYS, here and taken are set in the other files

# mariadbd takes paths of at most 511 bytes, and appends its own names to ours.
# shellcheck disable=SC2034 # `cluster` uses it
DIR_LENGTH_MAX=400

name_parts() {
    local index
    databases=(meta) gateways=()
    for ((index = 0; index < SHARDS; index++)); do databases+=("shard-$index"); done
    for ((index = 0; index < GATEWAYS; index++)); do gateways+=("gateway-$index"); done
    # In the order in which PORT_BASE gives ports to them.
    parts=(nginx redis "${databases[@]}" "${gateways[@]}")
}

is_database() { # PART
    [[ $1 == meta || $1 == shard-* ]]
}

database_of() { # PART: the name of the database in it
    case $1 in
        meta) printf drawbridge_meta ;;
        shard-*) printf 'drawbridge_%s' "${1#shard-}" ;;
    esac
}

choose_ports() { # PART
    local pid=0 began=0 port admin=0
    take_port
    port=$taken
    if [[ $1 == gateway-* ]]; then
        take_port
        admin=$taken
    fi
    write_state "$1"
}

address() { # PART
    local pid began port admin
    read_state "$1"
    printf '127.0.0.1:%s' "$port"
}

## The one place that knows how each part is started

start_line() { # PART: sets line, the command, and folder, where it runs; wants $port
    folder=$DIR/$1
    case $1 in
        meta | shard-*) database_line "$1" ;;
        redis)
            # It keeps nothing on disk: its data can be rebuilt from the shards, and gateways must cope
            # with a Redis that starts empty.
            line=("$REDIS_SERVER" --port "$port" --bind 127.0.0.1 --save '' --appendonly no
                --daemonize no --set-proc-title no)
            ;;
        gateway-*)
            folder=$DIR
            line=("$DRAWBRIDGE" serve --config "$DIR/$1.toml")
            ;;
        nginx) line=("$NGINX" -p "$DIR/nginx/" -c nginx.conf -e stderr) ;;
    esac
}

database_line() { # PART
    line=("$MARIADBD" --no-defaults "--datadir=$DIR/$1/data" "--tmpdir=$DIR/$1/tmp"
        "--init-file=$DIR/$1/init.sql" --pid-file=mariadbd.pid
        # No Unix socket: its path could be too long, and benchmarks should go through TCP.
        --socket= --skip-networking=0 --bind-address=127.0.0.1 "--port=$port" --skip-name-resolve
        --max-connections=500 --character-set-server=utf8mb4 --collation-server=utf8mb4_bin
        --lower-case-table-names=0 "--innodb-buffer-pool-size=$POOL" "--innodb-log-file-size=$REDO"
        # An answered draw must be on disk.
        --innodb-flush-log-at-trx-commit=1 --performance-schema=OFF --loose-feedback=OFF)
    if [[ $BINLOG == 1 ]]; then
        line+=(--log-bin=binlog --sync-binlog=1 --binlog-format=ROW --server-id="$port")
    else
        line+=(--skip-log-bin)
    fi
    # mariadbd runs as root only with this option.
    [[ $(id -u) != 0 ]] || line+=(--user=root)
}

## Readiness

is_ready() { # PART
    local pid began port admin
    read_state "$1"
    listens "$pid" "$port" || return 1
    case $1 in
        meta | shard-*) greets "$port" ;;
        redis) [[ $(ask "$port" 'PING\r\nQUIT\r\n') == +PONG* ]] ;;
        gateway-*) listens "$pid" "$admin" && [[ $(http_get "$admin" /readyz) == HTTP/1.?" 200"* ]] ;;
        # Any answer will do: the gateways may be unavailable.
        nginx) [[ $(http_get "$port" /) == HTTP/1.?" "* ]] ;;
    esac
}

# A database listens before it has recovered. When it is ready it sends the first packet, whose
# head has a zero among its four bytes.
greets() { # PORT
    (
        exec {connection}<>"/dev/tcp/127.0.0.1/$1"
        IFS= read -r -d '' -t 2 -u "$connection"
    ) 2>/dev/null
}

wait_ready() { # PART: fails when it ends, or takes too long
    local deadline=$((SECONDS + 30))
    # A database may have much to recover.
    ! is_database "$1" || deadline=$((SECONDS + 120))
    until is_ready "$1"; do
        is_alive "$1" && ((SECONDS < deadline)) || return 1
        sleep 0.05
    done
}

lost_its_port() { # PART: did it end because another program listens on its port?
    local pid began port admin
    ! is_alive "$1" || return 1
    read_state "$1"
    [[ -n $(listeners "$port") ]] || { [[ $admin != 0 ]] && [[ -n $(listeners "$admin") ]]; }
}

## Files

# Making a data folder takes longer than copying one.
install_databases() {
    local part user=()
    mkdir "$DIR/meta"
    [[ $(id -u) != 0 ]] || user=(--user=root)
    # The path is relative because mariadb-install-db cannot cope with spaces in it. The account
    # that it makes can enter by a Unix socket only, and there is none.
    cd "$DIR/meta" || exit
    run mariadb-install-db "$MARIADB_INSTALL" --no-defaults "${user[@]}" --datadir=./data \
        --auth-root-authentication-method=socket --skip-test-db --skip-name-resolve
    cd "$DIR" || exit
    for part in "${databases[@]}"; do
        mkdir -p "$DIR/$part/tmp"
        [[ $part == meta ]] || cp -R "$DIR/meta/data" "$DIR/$part/data"
    done
}

prepare() { # PART: writes what it reads at its start
    case $1 in
        meta | shard-*) database_file "$1" >"$DIR/$1/init.sql" ;;
        redis) mkdir -p "$DIR/redis" ;;
        gateway-*) gateway_file "$1" >"$DIR/$1.toml" ;;
        nginx)
            mkdir -p "$DIR/nginx"
            cp "$here/nginx.conf" "$DIR/nginx/nginx.conf"
            cp -R "$here/../nginx/drawbridge" "$DIR/nginx/"
            proxy_file >"$DIR/nginx/drawbridge.conf"
            ;;
    esac
}

# Read at every start: each line may run again.
database_file() { # PART
    local database password
    database=$(database_of "$1")
    password=$(<"$DIR/db-password")
    cat <<EOF
CREATE DATABASE IF NOT EXISTS $database;
CREATE USER IF NOT EXISTS drawbridge@'127.0.0.1' IDENTIFIED BY '$password';
GRANT ALL ON $database.* TO drawbridge@'127.0.0.1';
CREATE USER IF NOT EXISTS root@'127.0.0.1' IDENTIFIED BY '$password';
GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;
EOF
}

gateway_file() { # PART
    local pid began port admin part
    read_state "$1"
    cat <<EOF
[gateway]
name = "$1"

[http]
listen = "127.0.0.1:$port"
admin = "127.0.0.1:$admin"
trusted_proxies = ["127.0.0.1"]

# When a gateway does not answer, nginx skips it for a while and asks the next one.
[drain]
grace_ms = 0

[admin]
token_file = "$DIR/admin-token"

[storage]
kind = "cluster"
tables = $TABLES

[storage.meta]
$(database_keys meta)
EOF
    for part in "${databases[@]:1}"; do
        printf '\n[[storage.shard]]\n%s\n' "$(database_keys "$part")"
    done
    read_state redis
    printf '\n[[storage.redis]]\nhost = "127.0.0.1"\nport = %s\n' "$port"
}

database_keys() { # PART
    local pid began port admin
    read_state "$1"
    cat <<EOF
host = "127.0.0.1"
port = $port
user = "drawbridge"
password_file = "$DIR/db-password"
database = "$(database_of "$1")"
EOF
}

# The template has one line for a gateway: it is printed once for each.
proxy_file() {
    local part each=()
    for part in "${gateways[@]}"; do each+=(-e "s/@GATEWAY@/$(address "$part")/p;g"); done
    sed -e "s/@LISTEN@/$(address nginx)/" -e '/@GATEWAY@/!b' -e h "${each[@]}" -e d \
        "$here/../nginx/drawbridge.conf.template"
}

## cluster.json

write_json() ( # in a shell of its own, so that the lock ends with it
    lock cluster.json
    {
        printf '{"gateways": ['
        list gateway_json "${gateways[@]}"
        printf '],\n "shards": ['
        list database_json "${databases[@]:1}"
        printf '],\n "meta": '
        database_json meta
        read_state redis
        printf ',\n "redis": {"host": "127.0.0.1", "port": %s, "pid": %s}' "$port" "$pid"
        read_state nginx
        printf ',\n "nginx": {"listen": "127.0.0.1:%s", "pid": %s}' "$port" "$pid"
        printf ',\n "admin_token_file": "%s/admin-token"}\n' "$DIR"
    } >"$DIR/cluster.json.new"
    mv "$DIR/cluster.json.new" "$DIR/cluster.json"
)

list() { # FUNCTION, PART...: what it prints for each, with commas
    local function=$1 part comma=''
    shift
    for part; do
        printf '%s' "$comma"
        "$function" "$part"
        comma=$',\n   '
    done
}

gateway_json() { # PART
    local pid began port admin
    read_state "$1"
    printf '{"listen": "127.0.0.1:%s", "admin": "127.0.0.1:%s", "pid": %s, "config": "%s"}' \
        "$port" "$admin" "$pid" "$DIR/$1.toml"
}

database_json() { # PART
    local pid began port admin
    read_state "$1"
    printf '{"host": "127.0.0.1", "port": %s, "user": "drawbridge", "password": "%s", "database": "%s", "pid": %s}' \
        "$port" "$(<"$DIR/db-password")" "$(database_of "$1")" "$pid"
}
