#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Programs that try to get past a verdict, each under a policy that enforces. `list` names them; those that get past
# today stand in `open-weaknesses`, and an entry there that does not lose any more is a failure, too.
#
# ATTEMPTS (2000, but four seconds; 20000 in make check-long): how often each tries. SHK_ATTACK="open-memory ...": only these.

load ../system/lib

: "${ATTEMPTS:=$([ -n "${SHK_LONG:-}" ] && echo 20000 || echo 2000)}"
# Seconds for each, where a loaded machine would make a few of them last for minutes.
LIMIT=$([ -n "${SHK_LONG:-}" ] || echo ":$((${SHK_SLOW:-1} > 1 ? 15 : 4))")
HERE=$SHK_SRCDIR/tests/attack

setup_file() {
	need_root
	need runc crun jq busybox
	shk_setup
	[ -x "$SHK_BUILDDIR/tests/attack/attack" ]
	local g
	for g in open exec connect bind send path proc; do
		# A ring would be a way around by itself.
		SHK_RINGS='' policy "$g" <<-END
			policy: $g
			match: [{ name: "a-$g-*" }]
			rules: { files: [$HERE/rules.yaml], select: [{ disable: { rule: "*" } }, { enable: { tag: $g } }] }
			mode: enforce
			strict: false
			limits: { alerts_per_second: 1, burst: 1 }
			actions:
			  - match: { tags: [$g] }
			    then: { deny: EPERM }
		END
	done
	# Names for what is hidden would be an open's way around.
	sed -i 's/{ enable: { tag: open } }/&, { enable: { tag: alias } }/; s/tags: \[open\]/tags: [open, alias]/' \
		"$T/policies/open.yaml"
	start_daemon
	# In memory: making a directory on a disk takes longer than everything that is tested.
	mkdir "$T/fs"
	mount -t tmpfs none "$T/fs"
	make_bundle "$T/fs/b" '.mounts |= map(select(.destination != "/sys/fs/cgroup"))
		| (.process.capabilities | .bounding, .effective, .permitted) += ["CAP_SYS_CHROOT", "CAP_DAC_READ_SEARCH",
			"CAP_SETUID", "CAP_SETGID", "CAP_CHOWN", "CAP_SYS_NICE", "CAP_MKNOD"]'
	attack_files "$T/fs/b/rootfs"
	cp -r "$T/fs/b" "$T/fs/bare"
	add_hook "$T/fs/b" prestart
	export T ALERTS SHRIKE_SOCKET KEEPER IDS
	export MAIN=$$
}

teardown_file() {
	[ -n "${T:-}" ] || return 0
	local id
	for id in $IDS; do
		runtime "${id%%:*}" delete -f "${id#*:}" >/dev/null 2>&1 || true
	done
	umount "$T/fs"
	shk_teardown
}

attack_files() {
	local r=$1
	mkdir -p "$r"/{free,hide/m,guard,rights}
	chmod 755 "$r"
	printf F >"$r/free/f"
	printf H >"$r/hide/f"
	printf G >"$r/guard/f"
	printf H >"$r/rights/root"
	printf H >"$r/rights/web"
	printf H >"$r/rights/open"
	chmod 600 "$r/rights/root" "$r/rights/web"
	chown 1000:1000 "$r/rights/web"
	mkdir -m 700 "$r/rights/way"
	ln -s /free/f "$r/rights/way/l"
	ln -s /hide/f "$r/rights/way/l2"
	printf F >"$r/rights/mapped"
	chmod 600 "$r/rights/mapped"
	chown -h 1001:1001 "$r/rights/mapped" "$r/rights/way" "$r"/rights/way/l*
	install -m 755 "$SHK_BUILDDIR/tests/attack/attack" "$r/opt/"
	install -m 755 "$SHK_BUILDDIR/tests/attack/target-free" "$r/free/prog"
	install -m 755 "$SHK_BUILDDIR/tests/attack/target-hidden" "$r/hide/prog"
}

listed() {
	awk -v group="$1" -v control="$2" '/^[^#]/ && $2 == group && (control == "" || $3 == control) { print $1 }' "$HERE/list" |
		if [ -n "${SHK_ATTACK:-}" ]; then grep -xFf <(printf '%s\n' $SHK_ATTACK); else cat; fi
}

# The same as arguments: NAME/PART.
wanted() {
	awk -v long="${SHK_LONG:-}" -v want="$(listed "$1" "${2:-}")" 'BEGIN { n = split(want, w); for (i = 1; i <= n; i++) is[w[i]] }
		$1 in is { print $1 (long == "" && $4 ? "/" $4 : "") }' "$HERE/list"
}

is_weak() {
	grep -q "^$1 " "$HERE/open-weaknesses"
}

