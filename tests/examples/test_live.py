import io
import json
import sys
import time
from types import SimpleNamespace

import live as example
import numpy as np
import pytest
import torch

import graphmotion.transforms as T
from graphmotion.inference import Recognizer
from graphmotion.models import st_gcn

SKELETON = 'coco17'


@pytest.fixture
def recognizer(tmp_path):
    """Saves a small recognizer."""
    torch.manual_seed(0)
    model = st_gcn(SKELETON, 3, in_channels=2, channels=(4, 8))
    transform = T.ToStream('joint')
    path = tmp_path / 'recognizer.safetensors'
    Recognizer(model, transform, class_names=('a', 'b', 'c'), window=12).save(path)
    return path


@pytest.fixture
def recording(tmp_path):
    """Saves an array as a recorded file."""
    pos = np.random.default_rng(0).normal(size=(20, 17, 2)).cumsum(axis=0)
    path = tmp_path / 'walk.npy'
    np.save(path, pos.astype(np.float32))
    return path, pos.astype(np.float32)


def check(answers, recognizer, pos, hop=1):
    expected = [
        Recognizer.load(recognizer)(pos[n - 12 : n], axes='TVC')[0] for n in range(12, 21, hop)
    ]
    assert [a.frames for a in answers] == [(n - 12, n) for n in range(12, 21, hop)]
    for answer, other in zip(answers, expected, strict=True):
        assert answer.label == other.label
        assert answer.probability == pytest.approx(other.probability, abs=1e-5)


def test_a_recorded_file(recognizer, recording, capsys):
    path, pos = recording
    answers = example.main([str(recognizer), str(path), '--fast', '--hop', '2'])
    check(answers, recognizer, pos, hop=2)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert lines[0].startswith('frames 0-11: ')


def test_the_frame_rate(recognizer, recording):
    start = time.perf_counter()
    example.main([str(recognizer), str(recording[0]), '--frame-rate', '100'])
    assert time.perf_counter() - start >= 0.19


def test_json_lines(recognizer, recording, monkeypatch):
    _, pos = recording
    lines = [json.dumps(frame.tolist()) for frame in pos]
    lines[1] = json.dumps({'joints': pos[1].tolist(), 'scores': [1.0] * 17})
    lines[2] = json.dumps([None, *pos[2, 1:].tolist()])
    lines[3] = 'null'
    monkeypatch.setattr(sys, 'stdin', io.StringIO('\n'.join(lines) + '\n\n'))
    answers = example.main([str(recognizer), '-'])
    pos[2, 0] = np.nan
    pos[3] = np.nan
    check(answers, recognizer, pos)


def test_a_frame_without_joints_is_missing(tmp_path, recording, monkeypatch):
    model = st_gcn(SKELETON, 3, channels=(4, 8))
    path = tmp_path / 'in_space.safetensors'
    Recognizer(model, T.ToStream('joint'), class_names=('a', 'b', 'c'), window=12).save(path)
    pos = np.random.default_rng(0).normal(size=(20, 17, 3)).astype(np.float32)
    lines = [json.dumps(frame.tolist()) for frame in pos]
    lines[3] = json.dumps([None] * 17)
    lines[4] = json.dumps({'joints': [None] * 17, 'scores': [0.0] * 17})
    monkeypatch.setattr(sys, 'stdin', io.StringIO('\n'.join(lines)))
    answers = example.main([str(path), '-'])
    pos[3:5] = np.nan
    check(answers, path, pos)


def test_the_window_is_needed(tmp_path, recording):
    path = tmp_path / 'no_window.safetensors'
    model = st_gcn(SKELETON, 3, in_channels=2, channels=(4, 8))
    Recognizer(model, T.ToStream('joint'), class_names=('a', 'b', 'c')).save(path)
    with pytest.raises(SystemExit, match='--window must be given'):
        example.main([str(path), str(recording[0]), '--fast'])


def test_substitutes(tmp_path, recording, capsys):
    path, (file, pos) = tmp_path / 'hands.safetensors', recording
    model = st_gcn('emotion_gait16', 3, in_channels=2, channels=(4, 8))
    recognizer = Recognizer(model, T.ToStream('joint'), class_names=('a', 'b', 'c'), window=20)
    recognizer.save(path)
    pairs = {
        f'{side}_{joint}': f'{side}_{near}'
        for side in ('left', 'right')
        for joint, near in (('hand', 'wrist'), ('foot', 'ankle'))
    }
    options = [f'{joint}={near}' for joint, near in pairs.items()]
    command = [str(path), str(file), '--fast', '--skeleton', SKELETON, '--substitutes']
    (answer,) = example.main([*command, *options])
    (expected,) = recognizer(pos, skeleton=SKELETON, axes='TVC', substitutes=pairs)
    assert answer.probabilities == pytest.approx(expected.probabilities, abs=1e-5)
    with pytest.raises(SystemExit):
        example.main([*command, 'left_hand'])
    assert "must be JOINT=OTHER, got 'left_hand'" in capsys.readouterr().err


