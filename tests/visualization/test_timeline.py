import pytest
from PIL import Image

from graphmotion.inference import Answer, Answers
from graphmotion.visualization import plot_timeline

from .conftest import check_nothing_is_clipped

NAMES = ('walk', 'run', 'jump')
ROWS = [(0.7, 0.2, 0.1), (0.6, 0.3, 0.1), (0.1, 0.8, 0.1), (0.2, 0.7, 0.1)]


def windows(rows=ROWS, person=None, names=NAMES):
    return [
        Answer(dict(zip(names, row)), (10 * i, 10 * i + 20), person) for i, row in enumerate(rows)
    ]


def test_probabilities_are_drawn_at_the_middle_of_windows():
    figure = plot_timeline(windows(), title='walk.json')
    top, bar = figure.axes
    drawn = [line.get_xydata() for line in top.lines]
    assert len(drawn) == 3
    for k, points in enumerate(drawn):
        assert points[:, 0].tolist() == [10, 20, 30, 40]
        assert points[:, 1].tolist() == [row[k] for row in ROWS]
    assert top.get_xlim() == bar.get_xlim() == (0, 50)
    assert bar.get_xlabel() == 'frame'
    assert [text.get_text() for text in top.get_legend().get_texts()] == list(NAMES)
    assert figure.get_suptitle() == 'walk.json'
    check_nothing_is_clipped(figure)


def test_the_bar_changes_halfway_between_windows():
    _, bar = plot_timeline(windows()).axes
    spans = [(p.get_x(), p.get_x() + p.get_width()) for p in bar.patches]
    assert spans == [(0, 25), (25, 50)]
    assert [text.get_text() for text in bar.texts] == ['walk', 'run']
    colors = [patch.get_facecolor() for patch in bar.patches]
    assert colors[0] != colors[1]


def test_seconds_and_each_person(tmp_path):
    people = [
        Answer(dict(zip(NAMES, ROWS[p])), (0, 50), p, windows=tuple(windows(ROWS[p:], p)))
        for p in range(2)
    ]
    path = tmp_path / 'figures' / 'timeline.png'
    figure = plot_timeline(Answers(people), frame_rate=10, path=path)
    assert [ax.get_title(loc='left') for ax in figure.axes[::2]] == ['person 0', 'person 1']
    assert figure.axes[0].lines[0].get_xdata().tolist() == [1, 2, 3, 4]
    assert figure.axes[2].lines[0].get_xdata().tolist() == [1, 2, 3]
    assert all(ax.get_xlim() == (0, 5) for ax in figure.axes)
    assert figure.axes[-1].get_xlabel() == 'time (s)'
    check_nothing_is_clipped(figure)
    with Image.open(path) as picture:
        assert min(picture.size) > 400


def test_classes_that_win_are_coloured_first():
    names = [f'class {i}' for i in range(9)]
    rows = [[0.4, 0.35, *[0.25 / 7] * 7], [0.05, 0.0, *[0.1] * 6, 0.35]]
    figure = plot_timeline(windows(rows, names=names), num_classes=2)
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert legend == ['class 0', 'class 8', '7 others']
    assert len({line.get_color() for line in figure.axes[0].lines}) == 3
    many = plot_timeline(windows(rows, names=names), num_classes=20)
    assert len(many.axes[0].get_legend().get_texts()) == 7


def test_one_answer():
    answer = Answer({'walk': 0.9, 'run': 0.1}, (5, 25))
    top, bar = plot_timeline(answer).axes
    assert top.lines[0].get_xydata().tolist() in ([[15, 0.9]], [[15, 0.1]])
    assert [text.get_text() for text in bar.texts] == ['walk']


@pytest.mark.parametrize(
    ('answers', 'options', 'message'),
    [
        ([], {}, 'answers must hold at least one answer'),
        ([Answer({'a': 1.0})], {}, 'answers must have frames, got None'),
        ([*windows(), Answer({'a': 1.0}, (0, 2))], {}, 'answers must have the same classes'),
        (windows(), {'frame_rate': 0}, 'frame_rate must be positive'),
        (windows(), {'num_classes': 0}, 'num_classes must be an integer >= 1'),
    ],
)
def test_invalid_arguments_raise(answers, options, message):
    with pytest.raises(ValueError, match=message):
        plot_timeline(answers, **options)
