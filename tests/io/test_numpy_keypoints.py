import numpy as np
import pytest

from graphmotion.data import from_array
from graphmotion.io import read_numpy


def pos(*shape):
    return np.random.default_rng(0).normal(size=shape)


@pytest.mark.parametrize('shape', [(5, 17, 2), (1, 5, 17, 3), (2, 5, 17, 3), (4, 5, 17, 2)])
def test_reads_one_person_or_several(tmp_path, shape):
    np.save(tmp_path / 'a.npy', pos(*shape))
    tracks = read_numpy(str(tmp_path / 'a.npy'))
    assert len(tracks) == (shape[0] if len(shape) == 4 else 1)
    for track, expected in zip(tracks, pos(*shape).reshape(-1, *shape[-3:])):
        np.testing.assert_allclose(track.pos, expected, rtol=1e-6)
        assert track.score.shape == (5, 17)
        assert track.score.min() == 1
        from_array(track.pos, 'coco17', track.score)


def test_separate_and_appended_scores(tmp_path):
    score = np.random.default_rng(1).uniform(0.1, 1, size=(5, 17))
    score[2, 3], score[1, 1], score[0, 0] = 0, -1, 1.5
    np.savez_compressed(tmp_path / 'a.npz', keypoints=pos(5, 17, 2), score=score, other=[1])
    np.save(tmp_path / 'b.npy', np.concatenate([pos(5, 17, 2), score[..., None]], axis=-1))
    (one,) = read_numpy(str(tmp_path / 'a.npz'))
    (other,) = read_numpy(str(tmp_path / 'b.npy'), score_last=True)
    np.testing.assert_allclose(one.score, score.clip(0, 1), rtol=1e-6)
    np.testing.assert_array_equal(one.score, other.score)
    np.testing.assert_array_equal(one.pos, other.pos)
    assert one.pos[2, 3].tolist() == [0, 0]


def test_the_array_of_scores_may_be_called_scores(tmp_path):
    score = np.random.default_rng(1).uniform(0.1, 1, size=(5, 17))
    path = str(tmp_path / 'a.npz')
    np.savez(path, keypoints=pos(5, 17, 2), scores=score, names=np.array(['a', None]))
    np.testing.assert_allclose(read_numpy(path)[0].score, score, rtol=1e-6)
    np.savez(path, keypoints=pos(5, 17, 2), conf=score)
    with pytest.warns(UserWarning, match=r"ignored \['conf'\]; scores must be the array score"):
        assert read_numpy(path)[0].score.min() == 1
    np.savez(path, keypoints=pos(5, 17, 2), score=score, scores=score)
    with pytest.raises(ValueError, match='expected the arrays keypoints and, optionally, score or'):
        read_numpy(path)


def test_percentages(tmp_path):
    score = np.random.default_rng(1).uniform(1, 99, size=(5, 17))
    path = str(tmp_path / 'a.npz')
    np.savez(path, keypoints=pos(5, 17, 2), score=score)
    with pytest.warns(UserWarning, match='divided by 100'):
        np.testing.assert_allclose(read_numpy(path)[0].score, score / 100, rtol=1e-6)


def test_axes_in_another_order(tmp_path):
    array, score = pos(3, 5, 17, 2), np.random.default_rng(1).uniform(0.1, 1, size=(3, 5, 17))
    turned = array.transpose(3, 1, 2, 0)
    np.savez(tmp_path / 'a.npz', keypoints=turned, score=score.transpose(1, 2, 0))
    tracks = read_numpy(str(tmp_path / 'a.npz'), axes='CTVM')
    for track, expected, confidence in zip(tracks, array, score):
        np.testing.assert_allclose(track.pos, expected, rtol=1e-6)
        np.testing.assert_allclose(track.score, confidence, rtol=1e-6)
    np.save(tmp_path / 'b.npy', np.concatenate([turned, score.transpose(1, 2, 0)[None]]))
    (again, *_) = read_numpy(str(tmp_path / 'b.npy'), score_last=True, axes='CTVM')
    np.testing.assert_array_equal(again.pos, tracks[0].pos)
    np.testing.assert_array_equal(again.score, tracks[0].score)


