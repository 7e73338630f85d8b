"""What prints in a line, and what a notebook shows: against fixtures written by hand."""

import numpy as np
import pytest

from analytic import bound, statement
from maml_bench import InnerLoop, OuterLoop, Setting, audit, check, claims, measure, train
from maml_bench.exact import path_moments
from maml_bench.hessians import GaussianSmoothing
from maml_bench.power import power
from maml_bench.problems import FAMILIES, AdditiveGaussian, Quadratic, RandomPhase, Trigonometric

SETTING = Setting(Quadratic.concave(2).with_noise(AdditiveGaussian(1.0)), np.ones(2), InnerLoop(0.1, 3))
S_J = r"s_{j} = \frac{\alpha \sigma_{g} \sqrt{\frac{q^{2 j} - 1}{q^{2} - 1}}}{\sqrt{S}}"
S_N = rf"s_{{N}}^{{2}},\quad q = L \alpha + 1,\quad {S_J}"
HALF = claims.get("prop2-second").scaled(0.5)


def row(name, value):
    return f"<tr><th>{name}</th><td>{value}</td></tr>"


def test_a_bound():
    assert repr(bound("prop2-second")) == "Bound('prop2-second', 'sharp': s(N)**2)"
    assert bound("prop2-second")._repr_latex_() == f"${S_N}$"
    assert bound("prop2-second")._repr_html_() == (
        "<table><caption>prop2-second (sharp)</caption>"
        f"{row('bound', f'${S_N}$')}{row('proof', 'docstring of analytic.inner_path')}</table>"
    )
    assert row("needs", "q^(2N) &lt; 2, that is alpha &lt; (2^(1/(2N)) - 1)/L") in bound("prop3")._repr_html_()


def test_a_statement():
    found = statement("prop2-second")
    title = "Distance of the stochastic from the exact inner path, second moment"
    assert repr(found) == f"Statement('prop2-second': {title}; forms paper, sharp)"
    left = r"E\|w_N - \tilde w_N\|^2"
    assert found._repr_html_().startswith(f"<table><caption>prop2-second: {title}</caption><tr><th>paper</th>")
    assert found._repr_html_().endswith(row("sharp", rf"${left} \le {S_N}$") + "</table>")
    assert found._repr_latex_().startswith(rf"$\begin{{aligned}}{left} &\le ")
    assert found._repr_latex_().endswith(rf"&& \text{{paper}} \\ &\le {S_N} && \text{{sharp}}\end{{aligned}}$")


def test_a_claim():
    assert repr(HALF) == "Claim('prop2-second', 'sharp': E ||w_N - w~_N||^2 <= 0.5 * s(N)**2)"
    assert HALF._repr_latex_() == rf"$\text{{E ||w\_N - w~\_N||^2}} \le 0.5 \cdot {S_N}$"
    assert HALF._repr_html_() == (
        f"<table><caption>prop2-second (sharp)</caption>{row('measured', 'E ||w_N - w~_N||^2')}"
        + row("asserted", rf"$\le 0.5 \cdot {S_N}$")
        + "</table>"
    )


def test_a_verdict():
    found = check(HALF, SETTING)
    assert found._repr_html_() == (
        "<table><caption>prop2-second (sharp)</caption>"
        f"{row('outcome', 'violated')}{row('reason', 'computed exactly')}{row('measured', '0.036741')}"
        f"{row('bound', '0.0183705, times 0.5; measured / bound = 2')}{row('evidence', 'exact')}</table>"
    )
    text = "prop2-second (sharp): violated; 0.036741, bound 0.0183705, times 0.5; exact"
    assert found._repr_latex_() == rf"$\text{{{text}}}$"
    sampled = check(HALF, SETTING, method="monte-carlo")
    assert f"[{sampled.lower:.4g}, {sampled.upper:.4g}]" in sampled._repr_latex_()
    assert "needs a Hessian estimator that states kind" in check("prop6", SETTING)._repr_latex_()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_prints_in_a_line(family):
    if family == "digits":
        pytest.importorskip("sklearn")
    assert len(repr(FAMILIES[family].random(30, 5, 0))) < 200


def test_what_holds_arrays_prints_in_a_line():
    tasks = Trigonometric.random(4, 8, 0).with_noise(RandomPhase(0.5, 1.0))
    run = Setting(tasks, np.ones(4), InnerLoop(0.05, 3), GaussianSmoothing(0.1, 3), OuterLoop(10, 4, beta=0.1))
    w, rng, inner = np.ones(4), np.random.default_rng(0), InnerLoop(0.05, 1)
    things = [tasks, run, train(run, 8), power("prop2-second", SETTING, runs=6, budget=500)]
    things += [measure("path-error", SETTING), tasks.sample(rng, w, 3), path_moments(tasks, w, inner)]
    things += [run.hessian.operator(tasks, w, 1, rng), audit(Quadratic.concave(2), points=16)]
    for thing in things:
        assert "\n" not in repr(thing) and len(repr(thing)) < 400, thing
    assert repr(things[-1]) == "Audit(Quadratic: 14 checks, no violation)"
    assert repr(tasks.population).startswith("Trigonometric(A=array(4, 4), b=array(8, 4), ")
