"""A training run in one or more processes, for test_runs.py.

python -m tests.training.run DIRECTORY --model plain
python -m tests.training.run DIRECTORY --model msa_gcn --signal SIGKILL --in-epoch 2
python -m torch.distributed.run --nproc-per-node 2 -m tests.training.run DIRECTORY --devices 2
"""

import argparse
import os
import signal

import torch
from lightning.pytorch import Callback

from graphmotion.models import LMGCS, msa_gcn
from graphmotion.nn import SpatialConv, TemporalConv
from graphmotion.skeletons import get_skeleton
from graphmotion.training import (
    ClassificationModule,
    ClassificationRecipe,
    GraphDataModule,
    LMGCSRecipe,
    OneCycle,
    RecognitionModule,
    RecognitionRecipe,
    StepDecay,
    fit,
    fit_two_stages,
)
from tests.toy import Waves, joints, noisy_joints
from tests.training.silhouettes import SMALL, Silhouettes
from tests.training.walkers import Projection, Walkers


class Plain(torch.nn.Module):
    """No batch normalisation, whose statistics would differ between processes."""

    inputs = ('x',)

    def __init__(self):
        super().__init__()
        self.adj = get_skeleton('emotion_gait16').adjacency()[0]
        self.spatial = SpatialConv(3, 8)
        self.temporal = TemporalConv(8, 8, kernel_size=5)
        self.lin = torch.nn.Linear(8, 3)

    def forward(self, x):
        x = self.temporal(self.spatial(x, self.adj).relu()).relu()
        return self.lin(x.mean(dim=1).view(-1, 16, 8).mean(dim=1))


class SendSignal(Callback):
    """Sends a signal to the process of a rank in the middle of an epoch."""

    def __init__(self, name, epoch, rank=0):
        self.signal, self.epoch, self.rank = signal.Signals[name], epoch, rank

    def on_train_batch_end(self, trainer, module, outputs, batch, number):
        place = trainer.current_epoch, number, trainer.global_rank
        restarted = int(os.environ.get('TORCHELASTIC_RESTART_COUNT', 0))
        if place == (self.epoch, 1, self.rank) and not restarted:
            os.kill(os.getpid(), self.signal)


class KeepGradients(Callback):
    """Writes the gradients of every step, averaged over processes, to a file."""

    def __init__(self, path):
        self.path, self.steps = path, []

    def on_after_backward(self, trainer, module):
        self.steps.append([p.grad.clone() for p in module.parameters()])

    def on_train_end(self, trainer, module):
        if trainer.is_global_zero:
            torch.save(self.steps, self.path)


def classification(model, ema_decay):
    plain = model == 'plain'
    model = Plain() if plain else msa_gcn(num_classes=3, channels=(4, 4, 6), dropout=0.3)
    optimization = OneCycle(lr=0.1 if plain else 1e-2, max_epochs=4, ema_decay=ema_decay)
    recipe = ClassificationRecipe(optimization, batch_size=12)
    data = GraphDataModule(
        Waves(52),  # the last of five batches has four samples
        val=Waves(25),
        batch_size=recipe.batch_size,
        transform=joints,
        train_transform=joints if plain else noisy_joints,
    )
    return ClassificationModule(model, 3, recipe), data


def recognition():
    recipe = RecognitionRecipe(
        OneCycle(lr=0.05, max_epochs=2), subjects_per_batch=8, samples_per_subject=3
    )
    data = GraphDataModule(
        Walkers(14, 6),
        val=Walkers(5, 5, seed=1),
        batch_size=recipe.batch_size,
        transform=joints,
        balance='subject',
        samples_per_class=recipe.samples_per_subject,
    )
    return RecognitionModule(Projection(), recipe), data


def lmgcs():
    recipe = LMGCSRecipe(
        StepDecay(lr=1e-2, max_epochs=2, milestones=()), global_epochs=2, subjects_per_batch=4,
        samples_per_subject=3, batches_per_epoch=3,
    )  # fmt: skip
    data = GraphDataModule(
        Silhouettes(num_takes=6),
        val=Silhouettes(num_takes=3, seed=1),
        batch_size=recipe.batch_size,
        balance='subject',
        samples_per_class=recipe.samples_per_subject,
        batches_per_epoch=recipe.batches_per_epoch,
    )
    return LMGCS(**SMALL), recipe, data


def main(arguments=None):
    parser = argparse.ArgumentParser()
    parser.add_argument('directory')
    parser.add_argument(
        '--model', default='plain', choices=('plain', 'msa_gcn', 'projection', 'lmgcs')
    )
    parser.add_argument('--devices', type=int, default=1)
    parser.add_argument('--signal', help='such as SIGKILL')
    parser.add_argument('--in-epoch', type=int)
    parser.add_argument('--in-rank', type=int, default=0)
    parser.add_argument('--ema-decay', type=float, default=0.0)
    parser.add_argument('--precision', default='32-true')
    args = parser.parse_args(arguments)

    torch.manual_seed(0)
    callbacks = [SendSignal(args.signal, args.in_epoch, args.in_rank)] if args.signal else []
    options = {
        'accelerator': 'cpu',
        'devices': args.devices,
        'strategy': 'ddp' if args.devices > 1 else 'auto',
        'precision': args.precision,
        'enable_progress_bar': False,
        'callbacks': callbacks,
    }
    if args.model == 'lmgcs':
        fit_two_stages(*lmgcs(), args.directory, **options)
    elif args.model == 'projection':
        callbacks.append(KeepGradients(os.path.join(args.directory, 'gradients.pt')))
        fit(*recognition(), args.directory, **options)
    else:
        fit(*classification(args.model, args.ema_decay), args.directory, **options)


if __name__ == '__main__':
    main()
