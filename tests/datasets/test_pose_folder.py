import json
import re

import numpy as np
import pytest
import torch

from graphmotion.datasets import PoseFolder
from graphmotion.io import get_format, read_bvh, read_mediapipe
from graphmotion.skeletons import Skeleton, get_skeleton
from tests.io.test_bvh import FILE

ARM = Skeleton(['shoulder', 'elbow', 'wrist'], [(0, 1), (1, 2)], name='arm')


def joints(number, num_joints=3, dims=2):
    """Positions and scores; the first coordinate identifies the recording."""
    out = np.random.default_rng(number).uniform(1, 9, (num_joints, dims + 1))
    out[:, 0], out[:, -1] = number, 0.5
    return out


def write_openpose(path, number, num_joints):
    path.mkdir(parents=True)
    for frame in range(2):
        people = [{'pose_keypoints_2d': joints(number, num_joints).ravel().tolist()}]
        (path / f'a_{frame}_keypoints.json').write_text(json.dumps({'people': people}))


def write_list(path, number, num_joints):
    """A file that is valid in the formats of AlphaPose and COCO."""
    path.parent.mkdir(parents=True, exist_ok=True)
    keypoints = joints(number, num_joints).ravel().tolist()
    content = [{'image_id': frame, 'keypoints': keypoints} for frame in range(2)]
    path.with_suffix('.json').write_text(json.dumps(content))


def write_mediapipe(path, number, num_joints=33):
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = [dict(zip(('x', 'y', 'z', 'visibility'), p)) for p in joints(number, 33, 3).tolist()]
    world = [p | {'x': 100 + number} for p in frame]
    content = [{'pose_landmarks': frame, 'pose_world_landmarks': world}] * 2
    path.with_suffix('.json').write_text(json.dumps(content))


def write_numpy(path, number, num_joints):
    path.parent.mkdir(parents=True, exist_ok=True)
    pos = joints(number, num_joints)[None].repeat(2, axis=0)
    np.savez(path.with_suffix('.npz'), keypoints=pos[..., :2], score=pos[..., 2])


def fill(root, write, num_joints=3, names=('wave/anna/a', 'wave/ben/a', 'clap/ben/b')):
    for number, name in enumerate(names, start=1):
        write(root / name, number, num_joints)
    return str(root)


@pytest.mark.parametrize(
    ('format', 'write', 'skeleton'),
    [
        ('openpose', write_openpose, 'body25'),
        ('openpose', write_openpose, 'openpose18'),
        ('alphapose', write_list, ARM),
        ('coco', write_list, 'coco17'),
        ('numpy', write_numpy, ARM),
        ('mediapipe', write_mediapipe, 'mediapipe33'),
    ],
)
@pytest.mark.parametrize('raw', [True, False])
def test_reads_every_format(tmp_path, format, write, skeleton, raw):
    num_joints = {'body25': 25, 'openpose18': 18, 'coco17': 17}.get(skeleton, 3)
    fill(tmp_path / 'raw' if raw else tmp_path, write, num_joints)
    for _ in range(2):  # from the files, then from what was processed
        dataset = PoseFolder(str(tmp_path), skeleton, format)
        assert dataset.class_names == ('clap', 'wave')
        assert dataset.names() == ['clap/ben/b', 'wave/anna/a', 'wave/ben/a']
        assert dataset.labels('y').tolist() == [0, 1, 1]
        assert dataset.subject_names == ('anna', 'ben')
        assert dataset.labels('subject').tolist() == [1, 0, 1]
        for data, number in zip(dataset, (3, 1, 2)):
            assert data.pos.shape[:2] == (dataset.skeleton.num_joints, 2)
            dims = data.pos.size(-1)
            expected = joints(number, dataset.skeleton.num_joints, dims)
            np.testing.assert_allclose(data.pos[:, 1], expected[:, :dims], rtol=1e-6)
            assert data.score.eq(0.5).all()
    assert len(list((tmp_path / 'processed').glob('*.pt'))) == 1


