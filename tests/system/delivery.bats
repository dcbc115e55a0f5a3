#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# What becomes of alerts when programs are killed and peers are down: each arrives, or is counted.
# SHK_ALERTS: alerts of the test that kills; SHK_BURST: alerts of a burst.

load lib
load gateway

setup() {
	gw_setup
}

teardown() {
	[ -z "${T:-}" ] || {
		feed_stop
		gw_teardown
	}
}

# killed_at_random RUNTIME ALERTS
killed_at_random() {
	local r=$1 n=$2 port e kills=0 began=$SECONDS least=${SHK_LONG:+60}

	least=${least:-10}
	http a
	port=$PORT
	cat >"$T/rules.yaml" <<-'END'
		- rule: Numbered
		  desc: a numbered file was opened
		  condition: evt.type in (open, openat) and fd.name startswith /odd/
		  output: "numbered %fd.name"
		  priority: WARNING
	END
	policy <<-END
		policy: default
		rules: { files: [$T/rules.yaml] }
		limits: { alerts_per_second: 0, burst: 0 }
		deadline: { ms: 10000, then: deny }
	END
	write_config "  - webhook: { url: \"http://127.0.0.1:$port/\", timeout: 2s }" "spool_dir: $T/spool" "gateway_user: daemon"
	start_daemon
	ARGS='["/bin/sh", "-c", "i=0; while [ $i -lt '"$n"' ]; do { read x </odd/$i; } 2>/dev/null; i=$((i + 1)); [ $((i % 50)) != 0 ] || sleep 0.1; done"]' make_bundle "$T/b"
	add_hook "$T/b" prestart
	start "$r" "k-$$" "$T/b"
	over() { [ "$(runtime "$r" state "k-$$" 2>/dev/null | jq -r .status)" != running ]; }
	# Until the container is done, and then some, so that what is left is delivered among deaths, too.
	while ! over || [ $kills -lt "$least" ]; do
		case $((RANDOM % 3)) in
		0)
			e=$(pgrep -P "$KEEPER" -f shrike-gateway | head -n 1)
			[ -z "$e" ] || kill -9 "$e"
			;;
		1)
			e=$(engine_pid)
			[ -z "$e" ] || kill -9 "$e"
			wait_until 10 another_engine "$e"
			;;
		2)
			kill -9 "$PEER" 2>/dev/null || true
			pause 0.2
			http a --port "$port"
			;;
		esac
		kills=$((kills + 1))
		sleep "0.$((RANDOM % 5 + 2))"
		[ $((SECONDS - began)) -lt "${SHK_LIMIT:-900}" ]
	done
	all_there() {
		taken a 'select(.rule == "Numbered").output_fields["fd.name"]' | sort -u >"$T/seen"
		[ "$(wc -l <"$T/seen")" = "$n" ]
	}
	wait_until 60 all_there || {
		echo "$(wc -l <"$T/seen") of $n arrived after $kills kills" >&2
		tail -n 20 "$T/daemon.log" >&2
		return 1
	}
	echo "$r: $kills kills, $(wc -l <"$T/a.log") messages for $n alerts, $((SECONDS - began)) s"
	in_order a
	# One identity, one path.
	taken a 'select(.rule == "Numbered") | "\(.shrike.id) \(.output_fields["fd.name"])"' | sort -u |
		cut -d' ' -f1 | uniq -d >"$T/clash"
	[ ! -s "$T/clash" ]
}

@test "gateway, engine and peer killed at random: each alert arrives, duplicates have one identity, nothing is out of order" {
	local r n=${SHK_ALERTS:-${SHK_LONG:+10000}}
	n=${n:-1200}
	need busybox runc ${SHK_LONG:+crun}
	for r in runc ${SHK_LONG:+crun}; do
		killed_at_random "$r" "$n"
		teardown
		setup
	done
}

@test "a burst with a peer that hangs: memory is bounded, the least severe go first, every loss is counted" {
	local n=${SHK_BURST:-${SHK_LONG:+1000000}} port rss=65536
	n=${n:-40000}
	# What a sanitizer's build frees it keeps, up to 256 MB.
	if ldd "$SHK_BUILDDIR/shrike-gateway" | grep -q libasan || grep -qa __asan_init "$SHK_BUILDDIR/shrike-gateway"; then
		rss=524288
	fi
	http a
	port=$PORT
	mode hang
	KEYS='spool_max_bytes: 4M' config "webhook: { url: \"http://127.0.0.1:$PORT/\", timeout: 2s }"
	feed_start
	[ "$(FEED_WAIT=300 feed steady "$n" 7 300)" = ok ]
	[ "$(FEED_WAIT=120 feed settle 100)" = settled ]
	[ "$(feed stats | jq .rss_kb)" -lt "${SHK_RSS_KB:-$rss}" ]
	# Ring, queue and what a heap leaves between.
	[ "$(feed stats | jq .own_rss_kb)" -lt "${SHK_RSS_KB:-$rss}" ]
	[ "$(metric shrike_spool_bytes)" -le $((4 << 20)) ]
	mode ok
	wait_until 120 metric_is 'shrike_output_lag_records{output="webhook"}' 0
	in_order a
	# None of those that are worse was dropped while there was any of the others: they are a tenth, and all fit.
	if [ "$n" -le 40000 ]; then
		[ "$(taken a 'select(.priority == "Critical" and .source == "syscall").shrike.id' | sort -u | wc -l)" -ge $((n / 10 * 9 / 10)) ]
	fi
	# Told in several alerts, the last of them a while after it was counted.
	all_told() { [ "$(told_lost a)" = "$(metric 'shrike_output_dropped_total{output="webhook"}')" ]; }
	wait_until 60 all_told
	adds_up a
}

