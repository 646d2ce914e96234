import os
import time

import pytest
import torch
from torch_geometric.loader import DataLoader

from graphmotion.datasets import SyntheticActions
from graphmotion.skeletons import Skeleton, get_skeleton, list_skeletons
from graphmotion.synthetic.action_styles import sample_performances
from graphmotion.synthetic.actor import simulate_action
from graphmotion.synthetic.body import find_landmarks

SMALL = {'num_subjects': 2, 'num_takes': 1, 'num_frames': 12, 'actions': ('kick', 'sit down')}

# Upper and lower legs and arms of Kinect's layout.
LIMBS = [
    tuple(get_skeleton('kinect20').index(f'{side}_{joint}') for joint in bone)
    for side in ('left', 'right')
    for bone in (('hip', 'knee'), ('knee', 'ankle'), ('shoulder', 'elbow'), ('elbow', 'wrist'))
]


def same(a, b):
    a, b = a.to_dict(), b.to_dict()
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_default():
    dataset = SyntheticActions(num_subjects=2, num_takes=1)
    assert len(dataset) == 2 * 13 * 3
    assert dataset.class_names == SyntheticActions.ACTIONS
    assert dataset.num_classes == 13
    data = dataset[0]
    frames = int(data.num_frames)
    assert data.pos.shape == (20, frames, 3)
    assert data.pos.dtype == torch.float32
    assert data.score.shape == (20, frames)
    assert (data.score == 1).all()
    assert {'y', 'subject', 'view', 'take', 'edge_index'} <= set(data.keys())
    assert dataset.labels('view').tolist() == [0, 1, 2] * 26
    assert dataset.labels('y').tolist() == [
        y for _ in range(2) for y in range(13) for _ in range(3)
    ]
    assert dataset.labels('subject').tolist() == [0] * 39 + [1] * 39
    assert set(dataset.labels('take').tolist()) == {1}


@pytest.mark.parametrize('name', list_skeletons())
def test_layouts(name):
    for data in SyntheticActions(skeleton=name, noise=0, views=None, **SMALL):
        assert 1.2 < data.pos[..., 1].amax() < 2.1
        assert data.pos[..., 1].amin() > -1e-5
        assert data.edge_index.max() == len(data.pos) - 1
        assert 'view' not in data.to_dict()


def test_custom_skeleton():
    arm = Skeleton(['left_shoulder', 'left_elbow', 'left_wrist'], [(0, 1), (1, 2)], name='arm')
    assert SyntheticActions(skeleton=arm, **SMALL)[0].pos.shape == (3, 12, 3)
    with pytest.raises(ValueError, match=r'must be landmarks .*, got \[.tail.\]'):
        SyntheticActions(skeleton=Skeleton(['pelvis', 'tail'], [(0, 1)]))


def test_same_seed_same_motions():
    options = {**SMALL, 'missing': 0.1}
    a, b, c = (SyntheticActions(**options, seed=seed) for seed in (0, 0, 1))
    assert all(same(x, y) for x, y in zip(a, b))
    assert not torch.equal(a[0].pos, c[0].pos)
    assert len({x.pos[5, 3, 0].item() for x in a}) == len(a)


def test_a_motion_does_not_depend_on_the_size_of_the_dataset():
    options = {'num_frames': (10, 20), 'missing': 0.1}
    big = SyntheticActions(num_subjects=3, num_takes=3, **options)
    small = SyntheticActions(
        num_subjects=2, num_takes=2, actions=('throw', 'clap'), views=(45,), **options
    )

    def key(dataset, data, view):
        return int(data.subject), dataset.class_names[int(data.y)], int(data.take), view

    found = {key(big, x, big.views[int(x['view'])]): x for x in big}
    for data in small:
        other = found[key(small, data, 45)]
        torch.testing.assert_close(data.pos, other.pos, atol=1e-5, rtol=0)
        assert torch.equal(data.score, other.score)


def test_views_are_rotations_of_the_same_motion():
    views = (0, 90, -45)
    dataset = SyntheticActions(views=views, noise=0, **SMALL)
    for i in range(0, len(dataset), 3):
        front, left, oblique = (dataset[i + k].pos for k in range(3))
        # From the body's left side, what is ahead is on the left of the image, and what is to the
        # left of the body is near.
        torch.testing.assert_close(
            left, torch.stack([-front[..., 2], front[..., 1], front[..., 0]], -1)
        )
        torch.testing.assert_close(
            oblique[..., 0], 0.5**0.5 * (front[..., 0] + front[..., 2]), atol=1e-5, rtol=0
        )
        labels = [dataset[i + k].to_dict() for k in range(3)]
        assert [int(x['view']) for x in labels] == [0, 1, 2]
        assert len({(int(x['subject']), int(x['y']), int(x['take'])) for x in labels}) == 1


