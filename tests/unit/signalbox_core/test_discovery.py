"""What an entry point may name, and what is skipped and reported instead of stopping a process."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from signalbox_core.pipeline.contract.discovery import find_installed

CONTRACT = """
from typing import Annotated
from msgspec import Meta, Struct
from signalbox_core.pipeline import PipelineSpec, Step

class {kind}(Struct, frozen=True, kw_only=True):
    note: {annotation} = None

SPEC = PipelineSpec(
    name="{name}", title="T", input={kind}, result={kind}, steps=(Step("go", "Go"),),
    workflow="{name}.workflow:W",
)
BOTH = (SPEC,)
"""

Install = Callable[[str, str], None]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def install(folder: Path) -> Install:
    """Install an entry point in a distribution of its own."""

    def write(distribution: str, value: str) -> None:
        info = folder / f"{distribution.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[signalbox.pipelines]\n{distribution} = {value}\n")

    return write


def contract(folder: Path, package: str, name: str, annotation: str = "str | None") -> None:
    path = folder.joinpath(*package.split("."))
    path.mkdir(parents=True, exist_ok=True)
    for parent in (path, *path.parents):
        if parent == folder:
            break
        (parent / "__init__.py").touch()
    text = CONTRACT.format(kind=name.title().replace("_", ""), name=name, annotation=annotation)
    (path / "contract.py").write_text(text)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("acme_a.invoices", id="a pipeline package"),
        pytest.param("acme_a", id="a package of pipeline packages"),
        pytest.param("acme_a.invoices.contract:SPEC", id="a contract"),
        pytest.param("acme_a.invoices.contract:BOTH", id="several contracts"),
        pytest.param("acme_a.invoices.contract", id="a module with SPEC"),
    ],
)
def test_an_entry_point_names_a_pipeline_in_any_of_these_forms(
    folder: Path, install: Install, value: str
) -> None:
    contract(folder, "acme_a.invoices", "acme_invoices")
    install("acme-a", value)

    found = find_installed()

    assert "acme_invoices" in found.pipelines
    assert found.problems == ()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param("acme_none", "No module named 'acme_none'", id="no module"),
        pytest.param("acme_b.contract:OTHER", "has no attribute 'OTHER'", id="no attribute"),
        pytest.param("acme_b.contract:Struct", "is not a PipelineSpec; an entry point names", id="no spec"),
        pytest.param("acme-b.contract:SPEC", "it names no pipeline; an entry point names", id="malformed"),
        pytest.param("email", "it names no pipeline; an entry point names", id="no pipeline"),
    ],
)
def test_a_wrong_entry_point_is_named_and_skipped(
    folder: Path, install: Install, value: str, reason: str
) -> None:
    contract(folder, "acme_b", "acme_b")
    install("acme-wrong", value)

    found = find_installed()

    assert "ad_creative" in found.pipelines
    (problem,) = found.problems
    assert f"entry point acme-wrong = {value} of acme-wrong" in problem
    assert reason in problem


def test_a_bad_contract_is_skipped_with_pipeline_field_and_remedy(folder: Path, install: Install) -> None:
    contract(folder, "acme_c.good", "acme_good")
    contract(folder, "acme_c.bad", "acme_bad", "Annotated[str | None, Meta(max_length=9)]")
    install("acme-c", "acme_c")

    found = find_installed()

    assert "acme_good" in found.pipelines
    assert "acme_bad" not in found.pipelines
    (problem,) = found.problems
    assert problem.startswith("acme_c.bad (entry point acme-c = acme_c of acme-c): ")
    assert "pipeline acme_bad: the input has no JSON Schema: field AcmeBad.note: " in problem
    assert "put the limit on the type that it limits: `Annotated[str, Meta(max_length=9)] | None`" in problem


def test_a_contract_that_cannot_be_imported_does_not_hide_its_neighbours(
    folder: Path, install: Install
) -> None:
    contract(folder, "acme_d.good", "acme_other")
    contract(folder, "acme_d.bad", "acme_bad")
    (folder / "acme_d/bad/contract.py").write_text("import no_such_library\n")
    install("acme-d", "acme_d")

    found = find_installed()

    assert "acme_other" in found.pipelines
    (problem,) = found.problems
    assert "acme_d.bad" in problem
    assert "No module named 'no_such_library'" in problem


def test_the_children_of_children_are_found(folder: Path, install: Install) -> None:
    contract(folder, "acme_g", "acme_parent")
    path = folder / "acme_g/contract.py"
    path.write_text(
        path.read_text()
        + "from msgspec.structs import replace\n"
        + "LEAF = replace(SPEC, name='acme_leaf')\n"
        + "CHILD = replace(SPEC, name='acme_child', children=(LEAF,))\n"
        + "SPEC = replace(SPEC, children=(CHILD, LEAF))\n"
    )
    install("acme-g", "acme_g")

    found = find_installed()

    assert {"acme_parent", "acme_child", "acme_leaf"} <= set(found.pipelines)
    assert found.problems == ()


def test_of_two_pipelines_of_one_name_the_first_is_used(folder: Path, install: Install) -> None:
    contract(folder, "acme_e", "acme_twice")
    contract(folder, "acme_f", "acme_twice")
    install("acme-e", "acme_e")
    install("acme-f", "acme_f")

    found = find_installed()

    assert found.pipelines["acme_twice"].input.__module__ == "acme_e.contract"
    (problem,) = found.problems
    assert "pipeline acme_twice is installed twice; the first is used" in problem
    assert "acme-f" in problem
