#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Exec sessions that nobody announces: plain `runc exec`, `crun exec`, nsenter into a container whose filter a hook or
# an attach put in. They are asked for at their first program, get the filter before it runs, and are judged from it on.
# The witness is what the session itself says of its own calls, and the kernel's word for each task.

load lib

setup() {
	need_root
	need runc crun jq busybox nsenter
	shk_setup
}

teardown() {
	[ -z "${T:-}" ] || shk_teardown
}

# with_policy [LINE...]: enforce; renaming below /usr/bin is refused.
with_policy() {
	policy default <<-END
		policy: default
		rules: { files: [shrike_rules.yaml] }
		mode: enforce
		strict: false
		rule_matching: all
		limits: { alerts_per_second: 0, burst: 0 }
		actions:
		  - match: { rules: ["Rename below binary dir"] }
		    then: { deny: EPERM }
		$(printf '%s\n' "$@")
	END
	start_daemon
}

# The policy: a program in /race that may not run.
no_evil_program() {
	cat >"$T/rules.yaml" <<-'END'
		- rule: Evil program
		  desc: The program is not allowed.
		  condition: evt.type in (execve, execveat) and proc.exepath = /race/evil
		  output: evil program (exe=%proc.exepath)
		  priority: CRITICAL
	END
	policy <<-END
		policy: default
		rules: { files: [$T/rules.yaml] }
		mode: enforce
		actions:
		  - match: { rules: ["Evil program"] }
		    then: { deny: EPERM }
	END
}

# a_container RUNTIME ID [JQ-FILTER]: by the hook, running.
a_container() {
	B=$T/b-$2
	make_bundle "$B" "${3:-.}"
	chmod 1777 "$B/rootfs/tmp"
	add_hook "$B" prestart
	start "$1" "$2" "$B"
	INIT=$(runtime "$1" state "$2" | jq .pid)
}

# Tasks of the container of this init that have no filter.
without_filter() {
	"$SHK_BUILDDIR/tests/system/bare" "$1" || echo "bare failed"
}

S() {
	"$SHK_BUILDDIR/shrike" "$@"
}

# Before Linux 6.8 processes of sessions are held up by control groups, of which nothing is left.
no_holds() {
	local mount
	mount=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
	[ -z "$mount" ] || [ -z "$(find "$mount" -name 'shrike-session-*')" ]
}

@test "plain exec: the first program is judged, and known as one of a session" {
	with_policy
	local r
	for r in $RUNTIMES; do
		a_container "$r" "p-$r-$$"
		run runtime "$r" exec "p-$r-$$" /opt/act rename /usr/bin/tool /usr/bin/x -- open /etc/motd r
		echo "$r: $output"
		[[ $output == *"rename EPERM"* ]]
		[[ $output == *"open ok"* ]]
		[ -e "$B/rootfs/usr/bin/tool" ]
		run runtime "$r" exec "p-$r-$$" /bin/sh -c 'echo in the session; exit 7'
		[[ $output == *"in the session"* ]]
		[ "$status" = 7 ]
		expect_alert "Shell spawned in container" "p-$r-$$"
		[ "$(alerts_of "Shell spawned in container" "p-$r-$$" | jq -r '.output_fields["proc.name"]' | sort -u)" = sh ]
		expect_no_alert "Shrike internal: exec session not supervised" "p-$r-$$"
		no_holds
		runtime "$r" delete -f "p-$r-$$"
		wait_until 5 no_containers
	done
}

@test "plain exec: a shell on a terminal, which the rule for those names" {
	with_policy
	need script
	local r
	for r in $RUNTIMES; do
		a_container "$r" "t-$r-$$"
		export -f runtime hybrid_cgroups
		SHELL=$(command -v bash) script -qec "runtime $r exec -t t-$r-$$ /bin/sh -c 'echo on a tty'" \
			/dev/null </dev/null >"$T/tty.out" 2>&1 3>&- || true
		cat "$T/tty.out"
		grep -q 'on a tty' "$T/tty.out"
		expect_alert "Terminal shell in container" "t-$r-$$"
		runtime "$r" delete -f "t-$r-$$"
	done
}

