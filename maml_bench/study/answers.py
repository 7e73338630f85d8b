"""What the findings say about a statement, in one line made of them, and in a row for each form."""

import math
from dataclasses import dataclass, replace

import pandas as pd

from maml_bench.study.findings import EVIDENCE
from maml_bench.study.tables import verdicts
from maml_bench.study.text import number, span

SURE = ("exact", "certified")


@dataclass(frozen=True)
class FormRow:
    """One form of a statement: how its checks ended, and how loose it was; nan where nothing was measured.

    ``tightest`` and ``loosest`` are the keys of the rows in question.
    """

    form: str
    checks: int
    held: int
    violated: int
    open: int
    refused: int
    least: float
    most: float
    tightest: str = ""
    loosest: str = ""


def form_rows(table: pd.DataFrame, forms: tuple[str, ...], sense: str = "<=") -> list[FormRow]:
    """A row for each form, first those of the theory, ``forms``, in their order.

    These alone are said to be loose: by bound over measured value, where the bound is a lower one by its inverse. A
    form that only a claim has is an equality, and its bound a tolerance.
    """
    found = {str(form): chosen for form, chosen in verdicts(table).groupby("form", sort=False)}
    rows = []
    for form in [*(form for form in forms if form in found), *(form for form in found if form not in forms)]:
        chosen = found[form]
        outcome = chosen["outcome"].value_counts()
        refused, held, violated = (int(outcome.get(x, 0)) for x in ("not applicable", "holds", "violated"))
        checks = len(chosen) - refused
        row = FormRow(form, checks, held, violated, checks - held - violated, refused, math.nan, math.nan)
        ratio = chosen.set_index("key")["ratio"][(chosen["ratio"] > 0).to_numpy() & (chosen["bound"] > 0).to_numpy()]
        if len(ratio) and form in forms:
            loose = ratio if sense == ">=" else 1 / ratio
            row = replace(row, least=float(loose.min()), most=float(loose.max()))
            row = replace(row, tightest=str(loose.idxmin()), loosest=str(loose.idxmax()))
        rows.append(row)
    return rows


def sharper(rows: list[FormRow]) -> FormRow | None:
    """The form proved here that comes nearest to what was measured."""
    others = (row for row in rows if row.form != "paper" and not math.isnan(row.least))
    return min(others, key=lambda row: row.least, default=None)


def counts(table: pd.DataFrame) -> dict[str, int]:
    """Checks by evidence, with those ``violated`` and ``open``: neither, and no search that found nothing above."""
    found = verdicts(table)
    found = found[found["outcome"] != "not applicable"]
    kinds = {kind: int((found["evidence"] == kind).sum()) for kind in EVIDENCE}
    ends = {"violated": int((found["outcome"] == "violated").sum())}
    return kinds | ends | {"open": int((found["outcome"] == "inconclusive").sum())}


def answer(table: pd.DataFrame, forms: tuple[str, ...], sense: str = "<=") -> str:
    """One line, in Markdown, about all checks of a statement; ``forms`` are those that the theory has."""
    found = verdicts(table)
    found = found[found["outcome"] != "not applicable"]
    if not len(found):
        return "Nothing was measured in this run." if not len(table) else "No check applies in this run."
    bad = found[found["outcome"] == "violated"]
    if len(bad):
        names = ", ".join(f"`{form}`" for form in dict.fromkeys(bad["form"]))
        return f"**Violated in {len(bad)} of {len(found)} checks**, in the forms {names}."
    held, searched = int((found["outcome"] == "holds").sum()), int((found["outcome"] == "not refuted").sum())
    sure = int((found["evidence"].isin(SURE) & (found["outcome"] == "holds")).sum())
    words = []
    if held:
        words.append(f"**Holds in {held} of {len(found)} checks**, {sure} of them exact or certified")
    if searched:
        count = f"{searched} search{'es' if searched > 1 else ''}"
        words.append(f"not refuted by {count}" if held else f"**Not refuted by {count}**")
    left = len(found) - held - searched
    if left:
        words.append(f"{left} left open by budget or rounding")
    return "; ".join(words) + "." + _looseness(form_rows(found, forms, sense), sense)


def _looseness(rows: list[FormRow], sense: str) -> str:
    text = ""
    for row in rows:
        if row.form == "paper" and not math.isnan(row.least):
            loose = span(row.least, row.most)
            paper, measured = "paper's constant, as reconstructed,", "measured value here"
            larger, smaller = (measured, paper.rstrip(",")) if sense == ">=" else (paper, measured)
            text += f" The {larger} is {loose} times the {smaller}."
    best = sharper(rows)
    if best:
        factor = number(best.least)
        near = "is attained, to the digits shown," if factor == "1" else f"is within a factor of {factor}"
        near = "is attained" if best.least < 1 + 1e-6 else near
        text += f" The form `{best.form}` {near} on the worst problem found."
    return text
