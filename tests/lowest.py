"""The lowest versions that pyproject.toml allows, as pinned requirements: ``python tests/lowest.py > lowest.txt``."""

import re
import tomllib
from pathlib import Path

EXTRAS = ("data", "cluster", "test")
LOWER = re.compile(r"(?P<name>[\w.-]+(\[\w+\])?)>=(?P<version>[\d.]+)")


def pins(pyproject: dict) -> list[str]:
    """Each requirement, of the package and of the extras that tests need, with ``==`` its lower bound.

    Raises
    ------
    ValueError
        For a requirement without a lower bound.
    """
    project = pyproject["project"]
    wanted = [*project["dependencies"], *(each for extra in EXTRAS for each in project["optional-dependencies"][extra])]
    found = []
    for requirement in wanted:
        match = LOWER.fullmatch(requirement)
        if not match:
            raise ValueError(f"{requirement!r}: must be NAME>=VERSION")
        found.append(f"{match['name']}=={match['version']}")
    return found


if __name__ == "__main__":
    root = Path(__file__).parents[1]
    print("\n".join(pins(tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8")))))
