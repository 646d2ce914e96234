"""One name for each facial expression, in all sets of faces."""

from __future__ import annotations

#: In the order of the numbers that CK+ gives them.
EXPRESSIONS = (
    *('neutral', 'anger', 'contempt', 'disgust', 'fear', 'happiness', 'sadness', 'surprise'),
)
_OTHER_NAMES = {
    'angry': 'anger',
    'disgusted': 'disgust',
    'fearful': 'fear',
    'happy': 'happiness',
    'sad': 'sadness',
    'surprised': 'surprise',
}


def find_expression(name: str) -> str | None:
    r"""The expression that a name stands for, as :obj:`"anger"` for :obj:`"Angry"`; none if it is
    no such name.
    """
    name = class_key(name)
    return name if name in EXPRESSIONS else None


def class_key(name: str) -> str:
    r"""The form of a class name in which sets of faces are compared: lower case, and an expression
    by its name in :obj:`EXPRESSIONS`, as :obj:`"happiness"` for :obj:`"Happy"`.
    """
    name = name.lower()
    return _OTHER_NAMES.get(name, name)
