"""What the data sets made of CASIA-B share: names, labels and protocols."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

CONDITIONS = ('nm', 'bg', 'cl')
NUM_SUBJECTS = 124


class CASIAB:
    r"""The labels of CASIA-B: :obj:`subject` (0..123, the number in the names less 1),
    :obj:`condition` (0 normal, 1 with a bag, 2 in a coat), :obj:`take` (1.. within a condition),
    :obj:`view` (degrees) and :obj:`y`, the subject.
    """

    class_names = tuple(f'{number:03d}' for number in range(1, NUM_SUBJECTS + 1))
    protocols: Mapping[str, Any] = {
        'LT': ('subject', range(74)),
        'MT': ('subject', range(62)),
        'ST': ('subject', range(24)),
    }
    labels: Any

    def names(self) -> list[str]:
        r"""The name of each sequence, as :obj:`001-nm-01-090`."""
        fields: list[Tensor] = [self.labels(f) for f in ('subject', 'condition', 'take', 'view')]
        rows = zip(*(values.tolist() for values in fields))
        return [f'{s + 1:03d}-{CONDITIONS[c]}-{t:02d}-{v:03d}' for s, c, t, v in rows]


def casia_b_labels(subject: str, condition: str, take: str, view: str) -> dict[str, Any] | str:
    r"""The labels of a sequence from the parts of its name; or, in words, why it is left out."""
    number = int(subject) - 1
    if not 0 <= number < NUM_SUBJECTS:
        return f'of a subject outside 1..{NUM_SUBJECTS}'
    return {
        'y': number,
        'subject': number,
        'condition': CONDITIONS.index(condition),
        'take': int(take),
        'view': int(view),
    }
