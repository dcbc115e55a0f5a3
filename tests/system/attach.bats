#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# attach and detach: a container that runs already comes under supervision, every task of it or by name which not.
# The witness is the container's own log of what it tried (tests/system/crowd.c), and the kernel's word for each task.

load lib

setup() {
	need_root
	need runc crun jq busybox
	shk_setup
}

teardown() {
	[ -z "${T:-}" ] || shk_teardown
}

S() {
	"$SHK_BUILDDIR/shrike" "$@"
}

# with_policy [KEY: VALUE...]: enforce; renaming below /usr/bin is refused.
with_policy() {
	policy default <<-END
		policy: default
		rules: { files: [shrike_rules.yaml] }
		mode: enforce
		strict: false
		actions:
		  - match: { rules: ["Rename below binary dir"] }
		    then: { deny: EPERM }
		$(printf '%s\n' "$@")
	END
	start_daemon
}

# crowd RUNTIME ID WAY NUMBER [JQ-FILTER]: a container, not supervised, in the state wanted.
crowd() {
	local r=$1 id=$2 way=$3 n=$4 filter=${5:-.}
	B=$T/b-$id
	ARGS=$(jq -nc --arg w "$way" --arg n "$n" '["/opt/crowd", "/tmp", $w, $n]') make_bundle "$B" "$filter"
	chmod 1777 "$B/rootfs/tmp"
	[ ! -e "$T/i386" ] || cp "$T/i386" "$B/rootfs/opt/i386"
	start "$r" "$id" "$B"
	wait_until 20 test -e "$B/rootfs/tmp/ready" || {
		cat "$T/$id.out"
		return 1
	}
	INIT=$(runtime "$r" state "$id" | jq .pid)
}

# Everybody tries now; their words are in $LOG, "way outcome" sorted, once each.
go() {
	touch "$B/rootfs/tmp/GO"
	wait_until 20 test -e "$B/rootfs/tmp/done" || {
		cat "$B/rootfs/tmp/log"
		return 1
	}
	LOG=$(cut -d' ' -f1,3 "$B/rootfs/tmp/log" | sort)
	echo "$LOG" | uniq -c
}

# How many of this way had this outcome.
said() {
	grep -cx "$1 $2" <<<"$LOG" || true
}

# Tasks of the container of this init that have no filter.
without_filter() {
	"$SHK_BUILDDIR/tests/system/bare" "$1" || echo "bare failed"
}

@test "attach: processes, threads, a process without its first thread, tables of descriptors of their own" {
	with_policy
	local r way ways="plain threads headless tables"
	# Descriptors of a thread alone can be fetched since Linux 6.9, and a first thread that has ended has none; before that these tasks are
	# named, and the exit status is 1.
	! old_kernel 6 9 || ways="plain threads"
	for r in $RUNTIMES; do
		for way in $ways; do
			crowd "$r" "$way-$r-$$" "$way" 3
			run S attach "$way-$r-$$"
			echo "$output"
			[ "$status" = 0 ]
			[[ $output == "attached: "* ]]
			[ -z "$(without_filter "$INIT")" ]
			go
			[ "$(grep -vc ' EPERM$' <<<"$LOG" || true)" = 0 ]
			case $way in
			plain) [ "$(said plain EPERM)" = 3 ] ;;
			threads) [ "$(said thread EPERM)" = 21 ] && [ "$(said leader EPERM)" = 3 ] ;;
			headless) [ "$(said headless EPERM)" = 6 ] ;;
			tables) [ "$(said ownfiles EPERM)" = 3 ] && [ "$(said leader EPERM)" = 3 ] ;;
			esac
			[ "$(said first EPERM)" = 1 ]
			expect_alert "Rename below binary dir" "$way-$r-$$"
			[ "$(ps_field "$way-$r-$$" way)" = attach ]
			[ "$(ps_field "$way-$r-$$" armed)" = true ]
			runtime "$r" delete -f "$way-$r-$$"
			wait_until 5 no_containers
		done
	done
}

