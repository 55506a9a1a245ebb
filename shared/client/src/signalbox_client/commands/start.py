"""`signalbox start NAME`: reads the input schema from the gateway and offers its fields as flags."""

import argparse
import re
from collections.abc import Mapping, Sequence
from typing import Final

from signalbox_client.commands import watch
from signalbox_client.commands.command_context import CommandContext, CommandParser, read_text
from signalbox_client.commands.files import files_field, upload_fields, upload_files
from signalbox_client.commands.flags import Flag, build_input, flags_of, parse_json, read_schema
from signalbox_client.commands.renderers import print_json
from signalbox_client.models import Pipeline
from signalbox_core.errors import InvalidInput

_USAGE: Final = """\
usage: signalbox start NAME [--FIELD VALUE …] [--input FILE] [--watch] [--run-id ID] [--priority N]
                            [--tag TAG] [--json]

Start a run of a pipeline and print its id. Every field of the pipeline's input is a flag.

`signalbox pipelines` lists the names; `signalbox start NAME --help` lists a pipeline's fields."""
_RESERVED: Final = frozenset(
    {"--priority", "--tag", "--input", "--watch", "--run-id", "--json", "--gateway", "--api-key", "--help"}
)
_START_FLAGS: Final[Mapping[str, str]] = {"run_id": "--run-id", "priority": "--priority"}
_METAVARS: Final[Mapping[str, str]] = {
    "secret": "FILE",
    "upload": "FILE",
    "string": "TEXT",
    "integer": "N",
    "number": "N",
    "boolean": "true|false",
    "array": "A,B,…",
    "json": "JSON",
}


async def start(context: CommandContext, options: argparse.Namespace) -> int:
    if options.name is None or options.name.startswith("-"):
        context.print(_USAGE)
        return 0 if {"-h", "--help", "--file"} & {options.name, *options.rest} else 2
    pipeline = await context.client.pipeline(options.name)
    schema = read_schema(pipeline.input_schema)
    flags = flags_of(schema)
    parser = _parser(pipeline, flags, takes_files=files_field(schema) is not None)
    parsed = await upload_fields(context, flags, parser.parse_args(list(map(normalize, options.rest))))
    files = await upload_files(context, schema, getattr(parsed, "file", None) or ())
    run_input = build_input(flags, read_flags(flags, parsed), {**read_input_file(parsed.input), **files})
    try:
        started = await context.client.start(
            options.name,
            run_input,
            run_id=parsed.run_id,
            priority=parsed.priority,
            tags=parsed.tag,
        )
    except InvalidInput as error:
        raise name_flags(error, flags) from error
    if context.as_json:
        print_json(context.console, started)
    elif not parsed.watch:
        context.print(started.run_id)
    return await watch.watch_runs(context, [started.run_id]) if parsed.watch else 0


def read_flags(flags: Sequence[Flag], parsed: argparse.Namespace) -> Mapping[str, str]:
    """The text of each flag that was given; a secret's is read from its file.

    An upload's is that of `upload_fields`.
    """
    given = {flag: getattr(parsed, f"field_{flag.field}") for flag in flags}
    return {
        flag.field: _read_secret(flag, value) if flag.kind == "secret" else value
        for flag, value in given.items()
        if value is not None
    }


def name_flags(error: InvalidInput, flags: Sequence[Flag]) -> InvalidInput:
    """The gateway's error with flags in the place of JSON paths: `--url` instead of `input.url`."""
    options = {f"input.{flag.field}": option_of(flag) for flag in flags}
    options.update(_START_FLAGS)

    def rename(text: str) -> str:
        pattern = r"\binput\.\w+|^(?:run_id|priority)(?=: |$)"
        return re.sub(pattern, lambda found: options.get(found[0], found[0]), text)

    field = rename(error.field) if error.field else None
    return InvalidInput(rename(error.detail), field=field, code=error.stable_code)


