#!/bin/sh
# What the image starts: makes nginx.conf of the environment and nginx/default.conf.template, has nginx
# check it, starts nginx and passes signals on. docker/.env.example lists the variables.
#
#   s3-resign-entrypoint            start
#   s3-resign-entrypoint -t         check the environment; any option is one of nginx's: -T shows nginx.conf too
#   s3-resign-entrypoint healthz    ask the nginx that runs whether an origin is up, for
#                                   HEALTHCHECK CMD ["s3-resign-entrypoint", "healthz"]; needs bash, not curl
#   s3-resign-entrypoint COMMAND    run that instead
#
# TERM, INT and QUIT end nginx once it has answered what it is at; HUP makes nginx.conf anew and reloads.
#
# Only bytes that are allowed here go into nginx.conf. Keys do not go into it at all: the module reads them
# from the environment and from files. No value is shown that may be a secret in the wrong place.

set -u
LC_ALL=C
export LC_ALL
umask 022

run=${S3_RESIGN_RUN:-/tmp/s3-resign}
template=${S3_RESIGN_TEMPLATE:-/usr/share/s3-resign/default.conf.template}
module=ngx_http_s3_resign_module.so
nginx=${NGINX-}
# nginx would take it for the sockets that it inherits.
unset NGINX
cr=$(printf '\r')
newline='
'

say() {
    printf 's3-resign: %s\n' "$1" >&2
}

die() {
    say "$1"
    exit 1
}

# ---- one variable ----

# Sets $value to what the variable NAME or the file of NAME_FILE has, and $named to which of the two it is.
# Both are empty where neither is set; an empty variable counts as not set.
read_variable() { # NAME
    eval "value=\${$1-} path=\${$1_FILE-}"
    named=$1
    if [ -n "$path" ]; then
        [ -z "$value" ] || die "$1 and $1_FILE are both set: unset one of them"
        named=$1_FILE
        check_path "$named" "$path"
        [ -e "$path" ] || die "$named names a file that is not there: mount it"
        value=$(head -n 1 "$path" 2>/dev/null) ||
            die "$named names a file that user $(id -u) cannot read: make it readable"
        value=${value%"$cr"}
        [ -n "$value" ] || die "$named names a file with an empty first line: put the value there"
    elif [ -z "$value" ]; then
        named=
    fi
}