def test_json_lines_of_several_people(recognizer, recording, monkeypatch, capsys):
    _, pos = recording
    frames = [{'4': frame.tolist(), '9': {'joints': (-frame).tolist()}} for frame in pos]
    monkeypatch.setattr(sys, 'stdin', io.StringIO('\n'.join(map(json.dumps, frames))))
    answers = example.main([str(recognizer), '-'])
    check([a for a in answers if a.person == 4], recognizer, pos)
    check([a for a in answers if a.person == 9], recognizer, -pos)
    assert 'person 9, frames 0-11: ' in capsys.readouterr().out


@pytest.mark.parametrize('line', ['{', '[[1, 2], [3]]', '"text"', '{"joints": 3}'])
def test_bad_lines(recognizer, monkeypatch, line):
    monkeypatch.setattr(sys, 'stdin', io.StringIO(f'null\n{line}\n'))
    with pytest.raises(ValueError, match='line 2 must be a frame as JSON'):
        example.main([str(recognizer), '-'])


def test_the_figure(recognizer, recording, tmp_path):
    path = tmp_path / 'answers.png'
    example.main([str(recognizer), str(recording[0]), '--fast', '--figure', str(path)])
    assert path.stat().st_size > 1000


class Camera:
    """Returns images whose first pixel is the number of the frame."""

    def __init__(self, number):
        self.number, self.count = number, 0

    def isOpened(self):
        return self.number == 0

    def read(self):
        self.count += 1
        return self.count <= 20, np.full((100, 200, 3), self.count, np.uint8)

    def release(self):
        self.number = None


class Landmarker:
    """Finds landmarks that depend on the number of the frame."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    @staticmethod
    def create_from_options(options):
        assert options.base_options.model_asset_path == 'pose.task'
        return Landmarker()

    def detect_for_video(self, image, milliseconds):
        number = int(image.data[0, 0, 0])
        if number == 5:
            return SimpleNamespace(pose_landmarks=[], pose_world_landmarks=[])
        points = [
            SimpleNamespace(x=0.01 * i, y=0.02 * number, z=0.5, visibility=1.0) for i in range(33)
        ]
        return SimpleNamespace(pose_landmarks=[points], pose_world_landmarks=[points])


@pytest.fixture
def camera(monkeypatch):
    cv2 = SimpleNamespace(VideoCapture=Camera, COLOR_BGR2RGB=4, cvtColor=lambda image, _: image)
    namespace = lambda **fields: SimpleNamespace(**fields)  # noqa: E731
    vision = SimpleNamespace(
        PoseLandmarkerOptions=namespace,
        RunningMode=SimpleNamespace(VIDEO='video'),
        PoseLandmarker=Landmarker,
    )
    mediapipe = SimpleNamespace(
        tasks=SimpleNamespace(vision=vision, BaseOptions=namespace),
        Image=namespace,
        ImageFormat=SimpleNamespace(SRGB='srgb'),
    )
    monkeypatch.setitem(sys.modules, 'cv2', cv2)
    monkeypatch.setitem(sys.modules, 'mediapipe', mediapipe)


CAMERA = ['--landmarker', 'pose.task', '--dim', '2']


def test_a_camera(recognizer, camera):
    answers = example.main([str(recognizer), '--camera', '0', *CAMERA])
    number = np.arange(1, 21).reshape(-1, 1)
    pos = np.stack(np.broadcast_arrays(2.0 * np.arange(33), 2.0 * number), axis=-1)
    pos[4] = np.nan
    loaded = Recognizer.load(recognizer)
    assert [a.frames for a in answers] == [(n - 12, n) for n in range(12, 21)]
    expected = loaded(pos[8:], axes='TVC', skeleton='mediapipe33')[0]
    assert answers[-1].probability == pytest.approx(expected.probability, abs=1e-5)
    with pytest.raises(SystemExit, match='camera 1 cannot be opened'):
        example.main([str(recognizer), '--camera', '1', *CAMERA])


def test_a_camera_without_its_packages(recognizer, monkeypatch):
    monkeypatch.setitem(sys.modules, 'cv2', None)
    with pytest.raises(SystemExit, match='pip install opencv-python mediapipe'):
        example.main([str(recognizer), '--camera', '0', *CAMERA])


@pytest.mark.parametrize(
    ('options', 'reason'),
    [
        ([], 'give either a source or --camera'),
        (['walk.json', '--camera', '0'], 'give either a source or --camera'),
        (['--camera', '0'], '--camera needs --landmarker'),
        (['-', '--fast'], '--fast is only valid for a recorded file'),
        (['walk.json', '--dim', '2'], '--dim is only valid with --camera'),
        (['--camera', '0', *CAMERA, '--skeleton', 'ntu25'], '--skeleton is only valid without'),
    ],
)
def test_options_without_effect(refused, options, reason):
    assert reason in refused(example, ['r.safetensors', *options])
