import json

import numpy as np
import pytest

from graphmotion.data import from_array
from graphmotion.io import read_kinect_v2

# The joints of the SDK, in its order.
JOINTS = (
    *('SpineBase', 'SpineMid', 'Neck', 'Head', 'ShoulderLeft', 'ElbowLeft', 'WristLeft'),
    *('HandLeft', 'ShoulderRight', 'ElbowRight', 'WristRight', 'HandRight', 'HipLeft'),
    *('KneeLeft', 'AnkleLeft', 'FootLeft', 'HipRight', 'KneeRight', 'AnkleRight', 'FootRight'),
    *('SpineShoulder', 'HandTipLeft', 'ThumbLeft', 'HandTipRight', 'ThumbRight'),
)


def positions(x=0.0):
    return np.random.default_rng(0).uniform(0, 1, size=(25, 3)) + np.array([x, 0, 2])


def by_name(x, form):
    return {name: form(*p) for name, p in zip(reversed(JOINTS), positions(x)[::-1].tolist())}


def as_list(x, form):
    return [form(*p) for p in positions(x).tolist()]


def plain(x, y, z):
    return {'x': x, 'y': str(y), 'z': z}


def camera(x, y, z):
    return {'cameraX': x, 'cameraY': y, 'cameraZ': z, 'trackingState': 2}


def sdk(x, y, z):
    return {'JointType': 0, 'Position': {'X': x, 'Y': y, 'Z': z}, 'TrackingState': 'Tracked'}


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


@pytest.mark.parametrize('joints', [by_name, as_list])
@pytest.mark.parametrize('form', [plain, camera, sdk])
@pytest.mark.parametrize(
    'outer',
    [
        lambda frames: frames,
        lambda frames: {'frames': [{'bodies': frame} for frame in frames]},
        lambda frames: [{'Bodies': [*frame, {'IsTracked': False}]} for frame in frames],
    ],
)
def test_reads_json(tmp_path, joints, form, outer):
    frames = [[{'trackingId': 72057594037933501, 'joints': joints(t, form)},
               {'trackingId': 5, 'joints': joints(9, form)}] for t in range(2)]  # fmt: skip
    frames.append([{'trackingId': 5, 'joints': joints(2, form)}])
    still, moving = read_kinect_v2(write(tmp_path / 'a.json', outer(frames)))
    np.testing.assert_allclose(moving.pos[:2], [positions(0), positions(1)], rtol=1e-6)
    np.testing.assert_allclose(still.pos[2], positions(2), rtol=1e-6)
    assert moving.score[:, 0].tolist() == [1, 1, 0]
    from_array(still.pos, 'ntu25', still.score)


def test_states_are_scores(tmp_path):
    points = as_list(0, camera)
    for i, state in enumerate((0, 1, 2, 'Inferred', 'not_tracked')):
        points[i]['trackingState'] = state
    (track,) = read_kinect_v2(write(tmp_path / 'a.json', [[{'joints': points}]]))
    assert track.score[0, :6].tolist() == [0, 0.5, 1, 0.5, 0, 1]


@pytest.mark.parametrize('form', ['{}_{}', '{}{}', '{}.{}'])
def test_reads_csv(tmp_path, form):
    header = ['CaptureTime', 'TrackingID']
    header += [form.format(joint, axis) for joint in JOINTS for axis in 'XYZ']
    rows = [header]
    for t in range(3):
        for identity, x in ((5, t), (7, 9))[: 1 if t == 2 else 2]:
            rows.append([0.033 * t, identity, *positions(x).ravel()])
    text = '\n'.join(','.join(map(str, row)) for row in rows)
    moving, still = read_kinect_v2(write(tmp_path / 'a.csv', text))
    np.testing.assert_allclose(moving.pos, [positions(t) for t in range(3)], rtol=1e-6)
    np.testing.assert_allclose(still.pos[:2], [positions(9)] * 2, rtol=1e-6)
    assert still.score[:, 0].tolist() == [1, 1, 0]


def test_missing_frames_are_empty(tmp_path):
    header = ['Frame', *(f'{joint}_{axis}' for joint in JOINTS for axis in 'XYZ')]
    rows = [header, *([t, *positions(t).ravel()] for t in (7, 8, 11))]
    text = '\n'.join(','.join(map(str, row)) for row in rows)
    frames = [{'frameId': t, 'bodies': [{'joints': by_name(t, plain)}]} for t in (11, 8, 7)]
    expected = [positions(7), positions(8), *np.zeros((2, 25, 3)), positions(11)]
    for path in (write(tmp_path / 'a.csv', text), write(tmp_path / 'a.json', frames)):
        (track,) = read_kinect_v2(path)
        np.testing.assert_allclose(track.pos, expected, rtol=1e-6)


def test_rows_of_a_frame_are_consecutive(tmp_path):
    header = ['Frame', *(f'{joint}_{axis}' for joint in JOINTS for axis in 'XYZ')]
    rows = [header, *([t, *positions(t).ravel()] for t in (0, 1, 0, 1))]
    text = '\n'.join(','.join(map(str, row)) for row in rows)
    with pytest.raises(ValueError, match=r'frames\[2\]: expected a new frame number, found 0'):
        read_kinect_v2(write(tmp_path / 'a.csv', text))


def test_csv_of_one_body_with_states(tmp_path):
    header = [f'{joint}_{value}' for joint in JOINTS for value in ('X', 'Y', 'Z', 'State')]
    rows = [np.concatenate([positions(t), np.full((25, 1), t)], axis=1).ravel() for t in range(3)]
    text = '\n'.join(','.join(map(str, row)) for row in [header, *rows]).replace('.0,', ',')
    (track,) = read_kinect_v2(write(tmp_path / 'a.CSV', text.replace('.0\n', '\n')[:-2]))
    assert track.score[:, :24].mean(axis=1).tolist() == [0, 0.5, 1]


@pytest.mark.parametrize(
    ('name', 'content', 'match'),
    [
        ('a.json', '', 'content: expected JSON, found an empty file'),
        ('a.json', 3, 'frames: expected a list, found 3'),
        ('a.json', [[3]], r'frames\[0\]\[0\]: expected an object'),
        ('a.json', [[]], 'people: expected at least one'),
        ('a.json', [[{}]], r'joints: expected 25 points, or points by joint, found None'),
        ('a.json', [[{'joints': [3]}]], 'joints: expected 25 points, or points by joint, found 1'),
        ('a.json', [[{'joints': {'Head': 3}}]], "joints: .* found no joint 'spine_base'"),
        ('a.json', [[{'joints': [3] * 25}]], r'joints\[0\]: expected x, y, z and'),
        ('a.csv', '', 'header: expected the columns of all joints'),
        ('a.csv', 'Head_X,Head_Y,Head_Z\n1,2,3', "header: .* found no 'spine_base' among"),
    ],
)
def test_malformed_files(tmp_path, name, content, match):
    with pytest.raises(ValueError, match=f'{name}: .*{match}'):
        read_kinect_v2(write(tmp_path / name, content))


def test_malformed_rows(tmp_path):
    header = ','.join(f'{joint}_{axis}' for joint in JOINTS for axis in 'XYZ')
    for row, match in (('1,2', 'row 2: expected 75 values, found 2'),
                       (','.join(['a'] * 75), "row 2: expected numbers, found 'a'")):  # fmt: skip
        with pytest.raises(ValueError, match=match):
            read_kinect_v2(write(tmp_path / 'a.csv', f'{header}\n{row}'))
