#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# docker and containerd with shrike-runtime: daemons of the test's own, without network; images are imported.

load lib

IMAGE=shrike-test:1.2

# Debian's programs; another docker may stand first in PATH.
docker() {
	command /usr/bin/docker -H "unix://$BATS_FILE_TMPDIR/docker.sock" "$@" 3>&-
}

containerd_ctl() {
	command ctr -a "$BATS_FILE_TMPDIR/containerd.sock" "$@" 3>&-
}

present() {
	[ -x /usr/sbin/dockerd ] && [ -x /usr/bin/docker ] && command -v containerd ctr busybox >/dev/null
}

setup_file() {
	local d=$BATS_FILE_TMPDIR
	[ "$(id -u)" = 0 ] && present || return 0
	# One place for the socket of all tests: dockerd and containerd are told once.
	cat >"$d/daemon.json" <<-END
		{ "bridge": "none", "iptables": false, "ip-forward": false, "storage-driver": "vfs",
		  "data-root": "$d/docker", "exec-root": "$d/exec", "pidfile": "$d/docker.pid", "deprecated-key-path": "$d/key.json",
		  "hosts": ["unix://$d/docker.sock"],
		  "runtimes": { "shrike": { "path": "$SHK_BUILDDIR/shrike-runtime",
			"runtimeArgs": ["--shrike-socket=$d/control.sock"] } } }
	END
	cat >"$d/containerd.toml" <<-END
		version = 2
		root = "$d/containerd"
		state = "$d/containerd-state"
		disabled_plugins = ["io.containerd.grpc.v1.cri"]
		[grpc]
		address = "$d/containerd.sock"
		[debug]
		address = "$d/containerd-debug.sock"
	END
	/usr/sbin/dockerd --config-file "$d/daemon.json" >"$d/docker.log" 2>&1 3>&- &
	echo $! >"$d/pids"
	SHRIKE_SOCKET=$d/control.sock containerd -c "$d/containerd.toml" >"$d/containerd.log" 2>&1 3>&- &
	echo $! >>"$d/pids"
	make_rootfs "$d/rootfs"
	tar -C "$d/rootfs" -c -f "$d/root.tar" .
	wait_until 60 docker info >/dev/null 2>&1 || { tail -n 20 "$d/docker.log" >&2; return 1; }
	docker import "$d/root.tar" $IMAGE
	docker save $IMAGE -o "$d/image.tar"
	wait_until 30 containerd_ctl images import --snapshotter native "$d/image.tar" >/dev/null 2>&1 || {
		tail -n 20 "$d/containerd.log" >&2
		return 1
	}
}

teardown_file() {
	local p m d=$BATS_FILE_TMPDIR
	[ -e "$d/pids" ] || return 0
	# shellcheck disable=SC2046
	docker rm -f $(docker ps -aq) >/dev/null 2>&1 || true
	while read -r p; do
		kill "$p" 2>/dev/null || true
		wait_until 20 ended "$p" || kill -9 "$p" || true
	done <"$d/pids"
	awk -v d="$d/" 'index($5, d) == 1 { print $5 }' /proc/self/mountinfo | sort -r |
		while read -r m; do umount "$m" || true; done
}

ended() {
	refute kill -0 "$1" 2>/dev/null
}

setup() {
	need_root
	need runc jq busybox
	present || skip "docker.io is not installed"
	shk_setup
	# The daemons know this one.
	ln -s "$T/control.sock" "$BATS_FILE_TMPDIR/control.sock"
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
		  - image: "shrike-test*"
		  - id: "shk-ctr-*"
		mode: enforce
		strict: false
		rules: { files: [shrike_rules.yaml] }
		rule_matching: all
		limits: { alerts_per_second: 0, burst: 0 }
		actions:
		  - match: { rules: ["Rename below binary dir"] }
		    then: { deny: EPERM }
	END
	start_daemon
}

teardown() {
	rm -f "$BATS_FILE_TMPDIR/control.sock"
	[ -z "${T:-}" ] || shk_teardown
}

docker_run() {
	docker run -d --runtime shrike --network none --ulimit nofile=1024:1024 "$@" </dev/null
}

RENAMES='/opt/act rename /usr/bin/tool /usr/bin/x; exec /bin/sleep 1000'

denied_by() {
	[ "$(ps_field "$1" denied)" -ge "$2" ]
}

@test "docker: supervised by --runtime, known by name and image, judged by the image's policy" {
	local id
	id=$(docker_run --name web $IMAGE /bin/sh -c "$RENAMES")
	expect_alert "Rename below binary dir" "$id"
	[ "$(ps_field "$id" name)" = web ]
	[ "$(ps_field "$id" image)" = $IMAGE ]
	[ "$(ps_field "$id" engine)" = docker ]
	[ "$(ps_field "$id" runtime)" = runc ]
	[ "$(ps_field "$id" way)" = wrapper ]
	[ "$(ps_field "$id" policy)" = by-image ]
	wait_until 5 denied_by "$id" 1
	[[ $(docker logs web) == *EPERM* ]]
	docker rm -f web
	wait_until 5 no_containers
}

@test "docker exec is judged" {
	local id
	id=$(docker_run --name web $IMAGE /bin/sleep 1000)
	run docker exec web /opt/act rename /usr/bin/tool /usr/bin/x
	echo "$output"
	[[ $output == *EPERM* ]]
	expect_alert "Rename below binary dir" "$id"
	run docker exec web /bin/sh -c 'echo in the session'
	[ "$output" = "in the session" ]
	docker rm -f web
}

@test "docker restart: supervised again" {
	local id
	id=$(docker_run --name web $IMAGE /bin/sh -c "$RENAMES")
	wait_until 5 denied_by "$id" 1
	docker restart -t 0 web
	wait_until 5 denied_by "$id" 1
	[ "$(n_containers)" = 1 ]
	docker rm -f web
}

@test "docker: no supervisor, no container; docker shows why" {
	stop_daemon
	run docker_run --name none $IMAGE /bin/true
	echo "$output"
	[ "$status" -ne 0 ]
	[[ $output == *"shrike-runtime: "*"start shriked"* ]]
	docker rm -f none
}

@test "docker: the default runtime is left alone" {
	run docker run --rm --network none --ulimit nofile=1024:1024 $IMAGE /bin/echo hello
	[ "$output" = hello ]
	[ "$(n_containers)" = 0 ]
}

@test "containerd: the shim's runtime binary is the wrapper" {
	local id=shk-ctr-$$
	containerd_ctl run -d --snapshotter native --runc-binary "$SHK_BUILDDIR/shrike-runtime" \
		"docker.io/library/$IMAGE" "$id" /bin/sh -c "$RENAMES" >"$T/ctr.out" 2>&1 </dev/null
	wait_until 5 denied_by "$id" 1
	[ "$(ps_field "$id" engine)" = containerd ]
	[ "$(ps_field "$id" policy)" = by-image ]
	run containerd_ctl task exec --exec-id e1 "$id" /opt/act rename /usr/bin/tool /usr/bin/x
	echo "$output"
	[[ $output == *EPERM* ]]
	containerd_ctl task kill -s 9 "$id"
	wait_until 5 ctr_stopped "$id"
	containerd_ctl task rm "$id" || true
	containerd_ctl containers rm "$id"
	wait_until 5 no_containers
}

ctr_stopped() {
	containerd_ctl task ls | grep -q "$1.*STOPPED"
}
