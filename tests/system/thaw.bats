#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The verdict freeze, and what an administrator does afterwards: thaw, kill; and the same without a verdict.

load lib

setup() {
	need_root
	need runc crun jq busybox
	shk_setup
	policy default <<-END
		policy: default
		rules: { files: [shrike_rules.yaml] }
		mode: enforce
		strict: false
		actions:
		  - match: { rules: ["Rename below binary dir"] }
		    then: { freeze: container }
	END
	start_daemon
	ARGS='["/bin/sh", "-c", "(while :; do echo x >>/tmp/ticks; /bin/sleep 0.02; done) & while [ ! -e /tmp/GO ]; do /bin/sleep 0.1; done; /opt/act rename /usr/bin/tool /usr/bin/evil; sleep 1000"]' \
		make_bundle "$T/b"
	add_hook "$T/b" prestart
}

teardown() {
	[ -z "${T:-}" ] || shk_teardown
}

S() {
	"$SHK_BUILDDIR/shrike" "$@"
}

is_frozen() {
	[ "$(ps_field "$1" frozen)" = true ]
}

ticks() {
	wc -l <"$T/b/rootfs/tmp/ticks"
}

# Something has happened in it since.
goes_on() {
	[ "$(ticks)" -gt "$1" ]
}

# Nothing happens any more, from a moment on.
stands_still() {
	local n
	n=$(ticks)
	pause 0.3
	[ "$(ticks)" = "$n" ]
}

begin() {
	rm -f "$T/b/rootfs/tmp/"*
	start "$1" "$2" "$T/b"
	wait_until 5 test -e "$T/b/rootfs/tmp/ticks"
}

@test "verdict freeze: the container stands still, ps says so, thaw lets it go on" {
	local r id n
	# Whoever carries out a call there looks at control groups from inside.
	jq '.linux.namespaces |= (map(select(.type != "cgroup")) + [{ type: "cgroup" }])' "$T/b/config.json" >"$T/n"
	mv "$T/n" "$T/b/config.json"
	for r in $RUNTIMES; do
		id=z-$r-$$
		begin "$r" "$id"
		touch "$T/b/rootfs/tmp/GO"
		wait_until 5 is_frozen "$id"
		wait_until 5 stands_still
		expect_alert "Rename below binary dir" "$id"
		[ "$(alerts_of "Rename below binary dir" "$id" | jq -r .shrike.verdict)" = freeze ]
		S ps | grep "$id\|${id:0:12}" | grep " frozen "
		[ -e "$T/b/rootfs/usr/bin/tool" ]
		n=$(ticks)
		run S thaw "$id"
		[ "$status" = 0 ]
		[ "$output" = "thawed: $id" ]
		wait_until 5 goes_on "$n"
		# The call that was answered by it has failed.
		wait_until 5 grep -q EPERM "$T/$id.out"
		[ -e "$T/b/rootfs/usr/bin/tool" ]
		refute is_frozen "$id"
		run S thaw "$id"
		[ "$status" = 1 ]
		[[ $output == *"the container is not frozen"* ]]
		runtime "$r" delete -f "$id"
		wait_until 5 no_containers
	done
}

@test "verdict freeze, by a worker that one in the container's namespaces has made" {
	local r id
	cat >"$T/rules.yaml" <<-'END'
		- rule: Hidden
		  desc: Opens are carried out.
		  condition: evt.type in (open, openat, openat2) and fd.name startswith /hide/
		  output: "%fd.name"
		  priority: WARNING
		- rule: Cold
		  desc: Signals are not.
		  condition: evt.type = kill
		  output: "%proc.name"
		  priority: WARNING
	END
	policy default <<-END
		policy: default
		rules: { files: [$T/rules.yaml] }
		mode: enforce
		deadline: { ms: 10000, then: deny }
		actions:
		  - match: { rules: [Cold] }
		    then: { freeze: container }
		  - match: { rules: [Hidden] }
		    then: { deny: EPERM }
	END
	S reload
	# Somebody waits for a pipe; nothing but the signal comes to who serves then.
	jq '.linux.namespaces |= (map(select(.type != "cgroup")) + [{ type: "cgroup" }]) | .process.args = ["/bin/sh", "-c",
		"/bin/true </dev/null; echo x >>/tmp/ticks; (read x </tmp/pipe) & while [ ! -e /tmp/GO ]; do :; done; kill -0 1"]' \
		"$T/b/config.json" >"$T/n"
	mv "$T/n" "$T/b/config.json"
	for r in $RUNTIMES; do
		id=w-$r-$$
		rm -f "$T/b/rootfs/tmp/"*
		mkfifo "$T/b/rootfs/tmp/pipe"
		start "$r" "$id" "$T/b"
		wait_until 5 test -e "$T/b/rootfs/tmp/ticks"
		pause 0.3
		touch "$T/b/rootfs/tmp/GO"
		wait_until 5 is_frozen "$id"
		runtime "$r" delete -f "$id"
		wait_until 5 no_containers
	done
}

@test "freeze and thaw by command; another engine in between" {
	local r id n e
	for r in $RUNTIMES; do
		id=c-$r-$$
		begin "$r" "$id"
		run S freeze "$id"
		[ "$status" = 0 ]
		[ "$output" = "frozen: $id" ]
		wait_until 5 stands_still
		e=$(engine_pid)
		kill -9 "$e"
		wait_until 10 another_engine "$e"
		wait_until 10 daemon_answers
		is_frozen "$id"
		n=$(ticks)
		S thaw --json "$id" | jq -e '.ok'
		wait_until 5 goes_on "$n"
		runtime "$r" delete -f "$id"
		wait_until 5 no_containers
	done
}

@test "kill: also what is frozen" {
	local r id
	for r in $RUNTIMES; do
		id=k-$r-$$
		begin "$r" "$id"
		S freeze "$id"
		run S kill "$id"
		[ "$status" = 0 ]
		wait_until 5 no_containers
		runtime "$r" delete -f "$id"
		begin "$r" "$id"
		S kill "$id"
		wait_until 5 no_containers
		runtime "$r" delete -f "$id"
	done
}

@test "who is not there, who may not, wrong usage" {
	local c
	begin runc "w-$$"
	for c in freeze thaw kill detach; do
		run S "$c"
		[ "$status" = 2 ]
		run S "$c" "nobody-$$"
		[ "$status" = 1 ]
		[[ $output == *"no supervised container is called"* ]]
		run unshare -p -f "$SHK_BUILDDIR/shrike" "$c" "w-$$"
		[ "$status" -ne 0 ]
	done
	refute is_frozen "w-$$"
	[ "$(n_containers)" = 1 ]
}
