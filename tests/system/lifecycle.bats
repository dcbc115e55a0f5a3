#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# From registration to deregistration, and everything that can go wrong between: one registration or none.

load lib

setup() {
	need_root
	need runc crun jq busybox
	shk_setup
}

teardown() {
	[ -z "${T:-}" ] || shk_teardown
}

plain() {
	policy <<-END
		policy: default
		mode: observe
		limits: { alerts_per_second: 0, burst: 0 }
	END
	start_daemon
	make_bundle "$T/b"
}

@test "prestart and createRuntime both configured: one registration" {
	plain
	add_hook "$T/b" prestart
	add_hook "$T/b" createRuntime
	local r
	for r in $RUNTIMES; do
		start "$r" "l-$r-$$" "$T/b"
		[ "$(n_containers)" = 1 ]
		[ "$(ps_field "l-$r-$$" listeners)" = 1 ]
		runtime "$r" delete -f "l-$r-$$"
		wait_until 5 no_containers
	done
}

@test "createRuntime alone: supervised" {
	plain
	add_hook "$T/b" createRuntime
	local r
	for r in $RUNTIMES; do
		start "$r" "l-$r-$$" "$T/b"
		[ "$(ps_field "l-$r-$$" way)" = hook ]
		[ "$(ps_field "l-$r-$$" armed)" = true ]
		runtime "$r" delete -f "l-$r-$$"
	done
}

@test "poststop deregisters; without it the end is noticed" {
	plain
	add_hook "$T/b" prestart
	local r
	for r in $RUNTIMES; do
		start "$r" "l-$r-$$" "$T/b"
		[ "$(n_containers)" = 1 ]
		runtime "$r" delete -f "l-$r-$$"
		wait_until 5 no_containers
	done
	jq --arg path "$SHK_BUILDDIR/shrike-hook" --arg sock "$T/control.sock" '
		.hooks.poststop = [{ path: $path, args: ["shrike-hook", "--socket", $sock, "poststop"] }]' \
		"$T/b/config.json" >"$T/n" && mv "$T/n" "$T/b/config.json"
	for r in $RUNTIMES; do
		start "$r" "p-$r-$$" "$T/b"
		[ "$(n_containers)" = 1 ]
		runtime "$r" delete -f "p-$r-$$"
		wait_until 1 no_containers
	done
}

@test "a create that fails later leaves nothing" {
	plain
	add_hook "$T/b" prestart
	jq '.hooks.createRuntime = [{ path: "/bin/false" }]' "$T/b/config.json" >"$T/n" && mv "$T/n" "$T/b/config.json"
	local r
	for r in $RUNTIMES; do
		run start "$r" "f-$r-$$" "$T/b"
		[ "$status" -ne 0 ]
		wait_until 5 no_containers
	done
}

@test "an id used again is a new container" {
	plain
	add_hook "$T/b" prestart
	local r first
	for r in $RUNTIMES; do
		start "$r" "same-$$" "$T/b"
		first=$(ps_field "same-$$" pid)
		runtime "$r" delete -f "same-$$"
		start "$r" "same-$$" "$T/b"
		[ "$(ps_field "same-$$" pid)" != "$first" ]
		[ "$(n_containers)" = 1 ]
		runtime "$r" delete -f "same-$$"
		wait_until 5 no_containers
	done
}

@test "a container that was created and not started is registered and not judged" {
	plain
	add_hook "$T/b" prestart
	local r
	for r in $RUNTIMES; do
		IDS="$IDS $r:c-$r-$$"
		runtime "$r" create -b "$T/b" "c-$r-$$" </dev/null >"$T/create.out" 2>&1 3>&-
		[ "$(ps_field "c-$r-$$" armed)" = false ]
		runtime "$r" start "c-$r-$$"
		wait_until 5 armed "c-$r-$$"
		runtime "$r" delete -f "c-$r-$$"
	done
}

armed() {
	[ "$(ps_field "$1" armed)" = true ]
}

@test "a hook while the engine restarts waits for the next one" {
	plain
	add_hook "$T/b" prestart
	local r
	for r in $RUNTIMES; do
		kill -9 "$(engine_pid)"
		start "$r" "k-$r-$$" "$T/b"
		[ "$(ps_field "k-$r-$$" listeners)" = 1 ]
		runtime "$r" delete -f "k-$r-$$"
	done
}

@test "no daemon: the container does not start, and the reason names the remedy" {
	make_bundle "$T/b"
	jq --arg path "$SHK_BUILDDIR/shrike-hook" --arg sock "$T/control.sock" '
		.hooks.prestart = [{ path: $path, args: ["shrike-hook", "--socket", $sock, "--timeout", "1", "prestart"] }]' \
		"$T/b/config.json" >"$T/n" && mv "$T/n" "$T/b/config.json"
	local r
	for r in $RUNTIMES; do
		run start "$r" "n-$r-$$" "$T/b"
		[ "$status" -ne 0 ]
		run runtime "$r" state "n-$r-$$"
		[ "$status" -ne 0 ]
	done
}

