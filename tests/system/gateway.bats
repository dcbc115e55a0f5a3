#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# shrike-gateway against peers that are good and peers that are not: HTTP servers with and without TLS, exim4 with TLS
# and authentication, promtool.

load lib
load gateway

setup() {
	gw_setup
}

teardown() {
	[ -z "${T:-}" ] || gw_teardown
}

@test "webhook: Falco's object, with a token and headers; no secret in a log or on a command line" {
	local token headers
	http a
	token=$(secret token s3cr3t-token)
	headers=$(secret headers 'X-Key: s3cr3t-header')
	config "webhook: { url: \"http://127.0.0.1:$PORT/x\", token_file: $token, headers: [ 'X-Site: north' ], headers_file: $headers }"
	feed_start
	alert web1 Warning disk 'Some rule|something happened'
	expect_messages 1 a
	[ "$(taken a '[.rule, .priority, .source, .tags[0], .hostname, .shrike.container.id] | @csv')" = \
		'"Some rule","Warning","syscall","disk","feed","web1"' ]
	taken a '.output' | grep -q 'Warning something happened$'
	[ "$(jq -r '.headers | [.Authorization, ."X-Site", ."X-Key", ."Content-Type"] | @csv' "$T/a.log")" = \
		'"Bearer s3cr3t-token","north","s3cr3t-header","application/json"' ]
	refute grep -q s3cr3t "$T/gw.log"
	refute grep -qa s3cr3t "/proc/$(feed pid)/cmdline" "/proc/$(feed pid)/environ"
}

@test "the gateway is another user, without privileges, and cannot execute programs" {
	local pid
	http a
	config "webhook: { url: \"http://127.0.0.1:$PORT/\" }"
	feed_start
	alert c1 Warning - 'r|t'
	expect_messages 1 a
	pid=$(feed pid)
	[ "$(stat -c %U "/proc/$pid/environ")" = root ] # not dumpable: its memory is not its user's to read
	[ "$(awk '/^Uid:/ { print $2, $3, $4 }' "/proc/$pid/status")" = "$(id -u daemon) $(id -u daemon) $(id -u daemon)" ]
	[ "$(awk '/^CapPrm:/ { print $2 }' "/proc/$pid/status")" = 0000000000000000 ]
	[ "$(awk '/^NoNewPrivs:/ { print $2 }' "/proc/$pid/status")" = 1 ]
	[ "$(awk '/^Seccomp:/ { print $2 }' "/proc/$pid/status")" = 2 ]
}

@test "secrets that everybody can read are refused, with the file and the remedy" {
	local token
	token=$(secret token abc)
	chmod 0644 "$token"
	config "webhook: { url: \"http://127.0.0.1:1/\", token_file: $token }"
	run "$SHK_BUILDDIR/shrike-gateway" --check --config "$T/gw.yaml"
	[ "$status" = 78 ]
	[[ $output == *"$token"*"chmod 0600"* ]]
	refute grep -q abc <<<"$output"
	chmod 0600 "$token"
	"$SHK_BUILDDIR/shrike-gateway" --check --config "$T/gw.yaml"
}

@test "a gateway that cannot start is told of where alerts go on this machine, and by shrike status" {
	local token port gone
	need_root
	http a
	port=$PORT
	token=$(secret token abc)
	chmod 0644 "$token"
	write_config "  - webhook: { url: \"http://127.0.0.1:$port/\", token_file: $token }" "spool_dir: $T/spool" "gateway_user: daemon"
	start_daemon
	wait_until 30 has_alert "Shrike internal: no gateway"
	"$SHK_BUILDDIR/shrike" status | grep -q '^gateway .*shrike-gateway does not run'
	[ "$("$SHK_BUILDDIR/shrike" status --json | jq -r '.sinks[] | select(.name == "gateway").error')" = "shrike-gateway does not run" ]
	refute grep -q abc "$T/daemon.log"
	chmod 0600 "$token"
	gone=$KEEPER
	kill -HUP "$gone"
	wait_until 30 has_alert "Shrike internal: gateway works again"
	wait_until 30 grep -q 'no gateway' "$T/a.log"
	[ "$("$SHK_BUILDDIR/shrike" status --json | jq -r '.sinks[] | select(.name == "gateway").error')" = null ]
}

