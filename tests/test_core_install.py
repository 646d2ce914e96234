"""Tests of an installation without extras."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from graphmotion import training
from graphmotion.datasets import SyntheticGait
from graphmotion.inference import Recognizer
from graphmotion.models import st_gcn
from graphmotion.transforms import ToStream

ROOT = Path(__file__).parents[1]

# Importing these fails as if they were not installed.
BLOCK = """
import sys

for name in ('PIL', 'h5py', 'lightning', 'matplotlib', 'pytorch_lightning',
             'pytorch_metric_learning', 'sklearn', 'torchmetrics'):
    sys.modules[name] = None
"""

TRAINED = """
import os, tempfile
import torch
from graphmotion.datasets import SyntheticGait
from graphmotion.inference import embed, load_weights, predict

class Mean(torch.nn.Module):
    inputs = ('pos',)

    def __init__(self):
        super().__init__()
        self.lin = torch.nn.Linear(3, 4)

    def forward(self, pos):
        return self.lin(pos.view(-1, 16, *pos.shape[1:]).mean(dim=(1, 2)))

trained, model = Mean(), Mean()
path = os.path.join(tempfile.mkdtemp(), 'last.ckpt')
torch.save({'state_dict': {f'model.{k}': v for k, v in trained.state_dict().items()}}, path)
load_weights(model, path)
dataset = SyntheticGait(num_subjects=1, num_frames=8)
torch.testing.assert_close(embed(model, dataset), embed(trained, dataset))
torch.testing.assert_close(predict(model, dataset), embed(trained, dataset).softmax(dim=1))

from graphmotion.inference import Recognizer
from graphmotion.models import st_gcn
from graphmotion.transforms import ToStream

print(Recognizer.load(saved).probabilities(dataset).tolist())
model = st_gcn(dataset.skeleton, 4, channels=[4])
path = path.replace('last.ckpt', 'recognizer.safetensors')
Recognizer(model, ToStream('joint'), class_names=dataset.class_names).save(path)
expected = predict(model, dataset, ToStream('joint'))
torch.testing.assert_close(Recognizer.load(path).probabilities(dataset), expected)
"""

ERRORS = """
import importlib
import json
from graphmotion import training
from graphmotion.datasets.emotion_gait import _open
from graphmotion.io import read_gray_image

calls = {
    'figures': lambda: importlib.import_module('graphmotion.visualization'),
    'images': lambda: read_gray_image('a.png', b''),
    'h5': lambda: _open('a.h5'),
} | {name: lambda name=name: getattr(training, name) for name in training.__all__}
errors = {}
for name, call in calls.items():
    try:
        call()
    except ImportError as error:
        errors[name] = str(error)
print(json.dumps(errors))
"""


def run(code):
    process = subprocess.run(
        [sys.executable, '-c', BLOCK + code],
        cwd=ROOT,
        env=os.environ | {'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert process.returncode == 0, process.stderr[-4000:]
    return process.stdout


@pytest.mark.slow
def test_samples_run_models_predict_and_missing_extras_are_named(tmp_path):
    """In one process, since most of its time is spent on imports."""
    (sample,) = re.findall(r'```python\n(.*?)```', (ROOT / 'README.md').read_text(), re.DOTALL)
    dataset = SyntheticGait(num_subjects=1, num_frames=8)
    path = tmp_path / 'recognizer.safetensors'
    recognizer = Recognizer(
        st_gcn(dataset.skeleton, 4, channels=[4]),
        ToStream('joint'),
        class_names=dataset.class_names,
    )
    recognizer.save(path)
    code = sample + f'\nsaved = {str(path)!r}\n' + TRAINED + ERRORS
    *printed, loaded, last = run(code).splitlines()
    assert 'Skeleton(custom, joints=3' in '\n'.join(printed)
    torch.testing.assert_close(torch.tensor(json.loads(loaded)), recognizer.probabilities(dataset))
    errors = json.loads(last)
    extras = dict.fromkeys(errors, 'train') | {'figures': 'vis', 'images': 'io', 'h5': 'io'}
    for name, error in errors.items():
        assert error.endswith(f"pip install -e '.[{extras[name]}]'")
    assert sorted(extras) == [
        'ClassificationModule',
        'EmbeddingModule',
        'Evaluation',
        'FitResult',
        'GraphDataModule',
        'History',
        'LMGCSModule',
        'RecipeModule',
        'RecognitionModule',
        'SeedEachStep',
        'cross_validate',
        'figures',
        'fit',
        'fit_two_stages',
        'h5',
        'images',
        'train_and_test',
        'training_seconds',
    ]


def test_with_lightning_all_training_names_exist():
    for name in training.__all__:
        assert name in dir(training)
        assert getattr(training, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'fits'"):
        _ = training.fits
