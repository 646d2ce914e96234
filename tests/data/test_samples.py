import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data

from graphmotion.data import (
    from_array,
    from_dense,
    num_valid_frames,
    to_array,
    to_dense,
    valid_frames,
    visible_joints,
)
from graphmotion.skeletons import Skeleton, get_skeleton


def keypoints(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_one_person_there_and_back():
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
    assert np.array_equal(score, confidence)


def test_a_joint_that_is_not_finite_is_missing():
    array = keypoints(4, 17, 2)
    array[1, 3, 0], array[2, 5, 1] = np.nan, np.inf
    data = from_array(array, 'coco17')
    assert data.pos.isfinite().all()
    assert (data.score == 0).nonzero().tolist() == [[3, 1], [5, 2]]
    assert data.pos[3, 1].tolist() == [0, 0]
    assert (data.score == 1).sum() == 4 * 17 - 2


def test_a_joint_without_confidence_is_missing_and_at_zero():
    score = np.full((4, 17), 0.5)
    score[3, 2] = 0
    data = from_array(keypoints(4, 17, 2), 'coco17', score)
    assert data.pos[2, 3].tolist() == [0, 0]
    assert data.score[2, 3] == 0
    assert data.score[2, 2] == 0.5


def test_the_users_array_is_left_as_it_was():
    array = keypoints(4, 17, 2)
    array[0, 0, 0] = np.nan
    copy = array.copy()
    from_array(array, 'coco17').pos.add_(1)
    assert np.array_equal(array, copy, equal_nan=True)


def test_padding_is_not_given_back():
    data = from_array(keypoints(7, 17, 3), 'coco17')
    data.num_frames = torch.tensor([5])
    assert to_array(data)[0].shape == (1, 5, 17, 3)


@pytest.mark.parametrize(
    ('shape', 'reason'),
    [
        ((7, 16, 3), r'\[7, 16, 3\], expected .* V = 17 joints'),
        ((7, 17, 4), r'D = 2 or 3'),
        ((17, 3), r'\[17, 3\]'),
        ((0, 17, 3), 'nothing in it'),
        ((0, 7, 17, 3), 'nothing in it'),
    ],
)
def test_wrong_keypoints_are_refused(shape, reason):
    with pytest.raises(ValueError, match=reason):
        from_array(np.zeros(shape, np.float32), 'coco17')


def test_wrong_scores_and_labels_are_refused():
    array = keypoints(7, 17, 3)
    with pytest.raises(ValueError, match=r'score has the shape \[7, 16\]'):
        from_array(array, 'coco17', np.ones((7, 16)))
    with pytest.raises(ValueError, match=r'outside 0\.\.1'):
        from_array(array, 'coco17', np.full((7, 17), 1.5))
    with pytest.raises(ValueError, match=r'outside 0\.\.1'):
        from_array(array, 'coco17', np.full((7, 17), np.nan))
    with pytest.raises(ValueError, match=r"label 'y' is one integer, got 0\.5"):
        from_array(array, 'coco17', y=0.5)
    with pytest.raises(ValueError, match="'frame_index'"):
        from_array(array, 'coco17', frame_index=3)
    with pytest.raises(ValueError, match="'num_frames'"):
        from_array(array, 'coco17', num_frames=3)
    with pytest.raises(ValueError, match='real numbers'):
        from_array(array.astype(np.complex64), 'coco17')


def test_whole_numbers_and_double_precision():
    assert from_array(np.zeros((7, 17, 2), np.int32), 'coco17').pos.dtype == torch.float32
    assert from_array(np.zeros((7, 17, 2), np.float64), 'coco17').pos.dtype == torch.float64


def test_dense_is_a_view():
    x = torch.randn(3 * 5, 4, 2)
    dense = to_dense(x, 5)
    assert dense.shape == (3, 5, 4, 2)
    assert dense.data_ptr() == x.data_ptr()
    assert torch.equal(dense[2, 1], x[11])
    assert from_dense(dense).data_ptr() == x.data_ptr()
    assert torch.equal(from_dense(dense), x)
    assert to_dense(x[:, 1:3], 5)._base is not None
    with pytest.raises(ValueError, match='15 nodes, expected a multiple of the 4'):
        to_dense(x, 4)


def test_facts_of_a_sample_and_of_a_batch():
    samples = [from_array(keypoints(7, 17, 3), 'coco17'), from_array(keypoints(7, 25, 3), 'ntu25')]
    samples[1].num_frames = torch.tensor([4])
    batch = Batch.from_data_list(samples)
    assert num_valid_frames(batch).tolist() == [7, 4]
    del batch.num_frames
    assert num_valid_frames(batch).tolist() == [7, 7]
    with pytest.raises(ValueError, match='none of the fields along time'):
        num_valid_frames(Data(y=torch.zeros(1)))


def test_a_skeleton_of_the_users_own():
    arm = Skeleton(['shoulder', 'elbow', 'wrist'], [(0, 1), (1, 2)])
    assert from_array(keypoints(7, 3, 2), arm).pos.shape == (3, 7, 2)


@pytest.mark.parametrize(
    'change',
    [lambda a: a[::-1], lambda a: a.astype('>f4'), np.asfortranarray, lambda a: a.tolist()],
)
def test_arrays_of_any_kind_are_taken(change):
    array = keypoints(4, 17, 2)
    changed = change(array)
    expected = torch.from_numpy(np.array(changed, np.float32)).transpose(0, 1)
    torch.testing.assert_close(from_array(changed, 'coco17').pos.float(), expected)
    array.flags.writeable = False
    from_array(array, 'coco17').pos.zero_()  # no warning, and no way back into the array
    assert array.any()


def test_arrays_and_labels_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match='keypoints is an array of real numbers, got object'):
        from_array(keypoints(4, 17, 2).astype(object), 'coco17')
    for value in ('sad', None, 0.5, [1, 2]):
        with pytest.raises(ValueError, match="label 'y' is one integer"):
            from_array(keypoints(4, 17, 2), 'coco17', y=value)
    for name in ('x', 'num_nodes', 'silhouettes'):
        with pytest.raises(ValueError, match=f'cannot be called {name!r}'):
            from_array(keypoints(4, 17, 2), 'coco17', **{name: 1})
    assert from_array(keypoints(4, 17, 2), 'coco17', y=np.int64(3)).y.tolist() == [3]


def test_what_is_padding_and_what_is_there():
    score = torch.tensor([[1.0, 0.0, 0.5, 1.0], [0.0, 1.0, 1.0, 1.0]])
    one = Data(pos=torch.zeros(2, 4, 3), score=score, num_frames=torch.tensor([3]))
    two = Data(pos=torch.zeros(2, 4, 3), score=torch.ones(2, 4), num_frames=torch.tensor([1]))
    batch = Batch.from_data_list([one, two])
    frames = [[1, 1, 1, 0]] * 2 + [[1, 0, 0, 0]] * 2
    assert valid_frames(batch, 4).tolist() == torch.tensor(frames).bool().tolist()
    joints = [[1, 0, 1, 0], [0, 1, 1, 0], [1, 0, 0, 0], [1, 0, 0, 0]]
    assert visible_joints(batch).tolist() == torch.tensor(joints).bool().tolist()
    assert visible_joints(Data(pos=torch.zeros(2, 4, 3))).all()