@test "a credential of the service is a secret as well" {
	mkdir "$T/cred"
	(umask 077 && echo from-systemd >"$T/cred/hook-token")
	http a
	config "webhook: { url: \"http://127.0.0.1:$PORT/\", token_file: hook-token }"
	run "$SHK_BUILDDIR/shrike-gateway" --check --config "$T/gw.yaml"
	[ "$status" = 78 ]
	[[ $output == *LoadCredential=* ]]
	export CREDENTIALS_DIRECTORY=$T/cred
	feed_start
	alert c1 Warning - 'r|t'
	expect_messages 1 a
	[ "$(jq -r .headers.Authorization "$T/a.log")" = "Bearer from-systemd" ]
}

@test "peers that answer 500, reset, hang or are slow get the alert in the end, once, in order" {
	local m
	http a
	config "webhook: { url: \"http://127.0.0.1:$PORT/\", timeout: 1500ms }"
	feed_start
	alert c1 Warning - 'r|first'
	expect_messages 1 a
	for m in 500 reset hang; do
		mode $m
		alert c1 Warning - "r|$m"
		wait_until 10 metric_is 'shrike_output_up{output="webhook"}' 0
		mode ok
		wait_until 15 grep -q "Warning $m" "$T/a.log"
		wait_until 5 metric_is 'shrike_output_up{output="webhook"}' 1
	done
	mode slow
	alert c1 Warning - 'r|slow'
	expect_messages 5 a
	mode ok
	alert c1 Warning - 'r|last'
	expect_messages 6 a
	[ "$(taken a .shrike.seq | tr '\n' ' ')" = "1 2 3 4 5 6 " ]
}

@test "TLS: the right certificate is taken, one of another authority, for another name, or expired is not" {
	local good
	authority ca
	authority other
	certificate good ca IP:127.0.0.1
	certificate stranger other IP:127.0.0.1
	certificate elsewhere ca DNS:elsewhere.example
	DAYS=-1 certificate late ca IP:127.0.0.1
	http bad --tls "$T/stranger.pem" "$T/stranger.key"
	config "webhook: { url: \"https://127.0.0.1:$PORT/\", ca_file: $T/ca.pem }"
	feed_start
	alert c1 Warning - 'r|t'
	error_has() { feed stats | jq -r '.outputs[0].error' | grep -qi "$1"; }
	wait_until 10 error_has issuer
	kill -9 "$PEER"
	http bad2 --tls "$T/late.pem" "$T/late.key" --port "$PORT"
	wait_until 15 error_has expired
	kill -9 "$PEER"
	http bad3 --tls "$T/elsewhere.pem" "$T/elsewhere.key" --port "$PORT"
	wait_until 15 error_has 'subject name'
	refute test -s "$T/bad.log"
	refute test -s "$T/bad2.log"
	refute test -s "$T/bad3.log"
	grep -qi certificate "$T/gw.log"
	kill -9 "$PEER"
	http good --tls "$T/good.pem" "$T/good.key" --port "$PORT"
	WITHIN=30 expect_messages 1 good
}

@test "TLS: a client certificate is shown" {
	authority ca
	certificate server ca IP:127.0.0.1
	certificate client ca DNS:client
	chmod 600 "$T/client.key"
	http a --tls "$T/server.pem" "$T/server.key" --client-ca "$T/ca.pem"
	config "webhook: { url: \"https://127.0.0.1:$PORT/\", ca_file: $T/ca.pem, timeout: 2s }" \
		"webhook: { name: with, url: \"https://127.0.0.1:$PORT/with\", ca_file: $T/ca.pem, cert_file: $T/client.pem, key_file: $T/client.key }"
	feed_start
	alert c1 Warning - 'r|t'
	expect_messages 1 a
	wait_until 10 metric_at_least 'shrike_output_failures_total{output="webhook"}' 1
	[ "$(jq -r .path "$T/a.log")" = /with ]
}