@test "a container that alerts as fast as it can, and a peer that hangs: what was not dropped by the spool's bound arrives" {
	local n=${SHK_STORM:-${SHK_LONG:+100000}} port began
	n=${n:-8000}
	# Half of them fit, or fewer.
	local bytes=$((n * 512))
	need busybox runc
	http a
	port=$PORT
	mode hang
	cat >"$T/rules.yaml" <<-'END'
		- rule: Numbered
		  desc: a numbered file was opened
		  condition: evt.type in (open, openat) and fd.name startswith /odd/
		  output: >
		    numbered %fd.name (process=%proc.name command=%proc.cmdline parent=%proc.pname user=%user.name uid=%user.uid
		    container=%container.name image=%container.image.repository id=%container.id)
		  priority: WARNING
	END
	policy <<-END
		policy: default
		rules: { files: [$T/rules.yaml] }
		limits: { alerts_per_second: 0, burst: 0 }
		deadline: { ms: 10000, then: deny }
	END
	write_config "  - webhook: { url: \"http://127.0.0.1:$port/\", timeout: 2s }" "spool_dir: $T/spool" "gateway_user: daemon" \
		"metrics_listen: $T/metrics.sock" "spool_max_bytes: $bytes"
	start_daemon
	# Four at once, each opening a quarter of them.
	ARGS=$(jq -nc --arg n $((n / 4)) '["/bin/sh", "-c", "for j in 1 2 3 4; do { i=0; while [ $i -lt \($n) ]; do { read x </odd/$j.$i; } 2>/dev/null; i=$((i + 1)); done; } & done; wait"]') \
		make_bundle "$T/b"
	add_hook "$T/b" prestart
	began=$(date +%s%N)
	run_in runc "storm-$$" "$T/b"
	began=$((($(date +%s%N) - began) / 1000000))
	wait_until 60 metric_at_least shrike_alerts_total "$n"
	metric_is shrike_alerts_lost_total 0
	mode ok
	settled() {
		local dropped
		dropped=$(($(metric 'shrike_output_dropped_total{output="webhook"}') + $(metric 'shrike_local_output_dropped_total{output="gateway"}')))
		[ "$(($(taken a 'select(.rule == "Numbered").shrike.id' | sort -u | wc -l) + dropped))" -ge "$n" ]
	}
	wait_until 120 settled
	echo "$n alerts in $began ms, dropped by the engine's queue $(metric 'shrike_local_output_dropped_total{output="gateway"}'), by the spool $(metric 'shrike_output_dropped_total{output="webhook"}'), arrived $(first_seen a | wc -l)"
	# All of the lost are told, with those that Shrike says of itself.
	all_told() {
		local lost
		lost=$(taken a 'select(.rule == "Shrike internal: alerts lost").output_fields | .count // .lost' | awk '{ s += $1 } END { print s + 0 }')
		[ "$lost" -ge $((n - $(taken a 'select(.rule == "Numbered").shrike.id' | sort -u | wc -l))) ]
	}
	wait_until 30 all_told
	in_order a
}

@test "kill -9 of the gateway while the spool is full: losses are counted once" {
	local i
	http a
	mode hang
	KEYS='spool_max_bytes: 1M' config "webhook: { url: \"http://127.0.0.1:$PORT/\", timeout: 2s }"
	feed_start
	for i in 1 2 3 4 5 6; do
		[ "$(FEED_WAIT=60 feed steady 1500 5 300)" = ok ]
		[ "$(feed kill)" = ok ]
	done
	[ "$(FEED_WAIT=60 feed settle 50)" = settled ]
	mode ok
	wait_until 60 metric_is 'shrike_output_lag_records{output="webhook"}' 0
	adds_up a
	in_order a
}

@test "alerts that are too old are dropped, counted and told" {
	http a
	mode hang
	KEYS='spool_max_age: 2s' config "webhook: { url: \"http://127.0.0.1:$PORT/\", timeout: 2s }"
	feed_start
	[ "$(feed steady 50 2 10)" = ok ]
	wait_until 20 metric_at_least 'shrike_output_dropped_total{output="webhook"}' 49
	mode ok
	wait_until 30 grep -q 'alerts lost' "$T/a.log"
	wait_until 30 metric_is 'shrike_output_lag_records{output="webhook"}' 0
	adds_up a
}

@test "a gateway whose configuration changed by SIGHUP goes on where the one before was" {
	local old
	http a
	config "webhook: { url: \"http://127.0.0.1:$PORT/old\" }"
	feed_start
	alert c1 Warning - 'r|one'
	expect_messages 1 a
	printf 'outputs: [ nonsense' >"$T/gw.yaml"
	old=$(feed pid)
	kill -HUP "$old"
	pause 0.5
	kill -0 "$old"
	grep -q 'the outputs of before stay' "$T/gw.log"
	config "webhook: { url: \"http://127.0.0.1:$PORT/new\" }"
	kill -HUP "$old"
	gone() { ! kill -0 "$old" 2>/dev/null || grep -q '^State:.Z' "/proc/$old/status"; }
	wait_until 10 gone
	[ "$(feed kill)" = ok ]
	alert c1 Warning - 'r|two'
	expect_messages 2 a
	[ "$(jq -r '.path + " " + (.body | fromjson | .shrike.seq | tostring)' "$T/a.log" | tr '\n' ' ')" = "/old 1 /new 2 " ]
}
