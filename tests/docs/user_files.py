"""The files and objects of a user that examples in docstrings use without creating them."""

import ast
from functools import cache
from pathlib import Path

import torch
from torch_geometric.transforms import Compose

from graphmotion import transforms as T
from graphmotion.datasets import SyntheticGait
from graphmotion.inference import Recognizer
from graphmotion.models import gaitmixer, st_gcn
from graphmotion.training import ClassificationRecipe, OneCycle
from tests.io.fuzz import CASES, OTHERS, make_recording

# Recordings by their names in the examples, with the format of tests/io/fuzz.py that writes them.
# Names without a suffix are folders.
RECORDINGS = {
    **dict.fromkeys(('walk.json', 'anna_1.json', 'anna_2.json', 'results.json'), 'alphapose'),
    'alphapose-results.json': 'alphapose',
    'azure_kinect.json': 'azure_kinect',
    'coco_keypoints.json': 'coco',
    'data/ntu/xsub': 'st-gcn',
    'face.json': 'face_mesh',
    'gaitgraph.csv': 'gaitgraph',
    'kinect_v2.json': 'kinect_v2',
    'kinetics_skeleton.json': 'kinetics_skeleton',
    'labels': 'yolo_txt',
    'mediapipe.json': 'mediapipe',
    'mmpose.json': 'mmpose',
    'mmpose_images': 'mmpose_images',
    'ntu60_3danno.pkl': 'skeleton pickle',
    'recording': 'openpose',
    'S001C001P001R001A001.skeleton': 'ntu',
    'silhouettes.pkl': 'opengait silhouettes',
    'skeleton.mat': 'matlab',
    'walk.bvh': 'bvh',
    'walk.pkl': 'opengait pose',
    'face.png': 'image',
}


def write_recording(path):
    """Writes a recording of one person to the current folder, by its name in the examples."""
    case = (CASES | OTHERS)[RECORDINGS[str(path)]]
    if path.name == 'xsub':
        case = case._replace(num_joints=25)
    path.parent.mkdir(parents=True, exist_ok=True)
    files = case.write(make_recording(case, seed=0, num_people=1, num_frames=60))
    if path.suffix:
        (content,) = files.values()
        path.write_bytes(content)
    else:
        path.mkdir()
        for name, content in files.items():
            (path / name).write_bytes(content)


def small_model(num_classes=4):
    """Returns an untrained classifier of walks."""
    torch.manual_seed(0)
    return st_gcn('coco17', num_classes, in_channels=2, channels=(4, 8))


def make_transform():
    """Returns the transform of walks for :func:`small_model`."""
    return Compose([T.CenterJoint('coco17'), T.CropFrames(32, 'center'), T.ToStream('joint')])


def make_recognizer(embeds):
    """Returns a recognizer of walks, which embeds or classifies."""
    if not embeds:
        names = ('happy', 'angry', 'sad', 'neutral')
        return Recognizer(small_model(), make_transform(), 'coco17', names)
    torch.manual_seed(0)
    model = gaitmixer('coco17', 16, channels=8, heads=2, temporal_channels=(8, 16))
    recognizer = Recognizer(model, make_transform(), 'coco17')
    walks = SyntheticGait.casia_b(num_subjects=2, num_frames=40, views=[90])
    for name, subject in [('anna', 0), ('ben', 1)]:
        recognizer.enroll(name, walks[walks.labels('subject') == subject])
    recognizer.calibrate(make_walks()[0], make_walks()[0].labels('subject'), 0.05)
    return recognizer


@cache
def make_walks():
    """Returns walks of four people, the training and the test samples."""
    walks = SyntheticGait.casia_b(num_subjects=4, num_frames=40, views=[0, 90])
    return [walks, *walks.split((3, 1), by='subject')]


def make_objects():
    """Returns the objects of the user by name."""
    walks, train, test = make_walks()
    return {
        'dataset': walks,
        'train': train,
        'test': test,
        'model': small_model(),
        'transform': make_transform(),
        'recipe': ClassificationRecipe(OneCycle(max_epochs=1)),
        'array': torch.rand(30, 17, 2).numpy(),
        'camera': torch.rand(10, 17, 2),
        'joints': torch.rand(1, 40, 17, 2).numpy(),
    }


def prepare(example):
    """Writes the files that an example reads and returns the objects that it uses."""
    tree = ast.parse(example.code)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    texts = {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)}
    for name in RECORDINGS.keys() & texts:
        write_recording(Path(name))
    if 'recognizer.safetensors' in example.code:
        for text in texts:
            if str(text).endswith('recognizer.safetensors'):
                Path(text).parent.mkdir(parents=True, exist_ok=True)
                make_recognizer(embeds=False).save(text)
    found = {name: value for name, value in make_objects().items() if name in used}
    if 'recognizer' in used:
        found['recognizer'] = make_recognizer(embeds=example.path == 'inference/enrollment.py')
    return found
