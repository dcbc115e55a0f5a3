#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# podman: by the hooks.d file that is installed, and with shrike-runtime as its runtime; what is known of its
# containers. The image is imported from a directory, no registry is asked.

load lib

IMAGE=localhost/shrike-test:1.2

setup_file() {
	[ "$(id -u)" = 0 ] && command -v podman busybox >/dev/null || return 0
	make_rootfs "$BATS_FILE_TMPDIR/rootfs"
	tar -C "$BATS_FILE_TMPDIR/rootfs" -c -f "$BATS_FILE_TMPDIR/root.tar" .
	engine import "$BATS_FILE_TMPDIR/root.tar" $IMAGE >/dev/null
}

teardown_file() {
	local m
	[ -d "$BATS_FILE_TMPDIR/p" ] || return 0
	# podman leaves mounts of its storage.
	awk -v d="$BATS_FILE_TMPDIR/p/" 'index($5, d) == 1 { print $5 }' /proc/self/mountinfo | sort -r |
		while read -r m; do umount "$m" || true; done
}

setup() {
	need_root
	need podman runc crun jq busybox
	shk_setup
	policy <<-END
		policy: default
		mode: observe
		rules: { files: [shrike_rules.yaml] }
		rule_matching: all
		limits: { alerts_per_second: 0, burst: 0 }
	END
	policy image <<-END
		policy: by-image
		match:
		  - image: "localhost/shrike-test*"
		    name: "web-*"
		mode: enforce
		strict: false
		rules: { files: [shrike_rules.yaml] }
		rule_matching: all
		limits: { alerts_per_second: 0, burst: 0 }
		actions:
		  - match: { rules: ["Rename below binary dir"] }
		    then: { deny: EPERM }
	END
	mkdir "$T/hooks.d"
	sed -e "s|@pkglibexecdir@|$SHK_BUILDDIR|" -e "s|\"auto\"|\"--socket\", \"$T/control.sock\", \"auto\"|" \
		"$SHK_SRCDIR/hooks/oci/shrike.json.in" >"$T/hooks.d/shrike.json"
	HOOKS="--hooks-dir $T/hooks.d"
	WRAPPER="--runtime $SHK_BUILDDIR/shrike-runtime --runtime-flag shrike-socket=$T/control.sock"
	MADE=
	start_daemon
}

teardown() {
	local m
	for m in ${MADE:-}; do
		pod "${m%%:*}" "" rm -f -t 0 "${m#*:}" >/dev/null 2>&1 || true
	done
	[ -z "${T:-}" ] || shk_teardown
}

engine() {
	local p=$BATS_FILE_TMPDIR/p
	command podman --root "$p/store" --runroot "$p/run" --tmpdir "$p/tmp" --storage-driver vfs \
		--events-backend file --cgroup-manager cgroupfs "$@" 3>&-
}

# pod RUNTIME OPTIONS ARGS...: podman with runc or crun below.
pod() {
	local r=$1 options=$2
	shift 2
	if [ "$r" = crun ] && hybrid_cgroups; then
		export -f engine
		# shellcheck disable=SC2016,SC2086
		unshare -m --propagation private bash -c 'umount -R /sys/fs/cgroup &&
			mount -t cgroup2 cgroup2 /sys/fs/cgroup && engine "$@"' bash --runtime crun $options "$@"
	elif [ "$r" = crun ]; then
		# shellcheck disable=SC2086
		engine --runtime crun $options "$@"
	else
		# shellcheck disable=SC2086
		engine --runtime runc $options "$@"
	fi
}

# pod_run RUNTIME OPTIONS NAME ARGS...: detached; limits as every host has them.
pod_run() {
	local r=$1 options=$2 name=$3 cgroups=
	shift 3
	[ "$r" = crun ] && cgroups=--cgroups=disabled
	MADE="$MADE $r:$name"
	# shellcheck disable=SC2086
	pod "$r" "$options" run -d --name "$name" --network none $cgroups --pids-limit=-1 \
		--ulimit nofile=1024:1024 --ulimit nproc=1024:1024 "$@" </dev/null
}

RENAMES='/opt/act rename /usr/bin/tool /usr/bin/x; exec /bin/sleep 1000'

full_id() {
	engine inspect --format '{{.Id}}' "$1"
}

@test "hooks.d: supervised, and known by name, image and engine" {
	local r id
	for r in $RUNTIMES; do
		pod_run "$r" "$HOOKS" "plain-$r" $IMAGE /bin/sh -c "$RENAMES"
		id=$(full_id "plain-$r")
		expect_alert "Rename below binary dir" "$id"
		[ "$(ps_field "$id" name)" = "plain-$r" ]
		[ "$(ps_field "$id" image)" = $IMAGE ]
		[ "$(ps_field "$id" engine)" = podman ]
		[ "$(ps_field "$id" way)" = hook ]
		[ "$(ps_field "$id" policy)" = default ]
		alerts_of "Rename below binary dir" "$id" | jq -e '
			.output_fields["container.image.repository"] == "localhost/shrike-test" and
			.output_fields["container.name"] == "plain-'"$r"'"'
		pod "$r" "$HOOKS" rm -f -t 0 "plain-$r"
		wait_until 5 no_containers
	done
}

