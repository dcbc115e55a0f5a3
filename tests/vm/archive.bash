# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Sourced: packages of Debian's archive, of any architecture, fetched without installing anything and without a change to this machine's
# own apt. $cache is the directory in which indexes are kept.
#
#   SHRIKE_MIRROR    the archive; else the first one in apt's own configuration
#   SHRIKE_MIRROR_SECURITY  the same for security updates

: "${cache:?the directory of indexes}"

# mirror PATTERN: the first address in apt's sources whose path ends so.
mirror() {
	cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
		sed -n 's/^[[:space:]]*URIs:[[:space:]]*//p; s/^[[:space:]]*deb[[:space:]]\{1,\}\(\[[^]]*\][[:space:]]*\)\{0,1\}//p' |
		tr -s ' \t' '\n\n' | sed 's|/$||' | grep -E "^[a-z+]+:.*$1\$" | head -n 1
}

# archive_open ARCHITECTURE: sets apt and options for the others; indexes are fetched once per process.
archive_open() {
	local main=${SHRIKE_MIRROR:-$(mirror /debian)} security=${SHRIKE_MIRROR_SECURITY:-$(mirror /debian-security)}
	local keys=/usr/share/keyrings/debian-archive-keyring.gpg
	[ "${opened:-}" != "$1" ] || return 0
	apt=$cache/apt
	[ "$1" = amd64 ] || apt=$cache/apt-$1
	[ -n "$main" ] || {
		echo "tests/vm: no Debian archive in apt's sources; name one in SHRIKE_MIRROR" >&2
		return 1
	}
	# Archives keep security updates beside the rest.
	[ -n "$security" ] || security=${main%/debian}/debian-security
	mkdir -p "$apt"/{etc,lists/partial,archives/partial,empty}
	: >"$apt/status"
	{
		echo "deb [signed-by=$keys] $main bookworm main"
		echo "deb [signed-by=$keys] $main bookworm-updates main"
		echo "deb [signed-by=$keys] $main bookworm-backports main"
		echo "deb [signed-by=$keys] $security bookworm-security main"
		echo "deb [signed-by=$keys] $main bullseye main"
		echo "deb [signed-by=$keys] $security bullseye-security main"
	} >"$apt/etc/sources.list"
	options=(-o Dir::Etc::sourcelist="$apt/etc/sources.list" -o Dir::Etc::sourceparts="$apt/empty"
		-o Dir::Etc::preferencesparts="$apt/empty" -o Dir::State="$apt" -o Dir::State::lists="$apt/lists"
		-o Dir::State::status="$apt/status" -o Dir::Cache="$apt" -o APT::Architecture="$1"
		-o APT::Architectures="$1" -o APT::Sandbox::User=root -o Acquire::Languages=none)
	apt-get "${options[@]}" -qq update >"$apt/log" 2>&1 || {
		tail -n 3 "$apt/log" >&2
		return 1
	}
	opened=$1
}

# newest PACKAGE: the version of the newest one that an index names.
newest() {
	apt-cache "${options[@]}" madison "$1" 2>/dev/null | awk -F'|' '{ gsub(/ /, "", $2); print $2 }' | sort -V | tail -n 1
}

# archive_get DIR PACKAGE[=VERSION]: the package's file, into DIR.
archive_get() {
	(cd "$1" && apt-get "${options[@]}" -qq download "$2" >>"$apt/log" 2>&1)
}

# archive_failed PACKAGE: says so, and fails.
archive_failed() {
	echo "tests/vm: cannot download $1: $(tail -n 1 "$apt/log")" >&2
	return 1
}
