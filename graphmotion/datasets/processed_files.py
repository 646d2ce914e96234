"""Names of the processed files of datasets."""

from __future__ import annotations

import hashlib
from typing import Any


def hashed_name(prefix: str, options: tuple[Any, ...]) -> str:
    r"""Returns the name of a processed file that differs for different options.

    Args:
        prefix (str): Start of the name.
        options (tuple): Options with a unique :func:`repr`.
    """
    return f'{prefix}_{hashlib.sha256(repr(options).encode()).hexdigest()[:16]}.pt'
