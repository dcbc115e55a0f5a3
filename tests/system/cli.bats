# SPDX-License-Identifier: Apache-2.0
# The command line alone: no root, no daemon, no network.
load lib

setup() {
	export SHRIKE_SOCKET=$BATS_TEST_TMPDIR/nobody.sock
	unset NO_COLOR
	S=$SHK_BUILDDIR/shrike
	R=$SHK_SRCDIR/rules
}

# Standard error apart from standard output.
apart() {
	code=0
	"$@" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || code=$?
	out=$(cat "$BATS_TEST_TMPDIR/out")
	err=$(cat "$BATS_TEST_TMPDIR/err")
}

has_command() {
	"$S" help | grep -q "^  $1 " || skip "$1 is not built in"
}

@test "version and help" {
	run "$S" version
	[ "$status" = 0 ]
	[[ "$output" =~ ^shrike\ [0-9] ]]
	run "$S" --version
	[ "$status" = 0 ]
	run "$S"
	[ "$status" = 2 ]
	[[ "$output" = *"Commands:"* ]]
}

@test "every command has a help with usage, exit codes and an example" {
	for c in $("$S" help | sed -n '/^Commands/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
		run "$S" "$c" --help
		[ "$status" = 0 ]
		[[ "$output" = "Usage: shrike $c "* ]]
		[[ "$output" = *"Exit codes:"* ]]
		[[ "$output" = *"Example:"* ]]
		run "$S" help "$c"
		[ "$status" = 0 ]
	done
}

@test "a misspelt command or option names the nearest one" {
	apart "$S" stauts
	[ "$code" = 2 ]
	[ "$err" = 'shrike: no command "stauts"; did you mean "status"?' ]
	[ -z "$out" ]
	apart "$S" ps --jsn
	[ "$code" = 2 ]
	[[ "$err" = *"did you mean --json?"* ]]
	apart "$S" zzzzzzzzzzz
	[ "$code" = 2 ]
	[[ "$err" = *"shrike help lists them" ]]
}

@test "wrong usage ends with 2" {
	for args in "ps x" "ps -x" "ps --socket" "ps --json=1" "events -n many" "events -n -1" \
		"events --since tomorrow" "events --priority loud" "events --max-size 1M" "events --record x --container y -f" "run --max-size 1M x" \
		"list" "list nothing" "list fields --json --tsv" "list fields syscalls"; do
		# shellcheck disable=SC2086
		apart "$S" $args
		[ "$code" = 2 ] || { echo "$args: $code"; false; }
		[[ "$err" = "shrike: "*"--help shows how to use it" ]]
		[ -z "$out" ]
	done
}

@test "no daemon: 3, and the remedy" {
	for c in ps events status reload; do
		apart "$S" "$c"
		[ "$code" = 3 ]
		[[ "$err" = "shrike: "*"$SHRIKE_SOCKET"*"start shriked"* ]]
		apart "$S" "$c" --socket /nonexistent/s
		[ "$code" = 3 ]
		[[ "$err" = *"/nonexistent/s"* ]]
	done
}

@test "text from outside cannot command the terminal" {
	apart "$S" $'ev\e[31mil'
	[ "$code" = 2 ]
	[[ "$err" = *'ev\x1b[31mil'* ]]
}

@test "a full disk is a failure, a closed pipe is quiet" {
	[ -c /dev/full ] || skip "no /dev/full"
	code=0
	"$S" list syscalls >/dev/full 2>"$BATS_TEST_TMPDIR/err" || code=$?
	[ "$code" = 4 ]
	grep -q "cannot write" "$BATS_TEST_TMPDIR/err"
	"$S" list syscalls --json 2>"$BATS_TEST_TMPDIR/err" | head -n 1 >/dev/null
	[ ! -s "$BATS_TEST_TMPDIR/err" ]
}

@test "no colour outside of a terminal" {
	for args in help "list flags" doctor "config --dump"; do
		# shellcheck disable=SC2086
		run "$S" $args
		[[ "$output" != *$'\e'* ]]
	done
}

@test "events: a terminal gets colours by priority, unless NO_COLOR is set" {
	local shown e=$'\e'
	need script jq
	for p in Critical Warning Notice; do
		jq -nc --arg p $p '{ output: "an alert", priority: $p, rule: "R", time: "2026-11-27T20:00:00Z", source: "syscall",
			shrike: { container: { id: "c" } } }'
	done >"$BATS_TEST_TMPDIR/alerts"
	shown=$(TERM=xterm script -qec "'$S' events --file '$BATS_TEST_TMPDIR/alerts'" /dev/null </dev/null | tr -d '\r')
	[ "$shown" = "$e[31man alert$e[0m"$'\n'"$e[33man alert$e[0m"$'\n'"an alert$e[0m" ]
	shown=$(NO_COLOR=1 TERM=xterm script -qec "'$S' events --file '$BATS_TEST_TMPDIR/alerts'" /dev/null </dev/null)
	[[ "$shown" != *"$e"* ]]
	[ "$("$S" events --file "$BATS_TEST_TMPDIR/alerts" | grep -c '^an alert$')" = 3 ]
}