@test "a message that its peer refuses is set aside, kept and told; those behind it go on" {
	local i
	http b --mode-file /dev/null
	i=$PORT
	http a
	mode 400:poison
	config "webhook: { url: \"http://127.0.0.1:$PORT/\" }" "webhook: { name: other, url: \"http://127.0.0.1:$i/\" }"
	feed_start
	alert c1 Warning - 'r|one'
	alert c1 Warning - 'r|this is poison'
	alert c1 Warning - 'r|three'
	expect_messages 2 a
	[ "$(taken a .shrike.seq | tr '\n' ' ')" = "1 3 " ]
	# The other one tells of it.
	expect_messages 4 b
	taken b 'select(.source == "internal") | "\(.rule) \(.output_fields.output) \(.output_fields.count)"' |
		grep -q '^Shrike internal: alert set aside webhook 1$'
	[ "$(jq -r .shrike.seq "$T/spool/set-aside-webhook.json")" = 2 ]
	metric_is 'shrike_output_set_aside_total{output="webhook"}' 1
	# In a batch the others are found not guilty.
	feed_stop
	rm -rf "$T/spool"
	: >"$T/a.log"
	mode 400:poison
	config "alertmanager: { url: \"http://127.0.0.1:$PORT\", digest: 1s }"
	feed_start
	for i in 1 2 3 poison 5 6; do
		alert c1 Warning - "rule $i|text $i"
	done
	wait_until 20 metric_is 'shrike_output_set_aside_total{output="alertmanager"}' 1
	wait_until 10 metric_at_least 'shrike_output_sent_total{output="alertmanager"}' 5
	[ "$(taken a '.[].labels.alertname' | grep '^rule' | sort -u | tr '\n' ' ')" = "rule 1 rule 2 rule 3 rule 5 rule 6 " ]
}

@test "an answer that repeats the secret address is not told" {
	http a
	mode echo
	config "webhook: { url_file: $(secret url "http://127.0.0.1:$PORT/hooks/s3cr3t-path") }"
	feed_start
	alert c1 Warning - 'r|t'
	error_is() { [ "$(feed stats | jq -r '.outputs[0].error')" = 'answered 404 (the answer repeats a secret and is left out)' ]; }
	wait_until 10 error_is
	refute grep -q s3cr3t "$T/gw.log"
	mode 404
	plain_is() { [ "$(feed stats | jq -r '.outputs[0].error')" = 'answered 404 not today' ]; }
	wait_until 10 plain_is
}

@test "a peer that refuses everything: what Shrike says of itself is not told of itself again" {
	http a
	mode 400
	config "webhook: { url: \"http://127.0.0.1:$PORT/\" }"
	feed_start
	alert c1 Warning - 'r|one'
	wait_until 15 metric_is 'shrike_output_set_aside_total{output="webhook"}' 1
	# The alert about that comes from the engine, and is for nobody.
	wait_until 15 metric_at_least shrike_gateway_received_total 2
	sleep 3
	metric_is shrike_gateway_received_total 2
	metric_is 'shrike_output_set_aside_total{output="webhook"}' 1
}

@test "metrics that cannot be served stop no alert, and are served when they can be" {
	http a
	config "webhook: { url: \"http://127.0.0.1:$PORT/\" }"
	mkdir -m 0777 "$T/place" "$T/place/metrics.sock"
	sed -i "s|^metrics_listen:.*|metrics_listen: $T/place/metrics.sock|" "$T/gw.yaml"
	feed_start
	alert c1 Warning - 'r|t'
	expect_messages 1 a
	grep -q 'there are no metrics until that works' "$T/gw.log"
	rmdir "$T/place/metrics.sock"
	wait_until 10 test -S "$T/place/metrics.sock"
	ln -s "$T/place/metrics.sock" "$T/metrics.sock"
	wait_until 10 metric_is 'shrike_output_sent_total{output="webhook"}' 1
}

