from dataclasses import replace

import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

from graphmotion.metrics import CASIA_B_LT
from graphmotion.skeletons import get_skeleton
from graphmotion.visualization import rest_pose

PROTOCOL = replace(CASIA_B_LT, train_subjects=0)
CASIA_B_VIEWS = tuple(range(0, 181, 18))


def walk(name='emotion_gait16', num_frames=9, travel=0.0, seed=0):
    """Returns a swaying rest pose [V, T, 3] with y up."""
    generator = torch.Generator().manual_seed(seed)
    pose = rest_pose(get_skeleton(name))
    phase = 6.28 * torch.rand(len(pose), 1, generator=generator)
    time = torch.linspace(0, 6.28, num_frames)
    sway = 0.05 * torch.sin(time + phase)
    shift = travel * torch.arange(num_frames)
    zero = torch.zeros_like(sway)
    return pose.unsqueeze(1) + torch.stack([sway + shift, zero, sway], dim=-1)


def casia_b(noise=1.0, num_subjects=8):
    """Random embeddings in the takes and views of CASIA-B, with their labels."""
    takes = torch.tensor([(0, t) for t in range(1, 7)] + [(c, t) for c in (1, 2) for t in (1, 2)])
    grid = torch.cartesian_prod(
        torch.arange(num_subjects), torch.arange(10), torch.tensor(CASIA_B_VIEWS)
    )
    labels = {'subject': grid[:, 0], 'view': grid[:, 2]}
    labels |= {'condition': takes[grid[:, 1], 0], 'take': takes[grid[:, 1], 1]}
    generator = torch.Generator().manual_seed(0)
    people = torch.randn(num_subjects, 8, generator=generator)[grid[:, 0]]
    return people + noise * torch.randn(len(grid), 8, generator=generator), labels


def check_nothing_is_clipped(figure):
    """Asserts that axes with their labels and all titles lie inside the figure."""
    canvas = FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    width, height = canvas.get_width_height()
    boxes = {ax: ax.get_tightbbox(canvas.get_renderer()) for ax in figure.axes}
    boxes |= {text: text.get_window_extent() for text in figure.texts if text.get_text()}
    for what, box in boxes.items():
        assert box.x0 >= -1, what
        assert box.y0 >= -1, what
        assert box.x1 <= width + 1, what
        assert box.y1 <= height + 1, what


@pytest.fixture(autouse=True)
def no_global_state():
    """Asserts that no test opens a pyplot figure or changes a matplotlib setting."""
    import matplotlib as mpl
    from matplotlib import pyplot

    before = dict(mpl.rcParams)
    yield
    assert pyplot.get_fignums() == []
    assert dict(mpl.rcParams) == before