check_path() { # NAME PATH
    case $2 in
        *[!A-Za-z0-9/._@%+=:,-]*) die "$1 has a path with other characters than letters, digits and /._@%+=:,-" ;;
        /*) ;;
        *) die "$1 has a path without a slash in front: write it from the root" ;;
    esac
}

# As read_variable, for one that must be set, and to something real.
require() { # NAME
    read_variable "$1"
    [ -n "$named" ] || die "$1 is missing: set it, or $1_FILE to the path of a file that has it"
    refuse_placeholder "$1"
}

# What stands in examples, those of s3proxy and s3proxy_lua included.
refuse_placeholder() { # NAME
    case $(printf '%s' "$value" | tr A-Z a-z) in
        "$(printf '%s' "$1" | tr A-Z a-z)" | your[_-]* | *[_-]here | changeme* | change[_-]me* | '<'*'>' | \
        akia*example | *examplekey | backend_*key | s3_server_*_key | s3_server_*_secret | \
        example.com | example.net | example.org | *.example.com | *.example.net | *.example.org | \
        *example.com:* | *example.net:* | *example.org:*)
            die "$named is still a placeholder: set it to the real value" ;;
    esac
}

# The next three set $value to what nginx.conf says for that key.
access_key() { # NAME
    require "$1"
    # In a header it stands between a "=" and a "/", with commas behind.
    case $value in
        *[!!-~]* | *,*) die "$named has a character that no access key has: use ASCII without spaces and commas" ;;
    esac
    name_source "$1"
}

secret() { # NAME
    require "$1"
    refuse_control
    name_source "$1"
}

# It is sent in a header.
token() { # NAME
    require "$1"
    refuse_control
    case $value in
        *[!!-~]*) die "$named has a character that no session token has: use ASCII without spaces" ;;
    esac
    name_source "$1"
}

refuse_control() {
    case $value in
        *[[:cntrl:]]*) die "$named has a line break or another control character: remove it" ;;
    esac
}

name_source() { # NAME
    value=env:$1
    [ "$named" = "$1" ] || value=file:$path
}

# The next ones set $value, which is DEFAULT where the variable is not set.
one_of() { # NAME DEFAULT "WORD WORD ..."
    read_variable "$1"
    value=${value:-$2}
    for word in $3; do
        [ "$value" != "$word" ] || return 0
    done
    die "$1 is none of these: $3"
}

on_or_off() { # NAME DEFAULT
    read_variable "$1"
    case ${value:-$2} in
        1 | [Oo]n | ON | [Tt]rue | TRUE | [Yy]es | YES) value=on ;;
        0 | [Oo]ff | OFF | [Ff]alse | FALSE | [Nn]o | NO) value=off ;;
        *) die "$1 is neither on nor off: write one of the two" ;;
    esac
}

of_characters() { # NAME DEFAULT CHARACTERS WHAT
    read_variable "$1"
    value=${value:-$2}
    case $value in
        *[!$3]*) die "$1 is not $4" ;;
    esac
}

time_span() { # NAME DEFAULT
    of_characters "$1" "$2" '0-9smhd' 'a time: write one as 15m or 30s'
}

region() { # NAME
    of_characters "$1" '' 'A-Za-z0-9._-' 'a region: write letters, digits, dashes, dots and underscores, as us-east-1'
    [ ${#value} -le 64 ] || die "$1 is not a region: write at most 64 characters"
}

port() { # NAME DEFAULT
    read_variable "$1"
    value=${value:-$2}
    is_port "$value" || die "$1 is not a port: write a number from 1 to 65535"
}

is_port() {
    case $1 in
        '' | 0* | *[!0-9]* | ??????*) return 1 ;;
    esac
    [ "$1" -le 65535 ]
}

# NAME or NAME:PORT: sets $host and $port. $host is empty where the variable is not set.
host() { # VARIABLE
    read_variable "$1"
    host=$value port=
    [ -n "$host" ] || return 0
    refuse_placeholder "$1"
    case $host in
        *\]) ;;
        *:*)
            port=${host##*:} host=${host%:*}
            is_port "$port" || bad_host "$1" ;;
    esac
    case $host in
        \[*[!0-9A-Fa-f:.]*\]) bad_host "$1" ;;
        \[*:*\]) ;;
        '' | [!A-Za-z0-9]* | *[!A-Za-z0-9._-]* | *.) bad_host "$1" ;;
    esac
}

bad_host() { # VARIABLE
    die "$1 is not a host: write NAME or NAME:PORT, as s3.us-east-1.amazonaws.com, without http://"
}

# ---- the origins ----

suffixes='ACCESS_KEY SECRET_KEY SESSION_TOKEN DOMAIN HOST PORT SCHEME ADDRESSING FRAMING'

# Sets $origins to their prefixes: ORIGIN, or SERVERA, SERVERB and so on.
find_origins() {
    origins= single= several=
    for name in $(names); do
        bare=${name%_FILE}
        case $name in
            ORIGIN_*)
                is_known "$name" "${bare#ORIGIN_}" "$suffixes" ORIGIN
                single=${single:-$name} ;;
            SERVER[A-Z]_*)
                prefix=${bare%%_*}
                is_known "$name" "${bare#"$prefix"_}" "$suffixes ENDPOINT REGION BACKUP" "$prefix"
                several=${several:-$name}
                [ "$prefix" = "${origins##* }" ] || origins="${origins:+$origins }$prefix" ;;
            SERVER*_ACCESS_KEY | SERVER*_SECRET_KEY | SERVER*_ENDPOINT | SERVER*_ACCESS_KEY_FILE | SERVER*_SECRET_KEY_FILE)
                die "$name belongs to no origin: their names begin with SERVERA_, SERVERB_ and so on to SERVERZ_" ;;
        esac
    done
    [ -z "$single" ] || [ -z "$several" ] ||
        die "$single and $several are both set: ORIGIN_ is for one origin, SERVERA_ and so on for several: unset one kind"
    [ -n "$several" ] || origins=ORIGIN
}

# The names of all variables that are set, sorted.
names() {
    awk 'BEGIN { for (name in ENVIRON) if (ENVIRON[name] != "" && name ~ /^[A-Za-z0-9_]+$/) print name }' | sort
}

is_known() { # NAME SUFFIX SUFFIXES PREFIX
    for word in $3; do
        [ "$2" != "$word" ] || return 0
    done
    die "$1 is unknown: behind ${4}_ comes one of $3"
}

# Adds an origin to $server_lines and $origin_lines.
add_origin() { # PREFIX
    access_key "$1_ACCESS_KEY"
    parameters="access_key=$value"
    secret "$1_SECRET_KEY"
    parameters="$parameters secret_key=$value"
    read_variable "$1_SESSION_TOKEN"
    if [ -n "$named" ]; then
        token "$1_SESSION_TOKEN"
        parameters="$parameters session_token=$value"
    fi

    one_of "$1_SCHEME" https "http https"
    [ "${scheme:=$value}" = "$value" ] ||
        die "$1_SCHEME is $value, ${origins%% *}_SCHEME is $scheme: nginx speaks one of them to all origins: choose one, or start an image for each"
    find_address "$1"
    parameters="$parameters host=$domain"

    [ "$1" = ORIGIN ] || region "$1_REGION"
    [ "$1" != ORIGIN ] && [ -n "$value" ] || region AWS_REGION
    [ -z "$value" ] || parameters="$parameters region=$value"
    one_of "$1_ADDRESSING" path "path virtual"
    [ "$value" = path ] || parameters="$parameters addressing=$value"
    one_of "$1_FRAMING" keep "keep decode"
    [ "$value" = keep ] || parameters="$parameters framing=$value"

    follow_addresses
    value=off
    [ "$1" = ORIGIN ] || on_or_off "$1_BACKUP" off
    if [ "$value" = on ]; then flags="$flags backup"; else all_backup=no; fi
    server_lines="$server_lines${server_lines:+$newline}server $server$flags;"
    origin_lines="$origin_lines${origin_lines:+$newline}s3_origin $server $parameters;"
}

# Sets $host, $port and, of both, $server: where to connect. And $domain: the name of the origin in its
# Host header and its certificate, which is that host unless something else is said.
find_address() { # PREFIX
    host "$1_DOMAIN"
    domain=$value domain_host=$host domain_port=$port
    where=$1_HOST
    host "$where"
    if [ "$1" != ORIGIN ]; then
        same=$value
        host "$1_ENDPOINT"
        if [ -z "$value" ]; then
            host "$where"
        elif [ "${same:-$value}" != "$value" ]; then
            die "$1_ENDPOINT and $1_HOST differ, and mean the same: unset one of them"
        else
            where=$1_ENDPOINT
        fi
    fi
    if [ -z "$host" ] && [ -z "$domain" ]; then
        [ "$1" = ORIGIN ] && require ORIGIN_DOMAIN
        require "$1_ENDPOINT"
    elif [ -z "$host" ]; then
        where=$1_DOMAIN host=$domain_host port=$domain_port
    fi

    usual_port=443
    [ "$scheme" = https ] || usual_port=80
    port_there=$port
    port "$1_PORT" "${port:-$usual_port}"
    port=$value server=$host:$port
    [ "${port_there:-$port}" = "$port" ] || die "$1_PORT and the port in $where differ: remove one of them"
    case " $servers " in
        *" $server "*) die "$where is where another origin is already: name each once" ;;
    esac
    servers="$servers $server"

    if [ -z "$domain" ] || [ "$domain" = "$host" ]; then
        domain=$host
        [ "$port" = "$usual_port" ] || domain=$server
    fi
}

# nginx follows addresses that change from 1.27.3 on ("resolve"), and has to be told the name servers.
find_resolver() {
    resolver=
    [ "$version" -ge 1027003 ] || return 0
    resolver=$(awk '$1 == "nameserver" && $2 ~ /^[0-9A-Fa-f.:]+$/ { printf index($2, ":") ? " [%s]" : " %s", $2 }' \
        /etc/resolv.conf 2>/dev/null)
    [ -n "$resolver" ] || return 0
    # Where no IPv6 address can be reached, a try at one is lost.
    awk '$4 == "00" { found = 1 } END { exit !found }' /proc/net/if_inet6 2>/dev/null || resolver="$resolver ipv6=off"
    resolver="resolver$resolver;"
}

# Sets $flags so that nginx follows the addresses of $host. It would ask the name servers for a name as it
# stands, so one that is short for another is written out in $server. What /etc/hosts has stays as it is.
follow_addresses() {
    flags=
    [ -n "$resolver" ] || return 0
    case $host in
        \[*) return 0 ;;
        *[!0-9.]*) ;;
        *) return 0 ;;
    esac
    ! is_in_hosts || return 0
    flags=' resolve'
    for name in $(whole_names); do
        if timeout 5 getent ahosts "$name." >/dev/null 2>&1; then
            server=$name:$port
            return 0
        fi
    done
}

is_in_hosts() {
    awk -v host="$host" '
        { sub(/#.*/, ""); for (i = 2; i <= NF; i++) if (tolower($i) == tolower(host)) found = 1 }
        END { exit !found }
    ' /etc/hosts 2>/dev/null
}

