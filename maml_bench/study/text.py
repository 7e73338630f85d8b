"""Numbers and tables as text, and files of text."""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PLAIN = 100_000
"""Numbers below are written without an exponent."""


def number(x: float | None, digits: int = 3) -> str:
    """A number in few characters: whole ones exactly, 1000 rather than 1e+03; a dash where there is none."""
    if x is None or math.isnan(x):
        return "–"
    if abs(x) < PLAIN and float(x).is_integer():
        return str(int(x))
    mantissa, _, exponent = f"{x:.{digits}g}".partition("e")
    if not exponent:
        return mantissa
    return f"{float(mantissa) * 10 ** int(exponent):.0f}" if 1 <= abs(x) < PLAIN else f"{mantissa}e{int(exponent)}"


def fixed(x: float) -> str:
    """A number to a thousandth; what rounds to zero has no sign."""
    return f"{x:z.3f}"


def span(low: float, high: float, digits: int = 3, between: str = " to ") -> str:
    """Two numbers, or one where they read the same."""
    ends = number(low, digits), number(high, digits)
    return ends[0] if ends[0] == ends[1] else between.join(ends)


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; numbers are shortened, and columns of numbers right-aligned."""
    rows = [list(row) for row in rows]
    numeric = [all(isinstance(x, int | float) for x in column) for column in zip(*rows, strict=True)]
    lines = [header, ["---:" if right else "---" for right in numeric]]
    lines += [[number(x) if isinstance(x, float) else str(x).replace("|", "\\|") for x in row] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """An error of the disk, such as that it is full, names the file."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def save(path: Path, text: str) -> None:
    """Write a file anew, in one step: it holds the old text or the new one, never a part."""
    fresh = path.with_name(f"{path.name}.tmp")
    with naming(path):
        try:
            fresh.write_text(text)
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)
