#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What shell scripts of a machine do: jobs of cron, rotation of logs, reports, backups, service scripts.
set -u
w=$(mktemp -d)
cd "$w" || exit 1

report() {
	for f in /etc/*.conf /etc/default/* /etc/pam.d/*; do
		[ -r "$f" ] || continue
		n=$(grep -c -v '^#' "$f")
		echo "$n $(basename "$f")"
	done | sort -rn | head -n 20 >report."$1"
	awk -F: '$3 < 1000 { print $1, $3, $7 }' /etc/passwd | while read -r user id shell; do
		printf '%-12s %6d %s\n' "$user" "$id" "$shell"
	done >>report."$1"
	dpkg-query -W -f '${Package} ${Version}\n' 2>/dev/null | sed -n '1,200{s/ .*//;p}' | tr a-z A-Z >packages."$1"
}

rotate() {
	for l in app access error audit; do
		for k in 1 2 3 4; do
			date +"%F line $k of $l" >>"$l.log"
			cat "$l.log" >>"$l.log.all"
		done
		[ ! -e "$l.log.2.gz" ] || mv "$l.log.2.gz" "$l.log.3.gz"
		[ ! -e "$l.log.1.gz" ] || mv "$l.log.1.gz" "$l.log.2.gz"
		cp "$l.log" "$l.log.1" && gzip -f "$l.log.1"
		: >"$l.log"
		chmod 640 "$l.log"
		chown root:adm "$l.log" 2>/dev/null
	done
}

backup() {
	mkdir -p "b/$1"
	tar -cf "b/$1/etc.tar" -C / etc/default etc/cron.daily etc/pam.d 2>/dev/null
	tar -xf "b/$1/etc.tar" -C "b/$1"
	find "b/$1" -type f | while read -r f; do
		sha256sum "$f"
	done | sort >"b/$1.sum"
	diff -u "b/$1.sum" "b/last.sum" >"b/$1.diff" 2>/dev/null
	ln -sf "$1.sum" b/last.sum
	rm -rf "b/$1"
}

health() {
	pid=$(cat run.pid 2>/dev/null) || pid=
	if [ -z "$pid" ] || ! kill -0 "$pid" 2>/dev/null; then
		sleep 1000 &
		echo $! >run.pid
	fi
	id -u www-data >/dev/null
	read -r load _ </proc/loadavg
	mem=$(awk '/^MemFree/ { print $2 }' /proc/meminfo)
	df -P / | tail -n 1 | cut -d ' ' -f 1 >/dev/null
	echo "$load $mem $(hostname) $(uname -r | cut -d. -f1)" >>health.log
	env -i PATH="$PATH" sh -c 'test -f /etc/passwd && ls -l /var/log | wc -l' >>health.log
	[ "$(wc -l <health.log)" -lt 50 ] || { tail -n 10 health.log >health.new && mv health.new health.log; }
}

edit() {
	for f in /etc/login.defs /etc/deluser.conf /etc/adduser.conf /etc/debconf.conf; do
		[ -r "$f" ] || continue
		sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$f" >"${f##*/}.new"
		if ! cmp -s "${f##*/}.new" "${f##*/}"; then
			install -m 644 "${f##*/}.new" "${f##*/}"
		fi
		rm -f "${f##*/}.new"
	done
	find /usr/share/doc -maxdepth 1 -name "lib*" -newer /etc/passwd -print0 | xargs -0 -r -n 20 ls -d | md5sum >docs.sum
	touch stamp && mkdir -p spool/in spool/out && mv stamp spool/in/ && mv spool/in/stamp spool/out/ && rmdir spool/in
}

i=0
while [ $i -lt "${1:-48}" ]; do
	i=$((i + 1))
	report $i
	rotate
	backup $i
	health
	edit
done
kill "$(cat run.pid)"
cd /
rm -rf "$w"
