# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What the tests of the gateway share: a gateway fed by tests/system/alert_feed, peers, certificates.

gw_setup() {
	need_root
	need python3 jq openssl curl
	shk_setup
	chmod 711 "$T"
	PEERS=
	FEED_PID=
	: >"$T/mode"
}

gw_teardown() {
	local p
	feed_stop
	for p in $PEERS; do
		kill -9 "$p" 2>/dev/null || true
	done
	shk_teardown
}

# config OUTPUT...: a configuration with these outputs, one a line.
config() {
	{
		printf 'spool_dir: %s\ngateway_user: daemon\nmetrics_listen: %s\n' "${SPOOL:-$T/spool}" "$T/metrics.sock"
		printf '%s\n' "${KEYS:-}"
		echo outputs:
		printf '  - %s\n' "$@"
	} >"$T/gw.yaml"
}

# http NAME [ARGS...]: a peer that writes what it took to $T/NAME.log; its port is in $PORT. mode WORD: how it behaves.
http() {
	local name=$1
	shift
	rm -f "$T/$name.port"
	python3 "$SHK_SRCDIR/tests/peers/http_peer.py" "$T/$name.port" "$T/$name.log" --mode-file "$T/mode" "$@" \
		>"$T/$name.out" 2>&1 3>&- 7>&- 8>&- &
	PEER=$!
	PEERS="$PEERS $PEER"
	wait_until 10 test -s "$T/$name.port" || {
		cat "$T/$name.out" >&2
		return 1
	}
	# shellcheck disable=SC2034
	PORT=$(cat "$T/$name.port")
}

mode() {
	echo "$1" >"$T/mode"
}

feed_start() {
	mkfifo "$T/feed.in" "$T/feed.back"
	"$SHK_BUILDDIR/tests/system/alert_feed" "$SHK_BUILDDIR/shrike-gateway" "$T/gw.yaml" \
		<"$T/feed.in" >"$T/feed.back" 2>"$T/gw.log" 3>&- &
	FEED_PID=$!
	exec 7>"$T/feed.in" 8<"$T/feed.back"
}

feed_stop() {
	[ -n "$FEED_PID" ] || return 0
	exec 7>&- 8<&-
	wait_until 10 feed_is_over || kill -9 "$FEED_PID"
	wait "$FEED_PID" 2>/dev/null || true
	FEED_PID=
	rm -f "$T/feed.in" "$T/feed.back"
}

feed_is_over() {
	! kill -0 "$FEED_PID" 2>/dev/null || grep -q '^State:.Z' "/proc/$FEED_PID/status" 2>/dev/null
}

# feed COMMAND: prints the answer.
feed() {
	local answer slow=${SHK_SLOW:-1}
	[ "$1" != settle ] || set -- settle "$(($2 * slow))"
	echo "$*" >&7
	read -r -t "$((${FEED_WAIT:-30} * slow))" answer <&8 || return 1
	echo "$answer"
}

alert() { # CONTAINER PRIORITY TAG RULE|TEXT
	[ "$(feed alert "$@")" = ok ]
}

# told_lost NAME: how many lost ones the peer was told of; what came twice counts once.
told_lost() {
	taken "$1" 'select(.rule == "Shrike internal: alerts lost" and .output_fields.output == "webhook") |
		"\(.shrike.boot) \(.shrike.id) \(.output_fields.count)"' | sort -u | awk '{ s += $3 } END { print s + 0 }'
}

# taken NAME FILTER: what jq makes of the bodies that the peer took.
taken() {
	[ -e "$T/$1.log" ] || return 0
	jq -r ".body | fromjson | $2" "$T/$1.log"
}

# has N NAME: the peer has taken so many messages.
has() {
	[ "$(cat "$T/$2.log" 2>/dev/null | wc -l)" -ge "$1" ]
}

expect_messages() { # N NAME
	wait_until "${WITHIN:-15}" has "$1" "$2" || {
		echo "$2 has taken $(cat "$T/$2.log" 2>/dev/null | wc -l) of $1; the gateway says:" >&2
		tail -n 5 "$T/gw.log" >&2
		return 1
	}
}

# metric NAME{LABELS}: its value.
metric() {
	curl -s --max-time 5 --unix-socket "$T/metrics.sock" http://localhost/metrics |
		awk -v m="$1" '{ n = $NF; sub(/ [^ ]*$/, ""); if ($0 == m) { print n; exit } }'
}

metric_is() { # NAME VALUE
	[ "$(metric "$1")" = "$2" ]
}

metric_at_least() {
	local v
	v=$(metric "$1")
	[ "${v:-0}" -ge "$2" ]
}

# certificates NAME...: $T/ca.pem, and for each name NAME.pem and NAME.key that it signed, for 127.0.0.1 and localhost.
authority() { # FILE
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=test authority $1" -keyout "$T/$1.key" \
		-out "$T/$1.pem" 2>"$T/openssl.log"
}

certificate() { # NAME AUTHORITY ALT-NAMES
	openssl req -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout "$T/$1.key" -out "$T/$1.csr" 2>>"$T/openssl.log" &&
		printf 'subjectAltName=%s\n' "$3" >"$T/$1.ext" &&
		openssl x509 -req -in "$T/$1.csr" -CA "$T/$2.pem" -CAkey "$T/$2.key" -CAcreateserial -days "${DAYS:-2}" \
			-extfile "$T/$1.ext" -out "$T/$1.pem" 2>>"$T/openssl.log"
}

secret() { # NAME TEXT: prints its path
	(umask 077 && printf '%s\n' "$2" >"$T/$1")
	echo "$T/$1"
}

# first_seen: "container seq" of alerts of the peer, each at its first arrival.
first_seen() {
	taken "$1" 'select(.source == "syscall" and .shrike.folded == null) |
		"\(.shrike.container.id) \(.shrike.seq) \(.shrike.id)"' | awk '!seen[$3]++ { print $1, $2 }'
}

in_order() {
	first_seen "$1" | awk '$2 <= last[$1] { print "out of order: " $0 ", after " last[$1]; bad = 1 } { last[$1] = $2 } END { exit bad }'
}

# adds_up NAME: put = refused by the journal + dropped by the writer + dropped by the spool's bound + arrived. Alerts
# about losses are alerts as well, which the writer makes and numbers; the last of them arrives, others may be lost.
adds_up() {
	local put refused dropped out arrived own made lost counted
	feed stats >"$T/stats"
	put=$(jq .put "$T/stats") refused=$(jq .refused "$T/stats") dropped=$(jq .dropped "$T/stats")
	out=$(metric 'shrike_output_dropped_total{output="webhook"}')
	arrived=$(first_seen "$1" | wc -l)
	# Looked at once: others may come.
	taken "$1" 'select(.source == "internal").shrike.id' | cut -d: -f3 | sort -nu >"$T/own"
	own=$(wc -l <"$T/own")
	made=$(tail -n 1 "$T/own")
	: "${made:=0}"
	echo "put $put, refused $refused, dropped by the writer $dropped, by the spool $out, arrived $arrived (own $own of $made), rss $(jq .rss_kb "$T/stats") kB, of the engine's side $(jq .own_rss_kb "$T/stats") kB"
	lost=$((put - arrived + made - own))
	counted=$((refused + dropped + out))
	[ "$lost" = "$counted" ]
}
