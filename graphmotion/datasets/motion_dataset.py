"""The base of all motion datasets."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphmotion.data import TIME_DIMS, repeat_edge_index
from graphmotion.data.graph_dataset import GraphDataset
from graphmotion.skeletons import Skeleton


class MotionDataset(GraphDataset):
    r"""A set of motion sequences that share a skeleton, with PyG's contract for datasets.

    Samples may differ in length and in the number of people. A subclass sets :obj:`skeleton` and
    :obj:`class_names` before it calls this constructor, and yields its samples from
    :meth:`read`; it names :obj:`raw_file_names` if it reads files. Without a :obj:`root`, samples
    are made in memory and nothing is written.

    :obj:`dataset[i]` is a :class:`~torch_geometric.data.Data` with the fields :obj:`pos`
    :math:`(V, T, D)`, :obj:`edge_index`, :obj:`num_frames` and what else the set provides.
    :meth:`get_batch` puts many together at once.

    Args:
        root (str, optional): Where :obj:`raw/` is found and :obj:`processed/` is written.
            (default: :obj:`None`)
        transform (callable, optional): Applied to each sample on access. (default: :obj:`None`)
        pre_transform (callable, optional): Applied to each sample once, before it is stored.
            (default: :obj:`None`)
        pre_filter (callable, optional): Samples for which it returns :obj:`False` are not stored.
            (default: :obj:`None`)
        force_reload (bool, optional): If :obj:`True`, processes the raw files again.
            (default: :obj:`False`)

    Raises:
        ValueError: If a processed file is damaged or holds something else.
    """

    skeleton: Skeleton
    frame_fields = tuple(TIME_DIMS)
    _bones: Tensor | None = None

    def check(self, data: Data, where: str) -> None:
        r"""Joints of the skeleton in at least one frame, with its bones."""
        pos = data.get('pos')
        if pos is None or pos.dim() != 3:
            raise ValueError(f"{where} has no field 'pos' [num_nodes, num_frames, D]")
        if not pos.size(1):
            raise ValueError(f"{where} has the field 'pos' {list(pos.shape)}: no frame")
        num_joints = self.skeleton.num_joints
        bones = repeat_edge_index(self.skeleton.edge_index, num_joints, pos.size(0) // num_joints)
        edge_index = bones if data.edge_index is None else data.edge_index
        if pos.size(0) % num_joints or not torch.equal(edge_index, bones):
            raise ValueError(
                f'{where} has {pos.size(0)} nodes and {edge_index.size(1)} edges that are not the '
                f'joints and bones of {self.skeleton.name!r}, which all samples share; change '
                f'graphs by transform, not by pre_transform'
            )

    def count_nodes(self, samples: Tensor) -> Tensor:
        r"""Number of joints of the stored samples, of all their people."""
        return self._storage.num_items('pos', samples)

    def make_edges(self, num_nodes: Tensor) -> tuple[Tensor, Tensor]:
        r"""The bones of all bodies, and their number in each sample."""
        one = self.skeleton.edge_index.to(self.device)
        num_joints = self.skeleton.num_joints
        num_bodies = num_nodes // num_joints
        total = int(num_bodies.sum())
        size = total * one.size(1)
        bones = self._bones
        if bones is None or bones.size(1) < size or bones.device != one.device:
            bones = self._bones = repeat_edge_index(one, num_joints, total)
        # The bones of fewer bodies come first; cloned, since the caller may change them.
        edge_index = bones[:, :size].clone(memory_format=torch.contiguous_format)
        return edge_index, num_bodies * one.size(1)
