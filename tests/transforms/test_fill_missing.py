import numpy as np
import pytest
import torch

from graphmotion.transforms import FillMissing


@pytest.mark.parametrize('missing', [0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize('threshold', [0.0, 0.5])
def test_matches_numpy(missing, threshold, make):
    data = make(num_frames=20, padding=3, missing=missing, dtype=torch.float64)
    out = FillMissing(threshold)(data)
    frames = np.arange(20)
    for i in range(17):
        seen = (data.score[i, :20] > threshold).numpy()
        for field, values in (('pos', data.pos[i].unbind(-1)), ('score', [data.score[i]])):
            result = out.pos[i].unbind(-1) if field == 'pos' else [out.score[i]]
            for value, filled in zip(values, result):
                if seen.any():
                    expected = np.interp(frames, frames[seen], value[:20][seen])
                else:
                    expected = np.zeros(20)
                np.testing.assert_allclose(filled[:20], expected, atol=1e-12)


def test_score_of_filled_joints(make):
    data = make(missing=0.4)
    out = FillMissing(score=0.1)(data)
    seen = data.score > 0
    assert torch.equal(out.score[seen], data.score[seen])
    filled = ~seen & seen.any(dim=1, keepdim=True)
    assert bool((out.score[filled] == 0.1).all())


def test_nothing_missing_is_not_copied(make):
    for data in (make(missing=None), make(missing=0.0, padding=2)):
        assert FillMissing()(data).pos.data_ptr() == data.pos.data_ptr()


def test_padding_repeats_the_last_position(make):
    data = make(num_frames=6, padding=3, missing=0.0)
    data.score[4, 5:] = data.pos[4, 5:] = 0
    out = FillMissing()(data)
    assert torch.equal(out.pos[4, 5:], data.pos[4, 4].expand(4, 3))


def test_invalid_arguments():
    with pytest.raises(ValueError, match=r'threshold must be in \[0, 1\]'):
        FillMissing(threshold=3)
    with pytest.raises(ValueError, match=r'score must be in \[0, 1\]'):
        FillMissing(score=-1)
