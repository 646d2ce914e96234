r"""Recognise actions from skeletons, with FG-STFormer or ST-GCN, on up to four streams.

    python examples/action_recognition.py                                # generated actions
    python examples/action_recognition.py --dataset nw_ucla --root DIR   # Northwestern-UCLA
    python examples/action_recognition.py --dataset nw_ucla --root DIR \
        --streams joint bone joint_motion bone_motion                    # and their late fusion

Trains a network for each stream and prints its accuracy and that of all streams fused. Writes
figures, checkpoints, predictions and results.json to the folder --out. A run that was cut off is
continued by the same command, and --evaluate tests without training.
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
from graphmotion.datasets import NTURGBD, NWUCLA, UTDMHAD, MotionDataset, SyntheticActions
from graphmotion.metrics import classification_scores, format_table, fuse_streams
from graphmotion.models import create_model
from graphmotion.training import (
    ClassificationModule,
    ClassificationRecipe,
    GraphDataModule,
    OneCycle,
    fg_stformer_recipe,
    fit,
    load_weights,
    predict,
)
from graphmotion.visualization import (
    animate_skeleton,
    plot_class_comparison,
    plot_confusion_matrix,
    plot_focal_joints,
    plot_pose_strip,
    plot_training_curves,
)

STREAMS = ['joint', 'bone', 'joint_motion', 'bone_motion']
WEIGHTS = {'joint': 0.6, 'bone': 0.6, 'joint_motion': 0.4, 'bone_motion': 0.4}


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    data = parser.add_argument_group('data')
    data.add_argument(
        '--dataset',
        choices=['synthetic', 'nw_ucla', 'utd_mhad', 'ntu60', 'ntu120'],
        help='nw_ucla if there is a --root, else synthetic',
    )
    data.add_argument('--root', help='folder of the dataset, its official files in raw/')
    data.add_argument('--protocol', help='official split; the first of the dataset by default')
    data.add_argument('--subjects', type=int, default=20, help='of the generated actions')
    data.add_argument('--frames', type=int, help='frames that a model sees: 52, of NTU 128')
    model = parser.add_argument_group('model')
    model.add_argument('--model', default='fg_stformer', choices=['fg_stformer', 'st_gcn'])
    model.add_argument('--streams', nargs='+', default=['joint'], choices=STREAMS)
    model.add_argument('--weights', nargs='+', type=float, help='of the streams in the fusion')
    model.add_argument('--fusion', default='logits', choices=['logits', 'probabilities'])
    model.add_argument('--focal-joints', type=int, help='focal joints of a frame')
    model.add_argument('--width', type=int, help='channels of the first layer')
    training = parser.add_argument_group('training')
    training.add_argument(
        '--preset',
        default='cpu',
        choices=['cpu', 'paper'],
        help='narrow, for minutes on two cores; or the model and recipe of the paper',
    )
    training.add_argument('--epochs', type=int)
    training.add_argument('--seed', type=int, default=0)
    training.add_argument('--evaluate', action='store_true', help='only test what was trained')
    training.add_argument('--fresh', action='store_true', help='do not continue an earlier run')
    training.add_argument('--quiet', action='store_true', help='no progress bar')
    training.add_argument('--precision', default='32-true', help="Lightning's, as bf16-mixed")
    training.add_argument('--devices', default='auto', help="Lightning's")
    parser.add_argument(
        '--compare', type=Path, help='results.json of a run to compare classes with'
    )
    parser.add_argument('--out', type=Path, default=Path('results/action_recognition'))
    args = parser.parse_args(argv)
    args.dataset = args.dataset or ('nw_ucla' if args.root else 'synthetic')
    if (args.dataset == 'synthetic') == bool(args.root):
        parser.error(
            f'--dataset {args.dataset} ' + ('takes no' if args.root else 'needs a') + ' --root'
        )
    several = len(args.streams) > 1
    rules = [
        ('--subjects', args.dataset == 'synthetic', 'generated actions'),
        ('--focal-joints', args.model == 'fg_stformer', '--model fg_stformer'),
        ('--weights', several, 'several --streams'),
        ('--fusion', several, 'several --streams'),
        ('--fresh', not args.evaluate, 'training, without --evaluate'),
    ]
    refuse_unused(parser, argv, rules)
    if args.weights is None:
        args.weights = [WEIGHTS[name] for name in args.streams]
    elif len(args.weights) != len(args.streams):
        parser.error(f'{len(args.weights)} --weights for {len(args.streams)} --streams')
    args.frames = args.frames or (128 if args.dataset.startswith('ntu') else 52)
    return args


def make_dataset(args: argparse.Namespace) -> MotionDataset:
    if args.dataset == 'synthetic':
        return SyntheticActions(num_subjects=args.subjects, seed=args.seed)
    if args.dataset == 'nw_ucla':
        return NWUCLA(args.root)
    if args.dataset == 'utd_mhad':
        return UTDMHAD(args.root)
    return NTURGBD(args.root, args.dataset)


def make_transforms(args, dataset, stream: str) -> tuple[Compose, Compose, int]:
    """What happens to training and to test samples, and the number of channels that come out."""
    skeleton = dataset.skeleton
    ntu = args.dataset.startswith('ntu')
    if ntu or (args.dataset == 'nw_ucla' and args.preset == 'paper'):
        chain = ('ntu' if ntu else 'nw_ucla', stream, args.frames)
        return T.ctr_gcn_train_transform(*chain), T.ctr_gcn_test_transform(*chain), 3
    last = T.ToStream(stream, skeleton)
    begin = [T.FillMissing(), T.CenterJoint(skeleton, per_frame=False)]
    turn = [T.RandomRotateAxes({'x': 20, 'y': 60}), T.RandomScaling((0.5, 1.5))]
    window = T.RandomSpeed((0.5, 1.0), args.frames)
    train = [*begin, *turn, T.MinMaxNormalize(), window, last]
    test = [*begin, T.MinMaxNormalize(), T.ResampleFrames(args.frames), last]
    return Compose(train), Compose(test), last.num_channels(3)


def make_options(args: argparse.Namespace) -> dict[str, Any]:
    """The options of the model."""
    paper = args.preset == 'paper'
    width = args.width or (64 if paper else 24 if args.model == 'fg_stformer' else 16)
    options: dict[str, Any] = {'name': args.model}
    if args.dataset.startswith('ntu'):
        options['num_people'] = 2
    if args.model == 'st_gcn':
        growth = (1, 1, 1, 1, 2, 2, 2, 4, 4, 4) if paper else (1, 1, 2, 2, 4, 4)
        return options | {
            'channels': [width * g for g in growth], 'dropout': 0.5 if paper else 0.1
        }  # fmt: skip
    growth = (1, 1, 2, 2, 4, 4, 4, 4) if paper else (1, 2, 4, 4)
    options['channels'] = [width * g for g in growth]
    if args.focal_joints is not None:
        options['num_focal_joints'] = args.focal_joints
    return options


def make_recipe(args: argparse.Namespace) -> ClassificationRecipe:
    recipe = fg_stformer_recipe()
    if args.preset == 'cpu':
        optimization = OneCycle(
            lr=3e-3,
            weight_decay=0.05,
            max_epochs=15 if args.dataset == 'synthetic' else 60,
            gradient_clip=5.0,
            ema_decay=0.99,
        )
        recipe = ClassificationRecipe(optimization, batch_size=32, label_smoothing=0.1)
    return recipe if args.epochs is None else recipe.with_optimization(max_epochs=args.epochs)


def run_stream(args, dataset, parts, stream: str, folder: Path) -> dict[str, Any]:
    """Train a network on one stream, unless it is only to be tested, and test it."""
    train, test = parts
    train_transform, transform, channels = make_transforms(args, dataset, stream)
    torch.manual_seed(args.seed)
    model = create_model(
        skeleton=dataset.skeleton,
        num_classes=dataset.num_classes,
        in_channels=channels,
        **make_options(args),
    )
    module = ClassificationModule(model, dataset.num_classes, make_recipe(args))
    begin = time.perf_counter()
    history = None
    if args.evaluate:
        load_weights(module, str(folder / 'last.ckpt'))
    else:
        data = GraphDataModule(
            train,
            batch_size=module.recipe.batch_size,
            transform=transform,
            train_transform=train_transform,
            seed=args.seed,
        )
        history = fit(
            module,
            data,
            str(folder),
            seed=args.seed,
            resume=not args.fresh,
            enable_progress_bar=not args.quiet,
            precision=args.precision,
            devices=args.devices,
        ).history
    logits = predict(model, test, transform, kind='logits')
    return {
        'model': model.cpu().eval(),
        'history': history,
        'logits': logits,
        'transform': transform,
        'seconds': time.perf_counter() - begin,
    }


def draw_data(args, dataset) -> None:
    """One action of each class, as a strip and in motion."""
    shown = [dataset[int((dataset.labels() == c).nonzero()[0])] for c in range(dataset.num_classes)]
    shown = shown[:10]
    joints = dataset.skeleton.num_joints
    poses = [data.pos[:joints] for data in shown]
    look = {'labels': dataset.class_names[:10], 'view': 'front'}
    plot_pose_strip(poses, dataset.skeleton, path=args.out / 'actions.png', **look)
    animate_skeleton(poses[:4], dataset.skeleton, args.out / 'actions.gif', view='front',
                     labels=dataset.class_names[:4])  # fmt: skip


def draw_focal_joints(args, dataset, test, result, path: Path) -> None:
    """What the network looked at in three test samples of different classes."""
    labels = test.labels()
    classes = labels.unique()[:3].tolist()
    chosen = [int((labels == c).nonzero()[0]) for c in classes]
    batch = test.get_batch(chosen)
    resample = T.ResampleFrames(args.frames)
    pos = resample(batch.clone()).pos
    with torch.no_grad():
        batch = result['transform'](batch)
        _, seen = result['model'](batch.x, return_attention=True)
    people = result['model'].num_people  # the first person of each sample is drawn
    joints = dataset.skeleton.num_joints
    plot_focal_joints(
        list(pos.view(len(chosen), -1, *pos.shape[1:])[:, :joints]),
        dataset.skeleton,
        list(seen.joint_ids[::people]),
        list(seen.score[::people]),
        None if seen.joint_to_part is None else list(seen.joint_to_part[::people]),
        result['model'].skeleton.assignment(1),
        labels=[dataset.class_names[c] for c in classes],
        path=path,
    )


def draw_stream(args, dataset, test, result, scores, name: str, folder: Path) -> None:
    plot_confusion_matrix(scores, title=name, path=folder / 'confusion.png')
    if result['history']:
        plot_training_curves(result['history'], title=name, path=folder / 'curves.png')
    if getattr(result['model'], 'focal', None) is not None:
        draw_focal_joints(args, dataset, test, result, folder / 'focal_joints.png')


def main(argv: list[str] | None = None) -> dict[str, Any]:
    args = parse(argv)
    logging.getLogger('lightning.pytorch').setLevel(logging.WARNING)
    args.out.mkdir(parents=True, exist_ok=True)
    dataset = make_dataset(args)
    parts = dataset.official_split(args.protocol)
    train, test = parts
    protocol = args.protocol or next(iter(dataset.protocols))
    print(f'{dataset}, {protocol}: {len(train)} to train, {len(test)} to test')
    draw_data(args, dataset)

    title = {'fg_stformer': 'FG-STFormer', 'st_gcn': 'ST-GCN'}[args.model]
    score = partial(
        classification_scores, num_classes=dataset.num_classes, class_names=dataset.class_names
    )
    target = test.labels()
    rows, report, logits = {}, {}, []
    for stream in args.streams:
        folder = args.out / args.model / stream
        folder.mkdir(parents=True, exist_ok=True)
        result = run_stream(args, dataset, parts, stream, folder)
        logits.append(result['logits'])
        torch.save({'logits': result['logits'], 'target': target}, folder / 'predictions.pt')
        rows[f'{title}, {stream}'] = scores = score(target, logits[-1].argmax(dim=1))
        size = sum(p.numel() for p in result['model'].parameters())
        report[stream] = {
            'parameters': size, 'seconds': result['seconds'], 'scores': scores.as_dict()
        }  # fmt: skip
        draw_stream(args, dataset, test, result, scores, f'{title}, {stream}', folder)
        print(f'{title}, {stream}: {100 * scores.accuracy:.1f} %, {size:,} parameters, '
              f'{result["seconds"]:.0f} s')  # fmt: skip

    final = rows[f'{title}, {args.streams[-1]}']
    if len(args.streams) > 1:
        fused = fuse_streams(logits, args.weights, args.fusion)
        final = rows[f'{title}, fused'] = score(target, fused.argmax(dim=1))
        report['fused'] = {'weights': args.weights, 'scores': final.as_dict()}
        plot_confusion_matrix(
            final, title=f'{title}, fused', path=args.out / args.model / 'confusion.png'
        )
    print(f'\n{format_table(rows, percent=True, per_class=False)}\n')

    recall = dict(zip(dataset.class_names, final.class_recall))
    name = title if len(args.streams) == 1 else f'{title}, fused'
    if args.compare:
        other = json.loads(args.compare.read_text())
        plot_class_comparison(
            {other['name']: list(other['recall'].values()), name: list(recall.values())},
            dataset.class_names,
            path=args.out / 'classes.png',
        )
    arguments = {k: str(v) if isinstance(v, Path) else v for k, v in vars(args).items()}
    results = {
        'name': name, 'arguments': arguments, 'recipe': asdict(make_recipe(args)),
        'options': make_options(args), 'streams': report, 'recall': recall,
    }  # fmt: skip
    (args.out / args.model / 'results.json').write_text(json.dumps(results, indent=1))
    print(f'Figures, checkpoints, predictions and results.json are in {args.out / args.model}')
    return results


if __name__ == '__main__':
    main()
