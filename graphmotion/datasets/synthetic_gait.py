"""Synthetic gaits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from graphmotion.checks import (
    as_list,
    check_angles,
    check_choice,
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
from graphmotion.synthetic.body import find_landmarks
from graphmotion.synthetic.camera import Camera, self_occlusion, simulate_pose_estimator
from graphmotion.synthetic.seeding import keyed_generator
from graphmotion.synthetic.silhouette import CAPSULE_ENDS, capsule_radii, render_silhouettes
from graphmotion.synthetic.walker import simulate_walk
from graphmotion.synthetic.walking_styles import CONDITIONS, EMOTIONS, Walks, sample_walks

CASIA_B_VIEWS = tuple(range(0, 181, 18))

# Increment this part of the names of processed files if the same options give other gaits.
_VERSION = 1
_NOISE_3D = 0.005  # metres
_FRAMES_AT_ONCE = 4096


class SyntheticGait(MotionDataset):
    r"""Procedurally generated gaits.

    A 3D body walks by forward kinematics with joint-angle curves of human walking
    (:func:`~graphmotion.synthetic.walker.simulate_walk`). Subjects differ in body proportions,
    cadence, step length, arm swing, posture, asymmetry and timing. An emotion changes speed, arm
    swing, bounce, abruptness and, to a lesser extent, posture, differently for each subject. A bag
    or a coat restricts the arms or the legs (:mod:`graphmotion.synthetic.walking_styles`). The same
    seed gives the same gaits, and a gait depends only on the seed and on its subject, emotion,
    condition, take and view, not on the size of the dataset.

    .. code-block:: python

        dataset = SyntheticGait(num_subjects=10, num_takes=1)  # 4 emotions, in memory
        train, val, test = dataset.split((8, 1, 1), seed=0, by='subject')

        dataset = SyntheticGait.casia_b(num_subjects=2, views=[0, 90])  # 10 walks of each and view

    Without :obj:`views`, positions are 3D in metres, with :math:`x` to the left of the subject,
    :math:`y` up and :math:`z` forwards. With views, each gait is recorded by a camera at each angle
    (0 is in front of the subject, 90 to the left, 180 behind), and samples are simulated outputs of
    a pose estimator: positions in pixels, with :math:`x` to the right and :math:`y` down,
    measurement errors, confidences that decrease with the errors, missing joints, and occasional
    swaps of left and right.

    Samples have the fields :obj:`pos` :math:`(V, T, D)`, :obj:`num_frames`, :obj:`y`,
    :obj:`subject`, :obj:`take`, :obj:`emotion` and :obj:`condition` (positions in :obj:`EMOTIONS`
    and :obj:`CONDITIONS`) and, with views, :obj:`score` :math:`(V, T)` and :obj:`view` (degrees;
    access it as :obj:`data['view']`, since PyG has a method of this name). Subjects are numbered
    from 0, and takes from 1 for each emotion and condition, as in CASIA-B, where :obj:`nm-05` is
    take 5 of condition 0.

    Args:
        root (str or Path, optional): If given, gaits are stored in :obj:`root/processed`, one file
            for each combination of options, and loaded from there the next time.
            (default: :obj:`None`)
        skeleton (str or Skeleton, optional): A skeleton whose joints are landmarks of the synthetic
            body. (default: :obj:`"emotion_gait16"`)
        num_subjects (int, optional): Number of subjects. (default: :obj:`40`)
        num_takes (int or sequence of int, optional): Number of takes of each emotion and condition
            of a subject: one number, or one for each condition. (default: :obj:`3`)
        target (str, optional): The label in :obj:`y`, :obj:`"emotion"` or :obj:`"subject"`.
            (default: :obj:`"emotion"`)
        emotions (sequence of str, optional): Emotions from :obj:`EMOTIONS`, the classes if they are
            the target. By default all for the target :obj:`"emotion"` and :obj:`"neutral"` for
            :obj:`"subject"`. (default: :obj:`None`)
        conditions (sequence of str, optional): Conditions from :obj:`CONDITIONS`.
            (default: :obj:`("normal",)`)
        views (sequence of int, optional): Camera angles in degrees. (default: :obj:`None`)
        num_frames (int or tuple, optional): Number of frames, or its minimum and maximum, between
            which it is drawn for each gait. (default: :obj:`48`)
        fps (float, optional): Frames per second. (default: :obj:`30`)
        travel (bool, optional): If :obj:`True`, the subject moves past the origin, as in front of a
            fixed camera; otherwise the pelvis stays above the origin, as on a treadmill.
            (default: :obj:`False`)
        noise (float, optional): Factor of all measurement errors; 0 gives the true positions.
            (default: :obj:`1`)
        silhouettes (bool, optional): If :obj:`True`, adds the field :obj:`silhouettes`
            :math:`(1, T, 64, 44)` of bytes 0 and 1, in which bodies are centred and as high as the
            image. Requires views. (default: :obj:`False`)
        camera (Camera, optional): The camera at each view; by default
            :class:`~graphmotion.synthetic.camera.Camera`. (default: :obj:`None`)
        seed (int, optional): Seed of the subjects and gaits. (default: :obj:`0`)
        transform (callable, optional): Applied to each gait on access. (default: :obj:`None`)
        pre_transform (callable, optional): Applied to each gait once, before it is stored.
            (default: :obj:`None`)
        pre_filter (callable, optional): Gaits for which it returns :obj:`False` are not stored.
            (default: :obj:`None`)
        force_reload (bool, optional): If :obj:`True`, generates the samples again.
            (default: :obj:`False`)

    Raises:
        ValueError: If an option is invalid, a joint of the skeleton is unknown, or a subject walks
            past the camera.
    """

    EMOTIONS = EMOTIONS
    CONDITIONS = CONDITIONS

    def __init__(
        self,
        root: str | Path | None = None,
        skeleton: str | Skeleton = 'emotion_gait16',
        num_subjects: int = 40,
        num_takes: int | Sequence[int] = 3,
        target: str = 'emotion',
        emotions: Sequence[str] | None = None,
        conditions: Sequence[str] = ('normal',),
        views: Sequence[int] | None = None,
        num_frames: int | Sequence[int] = 48,
        fps: float = 30.0,
        travel: bool = False,
        noise: float = 1.0,
        silhouettes: bool = False,
        camera: Camera | None = None,
        seed: int = 0,
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        pre_filter: Callable | None = None,
        force_reload: bool = False,
    ) -> None:
        self.skeleton = get_skeleton(skeleton)
        self._landmarks = find_landmarks(self.skeleton)
        self.target = check_choice('target', target, ('emotion', 'subject'))
        if emotions is None:
            emotions = EMOTIONS if target == 'emotion' else ('neutral',)
        self.emotions = check_choices('emotions', emotions, EMOTIONS)
        self.conditions = check_choices('conditions', conditions, CONDITIONS)
        self.num_subjects = check_int('num_subjects', num_subjects, 1)
        takes = as_list(num_takes, len(self.conditions))
        if len(takes) != len(self.conditions):
            raise ValueError(
                f'num_takes must be one number or one for each of the {len(self.conditions)} '
                f'conditions, got {num_takes!r}'
            )
        self.num_takes = tuple(check_int('num_takes', n, 1) for n in takes)
        self.views = None if views is None else check_angles('views', views)
        self.frame_range = check_frame_range(num_frames)
        if silhouettes and self.views is None:
            raise ValueError('views must be given for silhouettes, such as views=(90,), got None')
        self.fps = check_positive('fps', fps)
        self.noise = float(check_number('noise', noise, 0))
        self.travel, self.silhouettes = bool(travel), bool(silhouettes)
        self.camera = Camera() if camera is None else camera
        self.seed = check_int('seed', seed, 0)
        if target == 'emotion':
            self.class_names = self.emotions
        else:
            self.class_names = tuple(f'{subject + 1:03d}' for subject in range(self.num_subjects))
        super().__init__(root, transform, pre_transform, pre_filter, force_reload)

    @classmethod
    def casia_b(
        cls,
        root: str | Path | None = None,
        num_subjects: int = 124,
        num_frames: int | Sequence[int] = 60,
        seed: int = 0,
        **options: Any,
    ) -> SyntheticGait:
        r"""Creates a dataset with the structure of CASIA-B: 6 normal walks, 2 with a bag and 2 in a
        coat for each subject, seen by 11 cameras at 0, 18, ..., 180 degrees, as 17 COCO joints in
        pixels.

        Subjects cross the images of fixed cameras at 25 frames per second; :obj:`y` is the subject.
        124 subjects give 13,640 sequences.

        Args:
            root (str or Path, optional): See :class:`SyntheticGait`. (default: :obj:`None`)
            num_subjects (int, optional): Number of subjects. (default: :obj:`124`)
            num_frames (int or tuple, optional): Number of frames. (default: :obj:`60`)
            seed (int, optional): Seed of the subjects and gaits. (default: :obj:`0`)
            **options (optional): Other options of :class:`SyntheticGait`, which take precedence.
        """
        preset: dict[str, Any] = {
            'skeleton': 'coco17',
            'num_takes': (6, 2, 2),
            'target': 'subject',
            'conditions': CONDITIONS,
            'views': CASIA_B_VIEWS,
            'fps': 25.0,
            'travel': True,
        }
        return cls(
            root, num_subjects=num_subjects, num_frames=num_frames, seed=seed, **(preset | options)
        )

    @property
    def processed_file_names(self) -> list[str]:
        r"""A file for each combination of options."""
        options = (
            _VERSION,
            *(self.skeleton.name, self.skeleton.joints, self.num_subjects, self.num_takes),
            *(self.target, self.emotions, self.conditions, self.views, self.frame_range),
            *(self.fps, self.travel, self.noise, self.silhouettes, self.camera, self.seed),
        )
        return [hashed_name('gait', options)]

    def read(self) -> Iterator[Data]:
        r"""Yields the gaits, sorted by subject, emotion, condition, take and view."""
        keys = [
            (subject, emotion, condition, take)
            for subject, emotion in product(range(self.num_subjects), self.emotions)
            for condition, num_takes in zip(self.conditions, self.num_takes)
            for take in range(1, num_takes + 1)
        ]
        num_views = len(self.views or (0,))
        step = max(1, _FRAMES_AT_ONCE // (num_views * self.frame_range[1]))
        for start in range(0, len(keys), step):
            yield from self._generate(keys[start : start + step])

    def _generate(self, keys: list[tuple[int, str, str, int]]) -> Iterator[Data]:
        walks = sample_walks(self.seed, keys)
        low, high = self.frame_range
        lengths = (low + (walks.length * (high - low + 1)).long()).clamp(max=high)
        names = [*self._landmarks, 'pelvis', 'thorax']
        if self.silhouettes:
            names += [name for ends in CAPSULE_ENDS for name in ends]
        points = simulate_walk(walks.traits, walks.phase(high, self.fps), names, self.travel)
        num_joints = self.skeleton.num_joints
        if self.travel:
            middle = points[torch.arange(len(keys)), lengths // 2, num_joints, 2]
            points[..., 2] += (walks.traits['offset'] - middle)[:, None, None]

        if self.views is None:
            pos = points[:, :, :num_joints]
            generators = [self._generator(key, None) for key in keys]
            errors = np.stack([g.standard_normal(pos[0].shape, np.float32) for g in generators])
            pos = pos + self.noise * _NOISE_3D * torch.from_numpy(errors)
            for key, length, one in zip(keys, lengths.tolist(), pos):
                yield from_array(one[:length], self.skeleton, axes='TVC', **self._labels(key))
            return

        recorded = [self._record(view, keys, walks, points) for view in self.views]
        for row, (key, length) in enumerate(zip(keys, lengths.tolist())):
            for view, (pos, score, images) in zip(self.views, recorded):
                data = from_array(
                    pos[row, :length],
                    self.skeleton,
                    score[row, :length],
                    axes='TVC',
                    **self._labels(key),
                    view=view,
                )
                if images is not None:
                    data.silhouettes = images[row : row + 1, :length].clone()
                yield data

    def _record(
        self, view: int, keys: list[tuple[int, str, str, int]], walks: Walks, points: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Returns the joints, scores and silhouettes in the camera of a view."""
        angles = view - walks.traits['heading']
        num_joints = self.skeleton.num_joints
        pixels, depth = self.camera.project(points, angles)
        joints, behind = pixels[:, :, :num_joints], depth[:, :, :num_joints]
        trunk = torch.cat([pixels, depth.unsqueeze(-1)], dim=-1)[:, :, num_joints:][:, :, :2]
        occlusion = self_occlusion(
            joints, behind, trunk.mean(2), angles, self._landmarks, self.camera.focal_length
        )
        generators = [self._generator(key, view) for key in keys]
        pos, score = simulate_pose_estimator(
            joints,
            occlusion,
            self.camera.focal_length / behind,
            self._landmarks,
            self.noise,
            generators,
        )
        score = score * self.camera.in_image(pos)
        if not self.silhouettes:
            return pos, score, None
        ends = pixels[:, :, num_joints + 2 :].unflatten(2, (-1, 2)).flatten(0, 1)
        size = self.camera.focal_length / depth[:, :, num_joints + 2 :].unflatten(2, (-1, 2))
        radii = capsule_radii(walks.traits).unsqueeze(1) * size
        images = render_silhouettes(ends, radii.flatten(0, 1))
        return pos, score, images.unflatten(0, pixels.shape[:2])

    def _labels(self, key: tuple[int, str, str, int]) -> dict[str, Any]:
        subject, emotion, condition, take = key
        return {
            'y': subject if self.target == 'subject' else self.emotions.index(emotion),
            'subject': subject,
            'emotion': EMOTIONS.index(emotion),
            'condition': CONDITIONS.index(condition),
            'take': take,
        }

    def _generator(self, key: tuple[int, str, str, int], view: int | None) -> np.random.Generator:
        """Returns the random generator of the measurement errors of a sequence."""
        subject, emotion, condition, take = key
        code = EMOTIONS.index(emotion), CONDITIONS.index(condition)
        return keyed_generator(
            self.seed, 4, subject, *code, take, 360 if view is None else view % 360
        )
