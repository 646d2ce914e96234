import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch_geometric.data import Batch

from graphmotion.data import from_array
from graphmotion.datasets import NTURGBD
from graphmotion.transforms import PadFrames, ctr_gcn_test_transform, ctr_gcn_train_transform

STREAMS = ('joint', 'bone', 'joint_motion', 'bone_motion')


# (joint, the joint its bone comes from), counted from one; the other joint has no bone.
NTU = {1: 2, 2: 21, 3: 21, 4: 3, 5: 21, 6: 5, 7: 6, 8: 7, 9: 21, 10: 9, 11: 10, 12: 11, 13: 1}
NTU |= {14: 13, 15: 14, 16: 15, 17: 1, 18: 17, 19: 18, 20: 19, 22: 23, 23: 8, 24: 25, 25: 12}
UCLA = {1: 2, 2: 3, 4: 3, 5: 3, 6: 5, 7: 6, 8: 7, 9: 3, 10: 9, 11: 10, 12: 11, 13: 1, 14: 13}
UCLA |= {15: 14, 16: 15, 17: 1, 18: 17, 19: 18, 20: 19}


def ntu_people(num_frames, start=0, end=None, seed=0):
    """Returns two people [2, T, 25, 3]; the second is present from frame start to end."""
    random = np.random.default_rng(seed)
    pos = np.cumsum(random.normal(scale=0.05, size=(2, num_frames, 25, 3)), axis=1)
    pos += random.normal(size=(2, 1, 25, 3)) + np.array([0.5, 1, 3])
    seen = np.ones((2, num_frames))
    seen[1] = 0
    seen[1, start:end] = 1
    pos[seen == 0] = 0
    return pos, seen


def double(*args):
    """A sample in double precision, as the loops compute."""
    torch.set_default_dtype(torch.float64)
    try:
        return from_array(*args)
    finally:
        torch.set_default_dtype(torch.float32)


def sample(pos, seen):
    score = np.repeat(seen[:, :, None], pos.shape[2], axis=2)
    return double(pos, 'ntu25', score)


def center_ntu(pos, seen):
    """Centres on joint 2 of the first person in its first frame; absent people are at zero."""
    out = np.zeros_like(pos)
    first = next(t for t in range(pos.shape[1]) if seen[0, t])
    for m in range(2):
        for t in range(pos.shape[1]):
            if seen[m, t]:
                out[m, t] = pos[m, t] - pos[0, first, 1]
    return out


def resample(pos, first, length, num_frames):
    """Frames first .. first + length - 1, linearly, at the centres of equal parts of their time."""
    out = np.zeros((len(pos), num_frames, *pos.shape[2:]))
    for k in range(num_frames):
        time = max((k + 0.5) * length / num_frames - 0.5, 0)
        left = math.floor(time)
        right = min(left + 1, length - 1)
        share = time - left
        out[:, k] = (1 - share) * pos[:, first + left] + share * pos[:, first + right]
    return out


def stream_of(pos, stream, bones):
    out = pos.copy()
    if stream.startswith('bone'):
        out = np.zeros_like(pos)
        for joint, origin in bones.items():
            out[:, :, joint - 1] = pos[:, :, joint - 1] - pos[:, :, origin - 1]
    if stream.endswith('motion'):
        moved = np.zeros_like(out)
        for t in range(out.shape[1] - 1):
            moved[:, t] = out[:, t + 1] - out[:, t]
        return moved
    return out


def people_of(x, num_joints):
    """[M * V, T, C] to [M, T, V, C]."""
    return x.unflatten(0, (-1, num_joints)).transpose(1, 2).numpy()


# NTU RGB+D ####################################################################


@pytest.mark.parametrize('stream', STREAMS)
@pytest.mark.parametrize(
    ('num_frames', 'start', 'end'),
    [(103, 0, None), (103, 30, 80), (40, 7, None), (1, 0, None), (64, 64, None), (300, 1, 299)],
)
def test_ntu_test_samples_against_loops(num_frames, start, end, stream):
    pos, seen = ntu_people(num_frames, start, end)
    out = ctr_gcn_test_transform('ntu', stream)(sample(pos, seen))
    margin = int((1 - 0.95) * num_frames / 2)
    length = num_frames - 2 * margin
    expected = resample(center_ntu(pos, seen), margin, length, 64)
    assert out.x.shape == (50, 64, 3)
    np.testing.assert_allclose(people_of(out.x, 25), stream_of(expected, stream, NTU), atol=1e-12)


