#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Every shipped rule, seen to fire and seen not to, in a live container under each runtime.

load lib

setup_file() {
	need_root
	need runc crun jq busybox dash
	shk_setup
	policy <<-END
		policy: default
		rules: { files: [shrike_rules.yaml] }
		mode: observe
		rule_matching: all
		limits: { alerts_per_second: 0, burst: 0 }
	END
	start_daemon
	make_bundle "$T/b"
	add_hook "$T/b" prestart
	export T ALERTS SHRIKE_SOCKET KEEPER IDS
	export MAIN=$$
}

teardown_file() {
	[ -z "${T:-}" ] || shk_teardown
}

# in_container RUNTIME COMMAND...: a container of its own; ID is its id, OUT its output.
in_container() {
	local r=$1
	shift
	N=$((${N:-0} + 1))
	ID=t$BATS_TEST_NUMBER-$N-$r-$MAIN
	jq --argjson args "$(printf '%s\n' "$@" | jq -R . | jq -sc .)" '.process.args = $args' \
		"$T/b/config.json" >"$T/b/config.new" && mv "$T/b/config.new" "$T/b/config.json"
	run_in "$r" "$ID" "$T/b" >"$T/out" 2>&1 || true
	OUT=$(cat "$T/out")
	echo "$r: $OUT"
}

# fires RULE COMMAND...
fires() {
	local rule=$1 r
	shift
	for r in $RUNTIMES; do
		in_container "$r" "$@"
		expect_alert "$rule" "$ID"
	done
}

# The container's own act must have worked (or failed by itself): OUT is shown; then nothing of the rule.
silent() {
	local rule=$1 r
	shift
	for r in $RUNTIMES; do
		in_container "$r" "$@"
		[[ $OUT != *"unknown act"* && $OUT != *"no such file"* ]]
		expect_no_alert "$rule" "$ID"
	done
}

@test "Shell spawned in container: busybox sh, a real dash by path; not another program" {
	fires "Shell spawned in container" /bin/sh -c '/opt/act sleep 0'
	ln -sf real-dash "$T/b/rootfs/usr/bin/dash"
	fires "Shell spawned in container" /usr/bin/dash -c ':'
	silent "Shell spawned in container" /usr/bin/real-cat /etc/motd
}

@test "Sensitive file opened for reading: /etc/shadow; not /etc/passwd, not for writing" {
	fires "Sensitive file opened for reading" /opt/act open /etc/shadow r
	silent "Sensitive file opened for reading" /opt/act open /etc/passwd r -- open /etc/shadow w
}

@test "Sensitive file opened for reading: a path that is relative, or winds its way" {
	fires "Sensitive file opened for reading" /opt/act open ../etc/./shadow r
	fires "Sensitive file opened for reading" /opt/act open /usr/../etc//shadow r
}

@test "Sensitive file opened for writing: /etc/shadow; not reading it, not another file" {
	fires "Sensitive file opened for writing" /opt/act open /etc/shadow rw
	silent "Sensitive file opened for writing" /opt/act open /etc/shadow r -- open /tmp/x w
}

@test "Sensitive file given another name: renamed, its directory moved; not another file" {
	fires "Sensitive file given another name" /opt/act rename /etc/gshadow /tmp/g
	fires "Sensitive file given another name" /opt/act rename /root/.ssh /tmp/ssh
	silent "Sensitive file given another name" /opt/act open /tmp/a w -- rename /tmp/a /tmp/b
}

@test "Write below binary dir: a file made in /usr/bin; not one read there, nor one made in /tmp" {
	fires "Write below binary dir" /opt/act open /usr/bin/new w
	silent "Write below binary dir" /opt/act open /bin/busybox r -- open /tmp/new w
}

