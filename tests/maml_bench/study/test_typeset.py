"""The theory in HTML: ASCII formulas in their signs, proofs with nothing of LaTeX left over."""

import re

import pytest

from analytic import STATEMENTS
from maml_bench.study.text import number, span
from maml_bench.study.typeset import claimed, forms_of, mathml, proofs, renderer, signs, words

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
    assert 'mathvariant="script"' not in html


def test_numbers():
    told = [number(x) for x in (1000.0, 1024.0, 12345.6, 3.15e6, 2.4e-5, 0.001, -1200.5, 0.0, 1 / 3)]
    assert told == ["1000", "1024", "12300", "3.15e6", "2.4e-5", "0.001", "-1200", "0", "0.333"]
    assert (span(1.0, 1.0), span(1.0, 2e6)) == ("1", "1 to 2e6")


def identifiers(html):
    return re.findall(r"<mi>([^<]*)</mi>", html)


@pytest.mark.parametrize("name", STATEMENTS)
def test_an_abbreviation_stands_with_its_form_where_forms_mean_different_things_by_it(name):
    """Its formula first; of its abbreviations those that another form defines otherwise, the others once for all."""
    statement, meant = STATEMENTS[name], {}
    for bound in statement.forms.values():
        for line in bound.abbreviations:
            meant.setdefault(str(line.head), set()).add(str(line.value))
    forms, shared = forms_of(statement)
    assert len(shared) == sum(len(values) == 1 for values in meant.values())
    for form, bound in zip(forms, statement.forms.values(), strict=True):
        own = [line for line in bound.abbreviations if len(meant[str(line.head)]) > 1]
        assert (form.name, len(form.formulas)) == (bound.form, 1 + len(own))
        assert form.proof == bound.proof and (form.section == "" or f"analytic.{form.section}" in bound.proof)
        assert bool(form.section) == ("analytic." in bound.proof)
        assert form.conditions == words("; ".join(condition.words for condition in bound.conditions))
        for formula in (*form.formulas, *shared):
            assert formula.startswith("<math ") and formula.count("displaystyle") == 1


def test_a_statement_is_claimed_in_its_first_form():
    for name, sense in (("prop3", "&#x02264;"), ("lemma-b-first", "&#x02265;")):
        left, found, right = claimed(STATEMENTS[name]).partition(f"<mo>{sense}</mo>")
        assert found and identifiers(left) and right.endswith("</math>"), name


@pytest.mark.parametrize("letter", [r"\mathcal L", r"\mathcal{L}", r"\mathcal  L"])
def test_a_script_letter_is_a_character_of_its_own(letter):
    """So that the meta objective does not look like the Lipschitz constant."""
    found = mathml(rf"\nabla{letter}(w)")
    assert "&#x02112;" in found and "mathvariant" not in found


def test_markdown_has_tables_and_formulas():
    html = renderer().render("| a | b |\n| --- | ---: |\n| $x$ | 1 |\n\n$$\nx\n$$\n")
    assert html.count("<td") == 2 and 'display="inline"' in html and 'display="block"' in html
