#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# shriked --user: a user without privileges supervises containers of the user's own, by way of shrike-runtime, with
# one id mapped and with subordinate ids. The tests are root's, who makes the user up in a mount namespace.

load lib

USER_ID=41234
SUB_ID=500000

setup() {
	need_root
	need runc setpriv jq unshare
	shk_setup
	H=$T/home
	mkdir -p "$H/run" "$H/.config/shrike/policies.d" "$H/.config/shrike/rules" "$T/bin"
	# The build tree may be nobody's but root's.
	install -m 755 "$SHK_BUILDDIR"/{shriked,shrike,shrike-engine,shrike-runtime} "$T/bin/"
	cp /etc/passwd "$T/passwd"
	echo "shk:x:$USER_ID:$USER_ID::$H:/bin/sh" >>"$T/passwd"
	echo "shk:$SUB_ID:65536" >"$T/subid"
	chmod 755 "$T"
	guard ""
}

teardown() {
	shk_teardown
}

# guard LINE: the policy, with one more line.
guard() {
	cat >"$H/.config/shrike/rules/mine.yaml" <<-'END'
		- rule: Guarded file opened
		  desc: a test
		  condition: evt.type in (open, openat, openat2, creat) and fd.name startswith /guarded
		  output: opened %fd.name by %proc.name
		  priority: WARNING
		- rule: Guarded directory made
		  desc: a test
		  condition: evt.type in (mkdir, mkdirat) and evt.arg.path = /tmp/forbidden
		  output: made %evt.arg.path
		  priority: WARNING
		- rule: Guarded program run
		  desc: a test
		  condition: evt.type in (execve, execveat) and proc.name = forbidden
		  output: run %proc.name
		  priority: WARNING
	END
	cat >"$H/.config/shrike/policies.d/default.yaml" <<-END
		policy: default
		rules: { files: [mine.yaml] }
		mode: enforce
		$1
		actions:
		  - match: { rules: ["Guarded file opened", "Guarded directory made", "Guarded program run"] }
		    then: { deny: EPERM }
	END
}

# as_user COMMAND...: in a mount namespace where the user has a name and, for crun, control groups are version 2 only.
as_user() {
	# shellcheck disable=SC2016
	unshare -m --propagation private sh -c '
		mount --bind "$0/passwd" /etc/passwd && mount --bind "$0/subid" "$0/subid2" &&
		for f in /etc/subuid /etc/subgid; do [ ! -e $f ] || mount --bind "$0/subid" $f || exit; done &&
		{ [ -z "$HYBRID" ] || { umount -R /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup; }; } &&
		exec setpriv --reuid "$1" --regid "$1" --clear-groups env -i "PATH=$0/bin:$PATH" "HOME=$0/home" \
			"XDG_RUNTIME_DIR=$0/home/run" "RUNTIME=$RUNTIME" "T=$0" timeout 60 /bin/bash -c "$2"' "$T" "$USER_ID" "$1" 3>&-
}

