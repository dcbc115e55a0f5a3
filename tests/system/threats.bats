#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# What a hostile bundle, a hostile container and a hostile peer of the sockets try.

load lib
shopt -s extglob

setup() {
	need_root
	need runc crun jq busybox
	shk_setup
}

teardown() {
	[ -z "${T:-}" ] || shk_teardown
}

with_policy() {
	policy <<-END
		policy: default
		rules: { files: [shrike_rules.yaml] }
		mode: ${1:-enforce}
		strict: false
		limits: { alerts_per_second: 0, burst: 0 }
		deadline: { ms: ${2:-2000}, then: deny }
		actions:
		  - match: { rules: ["Write below binary dir", "Rename below binary dir", "Remove below binary dir"] }
		    then: { deny: EPERM }
	END
	start_daemon
	make_bundle "$T/b" '(.process.capabilities | .bounding, .effective, .permitted) += ["CAP_DAC_READ_SEARCH"]'
	add_hook "$T/b" prestart
}

edit() {
	jq "$@" "$T/b/config.json" >"$T/n" && mv "$T/n" "$T/b/config.json"
}

args() {
	edit --argjson args "$(printf '%s\n' "$@" | jq -R . | jq -sc .)" '.process.args = $args'
}

# ---- programs of hooks ----

@test "A7: a startContainer hook is a program of the image and judged" {
	with_policy
	args /bin/true
	edit '.hooks.startContainer = [{ path: "/bin/sh", args: ["sh", "-c",
		"/opt/act rename /usr/bin/tool /usr/bin/evil >/tmp/hook.out; exit 0"] }]'
	local r
	for r in $RUNTIMES; do
		rm -f "$T/b/rootfs/tmp/hook.out"
		run run_in "$r" "h-$r-$$" "$T/b"
		echo "$output"
		[ "$status" = 0 ]
		[ "$(cat "$T/b/rootfs/tmp/hook.out")" = "rename EPERM" ]
		[ -e "$T/b/rootfs/usr/bin/tool" ]
		expect_alert "Rename below binary dir" "h-$r-$$"
		expect_alert "Shell spawned in container" "h-$r-$$"
	done
}

@test "A7: what a startContainer hook leaves behind stays judged" {
	with_policy
	args /bin/sleep 2
	edit '.hooks.startContainer = [{ path: "/bin/sh", args: ["sh", "-c",
		"(sleep 1; /opt/act rename /usr/bin/tool /usr/bin/evil >/tmp/hook.out) </dev/null >/dev/null 2>&1 & exit 0"] }]'
	local r
	for r in $RUNTIMES; do
		rm -f "$T/b/rootfs/tmp/hook.out"
		run run_in "$r" "h-$r-$$" "$T/b"
		[ "$(cat "$T/b/rootfs/tmp/hook.out")" = "rename EPERM" ]
	done
}

@test "A7: a createContainer hook is the host's and not judged" {
	with_policy
	args /bin/true
	mkdir -p "$T/usr/bin"
	printf '#!/bin/sh\ncat >/dev/null\nmv %s/usr/bin/x %s/usr/bin/y\n' "$T" "$T" >"$T/hook"
	chmod 755 "$T/hook"
	edit --arg p "$T/hook" '.hooks.createContainer = [{ path: $p }]'
	local r
	for r in $RUNTIMES; do
		touch "$T/usr/bin/x"
		run run_in "$r" "h-$r-$$" "$T/b"
		echo "$output"
		[ "$status" = 0 ]
		[ -e "$T/usr/bin/y" ]
		expect_no_alert "Shell spawned in container" "h-$r-$$"
	done
}

# ---- A8: unsafe starts ----

unsafe="Shrike internal: unsafe start"

# In enforce the program does not run and the alert says why; in observe it is alerted only.
refused() {
	local why=$1 id=$2 out=$3
	expect_alert "$unsafe" "$id" || return 1
	alerts_of "$unsafe" "$id" | jq -r .output
	alerts_of "$unsafe" "$id" | grep -q "$why" && [[ $out != *RAN* ]]
}