def test_without_subjects(tmp_path):
    root = fill(tmp_path, write_numpy, names=('wave/a', 'clap/b'))
    dataset = PoseFolder(root, ARM, 'numpy')
    assert dataset.names() == ['clap/b', 'wave/a']
    assert dataset.subject_names == ()
    with pytest.raises(ValueError, match="no field 'subject'"):
        dataset.labels('subject')


def test_the_subject_may_be_a_prefix(tmp_path):
    root = fill(tmp_path, write_numpy, names=('wave/s2_a', 'wave/s10_a', 'clap/s2_b'))
    dataset = PoseFolder(root, ARM, 'numpy', subject=r'(\w+?)_')
    assert dataset.subject_names == ('s2', 's10')
    by_name = dict(zip(dataset.names(), dataset.labels('subject').tolist()))
    assert by_name == {'clap/s2_b': 0, 'wave/s10_a': 1, 'wave/s2_a': 0}
    with pytest.raises(ValueError, match='3 of 3 recordings have no subject, such as clap/s2_b'):
        PoseFolder(root, ARM, 'numpy', subject='(person)')
    with pytest.raises(ValueError, match=r"subject must have one group.*got '\\\\w\+'"):
        PoseFolder(root, ARM, 'numpy', subject=r'\w+')
    write_numpy(tmp_path / 'clap' / 'anna' / 'c', 4, 3)
    with pytest.raises(ValueError, match='3 of 4 recordings have no subject'):
        PoseFolder(root, ARM, 'numpy')


def test_columns_select_and_order_joints(tmp_path):
    root = fill(tmp_path, write_openpose, 25)
    dataset = PoseFolder(root, ARM, 'openpose', columns=[4, 3, 2])
    expected = joints(3, 25)[[4, 3, 2], :2]
    np.testing.assert_allclose(dataset[0].pos[:, 0], expected, rtol=1e-6)
    assert dataset[0].edge_index.equal(ARM.edge_index)
    with pytest.raises(ValueError, match='3 with joints not at least 26 joints'):
        PoseFolder(root, ARM, 'openpose', columns=[4, 3, 25])
    for columns in ([0, 1], [0, 1, -1]):
        message = re.escape(f"the 3 indices of the joints of 'arm', got {columns}")
        with pytest.raises(ValueError, match=message):
            PoseFolder(root, ARM, 'openpose', columns=columns)


def test_several_people(tmp_path):
    (tmp_path / 'wave').mkdir()
    pos = np.stack([joints(n)[None, :, :2].repeat(4, axis=0) for n in (1, 2)])
    np.save(tmp_path / 'wave' / 'two.npy', pos)
    np.save(tmp_path / 'wave' / 'one.npy', pos[0])
    options = {'reader_options': {'axes': 'MTVC'}}
    dataset = PoseFolder(str(tmp_path), ARM, 'numpy', num_people=2, **options)
    one, two = dataset
    assert two.pos[:, 0, 0].tolist() == [1, 1, 1, 2, 2, 2]
    assert one.score[:, 0].tolist() == [1, 1, 1, 0, 0, 0]
    assert len(PoseFolder(str(tmp_path), ARM, 'numpy', **options)[1].pos) == 3
    with pytest.warns(UserWarning, match="1 with keypoints .*axes='MTVC', 'TMVC' or 'CTVM'"):
        assert len(PoseFolder(str(tmp_path), ARM, 'numpy')) == 1


def test_options_of_the_reader(tmp_path):
    root = fill(tmp_path, write_mediapipe)
    dataset = PoseFolder(root, 'mediapipe33', 'mediapipe', reader_options={'world': True})
    (track,) = read_mediapipe(str(tmp_path / 'clap' / 'ben' / 'b.json'), world=True)
    assert track.pos[0, 0, 0] == 103
    assert torch.equal(dataset[0].pos, torch.from_numpy(track.pos).transpose(0, 1))
    assert PoseFolder(root, 'mediapipe33', 'mediapipe')[0].pos[0, 0, 0] == 3


