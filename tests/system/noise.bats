#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Ordinary work causes no alert of priority warning or above: the short ones of tests/noise/workloads, under each runtime.
# `make check-noise` runs all.

load lib

@test "git, tests in Python, a backup, log rotation: quiet" {
	need_root
	need git python3 tar gzip logrotate
	local r
	for r in $RUNTIMES; do
		NOISE_RUNTIME=$r run "$SHK_SRCDIR/tests/noise/noise" git python-tests tar-backup logrotate
		echo "$output"
		[ "$status" = 0 ]
		[ "$(grep -c '| done |' <<<"$output")" = 4 ]
	done
}
