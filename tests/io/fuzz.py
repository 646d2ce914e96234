"""Random files for the readers, valid and damaged.

Run by hand, with the number of damaged files of each reader:

    python -m tests.io.fuzz 10000
"""

from __future__ import annotations

import copy
import io
import json
import pickle
import random
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.io

from graphmotion.io import (
    align_silhouettes,
    load_pickle,
    read_annotation,
    read_bvh,
    read_gaitgraph,
    read_gray_image,
    read_matlab,
    read_ntu_skeleton,
    read_opengait_pose,
    read_opengait_silhouettes,
    read_poses,
    read_skeleton,
    read_skeleton_arrays,
    read_skeleton_pickle,
)
from graphmotion.skeletons import get_skeleton

Files = dict[str, bytes]


class Recording(NamedTuple):
    """A random recording: positions [M, T, V, D] and scores [M, T, V]."""

    pos: np.ndarray
    score: np.ndarray


class Case(NamedTuple):
    """A format: the joints and dimensions it holds, its writer and its reader.

    ``write`` returns files by name, and ``read`` returns a list of (pos, score) for each person.
    """

    num_joints: int
    dims: int
    write: Callable[[Recording], Files]
    read: Callable[[Path], Any]
    max_people: int = 3
    scores: bool = True


def make_recording(case: Case, seed: int, num_people: int, num_frames: int) -> Recording:
    """People far apart, with some missing joints."""
    rng = np.random.default_rng(seed)
    num_people = min(num_people, case.max_people)
    shape = (num_people, num_frames, case.num_joints, case.dims)
    base = rng.uniform(0.1, 0.9, size=(num_people, 1, case.num_joints, case.dims))
    pos = base + rng.normal(0, 1e-3, size=shape)
    pos[..., 0] += 20 * np.arange(num_people)[:, None, None]
    score = np.ones(shape[:3])
    if case.scores:
        score = rng.uniform(0.1, 1, size=shape[:3])
        score[rng.uniform(size=score.shape) < 0.1] = 0
        score[:, :, 0] = np.maximum(score[:, :, 0], 0.5)
        pos[score == 0] = 0
    return Recording(pos.astype(np.float32), score.astype(np.float32))


def _dump(content: Any) -> bytes:
    return json.dumps(content).encode()


def _flat(pos: np.ndarray, score: np.ndarray) -> list[float]:
    return np.concatenate([pos, score[:, None]], axis=1).ravel().tolist()


def _frames(r: Recording) -> list[list[tuple[np.ndarray, np.ndarray]]]:
    return [list(zip(r.pos[:, t], r.score[:, t])) for t in range(r.pos.shape[1])]


def _write_alphapose(r: Recording) -> Files:
    people = [
        {'image_id': f'walk_{t}.jpg', 'keypoints': _flat(*p), 'score': 2.5}
        for t, frame in enumerate(_frames(r))
        for p in frame
    ]
    return {'a.json': _dump(people)}


def _write_coco(r: Recording) -> Files:
    people = [
        {'image_id': t, 'category_id': 1, 'keypoints': _flat(*p), 'track_id': i}
        for t, frame in enumerate(_frames(r))
        for i, p in enumerate(frame)
    ]
    return {'a.json': _dump(people)}


def _write_openpose(r: Recording) -> Files:
    return {
        f'walk_{t:012d}_keypoints.json': _dump(
            {'version': 1.3, 'people': [{'pose_keypoints_2d': _flat(*p)} for p in frame]}
        )
        for t, frame in enumerate(_frames(r))
    }


def _write_mediapipe(r: Recording) -> Files:
    frames = [
        {
            'landmarks': [
                [dict(zip('xyz', map(float, j))) | {'visibility': float(s)} for j, s in zip(*p)]
                for p in frame
            ]
        }
        for frame in _frames(r)
    ]
    return {'a.json': _dump(frames)}


def _write_mmpose(r: Recording) -> Files:
    frames = [
        {
            'frame_id': t,
            'instances': [
                {'keypoints': p.tolist(), 'keypoint_scores': s.tolist()} for p, s in frame
            ],
        }
        for t, frame in enumerate(_frames(r))
    ]
    return {'a.json': _dump({'meta_info': {}, 'instance_info': frames})}


