"""Completion in a shell: the command that prints the script, and what the script asks while somebody types."""

from __future__ import annotations

import os
from contextlib import redirect_stderr
from typing import Any

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    ShellComplete,
    add_completion_class,
    get_completion_class,
    split_arg_string,
)

from runner.cli.options import common_options
from runner.cli.session import Session

PROGRAM = "maxwell-db"
VARIABLE = "_MAXWELL_DB_COMPLETE"
SHELLS = ("bash", "zsh", "fish")

#: Bash breaks words at ':' and '=', too, as in sqlite:///a.db and orphan:b.c: the line is taken as it was typed, and of
#: each answer the part that stands before the last ':' already is left out again. Bash 4.4 is the oldest that will do.
_BASH = r"""
%(complete_func)s() {
    local line="${COMP_LINE:0:COMP_POINT}" kind value word before
    [[ $line ]] || line="${COMP_WORDS[*]:0:COMP_CWORD+1}"
    word="${line##*[[:space:]]}"
    [[ $word == -*=* ]] && word="${word#*=}"
    [[ $COMP_WORDBREAKS == *:* && $word == *:* ]] && before="${word%%"${word##*:}"}"
    COMPREPLY=()
    while IFS=, read -r kind value; do
        case $kind in
            plain) COMPREPLY+=("${value#"$before"}") ;;
            file) compopt -o default 2>/dev/null ;;
            dir) compopt -o dirnames 2>/dev/null ;;
        esac
    done < <(MAXWELL_DB_LINE="$line" %(complete_var)s=bash_complete "$1" 2>/dev/null)
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""


class _Bash(BashComplete):
    source_template = _BASH.lstrip()

    def source(self) -> str:
        return ShellComplete.source(self)  # without asking the bash of this machine, which may not be the user's

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ["MAXWELL_DB_LINE"]
        words = split_arg_string(line)[1:]
        return (words[:-1], words[-1]) if words and not line[-1:].isspace() else (words, "")


add_completion_class(_Bash, "bash")


# No settings are read, from file or environment: this stands in files that every new shell reads, in any folder.
@click.command("completion")
@common_options
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_obj
def completion(session: Session, shell: str) -> int:
    """Print the script by which a shell completes commands, options, versions, revisions, ids, checks and rules.

    \b
    bash: echo 'source <(maxwell-db completion bash)' >> ~/.bashrc
    zsh:  echo 'source <(maxwell-db completion zsh)' >> ~/.zshrc     (after compinit)
    fish: maxwell-db completion fish > ~/.config/fish/completions/maxwell-db.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None  # each of SHELLS has one
    script = kind(click.get_current_context().find_root().command, {}, PROGRAM, VARIABLE).source()
    return session.answer(script.rstrip("\n"), {"shell": shell, "script": script})


def answer_shell(group: click.Command, instruction: str) -> int:
    """What the script asked for, on stdout. Silent whatever is wrong: somebody is typing."""
    from click.shell_completion import shell_complete

    with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):  # noqa: PTH123  # no path, but the device
        try:
            return shell_complete(group, {"obj": Session()}, PROGRAM, VARIABLE, instruction)
        except BrokenPipeError:
            raise
        except Exception:
            return 1


def aliases(names: dict[str, str], incomplete: str) -> list[CompletionItem[Any]]:
    """The commands' other names, once somebody begins to type one."""
    return [
        CompletionItem(alias, help=f"the same as {name}")
        for alias, name in names.items()
        if incomplete and alias.startswith(incomplete)
    ]
