"""Recognise the emotion of a walker from the skeleton, with MSA-GCN or ST-GCN.

    python examples/gait_emotion.py                  # generated gaits
    python examples/gait_emotion.py --root DIR       # Emotion-Gait
    python examples/gait_emotion.py --model st_gcn

Trains on eight tenths of the gaits, selects the best epoch on one tenth and tests on the last.
Generated gaits are split by subject. Prints the columns of the tables of the MSA-GCN paper, and
writes figures, checkpoints and results.json to the folder --out. The same command resumes an
interrupted run. Other scales, kernels and fusion, and the comparison of models by cross-validation
are in papers/msa_gcn.py.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from shared import common
from torch_geometric.transforms import Compose

import graphmotion.transforms as T
import graphmotion.visualization as vis
from graphmotion.datasets import EmotionGait, MotionDataset, SyntheticGait
from graphmotion.metrics import ClassificationScores, format_table
from graphmotion.models import create_model
from graphmotion.training import (
    ClassificationRecipe,
    Evaluation,
    OneCycle,
    msa_gcn_recipe,
    train_and_test,
)

TITLES = {'msa_gcn': 'MSA-GCN', 'st_gcn': 'ST-GCN'}
NOTE = 'Classes and mean: one-vs-rest accuracy, (TP + TN) / all, as in the MSA-GCN paper.'


@dataclass(frozen=True)
class Preset:
    """A model and its training."""

    width: int  # channels of the first layer
    dropout: float
    recipe: ClassificationRecipe
    msa_gcn: dict[str, Any]  # options of MSA-GCN only


CPU = Preset(
    width=8,
    dropout=0.1,
    recipe=ClassificationRecipe(
        OneCycle(lr=2e-3, weight_decay=0.01, max_epochs=15, gradient_clip=5.0, ema_decay=0.98),
        label_smoothing=0.1,
        class_balance=0.25,
        mixup=1.0,
    ),
    msa_gcn={'strides': [1, 2, 2, 2], 'final_relu': True, 'cross_weight_init': 0.0},
)
PAPER = Preset(width=32, dropout=0.0, recipe=msa_gcn_recipe(), msa_gcn={})
# For generated gaits and for Emotion-Gait.
PRESETS = {
    'cpu': (CPU, replace(CPU, recipe=CPU.recipe.with_optimization(max_epochs=30))),
    'paper': (PAPER, PAPER),
}


def make_parser(description: str = __doc__, out: str = 'results/gait_emotion') -> ArgumentParser:
    parser = common.make_parser(description)
    data = parser.add_argument_group('data')
    data.add_argument('--root', help='folder of Emotion-Gait: raw/features.h5, raw/labels.h5')
    data.add_argument('--joints', type=int, default=16, choices=(16, 21), help='joints of a body')
    data.add_argument('--subjects', type=int, default=40, help='number of generated subjects')
    data.add_argument('--frames', type=int, default=40, help='number of input frames')
    data.add_argument(
        '--streams', nargs='+', default=['joint_motion', 'joint_speed'], help='see ToStream'
    )
    data.add_argument(
        '--num-augmentations', type=int, default=6, help='random windows averaged in the test'
    )
    model = parser.add_argument_group('model')
    model.add_argument('--model', default='msa_gcn', choices=list(TITLES))
    model.add_argument('--width', type=int, help='channels of the first layer')
    common.add_training_options(parser, out)
    return parser


def parse(argv: list[str] | None = None, parser: ArgumentParser | None = None) -> Namespace:
    parser = parser or make_parser()
    args = parser.parse_args(argv)
    common.refuse_unused(parser, argv, [('--subjects', not args.root, 'without --root')])
    return args


def make_dataset(args: Namespace) -> MotionDataset:
    skeleton = f'emotion_gait{args.joints}'
    if args.root:
        return EmotionGait(args.root, skeleton)
    return SyntheticGait(skeleton=skeleton, num_subjects=args.subjects, seed=args.seed)


def split_by(args: Namespace) -> str | None:
    """Returns the field by which samples are split; Emotion-Gait does not identify walkers."""
    return None if args.root else 'subject'


def describe_split(args: Namespace) -> str:
    return f'training, validation and test 8:1:1 by {split_by(args) or "sample"}'


def make_transforms(args: Namespace, skeleton: Any) -> tuple[Compose, Compose, int]:
    """Returns the transforms of training and test samples and the number of input channels."""
    stream = T.ToStream(args.streams, skeleton)
    body = [T.AlignHeading(skeleton), T.CenterJoint(skeleton, per_frame=False)]
    mirror, turn = T.RandomMirror(skeleton), T.RandomRotateAxes({'y': 10})
    # Motion is computed before gaits are shifted and looped, whose seams are not motion.
    window = [stream, T.RandomTimeShift(), T.CropFrames(args.frames, pad='loop')]
    train = Compose([*body, mirror, turn, *window])
    return train, Compose([*body, mirror, *window]), stream.num_channels(3)


def get_preset(args: Namespace) -> Preset:
    return PRESETS[args.preset][bool(args.root)]


def make_options(args: Namespace, model: str) -> dict[str, Any]:
    """Returns the options of a model."""
    preset = get_preset(args)
    channels = [(args.width or preset.width) * 2**i for i in range(4)]
    options = {'name': model, 'channels': channels, 'dropout': preset.dropout}
    return options | (preset.msa_gcn if model == 'msa_gcn' else {})


def make_recipe(args: Namespace) -> ClassificationRecipe:
    recipe = get_preset(args).recipe
    return recipe if args.epochs is None else recipe.with_optimization(max_epochs=args.epochs)


def training_arguments(
    args: Namespace, dataset: MotionDataset, options: dict[str, Any]
) -> dict[str, Any]:
    """Returns the arguments that train_and_test and cross_validate share."""
    train_transform, transform, channels = make_transforms(args, dataset.skeleton)
    return {
        'make_model': partial(
            create_model,
            skeleton=dataset.skeleton,
            num_classes=dataset.num_classes,
            in_channels=channels,
            **options,
        ),
        'recipe': make_recipe(args),
        'transform': transform,
        'train_transform': train_transform,
        'num_augmentations': args.num_augmentations,
    } | common.fit_options(args)


def draw_data(args: Namespace, dataset: MotionDataset) -> None:
    """Draws one gait of each class, as a strip and as an animation."""
    align = T.AlignHeading(dataset.skeleton)
    gaits = {name: align(data) for name, data in common.one_per_class(dataset).items()}
    look = {'labels': list(gaits), 'view': 'side'}
    samples = list(gaits.values())
    vis.plot_pose_strip(samples, dataset.skeleton, path=args.out / 'gaits.png', **look)
    vis.animate_skeleton(samples, dataset.skeleton, args.out / 'gaits.gif', **look)


def draw_results(
    args: Namespace,
    test: MotionDataset,
    name: str,
    evaluation: Evaluation,
    scores: ClassificationScores,
    folder: Path,
) -> None:
    """Draws the confusion matrix, training curves, test gaits and learned adjacencies."""
    skeleton, classes = test.skeleton, test.class_names
    vis.plot_confusion_matrix(scores.confusion, classes, title=name, path=folder / 'confusion.png')
    vis.plot_training_curves(evaluation.history, title=name, path=folder / 'curves.png')
    align = T.AlignHeading(skeleton)
    vis.plot_pose_gallery(
        [align(data) for data in test],
        skeleton,
        evaluation.target,
        evaluation.probabilities.argmax(dim=1),
        classes,
        view='side',
        path=folder / 'gallery.png',
    )
    if len(getattr(evaluation.model, 'cross', ())):
        batch = make_transforms(args, skeleton)[1](test.get_batch(range(len(test))))
        with torch.no_grad():
            _, layers = evaluation.model(batch.x, return_adjacency=True)
        for (target, source), adjacency in layers[-1].items():
            vis.plot_cross_scale(
                adjacency.mean(dim=0),
                skeleton,
                title=f'{name}: {target} nodes receive from {source}, mean over the test samples',
                path=folder / f'cross_scale_{source}_to_{target}.png',
            )


def main(argv: list[str] | None = None) -> dict[str, Any]:
    args = parse(argv)
    common.start(args)
    dataset = make_dataset(args)
    print(common.describe(dataset))
    draw_data(args, dataset)

    train, val, test = dataset.split((8, 1, 1), seed=args.seed, by=split_by(args))
    name, options = TITLES[args.model], make_options(args, args.model)
    folder = args.out / args.model
    evaluation = train_and_test(
        train=train,
        val=val,
        test=test,
        directory=str(folder),
        seed=args.seed,
        **training_arguments(args, dataset, options),
    )
    draw_results(args, test, name, evaluation, evaluation.scores, folder)
    size = common.count_parameters(evaluation.model)
    print(f'{name}: {size:,} parameters, {evaluation.seconds:.0f} s\n')
    print(format_table({name: evaluation.scores}, percent=True))
    print(f'\n{NOTE}\n')
    path = folder / 'recognizer.safetensors'
    common.show_recognizer(path, "print(recognizer('walk.json'))")
    return common.save_results(
        args,
        {
            'recipe': make_recipe(args),
            'options': options,
            'parameters': size,
            'seconds': evaluation.seconds,
            'scores': {name: evaluation.scores.as_dict()},
            **common.class_outcomes(
                test,
                {name: evaluation.probabilities.argmax(dim=1)},
                describe_split(args),
            ),
        },
    )


if __name__ == '__main__':
    main()
