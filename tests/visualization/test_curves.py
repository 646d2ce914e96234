import math

import numpy as np
import pytest
from PIL import Image

from graphmotion.visualization import plot_initial_loss, plot_training_curves

from .conftest import check_nothing_is_clipped

HISTORY = {
    'train_loss': [3.0, 2.0, 1.0, 0.5],
    'val_loss': [3.0, 2.5, 2.0, 2.2],
    'val_accuracy': [0.2, 0.7, 0.6, 0.65],
    'lr': [0.1, 0.1, 0.01, 0.01],
}


def panels(figure):
    return {ax.get_ylabel(): ax for ax in figure.axes}


def curves(ax):
    """Returns x and y of the labelled lines."""
    lines = [line for line in ax.lines if not line.get_label().startswith('_')]
    return {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in lines}


def test_one_panel_per_metric_and_one_curve_per_split():
    figure = plot_training_curves(HISTORY, title='run')
    found = panels(figure)
    assert list(found) == ['loss', 'accuracy', 'learning rate']
    loss = curves(found['loss'])
    assert loss['training'] == ([1, 2, 3, 4], HISTORY['train_loss'])
    assert loss['validation'] == ([1, 2, 3, 4], HISTORY['val_loss'])
    assert curves(found['learning rate'])['lr'][1] == HISTORY['lr']
    assert found['learning rate'].lines[0].get_drawstyle() == 'steps-post'
    assert found['learning rate'].get_yscale() == 'log'
    assert found['loss'].get_yscale() == 'linear'
    assert found['loss'].get_xlabel() == 'epoch'
    legend = [text.get_text() for text in found['loss'].get_legend().get_texts()]
    assert legend == ['training', 'validation']
    assert figure.get_suptitle() == 'run'
    check_nothing_is_clipped(figure)


def test_best_epoch_is_marked_in_all_panels():
    found = panels(plot_training_curves(HISTORY))
    # By default, the highest value of the first validation metric.
    assert curves(found['accuracy'])['best: epoch 2 (0.7)'] == ([2], [0.7])
    for ax in found.values():
        assert [2, 2] in [list(line.get_xdata()) for line in ax.lines]


@pytest.mark.parametrize(
    ('options', 'panel', 'label'),
    [
        ({'monitor': 'val_loss'}, 'loss', 'best: epoch 3 (2)'),
        ({'monitor': 'val_loss', 'mode': 'max'}, 'loss', 'best: epoch 1 (3)'),
        ({'monitor': 'train_loss'}, 'loss', 'best: epoch 4 (0.5)'),
        ({'mode': 'min'}, 'accuracy', 'best: epoch 1 (0.2)'),
    ],
)
def test_monitor_and_mode(options, panel, label):
    assert label in curves(panels(plot_training_curves(HISTORY, **options))[panel])


def test_loss_is_monitored_without_validation_metrics():
    history = {'train_loss': [2, 1], 'val_loss': [1, 2]}
    assert 'best: epoch 1 (1)' in curves(panels(plot_training_curves(history))['loss'])
    history = {'train_loss': [2, 1]}
    assert list(curves(panels(plot_training_curves(history))['loss'])) == ['training']


def test_milestones_are_dotted_lines():
    found = panels(plot_training_curves(HISTORY, milestones=(2, 3)))
    for ax in found.values():
        dotted = [line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == ':']
        assert dotted == [2, 3]


def test_logger_rows_with_missing_columns():
    rows = [
        {'epoch': 0, 'step': 10, 'train/loss_epoch': 4.0, 'val/loss': None},
        {'epoch': 0, 'step': 20, 'train/loss_epoch': 2.0, 'val/loss': ''},
        {'epoch': 0, 'step': 20, 'val/loss': '5.0'},
        {'epoch': 1, 'step': 40, 'train/loss_epoch': 1.0, 'val/loss': math.nan},
        {'epoch': 1, 'step': 40, 'val/loss': np.float32(4.0)},
    ]
    found = panels(plot_training_curves(rows))
    assert list(found) == ['loss']
    out = curves(found['loss'])
    assert out['training'] == ([0, 1], [3, 1])  # two rows of an epoch are averaged
    assert out['validation'] == ([0, 1], [5, 4])