def test_added_files_and_other_options_are_read(tmp_path):
    root = fill(tmp_path, write_numpy)
    assert len(PoseFolder(root, ARM, 'numpy')) == 3
    write_numpy(tmp_path / 'bow' / 'anna' / 'c', 4, 3)
    dataset = PoseFolder(root, ARM, 'numpy')
    assert dataset.class_names == ('bow', 'clap', 'wave')
    assert dataset.labels().tolist() == [0, 1, 2, 2]
    turned = PoseFolder(root, ARM, 'numpy', columns=[2, 1, 0])
    assert torch.equal(turned[0].pos, dataset[0].pos.flip(0))
    write_numpy(tmp_path / 'bow' / 'anna' / 'c', 5, 3)
    with pytest.warns(UserWarning, match='the raw files have changed'):
        assert PoseFolder(root, ARM, 'numpy')[0].pos[0, 0, 0] == 5


def test_parts_are_folders_of_classes(tmp_path):
    for part, number in (('train', 3), ('val', 5)):
        for name in ('wave', 'clap'):
            write_numpy(tmp_path / part / name / 'a', number, 3)
    with pytest.raises(ValueError, match=r"folders of parts \['train', 'val'\]; pass parts="):
        PoseFolder(str(tmp_path), ARM, 'numpy')
    dataset = PoseFolder(str(tmp_path), ARM, 'numpy', parts=('train', 'val'))
    assert dataset.class_names == ('clap', 'wave')
    assert dataset.labels('part').tolist() == [0, 0, 1, 1]
    assert dataset.names() == ['train/clap/a', 'train/wave/a', 'val/clap/a', 'val/wave/a']
    train, test = dataset.official_split()
    assert [float(d.pos[0, 0, 0]) for part in (train, test) for d in part] == [3, 3, 5, 5]


def test_suffixes_are_not_case_sensitive(tmp_path):
    root = fill(tmp_path, write_numpy)
    path = next((tmp_path / 'wave').rglob('*.np*'))
    path.rename(path.with_suffix(path.suffix.upper()))
    assert len(PoseFolder(root, ARM, 'numpy')) == 3


def test_bad_recordings_are_skipped(tmp_path):
    root = fill(tmp_path, write_numpy)
    write_numpy(tmp_path / 'wave' / 'anna' / 'more', 4, 5)
    np.save(tmp_path / 'wave' / 'anna' / 'solid.npy', np.ones((2, 3, 3)))
    (tmp_path / 'wave' / 'anna' / 'zero.npy').write_bytes(b'')
    (tmp_path / 'wave' / 'anna' / 'notes.txt').write_text('not a recording')
    (tmp_path / 'wave' / 'anna' / '.hidden.npy').write_bytes(b'')
    with pytest.warns(UserWarning, match='skipped 3 of 6') as caught:
        dataset = PoseFolder(root, ARM, 'numpy')
    (message,) = [str(w.message) for w in caught]
    for part in (
        r"1 with joints not the 3 joints of 'arm' but 5 \(wave/anna/more\)",
        r'1 with positions not 2 dimensions as in earlier recordings \(wave/anna/solid\)',
        r'1 with content not numeric arrays .*\(wave/anna/zero\)',
    ):
        assert re.search(part, message)
    assert dataset.names() == ['clap/ben/b', 'wave/anna/a', 'wave/ben/a']


def test_no_valid_recording_raises_and_leaves_no_file(tmp_path):
    root = fill(tmp_path, write_numpy)
    message = "all 3 samples were skipped: 3 with joints not the 17 joints of 'coco17' but 3 "
    with pytest.raises(ValueError, match=message):
        PoseFolder(root, 'coco17', 'numpy')
    assert not (tmp_path / 'processed').exists()


