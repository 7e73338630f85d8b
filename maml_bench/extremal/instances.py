r"""Settings that attain a bound, or come nearest of all that are known: each a problem with a certificate.

Units: where alpha is an argument, L = 1, so that it is alpha L. Arguments as ``alpha``, ``steps``, ``dim`` may be
changed.

*Paths.* Two kinds of noise of :math:`\sigma_g` make a path attain its moments. On the concave quadratic the error
:math:`e_j` of the path is multiplied by q and moved by :math:`-\alpha\xi`. The ``balanced`` two-point noise has the
parameter :math:`s = -qe_j/(\alpha\sigma_g)`, so that :math:`e_{j+1} = qe_j + \alpha\sigma_gs \pm
\alpha\sigma_g\sqrt{1+s^2} = \pm\sqrt{q^2e_j^2 + \alpha^2\sigma_g^2}`: all of the mass of :math:`|e_{j+1}|` is in one
point, and the first moment equals the root of the second. The ``skewed`` noise has many tiny errors against one rare
large one, so that :math:`E\,e|e| \to E e^2`, which the mean of the path attains at kinks of the Hessian.

*Biases.* Where the Hessian is -L at :math:`\tilde w_j` with a kink of slope :math:`\rho` there, it rises by
:math:`\rho|e_j|`, all rises have one sign, and for balanced noise :math:`E|e_j| = s_j`.

*Smoothness.* A notch beside each :math:`\tilde w_j`, on the side to which the path from u > w moves: see
`Piecewise.sawtooth`, here with narrow teeth, so that between them the curvature is -L and gradients grow by q exactly.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from analytic.arguments import finite, natural, nonnegative, positive, shown
from maml_bench.adaptation import InnerLoop
from maml_bench.hessians import CentralDifference, GaussianSmoothing, ZerothOrder
from maml_bench.problems import (
    Axisymmetric,
    FiniteSum,
    Kink,
    Piecewise,
    Quadratic,
    RadialCubic,
    TwoPoint,
)
from maml_bench.setting import Setting


@dataclass(frozen=True)
class Instance:
    """The worst case known of one form of a claim.

    Attributes
    ----------
    words : str
        What it is.
    ratio : float
        Measured / bound of what ``build()`` makes.
    supremum : float or None
        The supremum over all admissible problems; None if only ``ratio <= supremum <= 1`` is known.
    build : callable
        Makes the `Setting`; keyword arguments have defaults.

    Examples
    --------
    >>> from maml_bench.extremal import INSTANCES
    >>> INSTANCES["prop2-second", "sharp"].ratio
    1.0
    """

    claim: str
    form: str
    words: str
    ratio: float
    supremum: float | None
    build: Callable[..., Setting]


CHECKS = dict.fromkeys(("steps", "dim", "directions", "count"), natural) | {"sigma_g": nonnegative}
CHECKS |= dict.fromkeys(("alpha", "nu", "slope", "width", "delta"), positive)
"""What parameters of instances must be; others must be finite."""


def instance(claim: str, form: str = "sharp", **parameters) -> Setting:
    """The setting that attains the bound, as nearly as is known.

    Parameters
    ----------
    claim, form : str
    parameters
        Arguments of the instance, such as ``steps=3`` or ``dim=8``.

    Raises
    ------
    ValueError
        If none is known; lists those there are. Or for a parameter that it does not have, or that is outside its range.

    Examples
    --------
    >>> from maml_bench import check
    >>> from maml_bench.extremal import instance
    >>> round(check("prop2-second", instance("prop2-second", "sharp")).ratio, 9)
    1.0
    """
    if not (isinstance(claim, str) and isinstance(form, str) and (claim, form) in INSTANCES):
        known = ", ".join(f"{name} ({form})" for name, form in INSTANCES)
        raise ValueError(f"no instance of claim {shown(claim)}, form {shown(form)}, is known; known: {known}")
    build = INSTANCES[claim, form].build
    checked = {name: CHECKS.get(name, finite)(name, value) for name, value in parameters.items()}
    try:
        with np.errstate(all="ignore"):  # what overflows is noticed by the part it is given to
            return build(**checked)
    except (TypeError, ArithmeticError, ValueError) as error:
        given = ", ".join(f"{name} = {value:g}" for name, value in checked.items())
        raise ValueError(f"{given}: the instance of {claim} ({form}) cannot be made ({error})") from error


# --- paths


def path_points(loss, w: float, alpha: float, steps: int) -> np.ndarray:
    """The exact inner path of a loss of one variable, (steps + 1,)."""
    points = [np.array([w])]
    for _ in range(steps):
        points.append(points[-1] - alpha * loss.grad(points[-1]))
    return np.concatenate(points)


def balanced(sigma_g: float, alpha: float, points=(0.0,)) -> TwoPoint:
    """Noise whose path error has one absolute value at every step, where the curvature is -1 near the points."""
    return TwoPoint(sigma_g, tilt=-(1 + alpha) / (alpha * sigma_g), centers=tuple(np.asarray(points, dtype=float)))


def concave(alpha: float = 0.1, steps: int = 3, sigma_g: float = 1.0) -> Setting:
    """``-w^2/2`` at its stationary point with balanced noise."""
    return Setting(Quadratic.concave(1).with_noise(balanced(sigma_g, alpha)), np.zeros(1), InnerLoop(alpha, steps))


def kinked(alpha: float, steps: int, slope: float, reach: float) -> Piecewise:
    """Curvature ``-1 + |w - w~_j|`` within reach of a point of the path from 0, j >= 1; beyond it falls back to -1."""
    shape = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    knots, values = np.array([-1.0, 1.0]), np.array([-1.0, -1.0])
    points = [0.0]
    for j in range(steps + 1):
        if j:
            knots = np.append(knots, points[-1] + reach * shape)
            values = np.append(values, -1 + reach * np.array([0.0, 1.0, 0.0, 1.0, 0.0]))
        order = np.argsort(knots)
        loss = Piecewise(knots[order][None], values[order][None], np.array([slope]))
        points.append(float(points[-1] - alpha * loss.grad(np.array(points[-1:]))[0]))
    return loss


def drift(alpha: float = 0.1, steps: int = 3, sigma_g: float = 1e-7, skew: float = 1e3) -> Setting:
    """A kink at a stationary point, which is the whole path; skewed noise."""
    reach = 8 * sigma_g * skew
    loss = Piecewise(np.array([[-reach, 0.0, reach]]), np.array([[reach - 1, -1.0, reach - 1]]), np.zeros(1))
    return Setting(loss.with_noise(TwoPoint(sigma_g, -skew)), np.zeros(1), InnerLoop(alpha, steps))


def bias(alpha: float = 0.1, steps: int = 2, sigma_g: float = 1e-6) -> Setting:
    """Kinks of the Hessian on the path from w~_1 on, balanced noise much smaller than the gradient; N >= 2."""
    reach = 20 * alpha * sigma_g * (1 + alpha) ** steps
    loss = kinked(alpha, steps, 1e4 * reach / alpha, reach)
    noise = balanced(sigma_g, alpha, path_points(loss, 0.0, alpha, steps))
    return Setting(loss.with_noise(noise), np.zeros(1), InnerLoop(alpha, steps))


def one_step_bias(alpha: float = 0.1, sigma_g: float = 0.2) -> Setting:
    """One step: curvature -1 at w, and a third derivative that is 1 around w~_1 and falls to 0 at a finite rate."""
    slope, width = 20 * sigma_g, alpha * sigma_g
    knots = -alpha * slope + width * np.array([-3.0, -2.0, 2.0, 3.0])
    values = np.array([[0.0, -1.0, -1.0, 0.0]])
    loss = Piecewise(knots[None], values, np.array([slope]), order=3, curvature=-1 + 5 * width)
    return Setting(loss.with_noise(TwoPoint(sigma_g)), np.zeros(1), InnerLoop(alpha, 1))


def notched(alpha: float = 0.1, steps: int = 3, slope: float = 1e4, width: float = 4e-4) -> Piecewise:
    """Curvature -1, but for a tooth of slope 1 that begins at each point of the path from 0, to its right."""
    points = -slope * ((1 + alpha) ** np.arange(steps + 1) - 1)
    for _ in range(3):  # the teeth move the path by their areas
        knots = (points[::-1, None] + width * np.array([0.0, 1.0, 2.0])).ravel()
        loss = Piecewise(knots[None], np.tile([-1.0, width - 1, -1.0], len(points))[None], np.array([slope]))
        points = path_points(loss, 0.0, alpha, steps)
    return loss


def smoothness(alpha: float = 0.1, steps: int = 3) -> Setting:
    """Notches on the path."""
    return Setting(notched(alpha, steps), np.zeros(1), InnerLoop(alpha, steps))


# --- several tasks, support and target


def mirrored(alpha: float = 0.001, steps: int = 3) -> Setting:
    """Two quadratics in the plane that mirror each other, at a stationary point of the meta objective.

    With a = alpha L and eigenvalues L, -L, the matrix ``(I - alpha A)^(2N)`` has the eigenvalues ``(1 -+ a)^(2N)``, of
    ratio k; turned by the angle t = arctan(sqrt(k)) to the first axis it makes the gradients (x, y) and (x, -y) a
    stationary pair for ``x/y = (k - 1)/(2 sqrt(k))``, which is ``sinh(N log((1+a)/(1-a)))`` beside the bound
    ``tan(2N arcsin a)`` of the form ``cone``. As a tends to 0 the ratio tends to 1, and at 98 % of the limit of
    ``q^(2N) < 2`` it is 0.89; towards the limit of ``cone``, where the bound has a pole, it tends to 0.
    """
    root = ((1 + alpha) / (1 - alpha)) ** steps
    cos, sin = 1 / math.sqrt(1 + root**2), root / math.sqrt(1 + root**2)
    A = np.array([[sin**2 - cos**2, 2 * sin * cos], [2 * sin * cos, cos**2 - sin**2]])
    mirror = np.diag([1.0, -1.0])
    gradient = np.array([(root - 1 / root) / 2, 1.0])
    tasks = Quadratic(np.stack([A, mirror @ A @ mirror]), -np.stack([gradient, mirror @ gradient]))
    return Setting(tasks, np.zeros(2), InnerLoop(alpha, steps))


def notched_pair(alpha: float = 0.1, steps: int = 3, b: float = 1.0) -> Setting:
    """Support and target of one curvature, with gradients of size 10^4 (1 + b) and 10^4 at the origin."""
    support = notched(alpha, steps, slope=1e4 * (1 + b))
    target = Piecewise(support.knots, support.values, np.array([1e4]))
    return Setting(FiniteSum.pair(support, target), np.zeros(1), InnerLoop(alpha, steps))


def concave_pair(alpha: float = 0.1, steps: int = 3, b: float = 1.0) -> Setting:
    """Support ``-w^2/2``, target ``-w^2/2 + b w``, at the point 1 + b."""
    support, target = (Quadratic(-np.eye(1)[None], np.array([[shift]])) for shift in (0.0, -b))
    return Setting(FiniteSum.pair(support, target), np.array([1.0 + b]), InnerLoop(alpha, steps))


def _twice(setting: Setting) -> Setting:
    """The tasks of a setting for support and target both."""
    return replace(setting, tasks=FiniteSum.pair(setting.tasks, setting.tasks))


# --- Hessian estimators


def _smoothed(tasks, hessian, alpha=0.1, steps=1) -> Setting:
    return Setting(tasks, np.zeros(tasks.dim), InnerLoop(alpha, steps), hessian)


def radial(hessian: Callable, dim: int = 3, nu: float = 0.1) -> Setting:
    """A radial cubic at its centre; its curvature grows as far as directions reach."""
    reach = nu * (math.sqrt(dim) + 15)
    return _smoothed(RadialCubic(dim, radius=reach), hessian(nu, 1, data="population"))


def radial_quartic(dim: int = 3, nu: float = 0.1) -> Setting:
    """``||w||^4 / 24`` at 0."""
    return _smoothed(Axisymmetric(dim, np.array([1 / 24]), 4), ZerothOrder(nu, 1, data="population"))


def cubic(dim: int = 1, nu: float = 0.1, count: int = 24) -> Setting:
    """A kink for dim = 1, else the axisymmetric cubic of a linear program (`extremal.cubic`)."""
    from maml_bench.extremal.cubic import steepest  # scipy.optimize, needed here alone

    tasks = Kink(np.zeros((1, 1)), np.zeros((1, 1)), radius=16 * nu) if dim == 1 else steepest(dim, count)
    return _smoothed(tasks, GaussianSmoothing(nu, 1))


def _parabola(reach: float, dim: int = 1) -> Piecewise:
    """Curvature ``w^2/2`` less a constant within reach of 0 in each coordinate; beyond, it bends back."""
    knots, values = reach * np.array([[-2.0, -1.0, 1.0, 2.0], [0.0, -1.0, 1.0, 0.0]])
    return Piecewise(np.tile(knots, (dim, 1)), np.tile(values, (dim, 1)), np.zeros(dim), order=3)


def quartic(dim: int = 1, nu: float = 0.1) -> Setting:
    """A curvature ``w^2/2 - const`` near 0 for dim = 1, else the quartic of `Axisymmetric.quartic`."""
    if dim > 1:
        return _smoothed(Axisymmetric.quartic(dim), GaussianSmoothing(nu, 1))
    return _smoothed(_parabola(16 * nu), GaussianSmoothing(nu, 1))


def folded(dim: int = 3, nu: float = 1.0, directions: int = 1, width: float = 1e-9) -> Setting:
    """``sum_k w_k|w_k|/2`` at 0, the jump of its curvature spread over a width much less than nu."""
    knots = np.broadcast_to([-width, width], (dim, 2))
    tasks = Piecewise(knots, np.broadcast_to([-1.0, 1.0], (dim, 2)), np.zeros(dim))
    return _smoothed(tasks, GaussianSmoothing(nu, directions, data="population"))


def ball(hessian: Callable, dim: int = 1, nu: float = 0.1, directions: int = 1) -> Setting:
    """``||w||^2/2`` at 0."""
    return _smoothed(Quadratic(np.eye(dim)[None], np.zeros((1, dim))), hessian(nu, directions, data="population"))


def bent(dim: int = 1, delta: float = 0.1) -> Setting:
    """A kink in each coordinate, at the point of all kinks."""
    return _smoothed(Kink(np.zeros((1, dim)), np.zeros((1, dim)), radius=2 * delta), CentralDifference(delta))


def parabola(dim: int = 1, delta: float = 0.1) -> Setting:
    """A curvature ``w^2/2`` less a constant in each coordinate, at 0."""
    return _smoothed(_parabola(2 * delta, dim), CentralDifference(delta))


def dome(stein: bool = False, dim: int = 3, alpha: float = 0.1, steps: int = 3, nu: float = 0.1) -> Setting:
    """``-||w||^2/2`` at 0."""
    return _smoothed(Quadratic.concave(dim), ZerothOrder(nu, 1, stein=stein, data="population"), alpha, steps)


def broad(dim: int = 64, directions: int = 128) -> Setting:
    """`ball` for the spectral norm."""
    return ball(GaussianSmoothing, dim, directions=directions)


def _stein(nu, directions, data):
    return ZerothOrder(nu, directions, stein=True, data=data)


_ROWS = (
    ("prop1", "paper sharp", "notches on the path", 0.999985, 1.0, smoothness),
    ("prop2-first", "sharp", "concave quadratic, balanced two-point noise", 1.0, 1.0, concave),
    ("prop2-first", "paper", "the same, one step", 1.0, 1.0, lambda **given: concave(**({"steps": 1} | given))),
    ("prop2-second", "sharp", "concave quadratic, balanced two-point noise", 1.0, 1.0, concave),
    ("prop2-second", "paper", "the same, one step", 0.5, 0.5, lambda **given: concave(**({"steps": 1} | given))),
    ("prop2-mean", "sharp refined", "kinks on the path, skewed two-point noise", 0.9999985, 1.0, drift),
    ("prop3", "local refined_local", "kinks on the path, balanced two-point noise", 0.9999952, 1.0, bias),
    ("prop3", "sharp refined cone smooth", "one step, constant third derivative at its end", 1.0, 1.0, one_step_bias),
    ("prop4", "sharp refined cone local refined_local", "concave quadratic, stationary", 1.0, 1.0, concave),
    ("lemma-a", "sharp", "two mirrored quadratics in the plane, small step", 0.9974912, 1.0, mirrored),
    ("lemma-a", "cone", "two mirrored quadratics in the plane, small step", 0.9999942, 1.0, mirrored),
    ("lemma-a-tasks", "sharp cone", "two mirrored quadratics in the plane, small step", 1.0, 1.0, mirrored),
    ("prop5", "sharp refined", "radial cubic", 1.0, 1.0, lambda **given: radial(ZerothOrder, **given)),
    ("prop5", "smooth", "radial quartic", 1.0, 1.0, radial_quartic),
    ("prop6", "sharp", "kink, or axisymmetric cubic", 1.0, 1.0, cubic),
    ("prop6", "refined", "radial cubic", 1.0, 1.0, lambda **given: radial(GaussianSmoothing, **({"dim": 1} | given))),
    ("prop6", "smooth", "axisymmetric quartic", 1.0, 1.0, quartic),
    ("prop7-vector", "sharp", "sum of w|w|", 1.0, 1.0, folded),
    ("prop7-vector", "refined", "quadratic", 1.0, 1.0, lambda **given: ball(GaussianSmoothing, **given)),
    ("prop7-frobenius", "sharp", "sum of w|w|", 1.0, 1.0, folded),
    ("prop7-frobenius", "refined", "quadratic", 1.0, 1.0, lambda **given: ball(GaussianSmoothing, **given)),
    ("prop7-spectral", "sharp", "quadratic, many dimensions", 0.704, None, broad),
    ("prop7-spectral", "refined", "sum of w|w|, one direction", 1.0, 1.0, folded),
    ("finite-prop7-vector", "sharp", "sum of w|w|", 1.0, 1.0, lambda **given: _twice(folded(**given))),
    ("finite-prop7-vector", "refined", "quadratic", 1.0, 1.0, lambda **given: _twice(ball(GaussianSmoothing, **given))),
    ("finite-lemma-a", "sharp", "two mirrored quadratics", 0.9974912, 1.0, lambda **given: _twice(mirrored(**given))),
    ("finite-lemma-a", "cone", "two mirrored quadratics", 0.9999942, 1.0, lambda **given: _twice(mirrored(**given))),
    ("hvp-central", "sharp", "kink", 1.0, 1.0, bent),
    ("hvp-central", "smooth", "curvature w^2/2 less a constant", 1.0, 1.0, parabola),
    ("zo-vector", "sharp", "quadratic", 1 - 3 / 35, None, lambda **given: ball(ZerothOrder, **given)),
    ("zo-stein-vector", "sharp", "quadratic", 1 - 2 / 39, None, lambda **given: ball(_stein, **given)),
    ("prop8", "sharp", "concave quadratic", 1.0, 1.0, dome),
    ("prop8", "stein", "concave quadratic", 1.0, 1.0, lambda **given: dome(stein=True, **given)),
    ("prop8-mean", "sharp", "concave quadratic", 1.0, 1.0, dome),
    ("finite-prop1", "sharp", "notches on the path of the support", 0.999985, 1.0, notched_pair),
    ("finite-prop4", "local", "concave quadratics", 1.0, 1.0, concave_pair),
)

INSTANCES: dict[tuple[str, str], Instance] = {
    (claim, form): Instance(claim, form, words, ratio, supremum, build)
    for claim, forms, words, ratio, supremum, build in _ROWS
    for form in forms.split()
}
"""The worst case known of each claim and form."""
