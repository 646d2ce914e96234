"""Recognise the emotion of a walker from the skeleton, with MSA-GCN or ST-GCN.

    python examples/gait_emotion.py                                  # generated gaits
    python examples/gait_emotion.py --root DIR --folds 5 --compare   # Emotion-Gait, four models

Prints the row of the MSA-GCN paper's tables for the run. Writes figures, checkpoints and
results.json to the folder --out; a run that was cut off is continued by the same command.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from options import refuse_unused
from torch_geometric.transforms import Compose

import graphmotion.transforms as T
from graphmotion.datasets import EmotionGait, MotionDataset, SyntheticGait
from graphmotion.metrics import classification_scores, fold_summary, format_table
from graphmotion.models import create_model
from graphmotion.training import (
    ClassificationRecipe,
    Evaluation,
    OneCycle,
    cross_validate,
    msa_gcn_recipe,
    train_and_test,
)
from graphmotion.visualization import (
    animate_skeleton,
    plot_confusion_matrix,
    plot_cross_scale,
    plot_pose_gallery,
    plot_pose_strip,
    plot_training_curves,
)


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    data = parser.add_argument_group('data')
    data.add_argument('--root', help='folder of Emotion-Gait: raw/features.h5, raw/labels.h5')
    data.add_argument('--joints', type=int, default=16, choices=(16, 21), help='of each body')
    data.add_argument('--subjects', type=int, default=40, help='of the generated gaits')
    data.add_argument('--folds', type=int, default=0, help='of cross-validation; 0 splits 8:1:1')
    data.add_argument('--frames', type=int, default=40, help='frames that a model sees')
    data.add_argument(
        '--streams', nargs='+', default=['joint_motion', 'joint_speed'], help='see ToStream'
    )
    model = parser.add_argument_group('model')
    model.add_argument('--model', default='msa_gcn', choices=['msa_gcn', 'st_gcn'])
    model.add_argument('--compare', action='store_true', help='ST-GCN and three MSA-GCNs')
    model.add_argument('--scales', type=int, nargs='+', help='nodes of each scale, as 16 10 5 3')
    model.add_argument('--csfm-layers', type=int, help='layers with cross-scale fusion, 0..4')
    model.add_argument('--kernels', type=int, nargs='*', help='temporal kernels, as 5 9')
    model.add_argument('--width', type=int, help='channels of the first layer')
    training = parser.add_argument_group('training')
    training.add_argument(
        '--preset',
        default='cpu',
        choices=['cpu', 'paper'],
        help='narrow and strided, for minutes on two cores; or the model and recipe of the paper',
    )
    training.add_argument('--epochs', type=int)
    training.add_argument(
        '--num-augmentations', type=int, default=6, help='random windows averaged in the test'
    )
    training.add_argument('--seed', type=int, default=0)
    training.add_argument(
        '--repeats', type=int, default=1, help='runs with different seeds, also taken together'
    )
    training.add_argument('--fresh', action='store_true', help='do not continue an earlier run')
    training.add_argument('--quiet', action='store_true', help='no progress bar')
    training.add_argument('--precision', default='32-true', help="Lightning's, as bf16-mixed")
    training.add_argument('--devices', default='auto', help="Lightning's")
    training.add_argument('--out', type=Path, default=Path('results/gait_emotion'))
    args = parser.parse_args(argv)
    alone = args.model == 'msa_gcn' and not args.compare
    rules = [
        ('--subjects', not args.root, 'generated gaits, without --root'),
        ('--model', not args.compare, 'one model, without --compare'),
        ('--scales', alone, '--model msa_gcn alone'),
        ('--csfm-layers', alone, '--model msa_gcn alone'),
        ('--kernels', alone, '--model msa_gcn alone'),
    ]
    refuse_unused(parser, argv, rules)
    return args


def make_dataset(args: argparse.Namespace) -> MotionDataset:
    skeleton = f'emotion_gait{args.joints}'
    if args.root:
        return EmotionGait(args.root, skeleton)
    return SyntheticGait(skeleton=skeleton, num_subjects=args.subjects, seed=args.seed)


def make_models(args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """The options of each model to train, by its name in the table."""
    paper = args.preset == 'paper'
    width = args.width or (32 if paper else 8)
    common = {'channels': [width * 2**i for i in range(4)], 'dropout': 0.0 if paper else 0.1}
    st_gcn = {'name': 'st_gcn'} | common
    msa_gcn = {'name': 'msa_gcn'} | common
    if not paper:
        msa_gcn |= {'strides': [1, 2, 2, 2], 'final_relu': True, 'cross_weight_init': 0.0}
    if args.compare:
        return {
            'ST-GCN': st_gcn,
            'MSA-GCN, one scale': msa_gcn | {'scales': [args.joints]},
            'MSA-GCN, no cross-scale fusion': msa_gcn | {'cross_scale_layers': 0},
            'MSA-GCN': msa_gcn,
        }
    if args.model == 'st_gcn':
        return {'ST-GCN': st_gcn}
    chosen = {
        'scales': args.scales,
        'cross_scale_layers': args.csfm_layers,
        'kernel_sizes': args.kernels,
    }
    return {'MSA-GCN': msa_gcn | {k: v for k, v in chosen.items() if v is not None}}


def make_recipe(args: argparse.Namespace) -> ClassificationRecipe:
    recipe = msa_gcn_recipe()
    if args.preset == 'cpu':
        optimization = OneCycle(
            lr=2e-3,
            weight_decay=0.01,
            max_epochs=30 if args.root else 15,
            gradient_clip=5.0,
            ema_decay=0.98,
        )
        recipe = ClassificationRecipe(
            optimization, label_smoothing=0.1, class_balance=0.25, mixup=1.0
        )
    return recipe if args.epochs is None else recipe.with_optimization(max_epochs=args.epochs)


def make_transforms(args: argparse.Namespace, skeleton) -> tuple[Compose, Compose, int]:
    """What happens to training and to test samples, and the number of channels that come out."""
    stream = T.ToStream(args.streams, skeleton)
    body = [T.AlignHeading(skeleton), T.CenterJoint(skeleton, per_frame=False)]
    mirror, turn = T.RandomMirror(skeleton), T.RandomRotateAxes({'y': 10})
    window = [T.RandomTimeShift(), T.CropFrames(args.frames, pad='loop'), stream]
    train = Compose([*body, mirror, turn, *window])
    return train, Compose([*body, mirror, *window]), stream.num_channels(3)


def run(args, dataset, options, folder: Path) -> list[list[Evaluation]]:
    """Train and test one model: for each repeat, on every fold or on one split."""
    train_transform, transform, channels = make_transforms(args, dataset.skeleton)
    make_model = partial(create_model, skeleton=dataset.skeleton, in_channels=channels, **options)
    common = {
        'make_model': partial(make_model, num_classes=dataset.num_classes),
        'recipe': make_recipe(args),
        'transform': transform,
        'train_transform': train_transform,
        'num_augmentations': args.num_augmentations,
        'resume': not args.fresh,
        'enable_progress_bar': not args.quiet,
        'precision': args.precision,
        'devices': args.devices,
    }
    by = None if args.root else 'subject'
    out: list[list[Evaluation]] = []
    for repeat in range(args.repeats):
        seed, directory = args.seed + 1000 * repeat, str(folder / f'run{repeat}')
        if args.folds:
            folds = dataset.folds(args.folds, seed=args.seed, by=by)
            out.append(cross_validate(folds=folds, directory=directory, seed=seed, **common))
        else:
            train, val, test = dataset.split((8, 1, 1), seed=args.seed, by=by)
            parts = {'train': train, 'val': val, 'test': test}
            out.append([train_and_test(directory=directory, seed=seed, **parts, **common)])
    return out


def ensemble(repeats: list[list[Evaluation]], classes: tuple[str, ...]) -> list:
    """The scores on each fold of the mean prediction of all repeats."""
    scores = []
    for runs in zip(*repeats):
        mean = torch.stack([e.probabilities for e in runs]).mean(dim=0)
        target = runs[0].target
        scores.append(classification_scores(target, mean.argmax(dim=1), len(classes), classes))
    return scores


def summarize(scores: list):
    return fold_summary(scores) if len(scores) > 1 else scores[0]


def tested_samples(args, dataset) -> MotionDataset:
    """The samples that the first evaluation was tested on."""
    by = None if args.root else 'subject'
    if args.folds:
        return dataset.folds(args.folds, seed=args.seed, by=by)[0][1]
    return dataset.split((8, 1, 1), seed=args.seed, by=by)[2]


def draw_data(args, dataset) -> None:
    """One gait of each class, as a strip and in motion."""
    shown = [dataset[int((dataset.labels() == c).nonzero()[0])] for c in range(dataset.num_classes)]
    gaits = [T.AlignHeading(dataset.skeleton)(data).pos for data in shown]
    look = {'labels': dataset.class_names, 'view': 'side'}
    plot_pose_strip(gaits, dataset.skeleton, path=args.out / 'gaits.png', **look)
    animate_skeleton(gaits, dataset.skeleton, args.out / 'gaits.gif', **look)


def draw_results(args, dataset, name, first: Evaluation, scores, folder: Path) -> None:
    test = tested_samples(args, dataset)
    plot_confusion_matrix(
        scores.confusion, dataset.class_names, title=name, path=folder / 'confusion.png'
    )
    plot_training_curves(first.history, title=name, path=folder / 'curves.png')
    plot_pose_gallery(
        [T.AlignHeading(dataset.skeleton)(data).pos for data in test],
        dataset.skeleton,
        first.target,
        first.probabilities.argmax(dim=1),
        dataset.class_names,
        view='side',
        path=folder / 'gallery.png',
    )
    if len(getattr(first.model, 'cross', ())):
        _, transform, _ = make_transforms(args, dataset.skeleton)
        with torch.no_grad():
            batch = transform(test.get_batch(range(len(test))))
            _, layers = first.model(batch.x, return_adjacency=True)
        for (target, source), adjacency in layers[-1].items():
            plot_cross_scale(
                adjacency.mean(dim=0),
                dataset.skeleton,
                title=f'{name}: {target} nodes take from {source}, mean over the test',
                path=folder / f'cross_scale_{source}_to_{target}.png',
            )


def main(argv: list[str] | None = None) -> dict[str, Any]:
    args = parse(argv)
    logging.getLogger('lightning.pytorch').setLevel(logging.WARNING)
    args.out.mkdir(parents=True, exist_ok=True)
    dataset = make_dataset(args)
    counts = torch.bincount(dataset.labels(), minlength=dataset.num_classes).tolist()
    print(f'{dataset}: ' + ', '.join(f'{n} {c}' for n, c in zip(dataset.class_names, counts)))
    draw_data(args, dataset)

    rows, report = {}, {}
    for name, options in make_models(args).items():
        folder = args.out / name.lower().replace(', ', '_').replace(' ', '_')
        begin = time.perf_counter()
        repeats = run(args, dataset, options, folder)
        seconds = time.perf_counter() - begin
        scores = [evaluation.scores for runs in repeats for evaluation in runs]
        row = rows[name] = summarize(scores)
        first = repeats[0][0]
        size = sum(p.numel() for p in first.model.parameters())
        report[name] = {
            'options': options,
            'parameters': size,
            'seconds': seconds,
            'scores': row.as_dict(),
            'runs': [s.as_dict() for s in scores],
        }
        if args.repeats > 1:
            together = summarize(ensemble(repeats, dataset.class_names))
            rows[f'{name}, {args.repeats} runs together'] = together
            report[name]['ensemble'] = together.as_dict()
        draw_results(args, dataset, name, first, getattr(row, 'pooled', None) or row, folder)
        print(f'{name}: {size:,} parameters, {len(scores)} run(s), {seconds:.0f} s')

    print(f'\n{format_table(rows, percent=True)}\n')
    print('Classes and mean: one against the rest, (TP + TN) / all, as in the MSA-GCN paper.')
    print(f'Figures, checkpoints and results.json are in {args.out}')
    arguments = {k: str(v) if isinstance(v, Path) else v for k, v in vars(args).items()}
    results = {'arguments': arguments, 'recipe': asdict(make_recipe(args)), 'models': report}
    (args.out / 'results.json').write_text(json.dumps(results, indent=1))
    return results


if __name__ == '__main__':
    main()
