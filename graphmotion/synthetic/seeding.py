"""Random generators that belong to keys."""

from __future__ import annotations

import numpy as np


def keyed_generator(seed: int, *key: int) -> np.random.Generator:
    r"""Returns the random generator of a key, independent of what other keys draw.

    The first number of the key identifies the kind of values that are drawn, so that no two kinds
    share a generator.

    Args:
        seed (int): The seed of the dataset.
        *key (int): The key, such as a subject and a take.
    """
    return np.random.default_rng((seed, *key))
