"""Numbers and tables as text."""

import math
from collections.abc import Iterable, Sequence


def number(x: float | None, digits: int = 3) -> str:
    """A number in few characters; a dash where there is none."""
    if x is None or math.isnan(x):
        return "–"
    return f"{x:.{digits}g}"


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; numbers are shortened, and columns of numbers right-aligned."""
    rows = [list(row) for row in rows]
    numeric = [all(isinstance(x, int | float) for x in column) for column in zip(*rows, strict=True)]
    lines = [header, ["---:" if right else "---" for right in numeric]]
    lines += [[number(x) if isinstance(x, float) else str(x).replace("|", "\\|") for x in row] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
