import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from PIL import Image
from torch_geometric.data import Data

from graphmotion.metrics import Retrieval, retrieve
from graphmotion.visualization import plot_retrieval

from .conftest import PROTOCOL, casia_b, check_nothing_is_clipped, walk

GREEN, RED = '#009e73', '#d55e00'

FOUND = Retrieval(
    probes=torch.tensor([0, 1]),
    nearest=torch.tensor([[2, 3, 4], [4, 2, -1]]),
    distance=torch.tensor([[0.125, 0.25, 0.5], [0.25, 0.5, math.nan]]),
    correct=torch.tensor([[True, False, True], [False, True, False]]),
)
NAMES = [f'sample {i}' for i in range(5)]


def image_of(i, shape=(64, 44)):
    """Returns an image whose grey level identifies the sample."""
    out = torch.zeros(shape)
    out[..., 0, 0] = 1
    out[..., 1:, 1:] = (i + 1) / 10
    return out


def cells(figure):
    """Returns axes by row and column; the probe is in column 0, the gap in column 1."""
    found = {}
    for ax in figure.axes:
        spec = ax.get_subplotspec()
        found[spec.rowspan.start, spec.colspan.start] = ax
    return found


def marks(ax):
    return [text.get_text() for text in ax.texts]


def test_correct_and_wrong_samples_differ_in_frame_and_mark():
    figure = plot_retrieval([image_of(i) for i in range(5)], FOUND, captions=NAMES)
    found = cells(figure)
    assert set(found) == {(0, 0), (0, 2), (0, 3), (0, 4), (1, 0), (1, 2), (1, 3)}
    for (row, column), ax in found.items():
        spine = ax.spines['left']
        if column == 0:
            assert marks(ax) == []
            continue
        correct = bool(FOUND.correct[row, column - 2])
        assert marks(ax) == ['✓' if correct else '✗']
        assert to_hex(spine.get_edgecolor()) == (GREEN if correct else RED)
        assert (spine.get_linestyle() == '-') == correct


def test_samples_captions_and_distances():
    images = torch.stack([image_of(i) for i in range(5)])
    for samples in (images, list(images), dict(enumerate(images)), (255 * images).byte()):
        found = cells(plot_retrieval(samples, FOUND, captions=NAMES))
        for row in range(2):
            positions = [int(FOUND.probes[row]), *FOUND.nearest[row].tolist()]
            for column, position in zip((0, 2, 3, 4), positions):
                if position < 0:
                    continue
                ax = found[row, column]
                shown = float(ax.images[0].get_array()[5, 5])
                assert shown == pytest.approx((position + 1) / 10, abs=0.003)
                lines = ax.get_xlabel().replace('\n', ' ')
                expected = f'sample {position}'
                if column:
                    expected += f' {FOUND.distance[row, column - 2].item():.3g}'
                assert lines == expected
    titles = [found[0, column].get_title() for column in (0, 2, 3, 4)]
    assert titles == ['probe', '1', '2', '3']


def test_frames_of_clips():
    clips = torch.stack([image_of(t) for t in range(9)]).expand(5, 1, 9, 64, 44)
    for samples in (clips, clips[:, 0], [Data(silhouettes=clip) for clip in clips]):
        shown = cells(plot_retrieval(samples, FOUND))[0, 0].images[0].get_array()
        assert shown.shape == (64, 44)
        assert float(shown[5, 5]) == pytest.approx(0.5)  # frame 4
    shown = cells(plot_retrieval(clips, FOUND, num_poses=3))[0, 0].images[0].get_array()
    assert shown.shape == (64, 132)
    assert shown[5, [5, 49, 93]].tolist() == pytest.approx([0.2, 0.5, 0.8])  # frames 1, 4, 7


def test_colour_images_and_faces():
    colour = torch.rand(5, 8, 6, 3, generator=torch.Generator().manual_seed(0))
    shown = cells(plot_retrieval(colour, FOUND))[0, 2].images[0].get_array()
    np.testing.assert_allclose(shown, colour[2], atol=1e-6)
    faces = [Data(image=image_of(i).unsqueeze(0)) for i in range(5)]
    assert cells(plot_retrieval(faces, FOUND))[0, 0].images[0].get_array().shape == (64, 44)


