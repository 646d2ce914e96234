"""Scores of joints."""

from __future__ import annotations

import warnings

import numpy as np

from graphmotion.io.files import MalformedFileError

# Heatmaps and unnormalised logits, such as those of SimCC, exceed 1, but hardly this.
_LARGEST_LOGIT = 10


def scale_scores(score: np.ndarray, path: str, field: str = 'scores') -> np.ndarray:
    r"""Returns all scores of a file in the range 0..1.

    Percentages, of which most are above 1 and some above 10, are divided by 100 with a warning.
    Other scores above 1, which heatmaps may have, are clipped to 1. Negative scores and NaN become
    0.

    Args:
        score (array): The scores of all joints in the file.
        path (str): Path of the file, for messages.
        field (str, optional): Field of the scores, for messages. (default: :obj:`"scores"`)

    Raises:
        ValueError: If a score is above 100, or above 10 while most are at most 1.
    """
    score = np.nan_to_num(np.asarray(score, np.float32), nan=0, posinf=np.inf).clip(min=0)
    largest = score.max(initial=0)
    if largest > _LARGEST_LOGIT:
        if largest > 100 or np.median(score[score > 0]) <= 1:
            raise MalformedFileError(path, field, 'scores in 0..1 or 0..100', f'{largest:g}')
        warnings.warn(
            f'{path}: {field}: divided by 100, since they seem to be percentages',
            stacklevel=2,
        )
        score = score / 100
    return np.minimum(score, 1)
