#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Every shipped rule fires in a live container, under each runtime: tests/shipped/live.table says on what. One container works
# through all lines; an alert counts for its line only, which the environment of the process that caused it tells.

load lib

setup() {
	need_root
	need runc crun jq busybox dash
	shk_setup
}

teardown() {
	! mountpoint -q "${T:-/nowhere}/b/rootfs" || umount "$T/b/rootfs"
	[ -z "${T:-}" ] || shk_teardown
}

# table FILE: writes $T/table, "RULE<tab>COMMAND".
table() {
	sed -n 's/^\([^#|]*[^ #|]\) *| *\(.*\)/\1\t\2/p' "$1" >"$T/table"
	[ -s "$T/table" ]
}

# The root file system: what all tests have, programs of the names the table wants, the lines to work through.
furnish() {
	local r=$1 n=0 name rule command
	mkdir -p "$r/fake" "$r/lines" "$r/dev" "$r/home" "$r/var/log"
	install -m 755 "$SHK_BUILDDIR/tests/system/attempt" "$r/opt/"
	for name in $(grep -o '/fake/[A-Za-z0-9._-]*' "$T/table" | sort -u); do
		grep -qE "cp [^ ]* $name( |;|$)" "$T/table" || ln -sf /bin/busybox "$r$name"
	done
	while IFS=$'\t' read -r rule command; do
		n=$((n + 1))
		printf '%s\n' "$command" >"$r/lines/$n"
	done <"$T/table"
	cat >"$r/all" <<-'END'
		#!/bin/sh
		export PATH=/bin:/sbin:/usr/bin:/opt
		# Opened once: a signal may interrupt an open that is being judged (docs/NATIVE.md).
		exec 3>/dev/null 4</dev/null
		i=1
		while [ -e /lines/$i ]; do
			SHK_LINE=$i sh /lines/$i >&3 2>&3 <&4 3>&- 4<&-
			i=$((i + 1))
		done
		echo "worked through $((i - 1))"
	END
	chmod 755 "$r/all"
	for name in find touch mknod base64 dmesg wget chmod rm; do
		ln -sf busybox "$r/bin/$name"
	done
}