@test "list: one row per call, field and flag, the same in each form" {
	need jq
	for what in syscalls fields flags; do
		rows=$("$S" list $what --json | jq -s length)
		[ "$rows" -gt 50 ]
		[ "$("$S" list $what --tsv | wc -l)" = $((rows + 1)) ]
		[ "$("$S" list $what | wc -l)" = $((rows + 1)) ]
	done
	[ "$("$S" list syscalls --json | jq -r 'select(.name == "openat").x86_64')" = 257 ]
	[ "$("$S" list syscalls --json | jq -r 'select(.name == "openat").i386')" = 295 ]
	[ "$("$S" list flags --json | jq -r 'select(.name == "CLONE_NEWUSER").value' | head -n 1)" = 0x10000000 ]
	"$S" list fields --tsv | grep -q "^evt.type	CHARBUF"
}

@test "list: every flag has a name and a value" {
	run "$S" list flags --tsv
	[ "$status" = 0 ]
	[ -z "$(awk -F'\t' 'NF != 3 || $2 == ""' <<<"$output")" ]
}

@test "config: what is printed is a configuration" {
	f=$BATS_TEST_TMPDIR/shrike.yaml
	printf 'hostname: here\noutputs: [stdout]\n' >"$f"
	"$S" config --dump "$f" >"$f.2"
	grep -q '^hostname: "here"' "$f.2"
	"$S" config --dump "$f.2" >"$f.3"
	cmp "$f.2" "$f.3"
	run "$S" config "$f"
	[ "$status" = 0 ]
}

@test "config: an error has its place and a remedy" {
	f=$BATS_TEST_TMPDIR/shrike.yaml
	printf 'hostname: here\nlog_levle: debug\n' >"$f"
	apart "$S" config "$f"
	[ "$code" = 1 ]
	[[ "$err" = "shrike: $f:2:1: "*"log_level"* ]]
	apart "$S" config /nonexistent.yaml
	[ "$code" = 4 ]
}

@test "doctor: every way has an answer and a reason, and the exit code agrees" {
	need jq
	run "$S" doctor --json
	[ "$status" = 0 ] || [ "$status" = 1 ]
	[ "$(jq -r '.ways | map(.way) | join("")' <<<"$output")" = ABCD ]
	[ "$(jq -r '[.ways[] | select(.text == "")] | length' <<<"$output")" = 0 ]
	any=$(jq '[.ways[] | select(.ok)] | length > 0' <<<"$output")
	[ "$any" = "$([ "$status" = 0 ] && echo true || echo false)" ]
	[ "$(jq -r '.checks[] | select(.name == "shriked").ok' <<<"$output")" = false ]
	[ "$(jq -r '.checks[] | select(.name == "version").text' <<<"$output" | cut -d' ' -f2)" = "$(uname -r)" ]
	[ "$(jq -r '.runtimes | map(.name) | join(" ")' <<<"$output")" = "runc crun podman docker" ]
}

