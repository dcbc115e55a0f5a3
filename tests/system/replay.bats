#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# A recording of live containers, replayed with the same policy, raises the alerts that were raised live.

load lib

setup() {
	need_root
	need runc crun jq busybox
	shk_setup
	RECORDER=
	make_bundle "$T/b"
	add_hook "$T/b" prestart
	cat >"$T/rules.yaml" <<-'END'
		- rule: Program
		  desc: every program
		  condition: evt.type in (execve, execveat) and container.id != host
		  output: >
		    program %proc.cmdline exe=%proc.exe path=%proc.exepath ino=%proc.exe_ino upper=%proc.is_exe_upper_layer
		    writable=%proc.is_exe_writable memfd=%proc.is_exe_from_memfd ctime=%proc.exe_ino.ctime env=%proc.env
		    pid=%proc.pid vpid=%proc.vpid ppid=%proc.ppid parent=%proc.pname line=%proc.pcmdline anc=%proc.aname
		    apath=%proc.aexepath[2] sid=%proc.sid sname=%proc.sname pgid=%proc.pgid gname=%proc.pgid.name
		    cwd=%proc.cwd tty=%proc.tty user=%user.uid:%user.name:%user.homedir:%user.shell login=%user.loginuid
		    group=%group.gid:%group.name caps=%thread.cap_effective threads=%proc.nthreads start=%proc.pid.ts
		    duration=%proc.duration session=%proc.is_exec_session in=%proc.stdin.type:%proc.stdin.name
		    out=%proc.stdout.type args=%evt.args num=%evt.num type=%evt.type res=%evt.res host=%evt.hostname
		    container=%container.id %container.name %container.image %container.type %container.privileged
		    start=%container.start_ts mounts=%container.mounts
		  priority: NOTICE
		- rule: File
		  desc: every file opened by path
		  condition: evt.type in (open, openat, openat2, creat) and fd.name startswith /etc
		  output: >
		    file %fd.name raw=%fd.nameraw dir=%fd.directory file=%fd.filename type=%fd.type num=%fd.num by=%proc.cmdline
		    args=%evt.args flags=%evt.arg.flags write=%evt.is_open_write path=%fs.path.name tid=%thread.tid
		  priority: WARNING
		- rule: Rename
		  desc: names changed
		  condition: evt.type in (rename, renameat, renameat2, unlink, unlinkat, mkdir, mkdirat)
		  output: "rename %evt.args from=%fs.path.source to=%fs.path.target name=%fs.path.name by=%proc.name"
		  priority: ERROR
		- rule: Network
		  desc: sockets
		  condition: evt.type in (socket, connect, bind, listen)
		  output: >
		    net %evt.type %fd.name type=%fd.type l4=%fd.l4proto sip=%fd.sip sport=%fd.sport cip=%fd.cip cport=%fd.cport
		    server=%fd.is_server family=%fd.sockfamily args=%evt.args fd=%fd.num
		  priority: NOTICE
		- rule: Layer
		  desc: descriptors handed on
		  condition: evt.type in (dup, dup2, dup3)
		  output: >
		    layer %evt.type %fd.name upper=%fd.is_upper_layer lower=%fd.is_lower_layer exe=%proc.exepath
		    exeupper=%proc.is_exe_upper_layer exelower=%proc.is_exe_lower_layer
		  priority: NOTICE
		- rule: Ids
		  desc: ids changed
		  condition: evt.type in (setuid, setgid, setresuid, setresgid, chdir, kill, chmod, fchmodat)
		  output: "ids %evt.type %evt.args user=%user.name cwd=%proc.cwd cap=%thread.cap_permitted"
		  priority: NOTICE
	END
}

teardown() {
	[ -z "${RECORDER:-}" ] || kill -9 "$RECORDER" 2>/dev/null || true
	! mountpoint -q "${T:-/nowhere}/b/rootfs" || umount "$T/b/rootfs"
	[ -z "${T:-}" ] || shk_teardown
}

