"""Synthetic actions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from graphmotion.checks import (
    check_angles,
    check_choices,
    check_frame_range,
    check_int,
    check_number,
    check_positive,
)
from graphmotion.data import from_array
from graphmotion.datasets.motion_dataset import MotionDataset
from graphmotion.datasets.processed_files import hashed_name
from graphmotion.skeletons import Skeleton, get_skeleton
from graphmotion.synthetic.action_styles import sample_performances
from graphmotion.synthetic.actions import ACTIONS
from graphmotion.synthetic.actor import simulate_action
from graphmotion.synthetic.body import find_landmarks, rotation_matrix
from graphmotion.synthetic.seeding import keyed_generator

# Increment this part of the names of processed files if the same options give other motions.
_VERSION = 1
_NOISE = 0.008  # metres
_GAP = 6  # number of frames for which a joint is missing
_FRAMES_AT_ONCE = 8192


class SyntheticActions(MotionDataset):
    r"""Procedurally generated actions: wave, clap, raise or lower the arms, punch, throw, kick,
    jump, squat, sit down, stand up, pick up and walk on the spot.

    The trunk and arms of a 3D body move by joint angles, its pelvis and feet along trajectories,
    and its legs follow by inverse kinematics
    (:func:`~graphmotion.synthetic.actor.simulate_action`). Subjects differ in body proportions,
    posture, speed, range of motion, preferred hand and their way to perform each action
    (:mod:`graphmotion.synthetic.action_styles`). Standing up is sitting down in reverse, and
    lowering the arms is raising them in reverse, so a single frame cannot distinguish them; length,
    position and heading are independent of the action. The same seed gives the same motions, and a
    motion depends only on the seed and on its subject, action, take and view, not on the size of
    the dataset.

    .. code-block:: python

        dataset = SyntheticActions(num_subjects=4, num_takes=1)  # 13 actions, 3 views, in memory
        train, test = dataset.official_split('cross_subject')

    Positions are in metres, relative to a point on the ground near the body, with :math:`x` to the
    right of the image, :math:`y` up and :math:`z` towards the camera. Without :obj:`views`, the
    camera is in front. All views of a take show the same motion.

    Samples have the fields :obj:`pos` :math:`(V, T, 3)`, :obj:`score` :math:`(V, T)`, which is 0
    for missing joints and 1 otherwise, :obj:`num_frames`, :obj:`y`, :obj:`subject`, :obj:`take`
    and, with views, :obj:`view` (the position in :obj:`views`; access it as :obj:`data['view']`,
    since PyG has a method of this name). Takes are numbered from 1, other labels from 0.

    The protocol :obj:`"cross_subject"` trains on every other subject, starting with the first;
    :obj:`"cross_view"` trains on all views except the last.

    Args:
        root (str or Path, optional): If given, motions are stored in :obj:`root/processed`, one
            file for each combination of options, and loaded from there the next time.
            (default: :obj:`None`)
        skeleton (str or Skeleton, optional): A skeleton whose joints are landmarks of the synthetic
            body. (default: :obj:`"kinect20"`)
        num_subjects (int, optional): Number of subjects. (default: :obj:`10`)
        num_takes (int, optional): Number of takes of each action of a subject. (default: :obj:`4`)
        actions (sequence of str, optional): The classes, actions from :obj:`ACTIONS`; by default
            all. (default: :obj:`None`)
        views (sequence of int, optional): Camera angles in degrees, from the front to the left side
            of the body; :obj:`None` for no views. (default: :obj:`(-45, 0, 45)`)
        num_frames (int or tuple, optional): Number of frames, or its minimum and maximum, between
            which it is drawn for each motion. Longer actions are accelerated.
            (default: :obj:`(45, 90)`)
        fps (float, optional): Frames per second. (default: :obj:`30`)
        noise (float, optional): Factor of the measurement noise, whose standard deviation is 8 mm
            per coordinate; 0 gives the true positions. (default: :obj:`1`)
        missing (float, optional): Fraction of missing joints. (default: :obj:`0`)
        seed (int, optional): Seed of the subjects and motions. (default: :obj:`0`)
        transform (callable, optional): Applied to each sample on access. (default: :obj:`None`)
        pre_transform (callable, optional): Applied to each sample once, before it is stored.
            (default: :obj:`None`)
        pre_filter (callable, optional): Samples for which it returns :obj:`False` are not stored.
            (default: :obj:`None`)
        force_reload (bool, optional): If :obj:`True`, generates the samples again.
            (default: :obj:`False`)

    Raises:
        ValueError: If an option is invalid, or a joint of the skeleton is unknown.
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
        self.fps = check_positive('fps', fps)
        self.noise = float(check_number('noise', noise, 0))
        if not 0 <= missing < 1:
            raise ValueError(f'missing must be in [0, 1), got {missing!r}')
        self.missing = float(missing)
        self.seed = check_int('seed', seed, 0)
        super().__init__(root, transform, pre_transform, pre_filter, force_reload)

    @property
    def processed_file_names(self) -> list[str]:
        r"""A file for each combination of options."""
        options = (
            _VERSION,
            *(self.skeleton.name, self.skeleton.joints, self.num_subjects, self.num_takes),
            *(self.class_names, self.views, self.frame_range, self.fps, self.noise),
            *(self.missing, self.seed),
        )
        return [hashed_name('actions', options)]

    @property
    def protocols(self) -> Mapping[str, tuple[str, Collection[int]]]:  # type: ignore[override]
        r"""For each protocol, the field that separates training from test samples and its values in
        training. A protocol requires more than one subject or view.
        """
        out: dict[str, tuple[str, Collection[int]]] = {}
        if self.num_subjects > 1:
            out['cross_subject'] = 'subject', range(0, self.num_subjects, 2)
        if self.views is not None and len(self.views) > 1:
            out['cross_view'] = 'view', range(len(self.views) - 1)
        return out

    def read(self) -> Iterator[Data]:
        r"""Yields the motions, sorted by subject, action, take and view."""
        takes = range(1, self.num_takes + 1)
        keys = list(product(range(self.num_subjects), self.class_names, takes))
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

        views = []
        zero = torch.zeros(len(keys))
        place = torch.stack([drawn.position[:, 0], zero, drawn.position[:, 1]], dim=-1)
        for view in self.views or (0,):
            turned = points @ rotation_matrix(drawn.heading - view, zero, zero).unsqueeze(1).mT
            placed = place @ rotation_matrix(zero[:1] - view, zero[:1], zero[:1])[0].T
            views.append(turned + placed[:, None, None])
        for row, (key, length) in enumerate(zip(keys, drawn.lengths.tolist())):
            for number, pos in enumerate(views):
                yield self._measure(key, number, pos[row, :length])

    def _measure(self, key: tuple[int, str, int], number: int, pos: Tensor) -> Data:
        """Makes a sample from true positions [T, V, 3], as measured in the view of that number."""
        subject, action, take = key
        angle = 360 if self.views is None else self.views[number] % 360
        random = keyed_generator(self.seed, 13, subject, self.ACTIONS.index(action), take, angle)
        if self.noise:
            errors = random.standard_normal(pos.shape, np.float32)
            pos = pos + self.noise * _NOISE * torch.from_numpy(errors)
        num_frames, num_joints = pos.shape[:2]
        score = np.ones((num_frames, num_joints), np.float32)
        if self.missing:
            gaps = random.random((num_frames // _GAP + 2, num_joints)) < self.missing
            start = random.integers(_GAP)
            score[gaps.repeat(_GAP, axis=0)[start : start + num_frames]] = 0
        view: dict[str, Any] = {} if self.views is None else {'view': number}
        y = self.class_names.index(action)
        return from_array(
            pos, self.skeleton, score, axes='TVC', y=y, subject=subject, take=take, **view
        )