@test "attach: one listener for all threads of a process, and one for each process" {
	with_policy
	crowd runc "t-$$" threads 3
	run S attach --json "t-$$"
	echo "$output"
	[ "$(jq .attached <<<"$output")" = 25 ]
	[ "$(jq .processes <<<"$output")" = 4 ]
	[ "$(jq .n_failed <<<"$output")" = 0 ]
	[ "$(ps_field "t-$$" listeners)" = 4 ]
}

@test "attach: a sandbox that one thread made for itself stays that thread's" {
	with_policy
	local r
	for r in $RUNTIMES; do
		crowd "$r" "s-$r-$$" sandbox 2 '.process.noNewPrivileges = false'
		S attach "s-$r-$$"
		go
		[ "$(said sandboxed EPERM)" = 2 ]
		[ "$(said leader EPERM)" = 2 ]
		# no_new_privs of the sandboxed thread has not come to the leader.
		[ "$(said nnp 0)" = 2 ]
		crowd "$r" "d-$r-$$" diverged 2 '.process.noNewPrivileges = false'
		S attach "d-$r-$$"
		[ -z "$(without_filter "$INIT")" ]
		go
		[ "$(said sandboxed EPERM)" = 2 ]
		[ "$(said leader EPERM)" = 2 ]
	done
}

@test "attach: nested pid namespaces, other user namespaces, a stopped process" {
	with_policy
	local r
	for r in $RUNTIMES; do
		crowd "$r" "p-$r-$$" pidns 2
		S attach "p-$r-$$"
		[ -z "$(without_filter "$INIT")" ]
		go
		[ "$(said pidns EPERM)" = 2 ]
		[ "$(said pidns-init EPERM)" = 2 ]
		crowd "$r" "u-$r-$$" userns 2 '.process.noNewPrivileges = false'
		run S attach "u-$r-$$"
		[ "$status" = 0 ]
		# It has every capability in its own user namespace.
		[[ $output != *no_new_privs* ]]
		go
		[ "$(said userns EPERM)" = 2 ]
		crowd "$r" "t-$r-$$" stopped 2
		S attach "t-$r-$$"
		[ -z "$(without_filter "$INIT")" ]
		# Stopped it was, stopped it is.
		[ "$(pgrep -P "$INIT" | xargs -I{} grep -h '^State:.T' /proc/{}/status | wc -l)" = 2 ]
		pgrep -P "$INIT" | xargs kill -CONT
		go
		[ "$(said stopped EPERM)" = 2 ]
	done
}

@test "attach: nobody is missed in a storm of forks" {
	with_policy
	local r forks rounds=${SHK_LONG:+20} i
	for r in $RUNTIMES; do
		for i in $(seq "${rounds:-2}"); do
			crowd "$r" "f$i-$r-$$" storm 1
			# The container forks on while it is attached to.
			run S attach "f$i-$r-$$"
			echo "$output"
			[ "$status" = 0 ]
			[ -z "$(without_filter "$INIT")" ]
			pause 0.5
			[ -z "$(without_filter "$INIT")" ]
			go
			forks=$(awk '$1 == "forks" { print $3 }' "$B/rootfs/tmp/log")
			[ "$forks" -ge $((400 / ${SHK_SLOW:-1})) ]
			[ "$(said storm EPERM)" -gt 10 ]
			[ "$(grep -v ^forks <<<"$LOG" | grep -vc ' EPERM$' || true)" = 0 ]
			runtime "$r" delete -f "f$i-$r-$$"
			wait_until 5 no_containers
		done
	done
}