@test "doctor: runtimes speak for themselves, and one that hangs is not waited for" {
	need jq
	d=$BATS_TEST_TMPDIR/bin
	mkdir "$d"
	printf '#!/bin/sh\necho podman version 4.0.9\n' >"$d/podman"
	printf '#!/bin/sh\necho Docker version 23.0.1, build x\n' >"$d/docker"
	printf '#!/bin/sh\n[ "$1" = features ] && echo "{\\"linux\\":{\\"seccomp\\":{\\"actions\\":[]}}}" || echo runc version 9.9\n' >"$d/runc"
	printf '#!/bin/sh\nexec sleep 60\n' >"$d/crun"
	chmod +x "$d"/*
	SECONDS=0
	run env PATH="$d:$PATH" "$S" doctor --json
	[ "$SECONDS" -lt 20 ]
	[ "$(jq -c '[.runtimes[] | [.name, .present, .version, .notify]]' <<<"$output")" = \
		'[["runc",true,"9.9",false],["crun",false,"",false],["podman",true,"4.0.9",false],["docker",true,"23.0.1",true]]' ]
	[ "$(jq -r '.ways[] | select(.way == "B").ok' <<<"$output")" = false ]
}

@test "check: rules and policies of this tree" {
	has_command check
	run "$S" check "$R"/*.yaml "$R"/policies/*.yaml
	echo "$output"
	[ "$status" = 0 ]
}

@test "check: errors have file, line and column" {
	has_command check
	need jq
	f=$BATS_TEST_TMPDIR/p.yaml
	printf 'policy: x\nmatch: [ { name: x } ]\nmod: enforce\n' >"$f"
	run "$S" check --rules-path "$R" "$f"
	[ "$status" = 1 ]
	[[ "$output" = "$f:3:1: error: "*'did you mean "mode"?'* ]]
	run "$S" check --rules-path "$R" --json "$f"
	[ "$status" = 1 ]
	[ "$(jq -r '[.severity, .line, .column] | join(" ")' <<<"$output")" = "error 3 1" ]
	apart "$S" check /nonexistent.yaml
	[ "$code" = 4 ]
	apart "$S" check
	[ "$code" = 2 ]
}

@test "explain and profile: offline, from files" {
	has_command explain
	need jq
	run "$S" explain --policy-dir "$R/policies" --rules-path "$R"
	[ "$status" = 0 ]
	[[ "$output" = "policy default, mode observe"* ]]
	[[ "$output" = *"execve"*"notify"* ]]
	[[ "$output" = *"io_uring_setup"*"errno ENOSYS"* ]]
	run "$S" explain enforce-exampel --policy-dir "$R/policies" --rules-path "$R"
	[ "$status" = 1 ]
	[[ "$output" = *'did you mean "enforce-example"?'* ]]
	run "$S" explain "$R/policies/default.yaml" --rules-path "$R" --bpf
	[ "$status" = 0 ]
	[[ "$output" = "   0: load [4]"* ]]
	# A rule, a call, and what is promised: each of them once.
	run "$S" explain "$R/policies/enforce-example.yaml" --rules-path "$R" --verdicts
	[ "$status" = 0 ]
	[[ $output == *"rule "*": "*$'\n'"  "* ]]
	grep -Eq '^  (open|openat|rename) +emulated +carried out' <<<"$output"
	run grep -Ev '^(rule |  [a-z0-9_]+ +(register|emulated|verified|best-effort|refused|none) +[a-z]|  \(no call\))' <<<"$output"
	echo "$output"
	[ "$status" = 1 ]
	run "$S" explain --bpf --oci
	[ "$status" = 2 ]
	"$S" explain "$R/policies/enforce-example.yaml" --rules-path "$R" --dump >"$BATS_TEST_TMPDIR/dump.yaml"
	grep -q '^deadline: { ms: 2000, then: { deny: EPERM } }$' "$BATS_TEST_TMPDIR/dump.yaml"
	"$S" explain "$BATS_TEST_TMPDIR/dump.yaml" --rules-path "$R" --dump | diff "$BATS_TEST_TMPDIR/dump.yaml" -
	"$S" profile "$R/policies/default.yaml" --rules-path "$R" --listener /run/x.sock >"$BATS_TEST_TMPDIR/p.json"
	[ "$(jq -r .listenerPath "$BATS_TEST_TMPDIR/p.json")" = /run/x.sock ]
	[ "$(jq -r '[.syscalls[] | select(.action == "SCMP_ACT_NOTIFY").names[]] | index("execve") != null' \
		"$BATS_TEST_TMPDIR/p.json")" = true ]
}

@test "completion: commands and options are those of the program" {
	# shellcheck source=/dev/null
	source "$SHK_SRCDIR/contrib/completion/shrike.bash"
	shrike() { "$S" "$@"; }
	COMP_WORDS=(shrike st) COMP_CWORD=1
	_shrike
	[ "${COMPREPLY[*]}" = status ]
	COMP_WORDS=(shrike events --) COMP_CWORD=2
	_shrike
	[ "${COMPREPLY[*]}" = "--follow --last --json --record --max-size --container --priority --rule --since --file --socket --help" ]
	COMP_WORDS=(shrike list f) COMP_CWORD=2
	_shrike
	[ "${COMPREPLY[*]}" = "fields flags" ]
	COMP_WORDS=(shrike rules d) COMP_CWORD=2
	_shrike
	[ "${COMPREPLY[*]}" = describe ]
}

# completed SHELL WORD...: what is offered for the last word; of zsh everything of the kind, which it matches itself.
completed() {
	local shell=$1
	shift
	case $shell in
	zsh)
		# shellcheck disable=SC2016
		zsh -f -c 'compadd() { [[ $1 == -- ]] && shift; print -rl -- "$@"; }
			_describe() { print -rl -- ${(P)2}; }
			_files() { print -r -- files; }
			file=$1; shift; words=("$@") CURRENT=$#; source $file' zsh "$SHK_SRCDIR/contrib/completion/_shrike" "$@" | cut -d: -f1
		;;
	fish)
		fish --no-config -c "source $SHK_SRCDIR/contrib/completion/shrike.fish; complete -C '$*'" | cut -f1
		;;
	esac
}

@test "completion of zsh and fish: every command and option is that of the program, and values are of their kind" {
	local shell c
	need zsh fish
	mkdir "$BATS_TEST_TMPDIR/bin"
	ln -s "$S" "$BATS_TEST_TMPDIR/bin/shrike"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH
	"$S" help | sed -n '/^Commands/,/^$/s/^  \([a-z]*\) .*/\1/p' | sort >"$BATS_TEST_TMPDIR/commands"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/commands")" -gt 20 ]
	for shell in zsh fish; do
		completed $shell shrike '' | sort | diff "$BATS_TEST_TMPDIR/commands" -
		while read -r c; do
			"$S" help "$c" | sed -n '/^Options/,/^$/s/^ *\(-[a-zA-Z], \)\{0,1\}\(--[a-z-]*\).*/\2/p' | sort >"$BATS_TEST_TMPDIR/options"
			[ -s "$BATS_TEST_TMPDIR/options" ]
			completed $shell shrike "$c" -- | sort | diff "$BATS_TEST_TMPDIR/options" - || {
				echo "$shell: $c"
				return 1
			}
		done <"$BATS_TEST_TMPDIR/commands"
		completed $shell shrike help ex | grep -qx explain
		completed $shell shrike list f | grep -qx flags
		[ -z "$(completed $shell shrike list flags f | grep -x flags)" ]
		completed $shell shrike rules d | grep -qx describe
		completed $shell shrike events -p w | grep -qx warning
		completed $shell shrike events --priority w | grep -qx warning
		completed $shell shrike replay --field proc.exepa | grep -qx proc.exepath
		completed $shell shrike run --runtime '' | grep -qx crun
		[ -z "$(completed $shell shrike events --last '')" ]
	done
	[ "$(completed zsh shrike events --file '')" = files ]
	[ "$(cd "$SHK_SRCDIR" && completed fish shrike events --file contrib/packag)" = contrib/packages ]
}

