#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# What ordinary programs see of a supervisor that carries their calls out: nothing. They run in twin containers on the host's
# /usr, of which one is supervised and enforces a rule about every kind of call they make.

load lib
load twin

setup() {
	need_root
	need runc crun jq
	shk_setup
}

teardown() {
	[ -z "${T:-}" ] || shk_teardown
}

@test "git, gcc, tar, perl and shells do what they do without us" {
	need git gcc tar perl bash
	guarded_policy
	cat >"$T/script" <<-'END'
		#!/bin/sh
		exec 2>&1
		export HOME=/root PATH=/usr/local/bin:/usr/bin:/bin GIT_AUTHOR_DATE=@1000000000 GIT_COMMITTER_DATE=@1000000000
		cat /etc/guarded >/dev/null 2>&1; echo "guarded $?" >/tmp/guarded
		mkdir -p /tmp/w && cd /tmp/w
		git init -q . && git config user.email a@b && git config user.name n
		for i in $(seq 20); do echo $i >f$i; git add f$i; git commit -qm "c$i" || echo "no commit"; done
		git log --oneline; git gc -q; git fsck | tail -n 1; git checkout -q -b x; git rebase -q HEAD~3 | tail -n 1
		printf '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n' >a.c; gcc -O1 -o a a.c && ./a
		tar cf t.tar .git && mkdir y && tar xf t.tar -C y && diff -r .git y/.git && echo same
		perl -e 'open(F, ">", "p") or die; print F "x"; close F; print -s "p", "\n"'
		ls -R /proc/self >/dev/null 2>&1; cat /proc/*/status >/dev/null 2>&1
		head -c 10240 /dev/urandom >r; wc -c <r; mktemp >/dev/null && echo temporary
		bash -c 'for i in $(seq 60); do cat f1 >/dev/null; done; cat <(echo piped); exec 3<>/dev/tcp/127.0.0.1/1'; echo $?
		stat -c '%a %U %n' f1 a p; rm -rf x y .git; ls
	END
	start_daemon
	twins
	same_output 40
}

# deb NAME: a package of what the host has installed under that name, without its scripts.
deb() {
	local d=$T/deb/$1
	mkdir -p "$d/DEBIAN"
	dpkg-query -L "$1" | while read -r f; do [ -d "$f" ] || echo "${f#/}"; done |
		tar -C / -c -T - 2>/dev/null | tar -C "$d" -x
	dpkg-query -s "$1" | sed '/^Status:/d; /^Conffiles:/,/^[A-Z]/{ /^Conffiles:/d; /^ /d }' >"$d/DEBIAN/control"
	dpkg-deb --build "$d" "$T/deb/$1.deb" >/dev/null
}

@test "dpkg installs, upgrades, diverts and removes" {
	need dpkg dpkg-deb
	guarded_policy
	local p
	for p in dash coreutils gzip; do
		deb "$p"
	done
	cat >"$T/script" <<-'END'
		#!/bin/sh
		exec 2>&1
		export PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin LC_ALL=C
		cat /etc/guarded >/dev/null 2>&1; echo "guarded $?" >/tmp/guarded
		mkdir -p /tmp/r/usr/bin /tmp/p && cd /tmp/p && ln -s usr/bin /tmp/r/bin
		mkdir -p /tmp/r/var/lib/dpkg/updates /tmp/r/var/lib/dpkg/info; : >/tmp/r/var/lib/dpkg/status; : >/tmp/r/var/lib/dpkg/available
		# Two versions of a package with links, a configuration file, modes, owners and scripts.
		for v in 1 2; do
			mkdir -p t$v/DEBIAN t$v/etc t$v/usr/share/thing/sub
			echo "value $v" >t$v/etc/thing.conf; echo /etc/thing.conf >t$v/DEBIAN/conffiles
			echo "data $v" >t$v/usr/share/thing/a; ln t$v/usr/share/thing/a t$v/usr/share/thing/b; ln -s a t$v/usr/share/thing/c
			[ $v = 1 ] && echo old >t$v/usr/share/thing/sub/old || echo new >t$v/usr/share/thing/new
			chmod 2750 t$v/usr/share/thing/sub; chown 1000:500 t$v/usr/share/thing/sub; mkfifo t$v/usr/share/thing/fifo
			printf 'Package: thing\nVersion: %s\nArchitecture: all\nMaintainer: N <n@example.org>\nDescription: d\n' $v >t$v/DEBIAN/control
			for s in preinst postinst prerm postrm; do
				printf '#!/bin/sh\necho %s "$@"\n' $s >t$v/DEBIAN/$s; chmod 755 t$v/DEBIAN/$s
			done
			dpkg-deb --build t$v thing$v.deb
		done
		D="dpkg --root=/tmp/r --force-depends --force-script-chrootless --log=/tmp/log"
		$D -i /opt/deb/*.deb; echo "installed $?"
		$D -i thing1.deb; echo changed >>/tmp/r/etc/thing.conf
		dpkg-divert --root /tmp/r --divert /usr/share/thing/a.old --rename /usr/share/thing/a
		$D --force-confold -i thing2.deb; echo "upgraded $?"
		$D -l; $D -V; $D -r thing; $D -P thing; echo "removed $?"; $D -r gzip
		sed 's/^[^ ]* [^ ]* //' /tmp/log; cat /tmp/r/var/lib/dpkg/status
		cd /tmp/r && find . ! -type d -printf '%M %n %u %g %s %p %l\n' -o -printf '%M %u %g %p\n' | sort; md5sum usr/bin/* | sort
	END
	start_daemon
	twins '(.process.capabilities | .bounding, .effective, .permitted) += ["CAP_CHOWN", "CAP_FSETID", "CAP_MKNOD",
		"CAP_SETUID", "CAP_SETGID", "CAP_SYS_CHROOT"]'
	mkdir -p "$T"/{b,free}/rootfs/opt/deb
	cp "$T"/deb/*.deb "$T/b/rootfs/opt/deb/"
	cp "$T"/deb/*.deb "$T/free/rootfs/opt/deb/"
	same_output 400
	grep -qx 'installed 0' <<<"$output"
	grep -qx 'upgraded 0' <<<"$output"
	grep -qx 'removed 0' <<<"$output"
}

@test "sqlite3: processes that write one database wait for each other's locks and for nothing else" {
	need sqlite3
	guarded_policy
	cat >"$T/script" <<-'END'
		#!/bin/sh
		exec 2>&1
		cat /etc/guarded >/dev/null 2>&1; echo "guarded $?" >/tmp/guarded
		cd /tmp
		for mode in delete wal truncate; do
			sqlite3 $mode.db "pragma journal_mode=$mode; create table t (w int, i int); create index x on t (w, i);"
			for w in 1 2 3 4; do
				for i in $(seq 25); do
					sqlite3 -cmd '.timeout 60000' $mode.db "begin immediate; insert into t values ($w, $i); commit;" || echo "failed $?"
				done &
			done
			wait
			sqlite3 $mode.db 'select w, count(*), sum(i) from t group by w; pragma integrity_check; vacuum; select count(*) from t;'
			ls $mode.db*
		done
	END
	start_daemon
	twins
	same_output 18
	refute grep -qiE 'failed|locked|error' <<<"$output"
}

@test "a Go program: goroutines that make calls and are pre-empted by signals" {
	need go
	guarded_policy
	(cd "$T" && GOCACHE=$T/gocache GOFLAGS=-mod=mod GO111MODULE=off CGO_ENABLED=0 \
		go build -o "$T/gostorm" "$SHK_SRCDIR/tests/system/gostorm.go")
	cat >"$T/script" <<-'END'
		#!/bin/sh
		exec 2>&1
		cat /etc/guarded >/dev/null 2>&1; echo "guarded $?" >/tmp/guarded
		exec /opt/gostorm /tmp 150
	END
	start_daemon
	twins
	install -m 755 "$T/gostorm" "$T/b/rootfs/opt/"
	install -m 755 "$T/gostorm" "$T/free/rootfs/opt/"
	same_output 10
	refute grep -q 'error' <<<"$output"
}

# Without SA_RESTART a signal that comes before the engine has taken the call ends it with EINTR (docs/NATIVE.md): the
# program makes it again, and must find that nothing had been done.
@test "threads whose calls are interrupted a thousand times a second, with and without SA_RESTART" {
	guarded_policy
	cat >"$T/script" <<-'END'
		#!/bin/sh
		exec 2>&1
		cat /etc/guarded >/dev/null 2>&1; echo "guarded $?" >/tmp/guarded
		for how in restart interrupt; do /opt/ticks /tmp/$how $how 3 300; done
	END
	start_daemon
	twins
	install -m 755 "$SHK_BUILDDIR/tests/system/ticks" "$T/b/rootfs/opt/"
	install -m 755 "$SHK_BUILDDIR/tests/system/ticks" "$T/free/rootfs/opt/"
	same_output 20
	# Not one of them failed; and there were signals.
	refute grep -vE ' 0$' <<<"$(grep '^call ' <<<"$output")"
	[ "$(grep -c '^interrupted yes$' <<<"$output")" = 2 ]
}

# busybox's own tests are not in its package: runs of as many applets as work on files.
@test "busybox: what its applets do to files" {
	need busybox
	guarded_policy
	cat >"$T/script" <<-'END'
		#!/opt/busybox sh
		exec 2>&1
		/opt/busybox mkdir -p /tmp/box && /opt/busybox --install -s /tmp/box
		export PATH=/tmp/box TZ=UTC
		cat /etc/guarded >/dev/null 2>&1; echo "guarded $?" >/tmp/guarded
		mkdir -m 750 /tmp/w && cd /tmp/w || exit
		echo "-- names"; mkdir -p a/b/c; touch -d @1000000000 a/f a/b/g; ln -s f a/l; ln a/f a/h; ln -sf nowhere a/dangling
		mkfifo -m 600 a/p; mknod a/n c 1 3; mknod a/q p; mkdir -m 4711 a/i; cp a/f a/j; chmod 640 a/j; mktemp -d -p . x.XXXXXX >/dev/null
		readlink a/l; readlink -f a/l; realpath a/b/../l; basename a/b/g .g; dirname a/b/g; rmdir x.*; rmdir a; rmdir a/b/c; link a/f a/k; unlink a/k
		find a | sort; find a -type l; find a -name 'f*' -exec echo {} +; stat -c '%a %F %h %N' a/f a/l a/p a/i a/n
		echo "-- copies"; cp -a a z; cp -r a/b y; cp -l a/f a/cl; mv a/j a/moved; mv -n a/moved a/f; ls -1 a z y; cp a/nothing a/x; diff -r a z; rm -r z; rm z; rm -f z
		echo "-- owners"; chmod u+s,o-r a/f; chmod -R go-w a; chmod 1777 a/b; chown 1000:500 a/f; chown -R 7 a/b; chown -h 8 a/l; chgrp 9 a/h; ls -ln a | cut -c1-40
		echo "-- contents"; seq 1000 >s; for i in 0 1 2 3; do dd if=s of=part.$i bs=1000 count=1 skip=$i 2>/dev/null; done; ls part.*; cat part.* | cmp - s && echo whole; dd if=s of=d bs=7 count=11 skip=3 2>/dev/null; md5sum d
		truncate -s 5 d; wc -c d; truncate -s 3000 d; wc -c <d; dd if=/dev/zero of=d bs=1 seek=10 count=2 conv=notrunc 2>/dev/null; sha256sum d; head -n 3 s; tail -n 2 s; tail -c 5 s
		tac s | head -n 1; sed -i 's/^1$/one/' s; sed -n 1,2p s; sort -r s -o s2; head -n 2 s2; uniq -c s2 | tail -n 1; tee t1 t2 <d | md5sum; cut -c1 s | sort | uniq -c; comm -12 s s2 | head -n 1
		paste s s2 | head -n 1; fold -w 2 s | wc -l; nl s | tail -n 1; od -c d | head -n 2; hexdump -C d | head -n 2; tr a-z A-Z <s | head -n 1; awk '{ n += $1 } END { print n > "sum" }' s; cat sum
		expand s | cksum; rev s | tail -n 1; base64 s | md5sum; uuencode s s | md5sum; xxd s 2>/dev/null | md5sum; printf 'a\nb\n' >o; printf 'a\nc\n' >n; diff -u o n | tail -n 3 >df; diff o n >dd; patch o <dd; cat o
		echo "-- archives"; tar cf a.tar a; tar tf a.tar | sort; mkdir e; tar xf a.tar -C e; find e | sort | md5sum; tar czf a.tgz a && tar tzf a.tgz | wc -l; find a | cpio -o -H newc 2>/dev/null >a.cpio; (mkdir c; cd c; cpio -idm <../a.cpio 2>&1; find . | sort | wc -l)
		gzip -k s; gunzip -c s.gz | cmp - s && echo gzip; bzip2 -k s; bunzip2 -c s.bz2 | cmp - s && echo bzip2; xz -dc nothing; ar -r x.a s 2>/dev/null; ls *.gz *.bz2
		echo "-- processes"; ls | xargs -n 5 echo | wc -l; timeout 50 true; echo $?; flock lock echo locked; (flock 9; echo inside) 9>lock; env -i A=1 env; nice true; nohup true; echo $?; setsid true; yes | head -n 2; run-parts a; which ls; id -u; tty; test -p a/p && echo pipe
		(echo through >a/p &); cat a/p; time -p true 2>&1 | wc -l; watch -t nothing 2>&1 </dev/null | head -n 0; du -s a >/dev/null; df . >/dev/null; sync; mountpoint /proc; ls /nowhere; cat a/b/none; cd /tmp/w/none; pwd
		cat /proc/self/comm; ls -l /proc/self/exe | sed 's/.*-> //'; echo "-- end"
	END
	start_daemon
	twins '(.process.capabilities | .bounding, .effective, .permitted) += ["CAP_CHOWN", "CAP_FSETID", "CAP_MKNOD"]'
	local b
	for b in b free; do
		rm -f "$T/$b/rootfs/opt/busybox"
		install -m 755 "$(command -v busybox)" "$T/$b/rootfs/opt/busybox"
	done
	same_output 130
	grep -qx -- '-- end' <<<"$output"
}
