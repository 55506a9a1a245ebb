"""`signalbox-dev up --endpoints FILE` writes and removes no file that holds something else."""

from pathlib import Path

import pytest

from signalbox_core.errors import Conflict, InvalidInput
from signalbox_devstack.stack.cli import main
from signalbox_devstack.stack.endpoints import Endpoints, check_endpoints_file, write_endpoints


def test_a_new_file_an_empty_one_and_one_of_an_earlier_stack_are_accepted(tmp_path: Path) -> None:
    new, empty, earlier = (tmp_path / name for name in ("new/endpoints.json", "empty", "earlier"))
    empty.touch()
    write_endpoints(earlier, Endpoints())
    for path in (new, empty, earlier):
        check_endpoints_file(path)


@pytest.mark.parametrize("content", ['{"name": "site"}', "not JSON", "[]"])
def test_a_file_with_other_content_is_kept(tmp_path: Path, content: str) -> None:
    path = tmp_path / "package.json"
    path.write_text(content)
    with pytest.raises(Conflict, match="is not an endpoints file"):
        check_endpoints_file(path)
    assert path.read_text() == content


def test_a_folder_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = str(tmp_path / "state")
    assert main(["up", "--state-dir", state, "--endpoints", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error == f"signalbox-dev: --endpoints {tmp_path} is a folder; name a file\n"
    assert not Path(state).exists()


def test_a_file_below_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput, match="--endpoints"):
        check_endpoints_file(tmp_path / "file/endpoints.json")