@test "A8: an inherited directory of the host" {
	with_policy
	args /bin/sh -c 'echo RAN; ls /proc/self/fd/3/'
	local r
	for r in $RUNTIMES; do
		IDS="$IDS $r:p-$r-$$"
		exec 7</
		run runtime "$r" run --preserve-fds 1 -b "$T/b" "p-$r-$$" 3</ </dev/null
		exec 7<&-
		echo "$output"
		[ "$status" -ne 0 ]
		refused "directory of the host" "p-$r-$$" "$output"
		wait_until 5 no_containers
	done
}

@test "A8: a working directory through a descriptor" {
	with_policy
	args /bin/sh -c 'echo RAN; ls -d ../../../etc/hostname ../../../../etc/hostname; pwd'
	edit '.process.cwd = "/proc/self/fd/3"'
	local r
	for r in $RUNTIMES; do
		IDS="$IDS $r:w-$r-$$"
		run runtime "$r" run --preserve-fds 1 -b "$T/b" "w-$r-$$" 3</ </dev/null
		echo "$output"
		# The runtime may refuse it by itself; nothing runs in any case.
		[ "$status" -ne 0 ]
		[[ $output != *RAN* ]]
		wait_until 5 no_containers
	done
}

@test "A8: the runtime's own binary as the program, however it is written" {
	with_policy
	local r way n=0
	ln -sfn /proc/self/exe "$T/b/rootfs/exe"
	ln -sfn self/exe "$T/b/rootfs/opt/exe"
	printf '#!/proc/self/exe\n' >"$T/b/rootfs/opt/script"
	printf '#! //proc/./self/exe\n' >"$T/b/rootfs/opt/script2"
	printf '#!/exe\n' >"$T/b/rootfs/opt/script3"
	chmod 755 "$T"/b/rootfs/opt/script*
	edit '.process.cwd = "/"'
	for way in /proc/self/exe //proc/self/exe /proc/./self/exe /proc/thread-self/exe /exe \
		/opt/script /opt/script2 /opt/script3 ./proc/self/exe ./exe ./opt/script; do
		n=$((n + 1))
		for r in $RUNTIMES; do
			args "$way" --version
			run run_in "$r" "e-$n-$r-$$" "$T/b"
			echo "$r $way: $output"
			[ "$status" -ne 0 ]
			[[ $output != *spec:* ]]
			refused "process directory of /proc" "e-$n-$r-$$" "$output"
		done
	done
}

@test "A8: a mount that config.json does not say" {
	with_policy
	args /bin/sh -c 'echo RAN'
	mkdir -p "$T/b/rootfs/opt/extra"
	printf '#!/bin/sh\ncat >/dev/null\nmount -t tmpfs none %s/b/rootfs/opt/extra\n' "$T" >"$T/hook"
	chmod 755 "$T/hook"
	edit --arg p "$T/hook" '.hooks.createContainer = [{ path: $p }]'
	local r
	for r in $RUNTIMES; do
		run run_in "$r" "m-$r-$$" "$T/b"
		echo "$output"
		[ "$status" -ne 0 ]
		refused "opt/extra" "m-$r-$$" "$output"
	done
	# The twin: said, it may be there.
	edit '.mounts += [{ destination: "/opt/extra", type: "tmpfs", source: "none" }] | del(.hooks.createContainer)'
	for r in $RUNTIMES; do
		run run_in "$r" "t-$r-$$" "$T/b"
		[ "$output" = RAN ]
		expect_no_alert "$unsafe" "t-$r-$$"
	done
}

