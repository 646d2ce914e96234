"""Typical code of a user of the typed package, run and checked by ``test_typing.py``.

Lists stand where the library stores tuples. Each ``type: ignore`` is a mistake that a type checker
has to report, and the check fails where it does not.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

import graphmotion
import graphmotion.transforms as T
from graphmotion.data import from_array, write_skeleton_pickle
from graphmotion.datasets import MixedFaces, SkeletonPickle, SyntheticFaces, SyntheticGait
from graphmotion.graphs import pixel_graph
from graphmotion.io import align_silhouettes
from graphmotion.models import LMGCS, msa_gcn, spagnn, st_gcn
from graphmotion.skeletons import Skeleton, convert

joints = ['shoulder', 'elbow', 'wrist']
bones = [('shoulder', 'elbow'), ('elbow', 'wrist')]
arm = Skeleton(joints, bones)
parts = {'parts': [{'upper': ['shoulder', 'elbow'], 'lower': ['wrist']}]}
same = Skeleton(tuple(joints), [[0, 1], ['elbow', 2]], center='elbow', pairs=[], hierarchies=parts)
arms = Skeleton(
    (f'{side}_{joint}' for joint in joints for side in ('left', 'right')),
    ((0, 1), (0, 2), (2, 4), (1, 3), (3, 5)),
    name='arms',
    pairs=[['left_wrist', 'right_wrist'], [0, 1]],
)
center: int = same.center
bone: tuple[int, int] = same.bones[0]
pairs: tuple[tuple[int, int], ...] = arms.pairs
names: tuple[str, ...] = same.hierarchy('parts').names(1)
hand = arm.subset(['elbow', 2])

walk = from_array(np.zeros((8, 3, 2)), arm, y=1)
pos = convert(walk.pos, arm, hand, {'wrist': ['wrist', 'elbow']})
transforms = [
    T.CenterJoint(arm, ['shoulder', 'elbow']),
    T.ScaleByBodySize(arm, ['shoulder', ['elbow', 'wrist']]),
    T.ScaleByImageSize([320, 240]),
    T.RandomScaling([0.9, 1.1]),
    T.RandomRotateAxes({'z': [-5, 5]}),
    T.RandomMirror(arms, mirrored_classes=[1, 0]),
    T.ToStream(['joint', 'bone'], arm),
    *T.gait_test_transforms(20, [320, 240], shifts=[0]),
    T.gait_train_transform('coco17', 20, [320, 240]),
]

logits: torch.Tensor = st_gcn(same, 2, channels=[4, 4])(torch.zeros(3, 8, 3))
coarse = msa_gcn(
    same, 2, scales=[3, 2], channels=[4, 4], kernel_sizes=[3], strides=[1, 2], cross_scale_layers=1
)
silhouettes = LMGCS(
    channels=[4, 4, 4, 4], width=8, window_sizes=[1, 3], num_blocks=[1, 1], heads=2, bins=[2]
)
graph = pixel_graph([8, 8], 20, k=4, num_modes=5)
pixels = spagnn(graph, 3, channels=[4, 4])

gaits = SyntheticGait(num_subjects=4, num_frames=[8, 10], num_takes=1)
train, test = gaits.split([3, 1], by='subject')
faces = SyntheticFaces(
    num_subjects=2, num_takes=1, size=[16, 16], intensity=[0.5, 1.0], pose=[5, 4, 3]
)
mixed = MixedFaces([faces], ['anger', 'fear'], size=[12, 12])
aligned, kept = align_silhouettes(np.pad(np.full((2, 20, 10), 255, np.uint8), 4)[4:6], [16, 11])

convolution = graphmotion.nn.SpatialConv(2, 4, num_partitions=3)


def store(folder: Path) -> None:
    """Writes to the folder given by the test."""
    walks = SyntheticGait(folder / 'gaits', num_subjects=1, num_takes=1)
    write_skeleton_pickle(folder / 'raw' / 'gaits.pkl', walks)
    assert len(SkeletonPickle(folder, 'gaits.pkl', walks.skeleton)) == len(walks)


def mistakes() -> None:
    """Never called."""
    Skeleton(joints, 3)  # type: ignore[arg-type]
    Skeleton(joints, bones, center=1.5)  # type: ignore[arg-type]
    Skeleton(joints, bones, hierarchies=[parts])  # type: ignore[list-item]
    arm.center = 1  # type: ignore[misc]
    graphmotion.nm.SpatialConv()  # type: ignore[attr-defined]
    st_gcn(arm, [2])  # type: ignore[arg-type]
    pixel_graph('8')  # type: ignore[arg-type]
