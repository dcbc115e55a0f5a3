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
	ATTEMPTS=${SHK_EXEC_ATTEMPTS:-${SHK_LONG:+20000}}
	ATTEMPTS=${ATTEMPTS:-2000}
	# Seconds for each race, where a loaded machine would make a few of them last for minutes.
	LIMIT=$([ -n "${SHK_LONG:-}" ] || echo ":${SHK_EXEC_SECONDS:-$((${SHK_SLOW:-1} > 1 ? 20 : 4))}")
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
	install -m 755 "$SHK_BUILDDIR"/tests/attack/exec_{flip,quiet} "$T/b/rootfs/opt/"
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
	args /opt/exec_flip "$2" "$3$LIMIT" /race
	run run_in "$1" "x-$1-$2-$$" "$T/b"
	echo "$1 $2: $output"
	[ "$status" = 0 ]
}

# races ATTEMPTS: each way, nothing evil.
races() {
	local r w n
	for r in $RUNTIMES; do
		for w in names memory link fd args script leader; do
			n=$1
			# Each outcome is to come up.
			[ "$w" = names ] || [ "$w" = memory ] || n=$(($1 / 5 < 30 ? 30 : $1 / 5))
			race "$r" "$w" "$n"
			[ "$(count evil)" = 0 ]
			[ "$(count good)" -gt 0 ]
			# Files that the kernel opens are compared first: the execve fails, nobody is killed for it.
			[ "$w" = args ] || [ "${2:-}" = ptrace ] || module_holds || [ "$(count killed)" = 0 ]
		done
		race "$r" missing "$(($1 / 5))"
		[ "$(count evil)" = 0 ]
	done
	expect_alert "Shrike internal: exec was exchanged"
	alerts_of "Shrike internal: exec was exchanged" | jq -r .output | sort | uniq -c | sort -n | tail -n 20
	[ "$(alerts_of "Good program" | jq -r .shrike.guarantee | sort -u)" = verified ]
}

@test "exchange races: nothing but what was judged runs" {
	forbidding
	races "$ATTEMPTS"
	module_holds ||
		alerts_of "Shrike internal: exec was exchanged" | jq -r .output | grep -q 'judged "/race/good", opened "/race/evil"'
}

