"""Tilted draws: their law, the moments of their envelopes, and the certificate that every draw checks."""

import math

import numpy as np
import pytest

from maml_bench.montecarlo.tilted import Envelope, EnvelopeExceeded, Term, bounded, independent, moment

COUNT = 100_000
SIGMAS = 5.0
"""A mean is off by more than this many standard errors with probability below 1e-6."""


def assert_mean(numbers, expected):
    error = numbers.std() / math.sqrt(len(numbers))
    assert abs(numbers.mean() - expected) <= SIGMAS * error + 1e-12 * abs(expected)


def unit(dim):
    v = np.arange(1.0, dim + 1)
    return v / np.linalg.norm(v)


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_moments_are_those_of_the_normal_law(dim):
    assert moment(dim, 2) == pytest.approx(dim)
    assert moment(dim, 4) == pytest.approx(dim * (dim + 2))
    assert moment(dim, 1) == pytest.approx(math.sqrt(2) * math.gamma((dim + 1) / 2) / math.gamma(dim / 2))
    assert Term(1.0, 6, along=True).mean(dim) == pytest.approx((dim + 2) * (dim + 4) * (dim + 6))
    assert Term(3.0, 2, along=True).mean(dim) == pytest.approx(3 * (dim + 2))


ENVELOPES = {
    "radius": lambda dim: Envelope(dim, (Term(0.5, 3),)),
    "angle": lambda dim: Envelope(dim, (Term(2.0, 6, along=True),)),
    "two terms": lambda dim: Envelope(dim, (Term(1.0, 6, along=True), Term(1.0, 4))),
    "rows": lambda dim: Envelope(dim, (Term(1.0, 2, along=True), Term(2.0, 1)), weights=(0.25, 0.5, 1.0)),
    "constant": lambda dim: Envelope(dim, (Term(1.0, 2),), weights=(1.0, 3.0), constant=5.0),
}


@pytest.mark.by_chance(1e-5)
@pytest.mark.parametrize("dim", [1, 2, 4])
@pytest.mark.parametrize("name", ENVELOPES)
def test_the_tilted_law_has_the_density_of_the_envelope(name, dim):
    """E_tilted[f EG/G] = E f, for f = min(G, ||u_1||^2) and min(G, (u_m.v)^2): Gaussian draws give the right sides."""
    envelope, v = ENVELOPES[name](dim), unit(dim)
    rng = np.random.default_rng(3)
    rows, G = envelope.draw(rng, (COUNT,), v)
    plain = rng.standard_normal((len(envelope.weights), COUNT, dim))
    squares, components = np.vecdot(plain, plain), np.vecdot(plain, v)
    H = envelope.constant + np.tensordot(envelope.weights, sum(t(squares, components) for t in envelope.terms), axes=1)
    for f, g in (
        (np.minimum(G, np.vecdot(rows[0], rows[0])), np.minimum(H, squares[0])),
        (np.minimum(G, np.vecdot(rows[-1], v) ** 2), np.minimum(H, components[-1] ** 2)),
        (np.clip(rows[0, :, 0], -G, G / 2), np.clip(plain[0, :, 0], -H, H / 2)),
    ):
        Y = bounded(f, np.abs(f), G, envelope.mean)
        error = math.hypot(Y.std(), g.std()) / math.sqrt(COUNT)
        assert abs(Y.mean() - g.mean()) <= SIGMAS * error


@pytest.mark.by_chance(1e-5)
@pytest.mark.parametrize("terms", [(Term(1.0, 4, along=True),), (Term(1.0, 4, along=True), Term(3.0, 1))])
def test_rows_that_may_change_places_are_as_if_one_of_them_was_picked(terms):
    """For a symmetric function of the rows: mean and mean square of Y, which differ from those of Gaussian rows."""
    found = {}
    for exchangeable in (False, True):
        envelope = Envelope(2, terms, weights=(0.5, 0.5, 0.5), constant=1.0, exchangeable=exchangeable)
        rows, G = envelope.draw(np.random.default_rng(10), (COUNT,), unit(2))
        X = np.minimum(np.vecdot(rows, rows).sum(0), G)
        found[exchangeable] = bounded(X, X, G, envelope.mean)
    one, other = found.values()
    for power in (1, 2):
        error = math.hypot((one**power).std(), (other**power).std()) / math.sqrt(COUNT)
        assert abs((one**power).mean() - (other**power).mean()) <= SIGMAS * error


