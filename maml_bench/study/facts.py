"""Facts: what the numbers of a study are expected to say, what they say, and whether the two agree.

Prose never depends on a number; a fact does. The report prints facts as a table, and a test asserts them of the
committed findings.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from maml_bench.study.text import fixed, span

NEAR = 0.1
"""A fitted exponent within this of the expected one agrees with it:
over a finite range a sum of powers has no exact exponent.
"""


@dataclass(frozen=True)
class Fact:
    """One fact; ``agrees`` is None where limits are too wide to tell.

    Examples
    --------
    >>> from maml_bench.study import equal
    >>> equal("a half", found=0.5, expected=0.5)
    Fact(words='a half', expected='0.5', found='0.5', agrees=True)
    """

    words: str
    expected: str
    found: str
    agrees: bool | None

    @property
    def answer(self) -> str:
        return {True: "yes", False: "no", None: "undecided"}[self.agrees]


@dataclass(frozen=True)
class Slope:
    """A fitted exponent with its two-sided limits."""

    value: float
    lower: float
    upper: float

    def __str__(self):
        value, lower, upper = map(fixed, (self.value, self.lower, self.upper))
        return value if self.upper - self.lower < 5e-4 else f"{value} [{lower}, {upper}]"


def pick(table: pd.DataFrame, **wanted) -> pd.DataFrame:
    """Rows with the given values, in their order; of a tuple, any of its values; of a function, where it is true.

    Raises
    ------
    ValueError
        If there is no such row, or no such column: a fact or a figure must not speak of nothing.

    Examples
    --------
    >>> import pandas as pd
    >>> from maml_bench.study import pick
    >>> pick(pd.DataFrame({"N": [1, 2, 4], "ratio": [0.5, 0.6, 0.7]}), N=(1, 4))["ratio"].tolist()
    [0.5, 0.7]
    """
    chosen = table
    for name, value in wanted.items():
        if name not in table.columns:
            raise ValueError(f"findings have no column {name!r}")
        if callable(value):
            chosen = chosen[chosen[name].map(value).astype(bool)]
        else:
            chosen = chosen[chosen[name].isin(value if isinstance(value, tuple) else (value,))]
        if chosen.empty:
            known = ", ".join(map(str, pd.unique(table[name].dropna())[:20]))
            raise ValueError(f"no finding has {name} = {value!r} beside {wanted}; values there are: {known}")
    return chosen


def applicable(table: pd.DataFrame) -> pd.DataFrame:
    """Rows whose claim applies."""
    return table[table["outcome"] != "not applicable"]


def loglog_slope(x: Sequence[float], value: Sequence[float], lower: Sequence[float], upper: Sequence[float]) -> Slope:
    """Least-squares slope of log(value) against log(x).

    Parameters
    ----------
    x, value : sequences of float > 0, of one length >= 2
    lower, upper : sequences of float
        Limits of each value; equal to ``value`` where it is exact.

    Returns
    -------
    Slope
        With limits that hold whenever all the values' limits do: the extreme slopes over the box of the limits.
        They speak of the fit to the true values, not of an asymptotic exponent.

    Raises
    ------
    ValueError
        If there are fewer than two distinct x, or a number is not positive.
    """
    numbers: list[Any] = [np.asarray(a, dtype=float) for a in (x, value, lower, upper)]
    x, value, lower, upper = numbers
    if len(np.unique(x)) < 2:
        raise ValueError(f"x = {x}: a slope needs two distinct points")
    if not all(np.all(number > 0) for number in numbers):
        raise ValueError("x, value, lower and upper must be > 0 for a slope in log-log coordinates")
    centered = np.log(x) - np.log(x).mean()
    weight = centered / np.vdot(centered, centered)
    return Slope(
        float(weight @ np.log(value)),
        float(weight @ np.log(np.where(weight > 0, lower, upper))),
        float(weight @ np.log(np.where(weight > 0, upper, lower))),
    )


def slope(table: pd.DataFrame, x: str | Callable, side: str = "value", scale: Callable | None = None) -> Slope:
    """Exponent of a column in a parameter; see `loglog_slope`.

    ``x`` is a column or a function of the table, such as ``lambda t: (1 + t["alphaL"]) ** t["N"]``; ``scale``, another,
    divides the column. ``side`` is ``value``, with its limits, or ``bound``.
    """
    along: Any = x(table) if callable(x) else table[x]
    units = scale(table) if scale else 1.0
    names = ("value", "lower", "upper") if side == "value" else (side,) * 3
    columns: list[Any] = [table[name] / units for name in names]
    return loglog_slope(along, *columns)


def exponent(
    words: str, table: pd.DataFrame, x: str | Callable, expected: float, *, side="value", scale=None, within=NEAR
) -> Fact:
    """The fitted exponent lies, with its limits, within ``within`` of the expected one.

    Examples
    --------
    >>> import pandas as pd
    >>> from maml_bench.study import exponent
    >>> table = pd.DataFrame({"N": [1, 2, 4, 8], "value": [1.0, 4.0, 16.0, 64.0], "evidence": "exact"})
    >>> table["lower"] = table["upper"] = table["value"]
    >>> exponent("growth", table, "N", expected=2.0).agrees
    True
    """
    wanted = f"{expected:.4g} ± {within:g}"
    try:
        found = slope(table, x, side, scale)
    except ValueError:
        return Fact(words, wanted, "limits reach 0", None)
    if expected - within <= found.lower <= found.upper <= expected + within:
        return Fact(words, wanted, str(found), True)
    apart = found.lower > expected + within or found.upper < expected - within
    return Fact(words, wanted, str(found), False if apart else None)


def attained(words: str, table: pd.DataFrame, within: float = 1e-9) -> Fact:
    """Measured value and bound agree in every row.

    Examples
    --------
    >>> import pandas as pd
    >>> from maml_bench.study import attained
    >>> attained("met", pd.DataFrame({"ratio": [1.0, 1.0 - 1e-12]})).agrees
    True
    """
    gap = float(np.abs(1 - table["ratio"]).max())
    return Fact(words, f"ratio 1 ± {within:g}", f"{len(table)} rows, at most {gap:.1e} away", gap <= within)


def confirmed(words: str, table: pd.DataFrame) -> Fact:
    """Every claim that applies is found to hold; undecided where a budget ended first, or a search cannot confirm.

    Examples
    --------
    >>> import pandas as pd
    >>> from maml_bench.study import confirmed
    >>> confirmed("holds", pd.DataFrame({"outcome": ["holds", "not applicable"]})).agrees
    True
    """
    outcomes = applicable(table)["outcome"]
    held, violated = int((outcomes == "holds").sum()), bool((outcomes == "violated").any())
    agrees = False if violated else True if held == len(outcomes) else None
    return Fact(words, "all hold", f"{held} of {len(outcomes)}", agrees)


def between(words: str, values: Iterable[float], low: float = -math.inf, high: float = math.inf, expected="") -> Fact:
    """All values lie in [low, high].

    Examples
    --------
    >>> from maml_bench.study import between
    >>> between("ratios", [0.2, 0.9], high=1.0).agrees
    True
    """
    values = [float(x) for x in values]
    ends = (min(values), max(values))
    if not expected:
        expected = f"≤ {high:.4g}" if low == -math.inf else f"≥ {low:.4g}" if high == math.inf else span(low, high, 4)
    return Fact(words, expected, span(*ends, 4), low <= ends[0] and ends[1] <= high)


def bracketed(words: str, table: pd.DataFrame) -> Fact:
    """The bound lies between the limits (to rounding) in every row; what is found is the share of rows.

    Examples
    --------
    >>> import pandas as pd
    >>> from maml_bench.study import bracketed
    >>> bracketed("meets its bound", pd.DataFrame({"lower": [0.9], "upper": [1.1], "bound": [1.0]})).agrees
    True
    """
    low, high = table["lower"] * (1 - 1e-9), table["upper"] * (1 + 1e-9)
    return between(words, [table["bound"].between(low, high).mean()], 1, 1)


def equal(words: str, found: float, expected: float, within: float = 1e-9) -> Fact:
    """A number is the expected one, relatively.

    Examples
    --------
    >>> from maml_bench.study import equal
    >>> equal("a third", found=0.333, expected=1 / 3).agrees
    False
    """
    return Fact(words, f"{expected:.6g}", f"{found:.6g}", bool(abs(found - expected) <= within * abs(expected)))


def near(words: str, found: float, expected: float, within: float = NEAR) -> Fact:
    """A number is the expected one, absolutely.

    Examples
    --------
    >>> from maml_bench.study import near
    >>> near("a slope", found=0.52, expected=0.5).agrees
    True
    """
    return Fact(words, f"{expected:g} ± {within:g}", fixed(found), bool(abs(found - expected) < within))


def answered(words: str, answer: str | None, expected: str, found: str = "") -> Fact:
    """An answer in a word is the expected one; None is undecided. ``found`` says more than the answer.

    Examples
    --------
    >>> from maml_bench.study import answered
    >>> answered("which is larger", "sharp", expected="paper").agrees
    False
    """
    return Fact(words, expected, found or str(answer), None if answer is None else answer == expected)


def minimum(table: pd.DataFrame, x: str, by: str) -> pd.DataFrame:
    """Where the value is least along x, a row for each value of ``by``: that x, with its neighbours as limits.

    A function with one minimum has it between them.

    Examples
    --------
    >>> import pandas as pd
    >>> from maml_bench.study import minimum
    >>> table = pd.DataFrame({"nu": [0.1, 1.0, 10.0], "value": [3.0, 1.0, 2.0], "d": 4})
    >>> minimum(table, "nu", by="d")
       d  value  lower  upper
    0  4    1.0    0.1   10.0
    """
    rows = []
    for key, chosen in table.groupby(by):
        ordered = chosen.sort_values(x)
        at, last = int(ordered["value"].argmin()), len(ordered) - 1
        below, best, above = (float(ordered[x].iloc[i]) for i in (max(at - 1, 0), at, min(at + 1, last)))
        rows.append({by: key, "value": best, "lower": below, "upper": above})
    return pd.DataFrame(rows)


def crossing(table: pd.DataFrame, x: str, limit: float) -> tuple[float, float]:
    """The last x up to which the upper limit stays at most ``limit`` (to rounding), and the next one.

    Raises
    ------
    ValueError
        If it is past the limit at the first x, or nowhere.

    Examples
    --------
    >>> import pandas as pd
    >>> from maml_bench.study import crossing
    >>> crossing(pd.DataFrame({"S": [1.0, 4.0, 16.0], "upper": [0.5, 0.9, 1.4]}), "S", limit=1.0)
    (4.0, 16.0)
    """
    ordered = table.sort_values(x)
    along = ordered[x].to_numpy(dtype=float)
    beyond = ordered["upper"].to_numpy() > limit * (1 + 1e-9)
    if beyond[0] or not beyond.any():
        raise ValueError(f"the grid from {along[0]:g} to {along[-1]:g} does not reach across the limit {limit:g}")
    first = int(beyond.argmax())
    return float(along[first - 1]), float(along[first])


def crossings(table: pd.DataFrame, x: str, limit: float, by: list[str]) -> pd.DataFrame:
    """Where the upper limit crosses ``limit`` along x, a row for each value of ``by``.

    The two x that `crossing` gives are the limits, their geometric mean the value.

    Examples
    --------
    >>> import pandas as pd
    >>> from maml_bench.study import crossings
    >>> table = pd.DataFrame({"S": [1.0, 4.0, 16.0], "upper": [0.5, 0.9, 1.4], "problem": "waves"})
    >>> crossings(table, "S", limit=1.0, by=["problem"])
      problem  value  lower  upper
    0   waves    8.0    4.0   16.0
    """
    rows = []
    for key, chosen in table.groupby(by, sort=False):
        low, high = crossing(chosen, x, limit)
        rows.append(dict(zip(by, key, strict=True)) | {"value": (low * high) ** 0.5, "lower": low, "upper": high})
    return pd.DataFrame(rows)