@test "a spool directory that others can write to is not used, and the remedy is said" {
	http a
	mkdir -m 0777 "$T/spool"
	chown daemon "$T/spool"
	config "webhook: { url: \"http://127.0.0.1:$PORT/\" }"
	feed_start
	alert c1 Warning - 'r|t'
	expect_messages 1 a
	grep -q 'chmod 0700' "$T/gw.log"
	[ -z "$(ls "$T/spool")" ]
	feed_stop
	chmod 0700 "$T/spool"
	chown root "$T/spool"
	feed_start
	wait_until 10 grep -q "chown -R $(id -u daemon):" "$T/gw.log"
}

@test "Slack, Mattermost, Teams, Alertmanager: their forms; what a container says is shown and does nothing" {
	local p evil='evil `*_<!channel> & @all ](http://x)\u001b[31m\u202e end'
	http a
	config "slack: { url: \"http://127.0.0.1:$PORT/slack\" }" "mattermost: { url: \"http://127.0.0.1:$PORT/mattermost\" }" \
		"teams: { url: \"http://127.0.0.1:$PORT/teams\" }" "alertmanager: { url: \"http://127.0.0.1:$PORT/base/\" }"
	feed_start
	alert web1 Critical - "Rule|$evil"
	expect_messages 4 a
	body_of() { jq -r --arg p "$1" 'select(.path == $p).body' "$T/a.log"; }
	[ "$(body_of /slack | jq -r .text)" = "Shrike: Critical alert" ]
	body_of /slack | jq -e '.attachments[0].text | startswith("```") and endswith("```") and
		(.[3:-3] | contains("`") | not) and contains("&lt;!channel&gt; &amp;") and (contains("<") | not)'
	body_of /mattermost | jq -e '.attachments[0].text | .[3:-3] | contains("<!channel> & @all") and (contains("`") | not)'
	body_of /teams | jq -e '.type == "message" and .attachments[0].content.type == "AdaptiveCard" and
		(.attachments[0].content.body[1].text | contains("\\`\\*\\_\\<"))'
	body_of /base/api/v2/alerts | jq -e '.[0] | .labels.alertname == "Rule" and .labels.severity == "critical" and
		.labels.container_id == "web1" and (.annotations.description | startswith("evil")) and
		(.startsAt | test("^[0-9]{4}-[0-9-]+T[0-9:.]+Z$")) and .annotations.shrike_id != ""'
	refute grep -q $'\033' "$T/a.log"
	refute grep -q u001b <<<"$(body_of /slack)"
	# What turns the order of characters around is shown, too.
	for p in /slack /mattermost /teams /base/api/v2/alerts; do
		refute grep -q $'\u202e' <<<"$(body_of $p)"
		grep -q 'u202e end' <<<"$(body_of $p)"
	done
}

@test "a real Alertmanager takes alerts, groups them by rule and container, and shows them" {
	local port evil='evil `*_<!channel> \"quoted\" \u202e end'
	need prometheus-alertmanager
	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	printf 'route: { receiver: none }\nreceivers: [ { name: none } ]\n' >"$T/am.yml"
	prometheus-alertmanager --config.file="$T/am.yml" --storage.path="$T/am" --cluster.listen-address= \
		--web.listen-address="127.0.0.1:$port" >"$T/am.out" 2>&1 3>&- 7>&- 8>&- &
	PEERS="$PEERS $!"
	ready() { curl -s -o /dev/null --max-time 5 -f "http://127.0.0.1:$port/-/ready"; }
	wait_until 20 ready
	config "alertmanager: { url: \"http://127.0.0.1:$port\" }"
	feed_start
	alert web1 Critical disk "Some rule|$evil"
	alert web2 Warning - 'Some rule|other'
	alert web1 Notice - "Other rule|third"
	shown() { curl -s --max-time 5 "http://127.0.0.1:$port/api/v2/alerts"; }
	all_three() { [ "$(shown | jq length)" = 3 ]; }
	wait_until 15 all_three || { shown; cat "$T/gw.log"; false; }
	[ "$(shown | jq -r '.[] | [.labels.alertname, .labels.severity, .labels.container_id] | @csv' | sort | tr '\n' ' ')" = \
		'"Other rule","info","web1" "Some rule","critical","web1" "Some rule","warning","web2" ' ]
	metric_is 'shrike_output_set_aside_total{output="alertmanager"}' 0
}

