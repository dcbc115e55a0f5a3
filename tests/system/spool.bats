#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The spool on a disk that is full, read-only, or comes back: each alert arrives, or is counted.
# SHK_FULL: alerts that meet a full disk.

load lib
load gateway

setup() {
	gw_setup
}

teardown() {
	[ -z "${T:-}" ] || {
		feed_stop
		! mountpoint -q "$T/disk" || umount "$T/disk"
		gw_teardown
	}
}

# disk SIZE: a file system of its own, whose folder spool is the gateway's.
disk() {
	mkdir "$T/disk"
	mount -t tmpfs -o size="$1" tmpfs "$T/disk"
	mkdir "$T/disk/spool"
	chown daemon "$T/disk/spool"
	export SPOOL=$T/disk/spool
}

# Not a byte is left for anybody.
fill() {
	refute dd if=/dev/zero of="$T/disk/ballast" bs=4k status=none
	[ "$(df --output=avail "$T/disk" | tail -n 1)" -eq 0 ]
}

health() {
	curl -s -o /dev/null -w '%{http_code}' --unix-socket "$T/metrics.sock" http://localhost/healthz
}

# all_accounted: the peer takes again, everything is delivered or counted, and what was lost is told in full.
all_accounted() {
	mode ok
	[ "$(FEED_WAIT=120 feed settle 110)" = settled ]
	wait_until 90 metric_is 'shrike_output_lag_records{output="webhook"}' 0
	all_told() { [ "$(told_lost a)" = "$(metric 'shrike_output_dropped_total{output="webhook"}')" ]; }
	wait_until 60 all_told
	adds_up a
	in_order a
}

# The disk takes alerts again: those in memory and new ones are on it, while nothing is delivered yet, and outlive the gateway.
on_disk_again() {
	wait_until 20 metric_is shrike_spool_in_memory 0
	[ "$(feed steady 3000 3 300)" = ok ] || return 1
	[ "$(FEED_WAIT=60 feed settle 50)" = settled ] || return 1
	refute test -s "$T/a.log"
	[ "$(feed kill)" = ok ] || return 1
	all_accounted
}

@test "disk full: alerts go on from memory, that is told, and every loss is counted" {
	local n=${SHK_FULL:-${SHK_LONG:+500000}}
	n=${n:-30000}
	http a
	disk 6m
	mode hang
	config "webhook: { url: \"http://127.0.0.1:$PORT/\", timeout: 2s }"
	feed_start
	[ "$(FEED_WAIT=300 feed steady "$n" 3 300)" = ok ]
	wait_until 20 metric_is shrike_spool_in_memory 1
	[ "$(health)" = 503 ]
	[ "$(df --output=avail "$T/disk" | tail -n 1)" -lt 1024 ]
	# The disk has what it had, memory has its bound.
	[ "$(metric shrike_spool_bytes)" -le $((11 << 20)) ]
	all_accounted
	wait_until 20 metric_is shrike_spool_in_memory 0
	[ "$(health)" = 200 ]
	wait_until 20 grep -q 'spool unusable' "$T/a.log"
	wait_until 20 grep -q 'spool usable' "$T/a.log"
}

@test "a disk that others filled before the start: when there is room again alerts are on it, and outlive the gateway" {
	http a
	disk 40m
	fill
	mode hang
	config "webhook: { url: \"http://127.0.0.1:$PORT/\", timeout: 2s }"
	feed_start
	[ "$(FEED_WAIT=60 feed steady 3000 3 300)" = ok ]
	wait_until 20 metric_is shrike_spool_in_memory 1
	rm "$T/disk/ballast"
	on_disk_again
}

@test "a spool that is read-only and then is not: alerts are on it from then on, and outlive the gateway" {
	http a
	disk 40m
	mount -o remount,ro "$T/disk"
	mode hang
	config "webhook: { url: \"http://127.0.0.1:$PORT/\", timeout: 2s }"
	feed_start
	[ "$(FEED_WAIT=60 feed steady "${SHK_FULL:-20000}" 3 300)" = ok ]
	wait_until 20 metric_is shrike_spool_in_memory 1
	[ "$(health)" = 503 ]
	mount -o remount,rw "$T/disk"
	on_disk_again
}

