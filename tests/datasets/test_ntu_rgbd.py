import os
import zipfile

import numpy as np
import pytest
import torch

from graphmotion.datasets import NTURGBD
from tests.io.test_ntu_skeleton import text


def person(seed, place=0.0, motion=0.3, frames=20):
    """A body of height 1.7 and width 0.5 at the given position, which moves back and forth."""
    points = np.random.default_rng(seed).uniform(-0.5, 0.5, size=(25, 3))
    points[0], points[1] = -0.5, 0.5
    path = motion * np.sin(np.arange(frames))[:, None] * np.array([1.0, 0, 0])
    return (points * [0.5, 1.7, 0.3] + [place, 0, 3])[None] + path[:, None]


def recording(*people, frames=20):
    """The text of a file; people are (number, first frame, positions)."""
    out = [{} for _ in range(frames)]
    for number, start, pos in people:
        for t, joints in enumerate(pos):
            out[start + t][number] = joints
    return text(out)


ONE = recording((1, 0, person(0)))


def write(root, files, archive=None):
    os.makedirs(root / 'raw', exist_ok=True)
    if archive:
        with zipfile.ZipFile(root / 'raw' / archive, 'w') as packed:
            for name, content in files.items():
                packed.writestr(f'nturgb+d_skeletons/{name}.skeleton', content)
    else:
        for name, content in files.items():
            (root / 'raw' / f'{name}.skeleton').write_text(content)


def test_reads_both_archives(tmp_path):
    write(
        tmp_path,
        {'S001C002P003R002A060': ONE, 'S017C003P001R001A001': ONE},
        'nturgbd_skeletons_s001_to_s017.zip',
    )
    write(tmp_path, {'S018C001P045R001A061': ONE}, 'nturgbd_skeletons_s018_to_s032.zip')
    larger = NTURGBD(str(tmp_path), 'ntu120')
    names = ['S001C002P003R002A060', 'S017C003P001R001A001', 'S018C001P045R001A061']
    assert larger.names() == names
    for field, values in (
        ('y', [59, 0, 60]),
        ('setup', [1, 17, 18]),
        ('view', [2, 3, 1]),
        ('subject', [3, 1, 45]),
        ('take', [2, 1, 1]),
        ('frame_rate', [30, 30, 30]),
    ):
        assert larger.labels(field).tolist() == values
    assert larger.num_classes == len(set(larger.class_names)) == 120
    smaller = NTURGBD(str(tmp_path))
    assert smaller.names() == names[:2]
    assert smaller.num_classes == 60
    assert smaller.class_names[59] == 'walking apart'
    assert len(os.listdir(tmp_path / 'processed')) == 2
    with pytest.raises(ValueError, match=r"name must be one of \['ntu60', 'ntu120'\], got 'ntu'"):
        NTURGBD(str(tmp_path), 'ntu')
    with pytest.raises(ValueError, match='num_people must be an integer >= 1, got 0'):
        NTURGBD(str(tmp_path), num_people=0)


def test_an_absent_second_person_is_missing(tmp_path):
    write(tmp_path, {'S001C001P001R001A001': ONE})
    data = NTURGBD(str(tmp_path))[0]
    assert data.pos.shape == (50, 20, 3)
    np.testing.assert_allclose(data.pos[:25].transpose(0, 1), person(0), rtol=1e-5)
    assert data.score[:25].min() == 1
    assert not data.score[25:].any()
    assert not data.pos[25:].any()
    assert data.edge_index.size(1) == 2 * 2 * 24
    assert NTURGBD(str(tmp_path), num_people=1)[0].pos.shape == (25, 20, 3)