@pytest.mark.parametrize('num_poses', [1, 3])
def test_poses_are_centred_in_their_cells(num_poses):
    away = [walk(seed=i) + torch.tensor([10.0 * i, 3.0 * i, 0.0]) for i in range(5)]
    figure = plot_retrieval(away, FOUND, 'emotion_gait16', num_poses=num_poses, view='front')
    limits = set()
    for ax in cells(figure).values():
        assert len(ax.collections) == 2 * num_poses  # bones and joints
        points = np.concatenate([c.get_offsets() for c in ax.collections[1::2]])
        (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
        limits.add((left, right, bottom, top))
        assert left < points[:, 0].min() < points[:, 0].max() < right
        assert bottom < points[:, 1].min() < points[:, 1].max() < top
        assert points[:, 1].min() + points[:, 1].max() == pytest.approx(bottom + top, abs=1e-6)
    assert len(limits) == 1  # the same scale


def test_missing_joints_are_not_drawn():
    samples = [Data(pos=walk(seed=i), score=torch.ones(16, 9)) for i in range(5)]
    samples[0].score[3] = 0
    found = cells(plot_retrieval(samples, FOUND, 'emotion_gait16'))
    assert len(found[0, 0].collections[1].get_offsets()) == 15
    assert len(found[0, 2].collections[1].get_offsets()) == 16


def test_result_of_retrieve(tmp_path):
    embedding, labels = casia_b()
    found = retrieve(embedding, labels, PROTOCOL, k=4)
    path = tmp_path / 'new' / 'strips.png'
    images = image_of(0).expand(len(embedding), 64, 44)
    figure = plot_retrieval(images, found, num_rows=3, title='a title', path=path)
    assert len(figure.axes) == 3 * 5
    assert figure.get_suptitle() == 'a title'
    check_nothing_is_clipped(figure)
    with Image.open(path) as image:
        assert len(set(image.convert('L').tobytes())) > 10


def test_nothing_is_clipped():
    names = [f'the walker with the number {i}' for i in range(5)]
    poses = [walk(seed=i) for i in range(5)]
    for num_poses in (1, 4):
        check_nothing_is_clipped(
            plot_retrieval(poses, FOUND, 'emotion_gait16', names, num_poses=num_poses, title='t')
        )
    check_nothing_is_clipped(plot_retrieval([image_of(i) for i in range(5)], FOUND, captions=names))


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'num_rows': 0}, 'num_rows must be an integer >= 1, got 0'),
        ({'num_poses': 0}, 'num_poses must be an integer >= 1, got 0'),
        ({'samples': [image_of(0)] * 3}, 'samples must have an entry for sample 3'),
        ({'samples': {0: image_of(0)}}, 'samples must have an entry for sample 1'),
        ({'captions': NAMES[:4]}, 'captions must have an entry for sample 4'),
        (
            {'samples': torch.zeros(5, 7)},
            r'samples\[0\] must be 2D or 3D or 4D, got shape \[7\]',
        ),
        (
            {'samples': torch.zeros(5, 2, 3, 4, 4)},
            r'samples\[0\] must have shape \[1, T, H, W\], got \[2, 3, 4, 4\]',
        ),
        (
            {'samples': [Data(x=torch.ones(1))] * 5},
            r"must have one of the fields \['silhouettes', 'image'",
        ),
        (
            {'samples': torch.zeros(5, 15, 9, 3), 'skeleton': 'emotion_gait16'},
            r'samples\[0\]: pos must have a multiple of 16 nodes, .* got 15',
        ),
        ({'samples': [Data()] * 5, 'skeleton': 'coco17'}, r"must have one of the fields \['pos'\]"),
    ],
)
def test_invalid_samples(options, message):
    options = {'samples': [image_of(i) for i in range(5)], 'retrieval': FOUND, **options}
    with pytest.raises(ValueError, match=message):
        plot_retrieval(**options)


def test_retrieval_without_probes():
    empty = replace(FOUND, probes=FOUND.probes[:0])
    with pytest.raises(ValueError, match='must have at least one probe'):
        plot_retrieval([], empty)
