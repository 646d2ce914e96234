import os

import pytest
import torch
from torch_geometric.loader import DataLoader

from graphmotion.datasets.synthetic_gait import CASIA_B_VIEWS, SyntheticGait
from graphmotion.skeletons import Skeleton, list_skeletons
from graphmotion.synthetic.body import body_lengths
from graphmotion.synthetic.camera import Camera
from graphmotion.synthetic.silhouette import CAPSULE_ENDS, capsule_radii, crop_to_body
from graphmotion.synthetic.walker import simulate_walk
from graphmotion.synthetic.walking_styles import sample_walks

SMALL = {'num_subjects': 2, 'num_takes': 1, 'num_frames': 12}


def same(a, b):
    a, b = a.to_dict(), b.to_dict()
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_default():
    dataset = SyntheticGait(num_subjects=3)
    assert len(dataset) == 3 * 4 * 3
    assert dataset.class_names == ('happy', 'angry', 'sad', 'neutral')
    assert dataset.num_classes == 4
    data = dataset[0]
    assert data.pos.shape == (16, 48, 3)
    assert data.pos.dtype == torch.float32
    assert data.num_frames.tolist() == [48]
    assert {'y', 'subject', 'emotion', 'condition', 'take'} <= set(data.keys())
    assert 'score' not in data
    assert 'view' not in data.to_dict()
    assert dataset.labels('y').tolist() == [e for _ in range(3) for e in range(4) for _ in range(3)]
    assert dataset.labels('take').tolist() == [1, 2, 3] * 12
    assert dataset.labels('subject').tolist() == [s for s in range(3) for _ in range(12)]
    # The pelvis stays above the origin, but for the noise; the ground is y = 0.
    assert dataset._data.pos.view(-1, 16, 48, 3)[:, 0, :, 2].abs().max() < 0.04
    assert 0.7 < data.pos[0, :, 1].mean() < 1.1


@pytest.mark.parametrize('name', list_skeletons())
def test_layouts(name):
    data = SyntheticGait(skeleton=name, noise=0, **SMALL)[0]
    head = data.pos[..., 1].amax()
    assert 1.2 < head < 2.1
    assert data.pos[..., 1].amin() > -1e-5
    assert data.edge_index.max() == len(data.pos) - 1


def test_custom_skeleton():
    legs = Skeleton(['pelvis', 'left_hip', 'left_knee'], [(0, 1), (1, 2)], name='leg')
    data = SyntheticGait(skeleton=legs, noise=0, **SMALL)[0]
    own = body_lengths(sample_walks(0, [(0, 'happy', 'normal', 1)]).traits)['thigh']
    thigh = (data.pos[1] - data.pos[2]).norm(dim=-1)
    torch.testing.assert_close(thigh, own.expand(12))
    with pytest.raises(ValueError, match=r'must be landmarks .*, got \[.tail.\]'):
        SyntheticGait(skeleton=Skeleton(['pelvis', 'tail'], [(0, 1)]))


def test_same_seed_same_gaits():
    options = {'views': (0, 90), 'silhouettes': True, 'skeleton': 'coco17', **SMALL}
    a, b, c = SyntheticGait(**options), SyntheticGait(**options), SyntheticGait(**options, seed=1)
    assert all(same(x, y) for x, y in zip(a, b))
    assert not torch.equal(a[0].pos, c[0].pos)
    assert len({x.pos[5, 3, 0].item() for x in a}) == len(a)


def test_a_gait_does_not_depend_on_the_size_of_the_dataset():
    options = {'skeleton': 'coco17', 'num_frames': (10, 20), 'silhouettes': True}
    big = SyntheticGait(
        **options,
        num_subjects=3,
        num_takes=3,
        conditions=('normal', 'coat'),
        views=(0, 90),
        emotions=('happy', 'sad'),
    )
    small = SyntheticGait(
        **options, num_subjects=2, num_takes=2, conditions=('coat',), views=(90,), emotions=('sad',)
    )
    labels = ('subject', 'emotion', 'condition', 'take', 'view')
    found = {tuple(int(x[k]) for k in labels): x for x in big}
    for data in small:
        other = found[tuple(int(data[k]) for k in labels)]
        # Equal but for the last digits, in which sums over other numbers of rows may differ.
        torch.testing.assert_close(data.pos, other.pos, atol=1e-3, rtol=0)
        torch.testing.assert_close(data.score, other.score, atol=1e-4, rtol=0)
        assert (data.silhouettes != other.silhouettes).float().mean() < 1e-3