use_policy() {
	policy <<-END
		policy: default
		mode: $1
		strict: false
		rules: { files: [$T/rules.yaml] }
		rule_matching: all
		limits: { alerts_per_second: 0, burst: 0 }
		actions:
		  - match: { rules: ["Rename"] }
		    then: { deny: EPERM }
	END
}

record() {
	rm -f "$T/r.events"
	"$SHK_BUILDDIR/shrike" events --record "$T/r.events" "$@" 2>"$T/record.err" 3>&- &
	RECORDER=$!
	# What the engine sends first.
	wait_until 5 grep -qs '^machine ' "$T/r.events"
}

stop_recording() {
	kill -INT "$RECORDER"
	RECORD_STATUS=0
	wait "$RECORDER" || RECORD_STATUS=$?
	RECORDER=
}

program() {
	jq --arg sh "$1" '.process.args = ["/bin/sh", "-c", $sh]' "$T/b/config.json" >"$T/n" && mv "$T/n" "$T/b/config.json"
}

# What an alert says, without what belongs to this run of the engine.
said() {
	jq -S -c 'select(.source == "syscall") | del(.shrike.id, .shrike.boot, .shrike.seq, .shrike.decision_ns, .shrike.container.key,
		.shrike.container.runtime, .shrike.way)' "$1"
}

same_alerts() {
	"$SHK_BUILDDIR/shrike" replay "$T/r.events" --policy-dir "$T/policies" --rules-path "$SHK_SRCDIR/rules" --json \
		>"$T/replayed.json"
	said "$ALERTS" | sort >"$T/live"
	said "$T/replayed.json" | sort >"$T/again"
	[ -s "$T/live" ]
	diff "$T/live" "$T/again"
}

WORK='echo x >/etc/new; cat /etc/passwd >/dev/null; cd /tmp; cat ../etc/passwd >/dev/null; ln -s /etc link;
	cat link/passwd >/dev/null; mv /etc/new /etc/newer; rm -f /etc/newer; mkdir d; (exec -a other /bin/busybox true);
	cp /bin/busybox /tmp/own; /tmp/own true; cat /etc/none; nc -w 1 127.0.0.1 9 </dev/null; chmod 700 d; A=b sh -c "id; :" ;
	for i in 1 2 3; do sh -c "true; cat /etc/group" | cat >/dev/null; done; true'