@pytest.mark.by_chance(1e-5)
@pytest.mark.parametrize("dim", [1, 3, 10])
def test_tilted_moments_in_closed_form(dim):
    # Under ||u||^6 (u.v)^2 the square of the radius has d + 8 degrees of freedom, and E theta_1^2 = 3/(d + 2).
    rows, _ = Envelope(dim, (Term(1.0, 6, along=True),)).draw(np.random.default_rng(4), (COUNT,), unit(dim))
    squares = np.vecdot(rows[0], rows[0])
    assert_mean(squares, dim + 8)
    assert_mean(np.vecdot(rows[0], unit(dim)) ** 2 / squares, 3 / (dim + 2))
    assert_mean(rows[0, :, 0], 0.0)
    # Under ||u||^3 it has d + 3, and the angle stays uniform.
    rows, _ = Envelope(dim, (Term(1.0, 3),)).draw(np.random.default_rng(5), (COUNT,), None)
    squares = np.vecdot(rows[0], rows[0])
    assert_mean(squares, dim + 3)
    assert_mean(rows[0, :, 0] ** 2 / squares, 1 / dim)


@pytest.mark.by_chance(1e-5)
@pytest.mark.parametrize("power", [1, 2, 2.5, 3, 4, 5, 6, 7.5])
def test_a_power_of_the_radius_adds_as_many_degrees_of_freedom(power):
    rows, G = Envelope(2, (Term(3.0, power),)).draw(np.random.default_rng(11), (COUNT,))
    squares, degrees = np.vecdot(rows[0], rows[0]), 2 + power
    assert_mean(squares, degrees)
    assert_mean(squares**2, degrees * (degrees + 2))
    np.testing.assert_allclose(G, 3 * squares ** (power / 2), rtol=1e-12)


@pytest.mark.by_chance(1e-5)
@pytest.mark.parametrize("one, other", [(3, 2), (4, 2), (5, 1), (6, 4), (3.5, 2), (2, 0)])
def test_terms_are_mixed_in_proportion_to_their_means(one, other):
    """Of the two means, 3 and 1, the law has three quarters and one; so its square radius has the mixed moments."""
    dim = 3
    terms = Term(3 / moment(dim, one), one), Term(1 / moment(dim, other), other)
    rows, G = Envelope(dim, terms).draw(np.random.default_rng(12), (COUNT,))
    squares = np.vecdot(rows[0], rows[0])
    assert_mean(squares, dim + (3 * one + other) / 4)
    assert_mean(squares**2, sum(share * (dim + p) * (dim + p + 2) for share, p in ((0.75, one), (0.25, other))))
    assert_mean(4 / G, 1.0)  # the law has the density G/EG


@pytest.mark.by_chance(1e-5)
def test_a_term_along_a_vector_is_mixed_with_one_that_is_not():
    """As for zo-stein: the component's share is Beta(3/2, (d-1)/2) where it is tilted, Beta(1/2, (d-1)/2) elsewhere."""
    dim = 3
    terms = Term(1 / 315, 6, along=True), Term(1 / 15, 4)  # the mean of either is 1
    assert [term.mean(dim) for term in terms] == pytest.approx([1, 1])
    rows, G = Envelope(dim, terms).draw(np.random.default_rng(13), (COUNT,), unit(dim))
    squares, components = np.vecdot(rows[0], rows[0]), np.vecdot(rows[0], unit(dim))
    assert_mean(squares, dim + (8 + 4) / 2)
    assert_mean(components**2 / squares, (3 / 5 + 1 / 3) / 2)
    assert_mean(squares**2, ((dim + 8) * (dim + 10) + (dim + 4) * (dim + 6)) / 2)
    np.testing.assert_allclose(G, squares**3 * components**2 / 315 + squares**2 / 15, rtol=1e-9)


