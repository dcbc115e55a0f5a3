#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Input that nobody should send, at a running daemon: one line that names the remedy, the documented
# status, nothing registered by half, no container that runs unsupervised without a word.

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
		mode: enforce
		strict: false
		on_policy_error: ${1:-refuse}
		limits: { alerts_per_second: 0, burst: 0 }
		actions:
		  - match: { rules: ["Rename below binary dir"] }
		    then: { deny: EPERM }
	END
	start_daemon
	ENGINE=$(engine_pid)
	make_bundle "$T/b"
}

edit() {
	jq "$@" "$T/b/config.json" >"$T/n" && mv "$T/n" "$T/b/config.json"
}

# The hook of the stage $1, run on the state in $T/state by a shell that plays the runtime; its child, waiting, is
# the init. Sets status and output.
hook() {
	# shellcheck disable=SC2016
	run bash -c '
		sleep 600 >/dev/null 2>&1 </dev/null 3>&- &
		jq --argjson pid $! "if .pid == 0 then .pid = \$pid else . end" "$2" >"$2.now" 2>/dev/null || cp "$2" "$2.now"
		"$0" --socket "$3" --timeout 10 "$1" <"$2.now"
		s=$?
		kill $!
		exit $s' "$SHK_BUILDDIR/shrike-hook" "$1" "$T/state" "$T/control.sock"
	echo "status $status: $output"
}

state() {
	jq -n --arg b "$T/b" '{ ociVersion: "1.0.2", id: "bad", status: "creating", pid: 0, bundle: $b } * '"${1:-{\}}" >"$T/state"
}

one_line() {
	[ "$(wc -l <<<"$output")" = 1 ]
	[[ $output == shrike-hook:* ]]
}

nothing_left() {
	wait_until 5 no_containers
	[ "$(engine_pid)" = "$ENGINE" ]
}

@test "the hook as tested here registers what is right" {
	with_policy
	state
	hook prestart
	[ "$status" = 0 ]
	[ -z "$output" ]
	nothing_left
}

@test "config.json with members of other kinds than they should be" {
	with_policy
	state
	local c n=0
	cp "$T/b/config.json" "$T/good"
	for c in '.annotations = 5' '.annotations = { a: 5, b: { c: [] }, d: null }' '.mounts = {}' '.mounts = [1, "x", {}, null]' \
		'.process = []' '.process.args = [1, {}]' '.process.user = "root"' '.linux = 7' '.linux.namespaces = [{ type: 5 }, 5]' \
		'.linux.seccomp = []' '.linux.maskedPaths = [1, {}]' '.hostname = ["x"]' '.root = { path: "rootfs", readonly: "yes" }' \
		'.linux.uidMappings = [{ hostID: -1, size: "many" }]' \
		'.mounts = [range(5000) | { destination: ("/m" + tostring), source: "none", type: "tmpfs" }]' \
		'.annotations = ([range(3000) | { key: ("k" + tostring), value: "v" }] | from_entries)' \
		'.mounts += [{ destination: ("/" + ("a" * 5000)), source: ("/" + ("b" * 5000)) }]' \
		'.annotations = { "org.opencontainers.image.ref.name": "a\nb\u001b[31m\u0000c" }'; do
		jq "$c" "$T/good" >"$T/b/config.json"
		echo "$c"
		hook prestart
		# Registered by what could be understood, or refused in one line.
		[ "$status" = 0 ] || { [[ $status == [13] ]] && one_line; }
		nothing_left
		n=$((n + 1))
	done
	[ "$n" = 18 ]
}

@test "ids: none, too long, with slashes, with control characters" {
	with_policy
	local id
	for id in '""' '("a" * 2000)' '"../../x"' '"a\nb"' '"\u001b[2J"' '5' 'null'; do
		state "{ id: $id }"
		hook prestart
		[ "$status" = 3 ] || [ "$status" = 1 ]
		one_line
		[[ $output != *$'\e'* ]]
		nothing_left
	done
}

@test "state: empty, truncated, 10 MB, no process, a dead process, a bundle that is none" {
	with_policy
	: >"$T/state"
	hook prestart
	[ "$status" = 3 ] && one_line
	state
	head -c 40 "$T/state" >"$T/s" && mv "$T/s" "$T/state"
	hook prestart
	[ "$status" = 3 ] && one_line
	{ printf '{"id":"x","a":"'; head -c 10000000 /dev/zero | tr '\0' a; printf '"}'; } >"$T/state"
	hook prestart
	[ "$status" = 3 ] && one_line
	state '{ pid: 4194303 }'
	hook prestart
	[[ $status == [13] ]] && one_line
	state '{ pid: -5 }'
	hook prestart
	[ "$status" = 3 ] && one_line
	state '{ bundle: "/nonexistent" }'
	hook prestart
	[ "$status" = 3 ] && one_line
	state '{ bundle: "relative" }'
	hook prestart
	[ "$status" = 3 ] && one_line
	nothing_left
}

# tell BYTES-FILE: to the control socket; what it answers is shown.
tell() {
	perl -MIO::Socket::UNIX -e '
		my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "connect: $!";
		open my $f, "<", $ARGV[1] or die; local $/; my $text = <$f>;
		$SIG{PIPE} = "IGNORE"; $SIG{ALRM} = sub { exit 3 }; alarm 5;
		$s->print($text); $s->shutdown(1); print <$s>; exit 0' "$T/control.sock" "$1"
}

