"""Figures in notebooks, which have a picture without pyplot."""

import io

import pytest
from PIL import Image

from graphmotion.skeletons import get_skeleton
from graphmotion.visualization import plot_confusion_matrix, plot_cross_scale


def make_confusion_matrix():
    return plot_confusion_matrix([[3, 1], [0, 2]])


def make_cross_scale():
    return plot_cross_scale(get_skeleton('emotion_gait16').assignment(1), 'emotion_gait16')


@pytest.mark.parametrize('make', [make_confusion_matrix, make_cross_scale])
def test_a_notebook_shows_the_figure(make):
    figure = make()
    image = Image.open(io.BytesIO(figure._repr_png_()))
    assert image.format == 'PNG'
    assert image.size == pytest.approx(100 * figure.get_size_inches(), abs=1)
