"""Real data: telling two handwritten digits apart, one pair of digits a task."""

from itertools import combinations

import numpy as np

from analytic.arguments import generator, natural
from maml_bench.problems.logistic import Logistic


def digits(
    dim: int = 8, tasks: int = 10, rng=0, points: int = 10, points_target: int = 20, ridge: float = 0.1
) -> Logistic:
    """Logistic tasks from the handwritten digits that come with scikit-learn; nothing is downloaded.

    A task is an unordered pair of digits. Images are centred, projected on their ``dim`` principal components and
    scaled to mean squared norm 1; support and target points of a task are disjoint and drawn at random from its two
    digits. All certificates are computed from the data.

    Parameters
    ----------
    dim : int
        Principal components kept, at most the rank of the data (61).
    tasks : int
        Number of distinct pairs, at most 45.
    rng : int or numpy.random.Generator
        Decides the pairs and the split.
    points, points_target : int
        Support and target points of a task; together at most the number of images of every pair (351 suffices).
    ridge : float

    Raises
    ------
    ImportError
        Without scikit-learn, which the extra ``data`` installs.
    ValueError
        If an argument is outside its range.

    Examples
    --------
    >>> from maml_bench.problems import digits
    >>> digits(dim=4, tasks=3, rng=0).batch_shape  # doctest: +SKIP
    (3,)
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise ImportError("digits needs scikit-learn, an optional dependency: pip install 'maml-bench[data]'") from None
    natural("dim", dim), natural("tasks", tasks), natural("points", points), natural("points_target", points_target)
    images, label = load_digits(return_X_y=True)
    pairs = np.array(list(combinations(range(10), 2)))
    if tasks > len(pairs):
        raise ValueError(f"tasks = {tasks}: must be at most {len(pairs)}, the number of pairs of digits")
    total, smallest = points + points_target, np.sort(np.bincount(label))[:2].sum()
    if total > smallest:
        raise ValueError(f"points + points_target = {total}: must be at most {smallest}, the images of the rarest pair")
    components = _components(images, dim)
    rng = generator("rng", rng)
    chosen = pairs[rng.permutation(len(pairs))[:tasks]]
    drawn = np.stack([rng.permutation(np.flatnonzero(np.isin(label, pair)))[:total] for pair in chosen])
    X, y = components[drawn], np.where(label[drawn] == chosen[:, :1], 1.0, -1.0)
    return Logistic(X[:, :points], y[:, :points], X[:, points:], y[:, points:], ridge)


def _components(images, dim):
    """Principal components of the images, of mean squared norm 1.

    Raises
    ------
    ValueError
        If ``dim`` exceeds the rank of the data.
    """
    centred = images - images.mean(0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    rank = int((values > values[0] * max(images.shape) * np.finfo(float).eps).sum())
    if dim > rank:
        raise ValueError(f"dim = {dim}: must be at most {rank}, the rank of the data")
    kept = left[:, :dim] * values[:dim]
    return kept / np.sqrt(np.mean(kept**2) * dim)
