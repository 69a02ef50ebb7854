"""``ganvas completion bash|zsh|fish``: prints the script of tab completion, for the shell's start file.

bash   eval "$(ganvas completion bash)"          in ~/.bashrc
zsh    eval "$(ganvas completion zsh)"           in ~/.zshrc
fish   ganvas completion fish | source           in ~/.config/fish/config.fish
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from ganvas.cli.arguments import Parser
from ganvas.files.text import one_line, say, say_page

# Bash completes what stands behind the last of these signs alone: the rest of the word must not come again.
_BASH = r"""_ganvas_completion() {
    local line="${COMP_LINE:0:COMP_POINT}" word head="" IFS=$'\n'
    word="${line##* }"
    if [[ "$word" == *[=:@]* && "$COMP_WORDBREAKS" == *=* ]]; then head="${word%"${word##*[=:@]}"}"; fi
    COMPREPLY=($(COMP_LINE="$line" COMP_POINT="${#line}" "${COMP_WORDS[0]}" -sc query=bash 2>/dev/null))
    COMPREPLY=("${COMPREPLY[@]#"$head"}")
    if [[ ${#COMPREPLY[@]} == 1 && "${COMPREPLY[0]}" == *[=:@/.] ]]; then compopt -o nospace; fi
}
complete -o default -F _ganvas_completion ganvas
"""
_ZSH = r"""_ganvas_completion() {
    local line="${(j: :)words[1,CURRENT-1]} $PREFIX"
    local -a found open closed
    found=("${(@f)$(COMP_LINE="$line" COMP_POINT="${#line}" ${words[1]} -sc query=zsh 2>/dev/null)}")
    found=(${found:#})
    if (( ! $#found )); then _files; return; fi
    open=(${(M)found:#*[=:@/.]})
    closed=(${found:#*[=:@/.]})
    compadd -Q -S '' -a open
    compadd -Q -a closed
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
compdef _ganvas_completion ganvas
"""
_FISH = r"""function __ganvas_completion
    set -lx COMP_LINE (commandline -cp)
    set -lx COMP_POINT (string length -- "$COMP_LINE")
    set -l found (ganvas -sc query=fish 2>/dev/null)
    if test (count $found) -eq 0
        __fish_complete_path (commandline -ct)
    else
        printf '%s\n' $found
    end
end
complete -c ganvas -e
complete -c ganvas -f -a '(__ganvas_completion)'
"""
SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def run(argv: Sequence[str]) -> int:
    """Prints the script; ``query=SHELL`` prints what may come next, a line each (the scripts ask so)."""
    word = argv[0] if argv else ""
    if word.startswith("query="):
        line = os.environ.get("COMP_LINE", "")
        point = os.environ.get("COMP_POINT", "")
        from ganvas.cli.shell.candidates import candidates

        point = point if point.isascii() and point.isdigit() and len(point) < 10 else ""
        for found in candidates(line[: int(point)] if point else line):
            if found == one_line(found, len(found)):  # else no shell could be given it in a line
                say(found)
        return 0
    parser = Parser(
        prog="ganvas completion", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shell", choices=tuple(SCRIPTS))
    # ganvas -sc install=bash, as with Hydra's own programs
    arguments = parser.parse_args([one.removeprefix("install=") for one in argv])
    say_page(SCRIPTS[arguments.shell])
    return 0
