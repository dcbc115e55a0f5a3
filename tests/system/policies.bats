#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The shipped policies: for each a container that asks for it by annotation; what it is to refuse is refused, normal work passes.

load lib

# Verdicts of the same kinds are tested under both runtimes elsewhere (verdicts.bats, shipped.bats).
[ -n "${SHK_LONG:-}" ] || RUNTIMES=${RUNTIMES%% *}

setup_file() {
	need_root
	need runc crun jq busybox dash
	shk_setup
	cp "$SHK_SRCDIR"/rules/policies/{agent,batch,database,default,locked,observe,web}.yaml "$T/policies/"
	start_daemon
	make_bundle "$T/b" '(.process.capabilities | .bounding, .effective, .permitted) += ["CAP_CHOWN", "CAP_SETUID", "CAP_NET_RAW", "CAP_MKNOD"]'
	add_hook "$T/b" prestart
	mkdir -p "$T/b/rootfs"/{workspace,fake,home,var/www/html,var/log,data}
	install -m 755 "$SHK_BUILDDIR/tests/system/attempt" "$T/b/rootfs/opt/"
	install -m 755 "$SHK_BUILDDIR/tests/system/act" "$T/b/rootfs/fake/nginx"
	install -m 755 "$SHK_BUILDDIR/tests/system/attempt" "$T/b/rootfs/fake/httpd"
	for p in apt-get nmap gcc kubectl; do
		ln -s /bin/busybox "$T/b/rootfs/fake/$p"
	done
	mv "$T/b/rootfs" "$T/lower"
	mkdir -p "$T/b/rootfs"
	export T ALERTS SHRIKE_SOCKET KEEPER IDS
	export MAIN=$$
}

teardown_file() {
	! mountpoint -q "${T:-/nowhere}/b/rootfs" || umount "$T/b/rootfs"
	[ -z "${T:-}" ] || shk_teardown
}

# under POLICY RUNTIME COMMAND...: in a container of its own on a fresh overlay; OUT, ID.
under() {
	local p=$1 r=$2
	shift 2
	N=$((${N:-0} + 1))
	ID=$p-$BATS_TEST_NUMBER-$N-$r-$MAIN
	jq --arg p "$p" --argjson args "$(printf '%s\n' "$@" | jq -R . | jq -sc .)" \
		'.process.args = $args | .annotations["org.shrike.policy"] = $p' "$T/b/config.json" >"$T/b/n" && mv "$T/b/n" "$T/b/config.json"
	rm -rf "$T/upper" "$T/work"
	mkdir -p "$T/upper" "$T/work"
	mount -t overlay overlay -o "lowerdir=$T/lower,upperdir=$T/upper,workdir=$T/work" "$T/b/rootfs"
	run_in "$r" "$ID" "$T/b" >"$T/out" 2>&1 || true
	umount "$T/b/rootfs"
	OUT=$(cat "$T/out")
	echo "$p, $r: $*: $OUT"
}

# alerts_of_all ID
alerts_of_all() {
	jq -c --arg id "$1" 'select(.shrike.container.name == $id or .shrike.container.full_id == $id or .shrike.container.id == $id)' "$ALERTS"
}

# refuses POLICY RULE ERROR COMMAND...: the act ends with this error, and there are alerts of the rule, and of the denial.
refuses() {
	local p=$1 rule=$2 error=$3 r
	shift 3
	for r in $RUNTIMES; do
		under "$p" "$r" "$@"
		[[ "$OUT" == *"$error"* ]]
		expect_alert "$rule" "$ID"
		# Of several rules that match, one carries the verdict.
		alerts_of_all "$ID" | jq -c '[.rule, .shrike.verdict]'
		[ "$(alerts_of_all "$ID" | jq -r 'select(.shrike.verdict == "deny") | 1' | head -n 1)" = 1 ]
		[ "$(alerts_of "$rule" "$ID" | jq -r .shrike.policy | sort -u)" = "$p" ]
	done
}

# passes POLICY OUTPUT COMMAND...: it says exactly this.
passes() {
	local p=$1 wanted=$2 r
	shift 2
	for r in $RUNTIMES; do
		under "$p" "$r" "$@"
		[ "$OUT" = "$wanted" ]
	done
}

