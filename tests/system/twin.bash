# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
#
# Twin containers on the host's /usr, of which one is supervised: `load twin` behind `load lib`.

# A rule about every kind of call that is carried out for its caller, and one file that it guards.
guarded_policy() {
	cat >"$T/rules.yaml" <<-END
		- rule: Guarded
		  desc: .
		  condition: >
		    evt.type in (open, openat, openat2, creat, mkdir, mkdirat, rename, renameat, renameat2, unlink, unlinkat, rmdir,
		    link, linkat, symlink, symlinkat, mknod, mknodat, chmod, fchmodat, fchmodat2, chown, lchown, fchownat, truncate,
		    connect, bind, execve, execveat)
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
}

# The programs that the twins run, as /usr and /etc/alternatives below $HOST: the host's own. Where these are on a filesystem whose files are
# not opened for others, as it may not answer (an overlay of whatever; a guest's), a copy of what is run, made once for all tests of a file.
twin_host() {
	HOST=
	case $(stat -f -c %T /usr) in overlayfs | v9fs | fuseblk | nfs) ;; *) return 0 ;; esac
	HOST=$BATS_FILE_TMPDIR/host
	[ ! -d "$HOST" ] || return 0
	local needed="bash coreutils dash dpkg tar sed grep findutils diffutils gzip perl git gcc libc6-dev libc-bin sqlite3"
	local new=$HOST.new
	mkdir -p "$new/usr" "$new/etc"
	# shellcheck disable=SC2086 # words
	apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances --installed $needed |
		grep -E '^[a-z0-9]' | sort -u | xargs dpkg -L 2>/dev/null | sed -E 's,^/(s?bin|lib|lib64)/,/usr/\1/,' | sort -u |
		grep -E '^/usr/(s?bin|lib|lib64|libexec|include|share/(git-core|perl|perl5|dpkg))/' |
		while read -r f; do [ -d "$f" ] && [ ! -L "$f" ] || echo "${f#/usr/}"; done | tar -C /usr -c -T - | tar -C "$new/usr" -x
	cp -a /etc/alternatives "$new/etc/"
	mv "$new" "$HOST"
}

# twin DIR: the host's programs, a place to write.
twin() {
	local r=$1/rootfs d
	rm -rf "${r:?}"/{bin,sbin,lib,lib64,usr,tmp}
	mkdir -p "$r/usr" "$r/etc/alternatives"
	mkdir -m 1777 "$r/tmp"
	for d in bin sbin lib lib64; do
		ln -s "usr/$d" "$r/$d"
	done
	cp /etc/ld.so.cache "$r/etc/"
	install -m 755 "$T/script" "$r/opt/script"
	jq --arg host "$HOST" '.mounts += ["/usr", "/etc/alternatives" |
		{ destination: ., type: "bind", source: ($host + .), options: ["rbind", "ro"] }]' "$1/config.json" >"$T/n" && mv "$T/n" "$1/config.json"
}

# twins [JQ-FILTER]: bundles $T/b, which is supervised, and $T/free, which run /opt/script.
twins() {
	ARGS='["/opt/script"]' make_bundle "$T/b" "${1:-.}"
	cp -r "$T/b" "$T/free"
	add_hook "$T/b" prestart
}

# same_output LINES: both print the same, and more than so many lines; the rule was in force, and nothing else was said.
# The script touches /etc/guarded and writes what came of it into /tmp/guarded.
same_output() {
	local r free
	twin_host
	for r in $RUNTIMES; do
		twin "$T/b"
		twin "$T/free"
		echo secret | tee "$T/b/rootfs/etc/guarded" >"$T/free/rootfs/etc/guarded"
		free=$(run_in "$r" "n-$r-$$" "$T/free")
		run run_in "$r" "s-$r-$$" "$T/b"
		diff -a <(echo "$free") <(echo "$output")
		[ "$(wc -l <<<"$output")" -gt "$1" ] || { echo "$output"; false; }
		[ "$(cat "$T/free/rootfs/tmp/guarded")" = "guarded 0" ]
		[ "$(cat "$T/b/rootfs/tmp/guarded")" = "guarded 1" ]
		expect_alert Guarded "s-$r-$$"
		expect_no_alert "Shrike internal: call that cannot be carried out" "s-$r-$$"
		expect_no_alert "Shrike internal: deadline" "s-$r-$$"
		# Twins have configurations of their own.
		jq '.mounts |= map(select(.destination != "/usr" and .destination != "/etc/alternatives"))' \
			"$T/b/config.json" >"$T/n" && mv "$T/n" "$T/b/config.json"
		jq '.mounts |= map(select(.destination != "/usr" and .destination != "/etc/alternatives"))' \
			"$T/free/config.json" >"$T/n" && mv "$T/n" "$T/free/config.json"
	done
}
