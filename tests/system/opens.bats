#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Opens that are carried out for their caller: what was judged is what is opened, and nothing else is different.

load lib

setup() {
	need_root
	need runc crun jq busybox
	shk_setup
}

teardown() {
	[ -z "${T:-}" ] || shk_teardown
}

# A file nobody may open, whatever it is called.
guarded() {
	cat >"$T/rules.yaml" <<-END
		- rule: Guarded file opened
		  desc: .
		  condition: evt.type in (open, openat, openat2, creat) and fd.name = /etc/guarded
		  output: opened %fd.name (given=%evt.arg.name)
		  priority: WARNING
		- rule: Message opened
		  desc: .
		  condition: evt.type in (open, openat, openat2, creat) and fd.name = /etc/motd
		  output: opened %fd.name
		  priority: NOTICE
	END
	policy <<-END
		policy: default
		rules: { files: [$T/rules.yaml] }
		mode: enforce
		limits: { alerts_per_second: 0, burst: 0 }
		deadline: { ms: ${1:-2000}, then: deny }
		actions:
		  - match: { rules: ["Guarded file opened"] }
		    then: { deny: EPERM }
	END
	start_daemon
	ARGS='["/bin/sh", "/opt/script"]' make_bundle "$T/b" \
		'(.process.capabilities | .bounding, .effective, .permitted) += ["CAP_SETUID", "CAP_SETGID", "CAP_CHOWN", "CAP_MKNOD", "CAP_SYS_CHROOT"]'
	install -m 755 "$SHK_BUILDDIR/tests/system/opens" "$T/b/rootfs/opt/opens"
	echo rare >"$T/b/rootfs/etc/guarded"
	cp -r "$T/b" "$T/free"
	add_hook "$T/b" prestart
}

# script: what both containers run, with the guard and without.
script() {
	cat >"$T/b/rootfs/opt/script"
	cp "$T/b/rootfs/opt/script" "$T/free/rootfs/opt/script"
}

# Where control groups are version 2 the container's list of devices cannot be read, and one that not everybody has is refused (docs/NATIVE.md).
known_devices() {
	[ -e /sys/fs/cgroup/devices ] && echo "$1" || sed 's/^0 0 kmsg: fd=.*/0 0 kmsg: EPERM/' <<<"$1"
}

@test "no name leads to a guarded file, and others are opened as ever" {
	guarded
	script <<-'END'
		cd /etc
		rm -f /tmp/link; ln -s /etc/guarded /tmp/link; ln /etc/guarded /tmp/hard 2>/dev/null
		mkdir -p /tmp/dir; mount --bind /etc /tmp/dir
		for f in /etc/guarded guarded ../etc/./guarded /tmp/link /proc/self/root/etc/guarded \
			/proc/self/cwd/guarded /proc/1/root/etc/guarded /proc/thread-self/root/etc/guarded; do
			cat $f >/dev/null 2>&1 && echo "open: $f"
		done
		exec 5</etc/motd
		cat /etc/motd motd /proc/self/fd/5 /proc/self/cwd/motd <&5
		echo done
	END
	local r
	for r in $RUNTIMES; do
		run run_in "$r" "o-$r-$$" "$T/b"
		echo "$output"
		[ "$output" = $'hello\nhello\nhello\nhello\ndone' ]
		expect_alert "Message opened" "o-$r-$$"
		[ "$(alerts_of "Message opened" "o-$r-$$" | jq -r .shrike.guarantee | sort -u)" = emulated ]
		[ "$(alerts_of "Guarded file opened" "o-$r-$$" | jq -r .shrike.verdict | sort -u)" = deny ]
		[ "$(alerts_of "Guarded file opened" "o-$r-$$" | wc -l)" = 8 ]
	done
}

@test "a path exchanged while its open waits" {
	guarded
	script <<-'END'
		/opt/opens flip /etc/motd /etc/guarded 3000
	END
	local r
	for r in $RUNTIMES; do
		run run_in "$r" "f-$r-$$" "$T/b"
		echo "$output"
		[ "$(echo "$output" | jq .bad)" = 0 ]
		[ "$(echo "$output" | jq .good)" -gt 100 ]
		[ "$(echo "$output" | jq .refused)" -gt 100 ]
	done
}