@test "plain exec: a verdict on the first program is the runtime's error" {
	cat >"$T/rules.yaml" <<-'END'
		- rule: No tool
		  desc: That program is not allowed.
		  condition: evt.type in (execve, execveat) and proc.exepath = /usr/bin/tool
		  output: tool (session=%proc.is_exec_session)
		  priority: WARNING
	END
	policy <<-END
		policy: default
		rules: { files: [$T/rules.yaml] }
		mode: enforce
		actions:
		  - match: { rules: ["No tool"] }
		    then: { deny: EACCES }
	END
	start_daemon
	local r
	for r in $RUNTIMES; do
		a_container "$r" "v-$r-$$"
		run runtime "$r" exec "v-$r-$$" /usr/bin/tool echo it ran
		echo "$r: $output"
		[ "$status" != 0 ]
		[[ $output != *"it ran"* ]]
		expect_alert "No tool" "v-$r-$$"
		alerts_of "No tool" "v-$r-$$" | jq -r .output | grep -q 'session=true'
		run runtime "$r" exec "v-$r-$$" /bin/busybox echo it ran
		[ "$output" = "it ran" ]
		runtime "$r" delete -f "v-$r-$$"
	done
}

@test "plain exec: nobody of a storm of forks is missed" {
	with_policy
	local r i pid rounds=${SHK_LONG:+20}
	for r in $RUNTIMES; do
		for i in $(seq "${rounds:-2}"); do
			a_container "$r" "s$i-$r-$$"
			(cd / && runtime "$r" exec "s$i-$r-$$" /opt/crowd /tmp storm 1 </dev/null >"$T/storm.out" 2>&1 3>&-) &
			pid=$!
			wait_until 10 test -e "$B/rootfs/tmp/ready"
			[ -z "$(without_filter "$INIT")" ]
			pause 0.3
			[ -z "$(without_filter "$INIT")" ]
			touch "$B/rootfs/tmp/GO"
			wait_until 20 test -e "$B/rootfs/tmp/done"
			[ "$(grep -c '^storm .* EPERM$' "$B/rootfs/tmp/log")" -gt 10 ]
			[ "$(grep '^storm' "$B/rootfs/tmp/log" | grep -vc ' EPERM$' || true)" = 0 ]
			runtime "$r" delete -f "s$i-$r-$$"
			wait "$pid" || true
			wait_until 5 no_containers
		done
	done
}

@test "plain exec: many sessions at once" {
	with_policy
	local r i
	for r in $RUNTIMES; do
		a_container "$r" "m-$r-$$"
		local pids=()
		for ((i = 0; i < 12; i++)); do
			runtime "$r" exec "m-$r-$$" /opt/act rename /usr/bin/tool "/usr/bin/x$i" >"$T/m$i" 2>&1 </dev/null 3>&- &
			pids+=($!)
		done
		wait "${pids[@]}" || true
		cat "$T"/m*
		[ "$(cat "$T"/m* | grep -c 'rename EPERM')" = 12 ] || [ "$(cat "$T"/m* | grep -c 'EPERM')" = 12 ]
		[ -e "$B/rootfs/usr/bin/tool" ]
		runtime "$r" delete -f "m-$r-$$"
	done
}

@test "nsenter is a session like another; reading a container's program from outside is none" {
	with_policy
	a_container runc "n-$$"
	run nsenter -t "$INIT" -m -p -u -i /opt/act rename /usr/bin/tool /usr/bin/x
	echo "$output"
	[[ $output == *EPERM* ]]
	# The same file, by the container's own mount, by a process of the host.
	run "/proc/$INIT/root/bin/busybox" echo from outside
	[ "$output" = "from outside" ]
	# And another container on the same files, which nobody supervises.
	jq 'del(.hooks)' "$B/config.json" >"$T/n" && mv "$T/n" "$B/config.json"
	jq '.process.args = ["/opt/act", "rename", "/usr/bin/tool", "/usr/bin/x"]' "$B/config.json" >"$T/n" && mv "$T/n" "$B/config.json"
	run run_in runc "o-$$" "$B"
	[[ $output == *ok* ]]
	mv "$B/rootfs/usr/bin/x" "$B/rootfs/usr/bin/tool"
	expect_no_alert "Shrike internal: exec session not supervised"
}

