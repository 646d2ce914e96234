import errno
import os
from contextlib import ExitStack, contextmanager

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.plugins.io import TorchCheckpointIO

from graphmotion.io.checkpoint import read_checkpoint
from graphmotion.models import st_gcn
from graphmotion.training import (
    ClassificationModule,
    ClassificationRecipe,
    GraphDataModule,
    OneCycle,
    fit,
)
from graphmotion.training.checkpoints import AtomicCheckpointIO, find_checkpoint
from tests.toy import Waves, noisy_joints

QUIET = {'enable_progress_bar': False, 'accelerator': 'cpu'}


def train(directory, **options):
    torch.manual_seed(0)
    model = st_gcn('emotion_gait16', 3, channels=(4, 6), dropout=0.1)
    recipe = ClassificationRecipe(OneCycle(lr=1e-2, max_epochs=3), batch_size=16)
    data = GraphDataModule(Waves(32), batch_size=16, transform=noisy_joints)
    module = ClassificationModule(model, 3, recipe)
    result = fit(module, data, str(directory), **QUIET | options)
    return result, module.model.state_dict()


@pytest.fixture(scope='module')
def undisturbed(tmp_path_factory):
    return train(tmp_path_factory.mktemp('undisturbed'))


def check_equal(run, expected):
    (result, weights), (expected_result, expected_weights) = run, expected
    assert result.history == expected_result.history
    assert weights.keys() == expected_weights.keys()
    for name, value in expected_weights.items():
        assert torch.equal(weights[name], value), name


class Stop(Callback):
    """Raises an exception after some steps."""

    def __init__(self, steps, error):
        self.steps, self.error = steps, error

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == self.steps:
            raise self.error


def truncate(path):
    os.truncate(path, 3000)


def flip_a_bit(path):
    weight = torch.load(path, weights_only=True)['state_dict']['model.lin.weight']
    content = bytearray(path.read_bytes())
    content[content.index(weight.numpy().tobytes())] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize('damage', [truncate, flip_a_bit, os.unlink])
def test_a_damaged_checkpoint_falls_back_to_the_previous_one(tmp_path, undisturbed, damage):
    with pytest.raises(KeyError):
        train(tmp_path, callbacks=[Stop(5, KeyError('in the third epoch'))])
    assert read_checkpoint(str(tmp_path / 'last.ckpt'), 'epoch') == 1
    assert read_checkpoint(str(tmp_path / 'previous.ckpt'), 'epoch') == 0
    damage(tmp_path / 'last.ckpt')
    if damage is os.unlink:  # as between the two renames
        run = train(tmp_path)
    else:
        reason = r'last\.ckpt: not a checkpoint, or damaged: .*; the run continues from .*previous'
        with pytest.warns(UserWarning, match=reason):
            run = train(tmp_path)
    check_equal(run, undisturbed)
    assert read_checkpoint(str(tmp_path / 'last.ckpt'), 'epoch') == 2
    assert read_checkpoint(str(tmp_path / 'previous.ckpt'), 'epoch') == 1


def test_two_damaged_checkpoints_raise(tmp_path):
    for name in ('last.ckpt', 'previous.ckpt'):
        (tmp_path / name).write_text('damaged')
    with pytest.raises(ValueError, match=r'previous\.ckpt: the checkpoint must hold tensors'):
        train(tmp_path)
    assert (tmp_path / 'last.ckpt').read_text() == 'damaged'


@contextmanager
def full_disk(size):
    """Limits the size of files, as a full disk does."""
    resource = pytest.importorskip('resource')
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path, undisturbed):
    class FillDisk(Callback):
        def on_train_epoch_end(self, trainer, *_):
            if trainer.current_epoch == 1:
                disk.enter_context(full_disk(20000))

    with ExitStack() as disk, pytest.raises(OSError) as caught:  # noqa: PT011
        train(tmp_path, callbacks=[FillDisk()])
    assert caught.value.errno == errno.EFBIG
    assert sorted(os.listdir(tmp_path)) == ['history.json', 'last.ckpt']
    assert read_checkpoint(str(tmp_path / 'last.ckpt'), 'epoch') == 0
    check_equal(train(tmp_path), undisturbed)


@pytest.mark.parametrize('operation', ['open', 'fsync', 'replace 1', 'replace 2', 'none'])
def test_an_interruption_leaves_a_checkpoint(tmp_path, monkeypatch, operation):
    """At every operation on files, one of the last two checkpoints can be read."""
    files, path = AtomicCheckpointIO(), tmp_path / 'last.ckpt'
    for epoch in range(2):
        files.save_checkpoint({'callbacks': {}, 'epoch': epoch}, path)
    calls = []

    def count(name, function):
        def wrapped(*args):
            calls.append(name)
            if operation in (name, f'{name} {calls.count(name)}'):
                raise KeyboardInterrupt
            return function(*args)

        monkeypatch.setattr(os, name, wrapped)

    count('fsync', os.fsync)
    count('replace', os.replace)
    content = {'callbacks': {}, 'epoch': 2}
    if operation == 'open':
        monkeypatch.setattr('builtins.open', lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            files.save_checkpoint(content, path)
    elif operation == 'none':
        files.save_checkpoint(content, path)
        assert calls == ['fsync', 'replace', 'replace']
    else:
        with pytest.raises(KeyboardInterrupt):
            files.save_checkpoint(content, path)
    monkeypatch.undo()
    found, _ = find_checkpoint(str(tmp_path))
    assert read_checkpoint(found, 'epoch') == (2 if operation == 'none' else 1)
    assert not list(tmp_path.glob('*.tmp'))


def test_partial_checkpoints_of_killed_processes_are_removed(tmp_path):
    partial, other = tmp_path / 'last.ckpt.0123abcd.tmp', tmp_path / 'best.ckpt.0123abcd.tmp'
    for file in (partial, other):
        file.write_bytes(b'part')
    AtomicCheckpointIO().save_checkpoint({'callbacks': {}}, tmp_path / 'last.ckpt')
    assert not partial.exists()
    assert other.exists()


def test_a_run_that_is_not_resumed_removes_the_checkpoints_of_the_earlier_one(tmp_path):
    train(tmp_path)
    with pytest.raises(KeyError):
        train(tmp_path, resume=False, callbacks=[Stop(1, KeyError())])
    assert not list(tmp_path.glob('*.ckpt'))


def test_other_ways_of_writing_checkpoints_are_kept(tmp_path):
    class Count(TorchCheckpointIO):
        saved = 0

        def save_checkpoint(self, *args, **kwargs):
            self.saved += 1
            super().save_checkpoint(*args, **kwargs)

    count = Count()
    train(tmp_path, plugins=[count])
    assert count.saved == 3
    assert not (tmp_path / 'previous.ckpt').exists()


def test_a_run_of_another_number_of_processes_is_not_resumed(tmp_path):
    with pytest.raises(KeyError):
        train(tmp_path, callbacks=[Stop(3, KeyError())])
    with pytest.raises(ValueError, match='run with different number of processes; pass'):
        train(tmp_path, devices=2, strategy='ddp')
