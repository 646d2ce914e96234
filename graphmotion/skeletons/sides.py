"""Left and right in the names of joints."""

from __future__ import annotations

import re
from collections.abc import Sequence

_SIDES = {'left': 'left', 'l': 'left', 'right': 'right', 'r': 'right'}
# Runs of capitals before a capitalised word (LHip), words, and numbers.
_WORD = re.compile(r'[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+')


def find_mirror_pairs(joints: Sequence[str]) -> tuple[tuple[int, int], ...]:
    r"""Pairs joints whose names differ only in their side, left before right.

    Recognises :obj:`left_hip`, :obj:`leftHip`, :obj:`LeftHip`, :obj:`LHip`, :obj:`l_hip_joint`,
    :obj:`hip.L`, :obj:`HipLeft`, :obj:`lefthip` and :obj:`lhip`. Different spellings of one joint,
    such as :obj:`LeftHip` and :obj:`right_hip`, also form a pair.
    """
    sides = [_split_words(name) or _split_prefix(name, joints) for name in joints]
    left = {rest: i for i, (side, rest) in enumerate(sides) if side == 'left'}
    right = {rest: i for i, (side, rest) in enumerate(sides) if side == 'right'}
    return tuple((i, right[rest]) for rest, i in left.items() if rest in right)


def joint_key(name: str) -> tuple[str, tuple[str, ...]]:
    r"""Returns what different spellings of a joint, such as ``LeftHip`` and ``hip_l``, share."""
    words = tuple(word.lower() for word in _WORD.findall(name))
    return _split_words(name) or ('', words)


def find_moved_joint(names: Sequence[str], joints: Sequence[str]) -> tuple[int, int] | None:
    r"""Returns the index of the first name that has a different index in other joints, and that
    index, or :obj:`None`. Names that the other joints lack are ignored, as are spellings.
    """
    known = {joint_key(joint): index for index, joint in enumerate(joints)}
    for index, name in enumerate(names):
        found = known.get(joint_key(name), index)
        if found != index:
            return index, found
    return None


def _split_words(name: str) -> tuple[str, tuple[str, ...]] | None:
    """Returns the side and the remaining words of a name with a side among its words."""
    words = [word.lower() for word in _WORD.findall(name)]
    found = [k for k, word in enumerate(words) if word in _SIDES]
    if len(found) != 1 or len(words) == 1:
        return None
    k = found[0]
    return _SIDES[words[k]], (*words[:k], *words[k + 1 :])


def _split_prefix(name: str, joints: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Returns the side and the rest of a lower-case name such as ``lhip`` next to ``rhip``."""
    lower = name.lower()
    known = {joint.lower() for joint in joints}
    for left, right in (('left', 'right'), ('l', 'r')):
        for side, own, other in (('left', left, right), ('right', right, left)):
            rest = lower[len(own) :]
            if lower.startswith(own) and len(rest) > 2 and other + rest in known:
                return side, (rest,)
    return '', (lower,)
