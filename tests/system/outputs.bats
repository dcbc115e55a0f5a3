#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# What shrike.yaml and policies add to the outputs of rules, live, after a reload, and on replay; and names with
# control characters in them.

load lib

setup() {
	need_root
	need runc crun jq busybox
	shk_setup
	RECORDER=
	make_bundle "$T/b"
	add_hook "$T/b" prestart
	cat >"$T/rules.yaml" <<-'END'
		- rule: File
		  desc: a file was opened
		  condition: evt.type in (open, openat, openat2) and fd.name startswith /etc/odd and static.site = here
		  output: "file %fd.name"
		  priority: WARNING
		  tags: [files]
		- rule: Directory
		  desc: a directory was made
		  condition: evt.type in (mkdir, mkdirat)
		  output: made
		  priority: NOTICE
	END
	policy <<-END
		policy: default
		rules:
		  files: [$T/rules.yaml]
		  append_output:
		    - match: { tags: [files] }
		      extra_output: "policy=%static.zone.name"
		      extra_fields: [ { who: "%proc.name in %container.name" }, key: policy ]
		rule_matching: all
	END
	configure east
}

teardown() {
	[ -z "${RECORDER:-}" ] || kill -9 "$RECORDER" 2>/dev/null || true
	[ -z "${T:-}" ] || shk_teardown
}

configure() {
	write_config "append_output:" "  - extra_output: 'pid=%proc.vpid'" "    match: { rule: File }" \
		"  - extra_fields: [ static.site, proc.name, key: configured ]" "static_fields:" "  site: here" "  zone.name: $1"
}

program() {
	jq --arg sh "$1" '.process.args = ["/bin/sh", "-c", $sh]' "$T/b/config.json" >"$T/n" && mv "$T/n" "$T/b/config.json"
}

# field RULE PATH: of the last alert of this rule
field() {
	alerts_of "$1" | tail -n 1 | jq -r "$2"
}

file_alerts() {
	[ "$(alerts_of File | wc -l)" -ge "$1" ]
}

@test "append_output and static_fields of configuration and policy, live and after a reload" {
	local r
	for r in $RUNTIMES; do
		rm -f "$ALERTS"
		configure east
		start_daemon
		program 'cat /etc/odd-1; mkdir /tmp/d; true'
		run_in "$r" "one-$r" "$T/b" >"$T/out" 2>&1
		expect_alert File
		expect_alert Directory
		[[ "$(field File .output)" == *"file /etc/odd-1 pid="*" policy=east" ]]
		[ "$(field File '.output_fields["static.site"]')" = here ]
		[ "$(field File '.output_fields["static.zone.name"]')" = east ]
		[ "$(field File '.output_fields["proc.name"]')" = cat ]
		[[ "$(field File '.output_fields.who')" == "cat in "* ]]
		[ "$(field File '.output_fields.key')" = policy ]
		[[ "$(field Directory .output)" == *made ]]
		[ "$(field Directory '.output_fields.key')" = configured ]
		[ "$(field Directory '.output_fields["static.site"]')" = here ]
		[ "$(field Directory '.output_fields | has("who")')" = false ]
		# The configuration is read again with the policies.
		configure west
		shrike reload
		run_in "$r" "two-$r" "$T/b" >"$T/out" 2>&1
		wait_until 5 file_alerts 2
		[[ "$(field File .output)" == *"policy=west" ]]
		# A broken one changes nothing.
		echo "append_output: [ { extra_output: '%no.such' } ]" >>"$T/shrike.yaml"
		run shrike reload
		[ "$status" != 0 ]
		run_in "$r" "three-$r" "$T/b" >"$T/out" 2>&1
		wait_until 5 file_alerts 3
		[[ "$(field File .output)" == *"policy=west" ]]
		stop_daemon
	done
}

@test "they are the same on replay with that configuration" {
	start_daemon
	shrike events --record "$T/r.events" 2>"$T/record.err" 3>&- &
	RECORDER=$!
	wait_until 5 grep -qs '^machine ' "$T/r.events"
	program 'cat /etc/odd-1; mkdir /tmp/d; true'
	run_in runc rec "$T/b" >"$T/out" 2>&1
	expect_alert File
	expect_alert Directory
	wait_idle
	kill -INT "$RECORDER"
	wait "$RECORDER"
	RECORDER=
	shrike replay "$T/r.events" -c "$T/shrike.yaml" --json | jq -S -c 'select(.rule == "File" or .rule == "Directory") |
		[.output, .output_fields]' | sort >"$T/replayed"
	jq -S -c 'select(.rule == "File" or .rule == "Directory") | [.output, .output_fields]' "$ALERTS" | sort >"$T/live"
	[ "$(wc -l <"$T/live")" -ge 2 ]
	diff "$T/live" "$T/replayed"
	# With other values the rule that asks for one does not match, and what is not there is an error.
	sed 's/site: here/site: there/' "$T/shrike.yaml" >"$T/other.yaml"
	[ "$(shrike replay "$T/r.events" --rules "$T/rules.yaml" -c "$T/other.yaml" --json | jq -r .rule | sort -u)" = Directory ]
	run shrike replay "$T/r.events" --rules "$T/rules.yaml"
	[ "$status" = 1 ]
	[[ "$output" == *"static.site"* ]]
}

@test "shrike check and rules take the configuration" {
	run shrike check -c "$T/shrike.yaml" "$T/rules.yaml" "$T/policies/default.yaml"
	[ "$status" = 0 ]
	run shrike check "$T/rules.yaml"
	[ "$status" = 1 ]
	run shrike rules list -c "$T/shrike.yaml" "$T/rules.yaml"
	[ "$status" = 0 ]
	[[ "$output" == *File* ]]
	run shrike config "$T/shrike.yaml" --dump
	[ "$status" = 0 ]
	[[ "$output" == *"site: \"here\""* ]]
}