@test "each output gets what it asks for: priority, rules, tags" {
	http a
	config "webhook: { name: loud, url: \"http://127.0.0.1:$PORT/loud\", min_priority: error }" \
		"webhook: { name: shells, url: \"http://127.0.0.1:$PORT/shells\", rules: [ '*shell*' ] }" \
		"webhook: { name: net, url: \"http://127.0.0.1:$PORT/net\", tags: [ network, dns ], not_rules: [ Boring ] }"
	feed_start
	alert c1 Critical network 'A shell|1'
	alert c1 Notice network 'Boring|2'
	alert c1 Notice dns 'Lookup|3'
	alert c1 Error disk 'Disk|4'
	expect_messages 5 a
	sleep 0.5
	[ "$(jq -r '.path + " " + (.body | fromjson | .shrike.seq | tostring)' "$T/a.log" | sort | tr '\n' ' ')" = \
		"/loud 1 /loud 4 /net 1 /net 3 /shells 1 " ]
}

@test "what repeats is folded, what is above the rate is counted; both are told" {
	local i
	http a
	config "webhook: { name: folds, url: \"http://127.0.0.1:$PORT/folds\", fold: 3s }" \
		"webhook: { name: rated, url: \"http://127.0.0.1:$PORT/rated\", rate: 1, burst: 3 }"
	feed_start
	for i in 1 2 3 4 5 6 7; do
		alert c1 Warning - 'Same|the same again'
	done
	alert c1 Warning - 'Same|something else'
	alert c2 Warning - 'Same|the same again'
	told() { jq -r --arg p "$1" 'select(.path == $p).body | fromjson | select(.shrike.folded != null)' "$T/a.log"; }
	is_told() { [ -n "$(told "$1")" ]; }
	wait_until 10 is_told /folds
	told /folds | jq -e '.shrike.folded.count == 6 and .shrike.folded.first <= .shrike.folded.last and
		.shrike.folded.reason == "repeated" and (.output | contains("6 like this")) and (.shrike.id | endswith(":folded"))'
	[ "$(jq -r 'select(.path == "/folds").body | fromjson | select(.shrike.folded == null).shrike.seq' "$T/a.log" |
		sort -n | tr '\n' ' ')" = "1 1 8 " ]
	metric_is 'shrike_output_folded_total{output="folds"}' 6
	# Three of c1 at once, one of c2; five more of c1 are counted, and told with the next token at the latest.
	[ "$(jq -r 'select(.path == "/rated").body | fromjson | select(.shrike.folded == null).shrike.container.id' "$T/a.log" |
		sort | uniq -c | awk '{ print $1, $2 }' | tr '\n' ' ')" = "3 c1 1 c2 " ]
	metric_is 'shrike_output_rate_limited_total{output="rated"}' 5
}

@test "what was folded is told after a crash as well, with the right count" {
	local i
	http a
	config "webhook: { url: \"http://127.0.0.1:$PORT/\", fold: 6s }"
	feed_start
	for i in 1 2 3 4; do
		alert c1 Warning - 'Same|the same again'
	done
	expect_messages 1 a
	wait_until 5 metric_is 'shrike_output_folded_total{output="webhook"}' 3
	[ "$(feed kill)" = ok ]
	alert c1 Warning - 'Same|the same again'
	expect_messages 2 a
	[ "$(taken a 'select(.shrike.folded != null).shrike.folded.count')" = 4 ]
}

