"""Recognising what is in files and folders."""

import json

import numpy as np
import pytest
import torch
from torch_geometric.transforms import Compose

import graphmotion.transforms as T
from graphmotion.data import from_array
from graphmotion.graphs import PointGraph, pixel_graph
from graphmotion.inference import Recognizer
from graphmotion.inference.streaming import read_frames
from graphmotion.io import Track, read_poses, register_format, stack_tracks
from graphmotion.io.formats import _FORMATS
from graphmotion.models import spagnn, st_gcn
from graphmotion.skeletons import get_skeleton
from tests.datasets.test_ntu_rgbd import person, recording
from tests.test_config import build

pil = pytest.importorskip('PIL.Image')
CLASSES = ('walk', 'run', 'jump')


def recognizer_of(skeleton, in_channels=2, **options):
    torch.manual_seed(0)
    model = st_gcn(skeleton, 3, in_channels=in_channels, channels=[4, 8], **options)
    return Recognizer(model, T.ToStream('joint'), class_names=CLASSES)


def keypoints(num_joints=17, num_frames=6, seed=0):
    random = np.random.default_rng(seed)
    pos = random.uniform(10, 400, (num_joints, 2)) + random.normal(size=(num_frames, num_joints, 2))
    return pos.astype(np.float32), random.uniform(0.3, 1, pos.shape[:2]).astype(np.float32)


def write_alphapose(path, people, num_joints=17):
    rows = []
    for number, (pos, score) in enumerate(people):
        for frame, row in enumerate(np.concatenate([pos, score[..., None]], axis=-1)):
            entry = {'image_id': f'{frame}.jpg', 'idx': number, 'keypoints': row.ravel().tolist()}
            rows.append(entry | {'category_id': 1, 'score': 2.0})
    path.write_text(json.dumps(rows))
    return str(path)


def same(answer, recognizer, data):
    (expected,) = recognizer([data])
    assert answer.probabilities == pytest.approx(expected.probabilities, abs=1e-5)


def test_a_file_equals_its_array(tmp_path):
    recognizer, (pos, score) = recognizer_of('coco17'), keypoints()
    path = write_alphapose(tmp_path / 'walk.json', [(pos, score)])
    expected = from_array(pos, 'coco17', score, axes='TVC')
    for source in (path, tmp_path / 'walk.json'):
        (answer,) = recognizer(source)
        same(answer, recognizer, expected)
    assert (answer.source, answer.person, answer.frames) == (path, None, (0, 6))
    same(recognizer(path, format='alphapose')[0], recognizer, expected)
    with pytest.raises(ValueError, match=r'walk\.json'):
        recognizer(path, format='mediapipe')
    with pytest.raises(ValueError, match='format must be one of'):
        recognizer(path, format='alpha')


def test_each_person_of_a_file_has_an_answer(tmp_path):
    recognizer = recognizer_of('coco17')
    people = [keypoints(seed=1), keypoints(seed=2)]
    answers = recognizer(write_alphapose(tmp_path / 'two.json', people), window=4)
    assert [answer.person for answer in answers] == [0, 1]
    assert [len(answer.windows) for answer in answers] == [2, 2]
    assert answers[1].windows[1].frames == (2, 6)
    assert answers[1].windows[1].person == 1
    together = recognizer_of('coco17', num_people=2)(str(tmp_path / 'two.json'))
    assert len(together) == 1
    assert together[0].person is None


def test_layouts_of_formats_are_converted(tmp_path):
    pos, score = keypoints(17)
    path = write_alphapose(tmp_path / 'walk.json', [(pos, score)])
    recognizer = recognizer_of('h36m17')
    convert = T.ConvertSkeleton('coco17', 'h36m17')
    expected = convert(from_array(pos, 'coco17', score, axes='TVC'))
    same(recognizer(path)[0], recognizer, expected)
    recognizer = recognizer_of('ntu25')
    with pytest.raises(ValueError, match=r"'coco17' has no joints for \['\w+'"):
        recognizer(path)
    recognizer = recognizer_of(get_skeleton('coco17').subset(['nose', 'left_eye', 'left_ear']))
    convert = T.ConvertSkeleton('coco17', recognizer.skeleton)
    expected = convert(from_array(pos, 'coco17', score, axes='TVC'))
    same(recognizer(path)[0], recognizer, expected)


