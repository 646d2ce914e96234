"""Generated actions."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from graphmotion.checks import check_angles, check_choices, check_frame_range, check_int
from graphmotion.data import from_array
from graphmotion.datasets.motion_dataset import MotionDataset
from graphmotion.skeletons import Skeleton, get_skeleton
from graphmotion.synthetic.action_styles import sample_performances
from graphmotion.synthetic.actions import ACTIONS
from graphmotion.synthetic.actor import simulate_action
from graphmotion.synthetic.body import find_landmarks, rotation_matrix
from graphmotion.synthetic.seeding import keyed_generator

# Part of the name of processed files: to be raised when the same options give other motions.
_VERSION = 1
_NOISE = 0.008  # metres
_GAP = 6  # frames for which a joint that is lost stays lost
_FRAMES_AT_ONCE = 8192


class SyntheticActions(MotionDataset):
    r"""Actions of a procedural body, which need no download: to wave, clap, raise or lower the
    arms, punch, throw, kick, jump, squat, sit down, stand up, pick up and walk on the spot.

    A 3D body of its own proportions moves its trunk and arms by joint angles, and its feet and
    pelvis by where they are, the legs following by inverse kinematics
    (:func:`~graphmotion.synthetic.actor.simulate_action`). Subjects differ in body, posture,
    speed, the size of movements, the hand that they use, and in how they do each action
    (:mod:`graphmotion.synthetic.action_styles`). To stand up is to sit down backwards, and to lower
    the arms is to raise them backwards, so no single frame tells which of the two it is; nor do
    length, place or heading tell anything of the action. The same seed gives the same motions,
    and a motion depends only on the seed and on its own subject, action, take and view, not on how
    many others there are.

    .. code-block:: python

        dataset = SyntheticActions()  # 10 subjects, 13 actions, 4 takes, 3 views, in memory
        train, test = dataset.official_split('cross_subject')

    Samples are 3D, in metres: :math:`x` to the right of the camera's image, :math:`y` up from the
    ground and :math:`z` to the camera, from a place near the body. Without :obj:`views`, they are
    seen from the front. All views of a take are of the same motion.

    Samples have :obj:`pos` :math:`(V, T, 3)`, :obj:`score` :math:`(V, T)`, 0 for a missing joint,
    else 1, :obj:`num_frames`, and the labels :obj:`y`, :obj:`subject` and :obj:`take` and, with
    views, :obj:`view` (the position in :obj:`views`; read it as :obj:`data['view']`, for PyG has a
    method of that name). All count from 0 but takes, which count from 1.

    The protocols are :obj:`"cross_subject"`, in which every other subject, from the first on,
    trains, and :obj:`"cross_view"`, in which all views but the last do.

    Args:
        root (str or Path, optional): If given, motions are stored in :obj:`root/processed`, a file
            for each set of options, and loaded from there the next time. (default: :obj:`None`)
        skeleton (str or Skeleton, optional): The layout; your own, if the walker knows its joint
            names. (default: :obj:`"kinect20"`)
        num_subjects (int, optional): Number of subjects. (default: :obj:`10`)
        num_takes (int, optional): Takes of each subject in each action. (default: :obj:`4`)
        actions (sequence of str, optional): Actions from :obj:`ACTIONS`, by default all; class
            :math:`c` is the :math:`c`-th of them. (default: :obj:`None`)
        views (sequence of int, optional): Where cameras stand, in degrees from the front to the
            body's left side; :obj:`None` for no views. (default: :obj:`(-45, 0, 45)`)
        num_frames (int or tuple, optional): Number of frames, or the least and the greatest
            between which each motion's own number is drawn. Where actions would take longer,
            they are done faster. (default: :obj:`(45, 90)`)
        fps (float, optional): Frames a second. (default: :obj:`30`)
        noise (float, optional): A factor on the measurement errors, 8 mm in each coordinate; 0
            gives the true positions. (default: :obj:`1`)
        missing (float, optional): The share of joints that are lost, for some frames each.
            (default: :obj:`0`)
        seed (int, optional): Another seed gives other subjects. (default: :obj:`0`)
        transform (callable, optional): Applied to each sample on access. (default: :obj:`None`)
        pre_transform (callable, optional): Applied to each sample once, before it is stored.
            (default: :obj:`None`)
        pre_filter (callable, optional): Samples for which it returns :obj:`False` are not stored.
            (default: :obj:`None`)
        force_reload (bool, optional): If :obj:`True`, generates the samples again.
            (default: :obj:`False`)

    Raises:
        ValueError: If an option is not one of those named here, or a joint of the skeleton is not
            known to the walker.
    """

    ACTIONS = tuple(ACTIONS)

    def __init__(
        self,
        root: str | Path | None = None,
        skeleton: str | Skeleton = 'kinect20',
        num_subjects: int = 10,
        num_takes: int = 4,
        actions: Sequence[str] | None = None,
        views: Sequence[int] | None = (-45, 0, 45),
        num_frames: int | Sequence[int] = (45, 90),
        fps: float = 30.0,
        noise: float = 1.0,
        missing: float = 0.0,
        seed: int = 0,
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        pre_filter: Callable | None = None,
        force_reload: bool = False,
    ) -> None:
        self.skeleton = get_skeleton(skeleton)
        self._landmarks = find_landmarks(self.skeleton)
        self.num_subjects = check_int('num_subjects', num_subjects, 1)
        self.num_takes = check_int('num_takes', num_takes, 1)
        self.class_names = check_choices(
            'actions', self.ACTIONS if actions is None else actions, self.ACTIONS
        )
        self.views = None if views is None else check_angles('views', views)
        self.frame_range = check_frame_range(num_frames)
        if not fps > 0:
            raise ValueError(f'fps is positive, got {fps!r}')
        if not noise >= 0:
            raise ValueError(f'noise is at least 0, got {noise!r}')
        if not 0 <= missing < 1:
            raise ValueError(f'missing is a share of at least 0 and below 1, got {missing!r}')
        self.fps, self.noise, self.missing = float(fps), float(noise), float(missing)
        self.seed = check_int('seed', seed, 0)
        super().__init__(root, transform, pre_transform, pre_filter, force_reload)

    @property
    def processed_file_names(self) -> list[str]:
        r"""One file for each set of options."""
        options = (
            _VERSION,
            *(self.skeleton.name, self.skeleton.joints, self.num_subjects, self.num_takes),
            *(self.class_names, self.views, self.frame_range, self.fps, self.noise),
            *(self.missing, self.seed),
        )
        return [f'actions_{hashlib.sha256(repr(options).encode()).hexdigest()[:16]}.pt']

    @property
    def protocols(self) -> Mapping[str, tuple[str, Collection[int]]]:  # type: ignore[override]
        r"""For each protocol the field that parts training from test samples, and its values in
        training; those with a single subject or view are left out.
        """
        out: dict[str, tuple[str, Collection[int]]] = {}
        if self.num_subjects > 1:
            out['cross_subject'] = 'subject', range(0, self.num_subjects, 2)
        if self.views is not None and len(self.views) > 1:
            out['cross_view'] = 'view', range(len(self.views) - 1)
        return out

    def read(self) -> Iterator[Data]:
        r"""The motions by subject, action, take and view."""
        keys = [
            (subject, action, take)
            for subject, action, take in product(
                range(self.num_subjects), self.class_names, range(1, self.num_takes + 1)
            )
        ]
        step = max(1, _FRAMES_AT_ONCE // self.frame_range[1])
        for start in range(0, len(keys), step):
            yield from self._generate(keys[start : start + step])

    def _generate(self, keys: list[tuple[int, str, int]]) -> Iterator[Data]:
        drawn = sample_performances(self.seed, keys, self.frame_range, self.fps)
        points = simulate_action(drawn.traits, drawn.curves, [*self._landmarks, 'pelvis'])
        points, pelvis = points[:, :, :-1], points[:, :, -1]
        inside = torch.arange(points.size(1)) < drawn.lengths.unsqueeze(1)
        mean = (pelvis * inside.unsqueeze(-1)).sum(1) / drawn.lengths.unsqueeze(1)
        mean[:, 1] = 0
        points = points - mean[:, None, None]

        seen = []
        zero = torch.zeros(len(keys))
        place = torch.stack([drawn.position[:, 0], zero, drawn.position[:, 1]], dim=-1)
        for view in self.views or (0,):
            turned = points @ rotation_matrix(drawn.heading - view, zero, zero).unsqueeze(1).mT
            placed = place @ rotation_matrix(zero[:1] - view, zero[:1], zero[:1])[0].T
            seen.append(turned + placed[:, None, None])
        for row, (key, length) in enumerate(zip(keys, drawn.lengths.tolist())):
            for number, pos in enumerate(seen):
                yield self._measure(key, number, pos[row, :length])

    def _measure(self, key: tuple[int, str, int], number: int, pos: Tensor) -> Data:
        """A sample: the true positions (T, V, 3) as the camera of that number finds them."""
        subject, action, take = key
        angle = 360 if self.views is None else self.views[number] % 360
        source = keyed_generator(self.seed, 13, subject, self.ACTIONS.index(action), take, angle)
        if self.noise:
            errors = source.standard_normal(pos.shape, np.float32)
            pos = pos + self.noise * _NOISE * torch.from_numpy(errors)
        num_frames, num_joints = pos.shape[:2]
        score = np.ones((num_frames, num_joints), np.float32)
        if self.missing:
            lost = source.random((num_frames // _GAP + 2, num_joints)) < self.missing
            start = source.integers(_GAP)
            score[lost.repeat(_GAP, axis=0)[start : start + num_frames]] = 0
        view: dict[str, Any] = {} if self.views is None else {'view': number}
        y = self.class_names.index(action)
        return from_array(pos, self.skeleton, score, y=y, subject=subject, take=take, **view)