@test "a way between engine and gateway that is lost while both run is made anew" {
	http a
	config "webhook: { url: \"http://127.0.0.1:$PORT/\" }"
	feed_start
	alert c1 Warning - 'r|before'
	expect_messages 1 a
	[ "$(feed cut)" = told ]
	alert c1 Warning - 'r|after'
	expect_messages 2 a
	[ "$(taken a .shrike.seq | tr '\n' ' ')" = "1 2 " ]
}

@test "the keeper: a gateway that a signal ended comes again, one with nothing to do does not, one that hangs ends with it" {
	local control=$T/run/c.sock first keeper
	start() {
		# The leak checker of a sanitizer build waits for ever where it cannot trace itself or write its log.
		ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 "$SHK_BUILDDIR/shriked" --config "$T/gw.yaml" --control "$control" --notify "$T/run/n.sock" \
			--engine "$SHK_BUILDDIR/shrike-engine" --gateway "$SHK_BUILDDIR/shrike-gateway" \
			>"$T/keeper.log" 2>&1 3>&- 7>&- 8>&- &
		keeper=$!
		PEERS="$PEERS $keeper"
		wait_until 60 test -S "$control"
	}
	gateway_of() { pgrep -P "$keeper" -f 'shrike-gateway --keeper' | head -n 1; }
	is_there() { [ -n "$(gateway_of)" ] && [ "$(gateway_of)" != "${first:-}" ]; }
	connected() { metric_is shrike_engine_connected 1; }
	mkdir -p "$T/run"
	config "webhook: { url: \"http://127.0.0.1:1/\" }"
	start
	wait_until 60 is_there || { cat "$T/keeper.log"; return 1; }
	wait_until 60 connected || { cat "$T/keeper.log"; return 1; }
	first=$(gateway_of)
	[ "$(cat "/proc/$first/oom_score_adj")" = 0 ]
	kill -TERM "$first"
	wait_until 60 is_there || { cat "$T/keeper.log"; return 1; }
	wait_until 60 connected || { cat "$T/keeper.log"; return 1; }
	# It hangs: SIGKILL is for it as well.
	kill -STOP "$(gateway_of)"
	kill -TERM "$keeper"
	is_gone() { ! kill -0 "$keeper" 2>/dev/null || grep -q '^State:.Z' "/proc/$keeper/status"; }
	wait_until 60 is_gone
	# Nothing to do.
	printf 'spool_dir: %s\ngateway_user: daemon\n' "$T/spool" >"$T/gw.yaml"
	run "$SHK_BUILDDIR/shrike-gateway" --keeper --config "$T/gw.yaml"
	[ "$status" = 76 ]
}

@test "metrics are what promtool takes; health says what is wrong" {
	http a
	config "webhook: { url: \"http://127.0.0.1:$PORT/\" }"
	need promtool
	feed_start
	alert c1 Warning - 'r|t'
	expect_messages 1 a
	curl -s --unix-socket "$T/metrics.sock" http://localhost/metrics >"$T/metrics"
	promtool check metrics <"$T/metrics" >"$T/promtool" 2>&1 || { cat "$T/promtool"; return 1; }
	[ ! -s "$T/promtool" ]
	[ "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket "$T/metrics.sock" http://localhost/healthz)" = 200 ]
	[ "$(curl -s --unix-socket "$T/metrics.sock" http://localhost/healthz)" = ok ]
	[ "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket "$T/metrics.sock" http://localhost/other)" = 404 ]
	[ "$(curl -s -o /dev/null -w '%{http_code}' -d x --unix-socket "$T/metrics.sock" http://localhost/metrics)" = 405 ]
	[ "$(stat -c '%a %U' "$T/metrics.sock")" = "660 daemon" ]
}

