#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# connect and bind carried out for their caller.

load lib

setup() {
	need_root
	need runc crun jq busybox
	shk_setup
	cat >"$T/rules.yaml" <<-END
		- rule: Guarded port
		  desc: .
		  condition: evt.type = connect and fd.sport = 2222
		  output: port %fd.name
		  priority: WARNING
		- rule: Guarded socket
		  desc: .
		  condition: evt.type in (connect, bind) and fd.name endswith /guarded
		  output: socket %fd.name
		  priority: WARNING
		- rule: Guarded receiver
		  desc: .
		  condition: evt.type in (sendto, sendmsg) and fd.sport = 2222
		  output: sent to %fd.name
		  priority: WARNING
	END
	policy <<-END
		policy: default
		rules: { files: [$T/rules.yaml] }
		mode: enforce
		deadline: { ms: 1500, then: { deny: ETIMEDOUT } }
		limits: { alerts_per_second: 0, burst: 0 }
		actions:
		  - match: { rules: ["Guarded port", "Guarded socket", "Guarded receiver"] }
		    then: { deny: EPERM }
	END
	start_daemon
	ARGS='["/bin/sh", "/opt/script"]' make_bundle "$T/b" \
		'(.process.capabilities | .bounding, .effective, .permitted) += ["CAP_SETUID", "CAP_SETGID", "CAP_NET_BIND_SERVICE"]'
	install -m 755 "$SHK_BUILDDIR/tests/system/sockets" "$T/b/rootfs/opt/sockets"
	cp -r "$T/b" "$T/free"
	add_hook "$T/b" prestart
}

teardown() {
	[ -z "${T:-}" ] || shk_teardown
}

script() {
	cat >"$T/b/rootfs/opt/script"
	cp "$T/b/rootfs/opt/script" "$T/free/rootfs/opt/script"
}

@test "results are those of the native call" {
	script <<<'exec /opt/sockets all 2>&1 </etc/motd'
	local r free b
	for r in $RUNTIMES; do
		for b in b free; do
			rm -rf "$T/$b/rootfs/tmp"
			mkdir -m 1777 "$T/$b/rootfs/tmp"
		done
		run run_in "$r" "n-$r-$$" "$T/free"
		free=$output
		run run_in "$r" "s-$r-$$" "$T/b"
		diff <(echo "$free") <(echo "$output")
		[ "$(echo "$output" | wc -l)" -gt 35 ]
	done
}

@test "an address, and a descriptor, exchanged while the call waits" {
	script <<<'/opt/sockets flip 2000; /opt/sockets swap 2000'
	local r i
	for r in $RUNTIMES; do
		run run_in "$r" "f-$r-$$" "$T/b"
		echo "$output"
		for i in 0 1; do
			[ "$(echo "${lines[$i]}" | jq .bad)" = 0 ]
		done
		[ "$(echo "${lines[0]}" | jq .good)" -gt 10 ]
		expect_alert "Guarded port" "f-$r-$$"
	done
}

@test "a message that waits: a slow reader gets all of it, and nobody's queue is waited for without end" {
	script <<<'/opt/sockets pour; /opt/sockets fill'
	local r
	for r in $RUNTIMES; do
		run run_in "$r" "w-$r-$$" "$T/b"
		echo "$output"
		[ "${lines[0]}" = "poured 3000000, arrived 0" ]
		[ "${lines[1]}" = "at once a part" ]
		[ "${lines[2]}" = "again EAGAIN" ]
		[ "${lines[3]}" = "some ETIMEDOUT" ]
		expect_alert "Shrike internal: deadline" "w-$r-$$"
		daemon_answers
	done
}
