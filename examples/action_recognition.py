r"""Recognise actions from skeletons, with FG-STFormer, CTR-GCN, AGCN or ST-GCN.

    python examples/action_recognition.py                                # generated actions
    python examples/action_recognition.py --dataset nw_ucla --root DIR   # Northwestern-UCLA
    python examples/action_recognition.py --dataset ntu60 --root DIR --protocol cross_view

Trains a network on one stream (joints, bones or their motion) by the official split, for all
epochs, and prints its test scores. Writes figures, checkpoints, logits and results.json to the
folder --out. The same command resumes an interrupted run; --evaluate tests without training.
The late fusion of several streams is papers/fg_stformer.py.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from shared import common
from torch import Tensor
from torch_geometric.transforms import Compose

import graphmotion.transforms as T
import graphmotion.visualization as vis
from graphmotion.data import find_copies
from graphmotion.datasets import NTURGBD, NWUCLA, UTDMHAD, MotionDataset, SyntheticActions
from graphmotion.inference import Recognizer, load_weights, predict
from graphmotion.metrics import ClassificationScores, classification_scores, format_table
from graphmotion.models import create_model
from graphmotion.training import (
    ClassificationModule,
    ClassificationRecipe,
    GraphDataModule,
    OneCycle,
    agcn_recipe,
    ctr_gcn_recipe,
    fg_stformer_recipe,
    fit,
    training_seconds,
)

TITLES = {
    'fg_stformer': 'FG-STFormer', 'ctr_gcn': 'CTR-GCN', 'agcn': 'AGCN', 'st_gcn': 'ST-GCN'
}  # fmt: skip
STREAMS = ['joint', 'bone', 'joint_motion', 'bone_motion']
NTU = ('ntu60', 'ntu120')


# The channels of the first layer, those of all layers as multiples of them, and other options.
PRESETS: dict[tuple[str, str], dict[str, Any]] = {
    ('fg_stformer', 'cpu'): {'width': 24, 'growth': (1, 2, 4, 4)},
    ('fg_stformer', 'paper'): {'width': 64, 'growth': (1, 1, 2, 2, 4, 4, 4, 4)},
    ('ctr_gcn', 'cpu'): {'width': 16, 'growth': (1, 1, 2, 2, 4, 4)},
    ('ctr_gcn', 'paper'): {'width': 64, 'growth': (1, 1, 1, 1, 2, 2, 2, 4, 4, 4)},
    ('agcn', 'cpu'): {'width': 16, 'growth': (1, 1, 2, 2, 4, 4)},
    ('agcn', 'paper'): {'width': 64, 'growth': (1, 1, 1, 1, 2, 2, 2, 4, 4, 4)},
    ('st_gcn', 'cpu'): {'width': 16, 'growth': (1, 1, 2, 2, 4, 4), 'dropout': 0.1},
    ('st_gcn', 'paper'): {
        'width': 64, 'growth': (1, 1, 1, 1, 2, 2, 2, 4, 4, 4), 'dropout': 0.5
    },
}  # fmt: skip
CPU_RECIPE = ClassificationRecipe(
    OneCycle(lr=3e-3, weight_decay=0.05, max_epochs=60, gradient_clip=5.0, ema_decay=0.99),
    batch_size=32,
    label_smoothing=0.1,
)
CPU_EPOCHS_SYNTHETIC = 15


def make_parser(description: str = __doc__) -> ArgumentParser:
    """Returns the options of the data and the model."""
    parser = common.make_parser(description)
    data = parser.add_argument_group('data')
    data.add_argument(
        '--dataset',
        choices=['synthetic', 'nw_ucla', 'utd_mhad', *NTU],
        help='nw_ucla if --root is given, otherwise synthetic',
    )
    data.add_argument('--root', help='folder of the dataset, with the official files in raw/')
    data.add_argument('--protocol', help="official split, by default the dataset's first")
    data.add_argument('--subjects', type=int, default=20, help='number of generated subjects')
    data.add_argument('--frames', type=int, help='number of input frames: 52, or 128 for NTU')
    model = parser.add_argument_group('model')
    model.add_argument('--model', default='fg_stformer', choices=list(TITLES))
    model.add_argument('--focal-joints', type=int, help='focal joints per frame')
    model.add_argument('--width', type=int, help='channels of the first layer')
    return parser


def parse(argv: list[str] | None = None, parser: ArgumentParser | None = None) -> Namespace:
    if parser is None:
        parser = make_parser()
        parser.add_argument('--stream', default='joint', choices=STREAMS)
        common.add_training_options(parser, 'results/action_recognition', evaluate=True)
    args = parser.parse_args(argv)
    args.dataset = args.dataset or ('nw_ucla' if args.root else 'synthetic')
    synthetic = args.dataset == 'synthetic'
    common.check_root(parser, args.dataset, args.root, synthetic)
    rules = [
        ('--subjects', synthetic, 'for generated actions'),
        ('--focal-joints', args.model == 'fg_stformer', 'for --model fg_stformer'),
    ]
    common.refuse_unused(parser, argv, rules)
    args.frames = args.frames or (128 if args.dataset in NTU else 52)
    return args


def make_dataset(args: Namespace) -> MotionDataset:
    if args.dataset == 'synthetic':
        return SyntheticActions(num_subjects=args.subjects, seed=args.seed)
    if args.dataset == 'nw_ucla':
        return NWUCLA(args.root)
    if args.dataset == 'utd_mhad':
        return UTDMHAD(args.root)
    return NTURGBD(args.root, args.dataset)


def make_transforms(
    args: Namespace, dataset: MotionDataset, stream: str
) -> tuple[Compose, Compose, int]:
    """Returns the transforms of training and test samples and the number of input channels."""
    skeleton, ntu = dataset.skeleton, args.dataset in NTU
    if ntu or (args.dataset == 'nw_ucla' and args.preset == 'paper'):
        chain = ('ntu' if ntu else 'nw_ucla', stream, args.frames)
        return T.ctr_gcn_train_transform(*chain), T.ctr_gcn_test_transform(*chain), 3
    last = T.ToStream(stream, skeleton)
    begin = [T.FillMissing(), T.CenterJoint(skeleton, per_frame=False)]
    # Its actions keep their meaning, which those of UTD-MHAD, such as swiping to the left, do not.
    mirror = [T.RandomMirror(skeleton)] if args.dataset == 'nw_ucla' else []
    turn = [*mirror, T.RandomRotateAxes({'x': 20, 'y': 60}), T.RandomScaling((0.5, 1.5))]
    window = T.RandomSpeed((0.5, 1.0), args.frames)
    train = [*begin, *turn, T.MinMaxNormalize(), window, last]
    test = [*begin, T.MinMaxNormalize(), T.ResampleFrames(args.frames), last]
    return Compose(train), Compose(test), last.num_channels(3)


def make_options(args: Namespace) -> dict[str, Any]:
    """Returns the options of the model."""
    options = {'name': args.model} | PRESETS[args.model, args.preset]
    width, growth = options.pop('width'), options.pop('growth')
    options['channels'] = [(args.width or width) * factor for factor in growth]
    if args.dataset in NTU:
        options['num_people'] = 2
    if args.focal_joints is not None:
        options['num_focal_joints'] = args.focal_joints
    return options


def make_paper_recipe(args: Namespace) -> ClassificationRecipe:
    if args.model == 'ctr_gcn':
        return ctr_gcn_recipe('nw_ucla' if args.dataset == 'nw_ucla' else 'ntu')
    return agcn_recipe() if args.model == 'agcn' else fg_stformer_recipe()


def make_recipe(args: Namespace) -> ClassificationRecipe:
    epochs = args.epochs
    if epochs is None and args.preset == 'cpu' and args.dataset == 'synthetic':
        epochs = CPU_EPOCHS_SYNTHETIC
    recipe = CPU_RECIPE if args.preset == 'cpu' else make_paper_recipe(args)
    return recipe if epochs is None else recipe.with_optimization(max_epochs=epochs)


class StreamResult(NamedTuple):
    """A network that was trained on one stream, and its test."""

    recognizer: Recognizer
    logits: Tensor
    scores: ClassificationScores
    report: dict[str, Any]


def run_stream(
    args: Namespace,
    dataset: MotionDataset,
    stream: str,
    variant: str = '',
    off: Sequence[str] = (),
) -> StreamResult:
    """Trains a network on one stream, or loads it, and tests it. A variant of the network has some
    of its options off.
    """
    name = f'{TITLES[args.model]}, {variant or stream}'
    folder = args.out / args.model / (variant or stream).replace(' ', '_')
    folder.mkdir(parents=True, exist_ok=True)
    train, test = dataset.official_split(args.protocol)
    print(f'{name}: {len(train)} training, {len(test)} test samples')
    train_transform, transform, channels = make_transforms(args, dataset, stream)
    torch.manual_seed(args.seed)
    model = create_model(
        skeleton=dataset.skeleton,
        num_classes=dataset.num_classes,
        in_channels=channels,
        **make_options(args) | dict.fromkeys(off, False),
    )
    module = ClassificationModule(model, dataset.num_classes, make_recipe(args))
    if args.evaluate:
        load_weights(module, str(folder / 'last.ckpt'))
        seconds = training_seconds(str(folder / 'last.ckpt'))
    else:
        data = GraphDataModule(
            train,
            batch_size=module.recipe.batch_size,
            transform=transform,
            train_transform=train_transform,
            seed=args.seed,
        )
        options = common.fit_options(args)
        fitted = fit(module, data, str(folder), seed=args.seed, **options)
        seconds = fitted.seconds
        vis.plot_training_curves(fitted.history, title=name, path=folder / 'curves.png')
    logits = predict(model, test, transform, kind='logits')
    torch.save({'logits': logits, 'target': test.labels()}, folder / 'predictions.pt')
    scores = score(test, logits)
    vis.plot_confusion_matrix(scores, title=name, path=folder / 'confusion.png')
    size = common.count_parameters(model)
    print(f'{name}: {100 * scores.accuracy:.1f} %, {size:,} parameters, {seconds:.0f} s')
    report = {'parameters': size, 'seconds': seconds, 'scores': scores.as_dict()}
    names = dataset.class_names
    recognizer = Recognizer(model.cpu(), transform, dataset.skeleton, names, info=report)
    recognizer.save(folder / 'recognizer.safetensors')
    return StreamResult(recognizer, logits, scores, report)


def outcomes(
    args: Namespace, dataset: MotionDataset, logits: Mapping[str, Tensor]
) -> dict[str, Any]:
    """Returns the entries of results.json by which networks are compared."""
    train, test = dataset.official_split(args.protocol)
    predicted = {name: one.argmax(dim=1) for name, one in logits.items()}
    content = common.class_outcomes(test, predicted, f'official split {args.protocol}')
    return content | score_unseen(train, test, logits)


def score_unseen(
    train: MotionDataset, test: MotionDataset, logits: Mapping[str, Tensor]
) -> dict[str, Any]:
    """Prints and returns the accuracy on the other test samples if some are training samples."""
    unseen = ~find_copies(test, train)
    if unseen.all():
        return {}
    part = test.index_select(unseen)
    accuracy = {name: score(part, one[unseen]).accuracy for name, one in logits.items()}
    count = len(test) - len(part)
    print(f'{count} of {len(test)} test samples are copies of training samples.')
    print('Accuracy on the others:')
    for name, value in accuracy.items():
        print(f'  {name}: {100 * value:.1f} %')
    return {'without_copies': {'samples': len(part), 'accuracy': accuracy}}


def score(test: MotionDataset, logits: Tensor) -> ClassificationScores:
    predicted = logits.argmax(dim=1)
    return classification_scores(test.labels(), predicted, test.num_classes, test.class_names)


def draw_data(args: Namespace, dataset: MotionDataset) -> None:
    """Draws one action of up to ten classes, as a strip, and of four as an animation."""
    shown = dict(list(common.one_per_class(dataset).items())[:10])
    poses = [data.pos[: dataset.skeleton.num_joints] for data in shown.values()]
    names, path = list(shown), args.out / 'actions.png'
    vis.plot_pose_strip(poses, dataset.skeleton, labels=names, view='front', path=path)
    path = args.out / 'actions.gif'
    vis.animate_skeleton(poses[:4], dataset.skeleton, path, view='front', labels=names[:4])


def main(argv: list[str] | None = None) -> dict[str, Any]:
    args = parse(argv)
    common.start(args)
    dataset = make_dataset(args)
    args.protocol = args.protocol or next(iter(dataset.protocols))
    draw_data(args, dataset)
    name = f'{TITLES[args.model]}, {args.stream}'
    result = run_stream(args, dataset, args.stream)
    print(f'\n{format_table({name: result.scores}, percent=True, per_class=False)}\n')
    path = args.out / args.model / args.stream / 'recognizer.safetensors'
    common.show_recognizer(path, "print(recognizer('action.json'))")
    results = {'name': name, 'recipe': make_recipe(args), 'options': make_options(args)}
    results |= result.report | outcomes(args, dataset, {name: result.logits})
    return common.save_results(args, results, args.out / args.model)


if __name__ == '__main__':
    main()
