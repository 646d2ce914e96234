"""Part hierarchies of skeletons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from graphmotion.skeletons.parsing import parse_index

# Members of each part of a level, by name or index, and the levels of a hierarchy.
Level = Mapping[str, str | int | Sequence[str | int]]
Levels = Level | Sequence[Level]


@dataclass(frozen=True)
class Hierarchy:
    r"""Levels of parts over the joints of a skeleton, each a partition of the previous level.

    Created by :class:`Skeleton` from its argument :obj:`hierarchies`. Level 0 holds the joints.

    .. code-block:: python

        parts = get_skeleton('ntu25').hierarchy('parts')
        print(parts.num_joints, len(parts.levels))

    Args:
        name (str): Name of the hierarchy.
        num_joints (int): Number of joints.
        levels (tuple): For each level above the joints, a tuple of :obj:`(part name, members)`,
            where members are indices into the previous level.
    """

    name: str
    num_joints: int
    levels: tuple[tuple[tuple[str, tuple[int, ...]], ...], ...]

    @classmethod
    def from_levels(cls, name: str, joints: Sequence[str], levels: Levels, label: str) -> Hierarchy:
        """Resolves member names level by level and validates that each level is a partition."""
        if isinstance(levels, Mapping):
            levels = [levels]
        finer: tuple[str, ...] = tuple(joints)
        out = []
        for depth, level in enumerate(levels, start=1):
            where = f'{label}, hierarchy {name!r}, level {depth}'
            if not isinstance(level, Mapping):
                raise ValueError(f'{where}: a level maps part names to members, got {level!r}')
            parts = []
            owner: dict[int, str] = {}
            for part, members in level.items():
                if isinstance(members, str) or not isinstance(members, Iterable):
                    members = (members,)
                part_label = f'{where}, part {part!r}'
                positions = tuple(parse_index(m, finer, part_label, 'member') for m in members)
                if not positions:
                    raise ValueError(f'{where}: the part {part!r} is empty')
                for p in positions:
                    if p in owner:
                        raise ValueError(
                            f'{where}: {finer[p]!r} is a member of {owner[p]!r} and of {part!r}'
                        )
                    owner[p] = part
                parts.append((part, positions))
            unassigned = [n for i, n in enumerate(finer) if i not in owner]
            if unassigned:
                raise ValueError(f'{where}: {unassigned} belong to no part')
            if len(parts) >= len(finer):
                raise ValueError(
                    f'{where}: {len(parts)} parts do not coarsen the {len(finer)} nodes below'
                )
            out.append(tuple(parts))
            finer = tuple(part for part, _ in parts)
        if not out:
            raise ValueError(f'{label}, hierarchy {name!r}: a hierarchy needs at least one level')
        return cls(name, len(joints), tuple(out))

    @property
    def num_levels(self) -> int:
        r"""Number of levels, including the joints."""
        return len(self.levels) + 1

    @property
    def sizes(self) -> tuple[int, ...]:
        r"""Number of nodes of each level, strictly decreasing from the joints."""
        return (self.num_joints, *(len(level) for level in self.levels))

    def level_of(self, num_nodes: int) -> int:
        r"""Returns the level with this number of nodes.

        Raises:
            ValueError: If there is no such level.
        """
        if num_nodes not in self.sizes:
            raise ValueError(
                f'the hierarchy {self.name!r} has levels of {list(self.sizes)} nodes, '
                f'none of {num_nodes}'
            )
        return self.sizes.index(num_nodes)

    def names(self, level: int) -> tuple[str, ...]:
        r"""Returns the part names of a level above the joints."""
        self._check(level, 1)
        return tuple(name for name, _ in self.levels[level - 1])

    def members(self, level: int, source: int = 0) -> tuple[tuple[int, ...], ...]:
        r"""Returns the sorted members of each part of a level, as indices into a finer level.

        Raises:
            ValueError: If there is no such level or :obj:`source > level`.
        """
        self._check(level, 0)
        self._check(source, 0)
        if source > level:
            raise ValueError(f'the finer level {source} is above the coarser level {level}')
        out: list[tuple[int, ...]] = [(node,) for node in range(self.sizes[source])]
        for parts in self.levels[source:level]:
            out = [
                tuple(sorted(node for member in members for node in out[member]))
                for _, members in parts
            ]
        return tuple(out)

    def above(self, level: int) -> tuple[Hierarchy, ...]:
        """Returns the hierarchy over the parts of a level, as a tuple of at most one."""
        self._check(level, 0)
        if level == len(self.levels):
            return ()
        return (Hierarchy(self.name, self.sizes[level], self.levels[level:]),)

    def _check(self, level: int, lowest: int) -> None:
        if not lowest <= level < self.num_levels:
            raise ValueError(
                f'the hierarchy {self.name!r} has levels {lowest}..{self.num_levels - 1}, '
                f'got {level}'
            )


def parse_hierarchies(
    hierarchies: Mapping[str, Levels] | Iterable[Hierarchy] | None,
    joints: Sequence[str],
    label: str,
) -> tuple[Hierarchy, ...]:
    """Returns the hierarchies of a skeleton, validated against its joints."""
    if not hierarchies:
        return ()
    if isinstance(hierarchies, Mapping):
        hierarchies = [
            Hierarchy.from_levels(name, joints, levels, label)
            for name, levels in hierarchies.items()
        ]
    for hierarchy in hierarchies:
        if not isinstance(hierarchy, Hierarchy):
            raise ValueError(
                f'{label}: hierarchies is a mapping of names to levels, got {hierarchy!r}'
            )
        if hierarchy.num_joints != len(joints):
            raise ValueError(
                f'{label}: the hierarchy {hierarchy.name!r} groups {hierarchy.num_joints} joints, '
                f'expected {len(joints)}'
            )
    return tuple(hierarchies)