# live POLICY-RULES: works through the table under each runtime; each rule must have spoken of its line.
live() {
	local r n=0 rule command missing
	policy <<-END
		policy: default
		rules:
		  files: [$1]
		  append_output:
		    - extra_output: "line=%proc.env[SHK_LINE]."
		mode: observe
		rule_matching: all
	END
	ARGS='["/all"]' make_bundle "$T/b" '(.process.capabilities | .bounding, .effective, .permitted) +=
		["CAP_SETUID", "CAP_SETGID", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SYS_CHROOT"]'
	add_hook "$T/b" prestart
	furnish "$T/b/rootfs"
	# As engines do it: the image's files below, what the container writes above.
	mv "$T/b/rootfs" "$T/lower"
	start_daemon
	for r in $RUNTIMES; do
		mkdir -p "$T/over-$r/upper" "$T/over-$r/work" "$T/b/rootfs"
		mount -t overlay overlay -o "lowerdir=$T/lower,upperdir=$T/over-$r/upper,workdir=$T/over-$r/work" "$T/b/rootfs"
		run run_in "$r" "shipped-$r" "$T/b"
		echo "$output"
		[[ "$output" == *"worked through $(wc -l <"$T/table")"* ]]
		wait_idle
		umount "$T/b/rootfs"
		jq -r --arg id "shipped-$r" 'select(.shrike.container.id == $id or .shrike.container.full_id == $id) |
			.rule + "\t" + (.output | (capture("line=(?<n>[0-9]+)\\.") | .n)? // "none")' "$ALERTS" | sort -u >"$T/seen-$r"
		n=0 missing=0
		while IFS=$'\t' read -r rule command; do
			n=$((n + 1))
			grep -qxF "$rule"$'\t'"$n" "$T/seen-$r" || {
				echo "$r: \"$rule\" did not fire on: $command"
				missing=$((missing + 1))
			}
		done <"$T/table"
		[ "$missing" = 0 ]
	done
}

@test "each default rule fires on its line of the table" {
	table "$SHK_SRCDIR/tests/shipped/live.table"
	live "shrike_rules.yaml, shrike_rules.d"
}

@test "each rule of the profiles and of locked fires on its line of their table" {
	table "$SHK_SRCDIR/tests/shipped/live-apps.table"
	live "shrike_rules.yaml, shrike_rules.d, add/batch.yaml, add/locked.yaml, apps"
}

# A terminal makes the one rule that the table cannot have; sessions.bats and gate.bats see it.
@test "the tables have every rule" {
	table "$SHK_SRCDIR/tests/shipped/live-apps.table"
	cut -f1 "$T/table" | sort -u >"$T/have"
	sed -n 's/^- rule: //p' "$SHK_SRCDIR"/rules/add/*.yaml "$SHK_SRCDIR"/rules/apps/*.yaml | sort >"$T/want"
	diff "$T/want" "$T/have"
	table "$SHK_SRCDIR/tests/shipped/live.table"
	cut -f1 "$T/table" | sort -u >"$T/have"
	cat "$SHK_SRCDIR"/rules/shrike_rules.yaml "$SHK_SRCDIR"/rules/shrike_rules.d/*.yaml |
		sed -n 's/^- rule: //p' | grep -vx 'Terminal shell in container' | sort >"$T/want"
	diff "$T/want" "$T/have"
}

@test "without a policy file, and with one that names no files, these are the rules" {
	mkdir "$T/none"
	run "$SHK_BUILDDIR/shrike" explain --policy-dir "$T/none" --rules-path "$SHK_SRCDIR/rules" --dump
	[ "$status" = 0 ]
	grep -qxF '  files: ["shrike_rules.yaml", "shrike_rules.d"]' <<<"$output"
	grep -qx 'rule_matching: all' <<<"$output"
	# Whoever has a base of his own need not have our themes beside it.
	mkdir "$T/own"
	cp "$SHK_SRCDIR/rules/shrike_rules.yaml" "$T/own/"
	policy <<<'policy: default'
	run "$SHK_BUILDDIR/shrike" explain --policy-dir "$T/policies" --rules-path "$T/own" --dump
	[ "$status" = 0 ]
	grep -qxF '  files: ["shrike_rules.yaml"]' <<<"$output"
}

@test "what is in rules.d is in force where a policy names no files, and nowhere else" {
	local r
	mkdir "$T/rules.d"
	policy <<<'policy: default'
	policy named <<-END
		policy: named
		match: [ { id: "named-*" } ]
		rules: { files: [shrike_rules.yaml, shrike_rules.d] }
	END
	explained() { "$SHK_BUILDDIR/shrike" explain --policy-dir "$T/policies" --rules-path "$T/rules.d:$SHK_SRCDIR/rules" --dump; }
	explained | grep -qxF '  files: ["shrike_rules.yaml", "shrike_rules.d"]'
	# Nothing in it yet; then a macro of the shipped rules is tuned, and a rule is added.
	cat >"$T/rules.d/local.yaml" <<-'END'
		- macro: expected_sensitive_read
		  condition: (container.id != host)
		- rule: Local rule
		  desc: a directory was made
		  condition: evt.type in (mkdir, mkdirat)
		  output: made
		  priority: WARNING
	END
	[ "$(explained | grep -cxF "  files: [\"shrike_rules.yaml\", \"shrike_rules.d\", \"$T/rules.d\"]")" = 1 ]
	write_config
	sed -i "s|^rules_path:.*|rules_path: $T/rules.d:$SHK_SRCDIR/rules|" "$T/shrike.yaml"
	start_daemon
	ARGS='["/bin/sh", "-c", "cat /etc/shadow; mkdir /tmp/local"]' make_bundle "$T/b"
	add_hook "$T/b" prestart
	for r in $RUNTIMES; do
		rm -rf "$T/b/rootfs/tmp/local"
		run_in "$r" "own-$r" "$T/b"
		expect_alert "Local rule" "own-$r"
		expect_no_alert "Sensitive file opened for reading" "own-$r"
		rm -rf "$T/b/rootfs/tmp/local"
		run_in "$r" "named-$r" "$T/b"
		expect_alert "Sensitive file opened for reading" "named-$r"
		expect_no_alert "Local rule" "named-$r"
	done
	# A mistake in it is one of its file.
	echo '- rule: Broken' >>"$T/rules.d/local.yaml"
	run "$SHK_BUILDDIR/shrike" reload
	[ "$status" != 0 ]
	[[ "$output" == *"$T/rules.d/local.yaml:8"* ]]
}
