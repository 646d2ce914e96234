r"""Recognise facial expressions on graphs over pixels or landmarks, with SSGNN and its two parts.

    python examples/facial_expression.py                                   # generated faces
    python examples/facial_expression.py --dataset fer2013 --root DIR      # the given split
    python examples/facial_expression.py --dataset folder --root DIR       # a folder per class

Trains SPAGNN in the spatial and SPEGNN in the spectral domain, separately and for all epochs, so
that test faces are not used for selection, and fuses their decisions as SSGNN. Faces are split by
subject where subjects are known. Writes figures, checkpoints and results.json to the folder --out.
The same command resumes an interrupted run. Cross-validation, sweeps, tests across datasets and a
support vector machine to compare with are in papers/ssgnn.py.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from shared import common
from shared.ssgnn_presets import get_preset
from torch import Tensor
from torch_geometric.transforms import Compose

import graphmotion.transforms as T
import graphmotion.visualization as vis
from graphmotion.datasets import FER2013, JAFFE, CKPlus, FaceDataset, FaceFolder, SyntheticFaces
from graphmotion.graphs import PointGraph, landmark_graph, pixel_graph
from graphmotion.inference import Recognizer, predict
from graphmotion.metrics import ClassificationScores, classification_scores, format_table
from graphmotion.models import SSGNN, spagnn, spegnn
from graphmotion.training import ClassificationRecipe, train_and_test

TITLES = {'spatial': 'SPAGNN', 'spectral': 'SPEGNN', 'both': 'SSGNN'}
BUILDERS = {'spatial': spagnn, 'spectral': spegnn}
FUSIONS = {'maximum': 'max', 'mean': 'mean', 'product': 'product', 'learned': 'learned'}
FILES = {'folder': FaceFolder, 'jaffe': JAFFE, 'ck_plus': CKPlus, 'fer2013': FER2013}
# Generated faces, and a variant with different people, more poses and more lighting.
WITH_LANDMARKS = ('folder', 'ck_plus')  # datasets with files of landmarks, and in colour
GENERATED = {'synthetic': {}, 'synthetic_varied': {'pose': (10, 8, 5), 'light': 2.5}}


def make_parser(
    description: str = __doc__, out: str = 'results/facial_expression'
) -> ArgumentParser:
    parser = common.make_parser(description)
    data = parser.add_argument_group('data')
    data.add_argument(
        '--dataset',
        default='synthetic',
        choices=[*GENERATED, *FILES],
        help='synthetic_varied has more poses and lighting than synthetic',
    )
    data.add_argument('--root', help='folder of the dataset, with its files in raw/')
    data.add_argument(
        '--parts', nargs='+', metavar='FOLDER', help='training and test folders of --dataset folder'
    )
    data.add_argument(
        '--subject', metavar='PATTERN', help='subject in the file names of --dataset folder'
    )
    data.add_argument('--color', action='store_true', help='read red, green and blue')
    data.add_argument('--size', type=int, default=48, help='height and width of the images')
    data.add_argument('--subjects', type=int, default=40, help='number of generated subjects')
    data.add_argument('--takes', type=int, default=6, help='generated faces per expression')
    graph = parser.add_argument_group('graph')
    graph.add_argument('--nodes', type=float, help='fraction or number of pixels')
    graph.add_argument('--neighbours', type=int, default=8, help='neighbours of each node')
    graph.add_argument('--landmarks', action='store_true', help='nodes are landmarks, not pixels')
    model = parser.add_argument_group('model')
    model.add_argument('--domain', default='both', choices=list(TITLES))
    model.add_argument(
        '--fusion', choices=list(FUSIONS), help='maximum with --preset paper, otherwise mean'
    )
    common.add_training_options(parser, out)
    return parser


def parse(argv: list[str] | None = None) -> Namespace:
    parser = make_parser()
    args = parser.parse_args(argv)
    common.check_root(parser, args.dataset, args.root, args.dataset in GENERATED)
    check_options(parser, argv, args, [args.dataset])
    common.fill_from_preset(args, get_preset(args), ['fusion', 'nodes'])
    return args


def check_options(
    parser: ArgumentParser, argv: list[str] | None, args: Namespace, datasets: list[str]
) -> None:
    """Exits with an error if an option has no effect."""
    generated = any(name in GENERATED for name in datasets)
    rules = [
        (f'--{name}', 'folder' in datasets, 'for --dataset folder') for name in ('parts', 'subject')
    ]
    rules += [(f'--{name}', generated, 'for generated faces') for name in ('subjects', 'takes')]
    rules += [
        ('--color', set(datasets) <= set(WITH_LANDMARKS), 'for --dataset folder or ck_plus'),
        (
            '--landmarks',
            set(datasets) <= {*GENERATED, *WITH_LANDMARKS},
            'for generated faces and --dataset folder or ck_plus',
        ),
        ('--nodes', not args.landmarks, 'without --landmarks'),
        ('--fusion', args.domain == 'both', 'for --domain both'),
    ]
    common.refuse_unused(parser, argv, rules)


def make_dataset(args: Namespace, name: str, root: str | None) -> FaceDataset:
    files = {'color': args.color, 'landmarks': args.landmarks} if name in WITH_LANDMARKS else {}
    if name == 'folder':
        return FaceFolder(root, args.size, args.subject, args.parts, **files)
    if name in FILES:
        return FILES[name](root, size=args.size, **files)
    return SyntheticFaces(
        num_subjects=args.subjects,
        num_takes=args.takes,
        size=args.size,
        seed=args.seed + list(GENERATED).index(name),
        **GENERATED[name],
    )


def has_subjects(dataset: FaceDataset) -> bool:
    return 'subject' in dataset.get_batch([0])


def make_parts(args: Namespace, dataset: FaceDataset) -> tuple[FaceDataset, FaceDataset]:
    """Returns the official split, or four fifths for training, by subject if known."""
    if dataset.protocols:
        return dataset.official_split()
    train, test = dataset.split((4, 1), args.seed, 'subject' if has_subjects(dataset) else None)
    return train, test


def make_graph(args: Namespace, train: FaceDataset) -> PointGraph:
    """Returns the graph that all faces share; it does not depend on test faces."""
    options = {'levels': get_preset(args).num_levels, 'ratio': 0.25, 'seed': args.seed}
    if args.landmarks:
        num_modes = train.get_batch([0]).landmarks.size(0)
        return landmark_graph(train, args.neighbours, num_modes=num_modes, **options)
    nodes = args.nodes if args.nodes <= 1 else round(args.nodes)
    return pixel_graph(
        train.size,
        nodes,
        args.neighbours,
        get_preset(args).num_modes,
        cell_size=get_preset(args).cell_size,
        **options,
    )


def make_transforms(args: Namespace, graph: PointGraph) -> tuple[Compose, list[Compose], int]:
    """Returns the transforms of training faces and of each view of test faces, and channels."""
    preset = get_preset(args)
    if args.landmarks:
        last, channels = T.ToLandmarkGraph(args.neighbours, graph=graph), 2 + args.neighbours
    else:
        last = T.ToPixelGraph(graph, edges=False, patch_size=preset.patch_size)
        channels = (3 if args.color else 1) * preset.patch_size**2
    color = [T.RandomImageHSV()] if args.color else []
    views = [Compose([last])]
    if preset.mirror:
        views.append(Compose([T.RandomImageFlip(p=1.0), last]))
    return Compose([*preset.augment, *color, last]), views, channels


def domains(args: Namespace) -> list[str]:
    return list(BUILDERS) if args.domain == 'both' else [args.domain]


def make_options(args: Namespace, domain: str) -> dict[str, Any]:
    """Returns the options of a network."""
    preset = get_preset(args)
    return preset.options[domain] | ({} if args.landmarks else preset.pixel_options)


def make_recipe(args: Namespace, domain: str, train: FaceDataset) -> ClassificationRecipe:
    recipe = get_preset(args).recipe(domain, len(train))
    return recipe if args.epochs is None else recipe.with_optimization(max_epochs=args.epochs)


class Run(NamedTuple):
    """Networks that were trained on the same faces, and their test."""

    test: FaceDataset

    graph: PointGraph
    views: list[Compose]
    models: dict[str, Any]
    recipes: dict[str, ClassificationRecipe]
    folder: Path
    histories: dict[str, list[dict[str, float]]]
    predicted: dict[str, Tensor]
    scores: dict[str, ClassificationScores]
    seconds: dict[str, float]  # training time of each network


def run(args: Namespace, train: FaceDataset, test: FaceDataset, folder: Path, seed: int) -> Run:
    """Trains the networks, fuses them and tests all."""
    graph = make_graph(args, train)
    train_transform, views, channels = make_transforms(args, graph)
    recipes = {TITLES[domain]: make_recipe(args, domain, train) for domain in domains(args)}
    models, histories, predicted = {}, {}, {}
    seconds: dict[str, float] = {}
    for domain in domains(args):
        title, options = TITLES[domain], make_options(args, domain)
        evaluation = train_and_test(
            lambda build=BUILDERS[domain], options=options: build(
                graph, train.num_classes, channels, **options
            ),
            train,
            test,
            recipes[title],
            str(folder / title.lower()),
            transform=views[0],
            train_transform=train_transform,
            seed=seed,
            **common.fit_options(args),
        )
        models[title], histories[title] = evaluation.model, evaluation.history
        seconds[title] = evaluation.seconds
        predicted[title] = classify(evaluation.model, test, views)
    if args.domain == 'both':
        fused = SSGNN(*models.values(), FUSIONS[args.fusion])
        if args.fusion == 'learned':  # from the augmented training faces
            parts = [predict(m, train, train_transform, seed=seed) for m in models.values()]
            fused.fusion.fit([p.clamp(min=1e-9).log() for p in parts], train.labels())
        models['SSGNN'], predicted['SSGNN'] = fused, classify(fused, test, views)
        seconds['SSGNN'] = sum(seconds.values())
    scores = {title: score(test, classes) for title, classes in predicted.items()}
    for title, model in models.items():
        info = {'scores': scores[title].as_dict()}
        recognizer = Recognizer(model, views, class_names=train.class_names, info=info)
        (folder / title.lower()).mkdir(parents=True, exist_ok=True)
        recognizer.save(folder / title.lower() / 'recognizer.safetensors')
    return Run(test, graph, views, models, recipes, folder, histories, predicted, scores, seconds)


def show_recognizer(last: Run) -> None:
    path = last.folder / list(last.models)[-1].lower() / 'recognizer.safetensors'
    common.show_recognizer(path, "print(recognizer('face.png'))")


def classify(model: Any, dataset: FaceDataset, views: list[Compose]) -> Tensor:
    """Returns the classes by the mean prediction over all views of a face."""
    probabilities = torch.stack([predict(model, dataset, view) for view in views]).mean(dim=0)
    return probabilities.argmax(dim=1)


def score(dataset: FaceDataset, predicted: Tensor) -> ClassificationScores:
    return classification_scores(
        dataset.labels(), predicted, dataset.num_classes, dataset.class_names
    )


def draw(
    args: Namespace, dataset: FaceDataset, last: Run, scores: dict[str, ClassificationScores]
) -> None:
    """Draws the graph, eigenvectors and weights over a face, confusion matrices and curves."""
    batch = dataset.get_batch(range(0, len(dataset), max(1, len(dataset) // 200)))
    # The landmarks of the graph belong to the mean face.
    image = batch.image.float().mean(dim=0) if args.landmarks else batch.image[0]
    graph, out = last.graph, args.out
    vis.plot_face_graph(image, graph.pos, graph.edge_index, path=out / 'graph.png')
    if graph.eigenvectors is not None:
        basis = graph.eigenvectors, graph.eigenvalues
        vis.plot_eigenvectors(image, graph.pos, *basis, path=out / 'eigenvectors.png')
    trained = [title for title in last.models if title != 'SSGNN']
    weight = torch.stack([last.models[title].node_weights() for title in trained])
    vis.plot_node_weights(image, graph.pos, weight, trained, path=out / 'weights.png')
    for title, one in scores.items():
        path = out / f'confusion_{title.split()[-1].lower()}.png'
        vis.plot_confusion_matrix(one, title=title, path=path)
    for title, history in last.histories.items():
        path = out / f'curves_{title.lower()}.png'
        vis.plot_training_curves(history, title=title, path=path)


def describe_networks(args: Namespace, last: Run) -> dict[str, Any]:
    """Prints the numbers of parameters and returns what results.json holds of the networks."""
    sizes = {title: common.count_parameters(model) for title, model in last.models.items()}
    print('\nParameters: ' + ', '.join(f'{title} {size:,}' for title, size in sizes.items()))
    return {
        'parameters': sizes,
        'recipes': last.recipes,
        'options': {TITLES[domain]: make_options(args, domain) for domain in domains(args)},
    }


def main(argv: list[str] | None = None) -> dict[str, Any]:
    args = parse(argv)
    common.start(args)
    dataset = make_dataset(args, args.dataset, args.root)
    train, test = make_parts(args, dataset)
    print(f'{common.describe(dataset)}; {len(train)} training, {len(test)} test faces', flush=True)
    found = run(args, train, test, args.out, args.seed)
    print(f'\n{format_table(found.scores, percent=True, per_class=False)}')
    draw(args, dataset, found, found.scores)
    results = {'scores': {title: one.as_dict() for title, one in found.scores.items()}}
    results |= describe_networks(args, found) | {'seconds': found.seconds}
    results |= common.class_outcomes(test, found.predicted, 'split')
    show_recognizer(found)
    return common.save_results(args, results)


if __name__ == '__main__':
    main()
