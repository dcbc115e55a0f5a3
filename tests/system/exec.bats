#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# An execve that was allowed runs what was judged, whatever changes in between; and nobody notices that it is
# compared.

load lib

setup() {
	need_root
	need runc crun jq busybox
	shk_setup
	ATTEMPTS=${SHK_LONG:+20000}
	ATTEMPTS=${ATTEMPTS:-2000}
}

teardown() {
	[ -z "${T:-}" ] || shk_teardown
}

# forbidding [POLICY-LINE...]: whatever is called evil, or is told something forbidden.
forbidding() {
	cat >"$T/rules.yaml" <<-'END'
		- rule: Evil program
		  desc: The program or its arguments are not allowed.
		  condition: >
		    evt.type in (execve, execveat) and
		    (proc.exepath = /race/evil or proc.args contains forbidden)
		  output: evil program (exe=%proc.exepath args=%proc.args)
		  priority: CRITICAL
		- rule: Good program
		  desc: An allowed one, to see what is said of it.
		  condition: evt.type = execve and proc.exepath = /race/good
		  output: good program (exe=%proc.exepath)
		  priority: NOTICE
	END
	{
		cat <<-END
			policy: default
			rules: { files: [$T/rules.yaml] }
			mode: enforce
			limits: { alerts_per_second: 5, burst: 5 }
			actions:
			  - match: { rules: ["Evil program"] }
			    then: { deny: EPERM }
		END
		printf '%s\n' "$@"
	} | policy
	start_daemon
	ARGS='["/bin/true"]' make_bundle "$T/b"
	install -m 755 "$SHK_BUILDDIR/tests/attack/exec_flip" "$T/b/rootfs/opt/"
	add_hook "$T/b" prestart
}

args() {
	jq --argjson args "$(printf '%s\n' "$@" | jq -R . | jq -sc .)" '.process.args = $args' \
		"$T/b/config.json" >"$T/b/config.new" && mv "$T/b/config.new" "$T/b/config.json"
}

# count WORD: the number behind it in exec_flip's line.
count() {
	sed -n "s/.* $1 \([0-9]*\).*/\1/p; s/^$1 \([0-9]*\).*/\1/p" <<<"$output" | head -n 1
}

# race RUNTIME WAY ATTEMPTS
race() {
	rm -rf "$T/b/rootfs/race"
	mkdir "$T/b/rootfs/race"
	args /opt/exec_flip "$2" "$3" /race
	run run_in "$1" "x-$1-$2-$$" "$T/b"
	echo "$1 $2: $output"
	[ "$status" = 0 ]
}

@test "exchange races: nothing but what was judged runs" {
	forbidding
	local r w n
	for r in $RUNTIMES; do
		for w in names memory link fd args script leader; do
			n=$ATTEMPTS
			[ "$w" = names ] || [ "$w" = memory ] || n=$((ATTEMPTS / 5))
			race "$r" "$w" "$n"
			[ "$(count evil)" = 0 ]
			[ "$(count good)" -gt 0 ]
		done
		race "$r" missing "$((ATTEMPTS / 5))"
		[ "$(count evil)" = 0 ]
	done
	expect_alert "Shrike internal: exec was exchanged"
	alerts_of "Shrike internal: exec was exchanged" | jq -r .output | sort | uniq -c | sort -n | tail -n 20
	alerts_of "Shrike internal: exec was exchanged" | jq -r .output | grep -q 'judged "/race/good", loaded "/race/evil"'
	[ "$(alerts_of "Good program" | jq -r .shrike.guarantee | sort -u)" = verified ]
}

@test "the same races are won where execve is not verified" {
	forbidding "exec_verify: off" "strict: false"
	local w won=0
	for w in names memory args; do
		race runc "$w" "$((ATTEMPTS / 2))"
		won=$((won + $(count evil)))
	done
	[ "$won" -gt 0 ]
	[ "$(alerts_of "Good program" | jq -r .shrike.guarantee | sort -u)" = best-effort ]
}
