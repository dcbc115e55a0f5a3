#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# kill -9 of the engine while a container makes watched calls and writes down each call and its result
# itself (tests/system/witness.c). The supervisor's own counters are not asked.

load lib

setup() {
	need_root
	need runc crun jq busybox
	shk_setup
}

teardown() {
	[ -z "${T:-}" ] || shk_teardown
}

prepare() {
	policy <<-END
		policy: default
		rules: { files: [shrike_rules.yaml] }
		mode: observe
		limits: { alerts_per_second: 0, burst: 0 }
		deadline: { ms: 10000, then: deny }
	END
	start_daemon
	ARGS='["/opt/witness", "/tmp/witness.log", "'"$1"'", "2", "'"${2:-0}"'"]' make_bundle "$T/b"
	add_hook "$T/b" prestart
}

# kill_engine N: N times, with the next engine serving between.
kill_engine() {
	local i e
	for ((i = 0; i < $1; i++)); do
		e=$(engine_pid)
		[ -n "$e" ] && kill -9 "$e"
		wait_until 10 another_engine "$e"
		wait_until 10 daemon_answers
		sleep "0.$((RANDOM % 3))"
	done
}

# Every w and m call of the witness has its alert; the path names the call.
compare() {
	local log=$T/b/rootfs/tmp/witness.log
	awk '$3 == "w" { print "/bin/w-" $1 "-" $2 } $3 == "m" { print "/bin/m-" $1 "-" $2 }' "$log" | sort -u >"$T/made"
	jq -r 'select(.rule == "Write below binary dir") | .output_fields["fd.name"]' "$ALERTS" >"$T/seen.raw"
	jq -r 'select(.rule == "Rename below binary dir") | .output_fields["fs.path.source"]' "$ALERTS" >>"$T/seen.raw"
	sort -u "$T/seen.raw" >"$T/seen"
	echo "calls made: $(wc -l <"$log"), to be alerted: $(wc -l <"$T/made"), seen: $(wc -l <"$T/seen")"
	comm -23 "$T/made" "$T/seen" >"$T/missing"
	[ ! -s "$T/missing" ] || {
		echo "without alert:"
		head -n 5 "$T/missing"
		return 1
	}
}

@test "engine killed again and again: no foreign errno, no lost alert, duplicates have one identity" {
	local r kills=${SHK_KILLS:-${SHK_LONG:+1000}} seconds
	kills=${kills:-20}
	seconds=$((kills * 2 / 3 + 4))
	for r in $RUNTIMES; do
		rm -f "$ALERTS"
		prepare "$seconds" "$([ "$kills" -gt 100 ] && echo 3000)"
		start "$r" "w-$r-$$" "$T/b"
		kill_engine "$kills"
		wait_until $((seconds + 60)) witness_over "w-$r-$$" "$r"
		pause 1
		# openat w: ENOENT (2); openat r: 0; rename: ENOENT
		awk '($3 == "r" && $4 != 0) || ($3 != "r" && $4 != 2) { print; bad = 1 } END { exit bad }' \
			"$T/b/rootfs/tmp/witness.log"
		awk '$5 > 10500 { print "waited too long: " $0; bad = 1 } END { exit bad }' "$T/b/rootfs/tmp/witness.log"
		wait_until 20 compare
		compare
		# One identity, one call: two records with the same identity say the same of the same path.
		jq -r '[.shrike.id, .rule, .output_fields["fd.name"], .output_fields["fs.path.source"]] | @tsv' "$ALERTS" |
			sort -u | cut -f1 | sort | uniq -d >"$T/clash"
		[ ! -s "$T/clash" ]
		stop_daemon
		rm -rf "$T/b"
	done
}

witness_over() {
	[ "$(runtime "$2" state "$1" 2>/dev/null | jq -r .status)" != running ]
}

@test "a call in flight when the engine dies is answered by the next one" {
	local r
	for r in $RUNTIMES; do
		prepare 6
		start "$r" "f-$r-$$" "$T/b"
		# Stopped, it takes no call; killed while calls wait.
		local e
		wait_until 10 test -s "$T/b/rootfs/tmp/witness.log"
		e=$(engine_pid)
		kill -STOP "$e"
		pause 0.5
		kill -9 "$e"
		wait_until 10 another_engine "$e"
		wait_until 30 witness_over "f-$r-$$" "$r"
		awk '($3 == "r" && $4 != 0) || ($3 != "r" && $4 != 2) { print; bad = 1 } END { exit bad }' \
			"$T/b/rootfs/tmp/witness.log"
		awk '$5 > 400 { n++ } END { exit n < 1 }' "$T/b/rootfs/tmp/witness.log"
		wait_until 10 compare
		stop_daemon
		rm -rf "$T/b" "$ALERTS"
	done
}

@test "the keeper ends and takes the engine with it" {
	prepare 1
	local e
	e=$(engine_pid)
	kill -TERM "$KEEPER"
	wait "$KEEPER"
	KEEPER=
	refute kill -0 "$e" 2>/dev/null
	[ ! -S "$T/control.sock" ] || ! daemon_answers
}

@test "shrike events -f goes on over the end of an engine" {
	prepare $((6 * ${SHK_SLOW:-1}))
	"$SHK_BUILDDIR/shrike" events -f --json -n 0 >"$T/followed" 2>"$T/followed.err" 3>&- &
	local f=$!
	start runc "e-$$" "$T/b"
	pause 1
	kill_engine 1
	local before
	before=$(wc -l <"$T/followed")
	wait_until 10 grew "$before"
	stop_daemon
	wait "$f" || [ $? = 3 ]
}

grew() {
	[ "$(wc -l <"$T/followed")" -gt $(($1 + 20)) ]
}