# bundle RUNTIME FILTER: the user's bundle.
bundle() {
	ARGS='["/bin/sh", "/script"]' make_bundle "$H/b" ".process.capabilities |= map_values([\"CAP_SETUID\", \"CAP_SETGID\"]) |
		.linux.namespaces |= (map(select(.type != \"network\" and .type != \"cgroup\")) + [{type: \"user\"}]) |
		.process.env = [\"PATH=/bin:/usr/bin:/opt\"] |
		.mounts |= map(select(.type != \"cgroup\" and .destination != \"/sys\" and .destination != \"/dev/pts\")) | del(.linux.resources) | $1"
	cp "$H/b/rootfs/usr/bin/real-cat" "$H/b/rootfs/bin/forbidden"
	echo secret >"$H/b/rootfs/guarded"
	cat >"$H/b/rootfs/script" <<-'END'
		id -u
		echo hi >/tmp/x && cat /tmp/x && ls -ln /tmp/x | cut -c 1-20
		cat /guarded
		mkdir /tmp/forbidden && rmdir /tmp/forbidden && echo made
		mkdir /tmp/allowed && ls -d /tmp/allowed
		forbidden /etc/motd
		cat /proc/self/comm
		umask 077; echo y >/tmp/z; ls -ln /tmp/z | cut -c 1-20
		cat /missing || echo missing
		chmod 0 /tmp/x; cat /tmp/x || echo forbidden by mode
		rm /tmp/z && mv /tmp/allowed /tmp/moved && ls /tmp
	END
	cp -a "$H/b" "$H/native"
	touch "$T/subid2"
	chown -R $USER_ID:$USER_ID "$H"
}

one_id='.linux.uidMappings = [{containerID: 0, hostID: 41234, size: 1}] |
	.linux.gidMappings = [{containerID: 0, hostID: 41234, size: 1}]'
many_ids='.linux.uidMappings = [{containerID: 0, hostID: 41234, size: 1}, {containerID: 1, hostID: 500000, size: 65535}] |
	.linux.gidMappings = [{containerID: 0, hostID: 41234, size: 1}, {containerID: 1, hostID: 500000, size: 65535}]'

# session: the daemon, a native run to $H/native.out, a supervised one to $H/out, and what the daemon said.
session() {
	HYBRID=
	! hybrid_cgroups || HYBRID=yes
	export HYBRID RUNTIME=$1
	as_user '
		case $RUNTIME in
		crun) rt="--cgroup-manager=disabled --root $HOME/run/rt" ;;
		*) rt="--root $HOME/run/rt" ;;
		esac
		cd "$HOME" || exit
		(cd native && exec $RUNTIME $rt run native) </dev/null >native.out 2>native.err
		shriked --user --engine $T/bin/shrike-engine >daemon.log 2>&1 &
		trap "kill $!" EXIT
		n=0
		until shrike status >status 2>&1; do n=$((n + 1)); [ $n -lt 200 ] || exit 1; sleep 0.05; done
		(cd b && SHRIKE_RUNTIME=$RUNTIME exec shrike-runtime $rt run box) </dev/null >out 2>err
		echo $? >rc' || {
		cat "$H"/{status,daemon.log}
		return 1
	}
}

alerts_here() {
	jq -c --arg rule "$1" 'select(.rule == $rule)' "$H/.local/state/shrike/alerts.json"
}

# What the script prints when the three are refused is what it printed natively, less what they gave.
expect_refusals() {
	[ "$(grep -cx -e secret -e made -e hello "$H/native.out")" = 3 ]
	grep -vx -e secret -e made -e hello "$H/native.out" >"$T/want"
	diff "$T/want" "$H/out"
	grep -q "/guarded.*Operation not permitted" "$H/err"
	grep -q "/tmp/forbidden.*Operation not permitted" "$H/err"
	grep -q "forbidden: Operation not permitted" "$H/err"
}

# Shells look for it in every directory of PATH.
refused_program() {
	[ "$(alerts_here "Guarded program run" | jq -r .shrike.verdict | sort -u)" = deny ]
}

one_id_mapped() {
	bundle "$one_id"
	session "$1"
	cat "$H"/{native.err,err,daemon.log}
	expect_refusals
	[ "$(alerts_here "Guarded file opened" | wc -l)" = 1 ]
	[ "$(alerts_here "Guarded directory made" | jq -r .shrike.verdict)" = deny ]
	refused_program
	# The task has the user's ids: what it opens is carried out, but for files of /proc.
	[ -z "$(alerts_here "Shrike internal: unable" | grep -v 'shows namespaces')" ]
}

@test "rootless, runc, one id: what is refused is refused, all else is as without a supervisor" {
	one_id_mapped runc
}

@test "rootless, crun, one id: what is refused is refused, all else is as without a supervisor" {
	need crun
	one_id_mapped crun
}

other_id() {
	need newuidmap newgidmap
	[ -e /etc/subuid ] && [ -e /etc/subgid ] || skip "the system has no /etc/subuid and /etc/subgid"
	guard "$2"
	bundle "$many_ids"
	cp "$H/b/rootfs/bin/busybox" "$H/b/rootfs/bin/su"
	echo 'exec su web -s /bin/sh /other' >"$H/b/rootfs/script"
	cat >"$H/b/rootfs/other" <<-'END'
		id -u
		cat /etc/motd
		cat /guarded
		forbidden /etc/motd || echo "not run"
	END
	chmod 755 "$H" "$T"
	session "$1"
	cat "$H"/{native.err,err,daemon.log}
	grep -qx 1000 "$H/out"
	refute grep -q secret "$H/out"
	grep -qx 'not run' "$H/out"
	refused_program
}

@test "rootless, runc, subordinate ids: another id's calls are judged, refused, or let through and told" {
	other_id runc ""
	grep -qx hello "$H/out"
	alerts_here "Guarded file opened" | grep -q '"guarantee":"deny-only"'
	grep -q "as another one" "$H/daemon.log"
}

@test "rootless, crun, subordinate ids: another id's calls are judged, refused, or let through and told" {
	need crun
	other_id crun ""
	grep -qx hello "$H/out"
	grep -q "as another one" "$H/daemon.log"
}

@test "rootless, strict: true: what cannot be carried out is refused" {
	bundle "$one_id"
	guard "strict: true"
	chown -R $USER_ID:$USER_ID "$H/.config"
	echo 'cat /proc/self/cmdline || echo refused' >"$H/b/rootfs/script"
	session runc
	cat "$H"/{native.err,err,daemon.log}
	grep -qx refused "$H/out"
}

@test "explain --verdicts lists what is weaker for a user" {
	run "$SHK_BUILDDIR/shrike" explain "$H/.config/shrike/policies.d/default.yaml" --rules-path "$H/.config/shrike/rules" --verdicts --user
	[ "$status" = 0 ]
	[[ "$output" == *"Weaker under shriked --user"* ]]
	[[ "$output" == *"subordinate ids"* ]]
	run "$SHK_BUILDDIR/shrike" explain "$H/.config/shrike/policies.d/default.yaml" --rules-path "$H/.config/shrike/rules" --verdicts
	[[ "$output" != *"Weaker under shriked --user"* ]]
}
