import numpy as np
import pytest
import torch

from graphmotion.data import (
    from_array,
    to_array,
)
from graphmotion.skeletons import Skeleton, get_skeleton


def keypoints(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_round_trip_of_one_person():
    array = keypoints(7, 17, 3)
    data = from_array(array, 'coco17', y=2, subject=5)
    assert data.pos.shape == (17, 7, 3)
    assert data.pos.is_contiguous()
    assert torch.equal(data.pos[4, 6], torch.from_numpy(array[6, 4]))
    assert torch.equal(data.edge_index, get_skeleton('coco17').edge_index)
    assert data.num_frames.tolist() == [7]
    assert data.y.tolist() == [2]
    assert data.y.dtype == torch.long
    assert data.subject.tolist() == [5]
    assert 'score' not in data
    assert data.num_nodes == 17
    back, score = to_array(data)
    assert np.array_equal(back, array[None])
    assert np.array_equal(score, np.ones((1, 7, 17)))


def test_two_people_are_two_skeletons_in_one_graph():
    array, confidence = keypoints(2, 7, 25, 3), np.random.default_rng(1).random((2, 7, 25))
    data = from_array(array, 'ntu25', confidence)
    assert data.pos.shape == (50, 7, 3)
    assert torch.equal(data.pos[25 + 3, 2], torch.from_numpy(array[1, 2, 3]))
    assert data.edge_index.shape == (2, 2 * 48)
    first, second = data.edge_index.split(48, dim=1)
    assert first.max() < 25
    assert torch.equal(second, first + 25)
    back, score = to_array(data, num_joints=25)
    assert np.array_equal(back, array)
    assert np.array_equal(score, confidence.astype(np.float32))


def test_non_finite_joints_are_missing():
    array = keypoints(4, 17, 2)
    array[1, 3, 0], array[2, 5, 1] = np.nan, np.inf
    data = from_array(array, 'coco17')
    assert data.pos.isfinite().all()
    assert (data.score == 0).nonzero().tolist() == [[3, 1], [5, 2]]
    assert data.pos[3, 1].tolist() == [0, 0]
    assert (data.score == 1).sum() == 4 * 17 - 2


def test_joints_without_confidence_are_missing_and_zero():
    score = np.full((4, 17), 0.5)
    score[3, 2] = 0
    data = from_array(keypoints(4, 17, 2), 'coco17', score)
    assert data.pos[2, 3].tolist() == [0, 0]
    assert data.score[2, 3] == 0
    assert data.score[2, 2] == 0.5


def test_the_input_array_is_unchanged():
    array = keypoints(4, 17, 2)
    array[0, 0, 0] = np.nan
    copy = array.copy()
    from_array(array, 'coco17').pos.add_(1)
    assert np.array_equal(array, copy, equal_nan=True)


def test_padding_is_not_returned():
    data = from_array(keypoints(7, 17, 3), 'coco17')
    data.num_frames = torch.tensor([5])
    assert to_array(data)[0].shape == (1, 5, 17, 3)


@pytest.mark.parametrize(
    ('shape', 'reason'),
    [
        ((7, 16, 3), r"\[T, V, C\] with V = 17 joints .* \[7, 16, 3\]; pass axes, such as 'CTVM'"),
        ((7, 17, 4), r'C = 2 or 3, got \[7, 17, 4\]'),
        ((17, 3), r'\[M, T, V, C\] .* \[17, 3\]'),
        ((3, 7, 17, 1), r"\[3, 7, 17, 1\]; pass axes, such as 'CTVM', for another order"),
        ((9, 3, 7, 17, 2), r'got \[9, 3, 7, 17, 2\]'),
        ((0, 17, 3), 'at least one person and one frame'),
        ((0, 7, 17, 3), 'at least one person and one frame'),
    ],
)
def test_invalid_keypoints_raise(shape, reason):
    with pytest.raises(ValueError, match=reason):
        from_array(np.zeros(shape, np.float32), 'coco17')


def test_invalid_scores_and_labels_raise():
    array = keypoints(7, 17, 3)
    with pytest.raises(ValueError, match=r'score must have shape \[7, 17\], got \[7, 16\]'):
        from_array(array, 'coco17', np.ones((7, 16)))
    with pytest.raises(ValueError, match=r'score must be in \[0, 1\], got values from '):
        from_array(array, 'coco17', np.full((7, 17), 1.5))
    with pytest.raises(ValueError, match=r'score must be in \[0, 1\], got values from '):
        from_array(array, 'coco17', np.full((7, 17), np.nan))
    with pytest.raises(ValueError, match=r"label 'y' must be an integer, got 0\.5"):
        from_array(array, 'coco17', y=0.5)
    with pytest.raises(ValueError, match="'frame_index'"):
        from_array(array, 'coco17', frame_index=3)
    with pytest.raises(ValueError, match="'num_frames'"):
        from_array(array, 'coco17', num_frames=3)
    with pytest.raises(ValueError, match='real numbers'):
        from_array(array.astype(np.complex64), 'coco17')


@pytest.mark.parametrize('kind', [np.float64, np.float32, np.float16, np.int32, np.uint8, bool])
@pytest.mark.parametrize('default', [torch.float32, torch.float64])
def test_positions_and_scores_have_the_default_type(kind, default):
    array = (10 * np.random.default_rng(0).random((4, 17, 3))).astype(kind)
    score = (array[..., 0] != 0).astype(kind)
    before = torch.get_default_dtype()
    torch.set_default_dtype(default)
    try:
        for value in (array, torch.from_numpy(array)):
            data = from_array(value, 'coco17', score)
            assert data.pos.dtype == data.score.dtype == default
            expected = torch.from_numpy(np.where(score[..., None] > 0, array, 0).astype(np.float64))
            assert torch.equal(data.pos.transpose(0, 1), expected.to(default))
        array = array.astype(np.float32)
        array[0, 0] = np.nan
        assert from_array(array, 'coco17').score.dtype == default
    finally:
        torch.set_default_dtype(before)


@pytest.mark.parametrize('axes', ['CTVM', 'TMVC', 'VTMC', 'MTVC', 'VTC', 'CTV', 'TVC'])
def test_axes_in_any_order(axes):
    sizes = {'M': 2, 'T': 7, 'V': 17, 'C': 3}
    array = np.random.default_rng(0).normal(size=[sizes[axis] for axis in axes])
    score = np.random.default_rng(1).random([sizes[axis] for axis in axes if axis != 'C'])
    data = from_array(array, 'coco17', score, axes=axes)
    people = 2 if 'M' in axes else 1
    assert data.pos.shape == (17 * people, 7, 3)
    for m in range(people):
        at = {'M': m, 'T': 4, 'V': 11}
        place = tuple(at.get(axis, slice(None)) for axis in axes)
        expected = torch.from_numpy(array[place]).float()
        assert torch.equal(data.pos[17 * m + 11, 4], expected)
        number = float(score[tuple(at[axis] for axis in axes if axis != 'C')])
        assert float(data.score[17 * m + 11, 4]) == pytest.approx(number, rel=1e-6)


def test_ambiguous_axes_raise():
    """Arrays of ST-GCN, [C, T, V, M], fit the shape of three people in two dimensions."""
    array = np.random.default_rng(0).normal(size=(3, 7, 17, 2))
    with pytest.raises(
        ValueError, match=r"axes must be 'MTVC', 'TMVC' or 'CTVM' .*\[3, 7, 17, 2\]"
    ):
        from_array(array, 'coco17')
    assert from_array(array, 'coco17', axes='MTVC').pos.shape == (3 * 17, 7, 2)
    assert from_array(array, 'coco17', axes='CTVM').pos.shape == (2 * 17, 7, 3)
    assert from_array(array[..., 0], 'coco17', axes='CTVM').pos.shape == (17, 7, 3)
    with pytest.raises(ValueError, match=r'shape \[T, V, C\] with V = 17 .* \[3, 7, 17, 2\]$'):
        from_array(array, 'coco17', axes='TVC')
    with pytest.raises(ValueError, match=r'shape \[C, T, V, M\] with V = 17 .* \[7, 3, 17, 2\]$'):
        from_array(array.swapaxes(0, 1), 'coco17', axes='CTVM')
    for axes in ('NTVC', 'TV', 'TVCC', ''):
        with pytest.raises(ValueError, match=f"axes must hold each of .* got '{axes}'"):
            from_array(array, 'coco17', axes=axes)
    with pytest.raises(ValueError, match=r'score must have shape \[7, 17, 2\], got \[3, 7, 17\]'):
        from_array(array, 'coco17', np.ones((3, 7, 17)), axes='CTVM')


def test_edges_of_every_person():
    ntu = get_skeleton('ntu25')
    edge_index, weight = ntu.edges('spatial')
    data = from_array(keypoints(2, 7, 25, 3), ntu, edges=(edge_index, weight))
    assert torch.equal(data.edge_index, torch.cat([edge_index, edge_index + 25], dim=1))
    assert torch.equal(data.edge_weight, torch.cat([weight, weight]))
    with pytest.raises(ValueError, match="edges must connect the 17 joints of 'coco17', got joint"):
        from_array(keypoints(7, 17, 3), 'coco17', edges=ntu.edges())


def test_custom_skeleton():
    arm = Skeleton(['shoulder', 'elbow', 'wrist'], [(0, 1), (1, 2)])
    assert from_array(keypoints(7, 3, 2), arm).pos.shape == (3, 7, 2)


@pytest.mark.parametrize(
    'change',
    [lambda a: a[::-1], lambda a: a.astype('>f4'), np.asfortranarray, lambda a: a.tolist()],
)
def test_arrays_of_any_layout_are_supported(change):
    array = keypoints(4, 17, 2)
    changed = change(array)
    expected = torch.from_numpy(np.array(changed, np.float32)).transpose(0, 1)
    torch.testing.assert_close(from_array(changed, 'coco17').pos.float(), expected)
    array.flags.writeable = False
    from_array(array, 'coco17').pos.zero_()  # no warning, and no way back into the array
    assert array.any()


def test_arrays_and_labels_that_are_not_numbers_raise():
    with pytest.raises(ValueError, match='keypoints must be an array of real numbers, got object'):
        from_array(keypoints(4, 17, 2).astype(object), 'coco17')
    for value in ('sad', None, 0.5, [1, 2]):
        with pytest.raises(ValueError, match="label 'y' must be an integer"):
            from_array(keypoints(4, 17, 2), 'coco17', y=value)
    for name in ('x', 'num_nodes', 'silhouettes'):
        with pytest.raises(ValueError, match=f'must not be called {name!r}'):
            from_array(keypoints(4, 17, 2), 'coco17', **{name: 1})
    assert from_array(keypoints(4, 17, 2), 'coco17', y=np.int64(3)).y.tolist() == [3]


def test_equal_numbers_of_frames_and_joints_need_axes():
    keypoints = torch.rand(17, 17, 2)
    with pytest.raises(ValueError, match=r"axes must be 'TVC' or 'VTC' for .* \[17"):
        from_array(keypoints, 'coco17')
    frames_first = from_array(keypoints, 'coco17', axes='TVC')
    joints_first = from_array(keypoints, 'coco17', axes='VTC')
    assert torch.equal(frames_first.pos, keypoints.transpose(0, 1))
    assert torch.equal(joints_first.pos, keypoints)


def test_a_third_coordinate_that_looks_like_a_score_warns():
    keypoints = torch.cat([300 * torch.rand(8, 17, 2), torch.rand(8, 17, 1)], dim=-1)
    with pytest.warns(UserWarning, match='looks like a score'):
        from_array(keypoints, 'coco17')
    from_array(keypoints / 300, 'coco17')  # a body in metres
    from_array(keypoints[..., :2], 'coco17', keypoints[..., 2])


def test_the_frame_rate_is_stored():
    data = from_array(np.zeros((4, 17, 3)), 'coco17', frame_rate=29.97, y=1)
    assert data.frame_rate.shape == (1,)
    assert data.frame_rate.item() == pytest.approx(29.97)
    assert 'frame_rate' not in from_array(np.zeros((4, 17, 3)), 'coco17')
    with pytest.raises(ValueError, match='frame_rate must be positive and finite, got 0'):
        from_array(np.zeros((4, 17, 3)), 'coco17', frame_rate=0)
