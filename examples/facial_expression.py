r"""Recognise facial expressions on graphs over pixels or landmarks, with SSGNN and its two parts.

    python examples/facial_expression.py                                   # generated faces
    python examples/facial_expression.py --dataset fer2013 --root DIR      # its given split
    python examples/facial_expression.py --dataset jaffe --root DIR --leave-one-subject-out
    python examples/facial_expression.py --dataset ck_plus --root DIR --folds 10
    python examples/facial_expression.py --ratios 0.1 0.2 0.5 1.0          # of training faces
    python examples/facial_expression.py --sweep-neighbours 4 8 16 24
    python examples/facial_expression.py --dataset jaffe --root DIR \
        --cross ck_plus --cross-root OTHER

Trains SPAGNN, in the spatial, and SPEGNN, in the spectral domain, each by itself, and fuses their
decisions as SSGNN. No test face chooses anything: networks are trained for all epochs. Writes
figures, checkpoints and results.json to the folder --out. A run that was cut off is continued by
the same command.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch
from options import refuse_unused
from torch import Tensor
from torch_geometric.transforms import Compose

import graphmotion.transforms as T
from graphmotion.datasets import (
    FER2013,
    JAFFE,
    CKPlus,
    FaceDataset,
    FaceFolder,
    MixedFaces,
    SyntheticFaces,
)
from graphmotion.extras import requires_extra
from graphmotion.graphs import PointGraph, landmark_graph, pixel_graph
from graphmotion.metrics import (
    ClassificationScores,
    FoldSummary,
    classification_scores,
    fold_summary,
    format_table,
)
from graphmotion.models import SSGNN, spagnn, spegnn
from graphmotion.training import (
    ClassificationRecipe,
    OneCycle,
    StepDecay,
    predict,
    train_and_test,
)
from graphmotion.visualization import (
    plot_accuracy_against,
    plot_confusion_matrix,
    plot_cross_dataset,
    plot_eigenvectors,
    plot_face_graph,
    plot_node_weights,
    plot_training_curves,
)

TITLES = {'spatial': 'SPAGNN', 'spectral': 'SPEGNN', 'both': 'SSGNN'}
BUILDERS = {'spatial': spagnn, 'spectral': spegnn}
FUSIONS = {'maximum': 'max', 'mean': 'mean', 'product': 'product', 'learned': 'learned'}
FILES = {'folder': FaceFolder, 'jaffe': JAFFE, 'ck_plus': CKPlus, 'fer2013': FER2013}
SETS = ['synthetic', 'synthetic_varied', *FILES]
SVM = 'linear SVM on pixels'


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    data = parser.add_argument_group('data')
    data.add_argument(
        '--dataset',
        default='synthetic',
        choices=SETS,
        help='synthetic_varied: generated faces in more poses and lights',
    )
    data.add_argument('--root', help='folder of the dataset, its files in raw/')
    data.add_argument(
        '--parts', nargs='+', metavar='FOLDER', help='of --dataset folder, that to train on first'
    )
    data.add_argument(
        '--subject', metavar='PATTERN', help='of --dataset folder: who is on it, from the name'
    )
    data.add_argument('--size', type=int, default=48, help='height and width of the images')
    data.add_argument('--subjects', type=int, default=40, help='of the generated faces')
    data.add_argument('--takes', type=int, default=6, help='of each of their expressions')
    data.add_argument('--cross', choices=SETS, help='a second dataset, to be tested across')
    data.add_argument('--cross-root', help='its folder')
    data.add_argument(
        '--mixed', action='store_true', help='make one set of both, with the classes they share'
    )
    graph = parser.add_argument_group('graph')
    graph.add_argument('--nodes', type=float, default=0.4, help='share of the pixels, or a number')
    graph.add_argument('--neighbours', type=int, default=8)
    graph.add_argument('--landmarks', action='store_true', help='landmarks as nodes, not pixels')
    model = parser.add_argument_group('model')
    model.add_argument('--domain', default='both', choices=list(TITLES))
    model.add_argument('--fusion', default='maximum', choices=list(FUSIONS))
    model.add_argument('--svm', action='store_true', help='also a support vector machine on pixels')
    protocols = parser.add_argument_group('protocol, by default one split')
    protocol = protocols.add_mutually_exclusive_group()
    protocol.add_argument('--folds', type=int, help='subject-disjoint, and beside them random ones')
    protocol.add_argument('--leave-one-subject-out', action='store_true')
    protocol.add_argument('--ratios', type=float, nargs='+', help='shares of the training faces')
    protocol.add_argument('--sweep-neighbours', type=int, nargs='+')
    protocol.add_argument('--sweep-nodes', type=float, nargs='+')
    training = parser.add_argument_group('training')
    training.add_argument(
        '--preset',
        default='cpu',
        choices=['cpu', 'paper'],
        help='for minutes on two cores; or networks and augmentation of the paper',
    )
    training.add_argument('--epochs', type=int)
    training.add_argument('--repeats', type=int, default=1, help='runs with seeds of their own')
    training.add_argument('--seed', type=int, default=0)
    training.add_argument('--fresh', action='store_true', help='do not continue an earlier run')
    training.add_argument('--quiet', action='store_true', help='no progress bar')
    training.add_argument('--out', type=Path, default=Path('results/facial_expression'))
    args = parser.parse_args(argv)
    for option, name, root in (
        ('--dataset', args.dataset, args.root),
        ('--cross', args.cross, args.cross_root),
    ):
        if name is None and root:
            parser.error('--cross-root goes with --cross')
        if name is not None and (name in FILES) != bool(root):
            ends = '--root' if option == '--dataset' else '--cross-root'
            parser.error(f'{option} {name} ' + ('takes no ' if root else 'needs a ') + ends)
    if args.landmarks and (args.dataset in FILES or args.cross):
        parser.error('--landmarks goes with the generated faces, which have them, without --cross')
    swept = args.ratios or args.sweep_neighbours or args.sweep_nodes
    if args.cross and not args.mixed and (args.folds or args.leave_one_subject_out or swept):
        parser.error('--cross without --mixed is a protocol of its own')
    generated = args.dataset not in FILES or (args.cross is not None and args.cross not in FILES)
    pixels = not (args.landmarks or args.sweep_nodes)
    folds = args.folds or args.leave_one_subject_out
    rules = [
        ('--parts', 'folder' in (args.dataset, args.cross), '--dataset folder'),
        ('--subject', 'folder' in (args.dataset, args.cross), '--dataset folder'),
        ('--subjects', generated, 'generated faces'),
        ('--takes', generated, 'generated faces'),
        ('--mixed', args.cross is not None, '--cross, the other dataset'),
        ('--nodes', pixels, 'pixels, without --landmarks or --sweep-nodes'),
        ('--neighbours', not args.sweep_neighbours, 'one number, without --sweep-neighbours'),
        ('--sweep-nodes', not args.landmarks, 'pixels, not with --landmarks'),
        ('--fusion', args.domain == 'both', '--domain both'),
        ('--svm', args.mixed or not args.cross, 'one dataset, or with --mixed'),
        ('--repeats', not folds, 'a split; each fold has a seed of its own'),
    ]
    refuse_unused(parser, argv, rules)
    return args


# Data ##########################################################################################


def make_dataset(args, name: str, root: str | None) -> FaceDataset:
    if name == 'folder':
        return FaceFolder(root, args.size, args.subject, args.parts)
    if name in FILES:
        return FILES[name](root, size=args.size)
    options: dict[str, Any] = {'seed': args.seed}
    if name == 'synthetic_varied':  # other people, too
        options = {'seed': args.seed + 1, 'pose': (10, 8, 5), 'light': 2.5}
    return SyntheticFaces(
        num_subjects=args.subjects, num_takes=args.takes, size=args.size, **options
    )


def has_subjects(dataset: FaceDataset) -> bool:
    return 'subject' in dataset.get_batch([0])


def make_parts(args, dataset: FaceDataset) -> tuple[FaceDataset, FaceDataset]:
    """For training and for test: the official parts, or four to one, subjects apart if known."""
    if dataset.protocols:
        return dataset.official_split()
    by = 'subject' if has_subjects(dataset) else None
    train, test = dataset.split((4, 1), args.seed, by)
    return train, test


def make_mixed_parts(args, datasets: Sequence[FaceDataset]) -> tuple[FaceDataset, FaceDataset]:
    """The parts of each set by its own protocol, then mixed."""
    train, test = zip(*(make_parts(args, dataset) for dataset in datasets))
    return MixedFaces(train), MixedFaces(test)


def make_graph(args, train: FaceDataset) -> PointGraph:
    """The graph that all faces share; it knows no test face."""
    if args.landmarks:
        modes = train.get_batch([0]).landmarks.size(0)
        return landmark_graph(
            train, args.neighbours, num_modes=modes, levels=2, ratio=0.25, seed=args.seed
        )
    nodes = args.nodes if args.nodes <= 1 else round(args.nodes)
    modes = None if args.preset == 'cpu' else 10**9  # as many as there are nodes
    return pixel_graph(
        train.size, nodes, args.neighbours, modes or 256, levels=2, ratio=0.25, seed=args.seed
    )


def make_transforms(args, graph: PointGraph) -> tuple[Compose, list[Compose], int]:
    """What happens to training faces, to test faces in each of their views, and channels."""
    if args.landmarks:
        last = T.ToLandmarkGraph(args.neighbours, graph=graph)
        channels = 2 + args.neighbours
    else:
        last = T.ToPixelGraph(graph, edges=False)
        channels = 1
    if args.preset == 'paper':
        augment = [T.RandomImageAffine(), T.RandomImageBrightness(), T.ImageNoise()]
        return Compose([*augment, last]), [Compose([last])], channels
    augment = [T.RandomImageAffine(8, (0.92, 1.08), 0.04), T.RandomImageFlip()]
    mirrored = Compose([T.RandomImageFlip(p=1.0), last])
    return Compose([*augment, last]), [Compose([last]), mirrored], channels


# Models and training ###########################################################################


def make_options(args, domain: str) -> dict[str, Any]:
    """The options of a network."""
    if args.preset == 'paper':
        return {}
    options: dict[str, Any] = {'batch_norm': True}
    if domain == 'spatial':
        options |= {'channels': (24, 48), 'shared': True, 'dropout': 0.3}
    else:
        options |= {'channels': 24, 'num_knots': 16, 'num_pools': 1, 'dropout': 0.2}
    if not args.landmarks:  # whose features are of one scale already
        options |= {'standardize': True, 'num_directions': 8}
    return options


def make_recipe(args, domain: str) -> ClassificationRecipe:
    if args.preset == 'paper':  # which leaves it open
        recipe = ClassificationRecipe(StepDecay(lr=1e-3, max_epochs=100), batch_size=32)
    else:
        epochs = 24 if domain == 'spatial' else 20
        optimization = OneCycle(
            lr=4e-3 if domain == 'spatial' else 5e-3,
            weight_decay=0.05 if domain == 'spatial' else 0.01,
            max_epochs=48 if args.dataset == 'fer2013' else epochs,
        )
        recipe = ClassificationRecipe(optimization, batch_size=32, label_smoothing=0.05)
    return recipe if args.epochs is None else recipe.with_optimization(max_epochs=args.epochs)


class Run(NamedTuple):
    """Networks that were trained on the same faces, and their test."""

    graph: PointGraph
    transforms: list[Compose]
    models: dict[str, Any]
    histories: dict[str, list[dict[str, float]]]
    scores: dict[str, ClassificationScores]
    seconds: float


def run(args, train: FaceDataset, test: FaceDataset, folder: Path, seed: int) -> Run:
    """Train the networks and test them."""
    begin = time.perf_counter()
    graph = make_graph(args, train)
    train_transform, transforms, channels = make_transforms(args, graph)
    models, histories, scores = {}, {}, {}
    for domain in ['spatial', 'spectral'] if args.domain == 'both' else [args.domain]:
        title = TITLES[domain]
        evaluation = train_and_test(
            lambda domain=domain: BUILDERS[domain](
                graph, train.num_classes, channels, **make_options(args, domain)
            ),
            train,
            test,
            make_recipe(args, domain),
            str(folder / title.lower()),
            transform=transforms[0],
            train_transform=train_transform,
            seed=seed,
            resume=not args.fresh,
            enable_progress_bar=not args.quiet,
        )
        models[title], histories[title] = evaluation.model, evaluation.history
        scores[title] = score(evaluation.model, test, transforms)
    if args.domain == 'both':
        fused = SSGNN(*models.values(), FUSIONS[args.fusion])
        if args.fusion == 'learned':  # from training faces, as they were augmented
            predicted = [predict(m, train, train_transform, seed=seed) for m in models.values()]
            fused.fusion.fit([p.clamp(min=1e-9).log() for p in predicted], train.labels())
        models['SSGNN'] = fused
        scores['SSGNN'] = score(fused, test, transforms)
    if args.svm:
        scores[SVM] = score_svm(train, test)
    return Run(graph, transforms, models, histories, scores, time.perf_counter() - begin)


def score(model, dataset: FaceDataset, transforms: list[Compose]) -> ClassificationScores:
    """The test, by the mean of all views."""
    probabilities = torch.stack([predict(model, dataset, view) for view in transforms]).mean(dim=0)
    return classification_scores(
        dataset.labels(), probabilities.argmax(dim=1), dataset.num_classes, dataset.class_names
    )


def score_svm(train: FaceDataset, test: FaceDataset) -> ClassificationScores:
    """A linear support vector machine on 300 principal components of the pixels."""
    with requires_extra('test'):
        from sklearn.decomposition import PCA
        from sklearn.pipeline import make_pipeline
        from sklearn.svm import LinearSVC

    def pixels(dataset: FaceDataset) -> Tensor:
        x = dataset.get_batch(range(len(dataset))).image.flatten(1).float() / 255
        x = x - x.mean(dim=1, keepdim=True)
        return x / x.std(dim=1, keepdim=True).clamp(min=1e-3)

    x = pixels(train).numpy()
    parts = PCA(min(300, *x.shape), svd_solver='randomized', random_state=0)
    machine = make_pipeline(parts, LinearSVC(C=1e-2))
    machine.fit(x, train.labels().numpy())
    predicted = torch.from_numpy(machine.predict(pixels(test).numpy()))
    return classification_scores(test.labels(), predicted, test.num_classes, test.class_names)


# Protocols #####################################################################################

Parts = tuple[FaceDataset, FaceDataset]
Rows = dict[str, FoldSummary]


def summarise(runs: Sequence[Run]) -> Rows:
    return {title: fold_summary([r.scores[title] for r in runs]) for title in runs[0].scores}


def repeat(args, parts: Callable[[int], Parts], folder: Path) -> list[Run]:
    """Runs with seeds of their own."""
    seeds = range(args.seed, args.seed + args.repeats)
    return [run(args, *parts(seed), folder / f'seed{seed}', seed) for seed in seeds]


def run_folds(args, folds: Sequence[Parts], name: str) -> list[Run]:
    return [
        run(args, *parts, args.out / name / f'fold{number}', args.seed + number)
        for number, parts in enumerate(folds)
    ]


def print_rows(rows: Rows, heading: str) -> None:
    print(f'\n{heading}\n\n{format_table(rows, percent=True, per_class=False)}', flush=True)


def cross_validate(args, dataset: FaceDataset, known: bool) -> tuple[dict[str, Any], list[Run]]:
    """Folds by subject first, random ones beside them."""
    kinds: dict[str, tuple[str | None, str]] = {'random': (None, 'random folds')}
    if has_subjects(dataset):
        nobody = 'nobody' if known else 'nobody who is known'
        kinds = {
            'by_subject': (
                'subject',
                f'subject-disjoint folds: {nobody} is in training and in test',
            ),
            'random': (None, 'random folds, which LEAK: the people of the test are in training'),
        }
    results, first = {}, []
    for name, (by, heading) in kinds.items():
        runs = run_folds(args, dataset.folds(args.folds, args.seed, by), name)
        rows = summarise(runs)
        print_rows(rows, f'{args.folds} {heading}')
        results[name] = as_dicts(rows)
        first = first or runs
    if not known:
        print('\nWho is on which image is not known: these folds may share people.')
    return results, first


def sweep(
    args, parts: Parts, name: str, values: Sequence[float], label: str
) -> tuple[dict[str, Any], list[Run]]:
    """Accuracy against the share of training faces, neighbours or nodes, with a figure."""
    train, test = parts
    found: dict[float, Rows] = {}
    runs: list[Run] = []
    for value in values:
        varied, share = args, 1.0
        if name == 'ratio':
            share = value
        else:
            varied = argparse.Namespace(**(vars(args) | {name: value}))
        runs = repeat(
            varied, lambda seed, share=share: (train.subset(share, seed), test),
            args.out / name / f'{value:g}',
        )  # fmt: skip
        found[value] = summarise(runs)
        print_rows(found[value], f'{label}: {value:g}')
    curves = {title: [found[value][title] for value in values] for title in runs[0].scores}
    plot_accuracy_against(values, curves, xlabel=label, path=args.out / f'{name}.png')
    print()
    for title, curve in curves.items():
        means = [100 * summary.mean['accuracy'] for summary in curve]
        print(f'{title}: from {min(means):.1f} to {max(means):.1f}, {max(means) - min(means):.1f} '
              f'points apart')  # fmt: skip
    return {f'{value:g}': as_dicts(rows) for value, rows in found.items()}, runs


def run_across(args, datasets: dict[str, FaceDataset]) -> tuple[dict[str, Any], list[Run]]:
    """Trained on each set, tested on all, with the three classes that sets have in common."""
    parts = {
        name: [MixedFaces([part], MixedFaces.THREE_CLASSES) for part in make_parts(args, dataset)]
        for name, dataset in datasets.items()
    }
    names = list(parts)
    accuracy: dict[str, list[list[float]]] = {}
    runs: list[Run] = []
    for name, (train, test) in parts.items():
        runs = repeat(args, lambda _, p=(train, test): p, args.out / 'cross' / name)
        for title in runs[0].models:
            row = [
                fold_summary([score(r.models[title], parts[other][1], r.transforms) for r in runs])
                for other in names
            ]
            accuracy.setdefault(title, []).append([summary.mean['accuracy'] for summary in row])
            cells = [summary.format('accuracy', percent=True) for summary in row]
            shown = ', '.join(f'{other} {cell}' for other, cell in zip(names, cells))
            print(f'{title} trained on {name}, tested on {shown}', flush=True)
    for title, values in accuracy.items():
        plot_cross_dataset(
            torch.tensor(values), names, title=title, path=args.out / f'cross_{title.lower()}.png'
        )
    return {'names': names, 'accuracy': accuracy}, runs


def as_dicts(rows: Rows) -> dict[str, Any]:
    return {title: summary.as_dict() for title, summary in rows.items()}


# Figures #######################################################################################


def draw(args, dataset: FaceDataset, runs: Sequence[Run]) -> None:
    """Graph, eigenvectors and what was learned over a face, confusion, curves."""
    last = runs[-1]
    batch = dataset.get_batch(range(0, len(dataset), max(1, len(dataset) // 200)))
    # Landmarks are those of the mean face.
    image = batch.image.float().mean(dim=0) if args.landmarks else batch.image[0]
    graph = last.graph
    plot_face_graph(image, graph.pos, graph.edge_index, path=args.out / 'graph.png')
    if graph.eigenvectors is not None:
        plot_eigenvectors(
            image, graph.pos, graph.eigenvectors, graph.eigenvalues,
            path=args.out / 'eigenvectors.png',
        )  # fmt: skip
    trained = {title: model for title, model in last.models.items() if title != 'SSGNN'}
    weight = torch.stack([model.node_weights() for model in trained.values()])
    plot_node_weights(image, graph.pos, weight, list(trained), path=args.out / 'weights.png')
    for title, summary in summarise(runs).items():
        name = title.split()[-1].lower()
        plot_confusion_matrix(summary.pooled, title=title, path=args.out / f'confusion_{name}.png')
    for title, history in last.histories.items():
        plot_training_curves(history, title=title, path=args.out / f'curves_{title.lower()}.png')


def main(argv: list[str] | None = None) -> dict[str, Any]:
    args = parse(argv)
    logging.getLogger('lightning.pytorch').setLevel(logging.ERROR)
    args.out.mkdir(parents=True, exist_ok=True)
    dataset = make_dataset(args, args.dataset, args.root)
    other = make_dataset(args, args.cross, args.cross_root) if args.cross else None
    own = [dataset, other] if args.mixed else [dataset]
    if args.mixed:
        dataset = MixedFaces(own)
    print(f'{dataset}: {", ".join(dataset.class_names)}', flush=True)
    swept = {
        'ratio': (args.ratios, 'share of the training faces'),
        'neighbours': (args.sweep_neighbours, 'neighbours of a node'),
        'nodes': (args.sweep_nodes, 'nodes, as share of the pixels or number'),
    }
    if other is not None and not args.mixed:
        names = {args.dataset: dataset}
        names[args.cross if args.cross not in names else f'{args.cross} 2'] = other
        protocol = 'cross'
        found, runs = run_across(args, names)
    elif args.folds:
        protocol = 'folds'
        found, runs = cross_validate(args, dataset, all(map(has_subjects, own)))
    elif args.leave_one_subject_out:
        protocol = 'leave one subject out'
        if not all(map(has_subjects, own)):
            raise ValueError('--leave-one-subject-out: who is on which image is not known')
        runs = run_folds(args, dataset.leave_one_out('subject'), 'leave_one_out')
        found = as_dicts(rows := summarise(runs))
        print_rows(rows, f'{len(runs)} folds, each without one subject')
    else:
        train, test = make_mixed_parts(args, own) if args.mixed else make_parts(args, dataset)
        print(f'{len(train)} faces to train, {len(test)} to test')
        protocol = next((name for name, (values, _) in swept.items() if values), 'split')
        if protocol == 'split':
            runs = repeat(args, lambda _: (train, test), args.out / 'split')
            found = as_dicts(rows := summarise(runs))
            print_rows(rows, f'{len(runs)} runs' if len(runs) > 1 else 'one run')
        else:
            values, label = swept[protocol]
            found, runs = sweep(args, (train, test), protocol, values, label)
    draw(args, dataset, runs)
    sizes = {
        title: sum(p.numel() for p in model.parameters())
        for title, model in runs[-1].models.items()
    }
    print('\nParameters: ' + ', '.join(f'{title} {size:,}' for title, size in sizes.items()))
    domains = ['spatial', 'spectral'] if args.domain == 'both' else [args.domain]
    results = {
        'arguments': {k: str(v) if isinstance(v, Path) else v for k, v in vars(args).items()},
        'protocol': protocol,
        'results': found,
        'parameters': sizes,
        'seconds': sum(r.seconds for r in runs),
        'recipes': {TITLES[domain]: asdict(make_recipe(args, domain)) for domain in domains},
        'options': {TITLES[domain]: make_options(args, domain) for domain in domains},
    }
    (args.out / 'results.json').write_text(json.dumps(results, indent=1))
    print(f'Figures, checkpoints and results.json are in {args.out}')
    return results


if __name__ == '__main__':
    main()