def _write_ultralytics(r: Recording) -> Files:
    frames = [
        [
            {
                'name': 'person',
                'track_id': i,
                'keypoints': {
                    'x': p[:, 0].tolist(),
                    'y': p[:, 1].tolist(),
                    'visible': s.tolist(),
                },
            }
            for i, (p, s) in enumerate(frame)
        ]
        for frame in _frames(r)
    ]
    return {'a.json': _dump(frames)}


def _write_yolo(r: Recording) -> Files:
    return {
        f'walk_{t}.txt': '\n'.join(
            ' '.join(map(str, [0, 0.5, 0.5, 0.1, 0.1, *_flat(*p)])) for p in frame
        ).encode()
        for t, frame in enumerate(_frames(r))
    }


def _write_kinetics(r: Recording) -> Files:
    frames = [
        {
            'frame_index': t + 1,
            'skeleton': [{'pose': p.ravel().tolist(), 'score': s.tolist()} for p, s in frame],
        }
        for t, frame in enumerate(_frames(r))
    ]
    return {'a.json': _dump({'data': frames, 'label': 'waving', 'label_index': 3})}


def _write_azure_kinect(r: Recording) -> Files:
    frames = [
        {
            'frame_id': t,
            'bodies': [{'body_id': i, 'joint_positions': p.tolist()} for i, (p, _) in enumerate(f)],
        }
        for t, f in enumerate(_frames(r))
    ]
    return {'a.json': _dump({'joint_names': [], 'frames': frames})}


def _write_mmpose_images(r: Recording) -> Files:
    return {
        f'walk_{t}.json': _dump(
            [{'keypoints': p.tolist(), 'keypoint_scores': s.tolist()} for p, s in frame]
        )
        for t, frame in enumerate(_frames(r))
    }


def _write_face_mesh(r: Recording) -> Files:
    frames = [
        {'faceLandmarks': [[dict(zip('xyz', map(float, j))) for j in p] for p, _ in frame]}
        for frame in _frames(r)
    ]
    return {'a.json': _dump(frames)}


def _write_kinect_v2(r: Recording) -> Files:
    frames = [
        {
            'bodies': [
                {'trackingId': i, 'joints': [dict(zip('xyz', map(float, j))) for j in p]}
                for i, (p, _) in enumerate(frame)
            ]
        }
        for frame in _frames(r)
    ]
    return {'a.json': _dump(frames)}


def _write_kinect_v2_csv(r: Recording) -> Files:
    joints = [name.title().replace('_', '') for name in get_skeleton('ntu25').joints]
    rows = [['Frame', 'TrackingID', *(f'{joint}_{axis}' for joint in joints for axis in 'XYZ')]]
    for t, frame in enumerate(_frames(r)):
        rows += [[t, i, *p.ravel().tolist()] for i, (p, _) in enumerate(frame)]
    return {'a.csv': '\n'.join(','.join(map(str, row)) for row in rows).encode()}


def _write_numpy(r: Recording) -> Files:
    buffer = io.BytesIO()
    np.savez(buffer, keypoints=r.pos, score=r.score)
    return {'a.npz': buffer.getvalue()}


_DEPTH = np.array([0, 0, 2])  # so that the depth does not look like a score


def _write_st_gcn(r: Recording) -> Files:
    data, labels = io.BytesIO(), pickle.dumps((['walk'], [3]))
    np.save(data, (r.pos + _DEPTH).transpose(3, 1, 2, 0)[None])
    return {'train_data.npy': data.getvalue(), 'train_label.pkl': labels}


def _write_ctr_gcn(r: Recording) -> Files:
    buffer = io.BytesIO()
    flat = (r.pos + _DEPTH).swapaxes(0, 1).reshape(1, r.pos.shape[1], -1)
    np.savez(buffer, x_train=flat, y_train=np.eye(4)[3:])
    return {'a.npz': buffer.getvalue()}


def _read_arrays(path: Path) -> Any:
    (sample,) = read_skeleton_arrays(str(path), 9)['train'].samples()
    return list(zip(sample.pos - _DEPTH, sample.score))


def _write_opengait(r: Recording) -> Files:
    array = np.concatenate([r.pos[0], r.score[0, ..., None]], axis=-1)
    return {'a.pkl': pickle.dumps(array)}


