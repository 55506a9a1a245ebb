"""Completion scripts for bash, zsh and fish, generated from the argument parser. Pure."""

import argparse
import shlex
from collections.abc import Iterator, Sequence
from typing import Final, Literal

from msgspec import Struct

Shell = Literal["bash", "zsh", "fish"]
SHELLS: Final[tuple[Shell, ...]] = ("bash", "zsh", "fish")
_FILE_METAVARS: Final = frozenset({"FILE", "DIR", "PATH"})


class OptionSpec(Struct, frozen=True, kw_only=True):
    """An option of a command.

    Attributes:
        names: `--status`, or `--follow` and `-f`.
        value: the metavar of its value; empty for a switch.
    """

    names: tuple[str, ...]
    help: str
    value: str = ""
    choices: tuple[str, ...] = ()

    @property
    def takes_file(self) -> bool:
        return self.value in _FILE_METAVARS


class CommandSpec(Struct, frozen=True, kw_only=True):
    """A command: its options, and the words that its positional argument takes, if they are known."""

    name: str
    summary: str
    options: tuple[OptionSpec, ...]
    words: tuple[str, ...] = ()


def completion_script(parser: argparse.ArgumentParser, shell: Shell) -> str:
    """The script that completes the commands and options of `parser`."""
    common, commands = _options(parser), tuple(_commands(parser))
    match shell:
        case "bash":
            return "\n".join(_bash(common, commands)) + "\n"
        case "zsh":
            return "\n".join(_zsh(common, commands)) + "\n"
        case "fish":
            return "\n".join(_fish(common, commands)) + "\n"


def _commands(parser: argparse.ArgumentParser) -> Iterator[CommandSpec]:
    for action in parser._actions:
        if not isinstance(action, argparse._SubParsersAction):
            continue
        summaries = {choice.dest: choice.help or "" for choice in action._get_subactions()}
        for name, subparser in action.choices.items():
            more: argparse.ArgumentParser | None = subparser.get_default("own_options")
            yield CommandSpec(
                name=name,
                summary=summaries.get(name, ""),
                options=(*_options(subparser), *(_options(more) if more is not None else ())),
                words=tuple(_words(subparser)),
            )


def _options(parser: argparse.ArgumentParser) -> tuple[OptionSpec, ...]:
    return tuple(
        OptionSpec(
            names=tuple(action.option_strings),
            help=(action.help or "").replace("%(default)s", str(action.default)).replace("%%", "%"),
            value="" if action.nargs == 0 else str(action.metavar or action.dest.upper()),
            choices=tuple(map(str, action.choices or ())),
        )
        for action in parser._actions
        if action.option_strings and action.help is not argparse.SUPPRESS
    )


