"""Positions relative to a joint."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.data import batch_index, from_dense
from graphmotion.skeletons import Skeleton, get_skeleton
from graphmotion.transforms.fields import bodies, joint_group, positions, set_pos, valid_mask
from graphmotion.transforms.fill_missing import nearest_seen
from graphmotion.transforms.frames import interpolate


class CenterJoint(BaseTransform):
    r"""Moves the positions so that a joint lies at the origin.

    .. math::
        \mathbf{p}'_{i,t} = \mathbf{p}_{i,t} - \mathbf{p}_{c,t}
        \quad \text{or} \quad
        \mathbf{p}'_{i,t} = \mathbf{p}_{i,t} - \mathbf{p}_{c,0}

    for the centre :math:`c`, in every frame or by the first frame. Where the centre is missing,
    its position is interpolated in time as :class:`FillMissing` does; if it is never there,
    nothing is moved. Missing joints stay at zero. Two people are moved alike, by the first
    person's centre, so that the distance between them is kept.

    Args:
        skeleton (str or Skeleton): The layout.
        joint (str or int or sequence, optional): The joint, or several whose mean is the centre,
            e.g. both hips. By default the centre of the skeleton; the published preprocessing of
            NTU RGB+D takes :obj:`"spine_mid"`, that of Northwestern-UCLA :obj:`"spine"`.
            (default: :obj:`None`)
        per_frame (bool, optional): If set to :obj:`False`, all frames are moved as the first one
            is, which keeps the path of the body. (default: :obj:`True`)
        per_body (bool, optional): If set to :obj:`True`, each person is moved by its own centre.
            (default: :obj:`False`)

    Raises:
        ValueError: If the joint is unknown, or the number of nodes is not a multiple of the
            joints of the skeleton.
    """

    def __init__(
        self,
        skeleton: str | Skeleton,
        joint: str | int | Sequence[str | int] | None = None,
        per_frame: bool = True,
        per_body: bool = False,
    ) -> None:
        self.skeleton = get_skeleton(skeleton)
        self.joints = joint_group(self.skeleton, self.skeleton.center if joint is None else joint)
        self.per_frame = per_frame
        self.per_body = per_body

    def forward(self, data: Data) -> Data:
        """Centre a sample or a batch."""
        dense = bodies(data, positions(data), self.skeleton)
        center = self._center(data, dense)
        if not self.per_body:
            graph = batch_index(data)[:: self.skeleton.num_joints].contiguous()
            center = center[torch.searchsorted(graph, graph)]  # of the first body of its graph
        return set_pos(data, from_dense(dense - center.unsqueeze(1)))

    def _center(self, data: Data, dense: Tensor) -> Tensor:
        """The centre of each body: ``[M, T, D]``, one frame if it is the same in all."""
        place = dense[:, self.joints]
        if data.get('score') is None:
            return (place if self.per_frame else place[:, :, :1]).mean(dim=1)
        seen = bodies(data, valid_mask(data), self.skeleton)[:, self.joints]
        left, right, weight = nearest_seen(from_dense(seen))
        if not self.per_frame:
            left, right, weight = left[:, :1], right[:, :1], weight[:, :1]
        place = interpolate(from_dense(place), left, right, weight).unflatten(0, seen.shape[:2])
        known = seen.any(dim=2)
        place = place * known[..., None, None]
        return place.sum(dim=1) / known.sum(dim=1).clamp(min=1).view(-1, 1, 1)

    def __repr__(self) -> str:
        names = [self.skeleton.joints[joint] for joint in self.joints]
        return (
            f'{self.__class__.__name__}({self.skeleton.name}, {names}, '
            f'per_frame={self.per_frame}, per_body={self.per_body})'
        )