def test_axes_that_may_be_in_either_order_raise(tmp_path):
    path = str(tmp_path / 'a.npy')
    np.save(path, pos(3, 5, 17, 2))
    reason = r"keypoints: .* by axes='MTVC', 'TMVC' or 'CTVM', found the shape \[3, 5, 17, 2\]"
    with pytest.raises(ValueError, match=reason):
        read_numpy(path)
    assert len(read_numpy(path, axes='MTVC')) == 3
    assert len(read_numpy(path, axes='CTVM')) == 2
    with pytest.raises(ValueError, match="axes must hold each of 'T', 'V' and 'C' once, and 'M'"):
        read_numpy(path, axes='NTVC')


def test_non_finite_joints_are_missing(tmp_path):
    array = pos(5, 17, 2)
    array[1, 2, 0], array[3, 4, 1] = np.nan, np.inf
    np.save(tmp_path / 'a.npy', array)
    (track,) = read_numpy(str(tmp_path / 'a.npy'))
    assert (track.score == 0).nonzero()[0].tolist() == [1, 3]
    assert np.isfinite(track.pos).all()
    assert track.pos[1, 2].tolist() == [0, 0]


@pytest.mark.parametrize(
    ('content', 'options', 'match'),
    [
        (
            pos(5, 17),
            {},
            r'keypoints: expected 2 or 3 numbers per joint, found the shape \[5, 17\]',
        ),
        (pos(5, 17, 4), {}, r'keypoints: expected 2 or 3 numbers per joint'),
        (pos(5, 17, 2), {'score_last': True}, 'keypoints: expected 3 or 4 numbers per joint'),
        (pos(0, 17, 2), {}, r'keypoints: .* found the shape \[1, 0, 17, 2\]'),
        (np.array(1.0), {}, 'keypoints: expected 2 or 3 numbers'),
        (np.full((5, 17, 2), 'a'), {}, 'keypoints: .* values of type <U1'),
        (np.full((5, 17, 2), None), {}, 'content: expected numeric arrays'),
        (
            {'pos': pos(5, 17, 2)},
            {},
            r"content: expected the arrays keypoints and, .*, found \['pos'\]",
        ),
        ({'keypoints': pos(5, 17, 2), 'score': pos(5, 16)}, {}, r'score: .* \[1, 5, 16\]'),
    ],
)
def test_errors_describe_the_fault(tmp_path, content, options, match):
    if isinstance(content, dict):
        path = tmp_path / 'a.npz'
        np.savez(path, **content)
    else:
        path = tmp_path / 'a.npy'
        np.save(path, content)
    with pytest.raises(ValueError, match=rf'a\.np.: {match}'):
        read_numpy(str(path), **options)


def test_empty_truncated_and_foreign_files_are_named(tmp_path):
    np.save(tmp_path / 'a.npy', pos(50, 17, 2))
    np.savez_compressed(tmp_path / 'a.npz', keypoints=pos(50, 17, 2))
    for name in ('a.npy', 'a.npz'):
        path = tmp_path / name
        whole = path.read_bytes()
        for content in (b'', b'nothing of the kind', whole[:5], whole[: len(whole) // 2]):
            path.write_bytes(content)
            with pytest.raises(ValueError, match=rf'{name}: content: expected numeric arrays'):
                read_numpy(str(path))
    with pytest.raises(FileNotFoundError, match='no such file'):
        read_numpy(str(tmp_path / 'nowhere.npy'))


@pytest.mark.parametrize(('shape', 'axes'), [((40, 2, 17, 2), 'TMVC'), ((17, 17, 2), 'TVC')])
def test_ambiguous_shapes_need_axes(tmp_path, shape, axes):
    path = tmp_path / 'a.npy'
    np.save(path, np.random.default_rng(0).normal(size=shape))
    with pytest.raises(ValueError, match=f'known, by axes=.*{axes}.*found the shape'):
        read_numpy(str(path))
    tracks = read_numpy(str(path), axes=axes)
    assert len(tracks) == (2 if axes == 'TMVC' else 1)
    assert tracks[0].pos.shape == (shape[0], 17, 2)
