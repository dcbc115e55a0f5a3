#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Calls on mounts, carried out for their caller by a process that joins it.

load lib
shopt -s extglob

setup() {
	need_root
	need runc crun jq busybox
	shk_setup
	cat >"$T/rules.yaml" <<-END
		- rule: Guarded place
		  desc: .
		  condition: >
		    evt.type in (mount, umount2, move_mount, mount_setattr, pivot_root) and container.id != host
		    and (evt.arg.dir startswith /etc/keep or fs.path.source startswith /etc/keep or fs.path.name startswith /etc/keep)
		  output: mounted %evt.args
		  priority: WARNING
		- rule: Mount seen
		  desc: .
		  condition: evt.type in (mount, fsopen) and container.id != host
		  output: mount of %evt.args
		  priority: NOTICE
	END
	policy <<-END
		policy: default
		rules: { files: [$T/rules.yaml] }
		mode: enforce
		strict: false
		rule_matching: all
		limits: { alerts_per_second: 0, burst: 0 }
		deadline: { ms: 20000, then: deny }
		actions:
		  - match: { rules: ["Guarded place"] }
		    then: { deny: EPERM }
	END
	start_daemon
	ARGS='["/bin/sh", "/opt/script"]' make_bundle "$T/b" '(.process.capabilities | .bounding, .effective, .permitted) +=
		["CAP_SETUID", "CAP_SETGID", "CAP_SETFCAP", "CAP_SYS_CHROOT"]'
	install -m 755 "$SHK_BUILDDIR/tests/system/mounts" "$T/b/rootfs/opt/mounts"
	cp -r "$T/b" "$T/free"
	add_hook "$T/b" prestart
}

teardown() {
	[ -n "${T:-}" ] || return 0
	umount -l "$T/over" "$T/b/rootfs" 2>/dev/null || true
	shk_teardown
}

script() {
	cat >"$T/b/rootfs/opt/script"
	cp "$T/b/rootfs/opt/script" "$T/free/rootfs/opt/script"
}

# As without us, but for lines of these patterns.
twins() {
	local r free b
	for r in $RUNTIMES; do
		for b in b free; do
			rm -rf "$T/$b/rootfs/tmp"
			mkdir -m 1777 "$T/$b/rootfs/tmp"
		done
		run run_in "$r" "n-$r-$$" "$T/free"
		free=$output
		run run_in "$r" "s-$r-$$" "$T/b"
		echo "$output"
		diff <(grep -vE "$2" <<<"$free") <(grep -vE "$2" <<<"$output")
		[ "$(wc -l <<<"$output")" -gt "$1" ]
	done
}

@test "what a shell mounts is mounted as ever" {
	script <<-'END'
		exec 2>&1
		b() { /bin/busybox "$@"; }
		mkdir -p /tmp/a /tmp/b /tmp/c /tmp/up /tmp/low1 /tmp/low2; echo 1 >/tmp/a/f; echo l1 >/tmp/low1/x; echo l2 >/tmp/low2/y
		b mount --bind /tmp/a /tmp/b && cat /tmp/b/f
		b umount /tmp/b; cat /tmp/b/f
		b mount -t tmpfs none /tmp/c -o size=1m,mode=711 && ls -ld /tmp/c | cut -c1-10; b grep /tmp/c /proc/self/mountinfo | b cut -d' ' -f4-
		b mount -o remount,ro /tmp/c; touch /tmp/c/x
		cd /tmp; b umount c; b mount -t tmpfs -o noexec,nodev x c; b grep /tmp/c /proc/mounts; b umount -l c
		b mount -t sysfs sysfs c && ls c/class/net && b umount c
		b mount -t tmpfs none up; mkdir up/u up/w
		b mount -t overlay overlay c -o lowerdir=/tmp/low1:/tmp/low2,upperdir=/tmp/up/u,workdir=/tmp/up/w && ls c && touch c/new && ls up/u; b umount c
		b mount --bind /gone c; b mount --bind a /gone; b mount --make-private /; b mount --make-private low1; b mount --make-rshared /
		b mount --make-rprivate /; b mount --bind /etc/motd a/f && cat a/f; b umount a/f; cat a/f
		b umount a; b umount /gone; b umount /; b mount --bind a b; b mount --move b c; ls c; b umount c
		cd up; b umount /tmp/up; cd /tmp; b umount up; ln -s /tmp/a la; b mount --bind la b; ls b; b umount b
		b su -s /bin/sh web -c "/bin/busybox mount -t tmpfs x /tmp/c; /bin/busybox umount /proc"
		b unshare -U -r -m /bin/sh -c "/bin/busybox mount -t tmpfs x /tmp/c && touch /tmp/c/in && ls /tmp/c; /bin/busybox umount /proc; /bin/busybox mount -o remount,rw /"
		mkdir -p r/old; b mount --bind r r; cp /bin/busybox r/; cd r
		b unshare -m /tmp/r/busybox sh -c "./busybox pivot_root . old; ./busybox ls /; ./busybox umount -l /old; ./busybox ls /old"
		cd /; b umount /tmp/r; b grep -c . /proc/mounts
		echo done
	END
	twins 25 '^$'
	[ "$(alerts_of "Mount seen" | jq -r .shrike.guarantee | sort -u)" = emulated ]
	refute has_alert "Guarded place"
}