# What $host may be short for, in the order in which the machine's own resolver asks.
whole_names() {
    awk -v host="$host" '
        BEGIN { ndots = 1 }
        $1 == "search" || $1 == "domain" { count = split($0, domains) }
        $1 == "options" { for (i = 2; i <= NF; i++) if ($i ~ /^ndots:[0-9]+$/) ndots = substr($i, 7) + 0 }
        END {
            dots = gsub(/\./, ".", host)
            if (dots >= ndots) print host
            for (i = 2; i <= count; i++) if (domains[i] ~ /^[A-Za-z0-9._-]*[A-Za-z0-9]$/) print host "." domains[i]
            if (dots < ndots) print host
        }
    ' /etc/resolv.conf
}

# ---- nginx.conf ----

# Sets $nginx, its $version, and $load_module.
find_nginx() {
    [ -n "$nginx" ] || nginx=$(command -v openresty) || nginx=$(command -v nginx) ||
        die "NGINX is missing, and there is no nginx on PATH: set it to the path of one"
    build=$("$nginx" -V 2>&1) || die "NGINX is no nginx that runs here"
    version=$(printf '%s\n' "$build" |
        sed -n 's,^nginx version: [^/]*/\([0-9]*\)\.\([0-9]*\)\.\([0-9]*\).*,\1 * 1000000 + \2 * 1000 + \3,p')
    version=$((${version:-0}))

    # Debian's packages of modules enable theirs in a folder; this one may be among them.
    enabled=$(printf '%s\n' "$build" | sed -n 's,.* --conf-path=\(/[A-Za-z0-9._/-]*\)/.*,\1/modules-enabled,p')
    load_module=
    if [ -d "$enabled" ]; then
        load_module="include $enabled/*.conf;"
        ! grep -qs "$module" "$enabled"/*.conf || return 0
    fi
    file=${S3_RESIGN_MODULE:-/usr/lib/nginx/modules/$module}
    [ -f "$file" ] || [ -n "${S3_RESIGN_MODULE-}" ] || file=/usr/local/openresty/nginx/modules/$module
    check_path S3_RESIGN_MODULE "$file"
    [ -f "$file" ] || die "S3_RESIGN_MODULE: there is no module $file: set it to the path of one"
    load_module="$load_module${load_module:+$newline}load_module $file;"
}

# As many as there are processors, or as few as the container may use.
find_workers() {
    of_characters S3_WORKERS auto 'auto0-9' 'a number of workers: write one, or auto'
    workers=$value
    [ "$workers" = auto ] && read -r quota period 2>/dev/null </sys/fs/cgroup/cpu.max && [ "$quota" != max ] || return 0
    workers=$(((quota + period - 1) / period))
    [ "$workers" -lt "$(nproc)" ] || workers=auto
}

# Writes nginx.conf to that file.
make_conf() { # FILE
    access_key CLIENT_ACCESS_KEY
    client=$value
    secret CLIENT_SECRET_KEY
    client="s3_client $client secret_key=$value;"

    find_nginx
    find_resolver
    find_workers
    find_origins
    scheme= servers= server_lines= origin_lines= all_backup=yes
    for origin in $origins; do
        add_origin "$origin"
    done
    [ "$all_backup" = no ] || die "${origins##* }_BACKUP is on, as with all origins: leave one that is none"

    port PORT 8080
    listen="listen $value;"
    [ ! -e /proc/net/if_inet6 ] || listen="$listen${newline}listen [::]:$value;"

    settings=
    region S3_REGION
    [ -z "$value" ] || add_setting "s3_region $value"
    host S3_HOST
    [ -z "$value" ] || add_setting "s3_host $value"
    time_span S3_MAX_SKEW ''
    [ -z "$value" ] || add_setting "s3_max_skew $value"
    one_of S3_ERRORS s3 "s3 s3proxy"
    [ "$value" = s3 ] || add_setting "s3_errors $value"
    for name in S3_ANONYMOUS S3_SIGNATURE_V2 S3_VERIFY_PAYLOAD S3_DEBUG_ERRORS; do
        on_or_off "$name" off
        [ "$value" = off ] || add_setting "$(printf '%s' "$name" | tr A-Z a-z) on"
    done

    find_health_check
    find_tls
    on_or_off S3_UPLOAD_BUFFERING off
    buffering=$value
    time_span S3_SHUTDOWN_TIMEOUT 1h
    shutdown_timeout=$value
    one_of S3_LOG_LEVEL notice "debug info notice warn error crit"
    log_level=$value
    find_access_log
    of_characters S3_STATUS_ALLOW '' '0-9A-Fa-f.:/, ' 'a list of addresses: write them as 10.0.0.0/8, with spaces between'
    allow=$(printf '%s' "$value" | tr -s ', ' '\n' | sed -n 's/..*/allow &;/p')

    conf_run=$run conf_load_module=$load_module conf_workers=$workers conf_log_level=$log_level \
        conf_shutdown_timeout=$shutdown_timeout conf_access_log=$access_log conf_resolver=$resolver \
        conf_servers=$server_lines conf_origins=$origin_lines conf_health_check=$health_check conf_client=$client \
        conf_settings=$settings conf_listen=$listen conf_scheme=$scheme conf_buffering=$buffering conf_tls=$tls \
        conf_healthz=$healthz conf_status_allow=$allow \
        awk "$fill_in" "$template" >"$1" || die "$template or $1: cannot be used, see above"
}