def test_positions_match_the_actor():
    skeleton = get_skeleton('kinect20')
    dataset = SyntheticActions(views=None, noise=0, **SMALL)
    drawn = sample_performances(0, [(1, 'kick', 1)], (12, 12), 30)
    points = simulate_action(drawn.traits, drawn.curves, find_landmarks(skeleton))[0]
    pos = dataset[2].pos.transpose(0, 1)
    assert (int(dataset[2].subject), int(dataset[2].y)) == (1, 0)
    torch.testing.assert_close(pos[..., 1], points[..., 1])
    torch.testing.assert_close(torch.cdist(pos, pos), torch.cdist(points, points))
    angle = drawn.heading.deg2rad()
    to, at = pos[0, 0] - pos[0, 5], points[0, 0] - points[0, 5]
    torch.testing.assert_close(to[:1], angle.cos() * at[0] + angle.sin() * at[2])
    # The pelvis is, on average over the frames, at the place drawn.
    torch.testing.assert_close(pos[:, 0, [0, 2]].mean(0), drawn.position[0], atol=1e-5, rtol=0)


def test_noise():
    clean, noisy = (SyntheticActions(noise=noise, **SMALL) for noise in (0, 2))
    error = torch.cat([a.pos - b.pos for a, b in zip(noisy, clean)])
    assert error.std() == pytest.approx(0.016, rel=0.05)


def test_missing_joints_are_zero():
    dataset = SyntheticActions(missing=0.1, num_subjects=2, num_takes=1)
    lost = torch.cat([x.score == 0 for x in dataset], 1)
    pos = torch.cat([x.pos for x in dataset], 1)
    assert set(torch.cat([x.score.unique() for x in dataset]).tolist()) == {0.0, 1.0}
    assert 0.08 < lost.float().mean() < 0.12
    assert (pos[lost] == 0).all()
    assert (pos[~lost] != 0).any(-1).all()
    # For some frames: one that is lost is mostly still lost in the next frame.
    assert lost[:, 1:][lost[:, :-1]].float().mean() > 0.7


def test_lengths():
    dataset = SyntheticActions(num_subjects=8, views=None, num_frames=(20, 40))
    frames = dataset.labels('num_frames')
    assert (frames.min(), frames.max()) == (20, 40)
    assert [x.pos.size(1) for x in dataset[:10]] == frames[:10].tolist()
    assert dataset.get_batch(range(5)).pos.size(1) == frames[:5].max()


def test_protocols():
    dataset = SyntheticActions(num_subjects=5, num_takes=1, num_frames=5, actions=('wave', 'jump'))
    assert list(dataset.protocols) == ['cross_subject', 'cross_view']
    train, test = dataset.official_split('cross_subject')
    assert set(train.labels('subject').tolist()) == {0, 2, 4}
    assert set(test.labels('subject').tolist()) == {1, 3}
    assert train.labels('y').bincount().tolist() == [9, 9]
    train, test = dataset.official_split('cross_view')
    assert set(train.labels('view').tolist()) == {0, 1}
    assert set(test.labels('view').tolist()) == {2}
    assert len(train) + len(test) == len(dataset)
    by_default = dataset.official_split()[0]
    assert set(by_default.labels('subject').tolist()) == {0, 2, 4}
    with pytest.raises(ValueError, match=r"protocol must be one of \['cross_subject'"):
        dataset.official_split('cross_setup')
    assert list(SyntheticActions(views=None, **SMALL).protocols) == ['cross_subject']
    assert SyntheticActions(views=None, **(SMALL | {'num_subjects': 1})).protocols == {}


def test_load():
    train, _ = SyntheticActions(**SMALL).official_split()
    batch = next(iter(DataLoader(train, batch_size=4)))
    assert batch.pos.shape == (80, 12, 3)
    assert batch.num_graphs == 4


def test_nothing_is_written_without_a_root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    SyntheticActions(**SMALL)
    assert os.listdir(tmp_path) == []