def test_substitutes_replace_missing_joints(tmp_path):
    pos, score = keypoints(17)
    path = write_alphapose(tmp_path / 'walk.json', [(pos, score)])
    recognizer = recognizer_of('emotion_gait16')
    with pytest.raises(ValueError, match=r"substitutes=\{'right_hand': 'right_wrist', "):
        recognizer(path)
    substitutes = {
        f'{side}_{joint}': f'{side}_{near}'
        for side in ('left', 'right')
        for joint, near in (('hand', 'wrist'), ('foot', 'ankle'))
    }
    convert = T.ConvertSkeleton('coco17', 'emotion_gait16', substitutes)
    expected = convert(from_array(pos, 'coco17', score, axes='TVC'))
    same(recognizer(path, substitutes=substitutes)[0], recognizer, expected)
    options = {'skeleton': 'coco17', 'axes': 'TVC', 'substitutes': substitutes}
    (answer,) = recognizer(pos, score=score, **options)
    same(answer, recognizer, expected)
    frames, _ = read_frames(recognizer, path, substitutes=substitutes)
    stream = recognizer.stream(window=len(pos))
    same([stream.push(frame) for frame in frames][-1][0], recognizer, expected)
    stream = recognizer.stream(window=len(pos), skeleton='coco17', substitutes=substitutes)
    same([stream.push(frame) for frame in zip(pos, score)][-1][0], recognizer, expected)


def test_the_number_of_coordinates_is_checked(tmp_path):
    pos, score = keypoints(17)
    path = write_alphapose(tmp_path / 'walk.json', [(pos, score)])
    recognizer = recognizer_of('coco17', in_channels=3)
    with pytest.raises(ValueError, match=r'walk\.json: joints must have 3 coordinates.* got 2'):
        recognizer(path)
    with pytest.raises(ValueError, match=r'^joints must have 3 coordinates.* got 2'):
        recognizer([from_array(pos, 'coco17', axes='TVC')])
    with pytest.raises(ValueError, match=r'joints must have shape \[17, 3\]'):
        recognizer.stream(window=4).push(pos[0])
    # Of transforms that are not in the library, the effect is unknown.
    flat = Compose([drop_depth, T.ToStream('joint')])
    model = st_gcn('coco17', 3, in_channels=2, channels=[4, 8])
    in_space = np.concatenate([pos, 100 * score[..., None]], axis=-1)
    (answer,) = Recognizer(model, flat, class_names=CLASSES)(in_space, axes='TVC')
    (expected,) = Recognizer(model, T.ToStream('joint'), class_names=CLASSES)(pos, axes='TVC')
    assert answer == expected


def drop_depth(data):
    data.pos = data.pos[..., :2]
    return data


def test_own_layouts_of_formats(tmp_path):
    pos, score = keypoints(3)
    path = write_alphapose(tmp_path / 'walk.json', [(pos, score)])
    own = get_skeleton('coco17').subset(['nose', 'left_eye', 'left_ear'])
    recognizer = recognizer_of(own)
    same(recognizer(path)[0], recognizer, from_array(pos, own, score, axes='TVC'))
    with pytest.raises(ValueError, match=r'skeleton must be given for 3 joints .* of .coco17'):
        recognizer_of('coco17')(path)
    # A layout of one's own with as many joints as that of the format is that of its files.
    pos, score = keypoints(17)
    path = write_alphapose(tmp_path / 'run.json', [(pos, score)])
    coco = get_skeleton('coco17')
    own = type(coco)([f'point{i}' for i in range(17)], coco.bones, name='points')
    recognizer = recognizer_of(own)
    same(recognizer(path)[0], recognizer, from_array(pos, own, score, axes='TVC'))