@test "a rule file with an error: daemon serves, new containers are refused with the place" {
	policy <<-END
		policy: default
		rules: { files: [$T/broken.yaml] }
	END
	printf -- '- rule: x\n  desc: d\n  condition: evt.type = opan\n  output: o\n  priority: INFO\n' >"$T/broken.yaml"
	start_daemon
	make_bundle "$T/b"
	add_hook "$T/b" prestart
	local r
	for r in $RUNTIMES; do
		run start "$r" "e-$r-$$" "$T/b"
		[ "$status" -ne 0 ]
		cat "$T/e-$r-$$.out"
		grep -q 'broken.yaml:3:' "$T/e-$r-$$.out" || [ "$r" = crun ]
		[ "$(n_containers)" = 0 ]
	done
	grep -q 'broken.yaml:3:' "$T/daemon.log"
	expect_alert "Shrike internal: broken policies"
}

@test "an unknown policy key names file, line and the nearest key" {
	SHK_RINGS='' policy <<-END
		policy: default
		mod: observe
	END
	start_daemon
	wait_until 5 grep -q 'default.yaml:2:1: .*mode' "$T/daemon.log"
}

@test "a listener of somebody else is reported, the container does not start" {
	plain
	add_hook "$T/b" prestart
	jq '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", listenerPath: "/run/other.sock",
		syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_NOTIFY" }] }' "$T/b/config.json" >"$T/n" && mv "$T/n" "$T/b/config.json"
	run start runc "s-$$" "$T/b"
	[ "$status" -ne 0 ]
	grep -q 'listener' "$T/s-$$.out"
	wait_until 5 no_containers
}

@test "many in a row: nothing is leaked" {
	plain
	add_hook "$T/b" prestart
	local r i n=${SHK_LONG:+1000} fds threads kept e
	n=${n:-50}
	jq '.process.args = ["/bin/true"]' "$T/b/config.json" >"$T/n" && mv "$T/n" "$T/b/config.json"
	for r in $RUNTIMES; do
		runtime "$r" run -b "$T/b" "warm-$r-$$" </dev/null 3>&-
	done
	wait_until 5 no_containers
	e=$(engine_pid)
	kept=$(ls "/proc/$KEEPER/fd" | wc -l)
	fds=$(ls "/proc/$e/fd" | wc -l) threads=$(ls "/proc/$e/task" | wc -l)
	for r in $RUNTIMES; do
		for ((i = 0; i < n; i++)); do
			runtime "$r" run -b "$T/b" "m-$r-$i-$$" </dev/null 3>&-
		done
	done
	wait_until 5 no_containers
	pause 0.3
	[ "$(engine_pid)" = "$e" ]
	[ "$(ls "/proc/$e/fd" | wc -l)" -le "$fds" ]
	[ "$(ls "/proc/$e/task" | wc -l)" -le "$threads" ]
	[ "$(ls "/proc/$KEEPER/fd" | wc -l)" -le "$kept" ]
}

@test "50 containers (SHK_CROWD) started in parallel, each forking" {
	plain
	add_hook "$T/b" prestart
	jq '.process.args = ["/bin/sh", "-c", "/opt/act forks 10; until [ -e /tmp/go ]; do sleep 1; done"] | .root.path = "'"$T"'/b/rootfs"' "$T/b/config.json" >"$T/n" && mv "$T/n" "$T/b/config.json"
	local i r pids= n=${SHK_CROWD:-50}
	for i in $(seq "$n"); do
		r=runc
		[ $((i % 2)) = 0 ] && r=crun
		[[ " $RUNTIMES " == *" $r "* ]] || r=${RUNTIMES%% *}
		mkdir -p "$T/p$i"
		cp "$T/b/config.json" "$T/p$i/"
		IDS="$IDS $r:par-$i-$$"
		runtime "$r" run -d -b "$T/p$i" "par-$i-$$" >"$T/par-$i.out" 2>&1 </dev/null 3>&- &
		pids="$pids $!"
	done
	for i in $pids; do
		wait "$i" || { tail -n 3 "$T"/par-*.out; return 1; }
	done
	[ "$(n_containers)" = "$n" ]
	[ "$("$SHK_BUILDDIR/shrike" ps --json | jq -s 'if (.[0]|type) == "array" then .[0] else . end | map(select(.armed)) | length')" = "$n" ]
	cat "$T"/par-*.out
	touch "$T/b/rootfs/tmp/go"
	wait_until 40 no_containers
}