@test "exec_sessions: refuse" {
	with_policy "exec_sessions: refuse"
	local r
	for r in $RUNTIMES; do
		a_container "$r" "r-$r-$$"
		run runtime "$r" exec "r-$r-$$" /bin/busybox echo it ran
		echo "$r: $output"
		[ "$status" != 0 ]
		[[ $output != *"it ran"* ]]
		expect_alert "Shrike internal: exec session refused" "r-$r-$$"
		runtime "$r" delete -f "r-$r-$$"
	done
}

# Without CAP_SYS_ADMIN, and without no_new_privs of its own.
POOR='.process.noNewPrivileges = false | .process.capabilities |= map_values(map(select(. != "CAP_SYS_ADMIN")))'

@test "a session that may not have a filter by itself: no_new_privs, or let be" {
	with_policy
	local r
	for r in $RUNTIMES; do
		a_container "$r" "nn-$r-$$" "$POOR"
		run runtime "$r" exec --user 1000 "nn-$r-$$" /bin/sh -c '/bin/busybox grep NoNewPrivs /proc/self/status
			/opt/act rename /usr/bin/tool /usr/bin/x'
		echo "$r: $output"
		[[ $output == *NoNewPrivs:*1* ]]
		[[ $output == *EPERM* ]]
		expect_alert "Shrike internal: no_new_privs set" "nn-$r-$$"
		runtime "$r" delete -f "nn-$r-$$"
	done
	stop_daemon
	sed -i '$a exec_sessions: observe' "$T/policies/default.yaml"
	start_daemon
	for r in $RUNTIMES; do
		a_container "$r" "ob-$r-$$" "$POOR"
		run runtime "$r" exec --user 1000 "ob-$r-$$" /bin/busybox grep -E 'NoNewPrivs|Seccomp:' /proc/self/status
		echo "$r: $output"
		[[ $output == *NoNewPrivs:*0*Seccomp:*0* ]]
		expect_alert "Shrike internal: exec session not supervised" "ob-$r-$$"
		# Who may have one gets it all the same.
		S ps >/dev/null
		runtime "$r" delete -f "ob-$r-$$"
	done
}

# A profile of the container's own, which refuses to install another.
NO_SECCOMP='.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64"],
	syscalls: [{ names: ["seccomp"], action: "SCMP_ACT_ERRNO" }] }'

@test "a session whose own profile forbids the filter: refused, or let through where the policy says so" {
	with_policy
	local r
	for r in $RUNTIMES; do
		a_container "$r" "f-$r-$$" "$NO_SECCOMP"
		run runtime "$r" exec "f-$r-$$" /bin/busybox echo it ran
		echo "$r: $output"
		[ "$status" != 0 ]
		[[ $output != *"it ran"* ]]
		expect_alert "Shrike internal: exec session not supervised" "f-$r-$$"
		runtime "$r" delete -f "f-$r-$$"
	done
	stop_daemon
	rm -f "$ALERTS"
	sed -i '$a on_policy_error: observe' "$T/policies/default.yaml"
	start_daemon
	for r in $RUNTIMES; do
		a_container "$r" "g-$r-$$" "$NO_SECCOMP"
		run runtime "$r" exec "g-$r-$$" /bin/busybox echo it ran
		[ "$output" = "it ran" ]
		expect_alert "Shrike internal: exec session not supervised" "g-$r-$$"
		runtime "$r" delete -f "g-$r-$$"
	done
}