live_and_replayed() {
	local r
	for r in $RUNTIMES; do
		rm -f "$T/policies"/*
		use_policy "$1"
		start_daemon
		record
		program "$WORK"
		run_in "$r" "rec-$r" "$T/b" >"$T/out" 2>&1 || true
		wait_until 5 alert_count_settles
		stop_recording
		[ "$RECORD_STATUS" = 0 ]
		same_alerts
		# Each of the rules spoke.
		[ "$(jq -r .rule "$T/again" | sort -u | wc -l)" -ge 4 ]
		stop_daemon
		rm -f "$ALERTS"
	done
}

alert_count_settles() {
	local n
	n=$(wc -l <"$ALERTS")
	pause 0.5
	[ "$n" -gt 0 ] && [ "$n" = "$(wc -l <"$ALERTS")" ]
}

@test "observe: live alerts and replayed ones are the same" {
	live_and_replayed observe
}

@test "enforce: verdicts and objects behind names are replayed, too" {
	live_and_replayed enforce
}

# As engines do it: the image's files below, what the container writes above.
on_overlay() {
	mv "$T/b/rootfs" "$T/lower"
	mkdir -p "$T/upper" "$T/work" "$T/b/rootfs"
	mount -t overlay overlay -o "lowerdir=$T/lower,upperdir=$T/upper,workdir=$T/work" "$T/b/rootfs" 2>/dev/null ||
		skip "no overlay may be mounted here"
}

@test "layers of open files and of programs are replayed" {
	local r
	on_overlay
	use_policy observe
	for r in $RUNTIMES; do
		start_daemon
		record
		program 'cp /bin/busybox /tmp/sh; echo x >/etc/new; exec 3</etc/passwd 4</etc/new; cat <&3; cat <&4; cat <&3;
			/tmp/sh -c "exec 5</etc/group; cat <&5"; echo y >>/etc/passwd; exec 6</etc/passwd; cat <&6'
		run_in "$r" "layer-$r" "$T/b" >"$T/out" 2>&1
		wait_until 5 alert_count_settles
		stop_recording
		[ "$RECORD_STATUS" = 0 ]
		same_alerts
		jq -r 'select(.rule == "Layer") | .output' "$T/again" >"$T/layers"
		cat "$T/layers"
		grep -q 'layer dup2 /etc/new upper=true lower=false' "$T/layers"
		grep -q 'layer dup2 /etc/group upper=false lower=true exe=/tmp/sh exeupper=true' "$T/layers"
		grep -q 'layer dup2 /etc/passwd upper=true' "$T/layers"
		[ "$r" != "${RUNTIMES%% *}" ] || grep -q 'layer dup2 /etc/passwd upper=false lower=true exe=/bin/busybox exeupper=false' \
			"$T/layers"
		stop_daemon
		rm -f "$ALERTS"
	done
}

events_of() {
	grep -c "^event .* container=\"\?$1[\" ]" "$T/r.events" || true
}

@test "some containers alone, by id or name, running or started later" {
	local r
	use_policy observe
	for r in $RUNTIMES; do
		start_daemon
		jq '.annotations["io.container.name"] = "the name"' "$T/b/config.json" >"$T/n" && mv "$T/n" "$T/b/config.json"
		program 'while :; do cat /etc/passwd >/dev/null; sleep 0.1; done'
		start "$r" "named-$r" "$T/b"
		jq 'del(.annotations["io.container.name"])' "$T/b/config.json" >"$T/n" && mv "$T/n" "$T/b/config.json"
		start "$r" "other-$r" "$T/b"
		record --container "the name" --container "later-$r" --container "none at all"
		start "$r" "later-$r" "$T/b"
		wait_until 10 enough_of "named-$r"
		wait_until 10 enough_of "later-$r"
		stop_recording
		[ "$RECORD_STATUS" = 0 ]
		[ "$(events_of "other-$r")" = 0 ]
		refute grep -q "^container \"\?other-" "$T/r.events"
		"$SHK_BUILDDIR/shrike" replay "$T/r.events" --rules "$T/rules.yaml" >"$T/replayed"
		[ -s "$T/replayed" ]
		# All again, once nobody is named.
		record
		wait_until 10 enough_of "other-$r"
		stop_recording
		for c in named other later; do
			runtime "$r" delete -f "$c-$r"
		done
		stop_daemon
		rm -f "$ALERTS"
	done
}

enough_of() {
	[ "$(events_of "$1")" -ge 3 ]
}

@test "a recording ends at its size, with a whole line; one at a time; nobody else reads it" {
	use_policy observe
	start_daemon
	record --max-size 150K
	# The second one is refused, and the first goes on.
	run "$SHK_BUILDDIR/shrike" events --record "$T/second"
	[ "$status" = 4 ]
	[[ "$output" == *"somebody records already"* ]]
	# shellcheck disable=SC2016
	program 'i=0; while [ $i -lt 200 ]; do cat /etc/passwd >/dev/null; i=$((i+1)); done'
	run_in runc size "$T/b" >"$T/out" 2>&1 || true
	RECORD_STATUS=0
	wait "$RECORDER" || RECORD_STATUS=$?
	RECORDER=
	[ "$RECORD_STATUS" = 0 ]
	grep -q ', full$' "$T/record.err"
	[ "$(stat -c %s "$T/r.events")" -le 153600 ]
	[ "$(stat -c %a "$T/r.events")" = 600 ]
	"$SHK_BUILDDIR/shrike" replay "$T/r.events" --rules "$T/rules.yaml" >"$T/replayed"
	[ -s "$T/replayed" ]
	# Another one can begin.
	record
	stop_recording
	[ "$RECORD_STATUS" = 0 ]
}

@test "a recording goes on behind an engine that died" {
	use_policy observe
	start_daemon
	record
	program 'while :; do cat /etc/passwd >/dev/null; sleep 0.1; done'
	start runc restart "$T/b"
	wait_until 5 grep -q '^event ' "$T/r.events"
	kill -9 "$(engine_pid)"
	wait_until 10 grep -q '^# the engine was started anew' "$T/r.events"
	wait_until 10 events_behind_restart
	runtime runc delete -f restart
	stop_recording
	[ "$RECORD_STATUS" = 0 ]
	"$SHK_BUILDDIR/shrike" replay "$T/r.events" --rules "$T/rules.yaml" --json >"$T/replayed.json"
	[ "$(jq -r 'select(.rule == "Program") | .output_fields["proc.pname"]' "$T/replayed.json" | sort -u | grep -c sh)" -ge 1 ]
}

events_behind_restart() {
	sed '1,/^# the engine was started anew/d' "$T/r.events" | grep -q '^event '
}

@test "replay and test: exit codes and messages" {
	printf 'shrike-events 1\nprocess 1 name=a\nevent 1 tid=1 execve(filename="/bin/x", argv=["x"]) ~ 0\n' >"$T/e"
	run "$SHK_BUILDDIR/shrike" replay "$T/e" --rules "$T/rules.yaml"
	[ "$status" = 0 ]
	[ "$output" = "" ]
	run "$SHK_BUILDDIR/shrike" replay - --field proc.name --field proc.pname --condition 'proc.name = x' <"$T/e"
	[ "$status" = 0 ]
	[ "${lines[0]}" = "event 1 line 3 execve" ]
	[ "${lines[1]}" = "  proc.name = 'x'" ]
	[ "${lines[2]}" = "  proc.pname = <null>" ]
	[ "${lines[3]}" = "  T  proc.name = x" ]
	[ "$("$SHK_BUILDDIR/shrike" replay "$T/e" --field proc.name --json | jq -r '.fields["proc.name"]')" = x ]
	run "$SHK_BUILDDIR/shrike" replay "$T/none" --rules "$T/rules.yaml"
	[ "$status" = 4 ]
	run "$SHK_BUILDDIR/shrike" replay "$T/e" --field fd.ip
	[ "$status" = 1 ]
	run "$SHK_BUILDDIR/shrike" replay "$T/e" --condition 'proc.nmae = x'
	[ "$status" = 1 ]
	run "$SHK_BUILDDIR/shrike" replay "$T/e" --rules "$T/rules.yaml" --policy default
	[ "$status" = 2 ]
	echo 'event 1 tid=1 exeve()' >>"$T/e"
	run "$SHK_BUILDDIR/shrike" replay "$T/e" --rules "$T/rules.yaml"
	[ "$status" = 1 ]
	[[ "$output" == *"line 4: column "* ]]

	cat >"$T/t.yaml" <<-'END'
		rules: rules.yaml
		tests:
		  - name: a program
		    events: |
		      process 7 name=sh
		      event 1 tid=7 container=c execve(filename="/bin/id", argv=["id"]) ~ 0
		    expect: [ { rule: Program, output_contains: "program id" } ]
	END
	run "$SHK_BUILDDIR/shrike" test "$T/t.yaml"
	[ "$status" = 0 ]
	[ "${lines[1]}" = "ok 1 - a program" ]
	[ "${lines[2]}" = "1..1" ]
	sed -i 's/program id/program ls/' "$T/t.yaml"
	run "$SHK_BUILDDIR/shrike" test "$T/t.yaml"
	[ "$status" = 1 ]
	[ "${lines[1]}" = "not ok 1 - a program" ]
	run "$SHK_BUILDDIR/shrike" test "$T/none.yaml"
	[ "$status" = 4 ]
}
