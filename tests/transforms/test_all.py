"""Properties that all transforms share."""

import pickle

import pytest
import torch
from torch_geometric.data import Batch, Data, HeteroData
from torch_geometric.transforms import BaseTransform

import graphmotion.transforms as T
from graphmotion.skeletons import get_skeleton
from tests.transforms.test_faces import FACES
from tests.transforms.test_silhouettes import SILHOUETTES

HANDS_AND_FEET = {
    'left_hand': 'left_wrist',
    'right_hand': 'right_wrist',
    'left_foot': 'left_ankle',
    'right_foot': ['right_ankle', 'right_knee'],
}
HIPS = ('left_hip', 'right_hip')

TRANSFORMS = [
    T.ToStream('joint'),
    T.ToStream(['joint', 'bone', 'joint_motion', 'bone_motion'], 'coco17', score=True),
    T.ToStream(['joint_speed', 'joint_motion']),
    T.CenterJoint('coco17'),
    T.CenterJoint('coco17', HIPS, per_frame=False),
    T.CenterJoint('coco17', HIPS, per_body=True),
    T.ScaleByBodySize('coco17'),
    T.ScaleByBodySize('coco17', between=('nose', HIPS)),
    T.ScaleByImageSize(320),
    T.MinMaxNormalize(),
    T.MinMaxNormalize((0, 1), per_axis=False),
    T.ResampleFrames(9),
    T.ResampleFrames(30, window=0.7),
    T.ResampleFrames(9, align_corners=False),
    T.CropFraction(0.6),
    T.CropFraction((0.4, 0.9), min_frames=3),
    T.CropFrames(5),
    T.CropFrames(13, 'random', pad='edge'),
    T.CropFrames(5, 'center'),
    T.CropFrames(20, 'center', pad='zero'),
    T.CropFrames(5, 'center', shift=-2),
    T.CropFrames(7, 'uniform'),
    T.CropFrames(7, 'linspace'),
    T.CropFrames(7, 'sample'),
    T.RemoveScore(),
    T.SkipFrames(3),
    T.PadFrames(24),
    T.PadFrames(24, pad='edge'),
    T.PadFrames(24, pad='zero'),
    T.PadPeople(1, 'coco17'),
    T.PadPeople(2, 'coco17'),
    T.RandomMirror('coco17'),
    T.RandomMirror('coco17', axis=1, center='sequence'),
    T.RandomMirror('coco17', center='frame', swap_sides=False),
    T.RandomTimeReversal(),
    T.RandomTimeShift(),
    T.AlignHeading('coco17', axis=1),
    T.RandomRotateAxes(40),
    T.RandomRotateAxes({'z': (10, 20)}),
    T.RandomRotateAxes(40, order='yxz', integer_degrees=True),
    T.RandomScaling((0.5, 1.5)),
    T.RandomScaling((0.5, 1.5), per_axis=True),
    T.JointNoise(0.1),
    T.JointDropout(0.4),
    T.JointDropout(0.4, per_frame=True),
    T.FrameDropout(0.4),
    T.RandomSpeed((0.4, 0.9)),
    T.RandomSpeed((0.4, 0.9), num_frames=21),
    T.FillMissing(),
    T.FillMissing(threshold=0.5, score=0.1),
    T.ConvertSkeleton('coco17', 'h36m17'),
    T.ConvertSkeleton('coco17', 'emotion_gait16', HANDS_AND_FEET),
    T.ToMultiScale('coco17'),
]
RANDOM = (
    T.RandomMirror, T.RandomTimeReversal, T.RandomTimeShift, T.RandomRotateAxes, T.RandomScaling,
    T.RandomSpeed, T.JointNoise, T.JointDropout, T.FrameDropout, T.CropFraction,
)  # fmt: skip
NAMES = [f'{i}-{type(transform).__name__}' for i, transform in enumerate(TRANSFORMS)]
each = pytest.mark.parametrize('transform', TRANSFORMS, ids=NAMES)


