r"""Recognise actions by the late fusion of several streams.

    python examples/papers/fg_stformer.py --dataset nw_ucla --root DIR
    python examples/papers/fg_stformer.py --dataset nw_ucla --root DIR --model st_gcn \
        --streams joint --compare results/fg_stformer/fg_stformer/results.json
    python examples/papers/fg_stformer.py --dataset nw_ucla --root DIR --streams joint --ablation

Trains a network for each of --streams, by default all four, and adds their weighted logits, or
probabilities with --fusion probabilities. The weights are those of the code of CTR-GCN. --compare
draws the recall of each class beside that of an earlier run. For FG-STFormer, the focal joints of
three test samples are drawn. --svm adds a support vector machine on features that do not depend on
the view, and the mean of its probabilities and those of the networks. --ablation trains
FG-STFormer without some of its parts on one stream, as in Tables 1 and 3 of the paper.
"""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

sys.path.append(str(Path(__file__).parents[1]))

import action_recognition as example
from shared import common, svm
from torch import Tensor
from torch_geometric.transforms import Compose

import graphmotion.visualization as vis
from graphmotion.data import action_features
from graphmotion.datasets import MotionDataset
from graphmotion.inference import Recognizer
from graphmotion.metrics import format_table, fuse_streams
from graphmotion.transforms import FillMissing, ResampleFrames

SVM = 'SVM on distances'
# What the network lacks in the rows of Tables 1 and 3 of the paper.
ABLATION: dict[str, tuple[str, ...]] = {
    'all joints': ('focal_joints', 'part_branch', 'cross_attention'),
    'focal joints': ('part_branch', 'cross_attention'),
    'no cross attention': ('cross_attention',),
    'no temporal convolution': ('temporal_convolution',),
    'no temporal attention': ('temporal_attention',),
    'complete': (),
}
WEIGHTS = {'joint': 0.6, 'bone': 0.6, 'joint_motion': 0.4, 'bone_motion': 0.4}


def parse(argv: list[str] | None = None) -> Namespace:
    parser = example.make_parser(__doc__)
    fusion = parser.add_argument_group('streams')
    fusion.add_argument('--streams', nargs='+', default=example.STREAMS, choices=example.STREAMS)
    fusion.add_argument('--weights', nargs='+', type=float, help='weight of each stream')
    fusion.add_argument('--fusion', default='logits', choices=['logits', 'probabilities'])
    fusion.add_argument('--svm', action='store_true', help='add an SVM on distances of joints')
    fusion.add_argument('--ablation', action='store_true', help='train without parts of the model')
    fusion.add_argument('--compare', type=Path, help='results.json of the run to compare with')
    common.add_training_options(parser, 'results/fg_stformer', evaluate=True)
    args = example.parse(argv, parser)
    several = len(args.streams) > 1
    rules = [(option, several, 'with several --streams') for option in ('--weights', '--fusion')]
    rules += [
        ('--svm', args.dataset not in example.NTU, 'for one person'),
        ('--svm', not args.ablation, 'without --ablation'),
        ('--compare', not args.ablation, 'without --ablation'),
        ('--ablation', not several, 'with one of the --streams'),
        ('--ablation', args.model == 'fg_stformer', 'for --model fg_stformer'),
    ]
    common.refuse_unused(parser, argv, rules)
    if args.weights is None:
        args.weights = [WEIGHTS[name] for name in args.streams]
    elif len(args.weights) != len(args.streams):
        parser.error(f'got {len(args.weights)} --weights for {len(args.streams)} --streams')
    return args


def draw_focal_joints(
    args: Namespace, test: MotionDataset, result: example.StreamResult, path: Path
) -> None:
    """Draws the focal joints in a test sample of each of three classes."""
    labels = test.labels()
    classes = labels.unique()[:3].tolist()
    samples = [int((labels == c).nonzero()[0]) for c in classes]
    batch = test.get_batch(samples)
    pos = ResampleFrames(args.frames)(batch.clone()).pos
    model: Any = result.recognizer.model
    ((transform,),) = result.recognizer.transforms
    with torch.no_grad():
        _, attention = model(transform(batch).x, return_attention=True)
    people = model.num_people  # only the first person of a sample is drawn
    parts = attention.joint_to_part
    vis.plot_focal_joints(
        list(pos.view(len(samples), -1, *pos.shape[1:])[:, : test.skeleton.num_joints]),
        test.skeleton,
        list(attention.joint_ids[::people]),
        list(attention.score[::people]),
        None if parts is None else list(parts[::people]),
        model.skeleton.assignment(1),
        labels=[test.class_names[c] for c in classes],
        path=path,
    )