def _write_silhouettes(r: Recording) -> Files:
    images = np.zeros((r.pos.shape[1], 32, 32), np.uint8)
    images[:, 4:28, 10:20] = 255
    images[:, 10, 10 + np.arange(4)] = 0
    return {'a.pkl': pickle.dumps(images)}


def _write_skeleton_pickle(r: Recording) -> Files:
    annotation = {
        'keypoint': r.pos,
        'keypoint_score': r.score,
        'label': 3,
        'frame_dir': 'walk',
        'total_frames': r.pos.shape[1],
    }
    return {'a.pkl': pickle.dumps({'split': {'train': ['walk']}, 'annotations': [annotation]})}


def _read_skeleton_pickle(path: Path) -> Any:
    _, annotations = read_skeleton_pickle(str(path))
    pos, score, _ = read_annotation(annotations[0], str(path), 17)
    return list(zip(np.where(score[..., None] > 0, pos, 0), score))


def _write_gaitgraph(r: Recording) -> Files:
    lines = [
        ','.join([f'001-nm-01-090/{t:04d}.jpg', *map(str, _flat(*frame[0]))])
        for t, frame in enumerate(_frames(r))
    ]
    return {'a.csv': '\n'.join(lines).encode()}


def _write_ntu(r: Recording) -> Files:
    lines = [str(r.pos.shape[1])]
    for frame in _frames(r):
        lines.append(str(len(frame)))
        for i, (pos, _) in enumerate(frame):
            lines += [f'{7205759 + i} 0 1 1 1 1 0 0.1 0.2 2', str(len(pos))]
            lines += [' '.join(map(str, [*joint, *[0.5] * 8, 2])) for joint in pos.tolist()]
    return {'a.skeleton': '\n'.join(lines).encode()}


def _read_ntu(path: Path) -> Any:
    _, bodies = read_ntu_skeleton(str(path))
    return [(body.pos, np.ones(body.pos.shape[:2])) for body in bodies]


def _write_bvh(r: Recording) -> Files:
    joints = ['HIERARCHY', 'ROOT a0', '{ OFFSET 0 0 0 CHANNELS 3 Xposition Yposition Zposition']
    for i in range(1, r.pos.shape[2]):
        joints.append(f'JOINT a{i} {{ OFFSET 0 1 0 CHANNELS 3 Xposition Yposition Zposition }}')
    steps = r.pos[0].copy()
    steps[:, 1:] -= r.pos[0][:, :1]
    rows = [' '.join(map(str, frame.ravel().tolist())) for frame in steps]
    text = [*joints, '}', 'MOTION', f'Frames: {len(rows)}', 'Frame Time: 0.01', *rows]
    return {'a.bvh': '\n'.join(text).encode()}


def _read_bvh(path: Path) -> Any:
    pos = read_bvh(str(path)).pos
    return [(pos, np.ones(pos.shape[:2]))]


def _write_matlab(r: Recording) -> Files:
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, {'other': np.eye(3), 'pos': r.pos[0]}, do_compression=True)
    return {'a.mat': buffer.getvalue()}


def _read_matlab(path: Path) -> Any:
    pos = read_matlab(str(path), 'pos')
    return [(pos, np.ones(pos.shape[:2]))]


def _write_json_skeleton(r: Recording) -> Files:
    joints = [f'left_{i}' for i in range(r.pos.shape[2])]
    bones = [[a, b] for a, b in pairwise(joints)]
    parts = [{'low': joints[:4], 'high': joints[4:]}]
    return {'a.json': _dump({'joints': joints, 'bones': bones, 'hierarchies': {'parts': parts}})}


def _write_image(r: Recording) -> Files:
    from PIL import Image

    image = Image.fromarray((255 * r.pos[0, :, :, 0]).astype(np.uint8))
    buffer = io.BytesIO()
    image.save(buffer, 'PNG')
    return {'a.png': buffer.getvalue()}


def _poses(format: str) -> Callable[[Path], Any]:
    def read(path: Path) -> Any:
        return list(read_poses(str(path), format))

    return read


