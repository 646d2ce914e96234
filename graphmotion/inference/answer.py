"""What a recognizer says about recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

from torch import Tensor

# Number of classes that are printed.
_SHOWN = 5


@dataclass(frozen=True, repr=False)
class Answer:
    r"""The class of a person in a recording, or of another sample.

    .. code-block:: python

        >>> answer = Answer({'happy': 0.8, 'sad': 0.2}, frames=(0, 48), person=0)
        >>> answer.label, answer.probability
        ('happy', 0.8)
        >>> print(answer)
        person 0, frames 0-47: happy 0.80, sad 0.20

    Args:
        probabilities (dict): Probability of each class by its name.
        frames (tuple, optional): First frame that the answer was computed from, and the frame after
            the last one; :obj:`None` for samples without frames. (default: :obj:`None`)
        person (int, optional): Number of the person in a recording of several people, most visible
            person first. (default: :obj:`None`)
        source (str, optional): Path of the file. (default: :obj:`None`)
        windows (tuple of Answer, optional): The answers for each window of a long recording, of
            which this answer is the mean. (default: :obj:`()`)
    """

    probabilities: dict[str, float]
    frames: tuple[int, int] | None = None
    person: int | None = None
    source: str | None = None
    windows: tuple[Answer, ...] = ()

    @classmethod
    def from_row(
        cls,
        row: Tensor,
        class_names: Sequence[str],
        frames: tuple[int, int] | None = None,
        person: int | None = None,
        source: str | None = None,
        windows: Sequence[Answer] = (),
    ) -> Answer:
        r"""Makes an answer from probabilities :math:`(\text{num\_classes})`."""
        probabilities = dict(zip(class_names, row.tolist(), strict=True))
        return cls(probabilities, frames, person, source, tuple(windows))

    @property
    def label(self) -> str:
        r"""Name of the most probable class."""
        return max(self.probabilities, key=self.probabilities.__getitem__)

    @property
    def probability(self) -> float:
        r"""Probability of the most probable class."""
        return self.probabilities[self.label]

    def __str__(self) -> str:
        where = [] if self.source is None else [self.source]
        if self.person is not None:
            where.append(f'person {self.person}')
        if self.frames is not None:
            where.append(f'frames {self.frames[0]}-{self.frames[1] - 1}')
        ranked = sorted(self.probabilities.items(), key=lambda item: -item[1])
        classes = [f'{name} {value:.2f}' for name, value in ranked[:_SHOWN]]
        if len(ranked) > _SHOWN:
            classes.append(f'and {len(ranked) - _SHOWN} more')
        return ': '.join([', '.join(part) for part in (where, classes) if part])

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self})'


class Answers(Sequence[Answer]):
    r"""The answers for all people or samples of a source, which print one per line.

    .. code-block:: python

        for answer in recognizer('walk.json'):
            print(answer.label, answer.probability, answer.frames, answer.person)

    Args:
        answers (sequence of Answer): The answers.
    """

    def __init__(self, answers: Sequence[Answer]) -> None:
        self._answers = tuple(answers)

    @overload
    def __getitem__(self, index: int) -> Answer: ...

    @overload
    def __getitem__(self, index: slice) -> Answers: ...

    def __getitem__(self, index: int | slice) -> Answer | Answers:
        if isinstance(index, slice):
            return Answers(self._answers[index])
        return self._answers[index]

    def __len__(self) -> int:
        return len(self._answers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Answers) and self._answers == other._answers

    def __hash__(self) -> int:
        return hash(tuple(answer.source for answer in self))

    @property
    def labels(self) -> list[str]:
        r"""Name of the most probable class of each answer."""
        return [answer.label for answer in self]

    def __str__(self) -> str:
        return '\n'.join(map(str, self))

    def __repr__(self) -> str:
        return '\n'.join([f'{self.__class__.__name__}({len(self)})', *(f'  {a}' for a in self)])