@test "attach: the same without a cgroup of its own, and with the host's pid namespace" {
	with_policy
	local tries
	B=$T/b
	ARGS='["/opt/crowd", "/tmp", "storm", "1"]' make_bundle "$B"
	IDS="$IDS crun:nocg-$$"
	runtime crun --cgroup-manager=disabled run -d -b "$B" "nocg-$$" >"$T/nocg.out" 2>&1 </dev/null 3>&- || {
		cat "$T/nocg.out"
		false
	}
	wait_until 20 test -e "$B/rootfs/tmp/ready"
	INIT=$(runtime crun state "nocg-$$" | jq .pid)
	# What cannot be frozen may be said to be incomplete, where other processes of the machine come and go; whoever
	# says that it is complete has to be right.
	for tries in 1 2 3 4 5; do
		run S attach "nocg-$$"
		echo "$output"
		[ "$status" -ne 0 ] || break
		# Where everything takes ten times as long it may not be done in two minutes.
		[[ ${SHK_SLOW:-1} = 1 || $output != *" in time; "* ]] || break
		[ "$status" = 1 ]
		[[ $output == *"not supervised: unknown tasks; "* ]]
	done
	[ "$status" -ne 0 ] || [ -z "$(without_filter "$INIT")" ]
	go
	[[ $output == *" in time; "* ]] || [ "$(said storm EPERM)" -gt 10 ]
	[ "$status" -ne 0 ] || [ "$(grep -v ^forks <<<"$LOG" | grep -vc ' EPERM$' || true)" = 0 ]

	crowd runc "hp-$$" threads 2 '.linux.namespaces |= map(select(.type != "pid"))'
	S attach "hp-$$"
	go
	[ "$(grep -vc ' EPERM$' <<<"$LOG" || true)" = 0 ]
	[ "$(said thread EPERM)" = 14 ]
}

@test "attach: a child whose fork was held up until the others had the filter is not missed" {
	with_policy
	local r
	for r in $RUNTIMES; do
		# CAP_SYS_PTRACE: userfaultfd(2) tells of forks to nobody else.
		crowd "$r" "hf-$r-$$" held-fork 1
		pause 0.3
		run S attach "hf-$r-$$"
		echo "$output"
		[ "$status" = 0 ]
		[ -z "$(without_filter "$INIT")" ]
		go
		echo "$LOG"
		[ "$(grep -vc ' EPERM$' <<<"$LOG" || true)" = 0 ]
		[ "$(said held-child EPERM)" = 1 ]
		[ "$(said answers EPERM)" = 1 ]
		runtime "$r" delete -f "hf-$r-$$"
		wait_until 5 no_containers
	done
}

