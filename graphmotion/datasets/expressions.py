"""Names of facial expressions that are the same in all datasets."""

from __future__ import annotations

#: The expressions in the order of their numbers in CK+.
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
    r"""Returns the expression of a name, such as :obj:`"anger"` for :obj:`"Angry"`, or
    :obj:`None` if the name is unknown.
    """
    name = class_key(name)
    return name if name in EXPRESSIONS else None


def class_key(name: str) -> str:
    r"""Returns a class name in the form in which datasets are compared: in lower case, and for an
    expression its name in :obj:`EXPRESSIONS`, such as :obj:`"happiness"` for :obj:`"Happy"`.
    """
    name = name.lower()
    return _OTHER_NAMES.get(name, name)