def test_lengths():
    dataset = SyntheticGait(num_subjects=20, num_frames=(20, 40))
    frames = dataset.labels('num_frames').float()
    y = dataset.labels('y')
    assert frames.min() == 20
    assert frames.max() == 40
    assert [x.pos.size(1) for x in dataset[:10]] == frames[:10].long().tolist()
    means = torch.stack([frames[y == c].mean() for c in range(4)])
    assert (means - 30).abs().max() < 3 * 6.06 / 60**0.5
    batch = dataset.get_batch(range(5))
    assert batch.pos.size(1) == frames[:5].max()


def test_noise_in_3d():
    clean = SyntheticGait(noise=0, **SMALL)
    noisy = SyntheticGait(noise=2, **SMALL)
    error = torch.cat([a.pos - b.pos for a, b in zip(noisy, clean)])
    assert error.std() == pytest.approx(0.010, rel=0.05)


def test_travel():
    still, moving = (
        SyntheticGait(skeleton='h36m17', noise=0, travel=travel, num_subjects=2, num_takes=2)
        for travel in (False, True)
    )
    for a, b in zip(still, moving):
        path = b.pos[0, :, 2]
        assert 0.8 < (path[-1] - path[0]) * 30 / 47 < 2.0
        assert path[24].abs() <= 1.0 + 1e-4
        torch.testing.assert_close(a.pos[..., 2], (b.pos - b.pos[:1])[..., 2], atol=1e-5, rtol=0)
        assert torch.equal(a.pos[..., :2], b.pos[..., :2])


def test_views_are_projections_of_the_same_walk():
    names = ['left_wrist', 'right_knee', 'pelvis']
    skeleton = Skeleton(names, [(0, 2), (1, 2)])
    camera = Camera(focal_length=300, distance=9)
    dataset = SyntheticGait(
        skeleton=skeleton, views=(0, 90, 126), noise=0, camera=camera, emotions=['angry'], **SMALL
    )
    walks = sample_walks(0, [(1, 'angry', 'normal', 1)])
    points = simulate_walk(walks.traits, walks.phase(12, 30), names, travel=False)
    for data, view in zip(dataset[3:], (0, 90, 126)):
        assert data['view'].tolist() == [view]
        pixels, _ = camera.project(points, view - walks.traits['heading'])
        torch.testing.assert_close(data.pos, pixels[0].transpose(0, 1))
        assert (data.score == 1).all()


def test_missing_joints_are_zero():
    dataset = SyntheticGait(skeleton='coco17', views=(90,), num_subjects=10)
    pos, score = dataset._data.pos, dataset._data.score
    assert ((score >= 0) & (score <= 1)).all()
    assert 0 < (score == 0).float().mean() < 0.05
    assert (pos[score == 0] == 0).all()
    assert (pos[score > 0] > 1).all()


def test_joints_outside_the_image_are_missing():
    narrow = Camera(width=60)
    data = SyntheticGait(
        skeleton='coco17', views=(90,), camera=narrow, travel=True, noise=0, **SMALL
    )[0]
    wide = SyntheticGait(skeleton='coco17', views=(90,), travel=True, noise=0, **SMALL)[0]
    inside = (wide.pos[..., 0] - 160).abs() < 30
    assert 0 < inside.sum() < inside.numel()
    assert torch.equal(data.score > 0, inside)


