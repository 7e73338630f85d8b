"""Three hot paths as one would write them in JAX or PyTorch: for one point, mapped over tasks and replicates.

The same arrays, in doubles, on as many threads as ours; JAX compiles. The programs take the normal numbers they need,
so that the tests can hand them ours; timed, they draw their own. A peer that is not installed is left out (the extra
``peers``).
"""

import importlib.util
import os
from collections.abc import Callable, Mapping

import numpy as np

TITLES = {"jax": "JAX", "torch": "PyTorch"}
NAMES = tuple(name for name in TITLES if importlib.util.find_spec(name))
"""Those that are installed."""


def programs(xp, vmap, setting) -> dict[str, tuple[Callable, tuple[int, ...]]]:
    """By name: ``program(w, normals, *task)`` of arrays (replicates, d) and (replicates, tasks, *shape), and the shape.

    ``xp`` is the namespace of the functions. The last arguments are the arrays of trigonometric tasks.
    """
    inner, nu, Q, d = setting.inner, setting.hessian.nu, setting.hessian.directions, setting.tasks.dim
    alpha, N, scale = inner.alpha, inner.steps, setting.tasks.noise.sigma_g / np.sqrt(d)

    def gradient(w, A, b, amplitude, V, phase):
        return A @ w - b - V.T @ (amplitude * xp.sin(V @ w + phase))

    def product(w, v, A, b, amplitude, V, phase):
        return A @ v - V.T @ (amplitude * xp.cos(V @ w + phase) * (V @ v))

    def smoothing(w, u, *task):
        here = gradient(w, *task)
        slopes = vmap(lambda direction: gradient(w + nu * direction, *task) - here)(u)
        return slopes.T @ (u @ xp.ones_like(w)) / (nu * Q)

    def path(w, noise, *task):
        points = [w]
        for k in range(N):
            points.append(points[-1] - alpha * (gradient(points[-1], *task) + scale * noise[k]))
        return points

    def inner_path(w, noise, *task):
        return xp.stack(path(w, noise, *task))

    def meta_gradient(w, noise, *task):
        points = path(w, noise, *task)
        vector = gradient(points[-1], *task) + scale * noise[N]
        for point in points[-2::-1]:
            vector = vector - alpha * product(point, vector, *task)
        return vector

    def everywhere(program):
        return vmap(vmap(program, (None, 0, None, 0, 0, 0, 0)), (0, 0, None, None, None, None, None))

    return {
        "Gaussian smoothing": (everywhere(smoothing), (Q, d)),
        "inner path": (everywhere(inner_path), (N, d)),
        "meta gradient": (everywhere(meta_gradient), (N + 1, d)),
    }


def arrays(tasks) -> tuple[np.ndarray, ...]:
    """What the programs ask of trigonometric tasks."""
    return tasks.A, tasks.b, tasks.amplitude, tasks.frequency, tasks.phase


def timed(name: str, setting, replicates: int, threads: int = 1) -> Mapping[str, Callable[[], object]]:
    """The programs of one peer, ready to run: each call draws its normals and does its work.

    JAX takes the number of threads as it starts, and more than one is one for every processor.
    """
    return {"jax": _jax, "torch": _torch}[name](setting, replicates, threads)


def _jax(setting, replicates, threads):
    if threads == 1:
        flags = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flags}"
    import jax

    jax.config.update("jax_enable_x64", True)
    task = tuple(map(jax.numpy.asarray, arrays(setting.tasks.population)))
    w, key = jax.numpy.ones((replicates, setting.tasks.dim)), jax.random.key(0)
    lead = (replicates, *setting.tasks.batch_shape)

    def ready(program, shape):
        drawn = jax.jit(lambda key, w, *task: program(w, jax.random.normal(key, (*lead, *shape)), *task))
        return lambda: drawn(key, w, *task).block_until_ready()

    return {name: ready(*entry) for name, entry in programs(jax.numpy, jax.vmap, setting).items()}


def _torch(setting, replicates, threads):
    import torch

    torch.set_num_threads(threads)
    task = tuple(map(torch.tensor, arrays(setting.tasks.population)))
    w = torch.ones((replicates, setting.tasks.dim), dtype=torch.float64)
    lead = (replicates, *setting.tasks.batch_shape)

    def ready(program, shape):
        return lambda: program(w, torch.randn((*lead, *shape), dtype=torch.float64), *task)

    return {name: ready(*entry) for name, entry in programs(torch, torch.vmap, setting).items()}