@test "attach: who cannot have the filter is named, and the exit status says that it is partial" {
	with_policy
	local r
	gcc -m32 -nostdlib -static -o "$T/i386" "$SHK_SRCDIR/tests/system/i386wait.S" 2>/dev/null || rm -f "$T/i386"
	for r in $RUNTIMES; do
		# A container that traces its own tasks.
		crowd "$r" "tr-$r-$$" traced 1
		run S attach "tr-$r-$$"
		echo "$output"
		[ "$status" = 1 ]
		[[ $output == *"not supervised: task "*"(crowd): it is traced already by process "*"(crowd)"* ]]
		[[ $output == *"The container is supervised in part."* ]]
		[ "$(S ps | grep -c " partial ")" = 1 ]
		S ps | grep "not supervised: task"
		expect_alert "Shrike internal: attach incomplete" "tr-$r-$$"
		# Sessions that begin unseen are looked for every second, and killed: this one was there before.
		pause 1.5
		go
		# Those that could be reached are supervised.
		[ "$(said first EPERM)" = 1 ]
		[ "$(said traced ENOENT)" = 1 ]
		# Its tracer has ended: the second time nobody is left.
		wait_until 5 attaches "tr-$r-$$"
		[ "$(ps_field "tr-$r-$$" unattached)" = null ]
		runtime "$r" delete -f "tr-$r-$$"

		# A parent that waits in vfork cannot stop.
		crowd "$r" "vf-$r-$$" vfork 1
		run S attach "vf-$r-$$"
		echo "$output"
		[ "$status" = 1 ]
		[[ $output == *"it waits in the kernel and did not stop in time"* ]]
		go
		[ "$(said vfork-child EPERM)" = 1 ]
		runtime "$r" delete -f "vf-$r-$$"

		[ -e "$T/i386" ] || continue
		crowd "$r" "i3-$r-$$" i386 1
		if grep -q i386 /proc/*/comm 2>/dev/null; then
			run S attach "i3-$r-$$"
			echo "$output"
			[ "$status" = 1 ]
			[[ $output == *"(i386): process "*"is an i386 or x32 program"* ]]
		fi
		runtime "$r" delete -f "i3-$r-$$"
	done
}

attaches() {
	S attach "$1" >/dev/null
}

@test "attach: without CAP_SYS_ADMIN it takes no_new_privs, or is refused as the policy says" {
	with_policy
	local r filter pid
	filter='.process.noNewPrivileges = false | .process.user = { uid: 1000, gid: 1000 } |
		.process.capabilities = {}'
	for r in $RUNTIMES; do
		crowd "$r" "n-$r-$$" plain 1 "$filter"
		cp "$B/rootfs/bin/busybox" "$B/rootfs/opt/suid-id"
		chmod 4755 "$B/rootfs/opt/suid-id"
		grep -q '^NoNewPrivs:.0' "/proc/$INIT/status"
		run S attach "n-$r-$$"
		echo "$output"
		[ "$status" = 0 ]
		[[ $output == *"no_new_privs was set in 2 tasks"* ]]
		grep -q '^NoNewPrivs:.1' "/proc/$INIT/status"
		expect_alert "Shrike internal: no_new_privs set" "n-$r-$$"
		go
		[ "$(said plain EPERM)" = 1 ]
		runtime "$r" delete -f "n-$r-$$"
	done
	policy default <<-END
		policy: default
		rules: { files: [shrike_rules.yaml] }
		mode: enforce
		strict: false
		attach: refuse
		actions:
		  - match: { rules: ["Rename below binary dir"] }
		    then: { deny: EPERM }
	END
	S reload
	for r in $RUNTIMES; do
		crowd "$r" "m-$r-$$" plain 1 "$filter"
		run S attach "m-$r-$$"
		echo "$output"
		[ "$status" = 1 ]
		[[ $output == *"nothing was attached to"*"attach: refuse"* ]]
		grep -q '^NoNewPrivs:.0' "/proc/$INIT/status"
		grep -q '^Seccomp:.0' "/proc/$INIT/status"
		# Nothing is left of the attempt.
		[ "$(ps_field "m-$r-$$" id)" = "" ]
		go
		[ "$(said plain ENOENT)" = 1 ]
	done
}

@test "attach: setuid programs keep their rights where the container's own suffice" {
	with_policy
	local r
	for r in $RUNTIMES; do
		crowd "$r" "su-$r-$$" plain 1 '.process.noNewPrivileges = false'
		S attach "su-$r-$$"
		grep -q '^NoNewPrivs:.0' "/proc/$INIT/status"
	done
}

@test "detach: calls pass, and are judged again after another attach, without a second filter" {
	with_policy
	local r
	for r in $RUNTIMES; do
		crowd "$r" "x-$r-$$" plain 3
		S attach "x-$r-$$"
		S detach "x-$r-$$"
		S ps | grep "x-$r" | grep " released "
		expect_alert "Shrike internal: container released" "x-$r-$$"
		# A second engine knows.
		local e
		e=$(engine_pid)
		kill -9 "$e"
		wait_until 10 another_engine "$e"
		wait_until 10 daemon_answers
		S ps | grep "x-$r" | grep " released "
		go
		[ "$(said plain ENOENT)" = 3 ]
		expect_no_alert "Rename below binary dir" "x-$r-$$"
		run S attach --json "x-$r-$$"
		echo "$output"
		[ "$(jq .already <<<"$output")" = 1 ]
		[ "$(jq .attached <<<"$output")" = 0 ]
		S ps | grep "x-$r" | grep " armed "
		grep -q '^Seccomp_filters:.1$' "/proc/$INIT/status"
		runtime "$r" delete -f "x-$r-$$"
		wait_until 5 no_containers

		crowd "$r" "y-$r-$$" plain 3
		S attach "y-$r-$$"
		S detach "y-$r-$$"
		S attach "y-$r-$$"
		[ "$(ps_field "y-$r-$$" listeners)" = 4 ]
		go
		[ "$(said plain EPERM)" = 3 ]
		runtime "$r" delete -f "y-$r-$$"
		wait_until 5 no_containers
	done
}

@test "detach: a container that a hook supervises, and back" {
	with_policy
	local r b=$T/h
	ARGS='["/bin/sh", "-c", "while [ ! -e /tmp/GO ]; do /bin/sleep 0.1; done; /opt/act rename /usr/bin/tool /usr/bin/evil; sleep 1000"]' \
		make_bundle "$b"
	add_hook "$b" prestart
	for r in $RUNTIMES; do
		rm -f "$b/rootfs/tmp/GO"
		start "$r" "h-$r-$$" "$b"
		[ "$(ps_field "h-$r-$$" way)" = hook ]
		S detach "h-$r-$$"
		S attach "h-$r-$$"
		[ "$(ps_field "h-$r-$$" way)" = hook ]
		[ "$(ps_field "h-$r-$$" listeners)" = 1 ]
		touch "$b/rootfs/tmp/GO"
		expect_alert "Rename below binary dir" "h-$r-$$"
		grep -q EPERM "$T/h-$r-$$.out"
	done
}

@test "attach again: sessions that could not be given the filter come under supervision, marked as sessions" {
	policy default <<-END
		policy: default
		rules: { files: [$T/rules.yaml] }
		mode: enforce
		strict: false
		exec_sessions: observe
		actions:
		  - match: { rules: ["Rename by a session"] }
		    then: { deny: EPERM }
	END
	cat >"$T/rules.yaml" <<-END
		- rule: Rename by a session
		  desc: only sessions
		  condition: evt.type in (rename, renameat, renameat2) and proc.is_exec_session = true
		  output: renamed (%proc.name)
		  priority: WARNING
	END
	start_daemon
	local r b=$T/h
	# Without no_new_privs the kernel gives them none.
	make_bundle "$b" '.process.noNewPrivileges = false |
		.process.capabilities |= map_values(map(select(. != "CAP_SYS_ADMIN")))'
	add_hook "$b" prestart
	for r in $RUNTIMES; do
		start "$r" "e-$r-$$" "$b"
		rm -f "$b/rootfs/tmp/"*
		runtime "$r" exec "e-$r-$$" /opt/crowd /tmp plain 1 >"$T/exec.out" 2>&1 </dev/null 3>&- &
		wait_until 20 test -e "$b/rootfs/tmp/ready"
		INIT=$(runtime "$r" state "e-$r-$$" | jq .pid)
		[ "$(without_filter "$INIT" | wc -l)" = 2 ]
		run S attach --json "e-$r-$$"
		echo "$output"
		[ "$status" = 0 ]
		[ "$(jq .attached <<<"$output")" = 2 ]
		[ "$(jq .already <<<"$output")" = 1 ]
		[ -z "$(without_filter "$INIT")" ]
		[ "$(ps_field "e-$r-$$" sessions)" -ge 1 ]
		B=$b
		go
		[ "$(said first EPERM)" = 1 ]
		runtime "$r" delete -f "e-$r-$$"
		wait_until 5 no_containers
	done
}

@test "attach: the engine is killed on the way; the container goes on and can be attached to" {
	with_policy
	local r i e alive=0
	for r in $RUNTIMES; do
		for i in 1 2 3 4; do
			crowd "$r" "k$i-$r-$$" threads 12
			e=$(engine_pid)
			S attach "k$i-$r-$$" >"$T/attach.out" 2>&1 3>&- &
			sleep "0.0$((i * 2))"
			kill -9 "$e"
			wait $! || true
			cat "$T/attach.out"
			wait_until 10 another_engine "$e"
			wait_until 10 daemon_answers
			# The process in which a call was being run dies with its tracer: here it is the container's only one.
			if ! grep -qs '^State:.[RSDTt]' "/proc/$INIT/status"; then
				runtime "$r" delete -f "k$i-$r-$$" || true
				wait_until 5 no_containers
				continue
			fi
			alive=$((alive + 1))
			# Nobody is left frozen or stopped.
			wait_until 5 running "$INIT"
			wait_until 10 attaches "k$i-$r-$$"
			[ -z "$(without_filter "$INIT")" ]
			go
			[ "$(grep -vc ' EPERM$' <<<"$LOG" || true)" = 0 ]
			[ "$(ps_field "k$i-$r-$$" frozen)" = false ]
			runtime "$r" delete -f "k$i-$r-$$"
			wait_until 5 no_containers
		done
	done
	[ "$alive" -ge 2 ]
}

running() {
	local p
	for p in $(pgrep -P "$1") "$1"; do
		# A process in which a call was being run has been killed with its tracer.
		grep -qs '^State:.[RSZ]' "/proc/$p/status" || return 1
	done
}

@test "attach: by id, by its beginning, by pid; what is not there, and what is frozen" {
	with_policy
	crowd runc "longname-$$" plain 1
	run S attach "nobody-$$"
	[ "$status" = 1 ]
	[[ $output == *"no running container is called \"nobody-$$\""* ]]
	run S attach "longname"
	[ "$status" = 0 ]
	[ "$(ps_field "longname-$$" way)" = attach ]
	[ "$(ps_field "longname-$$" runtime)" = runc ]
	crowd crun "other-$$" plain 1
	run S attach --pid "$INIT" "called-$$"
	[ "$status" = 0 ]
	[ "$(ps_field "called-$$" pid)" = "$INIT" ]
	# Facts of config.json.
	[ "$(S ps --json | jq -r 'select(.id == "called-'$$'").listeners')" = 2 ]
	run S attach
	[ "$status" = 2 ]
	run S attach --pid x
	[ "$status" = 2 ]
	run S detach "nobody-$$"
	[ "$status" = 1 ]
	crowd runc "cold-$$" plain 1
	runc pause "cold-$$"
	run S attach "cold-$$"
	[ "$status" = 1 ]
	[[ $output == *"the container is frozen"* ]]
	runc resume "cold-$$"
	S attach "cold-$$"
	stop_daemon
	run S attach "cold-$$"
	[ "$status" = 3 ]
}

@test "B4: who may ask, and for what" {
	with_policy
	local pid cg
	crowd runc "b-$$" plain 1
	for pid in 1 2; do
		run S attach --pid "$pid"
		[ "$status" -ne 0 ]
	done
	for pid in "$KEEPER" "$(engine_pid)" $$; do
		run S attach --pid "$pid"
		echo "$output"
		[ "$status" = 1 ]
		[[ $output == *"process $pid cannot be attached to: "* ]]
	done
	# A process of the container that is not its first.
	pid=$(pgrep -P "$INIT" | head -n 1)
	run S attach --pid "$pid"
	[ "$status" = 1 ]
	[[ $output == *"it is not the first process of its container"* ]]
	# Another pid namespace, another user namespace.
	run unshare -p -f "$SHK_BUILDDIR/shrike" attach --pid "$INIT"
	[ "$status" -ne 0 ]
	run unshare -U -r "$SHK_BUILDDIR/shrike" attach --pid "$INIT"
	[ "$status" -ne 0 ]
	grep -q '^Seccomp:.0' "/proc/$INIT/status"
	[ "$(n_containers)" = 0 ]
	S attach "b-$$"
	# Out of the supervised container's cgroup nobody ends its supervision.
	cg=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)$(awk -F: '$1 == 0 { print $3 }' "/proc/$INIT/cgroup")
	if [ "${cg##*/}" = "b-$$" ] && [ -e "$cg/cgroup.procs" ]; then
		run sh -c "echo \$\$ >$cg/cgroup.procs && exec $SHK_BUILDDIR/shrike detach b-$$"
		echo "$output"
		[ "$status" = 1 ]
		[[ $output == *"runs inside the supervised container"* ]]
	fi
	[ "$(ps_field "b-$$" released)" = false ]
}

@test "B2: a task whose execve waits for the container's own file system holds up nobody" {
	with_policy
	local id=fh-$$
	B=$T/b
	ARGS='["/opt/fusehold", "/tmp"]' make_bundle "$B" '.process.capabilities[] += ["CAP_MKNOD"] |
		.linux.resources.devices = [{ allow: true, access: "rwm" }]'
	start runc "$id" "$B"
	wait_until 20 test -e "$B/rootfs/tmp/ready"
	! grep "no fuse" "$B/rootfs/tmp/ready" || skip "$(cat "$B/rootfs/tmp/ready")"
	run S attach "$id"
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == *"attached: 2 tasks of 2 processes"* ]]
	[[ $output == *"not supervised: task "*"its process is in an execve that does not end"* ]]
	# Others are served meanwhile and afterwards.
	crowd runc "fo-$$" plain 1
	S attach "fo-$$"
	go
	[ "$(said plain EPERM)" = 1 ]
	S kill "$id"
	wait_until 5 is_gone "$id"
}

is_gone() {
	[ -z "$(ps_field "$1" id)" ]
}