# is_marked ID: does the engine ask for programs on that mount?
is_marked() {
	cat "/proc/$(engine_pid)"/fdinfo/* 2>/dev/null | grep -q "^fanotify mnt_id:$(printf %x "$1") "
}

@test "a program on a mount that was made later is asked for, too" {
	with_policy
	local r
	for r in $RUNTIMES; do
		a_container "$r" "l-$r-$$"
		runtime "$r" exec "l-$r-$$" /bin/sh -c 'mount -t tmpfs none /mnt && cp /opt/act /mnt/act'
		wait_until 10 is_marked "$(awk '$5 == "/mnt" { print $1 }' "/proc/$INIT/mountinfo")"
		run runtime "$r" exec "l-$r-$$" /mnt/act rename /usr/bin/tool /usr/bin/x
		echo "$r: $output"
		[[ $output == *EPERM* ]]
		runtime "$r" delete -f "l-$r-$$"
	done
}

@test "attached containers: their sessions are asked for, too; those of detached ones pass" {
	with_policy
	local r
	for r in $RUNTIMES; do
		B=$T/b-a-$r
		make_bundle "$B"
		start "$r" "a-$r-$$" "$B"
		S attach "a-$r-$$"
		run runtime "$r" exec "a-$r-$$" /opt/act rename /usr/bin/tool /usr/bin/x
		[[ $output == *EPERM* ]]
		S detach "a-$r-$$"
		run runtime "$r" exec "a-$r-$$" /opt/act rename /usr/bin/tool /usr/bin/x
		[[ $output == *ok* ]]
		runtime "$r" delete -f "a-$r-$$"
	done
}

@test "a program that is never opened holds up who runs it, and nobody else" {
	with_policy
	local i hold waits=()
	mkdir "$T/fuse" "$T/up" "$T/work" "$T/told"
	"$SHK_BUILDDIR/tests/system/fusehold" "$T/told" "$T/fuse" 3>&- &
	hold=$!
	mounted() { mountpoint -q "$T/fuse" || ! kill -0 $hold; }
	wait_until 10 mounted
	mountpoint -q "$T/fuse" || skip "no FUSE here"
	# A layer of the root whose server does not answer: the runtime's choice, and so an overlay that is asked.
	B=$T/b-slow
	make_bundle "$B" .
	mv "$B/rootfs" "$T/low"
	mkdir "$B/rootfs"
	chmod 1777 "$T/low/tmp"
	mount -t tmpfs none "$T/up"
	mkdir "$T/up/u" "$T/up/w"
	mount -t overlay overlay "$B/rootfs" -o "lowerdir=$T/low:$T/fuse,upperdir=$T/up/u,workdir=$T/up/w"
	add_hook "$B" prestart
	start runc "slow-$$" "$B"
	a_container runc "fast-$$"
	for i in 1 2 3; do
		timeout -s KILL "$((60 * ${SHK_SLOW:-1}))" runc exec "slow-$$" /slow >/dev/null 2>&1 </dev/null 3>&- &
		waits+=($!)
	done
	wait_until 20 test -e "$T/told/ready"
	for i in 1 2 3; do
		run timeout "$((30 * ${SHK_SLOW:-1}))" runc exec "fast-$$" /opt/act rename /usr/bin/tool /usr/bin/x
		echo "$output"
		[[ $output == *EPERM* ]]
	done
	expect_alert "Shrike internal: exec gate held up"
	# Its server's end is the end of the wait.
	kill -9 $hold
	for i in "${waits[@]}"; do
		wait "$i" || [ $? != 137 ]
	done
	daemon_answers
	runc delete -f "slow-$$"
	umount -l "$T/b-slow/rootfs" "$T/fuse" "$T/up"
}

@test "a program that is in no file begins unseen, and is found" {
	with_policy
	a_container runc "e-$$"
	"$SHK_BUILDDIR/tests/system/enter" "$INIT" "$SHK_BUILDDIR/tests/system/crowd" /tmp storm 1 >"$T/enter.out" 2>&1 </dev/null 3>&- &
	wait_until 10 test -e "$B/rootfs/tmp/ready"
	expect_found() { has_alert "Shrike internal: exec session found late" "e-$$"; }
	# Where everything takes ten times as long a storm may be faster for ever.
	has_won() { [ "${SHK_SLOW:-1}" != 1 ] && has_alert "Shrike internal: attach incomplete" "e-$$"; }
	wait_until 60 expect_found
	# It is in no cgroup of the container's, so that its storm cannot be frozen: it may take a few rounds, ten seconds apart,
	# which are told.
	# Those of a storm do not live long enough to be met each time.
	nobody_bare() {
		local i
		for i in $(seq 20); do
			[ -z "$(without_filter "$INIT")" ] || return 1
			sleep 0.1
		done
	}
	over() { nobody_bare || has_won; }
	wait_until 90 over
	! has_won || return 0
	touch "$B/rootfs/tmp/GO"
	wait_until 60 test -e "$B/rootfs/tmp/done"
	cat "$B/rootfs/tmp/log" | cut -d' ' -f1,3 | sort | uniq -c
	[ "$(grep '^storm' "$B/rootfs/tmp/log" | grep -vc ' EPERM$' || true)" = 0 ]
	[ "$(grep -c '^storm .* EPERM$' "$B/rootfs/tmp/log")" -gt 10 ]
}

@test "what a session leaves behind is found by its filters, where the runtime gives some, too" {
	with_policy
	a_container runc "o-$$" '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64"],
		syscalls: [{ names: ["reboot"], action: "SCMP_ACT_ERRNO" }] }'
	"$SHK_BUILDDIR/tests/system/enter" -f "$INIT" "$(command -v busybox)" sleep "$((50 * ${SHK_SLOW:-1}))" </dev/null 3>&-
	expect_found() { has_alert "Shrike internal: exec session found late" "o-$$"; }
	wait_until 60 expect_found
}

@test "a program that is in no file, where sessions are refused, is killed when it is found" {
	with_policy "exec_sessions: refuse"
	a_container runc "er-$$"
	run timeout "$((30 * ${SHK_SLOW:-1}))" "$SHK_BUILDDIR/tests/system/enter" "$INIT" "$(command -v busybox)" sleep "$((25 * ${SHK_SLOW:-1}))"
	echo "$status"
	[ "$status" = 6 ] # by a signal
	expect_alert "Shrike internal: exec session not supervised" "er-$$"
	[ "$(runc state "er-$$" | jq -r .status)" = running ]
}

@test "a session that begins with a script, or with the loader, is judged like another" {
	with_policy
	local r loader
	for r in $RUNTIMES; do
		a_container "$r" "sc-$r-$$"
		printf '#!/bin/sh\n/opt/act rename /usr/bin/tool /usr/bin/x\n' >"$B/rootfs/opt/script"
		chmod 755 "$B/rootfs/opt/script"
		run runtime "$r" exec "sc-$r-$$" /opt/script
		echo "$r: $output"
		[[ $output == *EPERM* ]]
		loader=$(cd "$B/rootfs" && echo lib64/ld-linux*)
		run runtime "$r" exec "sc-$r-$$" "/$loader" /usr/bin/real-mv /usr/bin/tool /usr/bin/x
		echo "$r: $output"
		[ "$status" != 0 ]
		[[ $output == *"not permitted"* ]]
		[ -e "$B/rootfs/usr/bin/tool" ]
		runtime "$r" delete -f "sc-$r-$$"
	done
}

@test "a session that waits when the engine dies is supervised by the next one" {
	with_policy
	local r i old pid
	for r in $RUNTIMES; do
		a_container "$r" "k-$r-$$"
		for i in 1 2 3; do
			old=$(engine_pid)
			kill -STOP "$old"
			runtime "$r" exec "k-$r-$$" /opt/act rename /usr/bin/tool /usr/bin/x >"$T/k.out" 2>&1 </dev/null 3>&- &
			pid=$!
			pause 0.3
			kill -KILL "$old"
			wait_until 10 another_engine "$old"
			wait "$pid" || true
			echo "$r: $(cat "$T/k.out")"
			grep -q EPERM "$T/k.out"
		done
		# In between, not before: whatever has been read is answered by the next one.
		for i in 1 2 3 4 5 6; do
			old=$(engine_pid)
			runtime "$r" exec "k-$r-$$" /opt/act rename /usr/bin/tool /usr/bin/x >"$T/k.out" 2>&1 </dev/null 3>&- &
			pid=$!
			sleep "0.0$((i * 7))"
			kill -KILL "$old"
			wait_until 10 another_engine "$old"
			wait "$pid" || true
			echo "$r: $(cat "$T/k.out")"
			refute grep -q '^ok\|rename ok' "$T/k.out"
		done
		[ -e "$B/rootfs/usr/bin/tool" ]
		# And the container itself is as before.
		run runtime "$r" exec "k-$r-$$" /bin/busybox echo still here
		[ "$output" = "still here" ]
		no_holds
		runtime "$r" delete -f "k-$r-$$"
		wait_until 5 no_containers
	done
}

@test "keeper and engine die: nothing that waits hangs" {
	with_policy
	a_container runc "d-$$"
	local old pid
	old=$(engine_pid)
	kill -STOP "$old"
	runc exec "d-$$" /bin/busybox echo let go >"$T/d.out" 2>&1 </dev/null 3>&- &
	pid=$!
	pause 0.3
	[ ! -s "$T/d.out" ]
	kill -KILL "$KEEPER" "$old"
	wait "$KEEPER" 2>/dev/null || true
	KEEPER=
	wait "$pid"
	grep -q 'let go' "$T/d.out"
}

@test "a lease on a program holds up nobody else" {
	with_policy
	a_container runc "w-$$"
	runc exec -d "w-$$" /opt/act lease /usr/bin/tool
	pause 0.3
	timeout "$((5 * ${SHK_SLOW:-1}))" runc exec "w-$$" /bin/true
	# The program itself: nobody waits for its lease either.
	timeout "$((5 * ${SHK_SLOW:-1}))" runc exec "w-$$" /usr/bin/tool true || [ $? -ne 124 ]
	timeout "$((5 * ${SHK_SLOW:-1}))" runc exec "w-$$" /bin/true
}

@test "the wrapper's containers: files are compared as they are opened, where rules refuse programs" {
	no_evil_program
	start_daemon
	local r
	for r in $RUNTIMES; do
		B=$T/b-w-$r
		ARGS='["/opt/exec_flip", "names", "400:'"$((20 * ${SHK_SLOW:-1}))"'", "/race"]' make_bundle "$B"
		install -m 755 "$SHK_BUILDDIR/tests/attack/exec_flip" "$B/rootfs/opt/"
		mkdir "$B/rootfs/race"
		IDS="$IDS $r:w-$r-$$"
		run wrapped "$r" run -b "$B" "w-$r-$$" </dev/null 3>&-
		echo "$r: $output"
		[[ $output == *" evil 0 "* ]]
		[[ $output != *" good 0 "* ]]
		module_holds || [[ $output == *" killed 0 "* ]]
	done
	module_holds || alerts_of "Shrike internal: exec was exchanged" | jq -r .output | grep -q 'judged "/race/good", opened "/race/evil"'
}

@test "attaching again while execs are compared" {
	with_policy
	no_evil_program
	S reload
	local r pid i
	for r in $RUNTIMES; do
		B=$T/b-x-$r
		ARGS='["/opt/exec_flip", "memory", "3000:'"$((15 * ${SHK_SLOW:-1}))"'", "/race"]' make_bundle "$B"
		install -m 755 "$SHK_BUILDDIR/tests/attack/exec_flip" "$B/rootfs/opt/"
		mkdir "$B/rootfs/race"
		add_hook "$B" prestart
		IDS="$IDS $r:x-$r-$$"
		runtime "$r" run -b "$B" "x-$r-$$" >"$T/x.out" 2>&1 </dev/null 3>&- &
		pid=$!
		pause 0.5
		i=0
		while kill -0 "$pid" 2>/dev/null && [ "$i" -lt 12 ]; do
			run S attach "x-$r-$$"
			echo "$output"
			[ "$status" = 0 ] || ! kill -0 "$pid" 2>/dev/null
			[[ $output != *"not supervised"* ]]
			i=$((i + 1))
		done
		[ "$i" -gt 1 ]
		wait "$pid" || { cat "$T/x.out"; false; }
		cat "$T/x.out"
		grep -q ' evil 0' "$T/x.out"
		refute grep -q ' good 0 ' "$T/x.out"
		expect_no_alert "Shrike internal: exec of a traced task" "x-$r-$$"
	done
}
