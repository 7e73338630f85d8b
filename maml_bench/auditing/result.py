"""What an audit found."""

import math
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from itertools import groupby

from analytic.applicability import Applicability, applicable

HOLDS, VIOLATED, NOT_CHECKED = "holds", "violated", "not checked"


@dataclass(frozen=True)
class Row:
    """One check.

    Parameters
    ----------
    name : str
        The constant or the property, such as ``"L"`` or ``"gradient"``.
    checked : str
        What was compared with what.
    claimed, found : float
        The limit, and the worst value found. For noise ``found`` is an estimate; else it is exact up to rounding.
    lower : float
        What is certain of ``found``: a lower confidence limit for noise. The claim is violated if this exceeds it.
    outcome : str
        ``"holds"`` (against this attack), ``"violated"`` or ``"not checked"``.
    witness : dict
        Where the worst value was found.
    """

    name: str
    checked: str
    claimed: float
    found: float
    lower: float
    outcome: str
    witness: dict = field(default_factory=dict, repr=False)

    @property
    def ratio(self) -> float:
        """``found / claimed``; 0 where nothing was found against a claim of 0."""
        if self.found == 0:
            return 0.0
        return self.found / self.claimed if self.claimed != 0 else float("inf")

    def named(self, name: str) -> "Row":
        return replace(self, name=name)


def judged(name, checked, claimed, found, lower=None, allowance=0.0, witness=None) -> Row:
    """A row whose outcome follows from its numbers. What is within ``allowance`` of zero counts as zero."""
    lower = found if lower is None else lower
    if claimed == 0 and found <= allowance:
        found = lower = 0.0
    holds = lower <= claimed * (1 + 1e-7) + allowance
    return Row(name, checked, float(claimed), float(found), float(lower), HOLDS if holds else VIOLATED, witness or {})


def skipped(name, reason, claimed=float("nan")) -> Row:
    return Row(name, reason, claimed, float("nan"), float("nan"), NOT_CHECKED)


@dataclass(frozen=True)
class Audit:
    """The rows of an audit, and which statements may be applied to the problem.

    ``str(audit)`` is a table; ``as_dict()`` is made of what JSON knows. ``constants`` are those of the certificate.
    """

    problem: str
    rows: tuple[Row, ...]
    constants: dict[str, float]
    seed: int
    error: float
    seconds: float

    @property
    def passed(self) -> bool:
        return not self.violations

    @property
    def violations(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.outcome == VIOLATED)

    @cached_property
    def statements(self) -> tuple[Applicability, ...]:
        """Every form of every statement of the theory: does it apply, and if not, why."""
        refuted = {row.name.rsplit(" ", 1)[-1] for row in self.violations if row.name != "support sigma"}
        if "b_i" in refuted:
            refuted = refuted - {"b_i"} | {"b", "b_tilde"}
        return applicable(self.constants, refuted)

    @property
    def applicable(self) -> tuple[Applicability, ...]:
        return tuple(entry for entry in self.statements if entry.applies)

    @property
    def reach(self) -> list[str]:
        """What applies, and for each reason what does not, a line each; a statement's forms where not all are alike."""
        known, lines = Counter(entry.statement for entry in self.statements), []
        for reason, entries in groupby(sorted(self.statements, key=lambda e: e.reason), key=lambda e: e.reason):
            forms: dict[str, list[str]] = {}
            for entry in entries:
                forms.setdefault(entry.statement, []).append(entry.form)
            alike = (name if len(of) == known[name] else f"{name} ({', '.join(of)})" for name, of in forms.items())
            lines.append(f"{f'does not apply, {reason}' if reason else 'applies'}: {', '.join(alike)}")
        return lines

    def __getitem__(self, name: str) -> Row:
        """The row called ``name``."""
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(f"no row {name!r}; rows: {', '.join(row.name for row in self.rows)}")

    def as_dict(self) -> dict:
        rows = [asdict(row) | {"ratio": row.ratio} for row in self.rows]
        statements = [asdict(entry) for entry in self.statements]
        return asdict(self) | {"passed": self.passed, "rows": rows, "statements": statements}

    def __repr__(self) -> str:
        found = ", ".join(row.name for row in self.violations) or "no violation"
        return f"Audit({self.problem}: {len(self.rows)} checks, {found})"

    def __str__(self) -> str:
        lines = [f"{self.problem}: {'no violation found' if self.passed else 'VIOLATED'} (seed {self.seed})"]
        if math.isfinite(self.constants["radius"]):
            lines.append(f"constants are claimed, and were attacked, for ||w|| <= {self.constants['radius']:g}")
        lines.append(f"{'name':<18} {'claimed':>12} {'found':>12} {'ratio':>8}  outcome      checked")
        for row in self.rows:
            numbers = f"{row.claimed:>12.5g} {row.found:>12.5g} {row.ratio:>8.4f}"
            lines.append(f"{row.name:<18} {numbers}  {row.outcome:<11}  {row.checked}")
        return "\n".join([*lines, *self.reach])
