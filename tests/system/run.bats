#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# shrike run: one bundle, supervised without any daemon.

load lib

setup() {
	need_root
	need runc crun jq busybox
	shk_setup
	unset SHRIKE_SOCKET
	policy <<-END
		policy: default
		mode: enforce
		strict: false
		rules: { files: [shrike_rules.yaml] }
		rule_matching: all
		limits: { alerts_per_second: 0, burst: 0 }
		actions:
		  - match: { rules: ["Rename below binary dir"] }
		    then: { deny: EPERM }
	END
	make_bundle "$T/b"
	PID=
}

teardown() {
	[ -z "${PID:-}" ] || kill -9 "$PID" 2>/dev/null || true
	[ -z "${T:-}" ] || shk_teardown
}

program() {
	jq --arg sh "$1" '.process.args = ["/bin/sh", "-c", $sh]' "$T/b/config.json" >"$T/n" && mv "$T/n" "$T/b/config.json"
}

# shrike_run RUNTIME ID ARGS...: standard output and error go to $T/out and $T/err.
shrike_run() {
	local r=$1 id=$2
	shift 2
	IDS="$IDS $r:$id"
	set -- "$SHK_BUILDDIR/shrike" run --runtime "$r" --policy-dir "$T/policies" --rules-path "$SHK_SRCDIR/rules" \
		"$@" "$T/b" "$id"
	if [ "$r" = crun ] && hybrid_cgroups; then
		# shellcheck disable=SC2016
		exec unshare -m --propagation private sh -c 'umount -R /sys/fs/cgroup &&
			mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "$0" "$@"' "$@" >"$T/out" 2>"$T/err" </dev/null 3>&-
	fi
	exec "$@" >"$T/out" 2>"$T/err" </dev/null 3>&-
}

status_of() {
	local s=0
	("$@") || s=$?
	echo "$s"
}

left_behind() {
	find /run -maxdepth 1 -name 'shrike-run.*' -newer "$T/b/rootfs/etc/motd"
}

@test "output, alerts, status and verdict; the bundle stays as it was" {
	local r sum
	program 'echo out; echo err >&2; /opt/act rename /usr/bin/tool /usr/bin/x; exit 7'
	sum=$(sha256sum "$T/b/config.json")
	for r in $RUNTIMES; do
		[ "$(status_of shrike_run "$r" "run-$r")" = 7 ]
		cat "$T/err"
		[ "$(cat "$T/out")" = "$(printf 'out\nrename EPERM')" ]
		grep -qx err "$T/err"
		grep -q 'Error Rename below a directory of programs .*from=/usr/bin/tool.* id=run-'"$r" "$T/err"
		[ -e "$T/b/rootfs/usr/bin/tool" ]
		[ "$(sha256sum "$T/b/config.json")" = "$sum" ]
		[ "$(find "$T/b" -maxdepth 1 | wc -l)" = 3 ]
		[ -z "$(left_behind)" ]
		run runtime "$r" state "run-$r"
		[ "$status" -ne 0 ]
	done
}

@test "outputs of a configuration file take the place of standard error" {
	program '/opt/act rename /usr/bin/tool /usr/bin/x'
	write_config
	[ "$(status_of shrike_run runc run-c --config "$T/shrike.yaml")" = 1 ]
	[ "$(cat "$T/out")" = "rename EPERM" ]
	run grep 'Error Rename' "$T/err"
	[ "$status" = 1 ]
	has_alert "Rename below binary dir" run-c
}

@test "SIGTERM and SIGINT reach the container; its status is ours" {
	local r s
	program 'trap "echo term; exit 3" TERM; trap "echo int; exit 4" INT; echo ready; while :; do sleep 0.05; done'
	for r in $RUNTIMES; do
		for s in TERM:3 INT:4; do
			rm -f "$T/out"
			shrike_run "$r" "sig-$r" &
			PID=$!
			wait_until 10 grep -sqx ready "$T/out"
			kill "-${s%:*}" "$PID"
			status=0
			wait "$PID" || status=$?
			cat "$T/out" "$T/err"
			[ "$status" = "${s#*:}" ]
			grep -qi "^${s%:*}$" "$T/out"
			[ -z "$(left_behind)" ]
		done
	done
}

@test "^C at the terminal" {
	need script
	program 'trap "echo interrupted; exit 5" INT; echo ready; while :; do sleep 0.05; done'
	cat >"$T/go" <<-END
		#!/bin/sh
		trap : INT
		"$SHK_BUILDDIR/shrike" run --runtime runc --policy-dir "$T/policies" --rules-path "$SHK_SRCDIR/rules" \
			"$T/b" run-tty
		echo "status \$?"
	END
	IDS="runc:run-tty"
	# The pseudo-terminal turns the byte 3 into the signal.
	{ wait_until 10 grep -sq ready "$T/tty"; printf '\003'; sleep 1; } |
		script -qfc "sh $T/go" "$T/tty" >/dev/null 3>&-
	cat "$T/tty"
	grep -q interrupted "$T/tty"
	grep -q 'status 5' "$T/tty"
	[ -z "$(left_behind)" ]
}

