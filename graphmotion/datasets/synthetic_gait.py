"""Generated gaits."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from graphmotion.checks import as_list, check_angles, check_choices, check_frame_range, check_int
from graphmotion.data import from_array
from graphmotion.datasets.motion_dataset import MotionDataset
from graphmotion.skeletons import Skeleton, get_skeleton
from graphmotion.synthetic.body import find_landmarks
from graphmotion.synthetic.camera import Camera, self_occlusion, simulate_pose_estimator
from graphmotion.synthetic.seeding import keyed_generator
from graphmotion.synthetic.silhouette import CAPSULE_ENDS, capsule_radii, render_silhouettes
from graphmotion.synthetic.walker import simulate_walk
from graphmotion.synthetic.walking_styles import CONDITIONS, EMOTIONS, Walks, sample_walks

CASIA_B_VIEWS = tuple(range(0, 181, 18))

# Part of the name of processed files: to be raised when the same options give other gaits.
_VERSION = 1
_NOISE_3D = 0.005  # metres
_FRAMES_AT_ONCE = 4096


class SyntheticGait(MotionDataset):
    r"""Gaits of a procedural walker, which need no download.

    A 3D body of its own proportions walks by forward kinematics from joint-angle curves of human
    walking (:func:`~graphmotion.synthetic.walker.simulate_walk`). Subjects differ in body, cadence,
    step length, arm swing, posture, asymmetry and timing; an emotion changes speed, arm swing,
    bounce, abruptness and, less, the posture, each subject showing it in a way of their own; a bag
    or a coat hinders the arms or the legs (:mod:`graphmotion.synthetic.walking_styles`, with the
    sources). The same seed gives the same gaits, and a gait depends only on the seed and on its
    own subject, emotion, condition, take and view, not on how many others there are.

    .. code-block:: python

        dataset = SyntheticGait()  # 40 subjects, 4 emotions, 3 takes, in memory
        train, val, test = dataset.split((8, 1, 1), seed=0, by='subject')

        dataset = SyntheticGait.casia_b('data/synthetic_casia_b')  # 13,640 sequences

    Without :obj:`views` samples are 3D, in metres: :math:`x` to the walker's left, :math:`y` up
    from the ground and :math:`z` ahead. With views, each gait is filmed by a camera at each of
    them, 0 in front of the walker, 90 to the left, 180 behind, and samples are what a pose
    estimator would report: pixels, :math:`x` to the right and :math:`y` down, with errors, a
    confidence that falls with them, lost joints and rare exchanges of left and right.

    Samples have :obj:`pos` :math:`(V, T, D)`, with views :obj:`score` :math:`(V, T)`,
    :obj:`num_frames`, and the labels :obj:`y`, :obj:`subject` and :obj:`take`,
    :obj:`emotion` and :obj:`condition` (positions in :obj:`EMOTIONS` and :obj:`CONDITIONS`) and,
    with views, :obj:`view` (degrees; read it as :obj:`data['view']`, for PyG has a method of that
    name). Subjects count from 0; takes count from 1 within an emotion
    and a condition, as in CASIA-B, whose :obj:`nm-05` is take 5 of condition 0.

    Args:
        root (str or Path, optional): If given, gaits are stored in :obj:`root/processed`, a file
            for each set of options, and loaded from there the next time. (default: :obj:`None`)
        skeleton (str or Skeleton, optional): The layout; your own, if the walker knows its joint
            names. (default: :obj:`"emotion_gait16"`)
        num_subjects (int, optional): Number of subjects. (default: :obj:`40`)
        num_takes (int or sequence of int, optional): Takes of each subject in each emotion and
            condition, one number or one for each condition. (default: :obj:`3`)
        target (str, optional): What :obj:`y` is, :obj:`"emotion"` or :obj:`"subject"`.
            (default: :obj:`"emotion"`)
        emotions (sequence of str, optional): Emotions from :obj:`EMOTIONS`; class
            :math:`c` is the :math:`c`-th of them. By default all for the target
            :obj:`"emotion"` and :obj:`"neutral"` for :obj:`"subject"`. (default: :obj:`None`)
        conditions (sequence of str, optional): Conditions from :obj:`CONDITIONS`.
            (default: :obj:`("normal",)`)
        views (sequence of int, optional): Camera angles in degrees. (default: :obj:`None`)
        num_frames (int or tuple, optional): Number of frames, or the least and the greatest
            between which each gait's own number is drawn. (default: :obj:`48`)
        fps (float, optional): Frames a second. (default: :obj:`30`)
        travel (bool, optional): If :obj:`True`, the walker passes near the origin in mid
            sequence, as before a fixed camera; else the pelvis stays above it, as on a treadmill.
            (default: :obj:`False`)
        noise (float, optional): A factor on all measurement errors; 0 gives the true positions.
            (default: :obj:`1`)
        silhouettes (bool, optional): If :obj:`True`, samples have :obj:`silhouettes`
            :math:`(1, T, 64, 44)`, bytes 0 and 1, bodies centred and as high as the image. Needs
            views. (default: :obj:`False`)
        camera (Camera, optional): The camera at each view; by default
            :class:`~graphmotion.synthetic.camera.Camera`. (default: :obj:`None`)
        seed (int, optional): Another seed gives other subjects. (default: :obj:`0`)
        transform (callable, optional): Applied to each gait on access. (default: :obj:`None`)
        pre_transform (callable, optional): Applied to each gait once, before it is stored.
            (default: :obj:`None`)
        pre_filter (callable, optional): Gaits for which it returns :obj:`False` are not stored.
            (default: :obj:`None`)
        force_reload (bool, optional): If :obj:`True`, generates the samples again.
            (default: :obj:`False`)

    Raises:
        ValueError: If an option is not one of those named here, a joint of the skeleton is not
            known to the walker, or a walk leads past the camera.
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
        if target not in ('emotion', 'subject'):
            raise ValueError(f"target is 'emotion' or 'subject', got {target!r}")
        if emotions is None:
            emotions = EMOTIONS if target == 'emotion' else ('neutral',)
        self.target = target
        self.emotions = check_choices('emotions', emotions, EMOTIONS)
        self.conditions = check_choices('conditions', conditions, CONDITIONS)
        self.num_subjects = check_int('num_subjects', num_subjects, 1)
        takes = as_list(num_takes, len(self.conditions))
        if len(takes) != len(self.conditions):
            raise ValueError(
                f'num_takes is one number or one for each of the {len(self.conditions)} '
                f'conditions, got {num_takes!r}'
            )
        self.num_takes = tuple(check_int('num_takes', n, 1) for n in takes)
        self.views = None if views is None else check_angles('views', views)
        self.frame_range = check_frame_range(num_frames)
        if not fps > 0:
            raise ValueError(f'fps is positive, got {fps!r}')
        if not noise >= 0:
            raise ValueError(f'noise is at least 0, got {noise!r}')
        if silhouettes and self.views is None:
            raise ValueError('silhouettes are seen by a camera: give views, such as views=(90,)')
        self.fps, self.noise = float(fps), float(noise)
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
        r"""The shape of CASIA-B: for each subject 6 normal walks, 2 with a bag and 2 in a coat,
        each seen by 11 cameras at 0, 18, ..., 180 degrees, as 17 COCO joints in pixels.

        The walker crosses the images of fixed cameras at 25 frames a second; :obj:`y` is the
        subject. The 124 subjects make 13,640 sequences.

        Args:
            root (str or Path, optional): See :class:`SyntheticGait`. (default: :obj:`None`)
            num_subjects (int, optional): Number of subjects. (default: :obj:`124`)
            num_frames (int or tuple, optional): Number of frames. (default: :obj:`60`)
            seed (int, optional): Another seed gives other subjects. (default: :obj:`0`)
            **options (optional): Other options of :class:`SyntheticGait`, in place of these.
        """
        shape: dict[str, Any] = {
            'skeleton': 'coco17',
            'num_takes': (6, 2, 2),
            'target': 'subject',
            'conditions': CONDITIONS,
            'views': CASIA_B_VIEWS,
            'fps': 25.0,
            'travel': True,
        }
        return cls(
            root, num_subjects=num_subjects, num_frames=num_frames, seed=seed, **(shape | options)
        )

    @property
    def processed_file_names(self) -> list[str]:
        r"""One file for each set of options."""
        options = (
            _VERSION,
            *(self.skeleton.name, self.skeleton.joints, self.num_subjects, self.num_takes),
            *(self.target, self.emotions, self.conditions, self.views, self.frame_range),
            *(self.fps, self.travel, self.noise, self.silhouettes, self.camera, self.seed),
        )
        return [f'gait_{hashlib.sha256(repr(options).encode()).hexdigest()[:16]}.pt']

    def read(self) -> Iterator[Data]:
        r"""The gaits by subject, emotion, condition, take and view."""
        keys = [
            (subject, emotion, condition, take)
            for subject, emotion in product(range(self.num_subjects), self.emotions)
            for condition, num_takes in zip(self.conditions, self.num_takes)
            for take in range(1, num_takes + 1)
        ]
        views = len(self.views or (0,))
        step = max(1, _FRAMES_AT_ONCE // (views * self.frame_range[1]))
        for start in range(0, len(keys), step):
            yield from self._generate(keys[start : start + step])

    def _generate(self, keys: list[tuple[int, str, str, int]]) -> Iterator[Data]:
        walks = sample_walks(self.seed, keys)
        least, greatest = self.frame_range
        lengths = (least + (walks.length * (greatest - least + 1)).long()).clamp(max=greatest)
        names = [*self._landmarks, 'pelvis', 'thorax']
        if self.silhouettes:
            names += [name for ends in CAPSULE_ENDS for name in ends]
        points = simulate_walk(walks.traits, walks.phase(greatest, self.fps), names, self.travel)
        num_joints = self.skeleton.num_joints
        if self.travel:
            middle = points[torch.arange(len(keys)), lengths // 2, num_joints, 2]
            points[..., 2] += (walks.traits['offset'] - middle)[:, None, None]

        if self.views is None:
            pos = points[:, :, :num_joints]
            sources = [self._source(key, None) for key in keys]
            errors = np.stack([s.standard_normal(pos[0].shape, np.float32) for s in sources])
            pos = pos + self.noise * _NOISE_3D * torch.from_numpy(errors)
            for key, length, one in zip(keys, lengths.tolist(), pos):
                yield from_array(one[:length], self.skeleton, **self._labels(key))
            return

        seen = [self._film(view, keys, walks, points) for view in self.views]
        for row, (key, length) in enumerate(zip(keys, lengths.tolist())):
            for view, (pos, score, images) in zip(self.views, seen):
                data = from_array(
                    pos[row, :length],
                    self.skeleton,
                    score[row, :length],
                    **self._labels(key),
                    view=view,
                )
                if images is not None:
                    data.silhouettes = images[row : row + 1, :length].clone()
                yield data

    def _film(
        self, view: int, keys: list[tuple[int, str, str, int]], walks: Walks, points: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """What the camera at a view sees: joints, their scores, and silhouettes."""
        angles = view - walks.traits['heading']
        num_joints = self.skeleton.num_joints
        pixels, depth = self.camera.project(points, angles)
        joints, behind = pixels[:, :, :num_joints], depth[:, :, :num_joints]
        trunk = torch.cat([pixels, depth.unsqueeze(-1)], dim=-1)[:, :, num_joints:][:, :, :2]
        occlusion = self_occlusion(
            joints, behind, trunk.mean(2), angles, self._landmarks, self.camera.focal_length
        )
        sources = [self._source(key, view) for key in keys]
        pos, score = simulate_pose_estimator(
            joints,
            occlusion,
            self.camera.focal_length / behind,
            self._landmarks,
            self.noise,
            sources,
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

    def _source(self, key: tuple[int, str, str, int], view: int | None) -> np.random.Generator:
        """Where the measurement errors of a sequence come from."""
        subject, emotion, condition, take = key
        code = EMOTIONS.index(emotion), CONDITIONS.index(condition)
        return keyed_generator(
            self.seed, 4, subject, *code, take, 360 if view is None else view % 360
        )