def test_people_are_sorted_by_motion_and_spurious_bodies_are_removed(tmp_path):
    calm, lively = person(1, -1, 0.1), person(2, 1, 0.5)
    furniture = person(3, 2, 0.6) * [4, 1, 1]
    content = recording((7, 0, calm), (5, 0, furniture), (3, 0, lively[:12]), (9, 14, lively[14:]))
    write(tmp_path, {'S001C001P001R001A050': content})
    data = NTURGBD(str(tmp_path))[0]
    first = data.pos[:25].transpose(0, 1)
    np.testing.assert_allclose(first[:12], lively[:12], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(data.pos[25:].transpose(0, 1), calm, rtol=1e-4, atol=1e-6)
    assert data.score[0].tolist() == [1.0] * 12 + [0.0] * 8  # the rest is too short to be kept
    everything = NTURGBD(str(tmp_path), denoise=False)[0]
    assert everything.pos[:25, 0, 0].max() > 4
    assert len(os.listdir(tmp_path / 'processed')) == 2


def test_two_people_walking_five_metres_are_kept(tmp_path):
    way = np.zeros((40, 1, 3))
    way[:, 0, 0] = np.linspace(0, 5, 40)
    there, back = person(1, motion=0, frames=40) + way, person(2, motion=0, frames=40) + way[::-1]
    write(tmp_path, {'S001C001P001R001A060': recording((1, 0, there), (2, 0, back), frames=40)})
    data = NTURGBD(str(tmp_path))[0]
    assert data.score.min() == 1
    places = sorted(data.pos.view(2, 25, 40, 3)[:, 0, 0, 0].tolist())
    np.testing.assert_allclose(places, sorted([there[0, 0, 0], back[0, 0, 0]]), rtol=1e-5)


def test_the_list_of_missing_skeletons_and_empty_files(tmp_path):
    files = {f'S001C00{view}P001R001A001': ONE for view in (1, 2, 3)}
    empty = {'S002C001P001R001A001': text([{}, {}]), 'S002C002P001R001A001': ''}
    cut = {'S002C003P001R001A001': ONE[: len(ONE) // 2], 'walk': ONE}
    write(tmp_path, files | empty | cut)
    (tmp_path / 'raw' / 'NTU_RGBD_samples_with_missing_skeletons.txt').write_text(
        'The samples with missing skeletons:\n\nS001C002P001R001A001\nS001C002P005R001A008\n'
    )
    (tmp_path / 'raw' / 'notes.txt').write_text('S001C001P001R001A001')
    with pytest.warns(
        UserWarning,
        match=r'raw: skipped 5 of 7 samples: 1 in the list of missing skeletons '
        r'\(S001C002P001R001A001\); 1 with bodies not at least one .*; 1 with content not the text '
        r'.*; 1 with frames not 20 .*; 1 not named like .*\(walk\)',
    ):
        dataset = NTURGBD(str(tmp_path))
    assert dataset.names() == ['S001C001P001R001A001', 'S001C003P001R001A001']


def test_no_valid_recording_raises_and_leaves_no_file(tmp_path):
    write(tmp_path, {'S001C001P001R001A001': text([{}])})
    with pytest.raises(ValueError, match='all 1 samples were skipped: 1 with bodies not'):
        NTURGBD(str(tmp_path))
    assert not (tmp_path / 'processed').exists()
    with pytest.raises(FileNotFoundError, match=r'NTURGBD needs nturgbd_skeletons_s001_to_s017'):
        NTURGBD(str(tmp_path / 'elsewhere'))


# A word of some classes, as https://github.com/shahroudy/NTURGB-D numbers them.
WORDS = {
    **{1: 'drink', 8: 'sit', 14: 'jacket', 18: 'glasses', 24: 'kicking', 25: 'pocket', 28: 'phone'},
    **{32: 'selfie', 38: 'salute', 43: 'falling', 49: 'fan', 50: 'punch', 55: 'hugging'},
    **{58: 'hands', 60: 'apart', 61: 'headphone', 66: 'juggle', 72: 'victory', 79: 'smell'},
    **{84: 'cube', 90: 'out of bag', 94: 'cap', 96: 'cross arms', 100: 'butt', 105: 'nose'},
    **{107: 'knife', 112: 'high-five', 115: 'photo', 117: 'whisper', 120: 'scissors'},
}
# The training subjects of the papers, as PYSKL (tools/data/ntu_preproc.py) lists them too.
TRAIN_60 = {1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38}
TRAIN_120 = (
    TRAIN_60
    | {45, 46, 47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78, 80, 81, 82, 83, 84, 85, 86}
    | {89, 91, 92, 93, 94, 95, 97, 98, 100, 103}
)


def test_classes_are_named_in_the_order_of_the_files(tmp_path):
    files = {f'S001C001P001R001A{action:03d}': ONE for action in WORDS}
    write(tmp_path, files)
    dataset = NTURGBD(str(tmp_path), 'ntu120')
    names = [dataset.class_names[y] for y in dataset.labels()]
    assert [word in name for word, name in zip(WORDS.values(), names)] == [True] * len(WORDS)


def split(dataset, protocol, field):
    return [set(part.labels(field).tolist()) for part in dataset.official_split(protocol)]


def test_protocols(tmp_path):
    small = recording((1, 0, person(0, frames=2)), frames=2)
    files = {f'S001C00{p % 3 + 1}P{p:03d}R001A001': small for p in range(1, 41)}
    more = {f'S{p % 15 + 18:03d}C00{p % 3 + 1}P{p:03d}R001A120': small for p in range(41, 107)}
    write(tmp_path, files | more)
    smaller, larger = NTURGBD(str(tmp_path)), NTURGBD(str(tmp_path), 'ntu120')
    train, test = split(smaller, 'cross_subject', 'subject')
    assert train | test == set(range(1, 41))
    assert len(train) == len(test) == 20
    assert train == TRAIN_60
    assert split(smaller, 'cross_view', 'view') == [{2, 3}, {1}]
    both_train, both_test = split(larger, 'cross_subject', 'subject')
    assert both_train | both_test == set(range(1, 107))
    assert len(both_train) == len(both_test) == 53
    assert both_train == TRAIN_120
    train, test = split(larger, 'cross_setup', 'setup')
    assert train == {18, 20, 22, 24, 26, 28, 30, 32}
    assert test == {1, 19, 21, 23, 25, 27, 29, 31}
    assert smaller.official_split()[0].names() == smaller.official_split('cross_subject')[0].names()
    with pytest.raises(ValueError, match=r"\['cross_subject', 'cross_setup'\], got 'cross_view'"):
        larger.official_split('cross_view')


def test_the_real_files(tmp_path, real_data):
    os.makedirs(tmp_path / 'raw')
    os.symlink(real_data / 'ntu_rgbd_samples' / 'skeletons.zip', tmp_path / 'raw' / 'skeletons.zip')
    dataset = NTURGBD(str(tmp_path))
    assert dataset.names() == [
        'S001C001P001R001A001',
        'S001C001P001R001A011',
        'S001C003P008R002A058',
        'S002C001P003R001A003',
        'S003C001P015R001A034',
        'S004C002P003R001A017',
    ]
    assert dataset.num_frames.tolist() == [103, 82, 70, 100, 71, 124]
    # One file has two people, who shake hands.
    people = [data.score.view(2, 25, -1).amax(dim=(1, 2)).sum().item() for data in dataset]
    assert people == [1, 1, 2, 1, 1, 1]
    assert dataset.class_names[dataset.labels()[2]] == 'shaking hands'
    energy = dataset[2].pos.view(2, -1, 3).double().var(dim=1).sum(dim=1)
    assert energy[0] > energy[1]
    for data in dataset:
        head, hips = data.pos[3], data.pos[0]
        assert (head[:, 1] > hips[:, 1] + 0.3).all()
    assert torch.isfinite(dataset._data.pos).all()
