import os

import pytest
import torch
from torch_geometric.loader import DataLoader

from graphmotion.datasets import FaceDataset, SyntheticFaces
from graphmotion.synthetic.action_units import ACTION_UNITS, EXPRESSIONS, unit_intensities
from graphmotion.synthetic.face_styles import HeadPose, sample_face_styles

SMALL = {'num_subjects': 2, 'num_takes': 2}
STILL = {'pose': 0, 'light': 0, 'framing': 0, 'noise': 0, 'individuality': 0}


def same(a, b):
    a, b = a.to_dict(), b.to_dict()
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_default():
    dataset = SyntheticFaces(**SMALL)
    assert isinstance(dataset, FaceDataset)
    assert len(dataset) == 2 * 7 * 2
    assert dataset.class_names == (
        'neutral', 'anger', 'disgust', 'fear', 'happiness', 'sadness', 'surprise',
    )  # fmt: skip
    assert dataset.num_classes == 7
    assert dataset.size == (48, 48)
    data = dataset[3]
    assert data.image.shape == (1, 48, 48)
    assert data.image.dtype == torch.uint8
    assert data.landmarks.shape == (68, 2)
    assert data.landmarks.dtype == torch.float32
    assert data.units.shape == (1, len(ACTION_UNITS))
    assert dataset.labels('y').tolist() == [c for _ in range(2) for c in range(7) for _ in range(2)]
    assert dataset.labels('subject').tolist() == [0] * 14 + [1] * 14
    assert dataset.labels('take').tolist() == [1, 2] * 14
    batch = dataset.get_batch([0, 5, 7])
    assert batch.image.shape == (3, 48, 48)
    assert batch.landmarks.shape == (3 * 68, 2)
    assert torch.equal(batch.image[1:2], dataset[5].image)


def test_images_use_the_range_of_intensities():
    images = torch.stack(
        [data.image for data in SyntheticFaces(num_subjects=10, num_takes=1)]
    ).float()
    assert images.min() < 20
    assert images.max() > 230
    assert 70 < images.mean() < 180
    assert images.flatten(1).std(1).min() > 15
    assert (images == 255).float().mean() < 0.05


def test_landmarks_lie_in_the_image():
    for size in (48, (60, 90)):
        dataset = SyntheticFaces(num_subjects=10, num_takes=1, size=size)
        assert dataset.size == ((48, 48) if size == 48 else size)
        landmarks = torch.stack([data.landmarks for data in dataset])
        height, width = dataset.size
        inner = landmarks[:, 17:]
        assert (inner > 0).all()
        assert (inner < torch.tensor([width, height])).all()
        outside = (landmarks < 0).any(-1) | (landmarks > torch.tensor([width, height])).any(-1)
        assert outside.float().mean() < 0.03


def test_same_seed_same_faces():
    a, b, c = SyntheticFaces(**SMALL), SyntheticFaces(**SMALL), SyntheticFaces(**SMALL, seed=1)
    assert all(same(x, y) for x, y in zip(a, b))
    assert not any(torch.equal(x.image, y.image) for x, y in zip(a, c))
    assert len({tuple(x.image.flatten().tolist()) for x in a}) == len(a)


def test_a_face_does_not_depend_on_the_size_of_the_dataset():
    big = SyntheticFaces(num_subjects=4, num_takes=3, expressions=SyntheticFaces.EXPRESSIONS)
    small = SyntheticFaces(num_subjects=3, num_takes=2, expressions=('sadness', 'contempt'))
    found = {(int(x.subject), big.class_names[int(x.y)], int(x.take)): x for x in big}
    for data in small:
        other = found[int(data.subject), small.class_names[int(data.y)], int(data.take)]
        torch.testing.assert_close(data.landmarks, other.landmarks, atol=1e-4, rtol=0)
        assert torch.equal(data.units, other.units)
        # Equal but for roundings of sums over other numbers of rows.
        apart = (data.image.int() - other.image.int()).abs()
        assert apart.max() <= 1
        assert (apart > 0).float().mean() < 0.005


