#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# One object, many doors: whatever variant of a call is used, and however a path is written, a rule
# with an action is not evaded. Each test has the legitimate twin, which must work.

load lib
shopt -s extglob

setup_file() {
	need_root
	need runc crun jq busybox
	shk_setup
	policy <<-END
		policy: default
		rules: { files: [shrike_rules.yaml] }
		mode: enforce
		strict: false
		limits: { alerts_per_second: 0, burst: 0 }
		actions:
		  - match: { rules: ["Write below binary dir", "Rename below binary dir", "Remove below binary dir",
		      "Link below binary dir", "Sensitive file opened for writing", "Sensitive file opened for reading",
		      "Sensitive file given another name"] }
		    then: { deny: EPERM }
		  - match: { rules: ["Namespace change", "Ptrace of another process", "Mount inside a container",
		      "Unexpected outbound connection", "Unexpected listening TCP port"] }
		    then: { deny: EPERM }
	END
	start_daemon
	make_bundle "$T/b" '(.process.capabilities | .bounding, .effective, .permitted) += ["CAP_DAC_READ_SEARCH", "CAP_SYS_CHROOT"]'
	add_hook "$T/b" prestart
	export T ALERTS SHRIKE_SOCKET KEEPER IDS
	export MAIN=$$
}

teardown_file() {
	[ -z "${T:-}" ] || shk_teardown
}

# doors RUNTIME WAY ARGS... [-- WAY ARGS...]: OUT is one line for each way.
doors() {
	local r=$1
	shift
	N=$((${N:-0} + 1))
	ID=d$BATS_TEST_NUMBER-$N-$r-$MAIN
	jq --argjson args "$(printf '%s\n' /opt/doors "$@" | jq -R . | jq -sc .)" '.process.args = $args' \
		"$T/b/config.json" >"$T/b/config.new" && mv "$T/b/config.new" "$T/b/config.json"
	run_in "$r" "$ID" "$T/b" >"$T/out" 2>&1 || true
	OUT=$(cat "$T/out")
	echo "$r: $OUT"
}

# possible WAY...: those that this kernel has.
possible() {
	local w
	for w; do
		case $w in *-i386 | *-socketcall) runs_i386 || continue ;; esac
		echo "$w"
	done
}

