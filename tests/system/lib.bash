# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What the system tests share: a daemon of the build tree in a directory of its own, bundles, runtimes,
# and the alerts that arrived. Loaded by each .bats file with `load lib`.
#
# SHK_BUILDDIR and SHK_SRCDIR name build and source tree (make check-system sets them). SHK_SLOW: how many times as long as here
# things may take where the tests run (1). SHK_STATUS_LOG: a file that gets what each daemon says of itself before it is stopped.

: "${SHK_SRCDIR:=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)}"
: "${SHK_BUILDDIR:=$SHK_SRCDIR}"
# shellcheck disable=SC2034
RUNTIMES="${SHK_TEST_RUNTIMES:-runc crun}"
export PATH="$SHK_BUILDDIR:$PATH:/usr/sbin:/sbin"

need_root() {
	[ "$(id -u)" = 0 ] || skip "needs root"
}

need() {
	local c
	for c; do
		command -v "$c" >/dev/null || skip "$c is not installed"
	done
}

# crun refuses a hybrid cgroup hierarchy; there it gets a mount namespace with a unified one.
hybrid_cgroups() {
	[ ! -e /sys/fs/cgroup/cgroup.controllers ]
}

# runtime NAME ARGS...: runs runc or crun.
runtime() {
	local name=$1
	shift
	if [ "$name" = crun ] && hybrid_cgroups; then
		# shellcheck disable=SC2016
		unshare -m --propagation private sh -c 'umount -R /sys/fs/cgroup &&
			mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec crun "$@"' crun "$@"
	else
		command "$name" "$@"
	fi
}

# The same for shrike-runtime as the wrapper of NAME.
wrapped() {
	local name=$1
	shift
	if [ "$name" = crun ] && hybrid_cgroups; then
		# shellcheck disable=SC2016
		SHRIKE_RUNTIME=crun SHRIKE_SOCKET=$T/control.sock \
		unshare -m --propagation private sh -c 'umount -R /sys/fs/cgroup &&
			mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "$0" "$@"' "$SHK_BUILDDIR/shrike-runtime" "$@"
	else
		SHRIKE_RUNTIME=$name SHRIKE_SOCKET=$T/control.sock "$SHK_BUILDDIR/shrike-runtime" "$@"
	fi
}

# ---- a place of one's own ----

shk_setup() {
	T=$(mktemp -d "${BATS_TMPDIR:-/tmp}/shk.XXXXXX")
	mkdir -p "$T/policies"
	export SHRIKE_SOCKET=$T/control.sock
	ALERTS=$T/alerts.json
	KEEPER=
	IDS=
	# Read by builds with sanitizers only; programs whose standard error a runtime eats report here, too.
	export ASAN_OPTIONS=log_path=$T/sanitizer UBSAN_OPTIONS=log_path=$T/sanitizer:print_stacktrace=1
}

shk_teardown() {
	local id bad=0
	for id in $IDS; do
		runtime "${id%%:*}" delete -f "${id#*:}" >/dev/null 2>&1 || true
	done
	stop_daemon
	! sanitizer_reports || bad=1
	! crashes || bad=1
	# A bundle's mounts belong to namespaces that have ended with it.
	rm -rf --one-file-system "$T"
	return $bad
}

# A program of ours that ended by a fault of its own: the next engine may hide it from the test.
crashes() {
	[ -f "$T/daemon.log" ] && grep -E 'ended \(signal (4|5|6|7|8|11|31)\)' "$T/daemon.log" >&2
}

# What the sanitizers said, in whatever the test's programs left in its directory. A test whose daemon died of it
# and came back might pass otherwise.
sanitizer_reports() {
	local f found=1
	for f in "$T"/*.log "$T"/*.out "$T"/*.err "$T"/sanitizer.*; do
		[ -f "$f" ] && grep -qaE 'ERROR: [A-Za-z]*Sanitizer|runtime error: ' "$f" || continue
		found=0
		echo "sanitizer report in ${f##*/}:"
		grep -aE -A 40 'ERROR: [A-Za-z]*Sanitizer|runtime error: ' "$f" | sed 60q
	done >&2
	return $found
}

