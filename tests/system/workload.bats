#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# What ordinary programs see of a supervisor that carries their calls out: nothing. git, a compiler, tar, perl and shells
# in twin containers on the host's /usr, of which one is supervised and enforces a rule about every kind of call they make.

load lib

setup() {
	need_root
	need runc crun jq git gcc tar perl bash
	shk_setup
}

teardown() {
	[ -z "${T:-}" ] || shk_teardown
}

# twin DIR: the host's programs, a place to write.
twin() {
	local r=$1/rootfs d
	rm -rf "$r"/{bin,sbin,lib,lib64,usr,tmp}
	mkdir -p "$r/usr" "$r/etc/alternatives"
	mkdir -m 1777 "$r/tmp"
	for d in bin sbin lib lib64; do
		ln -s "usr/$d" "$r/$d"
	done
	cp /etc/ld.so.cache "$r/etc/"
	install -m 755 "$T/script" "$r/opt/script"
	jq '.mounts += [{ destination: "/usr", type: "bind", source: "/usr", options: ["rbind", "ro"] },
		{ destination: "/etc/alternatives", type: "bind", source: "/etc/alternatives", options: ["rbind", "ro"] }]' \
		"$1/config.json" >"$T/n" && mv "$T/n" "$1/config.json"
}

@test "git, gcc, tar, perl and shells do what they do without us" {
	cat >"$T/rules.yaml" <<-END
		- rule: Guarded
		  desc: .
		  condition: >
		    evt.type in (open, openat, openat2, creat, mkdir, mkdirat, rename, renameat, renameat2, unlink, unlinkat, rmdir,
		    link, linkat, symlink, symlinkat, chmod, fchmodat, chown, fchownat, truncate, connect, bind, execve, execveat)
		    and (fd.name = /etc/guarded or fs.path.name = /etc/guarded or proc.exepath = /etc/guarded)
		  output: touched %evt.type %evt.args
		  priority: WARNING
	END
	policy <<-END
		policy: default
		rules: { files: [$T/rules.yaml] }
		mode: enforce
		actions:
		  - match: { rules: ["Guarded"] }
		    then: { deny: EPERM }
	END
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
	ARGS='["/opt/script"]' make_bundle "$T/b"
	cp -r "$T/b" "$T/free"
	add_hook "$T/b" prestart
	local r free
	for r in $RUNTIMES; do
		rm -rf "$T/b/rootfs/tmp" "$T/free/rootfs/tmp"
		twin "$T/b"
		twin "$T/free"
		echo secret | tee "$T/b/rootfs/etc/guarded" >"$T/free/rootfs/etc/guarded"
		free=$(run_in "$r" "n-$r-$$" "$T/free")
		run run_in "$r" "s-$r-$$" "$T/b"
		diff <(echo "$free") <(echo "$output")
		[ "$(wc -l <<<"$output")" -gt 40 ] || { echo "$output"; false; }
		# It was in force all the while.
		[ "$(cat "$T/free/rootfs/tmp/guarded")" = "guarded 0" ]
		[ "$(cat "$T/b/rootfs/tmp/guarded")" = "guarded 1" ]
		expect_alert Guarded "s-$r-$$"
		expect_no_alert "Shrike internal: call that cannot be carried out" "s-$r-$$"
		expect_no_alert "Shrike internal: deadline" "s-$r-$$"
	done
}