@test "calls no shell makes; what cannot be handed over is unknown" {
	script <<<"$(runs_i386 && echo 'export HAS_I386=1;') exec /opt/mounts 2>&1"
	twins 30 '^(fsopen|fspick|open_tree clone): '
	[ "$(grep -cE '^(fsopen|fspick|open_tree clone): ENOSYS$' <<<"$output")" = 3 ]
	[ "$(alerts_of "Mount seen" | jq -r 'select(.output | contains("fsname=tmpfs")) | .shrike.guarantee' | sort -u)" = refused ]
}

@test "no name leads to a guarded place" {
	script <<-'END'
		exec 2>&1
		b() { /bin/busybox "$@"; }
		mkdir -p /etc/keep/sub /tmp/m /tmp/bound; echo kept >/etc/keep/f; ln -s /etc/keep /tmp/link; cd /etc
		b mount --bind /etc /tmp/bound
		for p in /etc/keep keep/sub /tmp/link /tmp/link/sub ../etc/./keep /proc/self/cwd/keep /proc/self/root/etc/keep; do
			b mount -t tmpfs x $p && echo "BAD: on $p"
			b mount --bind $p /tmp/m && echo "BAD: of $p"
		done
		b mount --bind /tmp/bound/keep /tmp/m && echo "BAD: of an alias"
		b umount /etc/keep 2>/dev/null && echo BAD
		b mount -t tmpfs x /tmp/m && echo good
	END
	local r
	for r in $RUNTIMES; do
		rm -rf "$T/b/rootfs/tmp" "$T/b/rootfs/etc/keep"
		mkdir -m 1777 "$T/b/rootfs/tmp"
		run run_in "$r" "g-$r-$$" "$T/b"
		echo "$output"
		[[ $output != *BAD* ]]
		[[ $output == *good ]]
		expect_alert "Guarded place" "g-$r-$$"
		[ "$(alerts_of "Guarded place" "g-$r-$$" | jq -r .shrike.verdict | sort -u)" = deny ]
		[ "$(alerts_of "Guarded place" "g-$r-$$" | wc -l)" -ge 16 ]
	done
}

@test "filesystems that open devices or follow paths of their own are refused, strict or not" {
	script <<-'END'
		exec 2>&1
		mkdir /tmp/m /tmp/l
		/bin/busybox mount -t ext4 /dev/null /tmp/m; cd /tmp
		/bin/busybox mount -t overlay x /tmp/m -o lowerdir=l:/etc
		/bin/busybox mount -t overlay x /tmp/m -o lowerdir=/tmp/l:../etc
		/bin/busybox mount -t fuse x /tmp/m -o fd=3,rootmode=40000,user_id=0,group_id=0
		/bin/busybox mount -t proc x /tmp/m && /bin/busybox cat /tmp/m/self/comm
	END
	local r
	for r in $RUNTIMES; do
		rm -rf "$T/b/rootfs/tmp"
		mkdir -m 1777 "$T/b/rootfs/tmp"
		run run_in "$r" "f-$r-$$" "$T/b"
		echo "$output"
		[ "$(grep -c 'failed: Permission denied' <<<"$output")" -ge 4 ]
		# The container's own processes, where the kernel can be asked for them.
		[[ ${lines[4]} == busybox || ${lines[4]} == *"Permission denied" ]]
		expect_alert "Shrike internal: call that cannot be carried out" "f-$r-$$"
	done
}