@test "a spool that cannot be written: alerts are delivered, and a killed gateway loses none" {
	local i
	http a
	disk 1m
	mount -o remount,ro "$T/disk"
	config "webhook: { url: \"http://127.0.0.1:$PORT/\", timeout: 2s }"
	feed_start
	alert c1 Warning - 'r|one'
	expect_messages 1 a
	mode hang
	for i in 2 3 4 5; do
		alert c1 Warning - "r|$i"
	done
	sleep 0.5
	[ "$(feed kill)" = ok ]
	mode ok
	all_five() { [ "$(first_seen a | wc -l)" = 5 ]; }
	wait_until 20 all_five
	in_order a
}

@test "a gateway killed with alerts in memory, as the spool is read-only: how many went with it is told, to the last one" {
	http a
	disk 1m
	mount -o remount,ro "$T/disk"
	mode hang
	config "webhook: { url: \"http://127.0.0.1:$PORT/\", timeout: 2s }"
	feed_start
	[ "$(FEED_WAIT=60 feed steady 20000 3 300)" = ok ]
	wait_until 20 metric_is shrike_spool_in_memory 1
	all_taken() {
		local n
		n=$(metric shrike_gateway_received_total)
		sleep 1
		[ "${n:-0}" -gt 0 ] && metric_is shrike_gateway_received_total "$n"
	}
	wait_until 30 all_taken
	[ "$(feed kill)" = ok ]
	mode ok
	[ "$(FEED_WAIT=60 feed settle 50)" = settled ]
	told() {
		taken a 'select(.rule == "Shrike internal: alerts lost").output_fields | .count // .lost' | awk '{ s += $1 } END { print s + 0 }'
	}
	# Those that arrived or are told of, and what Shrike said of itself and lost as well.
	accounted() {
		local made own
		taken a 'select(.source == "internal").shrike.id' | cut -d: -f3 | sort -nu >"$T/own"
		made=$(tail -n 1 "$T/own") own=$(wc -l <"$T/own")
		echo "arrived $(first_seen a | wc -l), told $(told), own $own of $made"
		[ "$(first_seen a | wc -l)" -gt 100 ] && [ $(($(first_seen a | wc -l) + $(told))) = $((20000 + made - own)) ]
	}
	wait_until 30 accounted
	grep -q "in the gateway's memory when it ended" "$T/a.log"
	in_order a
}

@test "after a reboot: what was in the spool is delivered, before what comes new, and losses of before are told" {
	local boot
	http a
	mode hang
	KEYS='spool_max_bytes: 1M' config "webhook: { url: \"http://127.0.0.1:$PORT/\", timeout: 2s }"
	feed_start
	[ "$(FEED_WAIT=60 feed steady 6000 3 300)" = ok ]
	[ "$(FEED_WAIT=60 feed settle 50)" = settled ]
	# Told or not, the peer has nothing of it.
	[ "$(feed kill)" = ok ]
	feed_stop
	refute test -s "$T/a.log"
	# Another journal, whose numbers begin anew.
	feed_start
	mode ok
	alert c1 Warning - 'r|after the reboot'
	wait_until 60 grep -q 'after the reboot' "$T/a.log"
	wait_until 30 metric_is 'shrike_output_lag_records{output="webhook"}' 0
	told() { [ "$(told_lost a)" = "$(metric 'shrike_output_dropped_total{output="webhook"}')" ]; }
	wait_until 30 told || {
		echo "told of $(told_lost a), lost $(metric 'shrike_output_dropped_total{output="webhook"}')"
		taken a 'select(.rule == "Shrike internal: alerts lost")'
		false
	}
	[ "$(metric 'shrike_output_dropped_total{output="webhook"}')" -gt 1000 ]
	taken a 'select(.source == "syscall") | "\(.shrike.boot) \(.shrike.id)"' | sort -u | cut -d' ' -f1 | uniq -c | sort -n >"$T/boots"
	[ "$(wc -l <"$T/boots")" = 2 ]
	[ "$(awk 'NR == 1 { print $1 }' "$T/boots")" = 1 ]
	[ $(($(awk 'NR == 2 { print $1 }' "$T/boots") + $(metric 'shrike_output_dropped_total{output="webhook"}'))) -ge 6000 ]
	# The old ones first.
	boot=$(awk 'NR == 1 { print $2 }' "$T/boots")
	[ "$(taken a 'select(.source == "syscall").shrike.boot' | uniq | tail -n 1)" = "$boot" ]
	[ "$(taken a 'select(.source == "syscall").shrike.boot' | uniq | wc -l)" = 2 ]
}
