# Completion of latchkey for fish: source it, or put it into
# ~/.config/fish/completions. The program itself says what fits.
function __latchkey_complete
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    set -l lines ($words[1] complete -- $words[2..] "$word" 2>/dev/null)
    if test "$lines[1]" = :files
        __fish_complete_path "$word"
    else
        printf '%s\n' $lines
    end
end
complete -c latchkey -f -a '(__latchkey_complete)'