def test_joints_are_inside_the_silhouettes():
    options = {'skeleton': 'coco17', 'noise': 0, 'silhouettes': True, **SMALL}
    dataset = SyntheticGait(views=(0, 54, 90, 180), conditions=('normal', 'bag', 'coat'), **options)
    rows, inside = [], []
    for data in dataset:
        images = data.silhouettes
        assert images.shape == (1, 12, 64, 44)
        assert images.dtype == torch.uint8
        assert set(images.unique().tolist()) == {0, 1}
        assert images[0].any(2).all(1).all()  # as high as the image: a body in every row
        share = images.float().mean()
        assert 0.08 < share < 0.6
        # The crop is that of the highest and lowest row: find the joints' rows with it.
        rows.append(share)
        key = (
            int(data.subject),
            dataset.emotions[int(data.y)],
            dataset.conditions[int(data.condition)],
            1,
        )
        walks = sample_walks(0, [key])
        names = [name for ends in CAPSULE_ENDS for name in ends]
        points = simulate_walk(walks.traits, walks.phase(12, 30), names, travel=False)
        pixels, depth = Camera().project(points, data['view'] - walks.traits['heading'])
        radii = capsule_radii(walks.traits).unsqueeze(1) * (420 / depth.unflatten(2, (-1, 2)))
        corner, scale = crop_to_body(pixels[0].unflatten(1, (-1, 2)), radii[0])
        joints = (data.pos[5:].transpose(0, 1) - corner.unsqueeze(1)) * scale.view(-1, 1, 1)
        joints = joints.floor().long()
        kept = ((joints >= 0) & (joints < torch.tensor([44, 64]))).all(-1)
        assert kept.float().mean() > 0.97  # an arm may swing past the side of the image
        joints = joints.clamp(min=0).minimum(torch.tensor([43, 63]))
        frame = torch.arange(12).unsqueeze(1)
        inside.append(images[0][frame, joints[..., 1], joints[..., 0]][kept])
    assert torch.cat(inside).float().mean() > 0.995
    share = torch.stack(rows).view(2, 4, 3, 4).mean((0, 1, 3))
    assert share[1] > share[0]
    assert share[2] > 1.05 * share[0]


def test_casia_b():
    dataset = SyntheticGait.casia_b(num_subjects=2, num_frames=8)
    assert len(dataset) == 2 * 10 * 11
    assert dataset.skeleton.name == 'coco17'
    assert dataset.class_names == ('001', '002')
    assert dataset[0].pos.shape == (17, 8, 2)
    assert (
        sorted(set(dataset.labels('view').tolist()))
        == list(CASIA_B_VIEWS)
        == list(range(0, 181, 18))
    )
    assert torch.equal(dataset.labels('y'), dataset.labels('subject'))
    assert set(dataset.labels('emotion').tolist()) == {3}
    walks = list(
        zip(*(dataset.labels(k).tolist() for k in ('subject', 'condition', 'take', 'view')))
    )
    expected = [
        (s, c, t, v)
        for s in range(2)
        for c, takes in enumerate((6, 2, 2))
        for t in range(1, takes + 1)
        for v in range(0, 181, 18)
    ]
    assert walks == expected
    fewer = SyntheticGait.casia_b(num_subjects=1, num_frames=8, views=(90,), skeleton='openpose18')
    assert len(fewer) == 10
    assert fewer[0].pos.shape == (18, 8, 2)


def test_nothing_is_written_without_a_root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    SyntheticGait(**SMALL)
    assert os.listdir(tmp_path) == []


def test_each_combination_of_options_has_a_file(tmp_path, monkeypatch):
    made = SyntheticGait(str(tmp_path), **SMALL)
    assert len(os.listdir(tmp_path / 'processed')) == 1
    with monkeypatch.context() as patch:
        patch.setattr(SyntheticGait, 'read', lambda self: pytest.fail('generated again'))
        loaded = SyntheticGait(str(tmp_path), **SMALL)
    assert all(same(a, b) for a, b in zip(made, loaded))
    assert all(same(a, b) for a, b in zip(made, SyntheticGait(**SMALL)))
    changed = [
        {'seed': 1}, {'noise': 0.5}, {'travel': True}, {'views': (0,)}, {'num_frames': 13},
        {'skeleton': 'coco17'}, {'conditions': ('bag',)}, {'emotions': ('sad',)}, {'fps': 25},
        {'target': 'subject', 'emotions': SyntheticGait.EMOTIONS}, {'num_takes': 2},
        {'num_subjects': 3},
        {'views': (0,), 'silhouettes': True}, {'views': (0,), 'camera': Camera(focal_length=300)},
    ]  # fmt: skip
    for count, change in enumerate(changed, start=2):
        SyntheticGait(str(tmp_path), **(SMALL | change))
        assert len(os.listdir(tmp_path / 'processed')) == count


def test_subject_target():
    dataset = SyntheticGait(target='subject', emotions=('sad', 'happy'), **SMALL)
    assert dataset.labels('y').tolist() == [0, 0, 1, 1]
    assert dataset.labels('emotion').tolist() == [2, 0, 2, 0]
    assert len(SyntheticGait(target='subject', **SMALL)) == 2
    dataset = SyntheticGait(emotions=('sad', 'happy'), **SMALL)
    assert dataset.class_names == ('sad', 'happy')
    assert dataset.labels('y').tolist() == [0, 1, 0, 1]