def test_the_size_does_not_change_the_face():
    a = SyntheticFaces(**SMALL, noise=0)
    b = SyntheticFaces(**SMALL, noise=0, size=96)
    for x, y in zip(a, b):
        torch.testing.assert_close(2 * x.landmarks, y.landmarks, atol=1e-3, rtol=0)
        coarse = torch.nn.functional.avg_pool2d(y.image.float(), 2)
        assert (coarse - x.image.float()).abs().mean() < 5


def test_prototypes_without_individuality():
    dataset = SyntheticFaces(**SMALL, **STILL, intensity=(1.0, 1.0))
    for data in dataset:
        prototype = unit_intensities(EXPRESSIONS[dataset.class_names[int(data.y)]]).mean(-1)
        torch.testing.assert_close(data.units[0], prototype)
    for data in dataset[:14]:
        # Eyes look a little aside, nothing else is off the middle.
        image = data.image[0].float()
        eyes = slice(
            int(data.landmarks[36:48, 1].min()) - 1, int(data.landmarks[36:48, 1].max()) + 2
        )
        image[eyes] = 0
        assert (image - image.flip(1)).abs().max() <= 2


def test_intensity():
    def units(intensity):
        keys = [(s, 'happiness', t) for s in range(10) for t in range(1, 7)]
        rows = [list(ACTION_UNITS).index(12), list(ACTION_UNITS).index(6)]
        return sample_face_styles(0, keys, intensity, individuality=0).units[:, rows]

    least, most = units((0.2, 0.2)), units((0.9, 0.9))
    torch.testing.assert_close(most, 4.5 * least)
    drawn = units((0.2, 0.9))
    assert (drawn >= least - 1e-6).all()
    assert (drawn <= most + 1e-6).all()
    assert 0.5 < drawn[:, 0].mean() < 0.6
    assert drawn[:, 0].min() < 0.3 < 0.8 < drawn[:, 0].max()


def test_individuality():
    keys = [(s, 'sadness', t) for s in range(60) for t in (1, 2, 3)]
    units = sample_face_styles(0, keys, intensity=(0.8, 0.8)).units
    assert ((units >= 0) & (units <= 1.15)).all()
    sides = (units[..., 0] - units[..., 1]).abs()
    assert 0.01 < sides.mean() < 0.15
    by_subject = units.mean(-1).view(60, 3, -1)
    # Takes of a subject are more alike than subjects are.
    assert by_subject.mean(1).std(0).mean() > 1.5 * by_subject.std(1).mean()
    row = list(ACTION_UNITS).index(15)
    assert by_subject[..., row].mean() > 0.4


def test_contempt_is_one_sided():
    keys = [(s, 'contempt', 1) for s in range(40)]
    units = sample_face_styles(0, keys, individuality=0).units[:, list(ACTION_UNITS).index(14)]
    assert ((units > 0).sum(1) == 1).all()
    assert 0 < int((units[:, 0] > 0).sum()) < 40


def test_pose_and_light():
    keys = [(s, name, t) for s in range(20) for name in ('fear', 'neutral') for t in range(1, 6)]
    scene = sample_face_styles(0, keys, pose=HeadPose(20.0, 10.0, 0.0), light=1).scene
    assert 17 < scene['yaw'].abs().max() <= 20
    assert 8 < scene['pitch'].abs().max() <= 10
    assert not scene['roll'].any()
    assert scene['light_right'].std() > 5
    calm = sample_face_styles(
        0, keys, pose=HeadPose(0.0, 0.0, 0.0), light=0, framing=0, noise=0
    ).scene
    for name in ('yaw', 'light_right', 'background_up', 'crop_right', 'blur'):
        assert not calm[name].any()
    assert calm['exposure'].std() == 0
    assert len(scene['skin'].unique()) == 20  # a subject's own


def test_noise():
    clean, noisy = SyntheticFaces(**SMALL, noise=0), SyntheticFaces(**SMALL, noise=3)
    for a, b in zip(clean, noisy):
        assert torch.equal(a.landmarks, b.landmarks)
    assert not torch.equal(clean[0].image, noisy[0].image)
    still = SyntheticFaces(**SMALL, **STILL, intensity=(1, 1))
    # Takes differ in where the eyes look, and else in nothing.
    assert torch.equal(still[0].image[:, 30:], still[1].image[:, 30:])


