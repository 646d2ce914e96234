"""Translation of positions to put a joint at the origin."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.config import Configurable
from graphmotion.data import batch_index, from_dense, num_nodes_per_graph
from graphmotion.skeletons import Skeleton, get_skeleton
from graphmotion.transforms.fields import get_pos, joint_indices, set_pos, split_bodies, valid_mask
from graphmotion.transforms.fill_missing import nearest_visible
from graphmotion.transforms.frames import interpolate


class CenterJoint(Configurable, BaseTransform):
    r"""Translates the positions so that a joint is at the origin.

    .. math::
        \mathbf{p}'_{i,t} = \mathbf{p}_{i,t} - \mathbf{p}_{c,t}
        \quad \text{or} \quad
        \mathbf{p}'_{i,t} = \mathbf{p}_{i,t} - \mathbf{p}_{c,0}

    for the centre :math:`c`, in each frame or in the first one. Where the centre is missing, its
    position is interpolated over time, as in :class:`FillMissing`; if it is missing in all
    frames, the positions stay as they are. Missing joints stay at zero. All people are translated
    by the first person's centre, which keeps the distance between them.

    .. code-block:: python

        data = SyntheticGait(num_subjects=1, num_takes=1)[0]
        data = CenterJoint('emotion_gait16')(data)

    Args:
        skeleton (str or Skeleton): The layout.
        joint (str or int or sequence, optional): The joint, or several joints whose mean is the
            centre, e.g. both hips; by default the centre of the skeleton. The published
            preprocessing uses :obj:`"spine_mid"` for NTU RGB+D and :obj:`"spine"` for
            Northwestern-UCLA. (default: :obj:`None`)
        per_frame (bool, optional): If :obj:`False`, all frames are translated by the centre in
            the first one, which keeps the path of the body. (default: :obj:`True`)
        per_body (bool, optional): If :obj:`True`, each person is translated by its own centre.
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
        self.joints = joint_indices(self.skeleton, self.skeleton.center if joint is None else joint)
        self.per_frame = per_frame
        self.per_body = per_body

    def forward(self, data: Data) -> Data:
        """Centres a sample or each sample in a batch."""
        dense = split_bodies(data, get_pos(data), self.skeleton)
        center = self._center(data, dense)
        if not self.per_body:
            counts = num_nodes_per_graph(data).to(center.device) // self.skeleton.num_joints
            first = counts.cumsum(0) - counts  # first body of each graph
            center = center[first[batch_index(data)[:: self.skeleton.num_joints]]]
        # Broadcasting over frames as well takes twice as long.
        center = center.expand(-1, dense.size(2), -1).contiguous()
        return set_pos(data, from_dense(dense - center.unsqueeze(1)))

    def _center(self, data: Data, dense: Tensor) -> Tensor:
        """Returns the centre of each body, ``[M, T, D]``, or ``[M, 1, D]`` for all frames."""
        pos = dense[:, self.joints]
        if data.get('score') is None:
            return (pos if self.per_frame else pos[:, :, :1]).mean(dim=1)
        visible = split_bodies(data, valid_mask(data), self.skeleton)[:, self.joints]
        left, right, weight = nearest_visible(from_dense(visible))
        if not self.per_frame:
            left, right, weight = left[:, :1], right[:, :1], weight[:, :1]
        pos = interpolate(from_dense(pos), left, right, weight).unflatten(0, visible.shape[:2])
        known = visible.any(dim=2)
        pos = pos * known[..., None, None]
        return pos.sum(dim=1) / known.sum(dim=1).clamp(min=1).view(-1, 1, 1)

    def __repr__(self) -> str:
        names = [self.skeleton.joints[joint] for joint in self.joints]
        return (
            f'{self.__class__.__name__}({self.skeleton.name}, {names}, '
            f'per_frame={self.per_frame}, per_body={self.per_body})'
        )
