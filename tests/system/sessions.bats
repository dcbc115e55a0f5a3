#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Ways B and C: the wrapper shrike-runtime, and a profile that names our listenerPath; exec sessions.

load lib

setup() {
	need_root
	need runc crun jq busybox
	shk_setup
	policy <<-END
		policy: default
		rules: { files: [shrike_rules.yaml] }
		mode: enforce
		strict: false
		rule_matching: all
		limits: { alerts_per_second: 0, burst: 0 }
		actions:
		  - match: { rules: ["Rename below binary dir"] }
		    then: { deny: EPERM }
	END
	start_daemon
	make_bundle "$T/b"
}

teardown() {
	[ -z "${T:-}" ] || shk_teardown
}

start_wrapped() {
	IDS="$IDS $1:$2"
	wrapped "$1" run -d -b "$3" "$2" >"$T/$2.out" 2>&1 </dev/null 3>&- || {
		cat "$T/$2.out"
		return 1
	}
}

@test "wrapper: a container without any hook is supervised and refused" {
	local r
	for r in $RUNTIMES; do
		jq '.process.args = ["/bin/sh", "-c", "/opt/act rename /usr/bin/tool /usr/bin/x; exec /bin/sleep 100"]' \
			"$T/b/config.json" >"$T/n" && mv "$T/n" "$T/b/config.json"
		start_wrapped "$r" "w-$r-$$" "$T/b"
		expect_alert "Rename below binary dir" "w-$r-$$"
		[ -e "$T/b/rootfs/usr/bin/tool" ]
		[ "$(ps_field "w-$r-$$" way)" = wrapper ]
		runtime "$r" delete -f "w-$r-$$"
		wait_until 5 no_containers
	done
}

@test "wrapper: an exec session is judged, and known as one" {
	local r
	for r in $RUNTIMES; do
		start_wrapped "$r" "w-$r-$$" "$T/b"
		run wrapped "$r" exec "w-$r-$$" /opt/act rename /usr/bin/tool /usr/bin/x
		echo "$output"
		[[ $output == *EPERM* ]]
		expect_alert "Rename below binary dir" "w-$r-$$"
		runtime "$r" delete -f "w-$r-$$"
	done
}

@test "hook and wrapper together: one registration, sessions judged" {
	add_hook "$T/b" prestart
	local r
	for r in $RUNTIMES; do
		start_wrapped "$r" "h-$r-$$" "$T/b"
		[ "$(n_containers)" = 1 ]
		[ "$(ps_field "h-$r-$$" listeners)" = 1 ]
		run wrapped "$r" exec "h-$r-$$" /opt/act rename /usr/bin/tool /usr/bin/x
		[[ $output == *EPERM* ]]
		runtime "$r" delete -f "h-$r-$$"
		wait_until 5 no_containers
	done
}

@test "hook, then an exec session through the wrapper: judged, and the runtime is not" {
	add_hook "$T/b" prestart
	local r
	for r in $RUNTIMES; do
		start "$r" "x-$r-$$" "$T/b"
		run wrapped "$r" exec "x-$r-$$" /opt/act rename /usr/bin/tool /usr/bin/x -- open /etc/motd r
		echo "$output"
		[[ $output == *"rename EPERM"* ]]
		[[ $output == *"open ok"* ]]
		run wrapped "$r" exec "x-$r-$$" /bin/sh -c 'echo in the session'
		[[ $output == *"in the session"* ]]
		expect_alert "Shell spawned in container" "x-$r-$$"
		[ "$(alerts_of "Shell spawned in container" "x-$r-$$" | jq -r '.output_fields["proc.name"]' | sort -u)" = sh ]
		runtime "$r" delete -f "x-$r-$$"
		wait_until 5 no_containers
	done
}

@test "a terminal shell in an exec session" {
	add_hook "$T/b" prestart
	need script
	local r
	for r in $RUNTIMES; do
		start "$r" "t-$r-$$" "$T/b"
		export -f wrapped hybrid_cgroups
		export T SHK_BUILDDIR
		# script runs its command by $SHELL, which is dash where none is set, and dash hands no functions on.
		SHELL=$(command -v bash) script -qec "wrapped $r exec -t t-$r-$$ /bin/sh -c 'echo on a tty'" \
			/dev/null </dev/null >"$T/tty.out" 2>&1 3>&- || true
		cat "$T/tty.out"
		expect_alert "Terminal shell in container" "t-$r-$$"
		runtime "$r" delete -f "t-$r-$$"
	done
}

@test "a shell of the container itself is no session" {
	add_hook "$T/b" prestart
	local r
	for r in $RUNTIMES; do
		jq '.process.args = ["/bin/sh", "-c", ":"]' "$T/b/config.json" >"$T/n" && mv "$T/n" "$T/b/config.json"
		run_in "$r" "s-$r-$$" "$T/b"
		expect_alert "Shell spawned in container" "s-$r-$$"
		expect_no_alert "Terminal shell in container" "s-$r-$$"
	done
}

@test "a plain profile with our listenerPath: delivered by the runtime, sessions too" {
	"$SHK_BUILDDIR/shrike" profile --policy-dir "$T/policies" --rules-path "$SHK_SRCDIR/rules" >"$T/profile.json"
	jq --slurpfile p "$T/profile.json" --arg sock "$T/notify.sock" '.linux.seccomp = ($p[0] | .listenerPath = $sock)' \
		"$T/b/config.json" >"$T/n" && mv "$T/n" "$T/b/config.json"
	local r
	for r in $RUNTIMES; do
		start "$r" "c-$r-$$" "$T/b"
		# The runtime may be back before its listener was taken.
		is_there() { [ "$(ps_field "c-$r-$$" way)" = profile ]; }
		wait_until 10 is_there
		run runtime "$r" exec "c-$r-$$" /opt/act rename /usr/bin/tool /usr/bin/x
		[[ $output == *EPERM* ]]
		runtime "$r" delete -f "c-$r-$$"
		wait_until 5 no_containers
	done
}