def test_ntu_first_person_who_appears_later_is_the_origin():
    pos, seen = ntu_people(80)
    seen[0, :10], pos[0, :10] = 0, 0
    out = ctr_gcn_test_transform()(sample(pos, seen))
    expected = resample(center_ntu(pos, seen), 2, 76, 64)
    np.testing.assert_allclose(people_of(out.x, 25), expected, atol=1e-12)


def test_ntu_absent_person_stays_absent():
    pos, seen = ntu_people(80, start=50)
    x = people_of(ctr_gcn_test_transform()(sample(pos, seen)).x, 25)
    assert not x[1, :38].any()
    assert x[1, 42:].any(axis=(1, 2)).all()


@pytest.mark.parametrize('num_frames', [30, 64, 80, 100])
def test_ntu_training_samples_against_loops(num_frames):
    """A sample is a resampled and rotated window of frames, identified by distances,
    which rotations preserve."""
    pos, seen = ntu_people(num_frames, start=5)
    centred = center_ntu(pos, seen)
    windows = {
        (first, length): resample(centred, first, length, 64)
        for length in range(min(num_frames, max(64, num_frames // 2)), num_frames + 1)
        for first in range(num_frames - length + 1)
    }
    norms = np.stack([np.linalg.norm(window, axis=-1) for window in windows.values()])
    found, angles = set(), []
    for seed in range(8):
        torch.manual_seed(seed)
        out = ctr_gcn_train_transform('ntu', 'bone')(sample(pos, seen))
        turned = people_of(out.pos, 25)
        error = np.abs(np.linalg.norm(turned, axis=-1) - norms).max(axis=(1, 2, 3))
        assert error.min() < 1e-9
        key = list(windows)[error.argmin()]
        rotation, _ = Rotation.align_vectors(turned.reshape(-1, 3), windows[key].reshape(-1, 3))
        expected = windows[key] @ rotation.as_matrix().T
        np.testing.assert_allclose(turned, expected, atol=1e-6)
        np.testing.assert_allclose(
            people_of(out.x, 25), stream_of(expected, 'bone', NTU), atol=1e-6
        )
        found.add(key)
        angles.append(rotation.as_euler('xyz'))
    assert np.abs(angles).max() <= 0.3 + 1e-6
    assert np.abs(angles).max(axis=0).min() > 0.15
    assert len(found) == 1 if num_frames <= 64 else len(found) > 5


def test_ntu_options():
    pos, seen = ntu_people(90)
    assert ctr_gcn_test_transform('ntu', num_frames=128)(sample(pos, seen)).x.shape == (50, 128, 3)
    out = ctr_gcn_train_transform('ntu', ['joint', 'bone'], 20)(sample(pos, seen))
    assert out.x.shape == (50, 20, 6)
    assert 'score' not in out


@pytest.mark.parametrize('stream', STREAMS)
def test_ntu_of_a_padded_batch_matches_its_samples(stream):
    samples = [sample(*ntu_people(n, start, seed=n)) for n, start in ((90, 0), (41, 20), (70, 69))]
    transform = ctr_gcn_test_transform('ntu', stream)
    alone = torch.cat([transform(data).x for data in samples])
    padded = []
    for data in samples:
        counts = data.num_frames
        data = PadFrames(90, 'edge')(data)
        assert torch.equal(data.num_frames, counts)
        padded.append(data)
    batch = Batch.from_data_list(padded)
    torch.testing.assert_close(transform(batch.clone()).x, alone)
    train = ctr_gcn_train_transform('ntu', stream)(batch)
    assert train.x.shape == (150, 64, 3)
    assert train.num_frames.tolist() == [64] * 3


@pytest.mark.slow
def test_ntu_real_recordings_against_loops(tmp_path, real_data):
    (tmp_path / 'raw').mkdir()
    (tmp_path / 'raw' / 'skeletons.zip').symlink_to(
        real_data / 'ntu_rgbd_samples' / 'skeletons.zip'
    )
    for data in NTURGBD(str(tmp_path)):
        n = int(data.num_frames)
        pos, seen = people_of(data.pos, 25), data.score.view(2, 25, n)[:, 0].numpy()
        margin = int((1 - 0.95) * n / 2)
        expected = resample(center_ntu(pos, seen), margin, n - 2 * margin, 64)
        for stream in STREAMS:
            out = people_of(ctr_gcn_test_transform('ntu', stream)(data).x, 25)
            np.testing.assert_allclose(out, stream_of(expected, stream, NTU), atol=1e-6)


# Northwestern-UCLA ############################################################


def ucla_pose(num_frames, seed=0):
    random = np.random.default_rng(seed)
    pos = np.cumsum(random.normal(scale=0.05, size=(num_frames, 20, 3)), axis=0)
    return pos + random.normal(size=(20, 3)) + np.array([0.3, 0.5, 3])


def normalise_ucla(pos, about_x=0.0, about_y=0.0, scale=1.0):
    """Relative to joint 2 of the first frame, turned as row vectors about y, then x, to [-1, 1]."""
    points = (pos - pos[0, 1]).reshape(-1, 3)
    cx, sx = math.cos(math.radians(about_x)), math.sin(math.radians(about_x))
    cy, sy = math.cos(math.radians(about_y)), math.sin(math.radians(about_y))
    turn_x = np.array([[1, 0, 0], [0, cx, sx], [0, -sx, cx]])
    turn_y = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    points = points @ turn_y @ turn_x * scale
    low, high = points.min(axis=0), points.max(axis=0)
    return (2 * (points - low) / (high - low) - 1).reshape(pos.shape)


@pytest.mark.parametrize('stream', STREAMS)
@pytest.mark.parametrize('num_frames', [2, 21, 52, 69, 201])
def test_ucla_test_samples_against_loops(num_frames, stream):
    pos = ucla_pose(num_frames)
    out = ctr_gcn_test_transform('nw_ucla', stream)(double(pos, 'kinect20'))
    frames = np.linspace(0, num_frames - 1, 52).astype(int)
    expected = stream_of(normalise_ucla(pos)[frames][None], stream, UCLA)
    np.testing.assert_allclose(people_of(out.x, 20), expected, atol=1e-9)


def test_ucla_joints_at_the_camera_are_not_missing():
    pos = ucla_pose(30)
    pos[4, 7] = 0
    data = double(pos, 'kinect20', (pos != 0).any(axis=-1).astype(float))
    frames = np.linspace(0, 29, 52).astype(int)
    out = people_of(ctr_gcn_test_transform('nw_ucla')(data).x, 20)[0]
    np.testing.assert_allclose(out, normalise_ucla(pos)[frames], atol=1e-9)


@pytest.mark.parametrize('stream', STREAMS)
def test_ucla_training_samples_against_loops(stream):
    pos = ucla_pose(40)
    seen, differ = [], []
    for seed in range(8):
        torch.manual_seed(seed)
        out = ctr_gcn_train_transform('nw_ucla', stream)(double(pos, 'kinect20'))
        torch.manual_seed(seed)  # the first draws: about y, then about x
        about_y, about_x = (torch.rand(2, dtype=torch.float64) * 121).floor().numpy() - 60
        wanted = normalise_ucla(pos, about_x, about_y, scale=0.5 + seed / 8)
        positions = people_of(out.pos, 20)[0]
        error = np.abs(positions[:, None] - wanted[None]).max(axis=(2, 3))
        frames = error.argmin(axis=1)
        assert error.min(axis=1).max() < 1e-9
        assert (np.diff(frames) >= 0).all()
        expected = stream_of(wanted[frames][None], stream, UCLA)
        np.testing.assert_allclose(people_of(out.x, 20), expected, atol=1e-9)
        seen.append((about_x, about_y))
        differ.append(tuple(frames))
    assert len(set(seen)) == len(set(differ)) == 8


def test_ucla_about_y_before_x_makes_a_difference():
    pos = ucla_pose(20)
    one = normalise_ucla(pos, 50, 40)
    points = (pos - pos[0, 1]) @ Rotation.from_euler('xy', [50, 40], degrees=True).as_matrix().T
    low, high = points.min(axis=(0, 1)), points.max(axis=(0, 1))
    assert np.abs(one - (2 * (points - low) / (high - low) - 1)).max() > 0.1


@pytest.mark.slow
def test_ucla_real_sequences_against_loops(nw_ucla):
    transforms = {stream: ctr_gcn_test_transform('nw_ucla', stream) for stream in STREAMS}
    for i in range(0, len(nw_ucla), 97):
        data = nw_ucla[i]
        pos = people_of(data.pos, 20)[0].astype(np.float64)
        frames = np.linspace(0, len(pos) - 1, 52).astype(int)
        for stream, transform in transforms.items():
            expected = stream_of(normalise_ucla(pos)[frames][None], stream, UCLA)
            np.testing.assert_allclose(people_of(transform(data).x, 20), expected, atol=2e-5)


def test_other_datasets_raise():
    for make in (ctr_gcn_train_transform, ctr_gcn_test_transform):
        with pytest.raises(ValueError, match=r"one of \['ntu', 'nw_ucla'\], got 'ntu60'"):
            make('ntu60')
        with pytest.raises(ValueError, match=r"stream must be one of .*, got 'bones'"):
            make('ntu', 'bones')
        with pytest.raises(ValueError, match='num_frames must be an integer >= 1, got 0'):
            make('nw_ucla', num_frames=0)