#: Formats whose files hold a recording.
CASES = {
    'alphapose': Case(17, 2, _write_alphapose, _poses('alphapose')),
    'coco': Case(17, 2, _write_coco, _poses('coco')),
    'openpose': Case(25, 2, _write_openpose, _poses('openpose')),
    'mediapipe': Case(33, 3, _write_mediapipe, _poses('mediapipe')),
    'mmpose': Case(17, 2, _write_mmpose, _poses('mmpose')),
    'mmpose 3D': Case(17, 3, _write_mmpose, _poses('mmpose')),
    'ultralytics': Case(17, 2, _write_ultralytics, _poses('ultralytics')),
    'yolo_txt': Case(17, 2, _write_yolo, _poses('yolo_txt')),
    'kinetics_skeleton': Case(18, 2, _write_kinetics, _poses('kinetics_skeleton')),
    'azure_kinect': Case(32, 3, _write_azure_kinect, _poses('azure_kinect'), scores=False),
    'mmpose_images': Case(17, 2, _write_mmpose_images, _poses('mmpose_images')),
    'face_mesh': Case(468, 3, _write_face_mesh, _poses('face_mesh'), scores=False),
    'kinect_v2': Case(25, 3, _write_kinect_v2, _poses('kinect_v2'), scores=False),
    'kinect_v2 csv': Case(25, 3, _write_kinect_v2_csv, _poses('kinect_v2'), scores=False),
    'numpy': Case(9, 3, _write_numpy, _poses('numpy')),
    'st-gcn': Case(9, 3, _write_st_gcn, _read_arrays, scores=False),
    'ctr-gcn': Case(9, 3, _write_ctr_gcn, _read_arrays, scores=False),
    'bvh': Case(6, 3, _write_bvh, _read_bvh, 1, scores=False),
    'opengait pose': Case(17, 2, _write_opengait, lambda path: [read_opengait_pose(str(path))], 1),
    'skeleton pickle': Case(17, 2, _write_skeleton_pickle, _read_skeleton_pickle),
    'gaitgraph': Case(
        17, 2, _write_gaitgraph, lambda path: list(read_gaitgraph(str(path)).values()), 1
    ),
    'ntu': Case(25, 3, _write_ntu, _read_ntu, scores=False),
    'matlab': Case(8, 3, _write_matlab, _read_matlab, 1, scores=False),
}
#: Other formats, which are only damaged.
OTHERS = {
    'opengait silhouettes': Case(
        1,
        2,
        _write_silhouettes,
        lambda path: align_silhouettes(read_opengait_silhouettes(str(path))),
    ),
    'skeleton json': Case(9, 2, _write_json_skeleton, lambda path: read_skeleton(str(path))),
    'image': Case(24, 2, _write_image, lambda path: read_gray_image(str(path))),
    'pickle': Case(17, 2, _write_opengait, lambda path: load_pickle(str(path))),
}

_WORDS = [
    *(b'', b'0', b'-1', b'NaN', b'1e999', b'null', b'[]', b'{}', b'"a"', b'999999999999', b'true'),
    *(b'\x00', b'\xff\xff\xff\xff', b'1.5', b'[[1, 2]]', b',', b']', b'Infinity', b' ', b'\n'),
]


def damage(content: bytes, rng: random.Random) -> bytes:
    """Changes a file in one to four places."""
    for _ in range(rng.randint(1, 4)):
        size = len(content)
        start = rng.randrange(size + 1)
        end = min(size, start + rng.choice([1, 1, 2, 4, 16, 200]))
        kind = rng.randrange(8)
        if kind == 0:
            content = content[:start]
        elif kind == 1:
            content = content[:start] + content[end:]
        elif kind == 2:
            content = content[:start] + rng.randbytes(end - start) + content[end:]
        elif kind == 3:
            content = content[:start] + content[start:end] * 2 + content[end:]
        elif kind == 4 and start < size:
            flipped = bytes([content[start] ^ 1 << rng.randrange(8)])
            content = content[:start] + flipped + content[start + 1 :]
        elif kind == 5:
            content = content[:start] + rng.choice(_WORDS) + content[start:]
        else:
            content = _replace_token(content, start, rng)
    return content


_VALUES = (
    *(
        None,
        True,
        0,
        -1,
        3,
        1e9,
        -0.5,
        10**30,
        float('nan'),
        float('inf'),
        '',
        'a',
        '1.5',
        '12.jpg',
    ),
    *([], {}, [[]], [1, 2], [None], {'a': 1}),
)


