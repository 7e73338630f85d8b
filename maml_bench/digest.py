"""What a result or a run is about, as a short digest of its contents."""

import dataclasses
import hashlib

import numpy as np


def content_digest(value) -> str:
    """Digest of a value made of dataclasses, arrays, numbers and strings: equal contents, equal digest.

    Raises
    ------
    TypeError
        For anything else: a digest that misses part of a setting would let a stale result pass for a fresh one.
    """
    digest = hashlib.sha256()
    _feed(digest, value)
    return digest.hexdigest()[:16]


def _feed(digest, value):
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        digest.update(f"{type(value).__module__}.{type(value).__qualname__}(".encode())
        for field in dataclasses.fields(value):
            digest.update(field.name.encode() + b"=")
            _feed(digest, getattr(value, field.name))
        digest.update(b")")
    elif isinstance(value, np.ndarray):
        digest.update(f"{value.dtype.str}{value.shape}".encode() + np.ascontiguousarray(value).tobytes())
    elif isinstance(value, (list, tuple)):
        digest.update(b"[")
        for item in value:
            _feed(digest, item)
        digest.update(b"]")
    elif value is None or isinstance(value, (bool, int, float, str, np.generic)):
        digest.update(f"{type(value).__name__}:{value!r};".encode())
    else:
        raise TypeError(f"cannot digest a {type(value).__name__}: use dataclasses, arrays, numbers and strings")
