import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from graphmotion.visualization import plot_landmark_trajectories

from .conftest import check_nothing_is_clipped

FACE = np.random.default_rng(0).uniform(0, 100, (68, 2))
STEPS = np.random.default_rng(1).normal(size=(9, 68, 2)).cumsum(axis=0)


def test_paths_and_last_frames(tmp_path):
    clips = {'micro': FACE + 0.1 * STEPS, 'macro': FACE + STEPS}
    figure = plot_landmark_trajectories(clips, path=tmp_path / 'a.png', title='faces')
    assert [ax.get_title() for ax in figure.axes] == ['micro', 'macro']
    for ax, clip in zip(figure.axes, clips.values()):
        for index in range(68):
            line, dot = ax.lines[2 * index : 2 * index + 2]
            np.testing.assert_allclose(line.get_xydata(), clip[:, index])
            np.testing.assert_allclose(dot.get_xydata(), clip[-1:, index])
        assert ax.yaxis_inverted()
    widths = [np.ptp(ax.get_xlim()) for ax in figure.axes]
    assert widths[0] == pytest.approx(widths[1])
    with Image.open(tmp_path / 'a.png') as image:
        assert image.size[0] > 100
    check_nothing_is_clipped(figure)


def test_groups_have_colours():
    groups = {'eyes': range(36, 48), 'mouth': range(48, 68)}
    figure = plot_landmark_trajectories({'a': FACE + STEPS}, groups)
    lines = figure.axes[0].lines
    colors = [to_hex(lines[2 * index].get_color()) for index in (0, 36, 47, 48)]
    assert colors[1] == colors[2]
    assert len(set(colors)) == 3
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ['eyes', 'mouth']


def test_bad_input():
    with pytest.raises(ValueError, match='clips must have at least one entry'):
        plot_landmark_trajectories({})
    with pytest.raises(ValueError, match=r"clips\['a'\] must be 3D, got shape \[68, 2\]"):
        plot_landmark_trajectories({'a': FACE})
    with pytest.raises(ValueError, match=r"groups\['eyes'\]"):
        plot_landmark_trajectories({'a': FACE + STEPS}, {'eyes': [68]})
