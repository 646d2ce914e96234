"""The base class of skeleton sequence datasets."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphmotion.data import TIME_DIMS, repeat_edge_index
from graphmotion.data.graph_dataset import GraphDataset
from graphmotion.skeletons import Skeleton


class MotionDataset(GraphDataset):
    r"""The base class of datasets of motion sequences with the same skeleton.

    Samples may differ in length and in the number of people. A subclass sets :obj:`skeleton` and
    :obj:`class_names` before it calls this constructor, and yields its samples in :meth:`read`; it
    names :obj:`raw_file_names` if it reads files. Without a :obj:`root`, samples are kept in memory
    and nothing is written.

    :obj:`dataset[i]` is a :class:`~torch_geometric.data.Data` with the fields :obj:`pos`
    :math:`(V, T, D)`, :obj:`edge_index`, :obj:`num_frames`, and labels.

    .. code-block:: python

        actions = SyntheticActions(num_subjects=2, num_takes=1, actions=('wave', 'clap'))
        print(isinstance(actions, MotionDataset), actions.skeleton)

    Args:
        root (str or Path, optional): The folder that contains :obj:`raw/` and :obj:`processed/`.
            (default: :obj:`None`)
        transform (callable, optional): Applied to each sample on access. (default: :obj:`None`)
        pre_transform (callable, optional): Applied to each sample once, before it is stored.
            (default: :obj:`None`)
        pre_filter (callable, optional): Samples for which it returns :obj:`False` are not stored.
            (default: :obj:`None`)
        force_reload (bool, optional): If :obj:`True`, processes the raw files again.
            (default: :obj:`False`)

    Raises:
        ValueError: If a processed file is damaged or invalid.
    """

    skeleton: Skeleton
    frame_fields = tuple(TIME_DIMS)
    _bones: Tensor | None = None

    def check(self, data: Data, where: str) -> None:
        r"""Checks that a sample has at least one frame and the joints and bones of the skeleton."""
        pos = data.get('pos')
        if pos is None or pos.dim() != 3 or not pos.size(1):
            found = 'none' if pos is None else list(pos.shape)
            raise ValueError(
                f"{where} must have a field 'pos' [num_nodes, num_frames, D] with at least one "
                f'frame, got {found}'
            )
        num_joints = self.skeleton.num_joints
        bones = repeat_edge_index(self.skeleton.edge_index, num_joints, pos.size(0) // num_joints)
        edge_index = bones if data.edge_index is None else data.edge_index
        if pos.size(0) % num_joints or not torch.equal(edge_index, bones):
            raise ValueError(
                f'{where} must have the joints and bones of {self.skeleton.name!r}, got '
                f'{pos.size(0)} nodes and {edge_index.size(1)} edges; to change the graph, use '
                f'transform instead of pre_transform'
            )

    def count_nodes(self, samples: Tensor) -> Tensor:
        r"""Returns the number of joints of all people in each stored sample."""
        return self._storage.num_items('pos', samples)

    def make_edges(self, num_nodes: Tensor) -> tuple[Tensor, Tensor]:
        r"""Returns the bones of all bodies, and their number in each sample."""
        one = self.skeleton.edge_index.to(self.device)
        num_joints = self.skeleton.num_joints
        num_bodies = num_nodes // num_joints
        total = int(num_bodies.sum())
        size = total * one.size(1)
        bones = self._bones
        if bones is None or bones.size(1) < size or bones.device != one.device:
            bones = self._bones = repeat_edge_index(one, num_joints, total)
        # Cached bones start with those of fewer bodies; cloned since the caller may change them.
        edge_index = bones[:, :size].clone(memory_format=torch.contiguous_format)
        return edge_index, num_bodies * one.size(1)
