"""Freed memory is kept while a network is trained."""

import subprocess
import sys

import pytest
from lightning.pytorch import Callback

from graphmotion.datasets import SyntheticGait
from graphmotion.models import create_model
from graphmotion.nn import freed_memory
from graphmotion.training import (
    ClassificationModule,
    ClassificationRecipe,
    GraphDataModule,
    OneCycle,
    fit,
)
from graphmotion.transforms import ToStream

SCRIPT = """
import resource
import torch
from graphmotion.nn import freed_memory

mallopt = freed_memory._from_glibc('mallopt')
if mallopt is None or not mallopt(freed_memory._MMAP_THRESHOLD, 2**30):
    print('refused')
    raise SystemExit
mallopt(freed_memory._MMAP_THRESHOLD, 2**17)

def new_pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(12 * 2**20)  # 48 MB, larger than what glibc keeps by itself
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(open('/proc/self/statm').read().split()[1])

new_pages()
outside, start = min(new_pages() for _ in range(5)), resident()
with freed_memory.kept_freed_memory():
    # Memory between two pieces may be in use, so that the next one needs other pages.
    kept = min(new_pages() for _ in range(5))
    inside = resident()
print(outside, kept, inside - start, resident() - start)
"""


def test_memory_is_kept_inside_and_returned_afterwards():
    pytest.importorskip('resource')
    run = subprocess.run(
        [sys.executable, '-c', SCRIPT], capture_output=True, text=True, check=True, timeout=120
    )
    if 'refused' in run.stdout:
        pytest.skip('the allocator is not a recent one of glibc')
    outside, kept, inside, after = map(int, run.stdout.split())
    assert kept < outside / 10 or outside < 100  # pages of 2 MB
    assert inside > 8000  # pages of 4 kB
    assert after < 4000


@pytest.fixture
def limits(monkeypatch):
    """The thresholds that are set, in MB."""
    found = []

    def mallopt(option, value):
        if option == freed_memory._MMAP_THRESHOLD:
            found.append(value // 2**20)
        return 1

    calls = {'mallopt': mallopt, 'malloc_trim': lambda _: found.append('trim')}
    monkeypatch.setattr(freed_memory, '_from_glibc', calls.get)
    for name in freed_memory._VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return found


def test_the_last_user_returns_the_memory(limits):
    with freed_memory.kept_freed_memory(2**30):
        with freed_memory.kept_freed_memory(2**28):
            pass
        assert limits == [1024, 1024, 1024]
    assert limits[3:] == [32, 'trim']


def test_settings_of_the_user_are_kept(limits, monkeypatch):
    monkeypatch.setenv('MALLOC_TRIM_THRESHOLD_', '1000')
    with freed_memory.kept_freed_memory():
        pass
    assert limits == []


def test_memory_is_kept_during_training(limits, tmp_path):
    dataset = SyntheticGait(num_subjects=2, num_takes=1, num_frames=8)
    model = create_model(
        'st_gcn', skeleton=dataset.skeleton, num_classes=dataset.num_classes, channels=(4,)
    )
    recipe = ClassificationRecipe(OneCycle(max_epochs=1))
    module = ClassificationModule(model, dataset.num_classes, recipe)

    class Record(Callback):
        def on_train_batch_start(self, *_):
            limits.append('step')

    transform = ToStream('joint', dataset.skeleton)
    data = GraphDataModule(dataset, transform=transform, train_transform=transform)
    fit(module, data, str(tmp_path), callbacks=[Record()], enable_progress_bar=False)
    assert limits[:2] == [1024, 'step']
    assert limits[-2:] == [32, 'trim']