def test_all_exported_transforms_are_tested_here():
    tested = {type(t).__name__ for t in TRANSFORMS + SILHOUETTES + FACES} | {'FromMultiScale'}
    classes = {name for name in T.__all__ if name[0].isupper()}
    assert tested == classes
    assert all(issubclass(getattr(T, name), BaseTransform) for name in classes)


@each
@pytest.mark.parametrize(('dims', 'missing'), [(2, 0.0), (2, 0.3), (3, None), (3, 0.3)])
def test_batch_matches_its_samples(transform, dims, missing, make, assert_alike):
    # Sizes are multiples of 16, for which torch draws normal numbers in one order.
    lengths, people = (16, 9, 1, 12), (1, 2, 1, 1)
    samples = [
        make(
            num_frames=n, padding=16 - n, people=m, dims=dims, missing=missing, seed=i,
            silhouettes=True,
        )
        for i, (n, m) in enumerate(zip(lengths, people))
    ]  # fmt: skip
    assert_alike(transform, samples, atol=1e-5)


@each
def test_batches_without_slices(transform, make, both):
    batch = Batch.from_data_list([make(seed=0), make(seed=1)])
    plain = Batch(_base_cls=Data)
    for name, value in batch.to_dict().items():
        plain[name] = value
    torch.manual_seed(0)
    expected = transform(batch)
    torch.manual_seed(0)
    out = transform(plain)
    first = (lambda d: d['joints']) if isinstance(out, HeteroData) else (lambda d: d)
    for name in ('pos', 'batch', 'ptr'):
        assert torch.equal(first(out)[name], first(expected)[name])
    assert out.num_graphs == 2


@each
@pytest.mark.parametrize('missing', [None, 0.3])
def test_padding_has_no_influence(transform, missing, make):
    data = make(num_frames=10, padding=6, missing=missing, silhouettes=True)
    other = data.clone()
    other.pos[:, 10:] = -1e4
    other.silhouettes[:, 10:] ^= True
    if missing is not None:
        other.score[:, 10:] = 0.5
        data.score[:, 10:] = 0
    torch.manual_seed(3)
    out = transform(data)
    torch.manual_seed(3)
    changed = transform(other)
    assert torch.equal(out.num_frames, changed.num_frames)
    valid = int(out.num_frames)
    stores = zip(out.node_stores, changed.node_stores)
    compared = 0
    for store, changed_store in stores:
        for name in ('pos', 'score', 'x', 'silhouettes'):
            if name in store:
                torch.testing.assert_close(store[name][:, :valid], changed_store[name][:, :valid])
                compared += 1
    assert compared >= 2


@each
def test_missing_joints_stay_at_zero(transform, make):
    out = transform(make(missing=0.5, people=2))
    if isinstance(transform, T.RemoveScore):
        assert 'score' not in out
        return
    for store in out.node_stores:
        assert not store.pos[store.score == 0].any()
        assert bool((store.pos[store.score > 0] != 0).any())


@each
@pytest.mark.parametrize('dtype', [torch.float64, torch.float16])
@pytest.mark.parametrize('missing', [None, 0.3])
def test_keeps_the_type(transform, dtype, missing, make):
    out = transform(make(dtype=dtype, missing=missing))
    for store in out.node_stores:
        assert store.pos.dtype == dtype
        assert bool(store.pos.isfinite().all())
        assert 'x' not in store or store.x.dtype == dtype
        assert 'score' not in store or store.score.dtype == dtype
    assert out.num_frames.dtype == torch.long


@each
def test_samples_without_num_frames(transform, make):
    data = make(missing=None)
    torch.manual_seed(0)
    expected = transform(data)
    del data.num_frames
    torch.manual_seed(0)
    out = transform(data)
    for store, other in zip(out.node_stores, expected.node_stores):
        assert torch.equal(store.pos, other.pos)