@test "control characters and broken UTF-8 in names are U+FFFD in conditions, alerts and verdicts" {
	local r
	cat >"$T/rules.yaml" <<-'END'
		- rule: Odd name
		  desc: names that differ in such characters alone are one text
		  condition: evt.type in (open, openat, openat2) and fd.name = "/etc/odd�name"
		  output: "odd %fd.name by %proc.cmdline"
		  priority: WARNING
		- rule: Newline
		  desc: no value has one
		  condition: evt.type in (open, openat, openat2) and fd.name contains "\n"
		  output: "newline"
		  priority: WARNING
	END
	policy <<-END
		policy: default
		mode: enforce
		strict: false
		rules: { files: [$T/rules.yaml] }
		actions:
		  - match: { rules: ["Odd name"] }
		    then: { deny: EPERM }
	END
	for r in $RUNTIMES; do
		rm -f "$ALERTS"
		start_daemon
		# shellcheck disable=SC2016
		program 'for c in "\001" "\377" "\012"; do n=$(printf "/etc/odd${c}name."); cat "${n%.}"; done; cat /etc/oddname; true'
		run_in "$r" "odd-$r" "$T/b" >"$T/out" 2>&1
		expect_alert "Odd name"
		wait_idle
		[ "$(alerts_of "Odd name" | wc -l)" = 3 ]
		refute has_alert Newline
		[ "$(field "Odd name" '.output_fields["fd.name"]')" = "/etc/odd�name" ]
		[ "$(grep -ac 'not permitted' "$T/out")" = 3 ]
		# Every line is valid UTF-8 and one alert.
		iconv -f UTF-8 -t UTF-8 "$ALERTS" >/dev/null
		jq -e . "$ALERTS" >/dev/null
		stop_daemon
	done
}

@test "an output on this machine gets what it asks for: priority, rules, tags" {
	local r
	write_config "  - file: { path: $T/tagged.json, tags: [ files ] }" "  - file: { path: $T/dirs.json, rules: [ 'Dir*' ] }" \
		"  - file: { path: $T/rest.json, not_rules: [ File ], min_priority: notice }" \
		"  - file: { path: $T/loud.json, min_priority: warning, not_rules: [ Directory ] }" "static_fields:" "  site: here" "  zone.name: east"
	program 'cat /etc/odd-1; mkdir /tmp/d; true'
	of() { jq -r .rule "$T/$1.json" 2>/dev/null | sort -u | tr '\n' ' '; }
	for r in $RUNTIMES; do
		rm -rf "$T"/*.json "$T/b/rootfs/tmp/d"
		start_daemon
		run_in "$r" "sel-$r" "$T/b" >"$T/out" 2>&1
		expect_alert File
		expect_alert Directory
		wait_idle
		stop_daemon
		[ "$(of tagged)" = "File " ]
		[ "$(of dirs)" = "Directory " ]
		[ "$(of rest)" = "Directory " ]
		[ "$(of loud)" = "File " ]
	done
}

@test "what a policy's limit holds back is told by its number, also at the end, and is in the metrics" {
	local r told
	need curl
	cat >"$T/rules.yaml" <<-'END'
		- rule: Many
		  desc: a directory was made
		  condition: evt.type in (mkdir, mkdirat)
		  output: made
		  priority: NOTICE
	END
	policy <<-END
		policy: default
		rules: { files: [$T/rules.yaml] }
		limits: { alerts_per_second: 1, burst: 5 }
	END
	write_config "metrics_listen: $T/metrics.sock" "gateway_user: daemon" "spool_dir: $T/spool"
	# shellcheck disable=SC2016
	program 'i=0; while [ $i -lt 200 ]; do echo /tmp/d$i; i=$((i + 1)); done | xargs mkdir'
	ln -sf /bin/busybox "$T/b/rootfs/bin/xargs"
	told() { alerts_of "Shrike internal: alerts held back" | jq -s 'map(select(.output_fields.rule == "Many").output_fields.count) | add // 0'; }
	all_told() { [ $(($(alerts_of Many | wc -l) + $(told))) = 200 ]; }
	counted() {
		[ "$(curl -s --unix-socket "$T/metrics.sock" http://localhost/metrics | sed -n 's/^shrike_alerts_limited_total //p')" = "$(told)" ]
	}
	for r in $RUNTIMES; do
		rm -rf "$ALERTS" "$T/b/rootfs/tmp"/*
		start_daemon
		run_in "$r" "many-$r" "$T/b" >"$T/out" 2>&1
		wait_until 10 all_told
		[ "$(told)" -ge 150 ]
		wait_until 10 counted
		# The page with everything that an engine counts.
		curl -s --unix-socket "$T/metrics.sock" http://localhost/metrics >"$T/metrics"
		grep -q '^shrike_decision_seconds_count [1-9]' "$T/metrics"
		grep -q '^shrike_local_output_sent_total{output="file:' "$T/metrics"
		! command -v promtool >/dev/null || promtool check metrics <"$T/metrics" >"$T/promtool" 2>&1 || { cat "$T/promtool"; false; }
		# Whatever is held back when the daemon ends.
		rm -rf "$T/b/rootfs/tmp"/*
		: >"$ALERTS"
		run_in "$r" "more-$r" "$T/b" >"$T/out" 2>&1
		stop_daemon
		all_told
	done
}