@test "A8: in mode observe an unsafe start is alerted and goes on" {
	with_policy observe
	args /bin/sh -c 'echo RAN'
	local r
	for r in $RUNTIMES; do
		IDS="$IDS $r:o-$r-$$"
		run runtime "$r" run --preserve-fds 1 -b "$T/b" "o-$r-$$" 3</ </dev/null
		echo "$output"
		[[ $output == *RAN* ]]
		expect_alert "$unsafe" "o-$r-$$"
	done
}

# ---- B1, B7: a container that holds its supervisor up ----

same_engine() {
	[ "$(engine_pid)" = "$1" ]
}

@test "B1: a path in a page that never comes costs its caller the deadline, and nobody else anything" {
	with_policy enforce 1000
	cp -r "$T/b" "$T/other"
	local r e n
	for r in $RUNTIMES; do
		e=$(engine_pid)
		args /opt/stall uffd 3
		IDS="$IDS $r:u-$r-$$"
		runtime "$r" run -b "$T/b" "u-$r-$$" </dev/null >"$T/u.out" 2>&1 3>&- &
		n=$!
		jq '.process.args = ["/opt/stall", "steps", "1"]' "$T/b/config.json" >"$T/other/config.json"
		run run_in "$r" "o-$r-$$" "$T/other"
		wait "$n" || [ $? = 77 ]
		cat "$T/u.out"
		echo "other container: $output"
		grep -q userfaultfd "$T/u.out" && skip "userfaultfd: $(cat "$T/u.out")"
		# Refused each, at the deadline.
		[ "$(grep -c '^rename E' "$T/u.out")" = 3 ]
		[[ $output =~ opened\ ([0-9]+)\ failed\ 0 ]]
		[ "${BASH_REMATCH[1]}" -gt 100 ]
		# Threads beside them went on.
		[[ $(cat "$T/u.out") =~ opened\ ([0-9]+)\ failed\ 0 ]]
		[ "${BASH_REMATCH[1]}" -gt 100 ]
		expect_alert "Shrike internal: deadline" "u-$r-$$"
		same_engine "$e"
		run run_in "$r" "after-$r-$$" "$T/other"
		[[ $output =~ opened ]]
		wait_until 5 no_containers
	done
}

@test "B1: more such pages than there are workers" {
	with_policy enforce 500
	local r e
	for r in $RUNTIMES; do
		e=$(engine_pid)
		args /opt/stall uffd 40
		run run_in "$r" "u-$r-$$" "$T/b"
		echo "$output"
		[[ $output != *userfaultfd* ]] || skip "$output"
		[ "$(grep -c '^rename E' <<<"$output")" = 40 ]
		same_engine "$e"
		wait_until 5 no_containers
		args /opt/act rename /usr/bin/tool /usr/bin/evil
		run run_in "$r" "after-$r-$$" "$T/b"
		[ "$output" = "rename EPERM" ]
	done
}

@test "B7: a container that floods calls does not hold another one up" {
	with_policy
	cp -r "$T/b" "$T/other"
	local r alone beside n
	for r in $RUNTIMES; do
		jq '.process.args = ["/opt/stall", "steps", "2"]' "$T/b/config.json" >"$T/other/config.json"
		alone=$(run_in "$r" "a-$r-$$" "$T/other")
		args /opt/stall flood 6
		IDS="$IDS $r:f-$r-$$"
		runtime "$r" run -b "$T/b" "f-$r-$$" </dev/null >"$T/f.out" 2>&1 3>&- &
		n=$!
		sleep 1
		beside=$(run_in "$r" "b-$r-$$" "$T/other")
		wait "$n"
		echo "alone: $alone; beside a flood: $beside; the flood: $(cat "$T/f.out")"
		[[ $beside =~ opened\ ([0-9]+)\ failed\ 0 ]]
		[ "${BASH_REMATCH[1]}" -gt 100 ]
		[[ $(cat "$T/f.out") =~ opened\ ([0-9]+)\ failed\ 0 ]]
		[ "${BASH_REMATCH[1]}" -gt 100 ]
		wait_until 5 no_containers
	done
}