def classify_by_svm(train: MotionDataset, test: MotionDataset) -> Tensor:
    """Returns the log-probabilities of a support vector machine on 60 principal components of
    :func:`~graphmotion.data.action_features`.
    """
    from sklearn.decomposition import PCA  # installed by the extra 'train'

    transform = Compose([FillMissing(), ResampleFrames(16)])

    def features(dataset: MotionDataset) -> Any:
        batch = transform(dataset.get_batch(range(len(dataset))))
        return action_features(batch, dataset.skeleton).numpy()

    x = features(train)
    components = PCA(min(60, *x.shape), random_state=0)
    return svm.classify_by_svm(
        components, x, train.labels(), features(test), train.num_classes, c=10
    ).log()


def compare_parts(args: Namespace, dataset: MotionDataset) -> dict[str, Any]:
    """Trains and tests the network without some of its parts on one stream."""
    results = {
        name: example.run_stream(args, dataset, args.streams[0], name, off)
        for name, off in ABLATION.items()
    }
    rows = {name: result.scores for name, result in results.items()}
    print(f'\n{format_table(rows, percent=True, per_class=False)}\n')
    logits = {name: result.logits for name, result in results.items()}
    content = {
        'name': f'{example.TITLES[args.model]}, ablation',
        'recipe': example.make_recipe(args),
        'options': example.make_options(args),
        'runs': {name: result.report for name, result in results.items()},
    }
    content |= example.outcomes(args, dataset, logits)
    return common.save_results(args, content, args.out / args.model)


def read_recall(path: Path, class_names: Sequence[str]) -> tuple[str, list[float]]:
    """Returns the name of another run and its recall of each class."""
    try:
        run = json.loads(path.read_text())
        return str(run['name']), [float(run['recall'][name]) for name in class_names]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise SystemExit(
            f'--compare {path}: must be the results.json of a run of this script on the same '
            f'classes, got {error!r}'
        ) from error


def main(argv: list[str] | None = None) -> dict[str, Any]:
    args = parse(argv)
    common.start(args)
    dataset = example.make_dataset(args)
    args.protocol = args.protocol or next(iter(dataset.protocols))
    other = read_recall(args.compare, dataset.class_names) if args.compare else None
    example.draw_data(args, dataset)
    if args.ablation:
        return compare_parts(args, dataset)
    test = dataset.official_split(args.protocol)[1]
    title, folder = example.TITLES[args.model], args.out / args.model
    results = {stream: example.run_stream(args, dataset, stream) for stream in args.streams}
    if args.model == 'fg_stformer':
        for stream, result in results.items():
            draw_focal_joints(args, test, result, folder / stream / 'focal_joints.png')
    rows = {f'{title}, {stream}': result.scores for stream, result in results.items()}
    logits = {f'{title}, {stream}': result.logits for stream, result in results.items()}
    report = {stream: result.report for stream, result in results.items()}
    name, final = title, next(iter(rows.values()))
    if len(args.streams) > 1:
        name = f'{title}, fused'
        fused = fuse_streams(list(logits.values()), args.weights, args.fusion)
        logits[name] = fused
        final = rows[name] = example.score(test, fused)
        report['fused'] = {'weights': args.weights, 'scores': final.as_dict()}
        vis.plot_confusion_matrix(final, title=name, path=folder / 'confusion.png')
        recognizers = [result.recognizer for result in results.values()]
        fused_recognizer = Recognizer(
            [recognizer.model for recognizer in recognizers],
            [recognizer.transforms[0] for recognizer in recognizers],
            dataset.skeleton,
            dataset.class_names,
            weights=args.weights,
            fusion=args.fusion,
            info=report['fused'],
        )
        common.save_recognizer(fused_recognizer, folder, "print(recognizer('action.json'))")
    if args.svm:
        networks = fused.log() if len(args.streams) > 1 else next(iter(logits.values()))
        machine = classify_by_svm(*dataset.official_split(args.protocol))
        both = fuse_streams([networks, machine], kind='probabilities')
        for key, found in {'svm': (SVM, machine), 'with_svm': (f'{name} and {SVM}', both)}.items():
            logits[found[0]] = found[1]
            rows[found[0]] = example.score(test, found[1])
            report[key] = {'scores': rows[found[0]].as_dict()}
    print(f'\n{format_table(rows, percent=True, per_class=False)}\n')
    recall = dict(zip(dataset.class_names, final.class_recall))
    if other:
        vis.plot_class_comparison(
            {other[0]: other[1], name: list(recall.values())},
            dataset.class_names,
            path=args.out / 'classes.png',
        )
    return common.save_results(
        args,
        {
            'name': name,
            'recipe': example.make_recipe(args),
            'options': example.make_options(args),
            'streams': report,
            'recall': recall,
            **example.outcomes(args, dataset, logits),
        },
        folder,
    )


if __name__ == '__main__':
    main()