# all RESULT WAYS ARGS...: each of the ways gives one of the results (a pattern).
all() {
	local want=$1 ways r w line bad=0
	# shellcheck disable=SC2086 # words
	ways=$(possible $2)
	shift 2
	local -a list
	for r in $RUNTIMES; do
		list=()
		for w in $ways; do
			list+=("$w" "$@" --)
		done
		doors "$r" "${list[@]}"
		for w in $ways; do
			line=$(grep "^$w " "$T/out" || echo "$w did not run")
			# shellcheck disable=SC2053
			[[ ${line#* } == $want ]] || {
				echo "EVADED ($r): $line"
				bad=1
			}
		done
	done
	return "$bad"
}

rename_ways="rename renameat renameat2 rename-i386 renameat-i386 renameat2-i386 rename-garbage
	rename-relative rename-fchdir rename-dirfd rename-dotdot rename-thread rename-thread-dirfd
	rename-edge rename-across rename-long rename-longest rename-deep rename-symlink
	rename-symlink-chdir rename-proc-root rename-proc-cwd rename-proc-fd"

@test "rename: every variant, every way to write the path" {
	all EPERM "$rename_ways" /usr/bin/tool /tmp/moved
	all EPERM "rename-exchange" /usr/bin/tool /etc/motd
	# A number the kernel may not have.
	all "E@(PERM|NOSYS)" "rename-x32" /usr/bin/tool /tmp/moved
	[ -e "$T/b/rootfs/usr/bin/tool" ]
}

@test "rename: the twin elsewhere works" {
	local w
	mkdir -p "$T/b/rootfs/srv/own"
	for w in $rename_ways; do
		touch "$T/b/rootfs/srv/own/tool"
		RUNTIMES=${RUNTIMES%% *} all ok "$w" /srv/own/tool /srv/moved
	done
}

@test "rename: what the kernel refuses itself keeps its errno" {
	all EFAULT "rename-hole" /usr/bin/tool /tmp/moved
	all ENAMETOOLONG "rename-longer rename-unterminated" /usr/bin/tool /tmp/moved
	all ENOENT "rename rename-symlink rename-dirfd" /srv/nothing /tmp/moved
}

@test "rename: below another root" {
	mkdir -p "$T/b/rootfs/srv/usr/bin"
	touch "$T/b/rootfs/srv/usr/bin/x" "$T/b/rootfs/usr/local"
	all EPERM "rename-chroot" /usr /bin/tool /bin/x
	RUNTIMES=${RUNTIMES%% *} all ok "rename-chroot" /srv /usr/bin/x /usr/bin/y
}

@test "remove: every variant" {
	all EPERM "unlink unlinkat unlink-i386 unlinkat-i386 unlink-symlink unlinkat-dir rmdir" /usr/bin/tool
	all "E@(PERM|NOSYS)" "unlink-x32" /usr/bin/tool
	[ -e "$T/b/rootfs/usr/bin/tool" ]
	local w
	for w in $(possible unlink unlinkat unlink-i386 unlinkat-i386 unlink-symlink); do
		mkdir -p "$T/b/rootfs/srv/own"
		touch "$T/b/rootfs/srv/own/x"
		RUNTIMES=${RUNTIMES%% *} all ok "$w" /srv/own/x
	done
}

@test "open for writing: every variant, links, magic links, handles" {
	local ways="open open-trunc open-garbage openat openat2 openat2-in-root creat open-i386 openat-i386 creat-i386
		open-symlink open-symlink-dir open-reopen open-proc-root"
	all EPERM "$ways open-handle" /usr/bin/tool
	all "E@(PERM|NOSYS)" "open-x32" /usr/bin/tool
	all EPERM "open-dangling open-symlink-dir open-create" /usr/bin/notyet
	[ ! -e "$T/b/rootfs/usr/bin/notyet" ]
	all EPERM "open-read-i386 open-symlink open-proc-root" /etc/shadow
	cmp "$T/b/rootfs/usr/bin/tool" "$T/b/rootfs/bin/busybox"
	touch "$T/b/rootfs/srv/file"
	all ok "$ways" /srv/file
	rm -f "$T/b/rootfs/srv/new"
	all ok "open-dangling" /srv/new
	[ -e "$T/b/rootfs/srv/new" ]
}

@test "standard streams are opened through /proc as ever" {
	local r
	for r in $RUNTIMES; do
		jq '.process.args = ["/bin/sh", "-c", "echo one >/dev/stdout; echo two >/proc/self/fd/1; echo three >/dev/stderr"]' \
			"$T/b/config.json" >"$T/n" && mv "$T/n" "$T/b/config.json"
		run run_in "$r" "s-$r-$MAIN" "$T/b"
		echo "$output"
		[[ $output == *one* && $output == *two* && $output == *three* ]]
		run bash -c "$(declare -f runtime hybrid_cgroups); runtime $r run -b $T/b f-$r-$MAIN </dev/null >$T/streams 2>&1 3>&-"
		cat "$T/streams"
		grep -q three "$T/streams"
	done
}

@test "link: every variant" {
	all EPERM "link link-tmpfile link-fd symlink symlinkat" /usr/bin/newlink
	[ ! -e "$T/b/rootfs/usr/bin/newlink" ]
	local w
	for w in link link-tmpfile link-fd symlink symlinkat; do
		rm -f "$T/b/rootfs/srv/link"
		RUNTIMES=${RUNTIMES%% *} all ok "$w" /srv/link
	done
}

@test "cutting a program, and changing it through another name" {
	all EPERM "truncate truncate-i386 truncate64-i386 link-out" /usr/bin/tool
	all EPERM "link-out" /etc/shadow
	all EPERM "rename" /etc/shadow /tmp/s
	all EPERM "rename" /usr /u
	all EPERM "rename" /etc /e
	cmp "$T/b/rootfs/usr/bin/tool" "$T/b/rootfs/bin/busybox"
	local w
	for w in $(possible truncate truncate-i386 truncate64-i386 link-out); do
		touch "$T/b/rootfs/srv/file"
		RUNTIMES=${RUNTIMES%% *} all ok "$w" /srv/file
	done
}

@test "namespaces and ptrace: garbage in the upper half, i386, flags in memory" {
	all EPERM "clone unshare unshare-i386 ptrace ptrace-i386"
	# Programs fall back to clone.
	all ENOSYS "clone3"
}

@test "mounts: old calls and new ones" {
	all EPERM "mount mount-new mount-tree mount-i386" /mnt
	all EPERM "pivot" /dev/shm
}

@test "connections: i386 multiplexer and number, IPv6 with an IPv4 address, fast open" {
	all EPERM "connect connect-udp connect-mapped connect-i386 connect-socketcall fast-open" 203.0.113.7 443
	# A socket in a table of a thread's own can be fetched since Linux 6.9. Before that such a call is one that cannot be read.
	if old_kernel 6 9; then
		all EFAULT "connect-thread" 203.0.113.7 443
	else
		all EPERM "connect-thread" 203.0.113.7 443
	fi
	# Where the kernel has multipath TCP.
	all "@(EPERM|EPROTONOSUPPORT|ENOPROTOOPT)" "connect-mptcp" 203.0.113.7 443
	all "E@(PERM|NOSYS)" "connect-x32" 203.0.113.7 443
	# Loopback is down in a new network namespace, or refuses.
	all "@(ok|ENETUNREACH|ECONNREFUSED)" "connect connect-udp connect-mapped connect-i386 connect-socketcall" 127.0.0.1 443
}

@test "listening through the i386 multiplexer" {
	all EPERM "listen-socketcall" 4444
	all "@(EPERM|EPROTONOSUPPORT|ENOPROTOOPT)" "listen-mptcp" 4444
	all ok "listen-socketcall" 8080
}

@test "programs by descriptor and from memory are seen" {
	local r
	for r in $RUNTIMES; do
		doors "$r" exec-fd /opt/act -- exec-memfd /opt/act
		# act without an act: started.
		[[ $OUT != *E* ]]
	done
}
