# SPDX-License-Identifier: Apache-2.0
# Completion of shrike(1) for fish. Commands, options and what they take come from the program's own help, so that they are
# those of the version installed.

function __shrike_commands
	command shrike help 2>/dev/null | sed -n '/^Commands/,/^$/s/^  \([a-z]*\)  *\(.*\)/\1\t\2/p'
end

function __shrike_command
	set -l words (commandline -opc)
	set -q words[2]; and echo $words[2]
end

# Its options, one a line: short form or "-", long form, what it takes or "-", description.
function __shrike_options
	command shrike help $argv[1] 2>/dev/null |
		sed -n '/^Options/,/^$/s/^  \(..\)[, ] \(--[a-z-]*\)\( [A-Z]*\)\{0,1\} *\(.*\)/\1\t\2\t\3\t\4/p' |
		sed 's/^  \t/-\t/; s/\t\t/\t-\t/; s/\t /\t/'
end

function __shrike_of_daemon # PATTERN ARGUMENTS
	command shrike $argv[2..-1] --json 2>/dev/null | grep -oE $argv[1] | cut -d'"' -f4
end

function __shrike_value # WORD COMMAND
	set -l token (commandline -ct)
	switch $argv[1]
		case FILE FILES PATH
			__fish_complete_path $token
		case DIR DIRS BUNDLE
			__fish_complete_directories $token
		case PRIORITY
			printf '%s\n' emergency alert critical error warning notice informational debug
		case CONTAINER ID
			if test "$argv[2]" = attach
				for d in /run/runc/*/ /run/crun/*/ /run/docker/runtime-*/*/*/ /run/containerd/runc/*/*/
					basename $d
				end
			else
				__shrike_of_daemon '"(id|name)":"[^"\\\\]+"' ps
			end
		case POLICY
			__shrike_of_daemon '"name":"[^"\\\\]+"' status
			__fish_complete_path $token
		case FIELD
			command shrike list fields --tsv 2>/dev/null | cut -f1
		case COMMAND
			__shrike_commands
		case NAME
			if test "$argv[2]" = run
				printf '%s\n' runc crun
			end
		case '*|*'
			string split '|' $argv[1]
	end
end

function __shrike_complete
	set -l words (commandline -opc)
	set -l cmd (__shrike_command)
	set -l token (commandline -ct)

	if test -z "$cmd"
		__shrike_commands
		return
	end
	# What the option before takes, if it takes anything.
	for line in (__shrike_options $cmd)
		set -l o (string split -- \t $line)
		if test "$o[3]" != -; and contains -- $words[-1] $o[1] $o[2]
			__shrike_value $o[3] $cmd
			return
		end
	end
	if string match -q -- '-*' $token
		for line in (__shrike_options $cmd)
			set -l o (string split -- \t $line)
			printf '%s\t%s\n' $o[2] $o[4]
		end
		return
	end
	set -l places (command shrike help $cmd 2>/dev/null | sed -n '1s/.*\[OPTIONS\] *//p' | string split ' ')
	for p in $places
		# A word of a list comes first, and nothing else does.
		if string match -q '*|*' -- $p
			test (count $words) = 2; or continue
		end
		__shrike_value (string replace -ra '^\[|\]$|\.\.\.\]?$' '' -- $p) $cmd
		if string match -q '*|*' -- $p
			return
		end
	end
end

complete -c shrike -f -a '(__shrike_complete)'
