#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# busybox's own test programs pass in a supervised container what they pass in one that is not. They are those of the
# version that is installed (busybox-static), from Debian's source package, which is fetched once into a cache and is no part of
# this tree. Only in make check-long: it needs a package archive.
#
# SHK_BUSYBOX_CACHE: where the source is kept (/var/cache/shrike-tests).

load ../system/lib
load ../system/twin

: "${SHK_BUSYBOX_CACHE:=/var/cache/shrike-tests}"

setup() {
	need_root
	need runc crun jq busybox apt-get tar xz bzip2 gcc
	shk_setup
}

teardown() {
	[ -z "${T:-}" ] || shk_teardown
}

# Debian's source of the installed version, by a configuration of apt that is ours alone.
fetch() {
	local to=$1 v dir suite
	v=$(dpkg-query -W -f '${source:Version}' busybox-static)
	dir=$to/busybox-$v
	[ -d "$dir/testsuite" ] || {
		suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
		mkdir -p "$to"/apt/{lists/partial,cache/archives/partial,parts} "$to/new"
		echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian $suite main" \
			>"$to/apt/sources.list"
		local o=(-qq -o "Dir::Etc::sourcelist=$to/apt/sources.list" -o "Dir::Etc::sourceparts=$to/apt/parts"
			-o "Dir::State::lists=$to/apt/lists" -o "Dir::Cache=$to/apt/cache" -o APT::Sandbox::User=root)
		(cd "$to/new" && apt-get "${o[@]}" update && apt-get "${o[@]}" source --download-only "busybox=$v") ||
			skip "Debian's source of busybox $v cannot be had"
		mkdir "$dir"
		tar -C "$dir" --strip-components 1 -xf "$to"/new/busybox_*.orig.tar.*
		tar -C "$dir" -xf "$to"/new/busybox_*.debian.tar.*
	}
	SOURCE=$dir
}

@test "busybox's test programs have the results they have without us" {
	fetch "$SHK_BUSYBOX_CACHE"
	guarded_policy
	# What differs from run to run without us, too, is left out: times, temporary names.
	cat >"$T/script" <<-'END'
		#!/bin/sh
		exec 2>&1
		export PATH=/usr/bin:/bin HOME=/root LC_ALL=C
		cat /etc/guarded >/dev/null 2>&1; echo "guarded $?" >/tmp/guarded
		cp -r /opt/bb /tmp/bb && cd /tmp/bb/testsuite
		bindir=/tmp/bb tsdir=/tmp/bb/testsuite ./runtest 2>&1 | grep -aE '^(PASS|FAIL|SKIPPED|UNTESTED|XFAIL|[0-9]+ failure)'
	END
	start_daemon
	twins '(.process.capabilities | .bounding, .effective, .permitted) += ["CAP_CHOWN", "CAP_FSETID", "CAP_MKNOD", "CAP_SETUID",
		"CAP_SETGID"]'
	local b
	for b in b free; do
		mkdir -p "$T/$b/rootfs/opt/bb"
		cp -r "$SOURCE/testsuite" "$SOURCE/scripts" "$T/$b/rootfs/opt/bb/"
		cp "$SOURCE/debian/config/pkg/static" "$T/$b/rootfs/opt/bb/.config"
		install -m 755 "$(command -v busybox)" "$T/$b/rootfs/opt/bb/busybox"
	done
	same_output 300
	echo "$(grep -c ^PASS <<<"$output") passed"
	[ "$(grep -c ^PASS <<<"$output")" -gt 300 ]
}