@test "what was read many times is what it is called each time" {
	guarded
	script <<-'END'
		exec 2>&1
		mkdir -p /var/w
		cd /var/w
		learn() { rm -rf f; echo "$1" >f; n=0; while [ $n -lt 12 ]; do cat /var/w/f; n=$((n + 1)); done | sort | uniq -c; }
		learn one; rm f; cat /var/w/f
		learn two; echo three >g; mv g f; cat /var/w/f; chmod 0 f; /opt/opens as 1000 1000 5 0 0 /var/w/f
		learn fifo; rm f; mkfifo f; (sleep 0.4; echo through >f) & cat /var/w/f; wait
		(echo again >f) & cat /var/w/f; wait
		learn dir; rm f; mkdir f; cat /var/w/f; /opt/opens open 200000 0 /var/w/f
		learn link; rm f; ln -s /etc/motd f; cat /var/w/f; rm f; ln -s f f; cat /var/w/f
		learn device; rm f; mknod f c 1 3; /opt/opens open 0 0 /var/w/f; rm f; mknod f c 1 5; head -c 3 /var/w/f | od -c
		learn way; cd /; mv /var/w /var/v; cat /var/w/f; ln -s v /var/w; cat /var/w/f; rm /var/w; mv /var/v /var/w; cd /var/w
		learn mount; mkdir /var/m; echo below >/var/m/f; mount --bind /var/m /var/w && cat /var/w/f; umount /var/w; cat /var/w/f
		learn flags; for f in 0 2000000 4000 100000 2004000; do /opt/opens open $f 0 /var/w/f; done
		learn last; rm -rf /var/m
	END
	local r native
	for r in $RUNTIMES; do
		native=$(run_in "$r" "n-$r-$$" "$T/free")
		run run_in "$r" "l-$r-$$" "$T/b"
		diff <(echo "$native") <(echo "$output")
		[ "$status" = 0 ]
		[ "$(grep -c '^ *12 ' <<<"$output")" = 10 ]
		grep -qx through <<<"$output"
	done
}

