"""`signalbox start NAME`: the pipeline's fields as flags, read from the gateway."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from signalbox_client import cli_watch
from signalbox_client.cli_files import files_field, send_files
from signalbox_client.flags import Flag, flags_of, input_of, read_schema
from signalbox_client.models import Pipeline
from signalbox_client.screen import print_json
from signalbox_client.session import Session
from signalbox_core.errors import InvalidInput

_USAGE = "signalbox start NAME [--input FILE] [--FIELD VALUE …] [--watch] [--run-id ID] [--json]"


async def start(session: Session, options: argparse.Namespace) -> int:
    if options.name is None or options.name.startswith("-"):
        session.tell(
            f"usage: {_USAGE}\n\nsignalbox start NAME --help lists the fields of a pipeline; signalbox pipelines lists the names."
        )
        return 0 if {"-h", "--help", "--file"} & {options.name, *options.rest} else 2
    pipeline = await session.client.pipeline(options.name)
    schema = read_schema(pipeline.input_schema)
    flags = flags_of(schema)
    asked = _parser(pipeline, flags, takes_files=files_field(schema) is not None).parse_args(
        [_dashed(word) for word in options.rest]
    )
    given = {
        flag.field: value for flag in flags if (value := getattr(asked, f"field_{flag.field}")) is not None
    }
    given.update(
        {
            flag.field: _secret(flag, given[flag.field])
            for flag in flags
            if flag.kind == "secret" and flag.field in given
        }
    )
    sent = await send_files(session, schema, getattr(asked, "file", None) or ())
    entered = input_of(flags, given, {**_file_input(asked.input), **sent})
    started = await session.client.start(options.name, entered, run_id=asked.run_id, priority=asked.priority)
    if session.as_json:
        print_json(session.console, started)
    elif not asked.watch:
        session.tell(started.run_id)
    return await cli_watch.watch_runs(session, [started.run_id]) if asked.watch else 0


def _parser(pipeline: Pipeline, flags: Sequence[Flag], *, takes_files: bool) -> argparse.ArgumentParser:
    parser = _StartParser(
        prog=f"signalbox start {pipeline.name}",
        description=f"{pipeline.title}. {pipeline.description}",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--input", metavar="FILE", help="the input as JSON (- is standard input); flags overrule it"
    )
    parser.add_argument("--watch", action="store_true", help="watch the run until it ends")
    parser.add_argument(
        "--run-id", metavar="ID", help="your own id; starting again with it starts nothing new"
    )
    parser.add_argument("--priority", type=int, metavar="N", help="1 goes first, 3 is usual, 5 goes last")
    if takes_files:
        parser.add_argument(
            "--file",
            nargs="+",
            action="extend",
            metavar="PATH",
            help="files to upload and read; patterns do: 'inbox/*.pdf'",
        )
    taken = {"--priority", "--input", "--watch", "--run-id", "--json", "--gateway", "--api-key", "--help"}
    fields = parser.add_argument_group("fields of the input")
    for flag in flags:
        option = f"--input-{flag.field.replace('_', '-')}" if flag.option in taken else flag.option
        required = " (required)" if flag.required else ""
        if flag.kind == "secret":
            fields.add_argument(option.removesuffix("-file"), action=_InTheOpen, help=argparse.SUPPRESS)
        fields.add_argument(
            option, dest=f"field_{flag.field}", metavar=_metavar(flag), help=_help(flag) + required
        )
    return parser


class _InTheOpen(argparse.Action):
    """A secret as an argument: refused without repeating it."""

    def __call__(self, *_parsed: object, **_more: object) -> None:
        (option,) = self.option_strings
        raise InvalidInput(
            f"{option}: others on this machine can read arguments; use {option}-file FILE (- is standard input)",
            field=option,
        )


class _StartParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InvalidInput(f"{message}; see {self.prog} --help")


def _dashed(word: str) -> str:
    """`--redo_rounds=2` is `--redo-rounds=2`: people write fields as the API does, too."""
    name, equals, value = word.partition("=")
    return name.replace("_", "-") + equals + value if word.startswith("--") else word


def _metavar(flag: Flag) -> str:
    names = {
        "secret": "FILE",
        "string": "TEXT",
        "integer": "N",
        "number": "N",
        "boolean": "true|false",
        "array": "A,B,…",
        "json": "JSON",
    }
    return names[flag.kind]


def _help(flag: Flag) -> str:
    return flag.help.replace("%", "%%")


def _secret(flag: Flag, name: str) -> str:
    """The secret in a file (`-` is standard input), without the line's end.

    Raises:
        InvalidInput: the file cannot be read.
    """
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"{flag.option} {name}: {getattr(error, 'strerror', None) or 'is not text'}", field=flag.option
        ) from None
    return text.removesuffix("\n").removesuffix("\r")


def _file_input(name: str | None) -> Mapping[str, object]:
    """The JSON object in the file.

    Raises:
        InvalidInput: no such file, not JSON, or not an object.
    """
    if name is None:
        return {}
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
        value = json.loads(text)
    except OSError as error:
        raise InvalidInput(f"--input {name}: {error.strerror}", field="--input") from None
    except ValueError as error:
        raise InvalidInput(f"--input {name} is not JSON: {error}", field="--input") from None
    if not isinstance(value, dict):
        raise InvalidInput(
            f'--input {name} must hold a JSON object, for example {{"url": "https://…"}}', field="--input"
        )
    return value
