# Completes what stands behind ./just in bash, and in zsh with bashcompinit: eval "$(./just completion)"
_malrule_complete() {
    local line=${COMP_LINE:0:COMP_POINT} root=. module=training word
    word=${line##* }
    case $1 in */*) root=${1%/*} ;; esac
    if [ "$COMP_CWORD" = 1 ]; then
        COMPREPLY=($(compgen -W "$("$1" --summary 2>/dev/null)" -- "$word"))
        return
    fi
    case ${COMP_WORDS[1]} in data | push-* | kernel-status | submit | release) module=kaggle_kernels ;; esac
    # fish's form of the answer, a word on a line, with its help behind a tab, is the plainest that typer has
    local IFS=$'\n'
    COMPREPLY=($(cd "$root" && _MALRULE_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args \
        _TYPER_COMPLETE_ARGS="$line" .venv/bin/python -m $module 2>/dev/null | cut -f1))
    # bash takes "=" for the end of a word, and wants what stands behind it
    if [[ $word == *=* ]]; then COMPREPLY=("${COMPREPLY[@]#"${word%%=*}="}"); else compopt -o nospace; fi
}
complete -o default -F _malrule_complete just