# policy TEXT: the policy `default`, or another by its name in the text; one file each. SHK_RINGS: one that does not say otherwise allows
# io_uring, so that the kernel module, if there is one, has to tell of every call that rules name.
policy() {
	local f=$T/policies/${1:-default}.yaml
	cat >"$f"
	[ -z "${SHK_RINGS:-}" ] || grep -q '^io_uring:' "$f" || sed -i '/^policy:/a io_uring: allow' "$f"
}

# shellcheck disable=SC2120
write_config() {
	cat >"$T/shrike.yaml" <<-END
		policy_dir: $T/policies
		rules_path: $SHK_SRCDIR/rules
		control_socket: $T/control.sock
		notify_socket: $T/notify.sock
		outputs:
		  - file: { path: $ALERTS, format: json }
	END
	printf '%s\n' "$@" >>"$T/shrike.yaml"
}

start_daemon() {
	[ -e "$T/shrike.yaml" ] || write_config
	"$SHK_BUILDDIR/shriked" --config "$T/shrike.yaml" --control "$T/control.sock" \
		--notify "$T/notify.sock" --engine "$SHK_BUILDDIR/shrike-engine" >"$T/daemon.log" 2>&1 3>&- &
	KEEPER=$!
	wait_until 10 daemon_answers || {
		cat "$T/daemon.log" >&2
		return 1
	}
}

# 1: it answers and has bad news (broken policies).
daemon_answers() {
	"$SHK_BUILDDIR/shrike" status >/dev/null 2>&1 || [ $? = 1 ]
}

stop_daemon() {
	[ -n "$KEEPER" ] || return 0
	[ -z "${SHK_STATUS_LOG:-}" ] || "$SHK_BUILDDIR/shrike" status --json 2>/dev/null | jq -c . >>"$SHK_STATUS_LOG" || true
	kill -TERM "$KEEPER" 2>/dev/null || true
	wait "$KEEPER" 2>/dev/null || true
	KEEPER=
}

engine_pid() {
	pgrep -P "$KEEPER" -f shrike-engine | head -n 1
}

# Serves another one than PID?
another_engine() {
	local e
	e=$(engine_pid)
	[ -n "$e" ] && [ "$e" != "$1" ]
}

# refute COMMAND...: it fails. ("! command" says nothing in the middle of a test: bats takes it for a success.)
refute() {
	if "$@"; then
		echo "this should have failed: $*" >&2
		return 1
	fi
}

# Does the kernel module hold execs here? It kills where permission events make the call fail.
module_holds() {
	[ "$("$SHK_BUILDDIR/shrike" status --json | jq -r .module.state)" = reading ]
}

# A kernel without 32 bit emulation ends who makes such a call.
runs_i386() {
	[ "$("$SHK_BUILDDIR/tests/system/doors" i386 2>/dev/null)" = "i386 ok" ]
}

# wait_until SECONDS COMMAND...
wait_until() {
	local end=$((SECONDS + $1 * ${SHK_SLOW:-1}))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.05
	done
}

# pause SECONDS: for what takes a moment, and cannot be asked for.
pause() {
	local i
	for ((i = 0; i < ${SHK_SLOW:-1}; i++)); do sleep "$1"; done
}

# ---- bundles ----

# The root file system every container starts from: busybox, dash and coreutils with their libraries, and
# the test's own programs.
make_rootfs() {
	local r=$1 f lib
	mkdir -p "$r"/{bin,sbin,usr/bin,usr/sbin,etc,proc,sys,dev,tmp,root,run,var,lib,lib64,opt,mnt}
	install -m 755 "$(command -v busybox)" "$r/bin/busybox"
	"$r/bin/busybox" --install -s "$r/opt" 2>/dev/null || true
	for f in sh ls cat sleep mv rm echo mount ip ifconfig true mkdir touch id ps cp ln chmod kill env; do
		ln -sf busybox "$r/bin/$f"
	done
	for f in dash cat mv; do
		install -m 755 "$(command -v $f)" "$r/usr/bin/real-$f"
		for lib in $(ldd "$(command -v $f)" | grep -o '/[^ ]*'); do
			mkdir -p "$r$(dirname "$lib")"
			[ -e "$r$lib" ] || cp -L "$lib" "$r$lib"
		done
	done
	install -m 755 "$SHK_BUILDDIR"/tests/system/{act,crowd,doors,fusehold,stall,witness} "$r/opt/"
	printf 'root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000:web:/tmp:/bin/sh\n' >"$r/etc/passwd"
	printf 'root:x:0:\nweb:x:1000:\n' >"$r/etc/group"
	printf 'root:*:19000:0:99999:7:::\n' >"$r/etc/shadow"
	printf 'hello\n' >"$r/etc/motd"
	cp "$r/bin/busybox" "$r/usr/bin/tool"
}