def test_reprs_are_distinct():
    assert len({repr(transform) for transform in TRANSFORMS}) == len(TRANSFORMS)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
@each
def test_stays_on_the_device(transform, make):
    samples = [make(seed=i, people=m, missing=0.2, silhouettes=True) for i, m in ((0, 1), (1, 2))]
    out = transform(Batch.from_data_list(samples).to('cuda'))
    for store in out.stores:
        assert all(value.is_cuda for value in store.values())
    if not isinstance(transform, RANDOM) and getattr(transform, 'mode', None) not in (
        'random',
        'sample',
    ):
        expected = transform(Batch.from_data_list(samples))
        for store, other in zip(out.node_stores, expected.node_stores):
            torch.testing.assert_close(store.pos.cpu(), other.pos, atol=1e-5, rtol=1e-5)


@each
def test_repr_and_pickle(transform, make):
    assert repr(transform).startswith(f'{type(transform).__name__}(')
    assert repr(pickle.loads(pickle.dumps(transform))) == repr(transform)


def needs_skeleton(transform):
    if isinstance(transform, T.RandomMirror):
        return transform.swap_sides
    return getattr(transform, 'skeleton', None) or isinstance(transform, T.ConvertSkeleton)


@each
def test_missing_positions_raise(transform):
    with pytest.raises(ValueError, match=r'pos|fields along time'):
        transform(Data(x=torch.zeros(17, 3), edge_index=get_skeleton('coco17').edge_index))


@pytest.mark.parametrize(
    'transform',
    [t for t in TRANSFORMS if needs_skeleton(t)],
    ids=lambda t: type(t).__name__,
)
def test_other_skeletons_raise(transform, make):
    with pytest.raises(ValueError, match="multiple of the 17 joints of 'coco17'"):
        transform(make('ntu25'))
    # 9 + 25 nodes are two bodies of 17 joints, but of no graph.
    mixed = [make('ntu25'), make('coco17')]
    mixed[1] = Data(
        pos=mixed[1].pos[:9], score=mixed[1].score[:9], edge_index=torch.empty(2, 0).long(),
        y=mixed[1].y, num_frames=mixed[1].num_frames,
    )  # fmt: skip
    torch.manual_seed(0)
    with pytest.raises(ValueError, match=r'\[25, 9\] nodes'):
        transform(Batch.from_data_list(mixed))


@each
def test_different_numbers_of_frames_raise(transform, make):
    data = make(silhouettes=True)
    data.silhouettes = data.silhouettes[:, :-1]
    along_time = (
        T.ResampleFrames, T.CropFraction, T.CropFrames, T.PadFrames, T.RandomTimeReversal,
        T.RandomSpeed,
    )  # fmt: skip
    if isinstance(transform, along_time):
        with pytest.raises(ValueError, match="'pos': 12, 'score': 12, 'silhouettes': 11"):
            transform(data)


@pytest.mark.parametrize(
    'transform',
    [
        T.RandomRotateAxes(10),
        T.RandomScaling((0.9, 0.9)),
        T.RandomMirror('coco17', p=1, center='frame'),
        T.ConvertSkeleton('coco17', 'h36m17'),
        T.CenterJoint('coco17'),
        T.ScaleByBodySize('coco17'),
        T.ScaleByImageSize(320),
        T.MinMaxNormalize(),
        T.ResampleFrames(3),
        T.RandomSpeed(),
        T.ToStream('joint_motion'),
    ],
    ids=lambda t: type(t).__name__,
)
def test_pixel_coordinates_may_be_integers(transform):
    pos = torch.arange(17 * 8 * 2).view(17, 8, 2) % 101 + 100
    found, expected = [], []
    for out, each in ((found, pos), (expected, pos.float())):
        torch.manual_seed(0)
        data = transform(Data(pos=each))
        out += [data.pos if data.get('x') is None else data.x]
    assert found[0].dtype == torch.float32
    torch.testing.assert_close(found, expected)