# ---- mail: a real server ----

# exim with TLS and authentication (user shrike, password p4ss), on $SMTP; what it delivers is in $T/mail.
start_exim() {
	local base=$T/exim
	need exim4
	[ -e "$T/ca.pem" ] || { authority ca && certificate mail ca IP:127.0.0.1; }
	mkdir -p "$base" "$T/mail"
	cp "$T/mail.pem" "$T/mail.key" "$base/"
	chown -R Debian-exim "$base" "$T/mail"
	SMTP=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	cat >"$base/conf" <<-END
		primary_hostname = mail.test
		spool_directory = $base
		log_file_path = $base/%slog
		pid_file_path = $base/pid
		exim_user = Debian-exim
		exim_group = Debian-exim
		deliver_drop_privilege = true
		keep_environment =
		daemon_smtp_ports = $SMTP
		local_interfaces = 127.0.0.1
		tls_advertise_hosts = *
		tls_certificate = $base/mail.pem
		tls_privatekey = $base/mail.key
		auth_advertise_hosts = \${if eq {\$tls_in_cipher}{}{}{*}}
		acl_smtp_rcpt = rcpt
		acl_smtp_data = accept
		host_lookup =
		rfc1413_hosts =
		begin acl
		rcpt:
		  accept authenticated = *
		  deny message = authenticate first
		begin routers
		all:
		  driver = accept
		  transport = file
		begin transports
		file:
		  driver = appendfile
		  directory = $T/mail
		  maildir_format
		  user = Debian-exim
		begin authenticators
		plain:
		  driver = plaintext
		  public_name = PLAIN
		  server_prompts = :
		  server_condition = \${if and {{eq{\$auth2}{shrike}}{eq{\$auth3}{p4ss}}}}
		  server_set_id = \$auth2
	END
	chown root "$base/conf"
	exim_up
}

# exim_up: exim runs with the file start_exim wrote, and answers.
exim_up() {
	local base=$T/exim
	exim4 -C "$base/conf" -bdf -q1h >"$base/out" 2>&1 3>&- 7>&- 8>&- &
	PEERS="$PEERS $!"
	EXIM=$!
	wait_until 10 nc_smtp || { cat "$base/out" "$base"/mainlog >&2; return 1; }
}

nc_smtp() {
	(exec 9<>"/dev/tcp/127.0.0.1/$SMTP") 2>/dev/null
}

mails() {
	find "$T/mail/new" -type f 2>/dev/null | wc -l
}

has_mails() {
	[ "$(mails)" -ge "$1" ]
}

# Headers and decoded body of a mail.
read_mail() {
	python3 - "$@" <<-'END'
		import email, email.policy, sys
		for path in sys.argv[1:]:
		    m = email.message_from_binary_file(open(path, "rb"), policy=email.policy.default)
		    print("From:", m["From"]); print("To:", m["To"]); print("Subject:", m["Subject"])
		    print("Message-ID:", m["Message-ID"]); print(m.get_content())
	END
}