@test "exchange races: the same where the task is traced and nothing else" {
	forbidding "exec_verify: ptrace"
	races "$((ATTEMPTS / 2))" ptrace
	alerts_of "Shrike internal: exec was exchanged" | jq -r .output | grep -q 'judged "/race/good", loaded "/race/evil"'
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

@test "a program sees nothing of it: errors, signals, stops, wait statuses, threads, setuid" {
	forbidding
	local r f
	jq '.process.noNewPrivileges = false | (.process.capabilities | .bounding, .effective, .permitted) +=
		["CAP_SETUID", "CAP_SETGID"]' "$T/b/config.json" >"$T/b/config.new"
	mv "$T/b/config.new" "$T/b/config.json"
	args /opt/exec_quiet /race
	for r in $RUNTIMES; do
		rm -rf "$T/b/rootfs/race"
		run run_in "$r" "q-$r-$$" "$T/b"
		echo "$output" >"$T/$r.verified"
		[ "$status" = 0 ]
		expect_no_alert "Shrike internal: exec was exchanged" "q-$r-$$"
	done
	jq 'del(.hooks)' "$T/b/config.json" >"$T/b/config.new"
	mv "$T/b/config.new" "$T/b/config.json"
	rm -rf "$T/b/rootfs/race"
	run run_in runc "q-native-$$" "$T/b"
	echo "$output" >"$T/native"
	for f in "$T"/*.verified; do
		diff -u "$T/native" "$f"
	done
	grep -q "^by a thread: 50 of 50" "$T/native"
	grep -q "^setuid: exit 41" "$T/native"
	grep -q "^memfd: exit 41" "$T/native"
	grep -q "^roundabout: exit 41" "$T/native"
}

@test "arguments and environments of any size are compared, and are what was judged" {
	forbidding
	cat >>"$T/rules.yaml" <<-'END'
		- rule: Environment
		  desc: One that is asked for is compared.
		  condition: evt.type in (execve, execveat) and proc.env contains NOWHERE
		  output: environment
		  priority: NOTICE
	END
	"$SHK_BUILDDIR/shrike" reload
	cat >"$T/b/rootfs/opt/sizes" <<-'END'
		b=/bin/busybox
		$b env -i $b sh -c 'echo "nothing: $#"'
		$b env -i $b sh -c 'echo "empty: $# $0"' "" "" "" c
		$b env -i A= B= $b sh -c 'echo "empty ones: ${A-none}${B-none}"'
		$b env $b sh -c 'echo "many: $#"' $($b seq 0 30000)
		long=$($b printf '%0100000d' 0)
		$b sh -c 'echo "long: ${#0}"' "$long"
		LONG=$long $b sh -c 'echo "long one: ${#LONG}"'
	END
	args /bin/sh /opt/sizes
	local r
	for r in $RUNTIMES; do
		run run_in "$r" "l-$r-$$" "$T/b"
		echo "$r: $output"
		[ "$output" = "$(printf '%s\n' 'nothing: 0' 'empty: 3 ' 'empty ones: ' 'many: 30000' 'long: 100000' 'long one: 100000')" ]
	done
	expect_no_alert "Shrike internal: exec was exchanged"
}

@test "a task that somebody else traces: refused, or let through where the policy says so" {
	forbidding "exec_verify: ptrace"
	args /opt/exec_quiet traced /race
	run run_in runc "t-$$" "$T/b"
	[ "$output" = "traced: EPERM" ]
	expect_alert "Shrike internal: exec of a traced task" "t-$$"
	stop_daemon
	sed -i '$a traced_exec: allow' "$T/policies/default.yaml"
	start_daemon
	run run_in runc "t2-$$" "$T/b"
	[ "$output" = "traced: stopped after its execve" ]
	expect_alert "Shrike internal: exec of a traced task" "t2-$$"
}

@test "the engine is killed while programs start: nothing unverified runs, and nobody hangs" {
	forbidding
	local r i pid before n=${SHK_EXEC_ATTEMPTS:+$((SHK_EXEC_ATTEMPTS * 10))}
	for r in $RUNTIMES; do
		rm -rf "$T/b/rootfs/race"
		mkdir "$T/b/rootfs/race"
		args /opt/exec_flip memory "${n:-3000}:12" /race
		IDS="$IDS $r:k-$r-$$"
		runtime "$r" run -b "$T/b" "k-$r-$$" >"$T/k.out" 2>&1 </dev/null 3>&- &
		pid=$!
		for ((i = 0; i < 10; i++)); do
			before=$(engine_pid)
			pause 0.2
			kill -0 "$pid" 2>/dev/null || break
			kill -KILL "$before" 2>/dev/null || true
			wait_until 10 another_engine "$before"
		done
		wait "$pid" || { cat "$T/k.out"; false; }
		output=$(cat "$T/k.out")
		echo "$r: $i kills: $output"
		[ "$i" -gt 0 ]
		[ "$(count evil)" = 0 ]
		[ "$(count good)" -gt 0 ]
	done
}

@test "explain says what a verdict on execve is worth" {
	forbidding
	"$SHK_BUILDDIR/shrike" explain "$T/policies/default.yaml" >"$T/explain"
	cat "$T/explain"
	grep -Eq '^execve +notify +enforced .* verified ' "$T/explain"
	grep -Eq '^execveat +notify +enforced .* verified ' "$T/explain"
	# That is enough for a policy which asks for guarantees; without comparing it is not.
	sed -i '$a strict: true' "$T/policies/default.yaml"
	"$SHK_BUILDDIR/shrike" explain "$T/policies/default.yaml"
	sed -i '$a exec_verify: off' "$T/policies/default.yaml"
	run "$SHK_BUILDDIR/shrike" explain "$T/policies/default.yaml"
	[ "$status" = 1 ]
	[[ $output == *"best-effort for execve"* ]]
}

# A user namespace has formats of its own (6.7): its root hands programs to whatever it likes.
BINFMT='mount -t binfmt_misc none /mnt && echo ":shk:M::SHKT::/race/evil:" >/mnt/register || exit 99; /race/prog; echo "it ended with $?"'

# binfmt ID: by a program of that format.
binfmt() {
	rm -rf "$T/b/rootfs/race"
	mkdir "$T/b/rootfs/race"
	cp "$SHK_BUILDDIR/tests/system/act" "$T/b/rootfs/race/evil"
	printf 'SHKT\n' >"$T/b/rootfs/race/prog"
	chmod 755 "$T/b/rootfs/race/prog"
	args /bin/busybox unshare -U -r -m /bin/sh -c "$BINFMT"
	# Root would need CAP_SETFCAP to map itself.
	jq '.process.user = { uid: 1000, gid: 1000 }' "$T/b/config.json" >"$T/n" && mv "$T/n" "$T/b/config.json"
	run run_in runc "$1" "$T/b"
	echo "$output"
	[ "$status" != 99 ] || skip "no binfmt_misc in user namespaces here"
}

@test "a program that binfmt_misc hands to another one: that one is not what was judged" {
	forbidding "exec_verify: off" "strict: false"
	binfmt "bo-$$"
	[[ $output == *"it ended with 2"* ]]
	stop_daemon
	sed -i 's/^exec_verify: off/exec_verify: auto/' "$T/policies/default.yaml"
	start_daemon
	binfmt "ba-$$"
	[[ $output == *"it ended with 137"* ]]
	expect_alert "Shrike internal: exec was exchanged" "ba-$$"
}