# A value may have several lines, which are indented as the first. A line of empty values is left out.
fill_in='
    {
        line = $0; filled = ""; found = 0; match(line, /^ */); indent = substr(line, 1, RLENGTH)
        while (match(line, /\$\{[a-z_]+\}/)) {
            name = "conf_" substr(line, RSTART + 2, RLENGTH - 3)
            if (!(name in ENVIRON)) { print FILENAME ":" NR ": nothing has the name " substr(name, 6) >"/dev/stderr"; exit 1 }
            value = ENVIRON[name]
            gsub(/\n/, "\n" indent, value)
            filled = filled substr(line, 1, RSTART - 1) value
            line = substr(line, RSTART + RLENGTH)
            found = 1
        }
        filled = filled line
        if (found && filled ~ /^ *$/) next
        if (filled != "" || last != "") print filled
        last = filled
    }
'

add_setting() {
    settings="$settings${settings:+$newline}$1;"
}

# The default takes AccessDenied for a good answer, since not every key may list the buckets.
find_health_check() {
    of_characters S3_HEALTH_CHECK on 'A-Za-z0-9=.,/_%~?&+: -' 'on, off or parameters of s3_health_check'
    health_check="s3_health_check $value;" healthz='s3_healthz s3;'
    case $value in
        on) health_check='s3_health_check expect=2xx,AccessDenied;' ;;
        off)
            health_check=
            healthz="default_type application/json;${newline}return 200 '{\"status\":\"ok\"}';" ;;
        *=*) ;;
        *) die "S3_HEALTH_CHECK is not on, off or parameters of s3_health_check" ;;
    esac
}

