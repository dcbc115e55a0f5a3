#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# shrike top and the filters of shrike events, on alerts of real containers.

load lib

setup() {
	need_root
	need runc jq busybox
	shk_setup
	cat >"$T/rules.yaml" <<-'END'
		- rule: Loud file
		  desc: a file was opened
		  condition: evt.type in (open, openat) and fd.name startswith /odd/
		  output: "loud %fd.name"
		  priority: ERROR
		- rule: Quiet file
		  desc: another one was
		  condition: evt.type in (open, openat) and fd.name startswith /even/
		  output: "quiet %fd.name"
		  priority: NOTICE
	END
	policy <<-END
		policy: default
		rules: { files: [$T/rules.yaml] }
	END
	start_daemon
	ARGS='["/bin/sh", "-c", "read x </odd/1; read x </even/1; read x </odd/2; sleep 30"]'
	ARGS=$(jq -c '.[2] |= "for f in /odd/1 /even/1 /odd/2; do { read x <$f; } 2>/dev/null; done; sleep 30"' <<<"$ARGS") \
		make_bundle "$T/b"
	add_hook "$T/b" prestart
	start runc "one-$$" "$T/b"
	start runc "two-$$" "$T/b"
	expect_alert "Loud file" "one-$$"
	all_six() { [ "$(jq -r .rule "$ALERTS" | grep -c file)" = 6 ]; }
	wait_until 10 all_six
}

teardown() {
	[ -z "${T:-}" ] || shk_teardown
}

events() {
	"$SHK_BUILDDIR/shrike" events "$@" --json | jq -r '"\(.rule) \(.shrike.container.id)"' | sort | uniq -c |
		awk '{ $1 = $1; print }'
}

@test "events: filters by container, priority, rule and time, alone and together" {
	[ "$(events --priority error | grep -c .)" = 2 ]
	[ "$(events --priority error --container "one-$$")" = "2 Loud file one-$$" ]
	[ "$(events --rule 'quiet*' --container "two-$$")" = "1 Quiet file two-$$" ]
	[ "$(events --container "one-$$" --container "two-$$" | awk '{ s += $1 } END { print s }')" = 6 ]
	[ "$(events --since 1h | awk '{ s += $1 } END { print s }')" -ge 6 ]
	[ -z "$(events --since "$(date -u -d '+1 hour' +%Y-%m-%dT%H:%M)")" ]
	# The last of those that pass, not those that pass of the last.
	[ "$(events --rule 'Quiet file' -n 1)" = "1 Quiet file two-$$" ] || [ "$(events --rule 'Quiet file' -n 1)" = "1 Quiet file one-$$" ]
	run "$SHK_BUILDDIR/shrike" events --since yesterday
	[ "$status" = 2 ]
	[[ $output == *"30s, 10m"* ]]
	run "$SHK_BUILDDIR/shrike" events --priority warn
	[ "$status" = 2 ]
}

@test "events: a file of alerts is history; following takes filters" {
	[ "$(events --file "$ALERTS" --rule 'Loud*' | awk '{ s += $1 } END { print s }')" = 4 ]
	[ "$("$SHK_BUILDDIR/shrike" events --file - --priority error -n 1 <"$ALERTS" | grep -c 'Error loud /odd/')" = 1 ]
	# Nothing of it is obeyed by a terminal, and nothing hides in it.
	jq -c '.output += " \u001b[2J\u009b1m\nError forged \u202e\u200b"' "$ALERTS" | head -n 1 >"$T/hostile"
	"$SHK_BUILDDIR/shrike" events --file "$T/hostile" >"$T/shown"
	[ "$(wc -l <"$T/shown")" = 1 ]
	refute grep -qP '[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\x8b\xae]' "$T/shown"
	grep -q 'Error forged .u202e.u200b$' "$T/shown"
	# A terminal gets JSON that way as well.
	script -qec "'$SHK_BUILDDIR/shrike' events --json --file '$T/hostile'" /dev/null </dev/null >"$T/shown"
	refute grep -qP '[\x00-\x09\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\x8b\xae]' "$T/shown"
	grep -q forged "$T/shown"
	run "$SHK_BUILDDIR/shrike" events --file "$T/none"
	[ "$status" = 4 ]
	"$SHK_BUILDDIR/shrike" events -f --rule 'Quiet*' >"$T/followed" 3>&- &
	local follower=$!
	start runc "three-$$" "$T/b"
	three_quiet() { [ "$(grep -c quiet "$T/followed")" = 3 ]; }
	wait_until 10 three_quiet
	kill "$follower"
	refute grep -q loud "$T/followed"
}

@test "top: containers, calls, rules and the time of a decision" {
	"$SHK_BUILDDIR/shrike" top -d 1 -n 1 >"$T/top"
	cat "$T/top"
	grep -q '^2 containers' "$T/top"
	grep -q '^decision: half' "$T/top"
	grep -qE "^one-$$ .* default " "$T/top"
	grep -qE '^openat +[0-9.]+ +[1-9]' "$T/top"
	grep -qE '^Loud file +[0-9.]+ +4$' "$T/top"
	"$SHK_BUILDDIR/shrike" top -d 1 -n 1 --json >"$T/json"
	jq -e '.rules["Loud file"] == 4 and .rules["Quiet file"] == 2 and .alerts == 6 and (.containers | length) == 2 and
		(.latency.counts | add) > 6 and (.latency.bounds_ns | length) + 1 == (.latency.counts | length)' "$T/json"
	run "$SHK_BUILDDIR/shrike" top -d 0
	[ "$status" = 2 ]
}
