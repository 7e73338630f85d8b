"""The theory in HTML: ASCII formulas in their signs, proofs with nothing of LaTeX left over."""

import re

import pytest

from analytic import STATEMENTS
from maml_bench.study.text import number, span
from maml_bench.study.typeset import proofs, signs, words

SECTIONS = {
    name for s in STATEMENTS.values() for b in s.forms.values() for name in re.findall(r"analytic\.(\w+)", b.proof)
}


@pytest.mark.parametrize(
    ("ascii_", "html"),
    [
        ("E ||w_N - w~_N||^2", "E ‖w<sub>N</sub> − w̃<sub>N</sub>‖<sup>2</sup>"),
        ("q^(2N) < 2", "q<sup>2N</sup> &lt; 2"),
        ("alpha < (2^(1/(2N)) - 1)/L", "α &lt; (2<sup>1/(2N)</sup> − 1)/L"),
        ("||grad l_{T_i}(w)||", "‖∇l<sub>T<sub>i</sub></sub>(w)‖"),
        ("sigma_g, w_zeta, task_grad_norm, beta", "σ<sub>g</sub>, w<sub>ζ</sub>, task_grad_norm, β"),
        ("alphabetical <b>", "alphabetical &lt;b&gt;"),
    ],
)
def test_words(ascii_, html):
    assert words(ascii_) == html


def test_signs_without_markup():
    assert signs("||E H^ - Hess l(w)|| <= nu") == "‖E Ĥ − ∇²l(w)‖ ≤ ν"


@pytest.mark.parametrize("section", sorted(SECTIONS))
def test_every_proof_is_typeset(section):
    html = proofs(section)
    assert html.count("<math") > 10
    assert "<h4>" in html
    assert not re.search(r":math:|\.\. math|\$|\\[a-z]", re.sub("<math.*?</math>", "", html, flags=re.DOTALL))
    assert "\\" not in re.sub("<annotation.*?</annotation>", "", html)


def test_numbers():
    told = [number(x) for x in (1000.0, 1024.0, 12345.6, 3.15e6, 2.4e-5, 0.001, -1200.5, 0.0, 1 / 3)]
    assert told == ["1000", "1024", "12300", "3.15e6", "2.4e-5", "0.001", "-1200", "0", "0.333"]
    assert (span(1.0, 1.0), span(1.0, 2e6)) == ("1", "1 to 2e6")