find_tls() {
    on_or_off S3_TLS_VERIFY on
    tls=
    [ "$scheme" = https ] || return 0
    tls='proxy_ssl_verify off;'
    [ "$value" = on ] || return 0
    read_variable S3_TLS_CA
    value=${value:-/etc/ssl/certs/ca-certificates.crt}
    check_path S3_TLS_CA "$value"
    [ -r "$value" ] || die "S3_TLS_CA is no file that user $(id -u) can read: set it to a bundle of CA certificates"
    tls="proxy_ssl_verify on;${newline}proxy_ssl_verify_depth 3;${newline}proxy_ssl_trusted_certificate $value;"
}

# A terminal or a socket of another user cannot be opened as /dev/stdout. An empty name is nginx's stderr.
find_access_log() {
    on_or_off S3_ACCESS_LOG on
    access_log=off
    [ "$value" = on ] || return 0
    access_log='"" s3_resign'
    ! { true >>/dev/stdout; } 2>/dev/null || access_log='/dev/stdout s3_resign'
}

# Makes nginx.conf and has nginx check it; shows what nginx says only where it refuses.
prepare() {
    check_path S3_RESIGN_RUN "$run"
    mkdir -p "$run" 2>/dev/null && true 2>/dev/null >"$run/nginx.conf.new" ||
        die "S3_RESIGN_RUN, $run, is no folder that user $(id -u) can write to: mount a tmpfs there"
    [ -r "$template" ] || die "S3_RESIGN_TEMPLATE, $template, is no file that user $(id -u) can read"
    make_conf "$run/nginx.conf.new"
    said=$("$nginx" -e stderr -c "$run/nginx.conf.new" -t 2>&1) || {
        printf '%s\n' "$said" >&2
        die "nginx refuses the configuration, see above"
    }
    mv "$run/nginx.conf.new" "$run/nginx.conf"
}