@test "a mount that would appear at a guarded place, for the place it is made in being shared" {
	sed -i 's|startswith /etc/keep|startswith /etc/keep/p/|g' "$T/rules.yaml"
	"$SHK_BUILDDIR/shrike" reload
	script <<-'END'
		exec 2>&1
		b() { /bin/busybox "$@"; }
		mkdir -p /etc/keep/p /tmp/p /tmp/q /etc/keep/q; b mount -t tmpfs p /tmp/p; mkdir /tmp/p/in /tmp/p/in2
		b mount --bind /tmp/p /etc/keep/p
		b mount -t tmpfs x /tmp/p/in && echo "alone"; b umount /tmp/p/in; b umount /etc/keep/p
		b mount --make-shared /tmp/p; b mount --bind /tmp/p /etc/keep/p
		b mount -t tmpfs x /tmp/p/in && echo "BAD: shared"
		b mount --bind /tmp/q /tmp/p/in2 && echo "BAD: bound"
		b grep -c /etc/keep/p/in /proc/mounts
		b mount -t tmpfs x /tmp/q && echo good
	END
	local r
	for r in $RUNTIMES; do
		rm -rf "$T/b/rootfs/tmp" "$T/b/rootfs/etc/keep"
		mkdir -m 1777 "$T/b/rootfs/tmp"
		run run_in "$r" "p-$r-$$" "$T/b"
		echo "$output"
		[ "${lines[0]}" = alone ]
		[[ $output != *BAD* ]]
		[[ $output == *$'\n0\ngood' ]]
		[ "$(alerts_of "Guarded place" "p-$r-$$" | wc -l)" = 2 ]
	done
}

# Of overlays the one the runtime made is trusted to answer, not one that a task has made its root: it may lie on anything.
@test "an overlay as the root of a task is opened by nobody else for it" {
	cat >>"$T/rules.yaml" <<-END
		- rule: Guarded file
		  desc: .
		  condition: evt.type in (open, openat, openat2, creat) and container.id != host and fd.name = /etc/keep/f
		  output: opened %fd.name
		  priority: WARNING
	END
	sed -i 's/strict: false/strict: true/; s/rules: \["Guarded place"\]/rules: ["Guarded file"]/' "$T/policies/default.yaml"
	"$SHK_BUILDDIR/shrike" reload
	script <<-'END'
		exec 2>&1
		b() { /bin/busybox "$@"; }
		mkdir -p /tmp/o /tmp/l /tmp/t; b mount -t tmpfs none /tmp/t; mkdir /tmp/t/u /tmp/t/w; cp /bin/busybox /tmp/l/; echo inside >/tmp/l/f
		b mount -t overlay overlay /tmp/o -o lowerdir=/tmp/l,upperdir=/tmp/t/u,workdir=/tmp/t/w
		b chroot /tmp/o /busybox cat /f
		b cat /tmp/l/f
	END
	local r
	for r in $RUNTIMES; do
		rm -rf "$T/b/rootfs/tmp"
		mkdir -m 1777 "$T/b/rootfs/tmp"
		run run_in "$r" "o-$r-$$" "$T/b"
		echo "$output"
		[[ ${lines[0]} = *"can't open '/f': "@(Bad address|Permission denied) ]]
		[ "${lines[1]}" = inside ]
		told() { has_alert "Shrike internal: call that cannot be carried out" "o-$r-$$" ||
			has_alert "Shrike internal: unreadable argument" "o-$r-$$"; }
		wait_until 10 told
	done
}

