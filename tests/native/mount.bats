#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Calls on mounts: the same cases in twin containers, one of them supervised with a rule that enforces these calls. Every
# line must be the same, but for those that rows of docs/NATIVE.md name.
#
# SHK_NATIVE_SEED, SHK_NATIVE_CASES: as in native.bats (1; 1500, 15000 in make check-long).

load ../system/lib

: "${SHK_NATIVE_SEED:=1}"
: "${SHK_NATIVE_CASES:=$([ -n "${SHK_LONG:-}" ] && echo 15000 || echo 1500)}"

setup_file() {
	need_root
	need runc crun jq busybox
	shk_setup
	cat >"$T/rules.yaml" <<-END
		- rule: hidden place mounted
		  desc: Nothing of the cases lies there.
		  condition: >
		    evt.type in (mount, umount2, move_mount, mount_setattr, pivot_root) and container.id != host
		    and (evt.arg.dir startswith /hide or fs.path.source startswith /hide or evt.arg.name startswith /hide
		    or evt.arg.path startswith /hide or evt.arg.to_path startswith /hide or evt.arg.new_root startswith /hide)
		  output: mounted %evt.args
		  priority: WARNING
	END
	policy <<-END
		policy: default
		rules: { files: [$T/rules.yaml] }
		mode: enforce
		deadline: { ms: 10000, then: deny }
		actions:
		  - match: { rules: ["hidden place mounted"] }
		    then: { deny: EPERM }
	END
	start_daemon
	make_bundle "$T/b" '(.process.capabilities | .bounding, .effective, .permitted) += ["CAP_SETUID", "CAP_SETGID",
		"CAP_CHOWN", "CAP_MKNOD", "CAP_FSETID", "CAP_SETPCAP", "CAP_SETFCAP", "CAP_DAC_READ_SEARCH"]
		| .linux.maskedPaths = [] | .linux.readonlyPaths = []'
	mkdir "$T/b/rootfs/w" "$T/b/rootfs/ov"
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
	jq --arg seed "$SHK_NATIVE_SEED" --arg n "$SHK_NATIVE_CASES" '
		.process.args = ["/opt/native", "mount", $seed, "1", $n]' "$1/config.json" >"$1/n" && mv "$1/n" "$1/config.json"
}

# Rows of the table of docs/NATIVE.md: CASE NATIVE INSTEAD, extended regular expressions.
rows() {
	sed -n '/^## mount/,/^## /p' "$SHK_SRCDIR/docs/NATIVE.md" | awk -F ' *[|] *' '
		/^[|] *`/ { for (i = 2; i <= 4; i++) { gsub(/`/, "", $i); gsub(/\\or/, "|", $i) } print $2 "\t" $3 "\t" $4 }'
}

@test "mount, umount2, move_mount, mount_setattr, pivot_root" {
	local r
	cases "$T/bare"
	cases "$T/b"
	rows >"$T/table"
	for r in $RUNTIMES; do
		run_in "$r" "mn-$r-$MAIN" "$T/bare" >"$T/native.out"
		run_in "$r" "ms-$r-$MAIN" "$T/b" >"$T/supervised.out"
		[ "$(wc -l <"$T/native.out")" = $((SHK_NATIVE_CASES + 1)) ]
		[ "$(wc -l <"$T/supervised.out")" = $((SHK_NATIVE_CASES + 1)) ]
		refute grep -q ' => ended with' "$T/native.out"
		[ "$(grep -c ' => ok ' "$T/native.out")" -gt $((SHK_NATIVE_CASES / 8)) ]
		[ "$(sed -n 's/.* => \(E[A-Z0-9]*\) .*/\1/p' "$T/native.out" | sort -u | wc -l)" -gt $((SHK_NATIVE_CASES < 1000 ? 7 : 9)) ]
		paste -d '\t' "$T/native.out" "$T/supervised.out" | awk -F '\t' '
			FILENAME == ARGV[1] { n++; kase[n] = $1; native[n] = $2; ours[n] = $3; next }
			$1 == $2 { next }
			{
				at = index($1, " => "); what = substr($1, 1, at - 1)
				a = substr($1, at + 4); b = substr($2, index($2, " => ") + 4)
				for (i = 1; i <= n; i++)
					if (what ~ kase[i] && a ~ native[i] && b ~ ours[i]) { known++; used[i]++; next }
				print what; print "    native:     " a; print "    supervised: " b; bad++
			}
			END {
				for (i = 1; i <= n; i++) if (!used[i]) print "not needed: " kase[i] " | " native[i] " | " ours[i]
				print (bad + 0) " differences, " (known + 0) " known ones"
				exit bad > 0
			}' "$T/table" -
	done
}