def _words(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        if not action.option_strings:
            yield from map(str, action.choices or ())


def _bash(common: Sequence[OptionSpec], commands: Sequence[CommandSpec]) -> Iterator[str]:
    skipped = "|".join(name for option in common if option.value for name in option.names)
    yield "# bash completion of signalbox: source <(signalbox completion bash)"
    yield "_signalbox() {"
    yield "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}"
    yield '    local command="" words="" i'
    yield "    COMPREPLY=()"
    yield "    for ((i = 1; i < COMP_CWORD; i++)); do"
    yield "        case ${COMP_WORDS[i]} in"
    yield f"            {skipped}) ((i++)) ;;"
    yield "            -*) ;;"
    yield "            *) command=${COMP_WORDS[i]}; break ;;"
    yield "        esac"
    yield "    done"
    yield '    case "$command $previous" in'
    for name, options in (*((item.name, item.options) for item in commands), ("", common)):
        for option in options:
            if option.value:
                patterns = "|".join(f'"{name} {flag}"' for flag in option.names)
                yield f"        {patterns}) {_bash_value(option)}; return ;;"
    yield "    esac"
    yield '    case "$command" in'
    top = " ".join([*(command.name for command in commands), *_names(common)])
    yield f'        "") words="{top}" ;;'
    for command in commands:
        yield f'        {command.name}) words="{" ".join([*command.words, *_names(command.options)])}" ;;'
    yield "    esac"
    yield '    COMPREPLY=($(compgen -W "$words" -- "$current"))'
    yield "}"
    yield "complete -F _signalbox signalbox"


def _bash_value(option: OptionSpec) -> str:
    if option.choices:
        return f'COMPREPLY=($(compgen -W "{" ".join(option.choices)}" -- "$current"))'
    if option.takes_file:
        # `filenames` quotes special characters and adds the slash of a folder.
        return 'compopt -o filenames; COMPREPLY=($(compgen -f -- "$current"))'
    return "COMPREPLY=()"


def _zsh(common: Sequence[OptionSpec], commands: Sequence[CommandSpec]) -> Iterator[str]:
    yield "#compdef signalbox"
    yield "# zsh completion of signalbox: source <(signalbox completion zsh)"
    yield "_signalbox() {"
    yield "    local curcontext=$curcontext state line"
    yield "    typeset -A opt_args"
    yield from _zsh_arguments("    ", common, ("'1: :->command'", "'*:: :->arguments'"))
    yield "    case $state in"
    yield "        command)"
    yield "            local -a commands=("
    for command in commands:
        yield f"                {shlex.quote(f'{command.name}:{command.summary}')}"
    yield "            )"
    yield "            _describe -t commands command commands"
    yield "            ;;"
    yield "        arguments)"
    yield "            case $words[1] in"
    for command in commands:
        # Without an entry for the positional arguments, no option is completed after one.
        rest = shlex.quote(f"*: :({' '.join(command.words)})" if command.words else "*: : ")
        yield f"                {command.name})"
        yield from _zsh_arguments("                    ", command.options, (rest,))
        yield "                    ;;"
    yield "            esac"
    yield "            ;;"
    yield "    esac"
    yield "}"
    # Autoloaded from a folder of $fpath, the file is the body of the function; sourced, it registers it.
    yield 'if [[ $funcstack[1] == _signalbox ]]; then _signalbox "$@"; else compdef _signalbox signalbox; fi'


def _zsh_arguments(indent: str, options: Sequence[OptionSpec], rest: Sequence[str]) -> Iterator[str]:
    words = [shlex.quote(_zsh_option(option, name)) for option in options for name in option.names]
    yield f"{indent}_arguments -C \\"
    for word in [*words, *rest][:-1]:
        yield f"{indent}    {word} \\"
    yield f"{indent}    {[*words, *rest][-1]}"


def _zsh_option(option: OptionSpec, name: str) -> str:
    text = option.help.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    if not option.value:
        return f"{name}[{text}]"
    action = f"({' '.join(option.choices)})" if option.choices else "_files" if option.takes_file else " "
    return f"{name}[{text}]:{option.value}:{action}"


def _fish(common: Sequence[OptionSpec], commands: Sequence[CommandSpec]) -> Iterator[str]:
    yield "# fish completion of signalbox: signalbox completion fish | source"
    yield "complete -c signalbox -f"
    for command in commands:
        summary = _fish_quote(command.summary)
        yield f"complete -c signalbox -n __fish_use_subcommand -a {command.name} -d {summary}"
    for option in common:
        yield f"complete -c signalbox -n __fish_use_subcommand{_fish_option(option)}"
    for command in commands:
        condition = f"complete -c signalbox -n '__fish_seen_subcommand_from {command.name}'"
        if command.words:
            yield f"{condition} -a {_fish_quote(' '.join(command.words))}"
        for option in command.options:
            yield f"{condition}{_fish_option(option)}"


def _fish_option(option: OptionSpec) -> str:
    names = "".join(
        f" -l {name.removeprefix('--')}" if name.startswith("--") else f" -s {name.removeprefix('-')}"
        for name in option.names
    )
    value = (
        f" -x -a {_fish_quote(' '.join(option.choices))}"
        if option.choices
        else (" -r -F" if option.takes_file else " -x" if option.value else "")
    )
    return f"{names}{value} -d {_fish_quote(option.help)}"


def _fish_quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _names(options: Sequence[OptionSpec]) -> list[str]:
    return [name for option in options for name in option.names]
