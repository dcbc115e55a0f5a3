#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Policies and rules change while containers run: what holds at once, what waits for the next start, what a
# mistake in a file does.

load lib

setup() {
	need_root
	need runc jq busybox
	shk_setup
}

teardown() {
	[ -z "${T:-}" ] || shk_teardown
}

S=$SHK_BUILDDIR/shrike

# A rule of this name about this call, into rules.yaml; the first argument ">" begins the file anew.
rule() {
	[ "$1" = ">" ] && : >"$T/rules.yaml"
	printf -- '- rule: %s\n  desc: d\n  condition: evt.type = %s\n  output: seen %%evt.type\n  priority: notice\n' \
		"$2" "$3" >>"$T/rules.yaml"
}

# A container that makes a directory again and again, under a policy with these further lines.
begin() {
	policy <<-END
		policy: default
		rules: { files: [$T/rules.yaml] }
		$1
	END
	rule ">" Exec execve
	start_daemon
	ARGS='["/bin/sh", "-c", "while :; do mkdir /tmp/d; rm -r /tmp/d; sleep 0.2; done"]' make_bundle "$T/b"
	add_hook "$T/b" prestart
	start runc "r-$$" "$T/b"
	expect_alert Exec
}

unwatched() {
	"$S" ps --json | jq -r '.unwatched // [] | join(" ")'
}

unwatched_is() {
	[ "$(unwatched)" = "$1" ]
}

@test "a rule of a reload needs a call that the filter lacks: reload, alert and ps say so" {
	begin "mode: observe"
	unwatched_is ""
	rule ">>" Made mkdir
	run "$S" reload
	echo "$output"
	[ "$status" = 0 ]
	[[ "$output" = *"container r-$$: not watched until its next start: mkdir"* ]]
	expect_alert "Shrike internal: filter too narrow"
	unwatched_is mkdir
	"$S" ps | grep -q ' narrow '
	"$S" ps | grep -q 'not watched until its next start: mkdir'
	# By the filter, that is; the module may see it.
	if [ -n "${SHK_RINGS:-}" ]; then
		refute jq -e 'select(.rule == "Made" and .shrike.sensor != "module")' "$ALERTS"
	else
		expect_no_alert Made
	fi
	# The next engine knows it, too.
	kill -KILL "$(engine_pid)"
	wait_until 10 unwatched_is mkdir
	# The next start has it.
	runtime runc delete -f "r-$$"
	wait_until 5 no_containers
	start runc "n-$$" "$T/b"
	expect_alert Made
	unwatched_is ""
}

@test "a call kept in reserve: the rule of a reload holds at once" {
	begin "reserve: [mkdir]"
	expect_no_alert Made
	rule ">>" Made mkdir
	run "$S" reload
	echo "$output"
	[ "$status" = 0 ]
	[[ "$output" != *warning* ]]
	expect_alert Made
	unwatched_is ""
	"$S" ps | grep -q ' armed '
}

@test "outputs that changed are told by reload and an alert, and hold after a start" {
	begin "mode: observe"
	run "$S" reload
	[ "$status" = 0 ]
	[[ "$output" != *"outputs have changed"* ]]
	write_config "  - file: { path: $T/more.json }"
	run "$S" reload
	echo "$output"
	[ "$status" = 0 ]
	[[ "$output" = *"outputs have changed"* ]]
	expect_alert "Shrike internal: outputs changed"
	[ ! -e "$T/more.json" ]
	# What is as it was at the start has not changed.
	write_config
	run "$S" reload
	[[ "$output" != *"outputs have changed"* ]]
}

@test "a mistake in a file: the old set stays in force and the reason is told" {
	local before
	begin "mode: observe"
	rule ">" Other execvee
	run "$S" reload
	echo "$output"
	[ "$status" = 1 ]
	[[ "$output" = *"$T/rules.yaml:3:"*"execve"* ]]
	[[ "$("$S" status --json | jq -r .reload_error)" = *"rules.yaml:3:"* ]]
	expect_alert "Shrike internal: reload failed"
	before=$(alerts_of Exec | wc -l)
	more() { [ "$(alerts_of Exec | wc -l)" -gt "$before" ]; }
	wait_until 5 more
	# The signal does the same as the command.
	rule ">" Other execve
	kill -HUP "$KEEPER"
	expect_alert Other
	[ "$("$S" status --json | jq -r '.reload_error // ""')" = "" ]
}