# program BUNDLE ATTEMPTS NAME...
program() {
	local b=$1
	shift
	jq --argjson args "$(printf '%s\n' /opt/attack "$@" | jq -R . | jq -sc .)" '.process.args = $args' \
		"$b/config.json" >"$b/config.new" && mv "$b/config.new" "$b/config.json"
}

# Every attack of the group ran, did what is allowed, and none of what is not.
judge() {
	local out=$1 group=$2 r=$3 name line bad=0
	local done_ legit evil why status
	for name in $(listed "$group" ""); do
		line=$(grep "^{\"attack\":\"$name\"" "$out" || true)
		[ -n "$line" ] || {
			echo "DID NOT RUN ($r): $name"
			bad=1
			continue
		}
		read -r done_ legit evil status why <<<"$(jq -r '"\(.attempts) \(.legitimate) \(.forbidden) \(.status // 0) \(.unavailable // "")"' <<<"$line")"
		if [ -n "$why" ]; then
			echo "not possible here ($r): $name: $why"
			continue
		fi
		if [ "$status" != 0 ] || [ "$done_" = 0 ] || [ "$legit" = 0 ]; then
			echo "PROVES NOTHING ($r): $line"
			bad=1
		elif is_weak "$name" && [ "$evil" = 0 ]; then
			echo "DOES NOT LOSE ANY MORE ($r), remove it from open-weaknesses: $line"
			bad=1
		elif ! is_weak "$name" && [ "$evil" != 0 ]; then
			echo "GOT PAST ($r): $line"
			bad=1
		fi
	done
	return $bad
}

group() {
	local g=$1 r e names
	names=$(wanted "$g")
	[ -n "$names" ] || skip "not asked for"
	e=$(engine_pid)
	for r in $RUNTIMES; do
		# shellcheck disable=SC2086
		program "$T/fs/b" "$ATTEMPTS$LIMIT" $names
		# For a file system of one's own; crun takes no such rule on a hierarchy it does not like.
		jq --arg r "$r" '.linux.resources = if $r == "runc" then
			{ devices: [{ allow: true, type: "c", major: 10, minor: 229, access: "rwm" }] } else {} end' \
			"$T/fs/b/config.json" >"$T/n" && mv "$T/n" "$T/fs/b/config.json"
		run_in "$r" "a-$g-$r-$MAIN" "$T/fs/b" >"$T/$g-$r.out" 2>&1 || true
		cat "$T/$g-$r.out"
		judge "$T/$g-$r.out" "$g" "$r"
		# The supervisor is the one it was, and serves.
		[ "$(engine_pid)" = "$e" ]
		daemon_answers
	done
}

# A supervisor that checks and continues loses, or the attack is none.
control() {
	local g=$1 names name
	[ "${SHK_SLOW:-1}" = 1 ] || skip "an emulator's processors take turns, and a race may take hours; it is an attack on the machine itself"
	names=$(listed "$g" loses)
	[ -n "$names" ] || skip "not asked for"
	# shellcheck disable=SC2086
	program "$T/fs/bare" "$((ATTEMPTS * 5))?${LIMIT:+:20}" $names
	IDS="$IDS runc:c-$g-$MAIN"
	"$SHK_BUILDDIR/tests/attack/control" "$g" "$(command -v runc)" run -b "$T/fs/bare" "c-$g-$MAIN" \
		</dev/null >"$T/control-$g.out" 2>&1 3>&- || true
	cat "$T/control-$g.out"
	for name in $names; do
		[[ $name == *i386* ]] && ! runs_i386 && continue
		[ "$(grep "^{\"attack\":\"$name\"" "$T/control-$g.out" | jq .forbidden)" -gt 0 ] || {
			echo "IS NO ATTACK: $name"
			return 1
		}
	done
}

@test "every attack of the program is in the list, and no other" {
	diff <("$SHK_BUILDDIR/tests/attack/attack" list | sort) <(awk '/^[^#]/ { print $1 }' "$HERE/list" | sort)
	# Nor is a weakness of none.
	[ -z "$(awk '/^[^#]/ { print $1 }' "$HERE/open-weaknesses" | grep -vxFf <(awk '/^[^#]/ { print $1 }' "$HERE/list"))" ]
}

@test "open" { group open; }
@test "exec" { group exec; }
@test "connect" { group connect; }
@test "bind" { group bind; }
@test "messages" { group send; }
@test "calls that change directories" { group path; }
@test "namespaces, ptrace" { group proc; }
@test "control: open" { control open; }
@test "control: exec" { control exec; }
@test "control: connect" { control connect; }
@test "control: bind" { control bind; }
@test "control: messages" { control send; }
@test "control: calls that change directories" { control path; }