@test "every other program: a help, its manual page has each option, and bash completes them" {
	local p section o
	# shellcheck source=/dev/null
	source "$SHK_SRCDIR/contrib/completion/shrike.bash"
	for p in shriked shrike-engine shrike-gateway shrike-hook; do
		complete -p $p | grep -q _shrike_program
		COMP_WORDS=("$SHK_BUILDDIR/$p" --) COMP_CWORD=1
		_shrike_program
		[ ${#COMPREPLY[@]} -ge 3 ]
		for o in "${COMPREPLY[@]}"; do
			"$SHK_BUILDDIR/$p" --help | grep -q -- "$o"
			grep -qE -- "(Fl |[,|] )-${o#--}( |$)" "$SHK_SRCDIR/docs/man/$p.8" || { echo "$p.8 lacks $o"; false; }
		done
	done
	for p in shriked shrike-engine "shrike-gateway --check"; do
		for o in argument --no-such-option; do
			# shellcheck disable=SC2086
			run "$SHK_BUILDDIR"/$p $o
			[ "$status" = 2 ]
		done
	done
	COMP_WORDS=(shrike-hook po) COMP_CWORD=1
	_shrike_program
	[ "${COMPREPLY[*]}" = poststop ]
	COMP_WORDS=(shrike-hook --on-absent o) COMP_CWORD=2
	_shrike_program
	[ "${COMPREPLY[*]}" = observe ]
	COMP_WORDS=("$SHK_BUILDDIR/shrike-runtime" creat) COMP_CWORD=1
	for o in $RUNTIMES; do
		command -v "$o" >/dev/null || continue
		SHRIKE_RUNTIME=$o _shrike_program
		[ "${COMPREPLY[*]}" = create ]
	done
}

@test "manual: every command and option of the program is in shrike(1)" {
	m=$SHK_SRCDIR/docs/man/shrike.1
	for c in $("$S" help | sed -n '/^Commands/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
		grep -q "^\.It Cm $c\b" "$m" || { echo "$c is missing"; false; }
		for o in $("$S" help "$c" | sed -n '/^Options/,/^$/s/^ *\(-[a-zA-Z], \)\{0,1\}--\([a-z-]*\).*/\2/p'); do
			grep -q -- "Fl -$o\b" "$m" || { echo "$c --$o is missing"; false; }
		done
	done
}

# The filter refuses opens by handle where other opens are enforced: a warning that they are let through would be untrue.
@test "check: the shipped policies warn of no open by handle, which the filter refuses" {
	run "$SHK_BUILDDIR/shrike" check --rules-path "$SHK_SRCDIR/rules" "$SHK_SRCDIR"/rules/policies/enforce-example.yaml
	[ "$status" = 0 ]
	refute grep -q 'open_by_handle_at' <<<"$output"
	run "$SHK_BUILDDIR/shrike" explain --rules-path "$SHK_SRCDIR/rules" "$SHK_SRCDIR/rules/policies/enforce-example.yaml"
	grep -qE '^open_by_handle_at +errno EPERM' <<<"$output"
}