# make_bundle DIR [JQ-FILTER]: a bundle with every capability needed to try things, no profile of its
# own, no hook. $ARGS: the program (JSON array), default a shell that waits.
make_bundle() {
	local b=$1 filter=${2:-.}
	mkdir -p "$b"
	make_rootfs "$b/rootfs"
	(cd "$b" && runc spec)
	jq --argjson args "${ARGS:-[\"/bin/sleep\",\"1000\"]}" '
		.process.terminal = false | .process.args = $args | .root.readonly = false |
		del(.linux.seccomp) | .linux.resources = {} | .process.rlimits = [] |
		(.process.capabilities | .bounding, .effective, .permitted) +=
			["CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_NET_ADMIN", "CAP_SYS_MODULE", "CAP_DAC_OVERRIDE", "CAP_FOWNER"] |
		'"$filter" "$b/config.json" >"$b/config.new"
	mv "$b/config.new" "$b/config.json"
}

# The hook at a stage: add_hook DIR prestart
add_hook() {
	local b=$1 stage=$2
	jq --arg stage "$stage" --arg path "$SHK_BUILDDIR/shrike-hook" --arg sock "$T/control.sock" '
		.hooks[$stage] += [{ path: $path, args: ["shrike-hook", "--socket", $sock, $stage] }]' \
		"$b/config.json" >"$b/config.new"
	mv "$b/config.new" "$b/config.json"
}

# start RUNTIME ID BUNDLE: create and start, detached. Output goes to $T/ID.out.
start() {
	IDS="$IDS $1:$2"
	runtime "$1" run -d -b "$3" "$2" >"$T/$2.out" 2>&1 </dev/null 3>&-
}

# run_in RUNTIME ID BUNDLE: in the foreground; output and status are those of the container.
run_in() {
	IDS="$IDS $1:$2"
	runtime "$1" run -b "$3" "$2" </dev/null 3>&-
}

# ---- alerts ----

# alerts_of RULE [ID]: the alerts of this rule (and container) so far, one JSON object a line.
alerts_of() {
	[ -e "$ALERTS" ] || return 0
	jq -c --arg rule "$1" --arg id "${2:-}" \
		'select(.rule == $rule and ($id == "" or .shrike.container.id == $id or
			(.shrike.container.full_id // "") == $id or (.shrike.container.name // "") == $id))' "$ALERTS"
}

has_alert() {
	[ -n "$(alerts_of "$@")" ]
}

expect_alert() {
	wait_until 5 has_alert "$@" || {
		echo "no alert of rule \"$1\"; alerts so far:" >&2
		[ -e "$ALERTS" ] && jq -r '.rule' "$ALERTS" | sort | uniq -c >&2
		tail -n 5 "$T/daemon.log" >&2
		return 1
	}
}

# Nothing of this rule, after everything that was caused has had time to arrive.
expect_no_alert() {
	wait_idle
	! has_alert "$@" || {
		echo "unexpected alert:" >&2
		alerts_of "$@" >&2
		return 1
	}
}

# Until no call is being judged and the writer has caught up.
wait_idle() {
	pause 0.3
}

ps_field() {
	"$SHK_BUILDDIR/shrike" ps --json | jq -r --arg id "$1" --arg f "$2" \
		'if type == "array" then .[] else . end | select(.id == $id) | .[$f]'
}

n_containers() {
	"$SHK_BUILDDIR/shrike" status --json | jq .containers
}

no_containers() {
	[ "$(n_containers)" = 0 ]
}

# Is this kernel older than $1.$2?
old_kernel() {
	local major minor
	IFS=.- read -r major minor _ < <(uname -r)
	[ "$major" -lt "$1" ] || { [ "$major" = "$1" ] && [ "$minor" -lt "$2" ]; }
}
