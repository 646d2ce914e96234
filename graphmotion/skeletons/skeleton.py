"""Skeletons: named joints and the bones between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from graphmotion.skeletons import graph, parsing
from graphmotion.skeletons.hierarchy import Hierarchy, Levels, parse_hierarchies
from graphmotion.skeletons.sides import find_mirror_pairs

if TYPE_CHECKING:
    import networkx as nx


@dataclass(frozen=True, init=False, repr=False)
class Skeleton:
    r"""A tree of named joints, which describes a body to operators, transforms and models, or
    another graph, such as a hand with a closed palm.

    Skeletons are immutable, hashable and compared by value. Joint names and bones suffice to
    define one. Every joint argument accepts a name or an index.

    .. code-block:: python

        arm = Skeleton(['shoulder', 'elbow', 'wrist'],
                       [('shoulder', 'elbow'), ('elbow', 'wrist')], name='arm')

    Args:
        joints (sequence of str): Joint names, in the order of the data.
        bones (sequence of pairs): The two joints of each bone. Unless :obj:`tree` is
            :obj:`False`, :math:`V` joints must be connected by :math:`V - 1` bones.
        name (str, optional): Name of the layout. (default: :obj:`"custom"`)
        center (str or int, optional): The joint that motion is centred on and from which the
            spatial partition is computed. If :obj:`None`, the graph centre of the tree, which
            minimises the maximum distance to all joints. (default: :obj:`None`)
        pairs (sequence of pairs, optional): Left and right joints that mirroring swaps. If
            :obj:`None`, they are inferred from names such as :obj:`"left_knee"` and
            :obj:`"right_knee"`, :obj:`"LKnee"` and :obj:`"RKnee"`, or :obj:`"knee.L"` and
            :obj:`"knee.R"`. (default: :obj:`None`)
        hierarchies (mapping, optional): Named part hierarchies. Each is a list of levels that map
            part names to members: joints in the first level, parts of the previous level in the
            others. (default: :obj:`None`)
        tree (bool, optional): If :obj:`False`, bones may form cycles and several components.
            Bone vectors, :meth:`subset` and whatever else needs the parents of joints are then
            not available unless the bones happen to form a tree. (default: :obj:`True`)

    Raises:
        ValueError: If joint names are not unique, a bone or pair contains an unknown joint, the
            bones do not form a tree although :obj:`tree` is :obj:`True`, or a level of a hierarchy
            is not a partition.
    """

    joints: tuple[str, ...]
    bones: tuple[tuple[int, int], ...]
    name: str
    center: int
    pairs: tuple[tuple[int, int], ...]
    hierarchies: tuple[Hierarchy, ...]

    def __init__(
        self,
        joints: Iterable[str],
        bones: Iterable[Sequence[str | int]],
        name: str = 'custom',
        center: str | int | None = None,
        pairs: Iterable[Sequence[str | int]] | None = None,
        hierarchies: Mapping[str, Levels] | Iterable[Hierarchy] | None = None,
        tree: bool = True,
    ) -> None:
        label = f'Skeleton {name!r}'
        set_field = partial(object.__setattr__, self)  # the dataclass is frozen
        set_field('name', name)
        set_field('joints', parsing.parse_names(joints, label))
        set_field('bones', parsing.parse_bones(bones, self.joints, label, tree))
        set_field(
            'center',
            graph.find_center(self.hop_distance()) if center is None else self.index(center),
        )
        set_field(
            'pairs',
            find_mirror_pairs(self.joints)
            if pairs is None
            else parsing.parse_pairs(pairs, self.joints, label),
        )
        set_field('hierarchies', parse_hierarchies(hierarchies, self.joints, label))

    # Joints ###################################################################

    @property
    def num_joints(self) -> int:
        r"""Number of joints :math:`V`."""
        return len(self.joints)

    @property
    def num_bones(self) -> int:
        r"""Number of bones, :math:`V - 1` for a tree."""
        return len(self.bones)

    @property
    def is_tree(self) -> bool:
        r"""Whether the bones form a tree: connected and without cycles."""
        hops = self.hop_distance()
        return self.num_bones == self.num_joints - 1 and bool((hops < self.num_joints).all())

    def __len__(self) -> int:
        return self.num_joints

    def index(self, joint: str | int) -> int:
        r"""Returns the index of a joint given by name or index.

        Raises:
            ValueError: If there is no such joint.
        """
        return parsing.parse_index(joint, self.joints, f'Skeleton {self.name!r}', 'joint')

    @property
    def mirror(self) -> tuple[int, ...]:
        r"""The joint that replaces each joint in a mirror image: its counterpart, or itself if it
        has no counterpart.
        """
        out = list(range(self.num_joints))
        for left, right in self.pairs:
            out[left], out[right] = right, left
        return tuple(out)

    @property
    def parents(self) -> tuple[int, ...]:
        r"""The neighbour of each joint towards the centre; the centre is its own parent.

        The bone vector of a joint is its position minus the position of its parent; the bone
        vector of the centre is zero.

        Raises:
            ValueError: If the bones do not form a tree.
        """
        if not self.is_tree:
            raise ValueError(
                f'Skeleton {self.name!r} must be a tree, whose joints have parents and bone '
                f'vectors; its {self.num_bones} bones form cycles or several components'
            )
        hops = self.hop_distance()[self.center]
        out = list(range(self.num_joints))
        for i, j in self.bones:
            child, parent = (i, j) if hops[i] > hops[j] else (j, i)
            out[child] = parent
        return tuple(out)

    # The graph ################################################################

    @property
    def edge_index(self) -> Tensor:
        r"""The bones as sorted PyG edges in both directions, :math:`(2, E)` with
        :math:`E = 2(V - 1)` for a tree.

        There are no self-loops and no weights; for the operators of this library, use
        :meth:`edges`.
        """
        both = sorted([(i, j) for i, j in self.bones] + [(j, i) for i, j in self.bones])
        return torch.tensor(both, dtype=torch.long).view(-1, 2).t().contiguous()

    def hop_distance(self) -> Tensor:
        r"""Returns the number of bones between any two joints, :math:`(V, V)`, integers; :math:`V`
        if no path of bones connects them.
        """
        return graph.hop_distance(self.num_joints, self.bones)

    def adjacency(
        self,
        strategy: str = 'uniform',
        max_hop: int = 1,
        normalization: str | None = 'row',
        cap_distance: bool = False,
        per_partition: bool = False,
    ) -> Tensor:
        r"""Returns the normalised adjacency with self-loops, split into :math:`K` partitions.

        The partitions are defined in the `"Spatial Temporal Graph Convolutional Networks for
        Skeleton-Based Action Recognition" <https://arxiv.org/abs/1801.07455>`_ paper. Joint
        :math:`i` receives along row :math:`i`, and the partitions sum to the full adjacency.

        Published weights were trained with other partitions. The tensors :obj:`A` of their code
        are:

        .. code-block:: python

            body = get_skeleton('ntu25_st_gcn')
            # ST-GCN, and PYSKL's 'stgcn_spatial'
            body.adjacency('spatial', cap_distance=True).transpose(1, 2)
            # CTR-GCN, 2s-AGCN, and PYSKL's 'spatial'
            body.adjacency('spatial', normalization='column', per_partition=True)

        CTR-GCN aggregates over rows, as this library does. ST-GCN and 2s-AGCN aggregate over
        columns: transpose their tensors for :class:`~graphmotion.nn.SpatialConv`. See
        :func:`~graphmotion.skeletons.list_skeletons` for the graphs of each.

        Args:
            strategy (str, optional): How neighbours are partitioned:

                1. :obj:`"uniform"`: a single partition, :math:`K = 1`

                2. :obj:`"distance"`: by number of hops, :math:`K = \text{max\_hop} + 1`

                3. :obj:`"spatial"`: the joint itself, then for each hop the neighbours that are
                   at least as far from the centre, and those that are closer to it,
                   :math:`K = 2\,\text{max\_hop} + 1`

                (default: :obj:`"uniform"`)
            max_hop (int, optional): Maximum number of bones between neighbours.
                (default: :obj:`1`)
            normalization (str, optional): :obj:`"row"` for :math:`\mathbf{D}^{-1}\mathbf{A}`,
                :obj:`"column"` for :math:`\mathbf{A}\mathbf{D}^{-1}`, :obj:`"sym"` for
                :math:`\mathbf{D}^{-1/2}\mathbf{A}\mathbf{D}^{-1/2}`, :obj:`None` for
                :math:`\mathbf{A}`. (default: :obj:`"row"`)
            cap_distance (bool, optional): If :obj:`True`, the spatial partition considers all
                joints more than :obj:`max_hop` bones away from the centre equally distant, so that
                their neighbours share one partition. (default: :obj:`False`)
            per_partition (bool, optional): If :obj:`True`, normalises each partition by its own
                degrees, so that partitions do not sum to the full adjacency.
                (default: :obj:`False`)

        Returns:
            Tensor: Single-precision adjacency :math:`(K, V, V)`.

        Raises:
            ValueError: If an argument is invalid.
        """
        return graph.partition(
            self.hop_distance(),
            self.center,
            strategy,
            max_hop,
            normalization,
            cap_distance,
            per_partition,
        )

    def edges(
        self,
        strategy: str = 'uniform',
        max_hop: int = 1,
        normalization: str | None = 'row',
        cap_distance: bool = False,
        per_partition: bool = False,
    ) -> tuple[Tensor, Tensor]:
        r"""Returns :meth:`adjacency` as edges with weights, for batches that mix skeletons.

        An edge from source :math:`j` to target :math:`i` has the weights :math:`\mathbf{A}_{kij}`
        of the partitions :math:`k`. Self-loops are included. In contrast,
        :obj:`(skeleton.edge_index, None)` has neither self-loops nor normalisation, and PyG's
        :func:`dense_to_sparse` takes rows as sources: convert a dense adjacency by
        :obj:`dense_to_sparse(adj.t())`.

        .. code-block:: python

            body, x = get_skeleton('coco17'), torch.rand(17, 60, 3)
            conv = SpatialConv(3, 16, num_partitions=3)
            conv(x, body.edges('spatial'))  # as conv(x, body.adjacency('spatial'))

        Args:
            strategy, max_hop, normalization, cap_distance, per_partition (optional): Arguments of
                :meth:`adjacency`.

        Returns:
            tuple: Sorted edge indices :math:`(2, E)`, and edge weights :math:`(E, K)`, or
            :math:`(E)` for a single partition.

        Raises:
            ValueError: If an argument is invalid.
        """
        adj = self.adjacency(strategy, max_hop, normalization, cap_distance, per_partition)
        source, target = (adj != 0).any(dim=0).t().nonzero(as_tuple=True)
        weight = adj[:, target, source].t().contiguous()
        return torch.stack([source, target]), weight.squeeze(1)

    def to_networkx(self) -> nx.Graph:
        r"""Converts to an undirected graph; nodes are joint indices with a :obj:`name`."""
        import networkx as nx  # slow to import

        out = nx.Graph(name=self.name)
        out.add_nodes_from((i, {'name': name}) for i, name in enumerate(self.joints))
        out.add_edges_from(self.bones)
        return out

    # Parts ####################################################################

    def hierarchy(self, name: str | None = None) -> Hierarchy:
        r"""Returns the part hierarchy of this name, or the first one.

        Raises:
            ValueError: If there is no such hierarchy.
        """
        for hierarchy in self.hierarchies:
            if name is None or hierarchy.name == name:
                return hierarchy
        names = [h.name for h in self.hierarchies]
        wanted = 'a part hierarchy' if name is None else f'the part hierarchy {name!r}'
        raise ValueError(
            f'Skeleton {self.name!r} does not have {wanted}; it has {names}. Pass hierarchies= to '
            f'Skeleton'
        )

    def assignment(self, level: int, source: int = 0, hierarchy: str | None = None) -> Tensor:
        r"""Returns the assignment of the nodes of a finer level to the parts of a coarser one.

        Args:
            level (int): The coarser level; level 0 holds the joints.
            source (int, optional): The finer level. (default: :obj:`0`)
            hierarchy (str, optional): Name of the hierarchy; the first one by default.
                (default: :obj:`None`)

        Returns:
            Tensor: Binary matrix :math:`(P, V)` with a single one in each column.

        Raises:
            ValueError: If the hierarchy has no such level or :obj:`source > level`.
        """
        members = self.hierarchy(hierarchy).members(level, source)
        out = torch.zeros(len(members), sum(len(m) for m in members))
        for part, nodes in enumerate(members):
            out[part, list(nodes)] = 1.0
        return out

    def coarsen(self, level: int, hierarchy: str | None = None) -> Skeleton:
        r"""Returns the skeleton whose joints are the parts of a level.

        Two parts are connected if and only if a bone connects their members. The new centre is the
        part that contains the centre. Two parts are a left-right pair if their members are.

        Raises:
            ValueError: If there is no such level, or the joints form a tree and the parts do not.
        """
        parts = self.hierarchy(hierarchy)
        members = parts.members(level)
        part_of = {joint: part for part, nodes in enumerate(members) for joint in nodes}
        bones = {
            (min(a, b), max(a, b))
            for a, b in ((part_of[i], part_of[j]) for i, j in self.bones)
            if a != b
        }
        mirror = self.mirror
        images = [{part_of[mirror[joint]] for joint in nodes} for nodes in members]
        pairs: dict[frozenset[int], tuple[int, int]] = {}
        for i, j in self.pairs:  # in this order, so that left stays first
            left, right = part_of[i], part_of[j]
            if left != right and images[left] == {right} and images[right] == {left}:
                pairs.setdefault(frozenset((left, right)), (left, right))
        names = parts.names(level) if level else self.joints
        return Skeleton(
            names,
            sorted(bones),
            name=f'{self.name}/{parts.name}{len(members)}',
            center=part_of[self.center],
            pairs=tuple(pairs.values()),
            hierarchies=parts.above(level),
            tree=self.is_tree,
        )

    def subset(self, joints: Iterable[str | int], name: str | None = None) -> Skeleton:
        r"""Returns the skeleton of a subset of the joints, in the given order.

        If the parent of a joint is removed, the joint is connected to its nearest remaining
        ancestor. If the centre is removed, the joint closest to it becomes the centre. Hierarchies
        are dropped.

        .. code-block:: python

            body = get_skeleton('coco17').subset(
                [j for j in get_skeleton('coco17').joints if 'eye' not in j and 'ear' not in j])

        Raises:
            ValueError: If a joint is unknown or given twice, or the bones do not form a tree.
        """
        kept = [self.index(joint) for joint in joints]
        if len(set(kept)) != len(kept) or not kept:
            raise ValueError(
                f'Skeleton {self.name!r}: a subset is a list of different joints, got {kept}'
            )
        position = {joint: i for i, joint in enumerate(kept)}
        parents, hops = self.parents, self.hop_distance()[self.center]
        center = min(kept, key=lambda joint: (int(hops[joint]), position[joint]))
        bones = []
        for joint in kept:
            ancestor = parents[joint]
            while ancestor not in position and ancestor != self.center:
                ancestor = parents[ancestor]
            if joint != center:
                bones.append((position[joint], position.get(ancestor, position[center])))
        return Skeleton(
            tuple(self.joints[joint] for joint in kept),
            tuple(bones),
            name=name or f'{self.name}/{len(kept)}',
            center=position[center],
            pairs=tuple(
                (position[i], position[j]) for i, j in self.pairs if {i, j} <= position.keys()
            ),
        )

    # Printing #################################################################

    def __repr__(self) -> str:
        parts = ''.join(f', {h.name}={"-".join(map(str, h.sizes))}' for h in self.hierarchies)
        return (
            f'{self.__class__.__name__}({self.name}, joints={self.num_joints}, '
            f'center={self.joints[self.center]}, pairs={len(self.pairs)}{parts})'
        )

    def __str__(self) -> str:
        r"""The joints with their indices as an indented tree, from the centre, or, without a tree,
        each with its neighbours.
        """
        lines = [repr(self)]
        if not self.is_tree:
            graph = self.to_networkx()
            lines += [f'  {i} {name}: {sorted(graph[i])}' for i, name in enumerate(self.joints)]
            return '\n'.join(lines)
        parents = self.parents

        def draw(joint: int, depth: int) -> None:
            lines.append(f'{"  " * depth}{joint} {self.joints[joint]}')
            for child in range(self.num_joints):
                if parents[child] == joint and child != joint:
                    draw(child, depth + 1)

        draw(self.center, 1)
        return '\n'.join(lines)