def test_split_by_subject_and_load():
    dataset = SyntheticGait(num_subjects=6, num_takes=1, num_frames=10)
    train, test = dataset.split((2, 1), by='subject')
    assert not set(train.labels('subject').tolist()) & set(test.labels('subject').tolist())
    batch = next(iter(DataLoader(train, batch_size=4)))
    assert batch.pos.shape == (64, 10, 3)
    assert batch.num_graphs == 4


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'target': 'gender'}, r"target must be one of \['emotion', 'subject'\], got 'gender'"),
        (
            {'emotions': ('happy', 'bored')},
            r"emotions must be distinct values of \['happy', 'angry'",
        ),
        ({'emotions': ()}, 'emotions must be distinct'),
        ({'conditions': ('bag', 'bag')}, r"conditions must be distinct values of \['normal'"),
        ({'num_subjects': 0}, 'num_subjects must be an integer >= 1, got 0'),
        ({'num_subjects': 2.5}, 'num_subjects must be an integer'),
        ({'num_takes': (1, 2)}, 'num_takes must be one number or one for each of the 1 conditions'),
        ({'num_takes': 0}, 'num_takes must be'),
        ({'num_frames': (9, 3)}, r'num_frames must be an integer or \(min, max\)'),
        ({'num_frames': 0}, 'num_frames must be'),
        ({'views': ()}, 'views must be distinct angles'),
        ({'views': (0, 360)}, 'views must be distinct angles'),
        ({'views': (22.5,)}, 'views must be an integer, got 22.5'),
        ({'fps': 0}, 'fps must be positive and finite, got 0'),
        ({'noise': -1}, 'noise must be a number at least 0, got -1'),
        ({'seed': -1}, 'seed must be'),
        ({'silhouettes': True}, r'views must be given for silhouettes, such as views=\(90,\)'),
        ({'skeleton': 'coco18'}, 'unknown skeleton'),
        ({'views': (0,), 'travel': True, 'num_frames': 600}, 'must be in front of the camera'),
    ],
)
def test_invalid_options_raise(options, message):
    with pytest.raises(ValueError, match=message):
        SyntheticGait(**({'num_subjects': 1, 'num_takes': 1} | options))


def accuracy(features, dataset):
    """Accuracy of a linear classifier for held-out subjects."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    y, train = dataset.labels('y').numpy(), dataset.labels('subject').numpy() < 45
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    model.fit(features[train].numpy(), y[train])
    return model.score(features[~train].numpy(), y[~train])


@pytest.mark.slow
@pytest.mark.parametrize(
    'options', [{}, {'skeleton': 'h36m17', 'views': (54,), 'travel': True}], ids=['3d', 'view']
)
def test_single_frames_are_less_informative_than_sequences(options):
    dataset = SyntheticGait(num_subjects=60, **options)
    pos = torch.stack([data.pos for data in dataset])
    score = torch.stack([data.get('score', data.pos[..., 0] + 2) for data in dataset])
    if 'views' in options:  # lost joints are where they were before
        for t in range(1, pos.size(2)):
            pos[:, :, t] = torch.where(score[:, :, t, None] == 0, pos[:, :, t - 1], pos[:, :, t])
    frame = torch.randint(pos.size(2), (len(pos),))
    single = pos[torch.arange(len(pos)), :, frame]
    centred = pos - pos[:, :1]
    speed = centred.diff(dim=2)
    sequence = torch.cat(
        [
            centred.mean(2),
            centred.std(2),
            speed.std(2),
            speed.abs().mean(2),
            speed.diff(dim=2).std(2),
        ],
        1,
    )
    of_frame = max(
        accuracy(single.flatten(1), dataset),
        accuracy((single - single[:, :1]).flatten(1), dataset),
        accuracy(pos[:, :, 0].flatten(1), dataset),
        accuracy(pos[:, :, -1].flatten(1), dataset),
    )
    of_sequence = accuracy(sequence.flatten(1), dataset)
    assert of_frame < 0.6
    assert of_sequence > 0.7
    assert of_sequence > of_frame + 0.2