def damage_json(content: bytes, rng: random.Random) -> bytes:
    """Changes one to four values of a JSON file, which remains valid JSON."""
    value = json.loads(content)
    for _ in range(rng.randint(1, 4)):
        if not isinstance(value, list | dict) or not value:
            break
        parent, depth = value, rng.randint(0, 6)
        while True:
            key = rng.randrange(len(parent)) if isinstance(parent, list) else rng.choice([*parent])
            if depth == 0 or not isinstance(parent[key], list | dict) or not parent[key]:
                break
            parent, depth = parent[key], depth - 1
        kind = rng.randrange(4)
        if kind == 0:
            del parent[key]
        elif kind == 1 and isinstance(parent, list):
            parent.insert(key, copy.deepcopy(parent[rng.randrange(len(parent))]))
        elif kind == 2 and isinstance(parent[key], int | float):
            parent[key] = parent[key] * rng.choice([0, -1, 1.5, 100]) + rng.choice([0, 1])
        else:
            parent[key] = copy.deepcopy(rng.choice(_VALUES))
    return json.dumps(value).encode()


def _replace_token(content: bytes, start: int, rng: random.Random) -> bytes:
    """Replaces a number or word of a text near a position."""
    letters = b'0123456789.-+eE_abcdefghijklmnopqrstuvwxyz'
    while start < len(content) and content[start] not in letters:
        start += 1
    first = last = start
    while first > 0 and content[first - 1] in letters:
        first -= 1
    while last < len(content) and content[last] in letters:
        last += 1
    return content[:first] + rng.choice(_WORDS) + content[last:]


def write_files(files: Files, folder: Path) -> Path:
    """Writes files, and returns the path to read: the file or, for several, their folder."""
    for name, content in files.items():
        (folder / name).write_bytes(content)
    one = len(files) == 1 and not next(iter(files)).startswith('walk_')
    return folder / next(iter(files)) if one else folder


def try_damaged(case: Case, seed: int, folder: Path) -> str:
    """Reads a damaged file; returns what happened, or raises what a reader must not raise."""
    rng = random.Random(seed)
    recording = make_recording(case, seed, rng.randint(1, 3), rng.randint(1, 4))
    files = case.write(recording)
    name = rng.choice(sorted(files))
    valid = name.endswith('.json') and rng.random() < 0.5
    files[name] = (damage_json if valid else damage)(files[name], rng)
    for old in folder.iterdir():
        old.unlink()
    path = write_files(files, folder)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        try:
            result = case.read(path)
        except ValueError as error:
            if str(path) not in str(error):
                raise AssertionError(f'the error does not name the file: {error}') from error
            return 'error'
    wrong = [w for w in caught if not issubclass(w.category, UserWarning)]
    assert not wrong, f'{wrong[0].category.__name__}: {wrong[0].message}'
    if case.read not in [other.read for other in OTHERS.values()]:
        for pos, score in result:
            assert len(pos) == len(score)
            assert np.isfinite(pos).all() or case.read is _read_matlab
            assert (np.asarray(score) >= 0).all()
            assert (np.asarray(score) <= 1).all()
    return 'warning' if caught else 'value'


def main(number: int) -> None:
    """Tries damaged files of each reader and prints the counts."""
    print('| reader | value | warning | error | failure | slowest, s |\n|---|---|---|---|---|---|')
    for name, case in {**CASES, **OTHERS}.items():
        counts: Counter[str] = Counter()
        slowest = 0.0
        with tempfile.TemporaryDirectory() as folder:
            for seed in range(number):
                begin = time.perf_counter()
                try:
                    counts[try_damaged(case, seed, Path(folder))] += 1
                except Exception as error:
                    counts['failure'] += 1
                    if counts['failure'] <= 3:
                        print(
                            f'{name}, seed {seed}: {type(error).__name__}: {error}', file=sys.stderr
                        )
                slowest = max(slowest, time.perf_counter() - begin)
        cells = [str(counts[kind]) for kind in ('value', 'warning', 'error', 'failure')]
        print(f'| {name} | {" | ".join(cells)} | {slowest:.2f} |', flush=True)


if __name__ == '__main__':
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