def test_folders_with_a_file_for_each_frame(tmp_path):
    pos, score = keypoints(25)
    for frame, row in enumerate(np.concatenate([pos, score[..., None]], axis=-1)):
        people = [{'person_id': [-1], 'pose_keypoints_2d': row.ravel().tolist()}]
        path = tmp_path / f'clip_{frame:012d}_keypoints.json'
        path.write_text(json.dumps({'version': 1.3, 'people': people}))
    recognizer = recognizer_of('body25')
    same(recognizer(tmp_path)[0], recognizer, from_array(pos, 'body25', score, axes='TVC'))
    # Joints of Kinect have the number of joints of BODY_25, but the file is of OpenPose.
    with pytest.raises(ValueError, match="'body25' has no joints for"):
        recognizer_of('ntu25')(tmp_path)


def test_numpy_files_and_options_of_readers(tmp_path):
    pos, _ = keypoints(num_frames=5)
    np.save(tmp_path / 'walk.npy', pos.transpose(2, 0, 1))
    recognizer = recognizer_of('coco17')
    expected = from_array(pos, 'coco17', axes='TVC')
    same(recognizer(tmp_path / 'walk.npy', axes='CTV')[0], recognizer, expected)


def test_files_of_no_or_several_formats(tmp_path, monkeypatch):
    recognizer, path = recognizer_of('coco17'), tmp_path / 'a.json'
    path.write_text('{"frames": 3}')
    with pytest.raises(ValueError, match=r'a\.json: the format must be one of .*alphapose: '):
        recognizer(path)
    path = tmp_path / 'a.docx'
    path.write_text('text')
    with pytest.raises(ValueError, match=r'a\.docx: the format must be one of'):
        recognizer(path)
    monkeypatch.setattr('graphmotion.io.formats._FORMATS', dict(_FORMATS))
    for name, value in (('one', 1.0), ('two', 2.0)):
        track = Track(np.full((3, 17, 2), value, np.float32), np.ones((3, 17), np.float32))
        register_format(name, suffixes=('.docx',))(lambda path, track=track: [track])
    with pytest.raises(ValueError, match=r"pass format=, one of \['one', 'two'\]"):
        recognizer(path)
    assert len(recognizer(path, format='two')) == 1


def test_the_frame_rate_of_a_file_is_used(tmp_path, monkeypatch):
    monkeypatch.setattr('graphmotion.io.formats._FORMATS', dict(_FORMATS))
    pos, score = keypoints(num_frames=12)
    register_format('fast', suffixes=('.fast',), read_frame_rate=lambda path: 50.0)(
        lambda path: [Track(pos, score)]
    )
    (tmp_path / 'a.fast').write_text('')
    recognizer = recognizer_of('coco17')
    recognizer.transforms = [[Compose([T.ResampleFrames(rate=25), T.ToStream('joint')])]]
    expected = from_array(pos, 'coco17', score, axes='TVC', frame_rate=50)
    same(recognizer(tmp_path / 'a.fast')[0], recognizer, expected)


# Images and silhouettes ########################################################


def save_image(path, array):
    pil.fromarray(array).save(path)


@pytest.mark.parametrize('color', [False, True])
def test_images(tmp_path, color):
    graph = pixel_graph((16, 12), 0.5, k=4, levels=2)
    model = spagnn(graph, 3, 3 if color else 1, channels=(2, 3))
    recognizer = Recognizer(model, T.ToPixelGraph(graph), class_names=CLASSES)
    shape = (16, 12, 3) if color else (16, 12)
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    save_image(tmp_path / 'face.png', image)
    (answer,) = recognizer(tmp_path / 'face.png')
    channels_first = image.transpose(2, 0, 1) if color else image
    (from_pixels,) = recognizer(channels_first)
    assert answer.probabilities == from_pixels.probabilities
    logits = model(torch.from_numpy(channels_first).reshape(-1, 16, 12)[
        :, graph.pos[:, 1].long(), graph.pos[:, 0].long()
    ].t() / 255)  # fmt: skip
    expected = dict(zip(CLASSES, logits.softmax(dim=1)[0].tolist()))
    assert answer.probabilities == pytest.approx(expected, abs=1e-6)
    assert answer.frames is None
    save_image(tmp_path / 'large.png', image.repeat(2, axis=0).repeat(2, axis=1))
    (resized,) = recognizer(tmp_path / 'large.png')
    assert resized.probabilities == pytest.approx(expected, abs=0.05)