def test_bad_folders_and_options_raise(tmp_path):
    with pytest.raises(FileNotFoundError, match='none: no such folder'):
        PoseFolder(str(tmp_path / 'none'), ARM, 'numpy')
    with pytest.raises(ValueError, match='recordings: expected one folder per class, found none'):
        PoseFolder(str(tmp_path), ARM, 'numpy')
    root = fill(tmp_path, write_numpy)
    with pytest.raises(ValueError, match=r"format must be one of .*'numpy'.*, got 'xyz'"):
        PoseFolder(root, ARM, 'xyz')
    with pytest.raises(ValueError, match='num_people must be an integer >= 1, got 0'):
        PoseFolder(root, ARM, 'numpy', num_people=0)
    with pytest.raises(
        ValueError, match=r'clap: recordings: expected \.json files, found only \.npz'
    ):
        PoseFolder(root, ARM, 'coco')
    with pytest.raises(
        ValueError, match=r'clap: recordings: expected one folder of \.json files per recording'
    ):
        PoseFolder(root, ARM, 'openpose')
    np.save(tmp_path / 'clap' / 'ben' / 'b.npy', np.ones((2, 3, 2)))
    with pytest.raises(ValueError, match=r'b\.npz: name: expected a different name than b\.npy'):
        PoseFolder(root, ARM, 'numpy')


def test_frame_rates_are_given_or_read(tmp_path):
    root = fill(tmp_path / 'numpy', write_numpy)
    assert 'frame_rate' not in PoseFolder(root, ARM, 'numpy')[0]
    assert PoseFolder(root, ARM, 'numpy', frame_rate=25).labels('frame_rate').tolist() == [25] * 3
    with pytest.raises(ValueError, match='frame_rate must be positive'):
        PoseFolder(root, ARM, 'numpy', frame_rate=0)
    for name, seconds in (('a', 0.02), ('b', 0.04)):
        text = FILE.replace('0.0333333', str(seconds))
        (tmp_path / 'bvh' / 'walk').mkdir(parents=True, exist_ok=True)
        (tmp_path / 'bvh' / 'walk' / f'{name}.bvh').write_text(text)
    skeleton = read_bvh(str(tmp_path / 'bvh' / 'walk' / 'a.bvh')).skeleton
    dataset = PoseFolder(tmp_path / 'bvh', skeleton, 'bvh')
    assert dataset.labels('frame_rate').tolist() == [50, 25]
    assert dataset.get_batch([1, 0]).frame_rate.tolist() == [25, 50]


def test_layouts_of_other_joints_are_an_error(tmp_path):
    root = fill(tmp_path / 'a', write_list, 17)
    reason = "joints not the order of 'h36m17' instead of 'coco17', unless columns are given"
    with pytest.raises(ValueError, match=f'all 3 samples were skipped: 3 with {reason}'):
        PoseFolder(root, 'h36m17', 'alphapose')
    assert len(PoseFolder(root, 'h36m17', 'alphapose', columns=range(17))) == 3
    own = Skeleton([f'point {i}' for i in range(17)], [(i, i + 1) for i in range(16)])
    assert len(PoseFolder(root, own, 'alphapose')) == 3


@pytest.mark.parametrize('factor', [1000, 20])
def test_recordings_in_different_units_are_reported(tmp_path, recwarn, factor):
    (tmp_path / 'wave').mkdir()
    metres = np.random.default_rng(0).uniform(1, 3, (5, 3, 3))
    metres[2, 1] = np.nan
    for name, pos in (('a', metres), ('b', metres * factor), ('c', metres * 2)):
        np.save(tmp_path / 'wave' / f'{name}.npy', pos)
    PoseFolder(tmp_path, ARM, 'numpy', reader_options={'axes': 'TVC'})
    size = np.median([np.linalg.norm(np.nanmax(p, 0) - np.nanmin(p, 0)) for p in metres])
    expected = f'size of {size:.3g} in wave/a and {factor * size:.3g} in wave/b; all recordings'
    found = [str(warning.message) for warning in recwarn]
    assert [expected in text for text in found if 'size of' in text] == [True] * (factor > 50)


def test_the_order_of_formats_with_one_layout_is_known():
    layout = get_skeleton('ntu25')
    turned = Skeleton(layout.joints[::-1], [(i, i + 1) for i in range(24)])
    for format in ('ntu_skeleton', 'kinect_v2'):
        get_format(format).check_joints('a', layout)
        with pytest.raises(ValueError, match=f'{layout.joints[0]!r} as joint 0 instead of 24'):
            get_format(format).check_joints('a', turned)


