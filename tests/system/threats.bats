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

# ---- B4: the control socket as a deputy with more rights than its caller ----

# register PID: as a hook of this shell would; fails with the reason in $output.
register() {
	local bundle=$T/b
	jq -n --argjson pid "$1" --arg b "$bundle" \
		'{ ociVersion: "1.0.2", id: "deputy", status: "creating", pid: $pid, bundle: $b }' >"$T/state"
	run "$SHK_BUILDDIR/shrike-hook" --socket "$T/control.sock" --timeout 5 prestart <"$T/state"
	echo "$output"
}

@test "B4: pid 1, the daemon, the shell itself, another container's init are refused" {
	with_policy
	local r pid other
	# The neighbour is not supervised, so nobody knows its init.
	cp -r "$T/b" "$T/neighbour"
	jq 'del(.hooks)' "$T/neighbour/config.json" >"$T/n" && mv "$T/n" "$T/neighbour/config.json"
	for r in $RUNTIMES; do
		start "$r" "nb-$r-$$" "$T/neighbour"
		other=$(runtime "$r" state "nb-$r-$$" | jq .pid)
		# What hooks at the wrong stage are told.
		register 1
		[ "$status" = 3 ]
		[[ $output == *"configure this hook as prestart or createRuntime"* ]]
		for pid in 2 "$KEEPER" "$(engine_pid)" $$ "$other"; do
			register "$pid"
			[ "$status" = 1 ]
			[[ $output == *"process $pid is no container init the caller may register: "* ]]
			[ "$(wc -l <<<"$output")" = 1 ]
		done
		# No filter came to it, and it lives.
		grep -q '^Seccomp:.*0' "/proc/$other/status"
		kill -0 "$other"
		no_containers
	done
	# A process of another parent, freshly made.
	setsid -f sleep 30 3>&-
	pid=$(pgrep -n -x sleep)
	register "$pid"
	[ "$status" = 1 ]
	[[ $output == *"is no container init the caller may register: "* ]]
	grep -q '^Seccomp:.*0' "/proc/$pid/status"
	kill "$pid"
	no_containers
	daemon_answers
}

@test "B4: the init of a supervised container is not taken over under another name" {
	with_policy
	local r other
	for r in $RUNTIMES; do
		start "$r" "own-$r-$$" "$T/b"
		other=$(ps_field "own-$r-$$" pid)
		register "$other"
		[ "$status" = 1 ]
		[ "$(n_containers)" = 1 ]
		[ "$(ps_field "own-$r-$$" listeners)" = 1 ]
		runtime "$r" delete -f "own-$r-$$"
		wait_until 5 no_containers
	done
}

# ---- B5: forged messages of a runtime ----

# notify TEXT-FILE [ENDING]: sends the file to the listener socket and waits for the end.
forge() {
	perl -MIO::Socket::UNIX -e '
		my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "connect: $!";
		open my $f, "<", $ARGV[1] or die; local $/; my $text = <$f>;
		$SIG{PIPE} = "IGNORE"; $s->print($text); $s->shutdown(1);
		$SIG{ALRM} = sub { exit 3 }; alarm 5; my $rest = <$s>; exit 0' "$T/notify.sock" "$1"
}

@test "B5: messages without a listener, garbage, too much; starts go on beside a silent peer" {
	need perl
	with_policy
	local r silent i e
	e=$(engine_pid)
	# Connections that say nothing, kept open all the while.
	perl -MIO::Socket::UNIX -e '
		my @s = map { IO::Socket::UNIX->new(Peer => $ARGV[0]) or die } 1 .. 20; sleep 60' "$T/notify.sock" 3>&- &
	silent=$!
	jq -n '{ ociVersion: "1.0.2", fds: ["seccompFd"], pid: 1, metadata: "shrike:00", state: { id: "forged", pid: 1,
		status: "creating", bundle: "/" } }' >"$T/m1"
	printf '{"fds": ["seccompFd"], "state": {' >"$T/m2"
	head -c 100000 /dev/urandom >"$T/m3"
	{ printf '{"state": { "id": "'; head -c 2000000 /dev/zero | tr '\0' a; printf '"}}'; } >"$T/m4"
	printf '%0*d' 3000 0 | tr 0 '[' >"$T/m5"
	: >"$T/m6"
	for i in 1 2 3 4 5 6; do
		forge "$T/m$i"
		same_engine "$e"
		no_containers
	done
	expect_alert "Shrike internal: listener refused"
	alerts_of "Shrike internal: listener refused" | grep -q "delivered no seccomp listener"
	grep -q "cannot be read" "$T/daemon.log"
	args /opt/act rename /usr/bin/tool /usr/bin/evil
	for r in $RUNTIMES; do
		run run_in "$r" "after-$r-$$" "$T/b"
		[ "$output" = "rename EPERM" ]
		wait_until 5 no_containers
	done
	kill "$silent"
	same_engine "$e"
}

@test "B5: a descriptor that is no listener" {
	with_policy
	local e
	e=$(engine_pid)
	jq -n '{ ociVersion: "1.0.2", fds: ["seccompFd"], pid: 1, state: { id: "forged", pid: 1, bundle: "/" } }' >"$T/m"
	"$SHK_BUILDDIR/tests/system/stall" send-pipe "$T/notify.sock" "$(cat "$T/m")"
	expect_alert "Shrike internal: listener refused"
	same_engine "$e"
	no_containers
}
