import json

import numpy as np
import pytest

from graphmotion.datasets import PoseFolder
from graphmotion.io import Track, formats, get_format, list_formats, read_poses, register_format
from graphmotion.skeletons import Skeleton

ARM = Skeleton(['shoulder', 'elbow', 'wrist'], [('shoulder', 'elbow'), ('elbow', 'wrist')])


@pytest.fixture
def csv_format(monkeypatch):
    """A custom format, registered as in a separate module."""
    monkeypatch.setattr(formats, '_FORMATS', dict(formats._FORMATS))

    @register_format('csv', suffixes=('.csv',))
    def read_csv(path: str, scale: float = 1.0) -> list[Track]:
        pos = scale * np.loadtxt(path, delimiter=',', dtype=np.float32).reshape(-1, 3, 2)
        return [Track(pos, np.ones(pos.shape[:2], np.float32))]


def test_formats_that_are_read():
    assert list_formats() == [
        'alphapose', 'azure_kinect', 'bvh', 'coco', 'face_mesh', 'kinect_v2', 'kinetics_skeleton',
        'mediapipe', 'mmpose', 'mmpose_images', 'ntu_skeleton', 'numpy', 'openpose',
        'ultralytics', 'yolo_txt',
    ]  # fmt: skip
    assert get_format('openpose').in_folder
    assert get_format('numpy').suffixes == ('.npy', '.npz')


def test_read_poses_calls_the_reader_with_its_options(tmp_path):
    landmark = {'x': 0.5, 'y': 0.5, 'z': 0.1}
    world = {'x': -0.25, 'y': 0.5, 'z': 0.1}
    path = tmp_path / 'take.json'
    frame = {'pose_landmarks': [landmark] * 33, 'pose_world_landmarks': [world] * 33}
    path.write_text(json.dumps([frame]))
    assert read_poses(str(path), 'mediapipe')[0].pos[0, 0, 0] == 0.5
    assert read_poses(str(path), 'mediapipe', world=True)[0].pos[0, 0, 0] == -0.25


def test_a_registered_reader_is_found_by_name(tmp_path, csv_format):
    for label in ('wave', 'clap'):
        (tmp_path / label).mkdir()
        np.savetxt(tmp_path / label / 'a.csv', np.arange(24).reshape(4, 6), delimiter=',')
    dataset = PoseFolder(str(tmp_path), ARM, 'csv', reader_options={'scale': 2.0})
    assert len(dataset) == 2
    assert dataset[0].pos[2, 3].tolist() == [44, 46]  # joint 2 in frame 3, scaled
    assert 'csv' in list_formats()


def test_names_are_registered_once(csv_format):
    with pytest.raises(ValueError, match="'csv' is already registered"):
        register_format('csv')(lambda path: [])


def test_unknown_formats():
    with pytest.raises(ValueError, match=r"format must be one of \['alphapose', .*, got 'xyz'"):
        read_poses('take.xyz', 'xyz')
