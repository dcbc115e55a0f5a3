# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Completion of shrike(1). Commands and options come from the program's own help, so that they
# are those of the version installed.

_shrike_policies() {
	shrike status --json 2>/dev/null | grep -o '"policies":\[[^]]*\]' |
		grep -o '"name":"[^"\\]*"' | cut -d'"' -f4
}

_shrike_supervised() {
	shrike ps --json 2>/dev/null | grep -o '"id":"[^"\\]*"' | cut -d'"' -f4
}

# Those of the usual places; docker and containerd have a directory between.
_shrike_running() {
	local d

	for d in /run/runc/*/ /run/crun/*/ /run/docker/runtime-*/*/*/ /run/containerd/runc/*/*/; do
		[ -d "$d" ] && basename "$d"
	done
}

_shrike() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} cmd=${COMP_WORDS[1]}

	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ] || { [ "$cmd" = help ] && [ "$COMP_CWORD" = 2 ]; }; then
		mapfile -t COMPREPLY < <(compgen -W "$(shrike help 2>/dev/null |
			sed -n '/^Commands/,/^$/s/^  \([a-z]*\) .*/\1/p')" -- "$cur")
		return
	fi
	case $prev in
	--policy-dir | --rules-path | --root)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	--runtime)
		mapfile -t COMPREPLY < <(compgen -W "runc crun" -- "$cur"; compgen -f -- "$cur")
		return
		;;
	--priority | -p)
		mapfile -t COMPREPLY < <(compgen -W "emergency alert critical error warning notice informational debug" -- "$cur")
		return
		;;
	--rules | --policy | --record | --file | --socket | --base | --listener | --config | -c)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--container)
		mapfile -t COMPREPLY < <(compgen -W "$(shrike ps --json 2>/dev/null |
			grep -oE '"(id|name)":"[^"\\]+"' | cut -d'"' -f4)" -- "$cur")
		return
		;;
	--last | -n | --since | --interval | -d | --times | --pid | --metadata | --condition | --max-size)
		return
		;;
	esac
	if [ "$prev" = --field ]; then
		mapfile -t COMPREPLY < <(compgen -W "$(shrike list fields --tsv 2>/dev/null | cut -f1)" -- "$cur")
		return
	fi
	case $cur in
	-*)
		mapfile -t COMPREPLY < <(compgen -W "$(shrike help "$cmd" 2>/dev/null |
			sed -n '/^Options/,/^$/s/^ *\(-[a-zA-Z], \)\{0,1\}\(--[a-z-]*\).*/\2/p')" -- "$cur")
		return
		;;
	esac
	case $cmd in
	attach)
		mapfile -t COMPREPLY < <(compgen -W "$(_shrike_running)" -- "$cur")
		;;
	detach | freeze | thaw | kill)
		mapfile -t COMPREPLY < <(compgen -W "$(_shrike_supervised)" -- "$cur")
		;;
	list)
		mapfile -t COMPREPLY < <(compgen -W "syscalls fields flags" -- "$cur")
		;;
	rules)
		if [ "$COMP_CWORD" = 2 ]; then
			mapfile -t COMPREPLY < <(compgen -W "list show describe" -- "$cur")
		else
			compopt -o filenames
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		fi
		;;
	explain | profile)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -W "$(_shrike_policies)" -- "$cur"; compgen -f -- "$cur")
		;;
	run)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		;;
	check | config | replay | test)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		;;
	esac
}
complete -F _shrike shrike

# The other programs: options, and what their values are. shrike-runtime has those of the runtime behind it.
_shrike_program() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} program=${COMP_WORDS[0]} words

	COMPREPLY=()
	case $prev in
	--on-absent)
		mapfile -t COMPREPLY < <(compgen -W "refuse observe" -- "$cur")
		return
		;;
	--timeout)
		return
		;;
	--config | --control | --notify | --engine | --gateway | --socket | --root | --log | --bundle | -b | --pid-file)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	esac
	case $cur in
	-*)
		words=$("$program" --help 2>/dev/null | grep -oE -- '--[a-z]+(-[a-z]+)*')
		;;
	*)
		case $program in
		*shrike-hook) words="prestart createRuntime poststop auto" ;;
		*shrike-runtime)
			words=$("$program" --help 2>/dev/null | sed -n '/^COMMANDS/,/^$/s/^[[:blank:]]*\([a-z]*\)[, ].*/\1/p')
			[ "$COMP_CWORD" = 1 ] || words=$(_shrike_running)
			;;
		esac
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur" | sort -u)
}
complete -F _shrike_program shriked shrike-engine shrike-gateway shrike-hook shrike-runtime
