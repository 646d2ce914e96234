import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

from graphmotion.skeletons import get_skeleton
from graphmotion.visualization import rest_pose


def walk(name='emotion_gait16', num_frames=9, travel=0.0, seed=0):
    """A rest pose whose joints sway: [V, T, 3], y upwards."""
    generator = torch.Generator().manual_seed(seed)
    pose = rest_pose(get_skeleton(name))
    phase = 6.28 * torch.rand(len(pose), 1, generator=generator)
    time = torch.linspace(0, 6.28, num_frames)
    sway = 0.05 * torch.sin(time + phase)
    way = travel * torch.arange(num_frames)
    zero = torch.zeros_like(sway)
    return pose.unsqueeze(1) + torch.stack([sway + way, zero, sway], dim=-1)


def check_nothing_is_cut_off(figure):
    """Draw the figure and assert that its axes with their labels, and its titles, are inside."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
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
    """No function opens a pyplot figure, changes the backend or leaves a setting changed."""
    import matplotlib as mpl
    from matplotlib import pyplot

    before = dict(mpl.rcParams)
    yield
    assert pyplot.get_fignums() == []
    assert dict(mpl.rcParams) == before