@pytest.mark.parametrize("dim", [2, 12])
def test_what_is_said_of_rows_is_that_of_the_rows(dim):
    """G is taken from squares and components that are kept along with the rows: it agrees with a sum over the rows."""
    terms, weights = (Term(0.5, 4, along=True), Term(2.0, 1)), (0.25, 0.5, 1.0)
    v = np.array([unit(dim), unit(dim)[::-1]])
    for exchangeable, constant in ((False, 0.0), (False, 3.0), (True, 0.0)):
        envelope = Envelope(dim, terms, (1.0,) * 3 if exchangeable else weights, constant, exchangeable)
        rows, G = envelope.draw(np.random.default_rng(14), (500, 2), v)
        squares, components = np.vecdot(rows, rows), np.vecdot(rows, v)
        sums = sum(w * t(s, c) for w, s, c in zip(envelope.weights, squares, components, strict=True) for t in terms)
        np.testing.assert_allclose(G, constant + sums, rtol=1e-9)


def test_one_row_is_tilted_in_proportion_to_its_weight():
    envelope = Envelope(2, (Term(1.0, 2),), weights=(1.0, 3.0), constant=4.0)
    assert envelope.mean == pytest.approx(4 + 4 * 2)
    rows, _ = envelope.draw(np.random.default_rng(6), (COUNT,))
    squares = np.vecdot(rows, rows)  # mean 2, or 4 where tilted: with probability 2/12 and 6/12
    assert_mean(squares[0], 2 + 2 * 2 / 12)
    assert_mean(squares[1], 2 + 2 * 6 / 12)


def test_vectors_may_differ_from_task_to_task():
    v = np.eye(2)
    rows, _ = Envelope(2, (Term(1.0, 2, along=True),)).draw(np.random.default_rng(7), (COUNT, 2), v)
    share = rows[0] ** 2 / np.vecdot(rows[0], rows[0])[..., None]
    assert_mean(share[:, 0, 0], 3 / 4)
    assert_mean(share[:, 1, 1], 3 / 4)


def test_products_are_tilted_factor_by_factor():
    envelopes = (Envelope(2, (Term(0.5, 2),), constant=1.0), Envelope(2, (Term(0.1, 4),), constant=0.5))
    rows, G = independent(envelopes, np.random.default_rng(8), (COUNT,))
    assert rows.shape == (2, COUNT, 2) and G.shape == (COUNT,)
    ceiling = envelopes[0].mean * envelopes[1].mean
    assert_mean(bounded(np.ones(COUNT) * 0.1, np.ones(COUNT) * 0.1, G, ceiling), 0.1)


def test_a_draw_beyond_its_envelope_is_shown():
    with pytest.raises(EnvelopeExceeded, match=r"draw \(1,\) has the size 2 and exceeds its envelope 1:"):
        bounded(np.array([0.5, -2.0]), np.array([0.5, 2.0]), np.ones(2), 1.0)


def test_rounding_is_cut_and_never_exceeds_the_ceiling():
    Y = bounded(
        np.array([1.0 + 1e-12, 1e-17, 1e-12]),
        np.array([1 + 1e-12, 1e-17, 1e-12]),
        np.array([1.0, 0, 0]),
        3.0,
        lambda: 1e-11,
    )
    assert Y[0] <= 3.0 and Y[0] == pytest.approx(3.0)
    assert Y[1] == Y[2] == 0.0


def test_matrices_are_scaled_by_their_norm():
    X = np.ones((2, 3, 3))
    Y = bounded(X, np.linalg.norm(X, axis=(-2, -1)), np.array([3.0, 6.0]), 12.0)
    np.testing.assert_allclose(Y[:, 0, 0], [4.0, 2.0])


def test_an_envelope_of_zero_draws_gaussian_rows_and_zeros():
    envelope = Envelope(3, (Term(0.0, 4),), weights=(1.0, 1.0))
    rows, G = envelope.draw(np.random.default_rng(9), (1000,))
    assert envelope.mean == 0 and not G.any()
    assert_mean(rows[1, :, 0] ** 2, 1.0)