def test_landmarks_next_to_images(tmp_path):
    points = np.random.default_rng(0).uniform(0, 12, (68, 2)).astype(np.float32)
    graph = PointGraph.from_points(torch.from_numpy(points), k=4, levels=2, ratio=0.25)
    transform = T.ToLandmarkGraph(4, graph=graph)
    recognizer = Recognizer(spagnn(graph, 3, 6, channels=(2, 3)), transform, class_names=CLASSES)
    save_image(tmp_path / 'face.png', np.zeros((16, 12), np.uint8))
    with pytest.raises(ValueError, match=r'face\.png: landmarks: expected a file next to'):
        recognizer(tmp_path / 'face.png')
    (tmp_path / 'face.txt').write_text('\n'.join(f'{x} {y}' for x, y in points.tolist()))
    assert len(recognizer(tmp_path / 'face.png')) == 1


def test_silhouettes(tmp_path):
    model = build('lmgcs')
    recognizer = Recognizer(model, class_names=[str(i) for i in range(model(
        torch.rand(1, 2, 64, 44)).size(1))])  # fmt: skip
    frames = np.zeros((5, 80, 60), np.uint8)
    for number, frame in enumerate(frames):
        frame[10:70, 20 + number : 40] = 255
        save_image(tmp_path / f'{number:03d}.png', frame)
    (answer,) = recognizer(tmp_path)
    (expected,) = recognizer(frames)
    assert answer.probabilities == expected.probabilities
    assert answer.frames == (0, 5)
    np.save(tmp_path / 'frames.npy', frames)
    assert recognizer(tmp_path / 'frames.npy')[0].probabilities == expected.probabilities
    with pytest.raises(ValueError, match='must have a body in at least one frame'):
        recognizer(np.zeros((3, 64, 44), np.uint8))


def test_recordings_of_ntu_rgbd_are_those_of_the_dataset(tmp_path):
    path = tmp_path / 'S001C001P001R001A001.skeleton'
    path.write_text(recording((1, 0, person(1)), (2, 0, person(2, place=1.0, motion=0.2))))
    tracks = read_poses(str(path), 'ntu_skeleton')
    assert len(tracks) == 2
    recognizer = recognizer_of('ntu25', 3, num_people=2)
    (answer,) = recognizer(path)
    pos, score = stack_tracks(tracks, 2)
    same(answer, recognizer, from_array(pos, 'ntu25_st_gcn', score, 'MTVC', frame_rate=30))
    assert [a.person for a in recognizer_of('ntu25_st_gcn', 3)(path)] == [0, 1]


def test_lists_of_files_and_arrays(tmp_path):
    recognizer = recognizer_of('coco17')
    people = [keypoints(seed=seed) for seed in range(3)]
    one = write_alphapose(tmp_path / 'one.json', people[:1])
    two = write_alphapose(tmp_path / 'two.json', people[1:])
    answers = recognizer([one, two])
    assert [(a.source, a.person) for a in answers] == [(one, None), (two, 0), (two, 1)]
    assert list(answers) == [*recognizer(one), *recognizer(two)]
    arrays = recognizer([pos for pos, _ in people], axes='TVC')
    assert list(arrays) == [recognizer(pos, axes='TVC')[0] for pos, _ in people]
    for option in ({'window': 0}, {'hop': -1, 'window': 3}):
        with pytest.raises(ValueError, match=r'(window|hop) must be an integer >= 1'):
            recognizer(one, **option)
