#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# What a verdict does: refused calls have no effect, killed processes are gone, modes differ as they say.

load lib

setup() {
	need_root
	need runc crun jq busybox
	shk_setup
}

teardown() {
	[ -z "${T:-}" ] || shk_teardown
}

enforcing() {
	policy <<-END
		policy: default
		rules: { files: [shrike_rules.yaml] }
		mode: ${1:-enforce}
		strict: false
		actions:
		  - match: { rules: ["Kernel module load"] }
		    then: { kill: container }
		  - match: { rules: ["Ptrace of another process"] }
		    then: { kill: process }
		  - match: { rules: ["Rename below binary dir", "Remove below binary dir"] }
		    then: { deny: EPERM }
		  - match: { rules: ["Sensitive file opened for reading"] }
		    then: { deny: EACCES }
	END
	start_daemon
	ARGS=${ARGS:-'["/bin/true"]'} make_bundle "$T/b"
	add_hook "$T/b" prestart
}

args() {
	jq --argjson args "$(printf '%s\n' "$@" | jq -R . | jq -sc .)" '.process.args = $args' \
		"$T/b/config.json" >"$T/b/config.new" && mv "$T/b/config.new" "$T/b/config.json"
}

@test "deny: the call fails with the policy's errno and the file is unchanged" {
	enforcing
	local r sum
	sum=$(sha256sum <"$T/b/rootfs/usr/bin/tool")
	for r in $RUNTIMES; do
		args /opt/act rename /usr/bin/tool /usr/bin/evil -- unlink /usr/bin/tool -- open /etc/shadow r -- open /etc/motd r
		run run_in "$r" "v-$r-$$" "$T/b"
		echo "$output"
		[[ $output == *"rename EPERM"* ]]
		[[ $output == *"unlink EPERM"* ]]
		[[ $output == *"open EACCES"* ]]
		[[ $output == *"open ok"* ]]
		[ "$status" = 0 ]
		[ ! -e "$T/b/rootfs/usr/bin/evil" ]
		[ "$(sha256sum <"$T/b/rootfs/usr/bin/tool")" = "$sum" ]
		expect_alert "Rename below binary dir" "v-$r-$$"
		[ "$(alerts_of "Rename below binary dir" "v-$r-$$" | jq -r .shrike.verdict)" = deny ]
		[ "$(alerts_of "Rename below binary dir" "v-$r-$$" | jq -r .shrike.errno)" = EPERM ]
	done
}

@test "shadow: says what it would refuse and refuses nothing" {
	enforcing shadow
	local r
	for r in $RUNTIMES; do
		args /opt/act rename /usr/bin/tool /usr/bin/tool2 -- rename /usr/bin/tool2 /usr/bin/tool
		run run_in "$r" "v-$r-$$" "$T/b"
		[ "$output" = "rename ok
rename ok" ]
		expect_alert "Rename below binary dir" "v-$r-$$"
		[ "$(alerts_of "Rename below binary dir" "v-$r-$$" | jq -r .shrike.verdict | sort -u)" = would-deny ]
	done
}

@test "observe: an alert, and the call goes on" {
	enforcing observe
	local r
	for r in $RUNTIMES; do
		args /opt/act open /etc/shadow r
		run run_in "$r" "v-$r-$$" "$T/b"
		[ "$output" = "open ok" ]
		expect_alert "Sensitive file opened for reading" "v-$r-$$"
		[ "$(alerts_of "Sensitive file opened for reading" "v-$r-$$" | jq -r .shrike.verdict)" = allow ]
	done
}

@test "kill process: the process dies by SIGKILL before its call, the container goes on" {
	enforcing
	local r
	for r in $RUNTIMES; do
		args /bin/sh -c '/opt/act ptrace; echo "status $?"; /opt/act sleep 0'
		run run_in "$r" "v-$r-$$" "$T/b"
		echo "$output"
		[[ $output == *"status 137"* ]]
		[[ $output == *"sleep ok"* ]]
		expect_alert "Ptrace of another process" "v-$r-$$"
		[ "$(alerts_of "Ptrace of another process" "v-$r-$$" | jq -r .shrike.verdict)" = kill ]
	done
}

@test "kill container: nothing of it is left" {
	enforcing
	local r
	for r in $RUNTIMES; do
		args /bin/sh -c '/bin/sleep 1000 & /opt/act init_module; echo survived'
		run run_in "$r" "v-$r-$$" "$T/b"
		[[ $output != *survived* ]]
		[ "$status" -ne 0 ]
		expect_alert "Kernel module load" "v-$r-$$"
		wait_until 5 no_containers
	done
}

@test "threads and forks: every call of every task is judged" {
	enforcing
	local r
	for r in $RUNTIMES; do
		args /opt/act threads /etc/shadow -- forks 40
		run run_in "$r" "v-$r-$$" "$T/b"
		echo "$output"
		[ "$status" = 0 ]
		wait_until 5 denied_at_least "v-$r-$$" 1
	done
}

denied_at_least() {
	has_alert "Sensitive file opened for reading" "$1"
}

@test "an argument that cannot be read is refused, not let through" {
	enforcing
	local r
	for r in $RUNTIMES; do
		args /opt/act badptr
		run run_in "$r" "v-$r-$$" "$T/b"
		[ "$output" = "badptr EFAULT" ]
		expect_alert "Shrike internal: unreadable argument" "v-$r-$$"
	done
}

@test "policies are chosen by annotation, image, name and id" {
	policy default <<-END
		policy: default
		mode: observe
	END
	policy 10-annotated <<-END
		policy: annotated
		match:
		  - annotation: { org.example.tier: "front*" }
	END
	policy 20-named <<-END
		policy: named
		match:
		  - name: "web-*"
	END
	policy 30-image <<-END
		policy: imaged
		match:
		  - image: "*nginx*"
	END
	policy 40-id <<-END
		policy: by-id
		match:
		  - id: "special-*"
	END
	start_daemon
	make_bundle "$T/b"
	add_hook "$T/b" prestart
	start runc "plain-$$" "$T/b"
	[ "$(ps_field "plain-$$" policy)" = default ]
	start runc "web-$$" "$T/b"
	[ "$(ps_field "web-$$" policy)" = named ]
	start runc "special-$$" "$T/b"
	[ "$(ps_field "special-$$" policy)" = by-id ]
	jq '.annotations["org.example.tier"] = "frontend"' "$T/b/config.json" >"$T/n" && mv "$T/n" "$T/b/config.json"
	start runc "ann-$$" "$T/b"
	[ "$(ps_field "ann-$$" policy)" = annotated ]
	jq '.annotations = { "io.kubernetes.cri.image-name": "registry.example/nginx:1.25",
		"io.kubernetes.cri.container-type": "container", "io.kubernetes.cri.container-name": "front" }' \
		"$T/b/config.json" >"$T/n" && mv "$T/n" "$T/b/config.json"
	start runc "img-$$" "$T/b"
	[ "$(ps_field "img-$$" policy)" = imaged ]
}
