import math

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data

from graphmotion.data import from_array, gait_features
from graphmotion.datasets import SyntheticGait
from graphmotion.skeletons import Skeleton, get_skeleton


def sample(frames=20, dims=3, missing=0.2, seed=0, skeleton='ucalgary18', padding=0):
    random = np.random.default_rng(seed)
    shape = (frames + padding, get_skeleton(skeleton).num_joints)
    score = random.uniform(0.1, 1, shape)
    score[random.uniform(size=shape) < missing] = 0
    data = from_array(random.normal(size=(*shape, dims)), skeleton, score, y=seed)
    data.num_frames = torch.tensor([frames])
    return data


def by_name(data, skeleton='ucalgary18', fps=30):
    values, names = gait_features(data, skeleton, fps)
    assert values.shape == (1, len(names))
    return dict(zip(names, values[0].tolist()))


@pytest.mark.parametrize('dims', [2, 3])
@pytest.mark.parametrize('missing', [0, 0.3])
def test_lengths_and_speeds_by_slow_loops(dims, missing):
    data = sample(dims=dims, missing=missing, padding=4)
    found = by_name(data, fps=25)
    skeleton = get_skeleton('ucalgary18')
    pos, score = data.pos.double().numpy(), data.score.numpy()
    assert len(found) == 2 * 17 + 2 + 18
    for i, j in skeleton.bones:
        lengths = [
            np.linalg.norm(pos[i, t] - pos[j, t])
            for t in range(20)
            if score[i, t] > 0 and score[j, t] > 0
        ]
        name = f'{skeleton.joints[i]}_to_{skeleton.joints[j]}_length'
        assert found[name] == pytest.approx(np.mean(lengths), rel=1e-5)
        assert found[f'{name}_std'] == pytest.approx(np.std(lengths), rel=1e-5)
    for i, joint in enumerate(skeleton.joints):
        speeds = [
            25 * np.linalg.norm(pos[i, t + 1] - pos[i, t])
            for t in range(19)
            if score[i, t] > 0 and score[i, t + 1] > 0
        ]
        assert found[f'{joint}_speed'] == pytest.approx(np.mean(speeds), rel=1e-5)
    left, right = skeleton.index('left_ankle'), skeleton.index('right_ankle')
    apart = [
        np.linalg.norm(pos[left, t] - pos[right, t])
        for t in range(20)
        if score[left, t] > 0 and score[right, t] > 0
    ]
    assert found['step_length'] == pytest.approx(np.quantile(apart, 0.9), rel=1e-5)


def stepping(hertz, frames, fps, trend=0.0, missing=0.0, noise=0.0):
    """Returns ankles whose distance oscillates about 0.5 with amplitude 0.3."""
    random = np.random.default_rng(0)
    time = np.arange(frames) / fps
    pos = np.zeros((frames, 18, 3))
    joint = get_skeleton('ucalgary18').index('left_ankle')
    pos[:, joint, 2] = 0.5 + 0.3 * np.sin(2 * math.pi * hertz * time + 1) + trend * time
    pos[:, joint, 2] += noise * random.normal(size=frames)
    score = (random.uniform(size=(frames, 18)) >= missing).astype(float)
    return from_array(pos, 'ucalgary18', score)


@pytest.mark.parametrize('hertz', [0.8, 1.37, 1.9, 2.5, 3.3])
@pytest.mark.parametrize(('frames', 'fps'), [(120, 30), (75, 25), (400, 100)])
def test_cadence_of_known_steps(hertz, frames, fps):
    for options in ({}, {'trend': 0.4}, {'missing': 0.1}, {'noise': 0.03}):
        found = by_name(stepping(hertz, frames, fps, **options), fps=fps)
        assert found['cadence'] == pytest.approx(60 * hertz, rel=0.03)
    assert by_name(stepping(hertz, frames, fps), fps=fps)['step_length'] == pytest.approx(
        0.5 + 0.3 * math.cos(0.1 * math.pi), abs=0.02
    )


def test_cadence_of_generated_walks():
    """Walkers take two steps per cycle, which the height of their ankles confirms."""
    dataset = SyntheticGait(num_subjects=6, num_takes=1, num_frames=240, emotions=('neutral',))
    batch = dataset.get_batch(range(len(dataset)))
    values, names = gait_features(batch, dataset.skeleton, 30)
    foot = dataset.skeleton.index('left_foot')
    for i, data in enumerate(dataset):
        height = data.pos[foot, :, 1].double().numpy()
        power = np.abs(np.fft.rfft(height - height.mean(), n=8192)) ** 2
        stride = np.fft.rfftfreq(8192, 1 / 30)[power.argmax()]
        assert float(values[i, names.index('cadence')]) == pytest.approx(120 * stride, rel=0.05)


