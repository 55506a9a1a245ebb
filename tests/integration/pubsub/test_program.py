"""The command line of the server: output, error messages and exit codes."""

import socket
from pathlib import Path

import pytest

from support.servers.pubsub import Program, run_program


async def test_a_port_in_use_is_reported_in_one_line_with_exit_code_2(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        status, errors = await run_program("--port", str(port), "--data", str(tmp_path / "d"))

    assert status == 2
    assert errors.count("\n") == 1
    assert f"cannot listen on 127.0.0.1:{port}" in errors


async def test_a_missing_port_option_exits_with_code_2(tmp_path: Path) -> None:
    status, errors = await run_program("--data", str(tmp_path / "d"))

    assert status == 2
    assert "--port" in errors


@pytest.mark.parametrize("port", ["70000", "http", "-1"])
async def test_an_invalid_port_is_rejected(tmp_path: Path, port: str) -> None:
    status, errors = await run_program(f"--port={port}", "--data", str(tmp_path / "d"))

    assert status == 2
    assert "is not a port" in errors


async def test_a_data_file_that_is_not_a_database_is_reported_in_one_line(tmp_path: Path) -> None:
    data = tmp_path / "notes.txt"
    data.write_text("these are notes, not a database\n" * 100)

    status, errors = await run_program("--port", "0", "--data", str(data))

    assert (status, errors.count("\n")) == (2, 1)
    assert str(data) in errors


async def test_a_folder_as_data_file_is_reported_in_one_line(tmp_path: Path) -> None:
    status, errors = await run_program("--port", "0", "--data", str(tmp_path))

    assert (status, errors.count("\n")) == (2, 1)
    assert str(tmp_path) in errors


async def test_a_data_file_in_use_is_reported_in_one_line(tmp_path: Path) -> None:
    first = await Program(tmp_path / "d").start()

    status, errors = await run_program("--port", "0", "--data", str(tmp_path / "d"))

    assert (status, errors.count("\n")) == (2, 1)
    assert "in use by another server" in errors
    assert await first.stop() == 0