# Containers as most are: they make no mounts.
@test "volumes and the null device of a container that makes no mounts are what they are called each time" {
	guarded
	local b r native
	for b in b free; do
		jq '(.process.capabilities | .bounding, .effective, .permitted) -= ["CAP_SYS_ADMIN"] |
			.mounts += [["/vol", "/other", "/deep/er/vol"][] |
				{ destination: ., type: "tmpfs", source: "tmpfs", options: ["mode=755"] }]' \
			"$T/$b/config.json" >"$T/n" && mv "$T/n" "$T/$b/config.json"
	done
	script <<-'END'
		exec 2>&1
		mkdir -p /vol/w /other/w; echo other >/other/w/f
		learn() { rm -rf /$d/f; echo "$1" >/$d/f; n=0; while [ $n -lt 12 ]; do cat /$d/f; n=$((n + 1)); done | sort | uniq -c; }
		for d in vol/w deep/er/vol; do
			cd /$d
			learn one; rm f; cat /$d/f
			learn two; echo three >g; mv g f; cat /$d/f; chmod 0 f; /opt/opens as 1000 1000 5 0 0 /$d/f
			learn fifo; rm f; mkfifo f; (sleep 0.4; echo through >f) & cat /$d/f; wait
			learn dir; rm f; mkdir f; cat /$d/f; /opt/opens open 200000 0 /$d/f
			learn link; rm f; ln -s /etc/motd f; cat /$d/f; rm f; ln -s /etc/guarded f; cat /$d/f; rm f; ln -s /other/w/f f; cat /$d/f
			learn device; rm f; mknod f c 1 3; /opt/opens open 0 0 /$d/f; rm f; mknod f c 1 5; head -c 3 /$d/f | od -c
			learn flags; for f in 0 2000000 4000 100000 2004000 1 2 1001; do /opt/opens open $f 0 /$d/f; done
			learn last
		done
		cd /; d=deep/er/vol; learn way; mv /deep /peed; cat /$d/f; mkdir -p /deep/er/vol; echo root >/$d/f; cat /$d/f; cat /peed/er/vol/f
		rm -r /deep; mkdir -p /deep/er; ln -s /other/w /deep/er/vol; cat /$d/f; rm -r /deep; mv /peed /deep; cat /$d/f
		d=vol/w; learn way; mv /vol/w /vol/v; cat /vol/w/f; ln -s v /vol/w; cat /vol/w/f; rm /vol/w; ln -s /proc/1 /vol/w; cat /vol/w/comm; rm /vol/w
		null() { for f in 0 1 2 101 1101 2001 1001 301 200000 101101 1000 3; do /opt/opens open $f 644 $1; done; /opt/opens as 1000 1000 5 0 1101 $1; }
		n=0; while [ $n -lt 12 ]; do : >/dev/null; cat /dev/null; echo x >>/dev/null; n=$((n + 1)); done
		null /dev/null; mkdir /dev/d; mknod /dev/d/null c 1 3; chmod 600 /dev/d/null; null /dev/d/null; null /dev/d/null
		mv /dev/null /dev/was; null /dev/null; echo written >/dev/null; cat /dev/null; null /dev/null; cat /dev/null; rm /dev/null
		mv /dev/was /dev/null; null /dev/null; null /dev/null; mv /dev/null /dev/was
		ln -s /etc/guarded /dev/null; cat /dev/null; echo lost >/dev/null; rm /dev/null; ln -s /etc/motd /dev/null; cat /dev/null; rm /dev/null
		mknod /dev/null c 1 5; head -c 3 /dev/null | od -c; rm /dev/null; mv /dev/was /dev/null; null /dev/null; cat /dev/null; echo end
	END
	for r in $RUNTIMES; do
		native=$(run_in "$r" "n-$r-$$" "$T/free")
		run run_in "$r" "l-$r-$$" "$T/b"
		# The guarded file's link is refused, and there it is all the difference.
		diff <(grep -vE '^rare$' <<<"$native") <(grep -vE "can't (open|create).*Operation not permitted" <<<"$output")
		[ "$(grep -cx rare <<<"$native")" = 3 ]
		[ "$(grep -c "can't open.*Operation not permitted" <<<"$output")" = 3 ]
		refute grep -qx rare <<<"$output"
		[ "$(cat "$T/b/rootfs/etc/guarded")" = rare ]
		[ "$(grep -c '^ *12 ' <<<"$output")" = 18 ]
		[ "${lines[-1]}" = end ]
		expect_alert "Guarded file opened" "l-$r-$$"
		rm -rf "$T"/{b,free}/rootfs/{vol,other,deep}
		echo rare >"$T/free/rootfs/etc/guarded"
	done
}

@test "a file that was opened and closed does not keep its filesystem mounted" {
	guarded
	script <<-'END'
		mkdir -p /var/w
		/opt/opens busy /var/w 300
	END
	local r
	for r in $RUNTIMES; do
		run run_in "$r" "y-$r-$$" "$T/free"
		[ "$(echo "$output" | jq -c .)" = '{"opened":300,"busy":0}' ]
		run run_in "$r" "u-$r-$$" "$T/b"
		echo "$output"
		[ "$(echo "$output" | jq .opened)" = 300 ]
		# Whoever marks new mounts for the exec gate holds each of them for some microseconds.
		[ "$(echo "$output" | jq .busy)" -le 15 ]
	done
}

@test "what was read many times is refused once it leads to a guarded file" {
	guarded
	script <<-'END'
		exec 2>&1
		cd /opt
		n=0; while [ $n -lt 10 ]; do cat /opt/script >/dev/null; n=$((n + 1)); done
		mv script was; ln -s /etc/guarded script; cat /opt/script
		rm script; ln /etc/guarded script && cat /opt/script >/dev/null && echo another name
		mv was script
		# The directory above is another one.
		mkdir -p /var/etc; echo other >/var/etc/guarded
		n=0; while [ $n -lt 10 ]; do cat /var/etc/guarded >/dev/null; n=$((n + 1)); done
		mount --bind /etc /var/etc && cat /var/etc/guarded; umount /var/etc
		n=0; while [ $n -lt 10 ]; do chroot / cat /var/etc/guarded >/dev/null; n=$((n + 1)); done
		mv /var/etc /var/etc2; ln -s /etc /var/etc; cat /var/etc/guarded; rm /var/etc
		echo done
	END
	local r
	for r in $RUNTIMES; do
		run run_in "$r" "g-$r-$$" "$T/b"
		echo "$output"
		[ "${lines[-1]}" = done ]
		[ "$(grep -c rare <<<"$output")" = 0 ]
		[ "$(grep -c "can't open.*Operation not permitted" <<<"$output")" -ge 2 ]
		expect_alert "Guarded file opened" "g-$r-$$"
	done
}

@test "owners, modes, masks, groups and flags are those of the native call" {
	guarded
	script <<-'END'
		exec 2>&1
		cd /tmp && umask 027
		o() { echo "$*: $(/opt/opens open "$@" 2>&1)"; }
		a() { echo "$*: $(/opt/opens as "$@" 2>&1)"; }
		o 0 0 /etc/motd; o 2000000 0 /etc/motd; o 2 0 /etc/motd; o 1 0 /etc; o 101 666 new; o 301 600 new
		o 101 600 new; o 1001 0 new; o 2001 0 new; o 200000 0 /etc/motd; o 200000 0 /etc
		o 101 600 nodir/new; o 101 600 new/; o 101 600 /etc; o 0 0 ''; o 0 0 /etc/motd/x; o 20000001 0 /etc/motd
		o 20200002 600 /tmp; o 20200000 600 /tmp; o 0 0 "$(printf 'x%.0s' $(seq 300))"
		ln -s loop loop; o 0 0 loop; ln -s gone dangling; o 0 0 dangling; o 101 640 dangling; o 400000 0 dangling
		ln -s /etc/motd l; o 400000 0 l; o 0 0 l; o 301 600 l
		mkdir g; chgrp 7 g; chmod 2777 g; o 101 666 g/new; mkdir s; chmod 1777 s; o 101 666 s/own
		echo secret >rootonly; chmod 600 rootonly; a 1000 1000 5 0 0 rootonly; a 1000 1000 5 1 0 rootonly
		echo group >grouponly; chmod 640 grouponly; chgrp 5 grouponly
		a 1000 1000 5 0 0 grouponly; a 1000 1000 6 0 0 grouponly; a 1000 5 6 0 0 grouponly; a 1000 1000 5 0 1 grouponly
		a 1000 1000 5 0 101 g/by1000; a 1000 1000 5 0 101 s/by1000; a 1000 1000 5 0 101 by1000; chmod 1777 .
		a 1000 1000 5 0 101 by1000; a 1000 1000 5 0 301 s/own; a 1000 1000 5 0 101 s/own; a 1000 1000 5 0 4000000 /etc/motd
		mkdir closed; echo x >closed/x; chmod 700 closed; a 1000 1000 5 0 0 closed/x; a 1000 1000 5 0 0 closed/../l
		mknod kmsg c 1 11; o 0 0 kmsg; mknod null c 1 3; o 2 0 null; o 0 0 /dev/null; o 0 0 /dev/tty
		mkdir c; cp /opt/opens c/; echo in >c/f; chroot c /opens open 0 0 /f; chroot c /opens open 0 0 ../../f
		cat /proc/self/stat | cut -d' ' -f2; cat /proc/self/comm; cat /proc/mounts >/dev/null && echo mounts
		echo 5 >/proc/self/oom_score_adj && cat /proc/self/oom_score_adj; echo x >/proc/version; echo
		cat /proc/sys/kernel/osrelease >/dev/null && echo sys; echo piped | cat /dev/stdin; cat </dev/fd/0 </etc/motd
	END
	local r free
	for r in $RUNTIMES; do
		rm -rf "$T/b/rootfs/tmp" "$T/free/rootfs/tmp"
		mkdir "$T/b/rootfs/tmp" "$T/free/rootfs/tmp"
		run run_in "$r" "n-$r-$$" "$T/free"
		free=$(known_devices "$output")
		run run_in "$r" "s-$r-$$" "$T/b"
		diff <(echo "$free") <(echo "$output")
		[ "$(echo "$output" | wc -l)" -gt 50 ]
	done
}

@test "other names of a guarded file that are not easily told: behind a chroot, below a renamed directory, one of many" {
	guarded
	script <<-'END'
		cat /etc/motd
		mkdir -p /jail/m /jail/bin && mount --bind /etc /jail/m && cp /bin/busybox /jail/bin/
		/bin/busybox unshare -m /bin/busybox chroot /jail /bin/busybox cat /m/guarded && echo got 1
		/bin/busybox chroot /jail /bin/busybox cat /m/guarded && echo got 2
		mkdir -p /tmp/p/q && mount --bind /etc /tmp/p/q && cat /tmp/p/q/motd
		mv /tmp/p /tmp/z && mkdir -p /tmp/p/q && mv /tmp/z /tmp/p/q/k && ls /tmp/p/q/k/q/guarded
		cat /tmp/p/q/k/q/guarded && echo got 3
		umount /tmp/p/q/k/q; umount /jail/m
		i=0; while [ $i -lt 12 ]; do mkdir /dev/b$i; mount --bind /etc /dev/b$i; i=$((i + 1)); done
		i=0; while [ $i -lt 12 ]; do cat /dev/b$i/guarded && echo got 4 $i; umount /dev/b$i; i=$((i + 1)); done
		cat /etc/motd
	END
	local r
	for r in $RUNTIMES; do
		rm -rf "$T"/{b,free}/rootfs/{jail,tmp}
		mkdir "$T"/{b,free}/rootfs/tmp
		run run_in "$r" "n-$r-$$" "$T/free"
		echo "$output"
		[ "$(grep -c '^got' <<<"$output")" = 15 ]
		run run_in "$r" "s-$r-$$" "$T/b"
		echo "$output"
		[ "$(grep -cE "^got|rare" <<<"$output")" = 0 ]
		[ "${lines[0]}" = hello ]
		[ "$(grep -cx hello <<<"$output")" = 3 ]
	done
}

@test "what the runtime hides behind the null device gives /dev/null no other name" {
	guarded
	sed -i 's|fd.name = /etc/guarded|fd.name in (/etc/guarded, /etc/masked)|' "$T/rules.yaml"
	"$SHK_BUILDDIR/shrike" reload
	script <<-'END'
		echo lost >/dev/null && cat /dev/null && echo "null goes on"
		cat /etc/masked && echo "masked went on"
		echo new >/etc/masked && echo "masked was written"
		cat /etc/motd
	END
	local r
	echo secret >"$T/b/rootfs/etc/masked"
	jq '.linux.maskedPaths += ["/etc/masked"]' "$T/b/config.json" >"$T/n" && mv "$T/n" "$T/b/config.json"
	for r in $RUNTIMES; do
		run run_in "$r" "m-$r-$$" "$T/b"
		echo "$output"
		[ "$(grep -vE "can't" <<<"$output")" = $'null goes on\nhello' ]
		[ "$(alerts_of "Guarded file opened" "m-$r-$$" | jq -r .shrike.verdict | sort | uniq -c | xargs)" = "2 deny" ]
	done
}

@test "FIFOs: many wait at a time, and none longer than the deadline" {
	# On a machine that has other things to do two processes may take long to meet.
	guarded 30000
	script <<<'/opt/opens fifos /tmp/fifo 24'
	local r
	for r in $RUNTIMES; do
		rm -f "$T"/b/rootfs/tmp/*
		run run_in "$r" "q-$r-$$" "$T/b"
		echo "$output"
		[ "${lines[0]}" = '{"met":24}' ]
	done
	sed -i 's/ms: 30000/ms: 1000/' "$T/policies/default.yaml"
	"$SHK_BUILDDIR/shrike" reload
	script <<<'/opt/opens lone /tmp/lone; cat /etc/motd'
	for r in $RUNTIMES; do
		rm -f "$T"/b/rootfs/tmp/*
		run run_in "$r" "l-$r-$$" "$T/b"
		echo "$output"
		[[ ${lines[0]} =~ ^EPERM\ ([0-9]+)$ ]]
		[ "${BASH_REMATCH[1]}" -ge 900 ]
		[ "${lines[1]}" = hello ]
	done
}

@test "an engine that ends while files are made" {
	local r e n=0 files=${SHK_FILES:-30000}
	guarded
	script <<<"mkdir /tmp/x; /opt/opens excl /tmp/x $files"
	for r in $RUNTIMES; do
		rm -rf "$T"/b/rootfs/tmp/*
		run_in "$r" "k-$r-$$" "$T/b" >"$T/k.out" 2>"$T/k.err" &
		local run=$!
		while kill -0 $run 2>/dev/null; do
			pause 0.3
			e=$(engine_pid) && kill -9 "$e" 2>/dev/null && n=$((n + 1))
		done
		wait $run || true
		cat "$T/k.out" "$T/k.err"
		[ "$(jq .made "$T/k.out")" = "$files" ]
		[ "$(jq .errors "$T/k.out")" = 0 ]
	done
	echo "$n engines ended"
	[ "$n" -ge $((2 * $(wc -w <<<"$RUNTIMES"))) ]
}

@test "names, owners and modes are changed as by the native call" {
	guarded
	cat >>"$T/rules.yaml" <<-END
		- rule: Guarded name changed
		  desc: .
		  condition: >
		    evt.type in (mkdir, mkdirat, rmdir, unlink, unlinkat, rename, renameat, renameat2, link, linkat, symlink,
		    symlinkat, mknod, mknodat, chmod, fchmodat, fchmodat2, chown, lchown, fchownat, truncate)
		    and (fs.path.name startswith /etc/keep or fs.path.source startswith /etc/keep or fs.path.target startswith /etc/keep)
		  output: changed %fs.path.name %evt.args
		  priority: WARNING
	END
	sed -i 's/"Guarded file opened"/"Guarded file opened", "Guarded name changed"/' "$T/policies/default.yaml"
	"$SHK_BUILDDIR/shrike" reload
	script <<-'END'
		exec 2>&1
		cd /tmp && umask 022; ls() { command ls -ln "$@" | sed 's/ [A-Z][a-z][a-z]  *[0-9]* [0-9:]* / /; s/^total.*//'; }
		mkdir a a/b a/b/c; mkdir a; mkdir /; mkdir a/.; mkdir gone/x; mkdir -m 7777 m; rmdir a/b; rmdir a/.; rmdir gone; rmdir a/b/c/
		touch f; rmdir f; unlink a; rm gone; rm f/; ln -s a/b lb; ls lb/; rmdir lb; rmdir lb/; ls
		touch f g; mv f h; mv g a/; mv gone x; mv a lb/; mv h h2/; mv a/b a2; ls . a
		ln f2 x; touch f2; ln f2 x; ln f2 x; ln -s f2 s; ln s s2; ln -P s s3; ls; ln -s f2 a; ls a
		chmod 600 f2; chmod 4755 x; chmod 700 s; chmod 1777 a; chmod 600 gone; ls
		chown 5:6 f2; chown -h 7:8 s; chown 1000 a; chown :3 gone; ls
		mkfifo p; mknod n c 1 3; mknod k c 1 11; mknod n c 1 3; ls; truncate -s 100 f2; truncate -s 5 a; ls f2
		chroot / /bin/busybox su -s /bin/sh web -c 'cd /tmp; mkdir web; rmdir m; rm f2; chmod 777 x; chown 0 x; mv x y; ln /etc/motd z; mkdir a/w; rm -f a/w; rmdir a/w'
		ls; rm -rf /tmp/a /tmp/m; ls
		/opt/keep
		echo done
	END
	# As of opens (known_devices): one that everybody has may be made.
	[ -e /sys/fs/cgroup/devices ] || sed -i 's/mknod k c 1 11/mknod k c 1 7/' "$T"/{b,free}/rootfs/opt/script
	printf '#!/bin/sh\n' >"$T/free/rootfs/opt/keep"
	cat >"$T/b/rootfs/opt/keep" <<-'END'
		#!/bin/sh
		exec 2>/dev/null
		mkdir -p /tmp/kx; ln -s /etc /tmp/kx/e; ln -s keepfile /etc/alias
		mkdir /etc/keepdir && echo BAD; mkdir /tmp/kx/e/keepdir && echo BAD; touch /tmp/t; mv /tmp/t /tmp/kx/e/keep1 && echo BAD
		mv /etc/keepfile /tmp/t && echo BAD; rm /tmp/kx/e/keepfile && echo BAD; chmod 777 /etc/alias && echo BAD
		cd /etc; rm keepfile && echo BAD; rm ../etc/keepfile && echo BAD; ln keepfile /tmp/k && echo BAD; chown 1 /proc/self/root/etc/keepfile && echo BAD
		rm /proc/self/cwd/keepfile && echo BAD
	END
	chmod 755 "$T/b/rootfs/opt/keep" "$T/free/rootfs/opt/keep"
	local r free
	for r in $RUNTIMES; do
		for b in b free; do
			rm -rf "$T/$b/rootfs/tmp" "$T/$b/rootfs/etc/alias"
			mkdir -m 1777 "$T/$b/rootfs/tmp"
			echo keep >"$T/$b/rootfs/etc/keepfile"
		done
		run run_in "$r" "n-$r-$$" "$T/free"
		free=$output
		run run_in "$r" "s-$r-$$" "$T/b"
		diff <(echo "$free") <(echo "$output")
		[ "$(echo "$output" | wc -l)" -gt 80 ]
		expect_alert "Guarded name changed" "s-$r-$$"
		alerts_of "Guarded name changed" "s-$r-$$" | jq -r .output
		[ "$(alerts_of "Guarded name changed" "s-$r-$$" | wc -l)" -ge 11 ]
	done
}