def test_columns_without_a_split_keep_their_names():
    found = panels(plot_training_curves({'perplexity': [2, 1], 'lr-Adam': [0.1, 0.0]}))
    assert curves(found['perplexity'])['perplexity'][1] == [2, 1]
    assert found['perplexity'].get_legend() is None  # the y-axis is labelled
    assert found['learning rate'].get_yscale() == 'linear'  # a rate of zero has no logarithm


def test_one_epoch_is_drawn_as_a_dot():
    ax = plot_training_curves({'train_loss': [1.0]}).axes[0]
    assert ax.lines[0].get_marker() == '.'


@pytest.mark.parametrize('num_metrics', [1, 2, 4, 5, 7])
def test_any_number_of_panels(num_metrics):
    history = {f'val_metric {i}': [1.0, 2.0] for i in range(num_metrics)}
    figure = plot_training_curves(history)
    assert len(figure.axes) == num_metrics
    check_nothing_is_clipped(figure)


def test_file_is_written(tmp_path):
    plot_training_curves(HISTORY, path=tmp_path / 'curves.png')
    with Image.open(tmp_path / 'curves.png') as image:
        assert image.size[0] > image.size[1] > 100


@pytest.mark.parametrize(
    ('history', 'options', 'error', 'message'),
    [
        ({}, {}, ValueError, 'history must have at least one value'),
        ([], {}, ValueError, 'history must have at least one value'),
        ({'loss': []}, {}, ValueError, 'history must have at least one value'),
        ({'loss': [math.nan]}, {}, ValueError, 'history must have at least one value'),
        ({'a': [1, 2], 'b': [1]}, {}, ValueError, "columns of equal length.*'a': 2, 'b': 1"),
        ({'a': [1, 'high']}, {}, TypeError, r"history\[1\]\['a'\] must be a number, got 'high'"),
        ([[1, 2]], {}, TypeError, r'history\[0\] must be a mapping, got list'),
        (
            HISTORY,
            {'monitor': 'val_f1'},
            ValueError,
            "monitor must be one of .*val_loss.*, got 'val_f1'",
        ),
        (HISTORY, {'mode': 'best'}, ValueError, "mode must be 'min', 'max' or None, got 'best'"),
    ],
)
def test_invalid_input(history, options, error, message):
    with pytest.raises(error, match=message):
        plot_training_curves(history, **options)


def test_initial_loss_is_the_first_epoch():
    histories = {
        'SPAGNN': [
            [{'epoch': 0, 'train_loss': 2.0}, {'epoch': 1, 'train_loss': 9.0}],
            {'train_loss': [1.5]},
        ],
        'SPEGNN': [{'train_loss': [1.9, 1.0]}, {'train_loss': [1.7, 1.2]}],
    }
    (ax,) = plot_initial_loss([0.1, 1.0], histories).axes
    lines = {line.get_label(): line.get_xydata().tolist() for line in ax.lines}
    assert lines == {
        'SPAGNN': [[0.1, 2.0], [1.0, 1.5]],
        'SPEGNN': [[0.1, 1.9], [1.0, 1.7]],
    }


def test_initial_loss_of_bad_histories():
    with pytest.raises(ValueError, match='at least one model'):
        plot_initial_loss([1], {})
    with pytest.raises(ValueError, match=r"histories\['a'\] must have one history for each of 2"):
        plot_initial_loss([0.1, 1], {'a': [{'train_loss': [1.0]}]})
    with pytest.raises(ValueError, match=r"column must be one of \['loss'\], got 'train_loss'"):
        plot_initial_loss([1], {'a': [{'loss': [1.0]}]})
