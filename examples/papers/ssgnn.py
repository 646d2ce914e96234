r"""Run the protocols of the SSGNN paper: folds, training shares, sweeps, tests across datasets.

    python examples/papers/ssgnn.py --dataset fer2013 --root DIR --svm --cnn
    python examples/papers/ssgnn.py --dataset ck_plus --root DIR --folds 10 --landmarks
    python examples/papers/ssgnn.py --dataset jaffe --root DIR --leave-one-subject-out
    python examples/papers/ssgnn.py --dataset ck_plus --root DIR --folds 10
    python examples/papers/ssgnn.py --ratios 0.1 0.2 0.5 1.0               # of the training faces
    python examples/papers/ssgnn.py --sweep-neighbours 4 8 16 24
    python examples/papers/ssgnn.py --dataset jaffe --root DIR --cross ck_plus --cross-root DIR

Without a protocol, trains and tests on one split. The options of data, graph and model are those of
facial_expression.py. --svm adds a linear support vector machine on 300 principal components of the
pixels, --cnn a small convolutional network with the recipe of SPAGNN. The contribution of a part is
the accuracy of SSGNN minus that of the other part.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path.append(str(Path(__file__).parents[1]))

import facial_expression as example
from facial_expression import Run, has_subjects, make_dataset, make_parts
from shared import common
from shared.face_cnn import FaceCNN
from shared.ssgnn_presets import get_preset
from torch_geometric.transforms import Compose

import graphmotion.transforms as T
import graphmotion.visualization as vis
from graphmotion.datasets import FaceDataset, MixedFaces
from graphmotion.metrics import (
    ClassificationScores,
    FoldSummary,
    fold_summary,
    format_table,
    fusion_contributions,
)
from graphmotion.training import train_and_test

SVM, CNN = 'linear SVM on pixels', 'small CNN'
PARTS = [example.TITLES[domain] for domain in example.BUILDERS]
Parts = tuple[FaceDataset, FaceDataset]
Rows = dict[str, FoldSummary]


def parse(argv: list[str] | None = None) -> Namespace:
    names = [*example.GENERATED, *example.FILES]
    parser = example.make_parser(__doc__, 'results/ssgnn')
    cross = parser.add_argument_group('second dataset')
    cross.add_argument('--cross', choices=names, help='train on each dataset, test on both')
    cross.add_argument('--cross-root', help='folder of the second dataset')
    cross.add_argument(
        '--mixed', action='store_true', help='merge both datasets, with the classes they share'
    )
    parser.add_argument('--svm', action='store_true', help='add a linear SVM on pixels')
    parser.add_argument('--cnn', action='store_true', help='add a small convolutional network')
    protocols = parser.add_argument_group('protocol, one split by default')
    protocol = protocols.add_mutually_exclusive_group()
    protocol.add_argument('--folds', type=int, help='number of folds, by subject and at random')
    protocol.add_argument('--leave-one-subject-out', action='store_true')
    protocol.add_argument('--ratios', type=float, nargs='+', help='shares of the training faces')
    protocol.add_argument('--sweep-neighbours', type=int, nargs='+')
    protocol.add_argument('--sweep-nodes', type=float, nargs='+')
    parser.add_argument('--repeats', type=int, default=1, help='runs with different seeds')
    args = parser.parse_args(argv)
    common.check_root(parser, args.dataset, args.root, args.dataset in example.GENERATED)
    if args.cross:
        generated, options = args.cross in example.GENERATED, ('--cross', '--cross-root')
        common.check_root(parser, args.cross, args.cross_root, generated, options)
    swept = args.ratios or args.sweep_neighbours or args.sweep_nodes
    folds = args.folds or args.leave_one_subject_out
    if args.cross and not args.mixed and (folds or swept):
        parser.error('--cross without --mixed is a protocol of its own')
    example.check_options(parser, argv, args, [args.dataset, *([args.cross] if args.cross else [])])
    rules = [
        ('--cross-root', bool(args.cross), 'with --cross'),
        ('--mixed', bool(args.cross), 'with --cross'),
        ('--landmarks', not args.cross, 'without --cross'),
        ('--nodes', not args.sweep_nodes, 'without --sweep-nodes'),
        ('--neighbours', not args.sweep_neighbours, 'without --sweep-neighbours'),
        ('--sweep-nodes', not args.landmarks, 'without --landmarks'),
        ('--svm', args.mixed or not args.cross, 'for one dataset or with --mixed'),
        ('--cnn', args.mixed or not args.cross, 'for one dataset or with --mixed'),
        ('--repeats', not folds, 'for a split; each fold has its own seed'),
    ]
    common.refuse_unused(parser, argv, rules)
    common.fill_from_preset(args, get_preset(args), ['fusion', 'nodes'])
    return args


def make_mixed_parts(args: Namespace, datasets: Sequence[FaceDataset]) -> Parts:
    """Splits each dataset by its own protocol and merges the parts."""
    train, test = zip(*(make_parts(args, dataset) for dataset in datasets))
    return MixedFaces(train), MixedFaces(test)


def classify_by_svm(train: FaceDataset, test: FaceDataset) -> Tensor:
    """Classifies by a linear support vector machine on 300 principal components of the pixels."""
    # Installed by the extra 'train'.
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    def pixels(dataset: FaceDataset) -> Tensor:
        x = dataset.get_batch(range(len(dataset))).image.flatten(1).float() / 255
        x = x - x.mean(dim=1, keepdim=True)
        return x / x.std(dim=1, keepdim=True).clamp(min=1e-3)

    x = pixels(train).numpy()
    components = PCA(min(300, *x.shape), svd_solver='randomized', random_state=0)
    machine = make_pipeline(components, LinearSVC(C=1e-2)).fit(x, train.labels().numpy())
    return torch.from_numpy(machine.predict(pixels(test).numpy()))


def classify_by_cnn(args: Namespace, parts: Parts, folder: Path, seed: int) -> tuple[Tensor, float]:
    """Classifies by a small convolutional network on all pixels, which it trains, and returns the
    training time in seconds.
    """
    train, test = parts
    preset = get_preset(args)
    evaluation = train_and_test(
        lambda: FaceCNN(train.size, train.num_classes, 3 if args.color else 1),
        train,
        test,
        example.make_recipe(args, 'spatial', train),
        str(folder / 'cnn'),
        train_transform=Compose(list(preset.augment)),
        seed=seed,
        **common.fit_options(args),
    )
    views = [Compose([]), *[Compose([T.RandomImageFlip(p=1.0)])] * preset.mirror]
    return example.classify(evaluation.model, test, views), evaluation.seconds


# Protocols #####################################################################################


def run(args: Namespace, parts: Parts, folder: Path, seed: int) -> Run:
    found = example.run(args, *parts, folder, seed)
    if args.svm:
        found.predicted[SVM] = classify_by_svm(*parts)
    if args.cnn:
        found.predicted[CNN], found.seconds[CNN] = classify_by_cnn(args, parts, folder, seed)
    scores = {title: example.score(parts[1], classes) for title, classes in found.predicted.items()}
    return found._replace(scores=scores)


def repeat(args: Namespace, parts: Callable[[int], Parts], folder: Path) -> list[Run]:
    """Trains and tests with several seeds."""
    seeds = range(args.seed, args.seed + args.repeats)
    return [run(args, parts(seed), folder / f'seed{seed}', seed) for seed in seeds]


def run_folds(args: Namespace, folds: Sequence[Parts], name: str) -> list[Run]:
    return [
        run(args, parts, args.out / name / f'fold{number}', args.seed + number)
        for number, parts in enumerate(folds)
    ]


def summarize(runs: Sequence[Run]) -> Rows:
    return {title: fold_summary([r.scores[title] for r in runs]) for title in runs[0].scores}


def outcomes(runs: Mapping[str, Sequence[Run]], protocol: str) -> dict[str, Any]:
    """Returns the entries of results.json by which networks are compared on the same test faces.

    The key of runs is appended to the name of each network.
    """
    predicted = {
        f'{title}{suffix}': [r.predicted[title] for r in some]
        for suffix, some in runs.items()
        for title in some[0].predicted
    }
    tests = [r.test for r in next(iter(runs.values()))]
    return common.fold_outcomes(tests, predicted, protocol)


def as_dicts(rows: Rows) -> dict[str, Any]:
    return {title: summary.as_dict() for title, summary in rows.items()}


def print_rows(rows: Rows, heading: str) -> None:
    print(f'\n{heading}\n\n{format_table(rows, percent=True, per_class=False)}', flush=True)
    if 'SSGNN' in rows:
        accuracy = {title: 100 * rows[title].mean['accuracy'] for title in (*PARTS, 'SSGNN')}
        shares = fusion_contributions(accuracy.pop('SSGNN'), accuracy)
        text = ', '.join(f'{title} {share:.1f}' for title, share in shares.items())
        print(f'Contributions: {text}', flush=True)


def cross_validate(
    args: Namespace, dataset: FaceDataset, known: bool
) -> tuple[dict[str, Any], list[Run]]:
    """Cross-validates by subject, if subjects are known, and at random."""
    kinds: dict[str, tuple[str | None, str]] = {'random': (None, 'random folds')}
    if has_subjects(dataset):
        who = 'no subject' if known else 'no known subject'
        kinds = {
            'by_subject': ('subject', f'folds by subject: {who} is in both training and test'),
            'random': (None, 'random folds, which LEAK: test subjects are also in training'),
        }
    results, first = {}, []
    for name, (by, heading) in kinds.items():
        runs = run_folds(args, dataset.folds(args.folds, args.seed, by), name)
        rows = summarize(runs)
        print_rows(rows, f'{args.folds} {heading}')
        results[name] = as_dicts(rows)
        first = first or runs
    if not known:
        print('\nSome images have no known subject: folds may share subjects.')
    return results, first


def sweep(
    args: Namespace, parts: Parts, name: str, values: Sequence[float], label: str
) -> tuple[dict[str, Any], dict[str, list[Run]]]:
    """Tests at each value of an option, or for each share of the training faces.

    Returns the scores and the runs of each value.
    """
    train, test = parts
    found: dict[float, Rows] = {}
    histories: dict[str, list[list[dict[str, float]]]] = {}
    runs: dict[str, list[Run]] = {}
    for value in values:
        share = value if name == 'ratio' else 1.0
        varied = args if name == 'ratio' else Namespace(**(vars(args) | {name: value}))
        runs[f'{value:g}'] = repeated = repeat(
            varied,
            lambda seed, share=share: (train.subset(share, seed), test),
            args.out / name / f'{value:g}',
        )
        found[value] = summarize(repeated)
        for title, history in repeated[0].histories.items():
            histories.setdefault(title, []).append(history)
        print_rows(found[value], f'{label}: {value:g}')
    curves = {title: [found[value][title] for value in values] for title in repeated[0].scores}
    vis.plot_accuracy_against(values, curves, xlabel=label, path=args.out / f'{name}.png')
    vis.plot_initial_loss(values, histories, xlabel=label, path=args.out / f'{name}_loss.png')
    print()
    for title, curve in curves.items():
        means = [100 * summary.mean['accuracy'] for summary in curve]
        low, high = min(means), max(means)
        print(f'{title}: {low:.1f} to {high:.1f}, a range of {high - low:.1f} points')
    return {f'{value:g}': as_dicts(rows) for value, rows in found.items()}, runs


def score_on(test: FaceDataset, title: str, found: Run) -> ClassificationScores:
    """Scores a network on other faces than those of its run."""
    return example.score(test, example.classify(found.models[title], test, found.views))


def run_across(
    args: Namespace, datasets: dict[str, FaceDataset]
) -> tuple[dict[str, Any], list[Run]]:
    """Trains on each dataset and tests on all, with the classes negative, positive, surprise."""
    parts = {
        name: [MixedFaces([part], MixedFaces.THREE_CLASSES) for part in make_parts(args, dataset)]
        for name, dataset in datasets.items()
    }
    names = list(parts)
    accuracy: dict[str, list[list[float]]] = {}
    runs: list[Run] = []
    for name, own in parts.items():
        runs = repeat(args, lambda _, own=own: own, args.out / 'cross' / name)
        for title in runs[0].models:
            row = [
                fold_summary([score_on(parts[other][1], title, r) for r in runs]) for other in names
            ]
            accuracy.setdefault(title, []).append([summary.mean['accuracy'] for summary in row])
            cells = [summary.format('accuracy', percent=True) for summary in row]
            shown = ', '.join(f'{other} {cell}' for other, cell in zip(names, cells))
            print(f'{title} trained on {name}, tested on {shown}', flush=True)
    for title, values in accuracy.items():
        path = args.out / f'cross_{title.lower()}.png'
        vis.plot_cross_dataset(torch.tensor(values), names, title=title, path=path)
    return {'names': names, 'accuracy': accuracy}, runs


def main(argv: list[str] | None = None) -> dict[str, Any]:
    args = parse(argv)
    common.start(args)
    dataset = make_dataset(args, args.dataset, args.root)
    other = make_dataset(args, args.cross, args.cross_root) if args.cross else None
    own = [dataset, other] if args.mixed else [dataset]
    dataset = MixedFaces(own) if args.mixed else dataset
    print(common.describe(dataset), flush=True)
    named: dict[str, list[Run]] = {}
    swept = {
        'ratio': (args.ratios, 'share of the training faces'),
        'neighbours': (args.sweep_neighbours, 'neighbours of each node'),
        'nodes': (args.sweep_nodes, 'nodes, as a fraction or number of pixels'),
    }
    if other is not None and not args.mixed:
        second = args.cross if args.cross != args.dataset else f'{args.cross} 2'
        protocol = 'cross'
        found, runs = run_across(args, {args.dataset: dataset, second: other})
    elif args.folds:
        protocol = 'folds'
        found, runs = cross_validate(args, dataset, all(map(has_subjects, own)))
    elif args.leave_one_subject_out:
        protocol = 'leave one subject out'
        if not all(map(has_subjects, own)):
            raise ValueError('--leave-one-subject-out needs a dataset with subjects')
        runs = run_folds(args, dataset.leave_one_out('subject'), 'leave_one_out')
        found = as_dicts(rows := summarize(runs))
        print_rows(rows, f'{len(runs)} folds, one for each subject')
    else:
        parts = make_mixed_parts(args, own) if args.mixed else make_parts(args, dataset)
        print(f'{len(parts[0])} training, {len(parts[1])} test faces')
        protocol = next((name for name, (values, _) in swept.items() if values), 'split')
        if protocol == 'split':
            runs = repeat(args, lambda _: parts, args.out / 'split')
            found = as_dicts(rows := summarize(runs))
            print_rows(rows, f'{len(runs)} run(s)')
        else:
            values, label = swept[protocol]
            found, by_value = sweep(args, parts, protocol, values, label)
            named = {f', {protocol} {value}': some for value, some in by_value.items()}
            runs = by_value[f'{values[-1]:g}']
    pooled = {title: summary.pooled for title, summary in summarize(runs).items()}
    example.draw(args, dataset, runs[-1], pooled)
    results = {'protocol': protocol, 'results': found}
    if protocol != 'cross':  # which has several test sets
        results |= outcomes(named or {'': runs}, protocol)
    results |= example.describe_networks(args, runs[-1])
    example.show_recognizer(runs[-1])
    results['seconds'] = {title: sum(r.seconds[title] for r in runs) for title in runs[-1].seconds}
    return common.save_results(args, results)


if __name__ == '__main__':
    main()
