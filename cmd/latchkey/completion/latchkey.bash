# Completion of latchkey for bash: source it, or put it as "latchkey" into
# ~/.local/share/bash-completion/completions. The program itself says what fits.
_latchkey() {
	local lines
	mapfile -t lines < <("$1" complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
	if [[ ${lines[0]-} == :files ]]; then
		compopt -o filenames
		local word=$2
		[[ $word == = ]] && word=
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
	else
		COMPREPLY=("${lines[@]%%$'\t'*}")
	fi
}
complete -F _latchkey latchkey
