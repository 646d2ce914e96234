"""Answers of a gallery: who a sample shows, and whether it shows a particular person."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

UNKNOWN = 'unknown'


@dataclass(frozen=True, eq=False, repr=False)
class Identification:
    r"""The enrolled people nearest to each sample, returned by :meth:`Gallery.identify`.

    .. code-block:: python

        gallery = Gallery()
        gallery.enroll('anna', torch.tensor([[1.0, 0.0]]))
        gallery.enroll('ben', torch.tensor([[0.0, 1.0]]))
        found = gallery.identify(torch.tensor([[0.9, 0.1], [0.2, 0.8]]))
        print(found.names)  # [('anna', 'ben'), ('ben', 'anna')]

    Args:
        names (list): Names of the :math:`k` nearest people of each sample, nearest first.
        distance (Tensor): Distance of each of these people.
        threshold (float, optional): Distance from which on a person is unknown. If :obj:`None`, all
            samples are known. (default: :obj:`None`)
        people (tuple, optional): Number of the person in a stream of frames that each sample shows,
            or :obj:`None`. (default: :obj:`()`)

    Shapes:
        - **distance:** :math:`(N, k)`
    """

    names: list[tuple[str, ...]]
    distance: Tensor
    threshold: float | None = None
    people: tuple[int | None, ...] = ()

    @property
    def known(self) -> Tensor:
        r"""Whether the nearest person of each sample is nearer than the threshold, :math:`(N)`."""
        nearest = self.distance[:, 0]
        return torch.isfinite(nearest) if self.threshold is None else nearest < self.threshold

    @property
    def labels(self) -> list[str]:
        r"""Name of the nearest person of each sample, or :obj:`"unknown"`."""
        return [ranked[0] if k else UNKNOWN for ranked, k in zip(self.names, self.known.tolist())]

    def __len__(self) -> int:
        return len(self.names)

    def __str__(self) -> str:
        lines = []
        people = self.people or (None,) * len(self)
        rows = zip(people, self.labels, self.names, self.distance.tolist())
        for person, label, names, distances in rows:
            ranked = ', '.join(f'{name} {d:.3f}' for name, d in zip(names, distances))
            where = '' if person is None else f'person {person}: '
            lines.append(f'{where}{label} ({ranked})')
        return '\n'.join(lines)

    def __repr__(self) -> str:
        return '\n'.join([f'{type(self).__name__}({len(self)})', *_indent(self)])


@dataclass(frozen=True, eq=False, repr=False)
class Verification:
    r"""Whether samples belong to a person, returned by :meth:`Gallery.verify`.

    The result for a single sample can be used as a condition.

    .. code-block:: python

        gallery = Gallery()
        gallery.enroll('anna', torch.tensor([[1.0, 0.0]]))
        answer = gallery.verify(torch.tensor([[0.9, 0.1]]), 'anna', threshold=0.2)
        print(bool(answer), answer.distance)  # True tensor([0.0061])

    Args:
        name (str): Name of the person.
        distance (Tensor): Distance of each sample to the person.
        threshold (float): Distance below which samples are accepted.

    Shapes:
        - **distance:** :math:`(N)`
    """

    name: str
    distance: Tensor
    threshold: float

    @property
    def accepted(self) -> Tensor:
        r"""Whether each sample is accepted, :math:`(N)`."""
        return self.distance < self.threshold

    def __bool__(self) -> bool:
        return bool(self.accepted)

    def __len__(self) -> int:
        return len(self.distance)

    def __str__(self) -> str:
        return '\n'.join(
            f'{self.name}: {"accepted" if accepted else "rejected"} (distance {distance:.3f}, '
            f'threshold {self.threshold:.3f})'
            for distance, accepted in zip(self.distance.tolist(), self.accepted.tolist())
        )

    def __repr__(self) -> str:
        return '\n'.join([f'{type(self).__name__}({len(self)})', *_indent(self)])


def _indent(result: Identification | Verification) -> list[str]:
    return [f'  {line}' for line in str(result).splitlines()]
