# bash completion for mailtoken-connector(8)
# SPDX-License-Identifier: ISC
#
# What there is, the program says itself: `mailtoken-connector --help' has a
# line for each command, "  NAME ARGUMENTS", ahead of the environment.
_mailtoken_connector()
{
	local word=${COMP_WORDS[COMP_CWORD]} help command='' allowed i

	help=$(mailtoken-connector --help 2>/dev/null | sed '/^Environment/,$d')
	for ((i = 1; i < COMP_CWORD; i++)); do
		[[ ${COMP_WORDS[i]} == -* ]] || {
			command=${COMP_WORDS[i]}
			break
		}
	done
	if [[ $command ]]; then
		allowed=$(sed -n "s/^  $command //p" <<<"$help")
		# options, or words that are meant as they stand
		if [[ $word == -* ]]; then
			allowed=$(grep -o -- '--[a-z-]*' <<<"$allowed")
		else
			allowed=$(sed 's/--*[a-z-]*//g' <<<"$allowed")
		fi
		mapfile -t COMPREPLY < <(compgen -W \
		    "$(grep -o -- '-*[a-z][a-z-]*' <<<"$allowed")" -- "$word")
		[[ $allowed != *FILE* || $word == -* ]] ||
			mapfile -t COMPREPLY < <(compgen -f -- "$word")
	elif [[ $word == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W '-v --help --version' \
		    -- "$word")
	else
		mapfile -t COMPREPLY < <(compgen -W "$(sed -n \
		    's/^  \([a-z][a-z-]*\).*/\1/p' <<<"$help")" -- "$word")
	fi
}

complete -F _mailtoken_connector mailtoken-connector
