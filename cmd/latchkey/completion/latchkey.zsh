#compdef latchkey
# Completion of latchkey for zsh: source it after compinit, or put it as
# "_latchkey" into a folder of fpath. The program itself says what fits.
_latchkey() {
	local line
	local -a lines fits
	lines=("${(@f)$(${(Q)words[1]} complete -- "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
	if [[ $lines[1] == :files ]]; then
		compset -P '--*='
		_files
		return
	fi
	for line in $lines; do
		fits+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
	done
	_describe latchkey fits
}
if [[ $funcstack[1] == _latchkey ]]; then
	_latchkey "$@"
else
	compdef _latchkey latchkey
fi