@test "the control socket: another version, garbage, endless lines, requests without what they need" {
	need perl
	with_policy
	echo '{"v":9,"op":"status"}' >"$T/m"
	run tell "$T/m"
	echo "$output"
	[ "$(jq -c '[.v, .ok, .errno]' <<<"$output")" = '[1,false,71]' ]
	local m
	for m in '{"v":1}' '{"v":1,"op":"no such thing"}' '{"v":1,"op":5}' '[]' '5' 'null' '"x"' 'garbage' '{"v":1,"op":' \
		'{"v":1,"op":"register"}' '{"v":1,"op":"register","id":"x","pid":5}' '{"v":1,"op":"deregister"}' \
		'{"v":1,"op":"prepare"}' '{"v":1,"op":"prepare","id":5,"config":[]}' '{"v":1,"op":"session"}' \
		'{"v":1,"op":"session","id":7}' '{"v":1,"op":"session-listener","id":"x","wrapper_pid":1}'; do
		printf '%s\n' "$m" >"$T/m"
		run tell "$T/m"
		echo "$m: $output"
		[ "$status" = 0 ]
		[[ -z $output ]] || [ "$(jq -r .ok <<<"$output")" = false ]
		[[ -z $output ]] || [ -n "$(jq -r .error <<<"$output")" ]
		nothing_left
	done
	head -c 300000 /dev/urandom >"$T/m"
	run tell "$T/m"
	{ printf '{"v":1,"op":"'; head -c 10000000 /dev/zero | tr '\0' a; } >"$T/m"
	run tell "$T/m"
	[ "$status" != 3 ]
	{ printf '{"v":1,"op":"status","x":'; head -c 50000 /dev/zero | tr '\0' '['; echo; } >"$T/m"
	run tell "$T/m"
	[ "$status" != 3 ]
	nothing_left
	daemon_answers
}

@test "poststop of an id that nobody knows is no error" {
	with_policy
	state '{ id: "never-seen", status: "stopped" }'
	hook poststop
	[ "$status" = 0 ]
	nothing_left
}

@test "a container that dies before the filter is in: the start fails with the reason" {
	with_policy
	printf '#!/bin/sh\nkill -9 "$(jq .pid)"\nsleep 0.2\n' >"$T/killer"
	chmod 755 "$T/killer"
	edit --arg p "$T/killer" '.hooks.prestart = [{ path: $p }]'
	add_hook "$T/b" prestart
	local r
	for r in $RUNTIMES; do
		run start "$r" "k-$r-$$" "$T/b"
		cat "$T/k-$r-$$.out"
		[ "$status" -ne 0 ]
		nothing_left
	done
}

traced() {
	printf '#!/bin/sh\np=$(jq .pid)\nsetsid %s/tests/system/stall trace "$p" </dev/null >/dev/null 2>&1 &\nsleep 0.3\n' \
		"$SHK_BUILDDIR" >"$T/tracer"
	chmod 755 "$T/tracer"
	edit --arg p "$T/tracer" '.process.args = ["/opt/act", "sleep", "0"] | .hooks.prestart = [{ path: $p }]'
	add_hook "$T/b" prestart
}

@test "an init that somebody else traces: refused" {
	with_policy refuse
	traced
	local r
	for r in $RUNTIMES; do
		run run_in "$r" "t-$r-$$" "$T/b"
		echo "$output"
		[ "$status" -ne 0 ]
		[[ $output != *"sleep ok"* ]]
		nothing_left
	done
}

@test "on_policy_error: observe lets it start, and says so" {
	with_policy observe
	traced
	local r
	for r in $RUNTIMES; do
		run run_in "$r" "t-$r-$$" "$T/b"
		echo "$output"
		[ "$status" = 0 ]
		[[ $output == *"sleep ok"* ]]
		expect_alert "Shrike internal: container not supervised" "t-$r-$$"
		nothing_left
	done
}

@test "an annotation that asks for a policy nobody wrote: the default policy holds" {
	with_policy
	add_hook "$T/b" prestart
	edit '.annotations["org.shrike.policy"] = "no-such-policy" | .process.args = ["/opt/act", "rename", "/usr/bin/tool", "/usr/bin/x"]'
	local r
	for r in $RUNTIMES; do
		run run_in "$r" "a-$r-$$" "$T/b"
		[ "$output" = "rename EPERM" ]
		nothing_left
	done
}

@test "a program of the i386 ABI is supervised and judged" {
	with_policy
	add_hook "$T/b" prestart
	gcc -m32 -nostdlib -static -o "$T/b/rootfs/opt/i386" "$SHK_SRCDIR/tests/system/i386.S" 2>"$T/gcc.err" ||
		skip "no assembler for i386: $(head -n 1 "$T/gcc.err")"
	edit '.process.args = ["/opt/i386"]'
	local r
	for r in $RUNTIMES; do
		run run_in "$r" "i-$r-$$" "$T/b"
		echo "$output"
		# A kernel without 32 bit emulation says this of the file with us and without.
		if [[ $output == *"xec format error"* ]] && ! runs_i386; then continue; fi
		[ "$status" = 1 ]
		[ -e "$T/b/rootfs/usr/bin/tool" ]
		expect_alert "Rename below binary dir" "i-$r-$$"
		nothing_left
	done
}