@pytest.mark.parametrize('format', ['coco', 'mmpose', 'bvh'])
def test_joints_are_compared_with_the_names_in_the_file(tmp_path, format):
    (tmp_path / 'wave').mkdir()
    point = [1.0, 2.0, 2.0]
    content = {
        'coco': {
            'images': [{'id': 1}],
            'annotations': [{'image_id': 1, 'keypoints': point * 3}],
            'categories': [{'keypoints': ['Wrist', 'Elbow', 'Shoulder']}],
        },
        'mmpose': {
            'meta_info': {'keypoint_id2name': {'0': 'wrist', '1': 'elbow', '2': 'shoulder'}},
            'instance_info': [{'instances': [{'keypoints': [[1, 2], [2, 3], [3, 4]]}]}],
        },
    }
    path = tmp_path / 'wave' / ('a.bvh' if format == 'bvh' else 'a.json')
    path.write_text(FILE if format == 'bvh' else json.dumps(content[format]))
    joints = read_bvh(str(path)).skeleton.joints if format == 'bvh' else ARM.joints[::-1]
    chain = [(i, i + 1) for i in range(len(joints) - 1)]
    assert len(PoseFolder(tmp_path, Skeleton(joints, chain), format)) == 1
    with pytest.raises(ValueError, match="joints not the order of 'turned'"):
        PoseFolder(tmp_path, Skeleton(joints[::-1], chain, name='turned'), format)


def test_the_error_of_another_layout_names_it(tmp_path):
    (tmp_path / 'wave').mkdir()
    path = str(tmp_path / 'wave' / 'a.json')
    people = [{'keypoints': [[1, 2]] * 17}]
    meta = {'dataset_name': 'h36m', 'keypoint_id2name': {'0': 'root'}}
    with open(path, 'w') as file:
        json.dump({'meta_info': meta, 'instance_info': [{'instances': people}]}, file)
    order = "'coco17' instead of 'h36m17', unless columns are given"
    found = "'right_hip' as joint 1 instead of 12"
    with pytest.raises(ValueError, match=f'the order of {order}, found {found}'):
        get_format('mmpose').check_joints(path, get_skeleton('coco17'))
    get_format('mmpose').check_joints(path, get_skeleton('h36m17'))


def test_recordings_of_people_who_are_split_are_reported(tmp_path):
    for name, identity in (('a', lambda t: t), ('b', lambda t: 0)):
        path = tmp_path / 'wave' / f'{name}.json'
        write_list(path, 1, 3)
        people = json.loads(path.read_text())
        path.write_text(json.dumps([p | {'idx': identity(t)} for t, p in enumerate(people)]))
    with pytest.warns(UserWarning, match=r'in 1 recordings, .* detections \(1 of 2 in wave/a\)'):
        PoseFolder(tmp_path, ARM, 'alphapose')


def test_files_instead_of_folders_of_frames_are_an_error(tmp_path):
    root = fill(tmp_path, write_list, names=('wave/a', 'clap/b'))
    expected = 'expected a class folder with one folder of .json files per recording'
    with pytest.raises(ValueError, match=f'clap: folder: {expected}'):
        PoseFolder(root, ARM, 'openpose')


def test_wrong_numbers_of_joints_name_the_layout_of_the_file(tmp_path):
    root = fill(tmp_path, write_openpose, 25)
    with pytest.raises(ValueError, match=r"the 17 joints of 'coco17' but 25 of 'body25' \("):
        PoseFolder(root, 'coco17', 'openpose')


def test_recordings_without_class_folders_are_an_error(tmp_path):
    fill(tmp_path, write_numpy)
    message = "next to the class folders; if 'clap' is a class, pass the folder that contains it"
    (tmp_path / 'clap' / 'ben' / 'b.npz').rename(tmp_path / 'clap' / 'b.npz')
    (tmp_path / 'clap' / 'ben').rmdir()
    with pytest.raises(ValueError, match=message):
        PoseFolder(tmp_path / 'clap', ARM, 'numpy')