@test "metrics on a port: of this machine alone" {
	local port
	http a
	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	config "webhook: { url: \"http://127.0.0.1:$PORT/\" }"
	sed -i "s|^metrics_listen:.*|metrics_listen: $port|" "$T/gw.yaml"
	feed_start
	healthy() { [ "$(curl -s --max-time 5 "http://127.0.0.1:$port/healthz")" = ok ]; }
	wait_until 10 healthy
	curl -s --max-time 5 "http://127.0.0.1:$port/metrics" | grep -q '^shrike_engine_connected 1$'
	# Nothing but loopback listens.
	awk -v p="$(printf '%04X' "$port")" '$4 == "0A" && $2 ~ ":" p "$" { print $2 }' /proc/net/tcp /proc/net/tcp6 >"$T/listens"
	[ "$(cat "$T/listens")" = "0100007F:$(printf '%04X' "$port")" ]
}

@test "mail: STARTTLS and authentication, one message for the alerts of a while" {
	local password
	start_exim
	password=$(secret password p4ss)
	config "mail: { url: \"smtp://127.0.0.1:$SMTP\", from: shrike@host.test, to: [ ops@mail.test, sec@mail.test ], user: shrike, password_file: $password, ca_file: $T/ca.pem, digest: 2s }"
	feed_start
	alert web1 Warning - 'First rule|a ünusual thing'
	alert web1 Critical - 'Second rule|another thing\r\n.\r\nRCPT TO:<x@y>\r\nBcc: x@y\r\n\r\n<b>bold</b>\u001b[2J\u202e'
	wait_until 20 has_mails 1 || { cat "$T/gw.log" "$T"/exim/*log "$T/exim/out" >&2; return 1; }
	sleep 1
	# One for each recipient, as exim keeps them.
	read_mail "$(find "$T/mail/new" -type f | head -n 1)" >"$T/text"
	cat "$T/text"
	grep -q '^Subject: \[shrike\] 2 alerts, the most severe Critical$' "$T/text"
	grep -q '^To: ops@mail.test, sec@mail.test$' "$T/text"
	grep -q 'First rule' "$T/text"
	grep -q 'a ünusual thing' "$T/text"
	# One line, whatever was in it, and no header of its own.
	grep -q '^  another thing  \.  RCPT TO:<x@y>  Bcc: x@y    <b>bold</b>.*u202e' "$T/text"
	refute grep -q '^Bcc' "$T/text"
	refute grep -qi '^Content-Type: text/html' "$(find "$T/mail/new" -type f | head -n 1)"
	refute grep -q $'\033' "$T/text"
	grep -q 'P=esmtpsa' "$T/exim/mainlog"
	[ "$(grep -c ' <= ' "$T/exim/mainlog")" = 1 ]
	refute grep -q p4ss "$T/gw.log"
	refute grep -rq 'x@y' "$T/exim/mainlog"
}

@test "mail: a wrong password, a stranger's certificate, a server without TLS get nothing; the alert waits" {
	local good bad
	start_exim
	authority other
	good=$(secret good p4ss)
	bad=$(secret bad wrong)
	config "mail: { name: badpw, url: \"smtp://127.0.0.1:$SMTP\", from: a@b.test, to: x@mail.test, user: shrike, password_file: $bad, ca_file: $T/ca.pem, digest: 0 }" \
		"mail: { name: badca, url: \"smtp://127.0.0.1:$SMTP\", from: a@b.test, to: x@mail.test, user: shrike, password_file: $good, ca_file: $T/other.pem, digest: 0 }"
	feed_start
	alert c1 Warning - 'r|t'
	wait_until 20 metric_at_least 'shrike_output_failures_total{output="badpw"}' 2
	wait_until 20 metric_at_least 'shrike_output_failures_total{output="badca"}' 2
	[ "$(mails)" = 0 ]
	refute grep -q wrong "$T/gw.log"
	# Put right and started again it arrives.
	printf 'p4ss\n' >"$bad"
	[ "$(feed kill)" = ok ]
	wait_until 20 has_mails 1 || { cat "$T/gw.log" "$T"/exim/*log "$T/exim/out" >&2; return 1; }
	feed_stop
	# The next one cannot listen before this one has ended.
	kill "$EXIM"
	wait "$EXIM" || :
	sed -i '/^tls_/d; s/^auth_advertise.*/auth_advertise_hosts = */' "$T/exim/conf"
	sed -i 's/^primary_hostname.*/&\ntls_advertise_hosts =/' "$T/exim/conf"
	exim_up
	rm -rf "$T/spool" "$T/mail/new"
	feed_start
	alert c1 Warning - 'r|t'
	wait_until 20 metric_at_least 'shrike_output_failures_total{output="badpw"}' 2
	[ "$(mails)" = 0 ]
}
