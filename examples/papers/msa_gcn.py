"""Compare MSA-GCN with ST-GCN and with its ablations, by cross-validation.

    python examples/papers/msa_gcn.py --root DIR --folds 5 --compare --repeats 2
    python examples/papers/msa_gcn.py --root DIR --folds 5 --jobs 2
    python examples/papers/msa_gcn.py --root DIR --folds 5 --model st_gcn --streams joint
    python examples/papers/msa_gcn.py --scales 16 10 5 3 --csfm-layers 1 --kernels 5 7

All models of the comparison share folds, recipe and input streams. Without --folds, models are
trained and tested on one split, as by gait_emotion.py. --svm adds a support vector machine on
lengths of bones, cadence, step length and speeds of joints, and the mean of its probabilities and
those of each network.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

sys.path.append(str(Path(__file__).parents[1]))

import gait_emotion
from shared import common, svm
from torch import Tensor

from graphmotion.data import gait_features
from graphmotion.datasets import MotionDataset
from graphmotion.metrics import (
    ClassificationScores,
    FoldSummary,
    classification_scores,
    fold_summary,
    format_table,
)
from graphmotion.training import Evaluation, cross_validate, train_and_test

SVM = 'SVM on gait features'
Scores = ClassificationScores | FoldSummary


def parse(argv: list[str] | None = None) -> Namespace:
    parser = gait_emotion.make_parser(__doc__, out='results/msa_gcn')
    model = parser.add_argument_group('variants of MSA-GCN')
    model.add_argument('--scales', type=int, nargs='+', help='nodes per scale, such as 16 10 5 3')
    model.add_argument('--csfm-layers', type=int, help='layers with cross-scale fusion, 0 to 4')
    model.add_argument('--kernels', type=int, nargs='*', help='temporal kernels, such as 5 9')
    protocol = parser.add_argument_group('protocol')
    protocol.add_argument('--compare', action='store_true', help='ST-GCN and three MSA-GCNs')
    protocol.add_argument('--svm', action='store_true', help='add an SVM on features of gait')
    protocol.add_argument('--folds', type=int, help='number of cross-validation folds')
    protocol.add_argument('--jobs', type=int, default=1, help='folds trained at the same time')
    protocol.add_argument(
        '--repeats', type=int, default=1, help='runs with different seeds, and their ensemble'
    )
    args = gait_emotion.parse(argv, parser)
    alone = args.model == 'msa_gcn' and not args.compare
    rules = [('--model', not args.compare, 'without --compare')]
    rules += [('--jobs', bool(args.folds), 'with --folds')]
    rules += [
        (f'--{name}', alone, 'for --model msa_gcn without --compare')
        for name in ('scales', 'csfm-layers', 'kernels')
    ]
    common.refuse_unused(parser, argv, rules)
    return args


def make_models(args: Namespace) -> dict[str, dict[str, Any]]:
    """Returns the options of each model by its title in the table."""
    st_gcn = gait_emotion.make_options(args, 'st_gcn')
    msa_gcn = gait_emotion.make_options(args, 'msa_gcn')
    if args.compare:
        return {
            'ST-GCN': st_gcn,
            'MSA-GCN, one scale': msa_gcn | {'scales': [args.joints]},
            'MSA-GCN, no cross-scale fusion': msa_gcn | {'cross_scale_layers': 0},
            'MSA-GCN': msa_gcn,
        }
    if args.model == 'st_gcn':
        return {'ST-GCN': st_gcn}
    given = {
        'scales': args.scales,
        'cross_scale_layers': args.csfm_layers,
        'kernel_sizes': args.kernels,
    }
    return {'MSA-GCN': msa_gcn | {k: v for k, v in given.items() if v is not None}}


def run(
    args: Namespace, dataset: MotionDataset, options: dict[str, Any], folder: Path
) -> list[list[Evaluation]]:
    """Trains and tests a model on all folds or on one split, for each repeat."""
    arguments = gait_emotion.training_arguments(args, dataset, options)
    by = gait_emotion.split_by(args)
    out: list[list[Evaluation]] = []
    for repeat in range(args.repeats):
        arguments |= {'directory': str(folder / f'run{repeat}'), 'seed': args.seed + 1000 * repeat}
        if args.folds:
            folds = dataset.folds(args.folds, seed=args.seed, by=by)
            out.append(cross_validate(folds=folds, num_jobs=args.jobs, **arguments))
        else:
            train, val, test = dataset.split((8, 1, 1), seed=args.seed, by=by)
            out.append([train_and_test(train=train, val=val, test=test, **arguments)])
    return out


def make_parts(
    args: Namespace, dataset: MotionDataset
) -> list[tuple[MotionDataset, MotionDataset]]:
    """Returns the training and the test samples of each fold or of the split."""
    by = gait_emotion.split_by(args)
    if args.folds:
        return list(dataset.folds(args.folds, seed=args.seed, by=by))
    train, _, test = dataset.split((8, 1, 1), seed=args.seed, by=by)
    return [(train, test)]


def classify_by_svm(train: MotionDataset, test: MotionDataset) -> Tensor:
    """Returns the probabilities of a support vector machine on
    :func:`~graphmotion.data.gait_features`.
    """
    from sklearn.preprocessing import StandardScaler  # installed by the extra 'train'

    def features(dataset: MotionDataset) -> Any:
        batch = dataset.get_batch(range(len(dataset)))
        return gait_features(batch, dataset.skeleton, fps=30).values.numpy()

    x = features(train)
    return svm.classify_by_svm(
        StandardScaler(), x, train.labels(), features(test), train.num_classes, c=2
    )


def outcomes(
    args: Namespace, tests: list[MotionDataset], predictions: dict[str, list[Tensor]]
) -> dict[str, Any]:
    """Returns the entries of results.json by which models are compared, without ensembles."""
    protocol = gait_emotion.describe_split(args)
    if args.folds:
        protocol = f'{args.folds} folds by {gait_emotion.split_by(args) or "sample"}'
    predicted = {name: [one.argmax(dim=1) for one in parts] for name, parts in predictions.items()}
    return common.fold_outcomes(tests * args.repeats, predicted, protocol)


def fuse(predictions: Sequence[Tensor]) -> Tensor:
    """Returns the mean of several probabilities."""
    return torch.stack(list(predictions)).mean(dim=0)


def score(tests: Sequence[MotionDataset], predictions: Sequence[Tensor]) -> Scores:
    """Returns the scores on each test part, or those of the only one."""
    scores = [
        classification_scores(test.labels(), one.argmax(dim=1), test.num_classes, test.class_names)
        for test, one in zip(tests, predictions)
    ]
    return fold_summary(scores) if len(scores) > 1 else scores[0]


def main(argv: list[str] | None = None) -> dict[str, Any]:
    args = parse(argv)
    common.start(args)
    dataset = gait_emotion.make_dataset(args)
    print(common.describe(dataset))
    gait_emotion.draw_data(args, dataset)
    rows: dict[str, Scores] = {}
    report: dict[str, dict[str, Any]] = {}
    predictions: dict[str, list[Tensor]] = {}  # of all parts, for each repeat
    parts = make_parts(args, dataset)
    tests = [test for _, test in parts]
    if args.svm:
        machines = [classify_by_svm(*part) for part in parts]
        rows[SVM] = score(tests, machines)
        report[SVM] = {'scores': rows[SVM].as_dict()}
        predictions[SVM] = machines * args.repeats
    for name, options in make_models(args).items():
        folder = args.out / common.slug(name)
        repeats = run(args, dataset, options, folder)
        evaluations = [evaluation for runs in repeats for evaluation in runs]
        seconds = sum(evaluation.seconds for evaluation in evaluations)
        predictions[name] = [evaluation.probabilities for evaluation in evaluations]
        row = rows[name] = score(tests * args.repeats, predictions[name])
        size = common.count_parameters(evaluations[0].model)
        report[name] = {
            'options': options,
            'parameters': size,
            'seconds': seconds,
            'scores': row.as_dict(),
            'runs': [evaluation.scores.as_dict() for evaluation in evaluations],
        }
        if args.svm:
            both = f'{name} and SVM'
            predictions[both] = [fuse(pair) for pair in zip(predictions[name], predictions[SVM])]
            rows[both] = score(tests * args.repeats, predictions[both])
            report[both] = {'scores': rows[both].as_dict()}
        if args.repeats > 1:
            of_parts = [predictions[name][i :: len(parts)] for i in range(len(parts))]
            ensemble = [fuse(runs) for runs in of_parts]
            title = f'{name}, ensemble of {args.repeats} runs'
            rows[title] = score(tests, ensemble)
            report[name]['ensemble'] = rows[title].as_dict()
            if args.svm:
                both = [fuse(pair) for pair in zip(ensemble, machines)]
                rows[f'{title}, and SVM'] = score(tests, both)
                report[name]['ensemble_and_svm'] = rows[f'{title}, and SVM'].as_dict()
        gait_emotion.draw_results(
            args,
            tests[0],
            name,
            evaluations[0],
            row.pooled if isinstance(row, FoldSummary) else row,
            folder,
        )
        print(f'{name}: {size:,} parameters, {len(evaluations)} run(s), {seconds:.0f} s')
    print(f'\n{format_table(rows, percent=True)}\n\n{gait_emotion.NOTE}\n')
    path = sorted(folder.rglob('recognizer.safetensors'))[0]
    common.show_recognizer(path, "print(recognizer('walk.json'))")
    results = {'recipe': gait_emotion.make_recipe(args), 'models': report}
    return common.save_results(args, results | outcomes(args, tests, predictions))


if __name__ == '__main__':
    main()
