#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The engine as a process: what it gave up, and the programs it has started all the same.

load lib

setup() {
	need_root
	need runc jq busybox
	shk_setup
	policy <<-END
		policy: default
		rules: { files: [shrike_rules.yaml] }
		mode: observe
		rule_matching: all
		limits: { alerts_per_second: 0, burst: 0 }
	END
	cat >"$T/sink" <<-END
		#!/bin/sh
		echo \$\$ >>"$T/sink.pids"
		grep -h '^Seccomp:\|^NoNewPrivs:' /proc/self/status >"$T/sink.status"
		exec cat >>"$T/sink.out"
	END
	chmod +x "$T/sink"
	write_config "  - program: { command: '$T/sink' }"
	start_daemon
	make_bundle "$T/b"
	add_hook "$T/b" prestart
}

teardown() {
	[ -z "${T:-}" ] || shk_teardown
}

field() {
	sed -n "s/^$1:[[:space:]]*//p" "$2"
}

sink_has() {
	grep -sq "$1" "$T/sink.out"
}

shell_in() {
	jq '.process.args = ["/bin/sh", "-c", ":"]' "$T/b/config.json" >"$T/n" && mv "$T/n" "$T/b/config.json"
	run_in runc "$1" "$T/b"
}

dead() {
	refute kill -0 "$1" 2>/dev/null
}

@test "the engine is confined, the programs of its outputs are not" {
	local e
	e=$(engine_pid)
	wait_until 5 test -s "$T/sink.status"
	[ "$(field Seccomp "/proc/$e/status")" = 2 ]
	[ "$(field NoNewPrivs "/proc/$e/status")" = 1 ]
	# What it uses, as far as root has it here.
	[ $((16#$(field CapEff "/proc/$e/status"))) = $((0x9a834ff & 16#$(field CapEff /proc/self/status))) ]
	[ $((16#$(field CapBnd "/proc/$e/status"))) = $((0x9a834ff & 16#$(field CapBnd /proc/self/status))) ]
	[ "$(field Seccomp "$T/sink.status")" = 0 ]
	[ "$(field NoNewPrivs "$T/sink.status")" = 0 ]
	# Nothing but its own socket is open in the launcher.
	local l
	l=$(pgrep -P "$e" -x shrike-launcher)
	[ "$(find "/proc/$l/fd" -mindepth 1 -printf '%f\n' | awk '$1 > 2' | wc -l)" = 1 ]
	shell_in "c-$$"
	wait_until 5 sink_has "Notice Shell spawned .*id=c-"
}

@test "a program that ends is started again; an engine that dies takes launcher and program along" {
	local first second e l
	wait_until 5 test -s "$T/sink.pids"
	first=$(tail -n 1 "$T/sink.pids")
	kill -9 "$first"
	wait_until 10 started_again 2
	second=$(tail -n 1 "$T/sink.pids")
	e=$(engine_pid)
	l=$(pgrep -P "$e" -x shrike-launcher)
	kill -9 "$e"
	wait_until 10 another_engine "$e"
	wait_until 10 dead "$l"
	wait_until 10 dead "$second"
	wait_until 10 daemon_answers
	wait_until 10 started_again 3
	shell_in "d-$$"
	wait_until 5 sink_has "Notice Shell spawned .*id=d-"
}

started_again() {
	[ "$(wc -l <"$T/sink.pids")" -ge "$1" ]
}