# ---- processes ----

# Stays in front of nginx: the first process of a container has to mind signals and orphans.
start() {
    trap drain TERM INT QUIT
    trap reload HUP
    prepare
    [ "$(ulimit -n)" = unlimited ] || [ "$(ulimit -n)" -ge 16384 ] ||
        ulimit -S -n 16384 2>/dev/null || ulimit -S -n "$(ulimit -H -n)"
    rm -f "$run/nginx.pid"
    "$nginx" -e stderr -c "$run/nginx.conf" &
    status=0
    while kill -0 "$!" 2>/dev/null; do
        wait "$!"
        status=$?
    done
    # A signal may have cut the last wait short.
    wait "$!" 2>/dev/null
    late=$?
    [ "$late" = 127 ] || status=$late
    exit "$status"
}

drain() {
    [ -n "${!-}" ] || exit 143
    signal QUIT
}

reload() {
    [ -n "${!-}" ] || return 0
    if (prepare); then
        signal HUP
    else
        say "nginx goes on with the configuration that it has"
    fi
}

# nginx minds signals once it has written its pid.
signal() { # NAME
    tries=50
    until [ -s "$run/nginx.pid" ] || [ "$tries" = 0 ]; do
        sleep 0.1
        tries=$((tries - 1))
    done
    kill -"$1" "$!" 2>/dev/null
}

healthz() {
    port PORT 8080
    exec bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0" && printf "GET /healthz HTTP/1.0\r\n\r\n" >&3 &&
        read -r -t 4 _ status _ <&3 && echo "$status" && [ "$status" = 200 ] || exit 1' "$value"
}

case ${1-} in
    '') start ;;
    -*)
        prepare
        exec "$nginx" -e stderr -c "$run/nginx.conf" "$@" ;;
    healthz) healthz ;;
    *) exec "$@" ;;
esac
