"""Joints, bones and left-right pairs from names and indices, validated.

``label`` names the object that an error is about, such as ``Skeleton 'arm'``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

Pairs = tuple[tuple[int, int], ...]


def parse_names(names: Iterable[str], label: str) -> tuple[str, ...]:
    """Returns distinct joint names."""
    if isinstance(names, str):
        raise ValueError(f'{label}: joints is a list of names, got the str {names!r}')
    names = tuple(names)
    if not names:
        raise ValueError(f'{label}: a skeleton needs at least one joint')
    seen: set[str] = set()
    for name in names:
        if not isinstance(name, str) or not name:
            raise ValueError(f'{label}: a joint name is a non-empty str, got {name!r}')
        if name in seen:
            raise ValueError(f'{label}: two joints are named {name!r}')
        seen.add(name)
    return names


def parse_index(item: str | int, names: Sequence[str], label: str, kind: str) -> int:
    """Returns the index of a joint or another item given by name or index."""
    if isinstance(item, str):
        if item in names:
            return names.index(item)
        raise ValueError(f'{label}: unknown {kind} {item!r}; expected one of {list(names)}')
    if isinstance(item, bool) or not hasattr(item, '__index__'):
        raise ValueError(
            f'{label}: a {kind} is a name or a position, got {item!r} ({type(item).__name__})'
        )
    index = item.__index__()
    if not 0 <= index < len(names):
        raise ValueError(f'{label}: {kind} position {index} is out of range 0..{len(names) - 1}')
    return index


def parse_bones(
    bones: Iterable[Sequence[str | int]], names: Sequence[str], label: str, tree: bool = True
) -> Pairs:
    """Returns the bones of a tree, or of any graph, as pairs of joint indices."""
    out: list[tuple[int, int]] = []
    parent = list(range(len(names)))  # union-find, to name the bone that closes a cycle

    def find(joint: int) -> int:
        while parent[joint] != joint:
            joint = parent[joint]
        return joint

    seen = set()
    for bone in bones:
        i, j = _parse_pair(bone, names, label, 'a bone is a pair of joints')
        text = f'({names[i]}, {names[j]})'
        if i == j:
            raise ValueError(f'{label}: the bone {text} connects a joint to itself')
        if frozenset((i, j)) in seen:
            raise ValueError(f'{label}: the bone {text} is given twice')
        if tree and find(i) == find(j):
            raise ValueError(
                f'{label}: the bone {text} closes a cycle; bones form a tree unless tree=False'
            )
        seen.add(frozenset((i, j)))
        parent[find(i)] = find(j)
        out.append((i, j))
    unreachable = [name for i, name in enumerate(names) if find(i) != find(0)]
    if tree and unreachable:
        raise ValueError(
            f'{label}: not connected: no path of bones from {names[0]!r} to {unreachable}; bones '
            f'form a tree unless tree=False'
        )
    return tuple(out)


def parse_pairs(pairs: Iterable[Sequence[str | int]], names: Sequence[str], label: str) -> Pairs:
    """Returns disjoint left-right pairs of joint indices."""
    out: list[tuple[int, int]] = []
    seen: set[int] = set()
    for pair in pairs:
        i, j = _parse_pair(pair, names, label, 'a left-right pair is two joints')
        if i == j:
            raise ValueError(f'{label}: {names[i]!r} is paired with itself')
        for joint in (i, j):
            if joint in seen:
                raise ValueError(f'{label}: the joint {names[joint]!r} is in two left-right pairs')
            seen.add(joint)
        out.append((i, j))
    return tuple(out)


def _parse_pair(pair: Any, names: Sequence[str], label: str, rule: str) -> tuple[int, int]:
    try:
        is_pair = not isinstance(pair, str) and len(pair) == 2
    except TypeError:  # no length
        is_pair = False
    if not is_pair:
        raise ValueError(f'{label}: {rule}, got {pair!r}')
    i, j = (parse_index(joint, names, label, 'joint') for joint in pair)
    return i, j