@test "killed itself: the container ends" {
	program 'trap "exit 3" TERM; echo ready; while :; do sleep 0.05; done'
	shrike_run runc run-k &
	PID=$!
	wait_until 10 grep -sqx ready "$T/out"
	kill -9 "$PID"
	wait_until 10 no_such_container run-k
	left_behind | xargs -r rm -rf
}

no_such_container() {
	refute command runc state "$1" >/dev/null 2>&1
}

@test "what cannot be used is said in one line, and nothing is started" {
	program 'echo started'
	printf 'policy: default\nmod: observe\n' >"$T/policies/default.yaml"
	[ "$(status_of shrike_run runc run-e)" = 4 ]
	cat "$T/err"
	[ "$(wc -l <"$T/err")" = 1 ]
	grep -q 'default.yaml:2:1: .*did you mean "mode"' "$T/err"
	[ ! -s "$T/out" ]

	[ "$(status_of shrike_run runc run-e --policy-dir "$T/none")" = 4 ]
	grep -q -- "--policy-dir $T/none: No such file" "$T/err"
	rm "$T/policies/default.yaml"
	[ "$(status_of shrike_run "$T/none" run-e)" = 4 ]
	[ "$(status_of shrike_run no-such-runtime run-e)" = 4 ]
	grep -q 'no-such-runtime' "$T/err"
	mv "$T/b/rootfs" "$T/b/away"
	[ "$(status_of shrike_run runc run-e)" = 4 ]
	grep -q "root directory $T/b/rootfs" "$T/err"
	rm "$T/b/config.json"
	[ "$(status_of shrike_run runc run-e)" = 4 ]
	grep -q "$T/b/config.json: No such file" "$T/err"
	[ -z "$(left_behind)" ]
}

events() {
	grep -c '^event ' "$T/r.events"
}

@test "--record: all of it, from the first event on; the status stays the container's" {
	local r
	program 'echo out; /opt/act rename /usr/bin/tool /usr/bin/x; cat /etc/passwd >/dev/null; exit 7'
	for r in $RUNTIMES; do
		rm -f "$T/r.events"
		[ "$(status_of shrike_run "$r" "rec-$r" --record "$T/r.events")" = 7 ]
		cat "$T/err"
		[ "$(stat -c %a "$T/r.events")" = 600 ]
		grep -qE "^$T/r.events: $(events) events, $(stat -c %s "$T/r.events") bytes$" "$T/err"
		[ "$(head -n 1 "$T/r.events")" = "shrike-events 1" ]
		# The program's own start comes first.
		[[ "$(grep -m 1 '^event ' "$T/r.events")" == *' execve('*'"/bin/sh", "-c"'* ]]
		"$SHK_BUILDDIR/shrike" replay "$T/r.events" --policy-dir "$T/policies" --rules-path "$SHK_SRCDIR/rules" >"$T/replayed"
		# Each alert but for its time, and what the shell's standard error had.
		sed 's/^[^ ]* //' "$T/replayed" | sort >"$T/again"
		grep -vE "^($T/r.events|shrike): " "$T/err" | sed 's/^[^ ]* //' | sort >"$T/live"
		[ -s "$T/again" ]
		diff "$T/live" "$T/again"
		[ -z "$(left_behind)" ]
	done
}

@test "--record: a file that cannot be made starts nothing; a full one stops nothing" {
	local r
	program 'i=0; while [ $i -lt 100 ]; do cat /etc/passwd >/dev/null; i=$((i+1)); done; echo done; exit 3'
	for r in $RUNTIMES; do
		[ "$(status_of shrike_run "$r" "rec-no-$r" --record "$T/none/r.events")" = 4 ]
		grep -q "$T/none/r.events: No such file" "$T/err"
		[ ! -s "$T/out" ]
		ln -sf "$T/elsewhere" "$T/link"
		[ "$(status_of shrike_run "$r" "rec-link-$r" --record "$T/link")" = 4 ]
		[ ! -e "$T/elsewhere" ]
		[ "$(status_of shrike_run "$r" "rec-size-$r" --record "$T/r.events" --max-size 64K)" = 3 ]
		[ "$(cat "$T/out")" = "done" ]
		grep -q ', full$' "$T/err"
		[ "$(stat -c %s "$T/r.events")" -le 65536 ]
		"$SHK_BUILDDIR/shrike" replay "$T/r.events" --rules "$SHK_SRCDIR/rules/shrike_rules.yaml" >/dev/null
	done
	[ "$(status_of shrike_run runc rec-usage --record "$T/r.events" --max-size many)" = 2 ]
	[ "$(status_of shrike_run runc rec-usage --max-size 1M)" = 2 ]
	grep -q 'run: --max-size goes with --record' "$T/err"
}
