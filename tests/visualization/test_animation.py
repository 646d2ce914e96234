import numpy as np
import pytest
import torch
from PIL import Image

from graphmotion.visualization import animate_skeleton

from .conftest import walk


def test_number_of_frames_and_duration(tmp_path):
    path = animate_skeleton(
        walk(num_frames=6), 'emotion_gait16', tmp_path / 'new' / 'walk.gif', fps=10, size=1.5
    )
    assert path == tmp_path / 'new' / 'walk.gif'
    with Image.open(path) as image:
        assert image.n_frames == 6
        assert image.info['duration'] == 100
        assert image.info['loop'] == 0
        assert image.format == 'GIF'
        frames = []
        for t in range(6):
            image.seek(t)
            frames.append(np.asarray(image.convert('RGB')).astype(int))
    assert (frames[0] != frames[3]).any()
    for color in ((0, 114, 178), (213, 94, 0)):  # both sides of the body
        assert (np.abs(frames[2] - color).max(axis=-1) < 12).sum() > 20


def test_axes_are_fixed(tmp_path):
    # If the axes are fixed, the mean column of a travelling body moves through the image.
    pos = walk(num_frames=4, travel=1.0)
    columns = {}
    for follow in (False, True):
        path = animate_skeleton(
            pos, 'emotion_gait16', tmp_path / 'walk.gif', view='front', follow=follow, size=1.5
        )
        columns[follow] = []
        with Image.open(path) as image:
            for t in range(4):
                image.seek(t)
                pixels = np.asarray(image.convert('RGB')).astype(int)
                blue = np.abs(pixels - (0, 114, 178)).max(axis=-1) < 40
                columns[follow].append(np.nonzero(blue)[1].mean())
    steps = np.diff(columns[False])
    assert (steps > 20).all()
    assert np.ptp(steps) < 8
    assert np.ptp(columns[True]) < 15


def test_shorter_sequences_are_repeated(tmp_path):
    path = animate_skeleton(
        [walk(num_frames=5)[:, :2], walk(num_frames=5)],
        'emotion_gait16',
        tmp_path / 'walk.gif',
        labels=['short', 'long'],
        title='both',
        score=[torch.ones(16, 2), torch.ones(16, 5)],
        size=1.2,
    )
    with Image.open(path) as image:
        assert image.n_frames == 5
        halves = []
        for t in (0, 1, 2):
            image.seek(t)
            pixels = np.asarray(image.convert('RGB')).astype(int)
            # Without the frame counter below.
            halves.append(pixels[: int(0.8 * len(pixels)), : pixels.shape[1] // 2])

    # The palette of a GIF may differ slightly between frames.
    def changed(a, b):
        return int((np.abs(a - b).max(axis=-1) > 60).sum())

    assert changed(halves[0], halves[2]) == 0
    assert changed(halves[0], halves[1]) > 20


@pytest.mark.parametrize(
    ('name', 'options', 'message'),
    [
        ('walk.mp4', {}, r'path must end in \.gif'),
        ('walk.gif', {'fps': 0}, 'fps must be positive and at most 50'),
        ('walk.gif', {'fps': 60}, 'fps must be positive and at most 50'),
        ('walk.gif', {'labels': ['a', 'b']}, 'labels must have length 1, got 2'),
        ('walk.gif', {'view': 'below'}, 'view must be one of'),
    ],
)
def test_invalid_animations_write_no_file(tmp_path, name, options, message):
    with pytest.raises(ValueError, match=message):
        animate_skeleton(walk(), 'emotion_gait16', tmp_path / name, **options)
    assert list(tmp_path.iterdir()) == []