def test_nothing_is_written_without_a_root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    SyntheticFaces(num_subjects=1, num_takes=1)
    assert os.listdir(tmp_path) == []


def test_each_combination_of_options_has_a_file(tmp_path, monkeypatch):
    options = {'num_subjects': 1, 'num_takes': 1}
    made = SyntheticFaces(str(tmp_path), **options)
    assert len(os.listdir(tmp_path / 'processed')) == 1
    with monkeypatch.context() as patch:
        patch.setattr(SyntheticFaces, 'read', lambda self: pytest.fail('generated again'))
        loaded = SyntheticFaces(str(tmp_path), **options)
    assert all(same(a, b) for a, b in zip(made, loaded))
    changed = [
        {'seed': 1}, {'num_subjects': 2}, {'num_takes': 2}, {'expressions': ('fear',)},
        {'size': 20}, {'intensity': (0.5, 1)}, {'pose': 3}, {'light': 2}, {'framing': 2},
        {'noise': 2}, {'individuality': 0.5},
    ]  # fmt: skip
    for count, change in enumerate(changed, start=2):
        SyntheticFaces(str(tmp_path), **(options | change))
        assert len(os.listdir(tmp_path / 'processed')) == count


def test_load_and_split():
    dataset = SyntheticFaces(num_subjects=6, num_takes=1, transform=lambda data: data)
    train, test = dataset.split((2, 1), by='subject')
    assert not set(train.labels('subject').tolist()) & set(test.labels('subject').tolist())
    data = next(iter(train))
    data.num_nodes = 68
    batch = next(iter(DataLoader([data, data], batch_size=2)))
    assert batch.image.shape == (2, 48, 48)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (
            {'expressions': ('boredom',)},
            r"expressions must be distinct values of \['neutral', 'anger'",
        ),
        ({'expressions': ()}, 'expressions must be distinct'),
        ({'num_subjects': 0}, 'num_subjects must be an integer >= 1, got 0'),
        ({'num_takes': 1.5}, 'num_takes must be an integer'),
        ({'size': 4}, 'size must be an integer >= 8, got 4'),
        ({'size': (48, 48, 48)}, r'size must be an integer or \(height, width\)'),
        (
            {'intensity': (0.8, 0.2)},
            r'intensity must be an interval \(low, high\), got \(0.8, 0.2\)',
        ),
        ({'intensity': (-0.5, 1)}, r'intensity must be a number in \[0, 1\], got -0.5'),
        ({'intensity': (0.0, 1.5)}, r'intensity must be a number in \[0, 1\], got 1.5'),
        ({'intensity': 0.5}, 'intensity must be an interval'),
        ({'pose': (1, 2)}, r'pose must be a number or \(yaw, pitch, roll\), got \(1, 2\)'),
        ({'pose': 80}, r'pose must be a number in \[0, 30\], got 80'),
        ({'light': -1}, r'light must be a number in \[0, 4\], got -1'),
        ({'light': 'left'}, r"light must be a number in \[0, 4\], got 'left'"),
        ({'noise': float('nan')}, r'noise must be a number in \[0, 100\], got nan'),
        ({'framing': None}, 'framing must be a number'),
        ({'individuality': 3}, r'individuality must be a number in \[0, 2\]'),
        ({'seed': -1}, 'seed must be'),
    ],
)
def test_invalid_options_raise(options, message):
    with pytest.raises(ValueError, match=message):
        SyntheticFaces(**({'num_subjects': 1, 'num_takes': 1} | options))


@pytest.mark.slow
def test_unseen_subjects_are_harder():
    from sklearn.linear_model import RidgeClassifier

    dataset = SyntheticFaces(num_subjects=30, num_takes=4, size=24)
    pixels = torch.stack([data.image for data in dataset]).flatten(1).numpy() / 255

    def accuracy(by):
        scores = []
        for train, test in dataset.folds(4, by=by):
            rows, others = list(train.indices()), list(test.indices())
            model = RidgeClassifier(alpha=10.0).fit(pixels[rows], train.labels('y').numpy())
            scores.append(model.score(pixels[others], test.labels('y').numpy()))
        return sum(scores) / len(scores)

    unseen, seen = accuracy('subject'), accuracy(None)
    assert 0.35 < unseen < 0.75
    assert seen > unseen + 0.03
