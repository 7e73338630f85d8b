"""Hypothesis strategies: what the theory allows, and what nothing allows."""

import math

from hypothesis import strategies as st

NOT_NUMBERS = st.text(max_size=3).filter(lambda s: not _is_number(s)) | st.sampled_from([None, (1, 2)]) | st.just({})
"""What no number can be made of."""

NOT_FINITE = st.sampled_from([math.nan, math.inf, -math.inf])
NEGATIVE = st.floats(max_value=-1e-300, allow_infinity=False)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


@st.composite
def inner_loops(draw, largest_growth: float = 2.0) -> dict:
    """``alpha``, ``steps`` and ``L`` with ``(1 + alpha L)^(2N)`` below ``largest_growth``: what Lemma A asks for."""
    steps, L = draw(st.integers(1, 60)), draw(st.floats(0, 1e3))
    fraction = draw(st.floats(1e-12, 1))
    alpha = fraction * 0.999999 * math.expm1(math.log(largest_growth) / (2 * steps)) / max(L, 1e-3)
    return {"alpha": alpha, "steps": steps, "L": L}