@test "a policy is chosen by image and name, and refuses" {
	local r id
	for r in $RUNTIMES; do
		pod_run "$r" "$HOOKS" "web-$r" --rm $IMAGE /bin/sh -c "$RENAMES"
		id=$(full_id "web-$r")
		[ "$(ps_field "$id" policy)" = by-image ]
		expect_alert "Rename below binary dir" "$id"
		[[ $(engine logs "web-$r") == *EPERM* ]]
		pod "$r" "$HOOKS" rm -f -t 0 "web-$r"
	done
}

@test "podman exec past the wrapper is judged from its first program on" {
	local r id
	for r in $RUNTIMES; do
		pod_run "$r" "$HOOKS" "web-$r" $IMAGE /bin/sleep 1000
		id=$(full_id "web-$r")
		run pod "$r" "$HOOKS" exec "web-$r" /opt/act rename /usr/bin/tool /usr/bin/x
		echo "$r: $output"
		[[ $output == *EPERM* ]]
		run pod "$r" "$HOOKS" exec "web-$r" /bin/sh -c 'echo in the session'
		[[ $output == *"in the session"* ]]
		expect_alert "Shell spawned in container" "$id"
		expect_no_alert "Shrike internal: exec session not supervised" "$id"
		pod "$r" "$HOOKS" rm -f -t 0 "web-$r"
	done
}

@test "stopped and started again" {
	local r id
	for r in $RUNTIMES; do
		pod_run "$r" "$HOOKS" "web-$r" $IMAGE /bin/sh -c "$RENAMES"
		id=$(full_id "web-$r")
		expect_alert "Rename below binary dir" "$id"
		pod "$r" "$HOOKS" stop -t 0 "web-$r"
		wait_until 5 no_containers
		pod "$r" "$HOOKS" start "web-$r"
		[ "$(ps_field "$id" policy)" = by-image ]
		wait_until 5 denied_by "$id"
		pod "$r" "$HOOKS" rm -f -t 0 "web-$r"
		wait_until 5 no_containers
	done
}

denied_by() {
	[ "$(ps_field "$1" denied)" = 1 ]
}

@test "shrike-runtime as podman's runtime: container and exec sessions" {
	local id
	pod_run runc "$WRAPPER" web-w $IMAGE /bin/sh -c "$RENAMES"
	id=$(full_id web-w)
	expect_alert "Rename below binary dir" "$id"
	[ "$(ps_field "$id" way)" = wrapper ]
	[ "$(ps_field "$id" policy)" = by-image ]
	[ "$(ps_field "$id" name)" = web-w ]
	[[ $(engine logs web-w) == *EPERM* ]]
	run pod runc "$WRAPPER" exec web-w /opt/act rename /usr/bin/tool /usr/bin/x
	echo "$output"
	[[ $output == *EPERM* ]]
	[ "$(alerts_of "Rename below binary dir" "$id" | wc -l)" = 2 ]
	pod runc "$WRAPPER" restart -t 0 web-w
	wait_until 5 denied_by "$id"
	pod runc "$WRAPPER" rm -f -t 0 web-w
	wait_until 5 no_containers
}

@test "hooks.d and shrike-runtime together: one registration" {
	local id
	pod_run runc "$HOOKS $WRAPPER" web-b $IMAGE /bin/sh -c "$RENAMES"
	id=$(full_id web-b)
	[ "$(n_containers)" = 1 ]
	[ "$(ps_field "$id" listeners)" = 1 ]
	expect_alert "Rename below binary dir" "$id"
	run pod runc "$HOOKS $WRAPPER" exec web-b /opt/act rename /usr/bin/tool /usr/bin/x
	[[ $output == *EPERM* ]]
}

@test "no supervisor: the container does not start, and podman shows why" {
	stop_daemon
	run pod_run runc "$WRAPPER" web-n $IMAGE /bin/true
	echo "$output"
	[ "$status" -ne 0 ]
	[[ $output == *"shrike-runtime: "*"control.sock; start shriked"* ]]
}

@test "a privileged container is said to be one" {
	local id
	pod_run runc "$HOOKS" plain-p --privileged $IMAGE /bin/sleep 1000
	id=$(full_id plain-p)
	wait_until 5 has_alert "Shrike internal: privileged container" "$id" ||
		jq -r .rule "$ALERTS" | sort | uniq -c
	has_alert "Shrike internal: privileged container" "$id"
}

@test "podman's own profile, completed: judged, and what it refuses by capability stays refused" {
	local id base=/usr/share/containers/seccomp.json
	[ -e $base ] || skip "podman's profile is not installed"
	"$SHK_BUILDDIR/shrike" profile --policy-dir "$T/policies" --rules-path "$SHK_SRCDIR/rules" \
		--listener "$T/notify.sock" --base $base by-image >"$T/profile.json"
	jq -e '[.syscalls[] | select(.names | index("init_module")) | [.action, .includes.caps, .excludes.caps]] ==
		[["SCMP_ACT_NOTIFY", ["CAP_SYS_MODULE"], null], ["SCMP_ACT_ERRNO", null, ["CAP_SYS_MODULE"]]]' "$T/profile.json"
	pod_run runc "--log-level error" web-c --security-opt "seccomp=$T/profile.json" $IMAGE /bin/sh -c "$RENAMES"
	id=$(full_id web-c)
	expect_alert "Rename below binary dir" "$id"
	[ "$(ps_field "$id" way)" = profile ]
	[ "$(ps_field "$id" policy)" = by-image ]
	[ "$(ps_field "$id" name)" = web-c ]
	run pod runc "" exec web-c /opt/act rename /usr/bin/tool /usr/bin/x
	[[ $output == *EPERM* ]]
}
