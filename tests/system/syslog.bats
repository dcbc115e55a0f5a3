#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The syslog sink against a real rsyslogd with a private socket and configuration: what matters is
# what the daemon understood, so its parsed properties are compared, not our bytes.

load lib

setup() {
	need rsyslogd python3
	SEND=$SHK_BUILDDIR/tests/system/alert_send
	DIR=$(mktemp -d)
	PID=
	cat >"$DIR/conf" <<-END
	global(net.enableDNS="off" workDirectory="$DIR")
	module(load="imuxsock" SysSock.Use="off")
	template(name="parsed" type="string" string="facility=%syslogfacility-text%\nseverity=%syslogseverity-text%\nprogram=%programname%\ntag=%syslogtag%\nversion=%protocol-version%\nhost=%hostname%\ntime=%timereported:::date-rfc3339%\nprocid=%procid%\nmsgid=%msgid%\nsd=%structured-data%\nmsg=%msg%\nend\n")
	input(type="imuxsock" Socket="$DIR/3164" ruleset="out")
	input(type="imuxsock" Socket="$DIR/5424" useSpecialParser="off" ignoreTimestamp="off" ruleset="out")
	ruleset(name="out") { action(type="omfile" file="$DIR/out" template="parsed") }
	END
	start_rsyslogd
}

teardown() {
	stop_rsyslogd
	[ -z "$DIR" ] || rm -rf "$DIR"
}

start_rsyslogd() {
	rm -f "$DIR/3164" "$DIR/5424"
	rsyslogd -n -f "$DIR/conf" -i "$DIR/pid" 2>"$DIR/err" 3>&- &
	PID=$!
	within test -S "$DIR/5424" || { cat "$DIR/err"; return 1; }
}

stop_rsyslogd() {
	[ -n "$PID" ] || return 0
	kill "$PID"
	wait "$PID" || true
	PID=
}

within() { # COMMAND...: at most ten seconds
	local i
	for ((i = 0; i < 100; i++)); do
		"$@" && return 0
		sleep 0.1
	done
	return 1
}

ends() { # COUNT: that many messages arrived whole
	[ "$(grep -cx end "$DIR/out" 2>/dev/null)" -ge "$1" ]
}

property() { # NAME of the last message
	sed -n "s/^$1=//p" "$DIR/out" | tail -n 1
}

expect() { # NAME VALUE
	local got
	got=$(property "$1")
	[ "$got" = "$2" ] || { printf '%s: expected <%s>, got <%s>\n' "$1" "$2" "$got"; return 1; }
}

@test "RFC 3164: facility, severity, program and text" {
	"$SEND" "$DIR/3164" 3164 text
	within ends 1
	expect facility local3
	expect severity notice
	expect program shrike
	[[ $(property tag) =~ ^shrike\[[0-9]+\]:$ ]]
	expect version 0
	expect sd -
	[[ $(property msg) =~ ^\ [0-9]{2}:[0-9]{2}:20\.000000001:\ Notice\ A\ shell\ was\ started$ ]]
}

@test "RFC 3164: the general parser understands it as well" {
	"$SEND" "$DIR/5424" 3164 text
	within ends 1
	expect facility local3
	expect severity notice
	expect program shrike
	[[ $(property msg) == *"Notice A shell was started" ]]
}

@test "RFC 5424: header and structured data" {
	"$SEND" "$DIR/5424" 5424 text
	within ends 1
	expect facility local3
	expect severity notice
	expect program shrike
	expect version 1
	expect host node1
	expect msgid alert
	expect time 2023-11-14T22:13:20.000000Z
	[[ $(property procid) =~ ^[0-9]+$ ]]
	expect sd '[shrike@32473 rule="Shell in \"container\"" priority="Notice" container="0123456789ab" container_name="front'$'\xef\xbf\xbd''\]" verdict="deny"]'
	[[ $(property msg) == *"20.000000001: Notice A shell was started" ]]
}

@test "RFC 5424: JSON as the message" {
	"$SEND" "$DIR/5424" 5424 json
	within ends 1
	expect version 1
	property msg | python3 -c '
import json, sys
r = json.loads(sys.stdin.read())
assert r["rule"] == "Shell in \"container\"", r
assert r["shrike"]["verdict"] == "deny", r
assert r["shrike"]["id"] == "b00t:7:42:1", r'
}

@test "a message too long for rsyslog is cut with a mark" {
	"$SEND" "$DIR/3164" 3164 text "$(head -c 12000 /dev/zero | tr '\0' a)"
	within ends 1
	[[ $(property msg) == *"aaa [cut by shrike]" ]]
}

@test "a restarted rsyslogd gets what comes after" {
	"$SEND" "$DIR/3164" 3164 text first
	within ends 1
	stop_rsyslogd
	start_rsyslogd
	"$SEND" "$DIR/3164" 3164 text second
	within ends 2
	[[ $(property msg) == *"Notice second" ]]
}
