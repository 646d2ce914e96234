import pickle
import zipfile

import numpy as np
import pytest
import torch

from graphmotion.datasets import CASIABPose
from tests.io.test_gaitgraph import HEADER, row


def walk(frames, seed=0):
    random = np.random.default_rng(seed)
    poses = random.uniform(1, 300, size=(frames, 17, 3))
    poses[..., 2] = random.uniform(0.1, 1, size=(frames, 17))
    return poses.round(3)


SEQUENCES = {'001-nm-01-000': 5, '001-bg-02-090': 7, '025-cl-01-180': 6, '124-nm-06-018': 9}
LABELS = {
    'y': [0, 0, 24, 123],
    'subject': [0, 0, 24, 123],
    'condition': [1, 0, 2, 0],
    'take': [2, 1, 1, 6],
    'view': [90, 0, 180, 18],
}


def write_table(root, sequences, name='poses.csv'):
    (root / 'raw').mkdir(exist_ok=True)
    rows = [
        row(f'{sequence}/{t + 1:06d}.jpg', pose)
        for sequence, frames in sequences.items()
        for t, pose in enumerate(walk(frames, frames))
    ]
    (root / 'raw' / name).write_text('\n'.join([HEADER, *rows]))


def write_pickles(root, sequences):
    for sequence, frames in sequences.items():
        subject, condition, take, view = sequence.split('-')
        folder = root / 'raw' / 'CASIA-B' / subject / f'{condition}-{take}' / view
        folder.mkdir(parents=True)
        (folder / f'{view}.pkl').write_bytes(pickle.dumps(walk(frames, frames)))


def pack(root):
    paths = [path for path in sorted((root / 'raw').rglob('*')) if path.is_file()]
    with zipfile.ZipFile(root / 'raw' / 'all.zip', 'w') as archive:
        for path in paths:
            archive.write(path, path.relative_to(root / 'raw'))
            path.unlink()


@pytest.mark.parametrize('write', [write_table, write_pickles])
@pytest.mark.parametrize('packed', [False, True])
def test_reads_tables_and_pickles(tmp_path, write, packed):
    write(tmp_path, SEQUENCES)
    if packed:
        pack(tmp_path)
    dataset = CASIABPose(str(tmp_path), min_frames=5)
    assert dataset.names() == sorted(SEQUENCES)
    for field, values in LABELS.items():
        assert dataset.labels(field).tolist() == values
    assert dataset.num_classes == 124
    for data, name in zip(dataset, sorted(SEQUENCES)):
        poses = torch.tensor(walk(SEQUENCES[name], SEQUENCES[name])).float().transpose(0, 1)
        torch.testing.assert_close(data.pos, poses[..., :2])
        torch.testing.assert_close(data.score, poses[..., 2])
        assert data.num_frames.tolist() == [SEQUENCES[name]]
    assert dataset[[2]].names() == ['025-cl-01-180']


def test_protocols(tmp_path):
    write_table(tmp_path, {f'{subject:03d}-nm-01-000': 1 for subject in range(1, 125)})
    dataset = CASIABPose(str(tmp_path), min_frames=1)
    for protocol, number in (('LT', 74), ('MT', 62), ('ST', 24)):
        train, test = dataset.official_split(protocol)
        assert train.labels('subject').tolist() == list(range(number))
        assert test.labels('subject').tolist() == list(range(number, 124))
    assert len(dataset.official_split()[0]) == 74


def test_short_sequences_are_skipped_and_frames_without_a_pose_do_not_count(tmp_path):
    write_table(tmp_path, {'001-nm-01-000': 60, '001-nm-02-000': 61, '125-nm-02-000': 61})
    poses = walk(62)
    poses[[3, 8], :, 2] = 0
    write_pickles(tmp_path, {'001-nm-03-000': 61})
    folder = tmp_path / 'raw' / 'CASIA-B' / '001'
    for take in ('04', '05'):
        (folder / f'nm-{take}' / '018').mkdir(parents=True)
        content = pickle.dumps(poses if take == '04' else np.concatenate([poses, poses]))
        (folder / f'nm-{take}' / '018' / '018.pkl').write_bytes(content)
    with pytest.warns(
        UserWarning,
        match=r'skipped 3 of 6 samples: 2 with fewer than 61 frames with a pose \(001-nm-01-000, '
        r'001-nm-04-018\); 1 with a subject outside 1\.\.124 \(125-nm-02-000\)',
    ):
        dataset = CASIABPose(str(tmp_path))
    assert dataset.names() == ['001-nm-02-000', '001-nm-03-000', '001-nm-05-018']
    valid = np.delete(np.concatenate([poses, poses]), [3, 8, 65, 70], axis=0)
    expected = torch.tensor(valid[..., :2]).float().transpose(0, 1)
    torch.testing.assert_close(dataset[2].pos, expected)


def test_each_minimum_number_of_frames_has_a_file(tmp_path):
    write_table(tmp_path, SEQUENCES)
    assert len(CASIABPose(str(tmp_path), min_frames=5)) == 4
    with pytest.warns(UserWarning, match='skipped 2 of 4'):
        assert len(CASIABPose(str(tmp_path), min_frames=7)) == 2
    for least in (0, 1.5, None):
        with pytest.raises(ValueError, match='min_frames must be an integer >= 1'):
            CASIABPose(str(tmp_path), min_frames=least)


def test_invalid_files_are_skipped_and_duplicate_sequences_are_read_once(tmp_path):
    write_table(tmp_path, {'001-nm-01-000': 5, '002-nm-01-000': 6}, 'a.csv')
    write_table(tmp_path, {'002-nm-01-000': 4, '003-nm-01-000': 7}, 'b.csv')
    (tmp_path / 'raw' / 'c.csv').write_text('')
    write_pickles(tmp_path, {f'004-nm-01-{view}': 5 for view in ('000', '018', '036', '054')})
    write_pickles(tmp_path, {'003-nm-01-000': 4})
    folder = tmp_path / 'raw' / 'CASIA-B' / '004' / 'nm-01'
    (folder / '018' / '018.pkl').write_bytes(b'')
    (folder / '036' / '036.pkl').write_bytes(pickle.dumps(np.zeros((5, 16, 3))))
    (folder / '054' / '054.pkl').write_bytes(pickle.dumps(walk(5))[:50])
    (folder / '054' / 'notes.pkl').write_bytes(b'')  # a second one in the folder of a view
    (tmp_path / 'raw' / 'other.pkl').write_bytes(b'')
    with pytest.warns(
        UserWarning,
        match=r'skipped 5 of 9 samples: 1 with rows not an image name and 17 joints \(c\); '
        r'2 with content not a pickle \(004/nm-01/018/018, 004/nm-01/054/notes\); '
        r'1 with poses not numbers of shape \[T, 17, 3\] \(004/nm-01/036/036\); '
        r'1 with content not a complete pickle \(004/nm-01/054/054\)',
    ):
        dataset = CASIABPose(str(tmp_path), min_frames=1)
    names = ['001-nm-01-000', '002-nm-01-000', '003-nm-01-000', '004-nm-01-000']
    assert dataset.names() == names
    assert dataset.num_frames.tolist() == [5, 6, 7, 5]


def test_missing_and_invalid_files_raise(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'CASIABPose needs casia-b_pose_coco\.zip.*OpenG'):
        CASIABPose(str(tmp_path))
    (tmp_path / 'raw' / 'a.csv').write_text(HEADER)
    with pytest.raises(ValueError, match='all 1 samples were skipped: 1 with rows not'):
        CASIABPose(str(tmp_path))
    assert not (tmp_path / 'processed').exists()