@test "Rename below binary dir: out of it, into it; not elsewhere" {
	fires "Rename below binary dir" /opt/act rename /usr/bin/tool /tmp/tool
	cp "$T/b/rootfs/bin/busybox" "$T/b/rootfs/usr/bin/tool"
	touch "$T/b/rootfs/tmp/in"
	fires "Rename below binary dir" /opt/act rename /tmp/in /sbin/in
	silent "Rename below binary dir" /opt/act open /tmp/a w -- rename /tmp/a /tmp/b
}

@test "Remove below binary dir: a program; not a file elsewhere" {
	fires "Remove below binary dir" /opt/act unlink /usr/bin/gone
	silent "Remove below binary dir" /opt/act open /tmp/a w -- unlink /tmp/a
}

@test "Link below binary dir: a symlink put there; not elsewhere" {
	fires "Link below binary dir" /opt/act symlink /tmp/evil /usr/sbin/evil
	silent "Link below binary dir" /opt/act symlink /etc/motd /tmp/motd
}

@test "Directory created below binary dir: there; not elsewhere" {
	fires "Directory created below binary dir" /opt/act mkdir /usr/bin/.hidden
	silent "Directory created below binary dir" /opt/act mkdir /tmp/dir
}

@test "Mount of a sensitive host path: a bind mount of /proc; not a tmpfs" {
	fires "Mount of a sensitive host path" /opt/act mount /proc /mnt bind
	silent "Mount of a sensitive host path" /opt/act mount none /mnt tmpfs
}

@test "Mount inside a container: a tmpfs; not without a mount" {
	fires "Mount inside a container" /opt/act mount none /mnt tmpfs
	silent "Mount inside a container" /opt/act open /etc/motd r
}

@test "Unexpected listening TCP port: 4444; not 8080" {
	fires "Unexpected listening TCP port" /opt/act listen 4444
	silent "Unexpected listening TCP port" /opt/act listen 8080
}

@test "Unexpected outbound connection: a documentation address; not loopback" {
	fires "Unexpected outbound connection" /opt/act connect 203.0.113.7 443
	silent "Unexpected outbound connection" /opt/act connect 127.0.0.1 443
}

@test "Ptrace of another process: a seizure; not a process without" {
	fires "Ptrace of another process" /opt/act ptrace
	silent "Ptrace of another process" /opt/act forks 2
}

@test "Namespace change: unshare, setns; not unshare of descriptors" {
	fires "Namespace change" /opt/act unshare
	fires "Namespace change" /opt/act setns /proc/self/ns/uts
	silent "Namespace change" /opt/act unshare-files -- forks 3
}

@test "Kernel module load: tried; not without" {
	fires "Kernel module load" /opt/act init_module
	silent "Kernel module load" /opt/act open /etc/motd r
}

@test "io_uring is refused by the filter" {
	local r
	[ -z "${SHK_RINGS:-}" ] || skip "the policies of this run allow it"
	for r in $RUNTIMES; do
		in_container "$r" /opt/act io_uring
		[ "$OUT" = "io_uring ENOSYS" ]
	done
}

@test "alerts carry container, image, process and a complete identity" {
	local r a
	for r in $RUNTIMES; do
		in_container "$r" /opt/act open /etc/shadow r
		expect_alert "Sensitive file opened for reading" "$ID"
		a=$(alerts_of "Sensitive file opened for reading" "$ID")
		echo "$a" | jq .
		[ "$(echo "$a" | jq -r '.output_fields["proc.name"]')" = act ]
		[ "$(echo "$a" | jq -r '.output_fields["fd.name"]')" = /etc/shadow ]
		[ "$(echo "$a" | jq -r '.output_fields["user.name"]')" = root ]
		[ "$(echo "$a" | jq -r .priority)" = Warning ]
		[ "$(echo "$a" | jq -r .source)" = syscall ]
		[ "$(echo "$a" | jq -r .shrike.verdict)" = allow ]
		[[ $(echo "$a" | jq -r .output) == *"/etc/shadow"* ]]
		[ "$(echo "$a" | jq -r .shrike.seq)" -ge 1 ]
	done
}