def option_of(flag: Flag) -> str:
    """The flag's name on the command line; a field whose name an option has taken gets `--input-NAME`."""
    return f"--input-{flag.field.replace('_', '-')}" if flag.option in _RESERVED else flag.option


def _parser(pipeline: Pipeline, flags: Sequence[Flag], *, takes_files: bool) -> argparse.ArgumentParser:
    parser = CommandParser(
        prog=f"signalbox start {pipeline.name}",
        description=f"{pipeline.title}. {pipeline.description}",
        epilog="--json, --gateway URL and --api-key KEY work as with every command; see signalbox --help.",
        allow_abbrev=False,
    )
    add_start_options(parser, takes_files=takes_files)
    add_fields(parser, flags)
    return parser


def add_start_options(parser: argparse.ArgumentParser, *, takes_files: bool) -> None:
    """Add the options of `start` that do not depend on the pipeline."""
    parser.add_argument(
        "--input", metavar="FILE", help="a JSON file with the input (-: standard input); flags override it"
    )
    parser.add_argument("--watch", action="store_true", help="watch the run until it ends")
    parser.add_argument(
        "--run-id",
        metavar="ID",
        help="the run id; a repeated start with the same id returns the existing run",
    )
    parser.add_argument("--priority", type=int, metavar="N", help="1 (first) to 5 (last); the default is 3")
    parser.add_argument(
        "--tag",
        action="append",
        default=[],
        metavar="TAG",
        help="a label to search for (signalbox runs tag:TAG); may be repeated",
    )
    if takes_files:
        parser.add_argument(
            "--file",
            nargs="+",
            action="extend",
            metavar="PATH",
            help="files to upload and process; a path may be a pattern: 'inbox/*.pdf'",
        )


def add_fields(parser: argparse.ArgumentParser, flags: Sequence[Flag]) -> None:
    """Add a flag for each field of a pipeline's input."""
    fields = parser.add_argument_group("input fields")
    for flag in flags:
        _add_field(fields, flag)


def _add_field(group: "argparse._ArgumentGroup", flag: Flag) -> None:
    option = option_of(flag)
    if flag.kind == "secret":
        group.add_argument(option.removesuffix("-file"), action=_RefuseSecretArgument, help=argparse.SUPPRESS)
    group.add_argument(
        option,
        dest=f"field_{flag.field}",
        metavar=_METAVARS[flag.kind],
        help=flag.help.replace("%", "%%") + (" (required)" if flag.required else ""),
    )


class _RefuseSecretArgument(argparse.Action):
    """Rejects a secret given as an argument, without repeating it."""

    def __call__(self, *_parsed: object, **_more: object) -> None:
        (option,) = self.option_strings
        raise InvalidInput(
            f"{option}: other users of this machine can read arguments;"
            f" use {option}-file FILE (-: standard input)",
            field=option,
        )


def normalize(word: str) -> str:
    """Accept field names as the API writes them: `--redo_rounds=2` becomes `--redo-rounds=2`."""
    name, equals, value = word.partition("=")
    return name.replace("_", "-") + equals + value if word.startswith("--") else word


def _read_secret(flag: Flag, name: str) -> str:
    """Read a secret from a file (`-`: standard input), without the trailing newline.

    Raises:
        InvalidInput: the file cannot be read.
    """
    text = read_text(name, option=flag.option)
    return text.removesuffix("\n").removesuffix("\r")


def read_input_file(name: str | None) -> Mapping[str, object]:
    """Read the JSON object of `--input`.

    Raises:
        InvalidInput: no such file, not JSON, or not an object.
    """
    if name is None:
        return {}
    text = read_text(name, option="--input")
    try:
        value = parse_json(text)
    except ValueError as error:
        raise InvalidInput(f"--input {name} is not JSON: {error}", field="--input") from None
    if not isinstance(value, dict):
        raise InvalidInput(
            f'--input {name} must contain a JSON object, such as {{"url": "https://…"}}', field="--input"
        )
    return value