@test "observe: tells of everything and refuses nothing" {
	local r
	passes observe "open ok" /opt/act open /etc/shadow rw
	for r in $RUNTIMES; do
		under observe "$r" /opt/act open /etc/shadow rw
		expect_alert "Sensitive file opened for writing" "$ID"
		[ "$(alerts_of "Sensitive file opened for writing" "$ID" | jq -r .shrike.verdict | sort -u)" = allow ]
	done
}

@test "web: no shell from the server, no script below its documents, no tools; an entrypoint, files and its port are fine" {
	refuses web "Script put below a web root by its server" EPERM /fake/nginx open /var/www/html/x.php w
	refuses web "Shell started by a network service" "not permitted" /fake/httpd run /bin/sh -c :
	refuses web "Network scanner started" "not permitted" /bin/sh -c '/fake/nmap -sS 10.0.0.1; :'
	refuses web "Package manager started" "not permitted" /bin/sh -c '/fake/apt-get install x; :'
	refuses web "Authorized keys changed" EPERM /opt/act open /home/authorized_keys w
	passes web "$(printf 'open ok\nlisten ok\nopen ok')" /bin/sh -c '/fake/nginx open /var/log/access.log w -- listen 8080 -- open /etc/motd r'
	passes web "uid=0(root) gid=0(root)" /bin/sh -c id
}

@test "database: no other program, no connection to the outside; its data, its port, private networks are fine" {
	refuses database "Program not in the image executed" "not permitted" /bin/sh -c 'cp /bin/busybox /data/k; /data/k true; :'
	refuses database "Unexpected outbound connection" EPERM /opt/act connect 203.0.113.7 443
	refuses database "Compiler started" "not permitted" /bin/sh -c '/fake/gcc x.c; :'
	passes database "$(printf 'open ok\nlisten ok')" /opt/act open /data/table w -- listen 5432
	# Nobody answers there; the call itself goes on.
	passes database "connect ENETUNREACH" /opt/act connect 10.9.8.7 5432
}

@test "batch: no port for others, no credentials; shells, compilers and what was built are fine" {
	refuses batch "Port opened by a job" EACCES /opt/act listen 4450
	refuses batch "Sensitive file opened for reading" EPERM /opt/act open /etc/shadow r
	refuses batch "Kubernetes client started" "not permitted" /bin/sh -c '/fake/kubectl get secrets; :'
	passes batch "built" /bin/sh -c 'cp /bin/busybox /tmp/echo && /tmp/echo built'
}

@test "locked: only programs of the image, only ports that are allowed, no shell; the service itself is fine" {
	refuses locked "Program outside of the image's layers" "not permitted" /opt/attempt copy-exec /opt/act /data/k
	refuses locked "Shell spawned in container" "not permitted" /opt/attempt run /bin/sh -c :
	refuses locked "Port that is not among those allowed" EPERM /opt/act listen 4450
	refuses locked "Unexpected outbound connection" EPERM /opt/act connect 203.0.113.7 443
	passes locked "$(printf 'open ok\nlisten ok\nopen ok')" /opt/act open /data/file w -- listen 8080 -- open /etc/motd r
}

@test "agent: nothing from scratch directories, no private network, no file that others run; its project is fine" {
	refuses agent "Agent runs a program from elsewhere" "not permitted" /bin/sh -c 'cp /bin/busybox /tmp/k; /tmp/k true; :'
	refuses agent "Agent looks around in the private network" EPERM /opt/act connect 192.168.9.9 443
	refuses agent "Agent writes what somebody else will run" EPERM /bin/sh -c 'mkdir -p /workspace/.vscode; /opt/act open /workspace/.vscode/tasks.json w'
	refuses agent "Sensitive file opened for reading" EPERM /opt/act open /etc/shadow r
	passes agent "$(printf 'open ok\nlisten ok\nbuilt')" /bin/sh -c '/opt/act open /workspace/main.c w -- listen 3000; cp /bin/busybox /workspace/echo && /workspace/echo built'
}

@test "what reaches for the host ends the process" {
	local p r
	for p in web database batch agent; do
		for r in $RUNTIMES; do
			under "$p" "$r" /bin/sh -c '/opt/act open /proc/sysrq-trigger w; echo survived with $?'
			[[ "$OUT" == *"survived with 137"* || "$OUT" == *"survived with 159"* ]]
			expect_alert "SysRq or kernel trigger written" "$ID"
		done
	done
}