def test_each_combination_of_options_has_a_file(tmp_path, monkeypatch):
    made = SyntheticActions(str(tmp_path), **SMALL)
    assert len(os.listdir(tmp_path / 'processed')) == 1
    with monkeypatch.context() as patch:
        patch.setattr(SyntheticActions, 'read', lambda self: pytest.fail('generated again'))
        loaded = SyntheticActions(str(tmp_path), **SMALL)
    assert all(same(a, b) for a, b in zip(made, loaded))
    changed = [
        {'seed': 1}, {'noise': 0.5}, {'views': None}, {'views': (0,)}, {'num_frames': 13},
        {'skeleton': 'coco17'}, {'actions': ('sit down', 'kick')}, {'fps': 25}, {'num_takes': 2},
        {'num_subjects': 3}, {'missing': 0.1},
    ]  # fmt: skip
    for count, change in enumerate(changed, start=2):
        SyntheticActions(str(tmp_path), **(SMALL | change))
        assert len(os.listdir(tmp_path / 'processed')) == count


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'actions': ('wave', 'fly')}, r"actions must be distinct values of \['wave', 'clap'"),
        ({'actions': ()}, 'actions must be distinct'),
        ({'num_subjects': 0}, 'num_subjects must be an integer >= 1, got 0'),
        ({'num_takes': 1.5}, 'num_takes must be an integer'),
        ({'num_frames': (9, 3)}, r'num_frames must be an integer or \(min, max\)'),
        ({'views': (0, 360)}, 'views must be distinct angles'),
        ({'fps': 0}, 'fps must be positive and finite, got 0'),
        ({'noise': -1}, 'noise must be a number at least 0, got -1'),
        ({'missing': 1}, r'missing must be in \[0, 1\), got 1'),
        ({'seed': -1}, 'seed must be'),
        ({'skeleton': 'kinect21'}, 'unknown skeleton'),
    ],
)
def test_invalid_options_raise(options, message):
    with pytest.raises(ValueError, match=message):
        SyntheticActions(**({'num_subjects': 1, 'num_takes': 1} | options))


@pytest.mark.slow
def test_a_thousand_sequences_in_a_few_seconds():
    dataset, best = None, float('inf')
    for _ in range(2):  # the better of two, for the machine may be busy
        start = time.process_time()
        dataset = SyntheticActions(num_subjects=9, num_takes=3)
        best = min(best, time.process_time() - start)
    assert len(dataset) == 1053
    assert best < 5


@pytest.fixture(scope='module')
def many():
    """Motions of 20 subjects, resampled, with one random frame of each."""
    dataset = SyntheticActions(num_subjects=20, views=None)
    torch.manual_seed(0)
    frames = [x.pos[:, torch.randint(x.pos.size(1), ())] for x in dataset]
    moments = torch.linspace(0, 1, 24)
    whole = [x.pos[:, ((x.pos.size(1) - 1) * moments).round().long()] for x in dataset]
    return dataset, torch.stack(whole), torch.stack(frames)


def accuracy(features, dataset, classes=None):
    """Accuracy of ridge regression on one-hot classes for held-out subjects."""
    y, train = dataset.labels('y'), dataset.labels('subject') % 2 == 0
    chosen = torch.isin(y, torch.arange(13) if classes is None else torch.tensor(classes))
    x, y, train = features.flatten(1).double()[chosen], y[chosen], train[chosen]
    x = (x - x[train].mean(0)) / (x[train].std(0) + 1e-9)
    x = torch.cat([x, torch.ones(len(x), 1)], 1)
    target = torch.nn.functional.one_hot(y, 13).double()
    left = x[train].T @ x[train] + 10 * torch.eye(x.size(1))
    weight = torch.linalg.solve(left, x[train].T @ target[train])
    return ((x[~train] @ weight).argmax(1) == y[~train]).double().mean().item()


@pytest.mark.slow
def test_single_frames_are_less_informative_than_sequences(many):
    dataset, whole, frame = many
    of_sequence = accuracy(whole, dataset)
    of_frame = max(accuracy(frame, dataset), accuracy(frame - frame[:, :1], dataset))
    assert of_sequence > 0.85
    assert of_frame < 0.55
    assert accuracy(whole[:, :, 0], dataset) < 0.35
    assert accuracy(whole[:, :, -1], dataset) < 0.35


@pytest.mark.slow
@pytest.mark.parametrize('pair', [('sit down', 'stand up'), ('raise arms', 'lower arms')])
def test_only_the_order_of_frames_distinguishes_some_actions(many, pair):
    dataset, whole, frame = many
    classes = [dataset.class_names.index(name) for name in pair]
    assert accuracy(whole, dataset, classes) > 0.95
    assert accuracy(frame, dataset, classes) < 0.65
    # Nor do all frames together in any order: the mean and the extremes of every joint.
    centred = whole - whole[:, :1]
    unordered = torch.cat([centred.mean(2), centred.amin(2), centred.amax(2)], 1)
    assert accuracy(unordered, dataset, classes) < 0.75


@pytest.mark.slow
def test_length_position_and_size_are_uninformative(many):
    dataset, _, frame = many
    length = dataset.labels('num_frames').double().unsqueeze(1)
    chance = 1 / 13 + 3 * (1 / 13 / 520) ** 0.5
    assert accuracy(torch.cat([length**k for k in (1, 2, 3)], 1), dataset) < chance
    root = torch.stack([x.pos[0].mean(0) for x in dataset])
    assert accuracy(root[:, [0, 2]], dataset) < chance
    assert accuracy(frame[:, 0, [0, 2]], dataset) < chance
    lengths = torch.stack([(frame[:, i] - frame[:, j]).norm(dim=-1) for i, j in LIMBS], 1)
    assert accuracy(lengths, dataset) < chance
