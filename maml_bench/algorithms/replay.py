"""Replays of the experiments of arXiv 2002.07836: every number that a run depends on is an argument, nothing is drawn.

So a run can be compared number by number with one of another program. ``maml_bench.algorithms.programs`` says what the
protocols are; to draw data while running, use its `descend`.
"""

import numpy as np

from analytic.arguments import array, last_axis, natural, one_of, positive
from maml_bench.algorithms.optimizers import SGD, Adam
from maml_bench.algorithms.programs import (
    METHODS,
    RANK_ONE_DEVIATIONS,
    RELEASED_RANK_ONE,
    RELEASED_SINE,
    SINE_DEVIATIONS,
    Collapsed,
    Program,
    descend,
    deviations,
)
from maml_bench.problems.rank_one import RankOne
from maml_bench.problems.sine import NETWORK, SineRegression


def rank_one(method, *, protocol, w, support, target, directions, alpha, beta, nu) -> tuple[np.ndarray, np.ndarray]:
    """Rank-one factorization (Figure 1 of arXiv 2002.07836) with plain SGD on the meta level.

    Parameters
    ----------
    method : {"maml", "first-order", "ggs", "zeroth-order"}
    protocol : str or set of str
        ``"specified"``, ``"released"`` or a set of deviations.
    w : array (..., d)
        Starting point. Leading axes are independent runs, and then stand before the tasks in all other arrays.
    support, target : array (iterations, ..., tasks, d)
        The vectors x of the tasks.
    directions : array (..., tasks, steps, Q, d) or (iterations, ..., tasks, steps, Q, d)
        Gaussian directions. One set is reused in every iteration; with an axis of iterations each has its own, unless
        the protocol has ``"fixed-directions"``. Its ``steps`` is N for every method.
    alpha, beta, nu : float
        Inner and meta step size, smoothing radius.

    Returns
    -------
    losses : array (iterations, ...)
        At each iteration and before its meta step, the sum over tasks of the target loss after adaptation. In a run
        that diverges they are infinite or undefined from some iteration on.
    w : array (..., d)
        After the last meta step.

    Raises
    ------
    ValueError
        If a method, a protocol or a number is not allowed, a shape does not fit or an entry is not finite.
    """
    chosen = deviations(protocol, RELEASED_RANK_ONE, RANK_ONE_DEVIATIONS)
    w = array("w", w, 1)
    data = _data(w, support=support, target=target)
    for name, value in data.items():
        last_axis(name, value, w.shape[-1], like="w")
    tasks = Collapsed if "collapsed-loss" in chosen else lambda x: RankOne(x, radius=1.0)  # certifies, and no more
    pairs = [(tasks(x), tasks(z)) for x, z in zip(data["support"], data["target"], strict=True)]
    return _replay(_program(method, chosen, alpha, nu), w, pairs, directions, positive("beta", beta), SGD())


def sine(method, *, protocol, w, x, y, support, directions, alpha, beta, nu) -> tuple[np.ndarray, np.ndarray]:
    """Sine regression (Section 5.2 of arXiv 2002.07836) with Adam on the meta level.

    Parameters
    ----------
    method, protocol
        As in `rank_one`; ``"collapsed-loss"`` has no meaning here.
    w : array (..., 1761)
        The network's W1 (40, 1), b1, W2 (40, 40), b2, W3 (1, 40), b3, each in row-major order.
    x, y : array (iterations, ..., tasks, points)
    support : int
        The first ``support`` points of a task adapt, the rest are its target.
    directions : array (..., tasks, steps, Q, 1761) or (iterations, ..., tasks, steps, Q, 1761)
        As in `rank_one`.
    alpha, beta, nu : float
        Inner step size, Adam's step size (moments 0.9 and 0.999, 1e-8 outside the root), smoothing radius.

    Returns
    -------
    losses : array (iterations, ...)
        As in `rank_one`, with the mean squared error of the target points as the loss.
    w : array (..., 1761)

    Raises
    ------
    ValueError
        As in `rank_one`.
    """
    chosen = deviations(protocol, RELEASED_SINE, SINE_DEVIATIONS)
    w = array("w", w, 1)
    if w.shape[-1] != NETWORK.dim:
        raise ValueError(f"w has shape {w.shape}: the last axis must be {NETWORK.dim}, the size of the network")
    data = _data(w, x=x, y=y)
    points, support = data["x"].shape[-1], natural("support", support)
    if support >= points:
        raise ValueError(f"support = {support}: must be less than {points}, the number of points of a task")
    pairs = [
        (SineRegression(x[..., :support], y[..., :support]), SineRegression(x[..., support:], y[..., support:]))
        for x, y in zip(data["x"], data["y"], strict=True)
    ]
    return _replay(_program(method, chosen, alpha, nu), w, pairs, directions, positive("beta", beta), Adam())


def _program(method, chosen, alpha, nu) -> Program:
    return Program(one_of("method", method, METHODS), chosen, positive("alpha", alpha), positive("nu", nu))


def _data(w, **arrays) -> dict[str, np.ndarray]:
    """The arrays (iterations, ..., tasks, size), checked: of one shape, with the leading axes of w after the first."""
    checked = {name: array(name, value, w.ndim + 2, exact=True) for name, value in arrays.items()}
    (first, shape), *others = ((name, value.shape) for name, value in checked.items())
    if shape[1:-2] != w.shape[:-1]:
        raise ValueError(f"{first} has shape {shape}: must be (iterations, {_axes(w)}tasks, size), as w is {w.shape}")
    for name, other in others:
        if other != shape:
            raise ValueError(f"{name} has shape {other}: must be that of {first}, {shape}")
    return checked


def _replay(program, w, pairs, directions, beta, optimizer):
    """Losses of all iterations and the last w."""
    tasks = pairs[0][0].batch_shape[-1]
    directions = array("directions", directions, w.ndim + 3)
    fits = directions.shape[-(w.ndim + 3) :][: w.ndim] == (*w.shape[:-1], tasks) and directions.shape[-1] == w.shape[-1]
    if directions.ndim == w.ndim + 3:
        directions = np.broadcast_to(directions, (len(pairs), *directions.shape))
    if not fits or directions.ndim != w.ndim + 4 or len(directions) != len(pairs):
        raise ValueError(
            f"directions has shape {directions.shape}: must be ({_axes(w)}{tasks}, steps, Q, {w.shape[-1]}), "
            f"or that with {len(pairs)} iterations before it"
        )
    losses = np.empty((len(pairs), *w.shape[:-1]))
    batches = ((*pair, along) for pair, along in zip(pairs, directions, strict=True))
    for k, (total, point) in enumerate(descend(program, w, batches, beta, optimizer)):
        losses[k], w = total, point
    return losses, w


def _axes(w):
    return "".join(f"{size}, " for size in w.shape[:-1])
