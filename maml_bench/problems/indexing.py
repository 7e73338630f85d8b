"""Narrowing and gathering of task arrays."""

import numpy as np


def take(index, batch_shape: tuple[int, ...], *fields: tuple[np.ndarray, int]) -> list[np.ndarray]:
    """``field[index]`` for every (field, core) whose last ``core`` axes describe one task.

    A field without task axes is shared by all tasks and stays as it is.

    Raises
    ------
    IndexError
        If the index is outside the tasks.
    """
    if not batch_shape:
        raise IndexError("a single task (batch_shape ()) cannot be indexed")
    taken = []
    for field, core in fields:
        core_shape = field.shape[field.ndim - core :]
        shared = field.ndim == core
        taken.append(field if shared else np.broadcast_to(field, (*batch_shape, *core_shape))[index])
    if all(field.ndim == core for field, core in fields):
        raise IndexError("all fields are shared by all tasks: there is nothing to index")
    return taken
