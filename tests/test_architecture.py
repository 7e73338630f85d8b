"""Which room may import which: arrows go down only, theory knows nothing of experiments, and studies load lazily."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import maml_bench

ROOT = Path(maml_bench.__file__).parents[1]

# Rooms of maml_bench, floor by floor; a room imports lower floors and itself.
FLOORS = (
    ("arrays", "digest", "files", "search", "montecarlo", "evidence"),
    ("problems", "effort"),
    ("adaptation", "capabilities"),
    ("hessians",),
    ("meta_gradient", "setting", "auditing"),
    ("exact", "algorithms"),
    ("claims",),
    ("verdict",),
    ("power", "extremal", "measuring", "counterexample"),
    ("calibration",),
    ("study",),
    ("cli",),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
THEORY_NEEDS = {"analytic", "numpy", "scipy", "sympy", "mpmath"}
STANDARD = {
    "collections",
    "dataclasses",
    "fractions",
    "functools",
    "html",
    "importlib",
    "itertools",
    "math",
    "operator",
    "typing",
}


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(path: Path, top_level: bool = False) -> Iterator[str]:
    """Full dotted names that a file imports, inside functions too unless only those at ``top_level`` are wanted."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.relative_to(ROOT)} has a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(name: str) -> str:
    """The room of a full name such as ``maml_bench.claims.claim.Claim``, or of a name the package exports."""
    exported = name.removeprefix("maml_bench.")
    return maml_bench._HOMES.get(exported, name).split(".")[1]


def arrows() -> Iterator[tuple[Path, str, str]]:
    """(file, room it stands in, room it imports) within maml_bench; the package's own front door has no room."""
    for path in files("maml_bench"):
        parts = path.relative_to(ROOT / "maml_bench").with_suffix("").parts
        if parts[0] in ("__init__", "__main__"):
            continue
        for name in imports(path):
            if name.startswith("maml_bench."):
                yield path, parts[0], room(name)


def test_every_file_stands_in_a_known_room():
    assert {home for _, home, _ in arrows()} <= set(FLOOR), "a new room: give it a floor in FLOORS"
    assert {target for *_, target in arrows()} <= set(FLOOR)


def test_arrows_go_down_only():
    upward = [
        f"{path.relative_to(ROOT)} (floor {FLOOR[home] + 1}) imports {target} (floor {FLOOR[target] + 1})"
        for path, home, target in arrows()
        if target != home and FLOOR[target] >= FLOOR[home]
    ]
    assert not upward


def test_theory_imports_nothing_of_ours():
    foreign = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files("analytic")
        for name in imports(path)
        if name.split(".")[0] not in THEORY_NEEDS | STANDARD
    }
    assert not foreign


def test_exact_moments_take_derivatives_and_checked_arguments_from_the_caller():
    for path in files("analytic/moments"):
        defined = {
            node.name for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.FunctionDef)
        }
        assert not defined & {"loss", "grad", "hvp", "hess"}, (
            f"{path.name} writes a loss or a derivative down once more"
        )
        checks = [name for name in imports(path) if name.startswith(("analytic.arguments", "analytic.vocabulary"))]
        assert not checks, f"{path.name} checks arguments that came checked: {checks}"


@pytest.mark.parametrize(
    ("home", "forbidden"),
    [("algorithms", "claims"), ("problems", "verdict"), ("exact", "verdict"), ("claims", "verdict")],
)
def test_who_must_not_know_whom_even_indirectly(home, forbidden):
    direct: dict[str, set[str]] = {}
    for _, start, target in arrows():
        direct.setdefault(start, set()).add(target)
    reached, new = set(), {home}
    while new:
        reached |= new
        new = set().union(*(direct.get(name, set()) for name in new)) - reached
    assert forbidden not in reached


def test_only_the_command_line_loads_studies_and_only_when_asked():
    for path in [*files("analytic"), *files("maml_bench")]:
        lazily = "maml_bench/cli" in path.as_posix()
        named = [name for name in imports(path, top_level=lazily) if name.split(".")[0] == "studies"]
        assert not named, f"{path.relative_to(ROOT)} imports {named[0]}"
        if not lazily:
            text = path.read_text(encoding="utf-8")
            assert 'import_module(f"studies' not in text and 'import_module("studies' not in text


def test_the_command_line_imports_its_rooms_when_a_command_runs():
    light = ("maml_bench.cli.options.", "maml_bench.cli.studies.")
    for name in imports(ROOT / "maml_bench/cli/commands.py", top_level=True):
        assert name.split(".")[0] != "maml_bench" or name.startswith(light), name


def test_frozen_fields_are_set_in_one_place_alone():
    places = [path for package in ("analytic", "maml_bench") for path in files(package)]
    found = [path.relative_to(ROOT).as_posix() for path in places if "object.__setattr__" in path.read_text("utf-8")]
    assert found == ["analytic/arguments.py"], "use analytic.arguments.settle"


SHORT = [(path, 40 if path.parent.name == "gallery" else 100) for path in files("studies")]


@pytest.mark.parametrize(("path", "limit"), SHORT, ids=[path.stem for path, _ in SHORT])
def test_a_study_is_short_and_takes_nothing_from_another(path, limit):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= limit, "move what is not data to maml_bench"
    assert not [name for name in imports(path) if name.split(".")[0] == "studies"]
    assert path.name == "__init__.py" or limit == 40 or path.with_suffix(".md").is_file(), "a study has one template"


@pytest.mark.parametrize("package", ["analytic", "maml_bench"])
def test_every_dataclass_is_frozen(package):
    for path in files(package):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for mark in node.decorator_list if isinstance(node, ast.ClassDef) else ():
                written = ast.unparse(mark)
                assert not written.startswith("dataclass") or "frozen=True" in written, f"{path.name}: {node.name}"
