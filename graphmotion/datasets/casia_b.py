"""Names, labels and protocols of the datasets derived from CASIA-B."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

CONDITIONS = ('nm', 'bg', 'cl')
NUM_SUBJECTS = 124


class CASIAB:
    r"""Mixin of the datasets derived from CASIA-B, with the labels of :func:`casia_b_labels`."""

    class_names = tuple(f'{number:03d}' for number in range(1, NUM_SUBJECTS + 1))
    protocols: Mapping[str, Any] = {
        'LT': ('subject', range(74)),
        'MT': ('subject', range(62)),
        'ST': ('subject', range(24)),
    }
    labels: Any

    def names(self) -> list[str]:
        r"""Returns the name of each sequence, such as :obj:`"001-nm-01-090"`."""
        fields: list[Tensor] = [self.labels(f) for f in ('subject', 'condition', 'take', 'view')]
        rows = zip(*(values.tolist() for values in fields))
        return [f'{s + 1:03d}-{CONDITIONS[c]}-{t:02d}-{v:03d}' for s, c, t, v in rows]


def casia_b_labels(subject: str, condition: str, take: str, view: str) -> dict[str, Any] | str:
    r"""Returns the labels of a sequence, given the parts of its name; or the reason to skip it."""
    number = int(subject) - 1
    if not 0 <= number < NUM_SUBJECTS:
        return f'with a subject outside 1..{NUM_SUBJECTS}'
    return {
        'y': number,
        'subject': number,
        'condition': CONDITIONS.index(condition),
        'take': int(take),
        'view': int(view),
    }