def test_a_batch_equals_its_samples_and_padding_is_ignored():
    samples = [sample(frames=n, seed=n, padding=24 - n) for n in (24, 17, 2, 1)]
    values, names = gait_features(Batch.from_data_list(samples), 'ucalgary18', 30)
    for i, data in enumerate(samples):
        alone = gait_features(data, 'ucalgary18', 30)
        assert alone.names == names
        torch.testing.assert_close(alone.values[0], values[i], rtol=1e-4, atol=1e-5)
        n = int(data.num_frames)
        data.pos[:, n:] = 1e6
        data.score[:, n:] = 1
        again = gait_features(data, 'ucalgary18', 30).values
        torch.testing.assert_close(again, alone.values, rtol=1e-4, atol=1e-4)
        short = Data(pos=data.pos[:, :n], score=data.score[:, :n])
        length = [i for i, name in enumerate(names) if name != 'cadence']
        torch.testing.assert_close(
            gait_features(short, 'ucalgary18', 30).values[:, length],
            alone.values[:, length], rtol=1e-4, atol=1e-5,
        )  # fmt: skip


@pytest.mark.parametrize('dtype', [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize('fps', [1, 30, 1000])
def test_features_are_never_nan(dtype, fps):
    nothing = Data(pos=torch.zeros(18, 5, 3), score=torch.zeros(18, 5))
    still = Data(pos=torch.rand(18, 1, 3).expand(-1, 50, -1).clone())
    single = Data(pos=torch.rand(18, 1, 2))
    one_seen = Data(pos=torch.rand(18, 9, 3), score=torch.eye(9)[0].expand(18, -1))
    for data in (nothing, still, single, one_seen):
        data.pos = data.pos.to(dtype)
        values, names = gait_features(data, 'ucalgary18', fps)
        assert bool(values.isfinite().all())
        assert values.dtype == torch.promote_types(dtype, torch.float32)
        change = values[:, [n.endswith(('_std', '_speed', 'cadence')) for n in names]]
        assert float(change.abs().max()) < 1e-5
    assert not gait_features(nothing, 'ucalgary18', fps).values.any()


def test_feet_replace_missing_ankles():
    data = sample(skeleton='emotion_gait16', missing=0)
    found = by_name(data, 'emotion_gait16')
    skeleton = get_skeleton('emotion_gait16')
    feet = [skeleton.index(f'{side}_foot') for side in ('left', 'right')]
    apart = (data.pos[feet[0]] - data.pos[feet[1]]).norm(dim=-1).numpy()
    assert found['step_length'] == pytest.approx(np.quantile(apart, 0.9), rel=1e-5)


def test_invalid_input_raises():
    with pytest.raises(ValueError, match='fps must be positive and finite, got 0'):
        gait_features(sample(), 'ucalgary18', 0)
    with pytest.raises(ValueError, match=r'the 18 joints .*, got \[17\] nodes'):
        gait_features(sample(skeleton='coco17'), 'ucalgary18', 30)
    uneven = [sample(), sample()]
    uneven[0] = Data(pos=uneven[0].pos[:9], score=uneven[0].score[:9])
    uneven[1] = Data(pos=torch.zeros(27, 20, 3), score=torch.zeros(27, 20))
    with pytest.raises(ValueError, match=r'the 18 joints .*, got \[9, 27\] nodes'):
        gait_features(Batch.from_data_list(uneven), 'ucalgary18', 30)
    with pytest.raises(ValueError, match=r"field 'pos' of shape .*, got \[18, 3\]"):
        gait_features(Data(pos=torch.zeros(18, 3)), 'ucalgary18', 30)
    with pytest.raises(ValueError, match='got none'):
        gait_features(Data(x=torch.zeros(18, 3)), 'ucalgary18', 30)
    arm = Skeleton(['shoulder', 'elbow'], [(0, 1)])
    with pytest.raises(ValueError, match="unknown joint 'left_foot'"):
        gait_features(Data(pos=torch.zeros(2, 5, 3)), arm, 30)
