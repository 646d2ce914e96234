r"""Compare variants of LMGCS: modules, losses and sizes of the embedding.

    python examples/papers/lmgcs.py --ablation                           # rows of Table VIII
    python examples/papers/lmgcs.py --compare-losses --baseline
    python examples/papers/lmgcs.py --sweep-dimension 8 32 128 --baseline
    python examples/papers/lmgcs.py --windows 1 3 --fusion attention --no-decoder
    python examples/papers/lmgcs.py --dataset casia_b --root DIR --validation --ablation --epochs 8

All networks of a comparison have the same budget. The options of the data and of the training are
those of silhouette_gait.py.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

sys.path.append(str(Path(__file__).parents[1]))

import silhouette_gait as example
from shared import common, recognition

import graphmotion.visualization as vis
from graphmotion.metrics import GalleryProbeScores, format_recognition_table, markdown_table

# What is left out of the network in each row of Table VIII of the paper.
OFF = {'window_sizes': None, 'fusion': None, 'num_blocks': None}
ABLATION = {
    'baseline': ('window_sizes', 'fusion', 'num_blocks'),
    'local': ('fusion', 'num_blocks'),
    'local, fusion': ('num_blocks',),
    'local, attention': ('fusion',),
    'local, fusion, attention': (),
}
LOSSES: dict[str, dict[str, bool]] = {
    'cross-entropy': {'triplet': False},
    'triplet': {'cross_entropy': False},
    'both': {},
}


def add_module_options(parser: ArgumentParser) -> None:
    group = parser.add_argument_group('modules')
    group.add_argument(
        '--baseline', action='store_true', help='no local features, fusion and attention'
    )
    group.add_argument(
        '--windows',
        type=int,
        nargs='*',
        help='windows of the local features, by default 1 3 5; without a number: none',
    )
    group.add_argument('--fusion', choices=['sum', 'attention', 'none'], help='sum by default')
    group.add_argument('--reverse', action='store_true', help='sum from the longest window')
    group.add_argument('--blocks', type=int, nargs=2, help='encoder and decoder blocks')
    group.add_argument('--no-decoder', action='store_true', help='no attention over frames')
    group.add_argument('--feature-dim', type=int, help='size of the embedding of a strip')
    group.add_argument('--frame-kernel', type=int, nargs='+', help='frames of the convolutions')


def check_module_options(
    parser: ArgumentParser, argv: Sequence[str] | None, args: Namespace
) -> None:
    """Exits with an error if options contradict each other or have no effect."""
    full = not args.baseline
    branches = 3 if args.windows is None else len(args.windows)
    several, attention = full and branches > 1, full and not args.no_decoder
    rules = [(f'--{name}', full, 'without --baseline') for name in ('windows', 'no-decoder')]
    rules += [
        ('--fusion', several, 'with several --windows and without --baseline'),
        (
            '--reverse',
            several and args.fusion in (None, 'sum'),
            'with --fusion sum of several --windows and without --baseline',
        ),
        ('--blocks', attention, 'without --no-decoder and --baseline'),
        ('--global-epochs', attention, 'without --no-decoder and --baseline'),
    ]
    common.refuse_unused(parser, argv, rules)


def module_options(args: Namespace) -> dict[str, Any]:
    """Returns the options of LMGCS that were given."""
    options: dict[str, Any] = {'reverse': args.reverse}
    if args.windows is not None:
        options['window_sizes'] = tuple(args.windows) or None
    if args.fusion is not None:
        options['fusion'] = None if args.fusion == 'none' else args.fusion
    if args.windows == []:
        options['fusion'] = None
    if args.blocks is not None or args.no_decoder:
        options['num_blocks'] = None if args.no_decoder else tuple(args.blocks)
    if args.feature_dim is not None:
        options['feature_dim'] = args.feature_dim
    if args.frame_kernel is not None:
        kernel = args.frame_kernel
        options['frame_kernel'] = kernel if len(kernel) > 1 else kernel[0]
    return options | (OFF if args.baseline else {})


def parse(argv: list[str] | None = None) -> Namespace:
    parser = common.make_parser(__doc__)
    example.add_data_options(parser)
    group = parser.add_argument_group('comparison, by default a single network')
    kind = group.add_mutually_exclusive_group()
    kind.add_argument('--ablation', action='store_true', help='what each module contributes')
    kind.add_argument('--sweep-dimension', type=int, nargs='+', metavar='SIZE')
    kind.add_argument('--compare-losses', action='store_true')
    add_module_options(parser)
    example.add_training_options(parser, 'results/lmgcs')
    args = example.parse(argv, parser)
    check_module_options(parser, argv, args)
    off = {
        '--baseline': args.baseline,
        '--no-decoder': args.no_decoder,
        '--fusion none': args.fusion == 'none',
        '--windows without a number': args.windows == [],
    }
    for option in [name for name, given in off.items() if args.ablation and given]:
        parser.error(f'{option} is only valid without --ablation')
    rules = [('--feature-dim', not args.sweep_dimension, 'without --sweep-dimension')]
    common.refuse_unused(parser, argv, rules)
    return args


def make_networks(args: Namespace, options: dict[str, Any], recipe: Any) -> dict[str, Any]:
    """Returns the options and the recipe of each network by its title."""
    if args.ablation:
        return {title: (options | dict.fromkeys(off), recipe) for title, off in ABLATION.items()}
    if args.sweep_dimension:
        return {
            f'{size} features': (options | {'feature_dim': size}, recipe)
            for size in args.sweep_dimension
        }
    if args.compare_losses:
        return {title: (options, replace(recipe, **change)) for title, change in LOSSES.items()}
    return {'LMGCS': (options, recipe)}


def print_summary(rows: dict[str, GalleryProbeScores]) -> None:
    """Prints the rank-1 accuracy of each network for each set of probes."""
    head = ['', *next(iter(rows.values())).probe_sets, 'mean']
    lines = [
        [title, *(f'{100 * rate:.1f}' for rate in [*row.accuracy(), row.mean_accuracy()])]
        for title, row in rows.items()
    ]
    print(f'{markdown_table(head, lines)}\n')


def draw_sweep(args: Namespace, rows: dict[str, GalleryProbeScores]) -> None:
    rates = torch.stack([row.accuracy() for row in rows.values()])
    no_deviation = [float('nan')] * len(rates)
    probe_sets = next(iter(rows.values())).probe_sets
    vis.plot_accuracy_against(
        args.sweep_dimension,
        {name: (rate, no_deviation) for name, rate in zip(probe_sets, rates.unbind(1))},
        'size of the embedding of a strip',
        'rank-1',
        path=args.out / 'dimension.png',
    )


def main(argv: list[str] | None = None) -> dict[str, Any]:
    args = parse(argv)
    common.start(args)
    dataset, protocol = example.make_dataset(args)
    parts = part, test = protocol.split(dataset)
    print(f'{dataset}, {protocol.name}: {len(part)} training, {len(test)} test walks')
    preset, transforms = example.PRESETS[args.dataset, args.preset], example.make_transforms(args)
    options = example.make_options(preset, transforms, dataset) | module_options(args)
    networks = make_networks(args, options, example.make_recipe(args, preset))
    runs = {
        title: example.run_model(args, parts, transforms, title, *network)
        for title, network in networks.items()
    }
    embeddings = {title: run.embedding for title, run in runs.items()}
    if len(runs) == 1:
        embeddings = example.pixel_embeddings(args, parts, transforms.test) | embeddings
    rows = recognition.score(args, protocol, test, embeddings, num_poses=4)
    print(f'\n{protocol.name}, rank-1 in per cent\n\n{format_recognition_table(rows)}\n')
    if len(runs) > 1:
        print_summary(rows)
    if args.sweep_dimension:
        draw_sweep(args, rows)
    recognition.draw_embeddings(args, protocol, test, runs)
    outcomes = recognition.outcomes(args, protocol, test, embeddings)
    return recognition.save(args, rows, runs, **outcomes)


if __name__ == '__main__':
    main()