# By it an overlay is known as the one the runtime made, so nobody else's may ever have it.
@test "the number of a root that was left and unmounted is given to nobody while the container runs" {
	local r root="$T/b/rootfs"
	script <<-'END'
		exec 2>&1
		b() { /bin/busybox "$@"; }
		b stat -c 'root %d' /
		mkdir -p /tmp/n; b mount -t tmpfs none /tmp/n; mkdir /tmp/n/old /tmp/n/opt; cp /bin/busybox /tmp/n/
		cp /opt/left /tmp/n/opt/
		cd /tmp/n; b pivot_root . old; exec ./busybox sh /opt/left <&-
	END
	cat >"$root/opt/left" <<-'END'
		/busybox mkdir /l /o /t; /busybox mount -t tmpfs none /t; /busybox mkdir /t/u /t/w
		/busybox umount -l /old && echo left
		n=0
		while [ $((n += 1)) -lt 150 ]; do
			/busybox mount -t overlay overlay /o -o lowerdir=/l,upperdir=/t/u,workdir=/t/w && /busybox stat -c 'other %d' /o
			/busybox umount /o
			/busybox usleep 20000
		done
	END
	mv "$root" "$T/low"
	mkdir "$root" "$T/over"
	mount -t tmpfs none "$T/over"
	for r in $RUNTIMES; do
		mkdir -p "$T/over/$r/u" "$T/over/$r/w"
		mount -t overlay overlay "$root" -o "lowerdir=$T/low,upperdir=$T/over/$r/u,workdir=$T/over/$r/w"
		run_in "$r" "n-$r-$$" "$T/b" >"$T/n.out" 3>&- &
		local pid=$!
		wait_until 20 grep -q left "$T/n.out"
		umount -l "$root"
		wait $pid || true
		sort "$T/n.out" | uniq -c
		[ "$(grep -c '^other' "$T/n.out")" -gt 100 ]
		refute grep -q denied "$T/n.out"
		refute grep -qx "other $(awk '/^root/ { print $2 }' "$T/n.out")" "$T/n.out"
	done
	umount "$T/over"
}

@test "an engine that ends while things are mounted" {
	script <<-'END'
		mkdir /tmp/m; cd /tmp; i=0; bad=0
		while [ $i -lt 400 ]; do
			/bin/busybox mount -t tmpfs x m || bad=$((bad + 1))
			[ "$(/bin/busybox grep -c /tmp/m /proc/mounts)" = 1 ] || bad=$((bad + 1))
			/bin/busybox umount -l m || bad=$((bad + 1))
			[ "$(/bin/busybox grep -c /tmp/m /proc/mounts)" = 0 ] || bad=$((bad + 1))
			i=$((i + 1))
		done
		echo "$bad bad of $i"
	END
	local r=runc e n=0
	run_in "$r" "k-$r-$$" "$T/b" >"$T/k.out" 2>"$T/k.err" &
	local run=$!
	# A build with sanitizers needs so long to start that it would be killed hundreds of times.
	while kill -0 $run 2>/dev/null && [ "$n" -lt 25 ]; do
		pause 0.3
		e=$(engine_pid) && kill -9 "$e" 2>/dev/null && n=$((n + 1))
	done
	wait $run || true
	cat "$T/k.out" "$T/k.err"
	echo "$n engines ended"
	[ "$(cat "$T/k.out")" = "0 bad of 400" ]
	[ "$n" -ge 3 ]
}

@test "explain says what a verdict on calls on mounts is worth" {
	local out
	out=$("$SHK_BUILDDIR/shrike" explain --verdicts "$T/policies/default.yaml")
	echo "$out"
	for c in mount umount2 move_mount mount_setattr pivot_root; do
		grep -qE "^  $c +emulated +carried out" <<<"$out"
	done
	refute grep -q best-effort <<<"$out"
	cat >"$T/rules.yaml" <<-END
		- rule: Guarded place
		  desc: .
		  condition: evt.type in (fsopen, fsmount, open_tree, mount) and container.id != host
		  output: x
		  priority: WARNING
	END
	out=$("$SHK_BUILDDIR/shrike" explain --verdicts "$T/policies/default.yaml")
	echo "$out"
	for c in fsopen fsmount open_tree; do
		grep -qE "^  $c +refused +answered ENOSYS" <<<"$out"
	done
}
