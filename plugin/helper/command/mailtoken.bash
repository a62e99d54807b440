# bash completion for mailtoken(1) and mailtokend(8)
# SPDX-License-Identifier: ISC
#
# What there is, the programs say themselves: `mailtoken --help' has a line for
# each command, "  NAME ARGUMENTS", and of an option's value the kind, in
# capital letters.

# The words of the command line that are no options, and what kind of value the
# last option wants, by the text $1 of what is allowed.
_mailtoken_value()
{
	local previous=${COMP_WORDS[COMP_CWORD-1]}

	[[ $previous == --* && $1 =~ $previous' '([A-Z]+) ]] &&
		printf '%s' "${BASH_REMATCH[1]}"
}

# Fills COMPREPLY by the kind $1 of value for the word $2.
_mailtoken_reply()
{
	case $1 in
	FILE | PATH) mapfile -t COMPREPLY < <(compgen -f -- "$2") ;;
	DIR) mapfile -t COMPREPLY < <(compgen -d -- "$2") ;;
	NAME) mapfile -t COMPREPLY < <(compgen -u -- "$2") ;;
	ACCOUNT) mapfile -t COMPREPLY < <(compgen -W \
	    "$(timeout 2 mailtoken list 2>/dev/null)" -- "$2") ;;
	*) mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2") ;;
	esac
}

_mailtoken()
{
	local word=${COMP_WORDS[COMP_CWORD]} help command='' allowed kind i
	local usage='--config FILE --socket PATH --help --verbose --version'

	help=$(mailtoken --help 2>/dev/null)
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--config | --socket) ((i++)) ;;
		-*) ;;
		*) command=${COMP_WORDS[i]} && break ;;
		esac
	done
	allowed=$usage
	[[ ! $command ]] ||
		allowed=$(sed -n "s/^  $command //p" <<<"$help")
	kind=$(_mailtoken_value "$allowed")
	if [[ $kind ]]; then
		_mailtoken_reply "$kind" "$word"
	elif [[ $word == -* ]]; then
		_mailtoken_reply "$(grep -o -- '--[a-z-]*' <<<"$allowed")" \
		    "$word"
	elif [[ ! $command ]]; then
		_mailtoken_reply "$(sed -n 's/^  \([a-z]*\) .*/\1/p' \
		    <<<"$help")" "$word"
	elif [[ $allowed == *ACCOUNT* ]]; then
		_mailtoken_reply ACCOUNT "$word"
	fi
}

_mailtokend()
{
	local word=${COMP_WORDS[COMP_CWORD]} allowed kind

	allowed=$(mailtokend --help 2>/dev/null)
	kind=$(_mailtoken_value "$allowed")
	[[ $kind ]] || kind=$(grep -o -- '--[a-z-]*' <<<"$allowed")
	_mailtoken_reply "$kind" "$word"
}

complete -F _mailtoken mailtoken
complete -F _mailtokend mailtokend
