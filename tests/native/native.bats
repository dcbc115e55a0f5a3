#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Calls that are carried out for their callers have the results they have without us. The same cases run in twin
# containers, one of them supervised; a difference that docs/NATIVE.md does not name is a failure.
#
# A family of calls is a test; each is tried with every runtime.
#
# SHK_NATIVE_SEED, SHK_NATIVE_CASES: other cases than those of every day (seed 1, 2000; 25000 in make check-long).

load ../system/lib

: "${SHK_NATIVE_SEED:=1}"
: "${SHK_NATIVE_CASES:=$([ -n "${SHK_LONG:-}" ] && echo 25000 || echo 2000)}"

setup_file() {
	need_root
	need runc crun jq busybox
	shk_setup
	# A rule that matches nothing of what is tried, and an action: that is what makes calls enforced.
	cat >"$T/rules.yaml" <<-END
		- rule: Hidden
		  desc: Nothing of the cases lies there.
		  condition: >
		    evt.type in (open, openat, openat2, creat, mkdir, mkdirat, rmdir, unlink, unlinkat, rename, renameat, renameat2,
		    link, linkat, symlink, symlinkat, mknod, mknodat, chmod, fchmodat, fchmodat2, chown, lchown, fchownat,
		    chown32, lchown32, truncate, truncate64, connect, bind, sendto, sendmsg)
		    and (fd.name startswith /hide/ or fs.path.name startswith /hide/)
		  output: touched %evt.type %evt.args
		  priority: WARNING
	END
	policy <<-END
		policy: default
		rules: { files: [$T/rules.yaml] }
		mode: enforce
		deadline: { ms: 10000, then: deny }
		actions:
		  - match: { rules: ["Hidden"] }
		    then: { deny: EPERM }
	END
	start_daemon
	make_bundle "$T/b" '(.process.capabilities | .bounding, .effective, .permitted) += ["CAP_SETUID", "CAP_SETGID",
		"CAP_CHOWN", "CAP_MKNOD", "CAP_FSETID", "CAP_SETPCAP", "CAP_DAC_READ_SEARCH", "CAP_SYS_CHROOT",
		"CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_SETFCAP"]'
	if [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]; then
		jq '.process.env += ["EVERYBODYS_DEVICES=1"]' "$T/b/config.json" >"$T/n" && mv "$T/n" "$T/b/config.json"
	fi
	install -m 755 "$SHK_BUILDDIR/tests/native/native" "$T/b/rootfs/opt/"
	cp -r "$T/b" "$T/bare"
	add_hook "$T/b" prestart
	export T ALERTS SHRIKE_SOCKET KEEPER IDS
	export MAIN=$$
}

teardown_file() {
	[ -z "${T:-}" ] || shk_teardown
}

cases() {
	jq --arg f "$2" --arg seed "$SHK_NATIVE_SEED" --arg n "$SHK_NATIVE_CASES" '
		.process.args = ["/opt/native", $f, $seed, "1", $n]' "$1/config.json" >"$1/n" && mv "$1/n" "$1/config.json"
}

# Rows of the table of FAMILY in docs/NATIVE.md: CASE RESULT INSTEAD, extended regular expressions.
table() {
	sed -n "/^## $1/,/^## /p" "$SHK_SRCDIR/docs/NATIVE.md" | awk -F ' *[|] *' '
		/^[|] *`/ { for (i = 2; i <= 4; i++) { gsub(/`/, "", $i); gsub(/\\or/, "|", $i) } print $2 "\t" $3 "\t" $4 }'
}

# Prints each case whose line differs and that no row allows.
differences() {
	awk -F '\t' -v family="$1" '
		# Allowed by row i? "~X" as native result: equal but for X.
		function fits(i, a, b) {
			if (what !~ kase[i]) return 0
			if (native[i] !~ /^~/) return a ~ native[i] && b ~ ours[i]
			gsub(substr(native[i], 2), "", a); gsub(substr(native[i], 2), "", b)
			return a == b
		}
		FILENAME == ARGV[1] { n++; kase[n] = $1; native[n] = $2; ours[n] = $3; next }
		FILENAME == ARGV[2] { split($0, p, " => "); id = $0; sub(/ .*/, "", id); was[id] = $0; next }
		{
			id = $0; sub(/ .*/, "", id)
			if (!(id in was)) { print "only supervised: " $0; bad = 1; next }
			a = was[id]; delete was[id]
			if (a == $0) next
			at = index($0, " => ")
			what = substr($0, 1, at - 1); b = substr($0, at + 4); a = substr(a, index(a, " => ") + 4)
			for (i = 1; i <= n; i++)
				if (fits(i, a, b)) { allowed++; used[i]++; break }
			if (i > n) { print what; print "    native:     " a; print "    supervised: " b; bad++ }
		}
		END {
			for (id in was) { print "only native: " was[id]; bad++ }
			for (i = 1; i <= n; i++) if (!used[i]) print "not needed: " kase[i] " | " native[i] " | " ours[i]
			print (bad + 0) " differences, " (allowed + 0) " known ones"
			exit bad > 0
		}' "$2" "$3" "$4"
}

family() {
	local f=$1 r
	cases "$T/bare" "$f"
	cases "$T/b" "$f"
	table "$f" >"$T/table"
	for r in $RUNTIMES; do
		run_in "$r" "n-$f-$r-$MAIN" "$T/bare" >"$T/native.out"
		run_in "$r" "s-$f-$r-$MAIN" "$T/b" >"$T/supervised.out"
		head -n 1 "$T/native.out"
		[ "$(wc -l <"$T/native.out")" = $((SHK_NATIVE_CASES + 1)) ]
		refute grep -q ' => ended with' "$T/native.out"
		# The cases are worth something: calls succeed, and fail in many ways.
		[ "$(grep -cE ' => (fd|done) ' "$T/native.out")" -gt $((SHK_NATIVE_CASES / 13)) ]
		[ "$(sed -n 's/.* => \(E[A-Z0-9]*\) .*/\1/p' "$T/native.out" | sort -u | wc -l)" -gt 8 ]
		differences "$f" "$T/table" "$T/native.out" "$T/supervised.out"
	done
}

@test "open, openat, openat2, creat" { family open; }
@test "mkdir, mkdirat, rmdir, unlink, unlinkat" { family make; }
@test "rename, renameat, renameat2" { family rename; }
@test "link, linkat, symlink, symlinkat" { family link; }
@test "mknod, mknodat" { family node; }
@test "chmod, fchmodat, fchmodat2" { family mode; }
@test "chown, lchown, fchownat, and those with ids of 16 bits" { family owner; }
@test "truncate, truncate64" { family size; }
@test "connect" { family connect; }
@test "bind" { family bind; }
@test "sendto, sendmsg" { family send; }
