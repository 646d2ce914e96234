r"""Fine-tune a trained network on a small set with other classes.

    python examples/fine_tuning.py                                   # generated actions
    python examples/fine_tuning.py --root DIR                        # Northwestern-UCLA
    python examples/fine_tuning.py --root DIR --weights last.ckpt    # your own weights
    python examples/fine_tuning.py --freeze input_norm 'layers.[0-2]' --head-lr 0.01

Trains ST-GCN on generated actions, unless --weights are given. Then trains it on a fraction of the
training samples of another set, for the same number of epochs, in three ways: from scratch,
fine-tuned, and with everything but the head frozen. Prints the mean accuracy over three seeds,
which draw the samples and the initial weights.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import replace
from typing import Any

import torch
from action_recognition import PRESETS, make_transforms, score
from shared import common
from torch import Tensor

from graphmotion.datasets import NWUCLA, MotionDataset, SyntheticActions
from graphmotion.inference import predict
from graphmotion.metrics import ClassificationScores, fold_summary, format_table
from graphmotion.models import create_model
from graphmotion.training import (
    ClassificationModule,
    ClassificationRecipe,
    GraphDataModule,
    OneCycle,
    fit,
)

NUM_BASE_ACTIONS = 8  # actions of the first training; the other five are fine-tuned
RECIPE = ClassificationRecipe(
    OneCycle(lr=3e-3, weight_decay=0.05, max_epochs=40, gradient_clip=5.0),
    batch_size=16,
    label_smoothing=0.1,
)


def make_parser() -> ArgumentParser:
    parser = common.make_parser(__doc__)
    data = parser.add_argument_group('data')
    data.add_argument('--root', help='folder of NW-UCLA, with the official files in raw/')
    data.add_argument('--subjects', type=int, default=10, help='number of generated subjects')
    data.add_argument('--train-fraction', type=float, default=0.05, help='of the training samples')
    data.add_argument('--frames', type=int, default=52, help='number of input frames')
    tuning = parser.add_argument_group('fine-tuning')
    tuning.add_argument('--weights', help='checkpoint to start from, instead of generated actions')
    tuning.add_argument('--pretrain-epochs', type=int, default=15, help='on generated actions')
    tuning.add_argument('--freeze', nargs='+', default=[], help='names of frozen layers')
    tuning.add_argument('--lr', type=float, default=1e-3, help='maximum learning rate')
    tuning.add_argument('--head-lr', type=float, default=3e-3, help='maximum for the head')
    tuning.add_argument('--seeds', type=int, default=3, help='number of seeds')
    common.add_run_options(parser, 'results/fine_tuning')
    return parser


def parse(argv: list[str] | None = None) -> Namespace:
    parser = make_parser()
    args = parser.parse_args(argv)
    generated = not (args.root and args.weights)
    rules = [
        ('--pretrain-epochs', args.weights is None, 'without --weights'),
        ('--subjects', generated, 'for generated actions'),
    ]
    common.refuse_unused(parser, argv, rules)
    args.dataset, args.preset = ('nw_ucla' if args.root else 'synthetic'), 'cpu'
    args.epochs = args.epochs or RECIPE.optimization.max_epochs
    return args


def make_model(dataset: MotionDataset, weights: str | None = None) -> torch.nn.Module:
    """Returns ST-GCN, where given with weights of a network with other classes."""
    options = dict(PRESETS['st_gcn', 'cpu'])
    width, growth = options.pop('width'), options.pop('growth')
    return create_model(
        'st_gcn',
        weights=weights,
        skeleton=dataset.skeleton,
        num_classes=dataset.num_classes,
        channels=[width * factor for factor in growth],
        **options,
    )


def make_datasets(args: Namespace) -> tuple[MotionDataset, MotionDataset]:
    """Returns the training and test samples of the small set."""
    if args.root:
        return NWUCLA(args.root).official_split()
    actions = SyntheticActions.ACTIONS[NUM_BASE_ACTIONS:]
    return SyntheticActions(
        num_subjects=args.subjects, actions=actions, seed=args.seed + 1
    ).official_split()


def train(
    args: Namespace,
    samples: MotionDataset,
    recipe: ClassificationRecipe,
    folder: str,
    weights: str | None = None,
    seed: int = 0,
) -> tuple[torch.nn.Module, str]:
    """Returns the trained network and the path of its checkpoint."""
    torch.manual_seed(seed)
    train_transform, transform, _ = make_transforms(args, samples, 'joint')
    data = GraphDataModule(
        samples,
        batch_size=recipe.batch_size,
        transform=transform,
        train_transform=train_transform,
        seed=seed,
    )
    module = ClassificationModule(make_model(samples, weights), samples.num_classes, recipe)
    path = str(args.out / folder)
    result = fit(module, data, path, seed=seed, enable_progress_bar=not args.quiet)
    return module.model, result.last


def pretrain(args: Namespace) -> str:
    """Trains on generated actions and returns the path of the checkpoint."""
    actions = None if args.root else SyntheticActions.ACTIONS[:NUM_BASE_ACTIONS]
    dataset = SyntheticActions(num_subjects=args.subjects, actions=actions, seed=args.seed)
    print(f'first training: {len(dataset)} samples of {dataset.num_classes} generated actions')
    recipe = RECIPE.with_optimization(max_epochs=args.pretrain_epochs)
    return train(args, dataset, recipe, 'generated', seed=args.seed)[1]


def make_recipes(args: Namespace) -> dict[str, ClassificationRecipe]:
    """Returns the recipe of each row of the table."""
    scratch = RECIPE.with_optimization(max_epochs=args.epochs)
    tuned = replace(scratch, freeze=tuple(args.freeze), head_lr=args.head_lr)
    return {
        'from scratch': scratch,
        'fine-tuned': tuned.with_optimization(lr=args.lr),
        'head only': replace(scratch, freeze='*'),
    }


def main(argv: list[str] | None = None) -> dict[str, Any]:
    args = parse(argv)
    common.start(args)
    train_set, test = make_datasets(args)
    weights = args.weights or pretrain(args)
    recipes, rows = make_recipes(args), {}
    predicted: dict[str, list[Tensor]] = {}
    for name, recipe in recipes.items():
        start = None if name == 'from scratch' else weights
        scores: list[ClassificationScores] = []
        predicted[name] = []
        for seed in range(args.seed, args.seed + args.seeds):
            samples = train_set.subset(args.train_fraction, seed)
            folder = f'{common.slug(name)}/seed_{seed}'
            model, _ = train(args, samples, recipe, folder, start, seed)
            _, transform, _ = make_transforms(args, test, 'joint')
            logits = predict(model, test, transform, kind='logits')
            scores.append(score(test, logits))
            predicted[name].append(logits.argmax(dim=1))
        rows[name] = fold_summary(scores)
        accuracy = rows[name].format('accuracy', percent=True)
        print(f'{name}: {accuracy} % with {len(samples)} of {len(train_set)} samples')
    print(f'\n{format_table(rows, percent=True, per_class=False)}\n')
    summaries = {name: row.as_dict() for name, row in rows.items()}
    outcomes = common.fold_outcomes([test] * args.seeds, predicted, 'official split')
    return common.save_results(args, {'recipes': recipes, 'scores': summaries, **outcomes})


if __name__ == '__main__':
    main()
