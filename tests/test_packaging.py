"""What installing puts where, and the lowest versions that are promised."""

import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
from lowest import pins

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETUPTOOLS = PYPROJECT["tool"]["setuptools"]


def home(package: str) -> Path:
    """The folder of an installed package in the repository."""
    for name, folder in SETUPTOOLS["package-dir"].items():
        if package == name or package.startswith(f"{name}."):
            return ROOT / folder / package.removeprefix(name).lstrip(".").replace(".", "/")
    return ROOT / package.replace(".", "/")


def test_every_package_is_installed():
    folders = {
        file.parent for top in ("analytic", "maml_bench", "studies") for file in (ROOT / top).rglob("__init__.py")
    }
    assert {home(package) for package in SETUPTOOLS["packages"]} == folders


def test_installing_adds_two_packages_at_the_top_level():
    assert {package.split(".")[0] for package in SETUPTOOLS["packages"]} == {"analytic", "maml_bench"}


def test_everything_beside_the_code_is_installed():
    for package in SETUPTOOLS["packages"]:
        for file in home(package).iterdir():
            if file.is_file() and file.suffix not in (".py", ".pyc"):
                patterns = SETUPTOOLS["package-data"].get(package, [])
                assert any(fnmatch(file.name, pattern) for pattern in patterns), file
    assert (ROOT / "analytic/py.typed").is_file()
    assert (ROOT / "maml_bench/py.typed").is_file()


def test_every_dependency_has_a_lower_bound():
    found = pins(PYPROJECT)
    assert "numpy==2.2" in found
    assert len(found) == len(set(found))
    lacking = {"project": {"dependencies": ["numpy"], "optional-dependencies": {"data": [], "cluster": [], "test": []}}}
    with pytest.raises(ValueError, match="'numpy': must be NAME>=VERSION"):
        pins(lacking)
