import warnings

import h5py
import numpy as np
import pytest

from graphmotion.datasets import read_emotion_gait
from graphmotion.io import (
    SkippedSamples,
)


@pytest.fixture
def write(tmp_path):
    """Writes both files from dictionaries and returns their paths."""

    def write(features, labels):
        paths = [str(tmp_path / 'features.h5'), str(tmp_path / 'labels.h5')]
        for path, content in zip(paths, (features, labels)):
            with h5py.File(path, 'w') as file:
                for name, value in content.items():
                    file[name] = value
        return paths

    return write


def gait(frames=5, joints=16):
    return np.random.default_rng(frames).normal(size=(frames, joints * 3))


def test_reads_positions_and_classes(write):
    positions = {'b': gait(5), 'a': gait(9)}
    gaits = read_emotion_gait(*write(positions, {'a': 3, 'b': 0}))
    assert [(name, pos.shape, label) for name, pos, label in gaits] == [
        ('a', (9, 16, 3), 3),
        ('b', (5, 16, 3), 0),
    ]
    assert gaits[0][1].dtype == np.float32
    assert gaits[0][1][2, 4, 1] == np.float32(positions['a'][2, 3 * 4 + 1])


def test_other_numbers_of_joints(write):
    gaits = read_emotion_gait(*write({'a': gait(5, 21)}, {'a': 3}), num_joints=21)
    assert gaits[0][1].shape == (5, 21, 3)
    # Labels as floats of shape [1], positions as [T, V, 3]
    paths = write({'a': gait(5).reshape(5, 16, 3)}, {'a': np.array([2.0])})
    assert read_emotion_gait(*paths)[0][2] == 2


def spoiled(value):
    out = gait(5)
    out[2, 7] = value
    return out


@pytest.mark.parametrize(
    ('position', 'label', 'reason'),
    [
        (gait(5, 15), 1, 'without 16 joints x 3 numbers per frame'),
        (gait(0), 1, 'without frames'),
        (spoiled(np.nan), 1, 'NaN or infinite'),
        (spoiled(np.inf), 1, 'NaN or infinite'),
        (gait(5), 4, r'class outside 0\.\.3'),
        (gait(5), -1, r'class outside 0\.\.3'),
        (gait(5), 0.5, r'class outside 0\.\.3'),
        (gait(5), b'sad', r'class outside 0\.\.3'),
        (gait(5), None, 'without a class'),
        (None, 1, 'a class but no positions'),
    ],
)
def test_invalid_gaits_are_skipped(write, position, label, reason):
    features = {'good': gait(), 'better': gait(7)} | ({} if position is None else {'bad': position})
    labels = {'good': 0, 'better': 1} | ({} if label is None else {'bad': label})
    paths = write(features, labels)
    with pytest.warns(UserWarning, match=rf'skipped 1 of 3 samples: 1 .*{reason}.* \(bad\)'):
        gaits = read_emotion_gait(*paths)
    assert [name for name, _, _ in gaits] == ['better', 'good']


def test_no_valid_gait_raises(write):
    with pytest.raises(ValueError, match=r'all 2 samples were skipped: 2 without 16 joints'):
        read_emotion_gait(*write({'a': gait(5, 15), 'b': gait(5, 15)}, {'a': 1, 'b': 1}))
    with pytest.raises(ValueError, match='no samples found'):
        read_emotion_gait(*write({}, {}))


def test_missing_truncated_and_other_files_raise(write, tmp_path):
    features, labels = write({'a': gait(500)}, {'a': 1})
    with pytest.raises(FileNotFoundError, match=r'nowhere\.h5: no such file'):
        read_emotion_gait(str(tmp_path / 'nowhere.h5'), labels)
    content = (tmp_path / 'features.h5').read_bytes()
    (tmp_path / 'features.h5').write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r'features\.h5: not an HDF5 file, or truncated'):
        read_emotion_gait(features, labels)
    (tmp_path / 'labels.h5').write_text('no h5')
    with pytest.raises(ValueError, match=r'labels\.h5: not an HDF5 file'):
        read_emotion_gait(str(tmp_path / 'labels.h5'), labels)


def test_a_group_instead_of_a_gait_raises(write):
    with pytest.raises(ValueError, match=r"gait 'a' cannot be read"):
        read_emotion_gait(*write({'a/b': gait(5)}, {'a': 1}))


def test_names_of_many_skipped_samples_are_shortened():
    skipped = SkippedSamples('set')
    for i in range(5):
        skipped.add('empty', f's{i}')
    with pytest.warns(UserWarning, match=r'set: skipped 5 of 9 samples: 5 empty \(s0, s1, s2, \.'):
        skipped.report(total=9)
    assert len(skipped) == 5


def test_positions_too_large_for_single_precision_are_not_finite(write):
    paths = write({'a': gait(), 'b': spoiled(1e300)}, {'a': 1, 'b': 1})
    with pytest.warns(UserWarning, match='1 with NaN or infinite positions'):
        assert len(read_emotion_gait(*paths)) == 1


def test_broken_links_raise(write):
    nowhere = h5py.SoftLink('/nowhere')
    for features, labels in (({'a': nowhere}, {'a': 1}), ({'a': gait()}, {'a': nowhere})):
        with pytest.raises(ValueError, match=r"gait 'a' cannot be read"):
            read_emotion_gait(*write(features, labels))


def test_damaged_file_content_raises(write):
    """Every exception of h5py becomes a ValueError that names the file."""
    names = [f'gait{i}' for i in range(12)]
    paths = write({n: gait() for n in names}, {n: i % 4 for i, n in enumerate(names)})
    random = np.random.default_rng(0)
    refused = 0
    for i in range(150):
        path = paths[i % 2]
        with open(path, 'rb') as file:
            whole = file.read()
        broken = np.frombuffer(whole, np.uint8).copy()
        broken[random.integers(0, min(len(broken), 6000), 16)] = random.integers(0, 256, 16)
        with open(path, 'wb') as file:
            file.write(broken.tobytes())
        try:
            with warnings.catch_warnings():
                warnings.simplefilter('ignore')
                read_emotion_gait(*paths)
        except ValueError as error:
            refused += '.h5: ' in str(error) or '.h5 with ' in str(error)
        with open(path, 'wb') as file:
            file.write(whole)
    assert refused > 30
