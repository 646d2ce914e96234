import numpy as np
import pytest
from scipy.io import savemat

from graphmotion.datasets import read_utd_mhad


def write(path, **variables):
    savemat(path, variables)
    return str(path)


def test_reads_a_sequence_in_the_order_of_the_layout(tmp_path):
    skeleton = np.random.default_rng(0).normal(size=(20, 3, 7))
    pos = read_utd_mhad(write(tmp_path / 'a.mat', d_skel=skeleton))
    assert pos.shape == (7, 20, 3)
    assert pos.dtype == np.float32
    # In the file: head, neck, spine, hips, then limbs. In the layout: hips, spine, neck, head.
    for joint, row in ((0, 3), (1, 2), (2, 1), (3, 0), (4, 4), (19, 19)):
        np.testing.assert_allclose(pos[5, joint], skeleton[row, :, 5], rtol=1e-6)


@pytest.mark.parametrize('do_compression', [False, True])
def test_empty_truncated_and_other_files_raise(tmp_path, do_compression):
    path = tmp_path / 'a.mat'
    savemat(
        path,
        {'d_skel': np.random.default_rng(0).normal(size=(20, 3, 40))},
        do_compression=do_compression,
    )
    whole = path.read_bytes()
    assert read_utd_mhad(str(path)).shape == (40, 20, 3)
    for content in (b'', b'no mat', whole[:100], whole[:200], whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r'a\.mat: content: expected a MATLAB file'):
            read_utd_mhad(str(path))
    with pytest.raises(FileNotFoundError, match='no such file'):
        read_utd_mhad(str(tmp_path / 'nowhere.mat'))


@pytest.mark.parametrize(
    ('variables', 'found'),
    [
        ({'other': 1}, 'no such variable'),
        ({'d_skel': np.zeros((25, 3, 7))}, r'the shape \[25, 3, 7\]'),
        ({'d_skel': np.zeros((20, 3))}, r'the shape \[20, 3\]'),
        ({'d_skel': np.zeros((20, 3, 0))}, r'the shape \[20, 3, 0\]'),
        ({'d_skel': np.full((20, 3, 2), np.nan)}, 'NaN'),
        ({'d_skel': 'text'}, 'another type'),
        ({'d_skel': np.ones((20, 3, 2)) * 1j}, 'complex numbers'),
    ],
)
def test_invalid_variables_raise(tmp_path, variables, found):
    with pytest.raises(ValueError, match=rf'a\.mat: d_skel: expected .*, found {found}'):
        read_utd_mhad(write(tmp_path / 'a.mat', **variables))


def test_damaged_files_raise_or_give_other_numbers(tmp_path):
    path = tmp_path / 'a.mat'
    savemat(path, {'d_skel': np.random.default_rng(0).normal(size=(20, 3, 5))})
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(200):
        broken = whole.copy()
        broken[random.integers(0, 250, 3)] = random.integers(0, 256, 3)
        path.write_bytes(broken.tobytes())
        try:
            read_utd_mhad(str(path))
        except ValueError as error:
            refused += 'a.mat: ' in str(error)
    assert refused > 60
