#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The engine ends in the middle of a call that it carries out: when it is about to do it, and when it has done it and has not
# answered. What the next engine answers, and what is there then, is what there would be without us. And calls that wait: they end at
# the policy's deadline, whatever becomes of engine and container meanwhile.

load lib
load twin

setup() {
	need_root
	need runc jq busybox
	shk_setup
}

teardown() {
	[ -z "${T:-}" ] || shk_teardown
}

# lines N: so many has the container written.
lines() {
	[ -e "$T/b/rootfs/tmp/steps/said" ] && [ "$(wc -l <"$T/b/rootfs/tmp/steps/said")" -ge "$1" ]
}

is_ready() {
	grep -qsx ready "$T/reaper"
}

@test "engine killed before and after each kind of call" {
	guarded_policy
	sed -i '/^mode:/a deadline: { ms: 10000, then: deny }' "$T/policies/default.yaml"
	start_daemon
	ARGS='["/opt/steps", "/tmp/steps"]' make_bundle "$T/b" \
		'(.process.capabilities | .bounding, .effective, .permitted) += ["CAP_CHOWN", "CAP_MKNOD"]'
	install -m 755 "$SHK_BUILDDIR/tests/system/steps" "$T/b/rootfs/opt/"
	cp -r "$T/b" "$T/free"
	add_hook "$T/b" prestart
	mkdir "$T/free/rootfs/tmp/steps"
	local i when e name by n
	n=$("$SHK_BUILDDIR/tests/system/steps" names | wc -l)
	for ((i = 0; i < n; i++)); do
		: >"$T/free/rootfs/tmp/steps/go-$i"
	done
	run_in runc "n-$$" "$T/free"
	for when in before after; do
		rm -rf "$T/b/rootfs/tmp/steps"
		mkdir "$T/b/rootfs/tmp/steps"
		start runc "$when-$$" "$T/b"
		wait_until 10 lines 1
		i=0
		while read -r name by; do
			e=$(engine_pid)
			rm -f "$T/reaper" # what the last one said
			"$SHK_BUILDDIR/tests/system/reaper" "$e" "$by" "$when" >"$T/reaper" 2>&1 3>&- &
			wait_until 10 is_ready
			: >"$T/b/rootfs/tmp/steps/go-$i"
			wait $! || {
				echo "the engine did not make $by for $name"
				false
			}
			i=$((i + 1))
			wait_until 15 lines $((i + 1))
			wait_until 10 another_engine "$e"
		done < <("$SHK_BUILDDIR/tests/system/steps" names)
		[ "$i" = "$n" ]
		echo "killed $when the call:"
		diff "$T/free/rootfs/tmp/steps/said" "$T/b/rootfs/tmp/steps/said"
	done
}

# A container that opens a FIFO nobody writes to, and says what came of it.
waiting_container() {
	guarded_policy
	sed -i '/^mode:/a deadline: { ms: 1000, then: { deny: ETIMEDOUT } }' "$T/policies/default.yaml"
	start_daemon
	ARGS='["/bin/sh", "-c", "mkfifo /tmp/p; cat /tmp/p >/tmp/said 2>&1; cat /etc/motd >>/tmp/said; echo end >>/tmp/said"]' \
		make_bundle "$T/b" '(.process.capabilities | .bounding, .effective, .permitted) += ["CAP_MKNOD"]'
	add_hook "$T/b" prestart
}

said() {
	grep -qsx "$1" "$T/b/rootfs/tmp/said"
}

waits() {
	[ -p "$T/b/rootfs/tmp/p" ] && [ -e "$T/b/rootfs/tmp/said" ]
}

@test "a call that waits ends at its deadline, though engine after engine ends" {
	waiting_container
	start runc "w-$$" "$T/b"
	wait_until 10 waits
	# One that gave it the whole time again would never come to an end.
	local i e
	for ((i = 0; i < 30; i++)); do
		! said end || break
		e=$(engine_pid)
		kill -9 "$e"
		wait_until 10 another_engine "$e"
		pause 0.4
	done
	said end
	said "cat: can't open '/tmp/p': Connection timed out"
	said hello
	[ "$i" -gt 0 ]
	expect_alert "Shrike internal: deadline" "w-$$"
}

@test "calls of a container whose engine is stopped are answered by the next engine" {
	waiting_container
	jq '.process.args[2] = "while [ ! -e /tmp/go ]; do :; done; for i in 1 2 3; do mkdir /tmp/d$i; done; ls /tmp >/tmp/said; echo end >>/tmp/said"' \
		"$T/b/config.json" >"$T/n"
	mv "$T/n" "$T/b/config.json"
	start runc "s-$$" "$T/b"
	local e
	e=$(engine_pid)
	kill -STOP "$e"
	: >"$T/b/rootfs/tmp/go"
	pause 0.3
	refute said end
	kill -9 "$e"
	wait_until 10 said end
	said d1
	said d2
	said d3
}

@test "a call that waits in a frozen container ends at its deadline, before the container goes on" {
	waiting_container
	start runc "f-$$" "$T/b"
	wait_until 10 waits
	"$SHK_BUILDDIR/shrike" freeze "f-$$"
	expect_alert "Shrike internal: deadline" "f-$$"
	refute said end
	"$SHK_BUILDDIR/shrike" thaw "f-$$"
	wait_until 10 said end
	said "cat: can't open '/tmp/p': Connection timed out"
	said hello
}
