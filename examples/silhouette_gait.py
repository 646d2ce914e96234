r"""Recognise people by their walk from silhouettes, with LMGCS.

    python examples/silhouette_gait.py                                    # generated silhouettes
    python examples/silhouette_gait.py --open-set                         # with strangers
    python examples/silhouette_gait.py --dataset casia_b --root DIR --precision bf16-mixed
    python examples/silhouette_gait.py --dataset casia_b --root DIR --protocol ST --preset paper
    python examples/silhouette_gait.py --dataset ou_mvlp --root DIR --preset paper

Trains the local features of the network and then its attention, as the paper does, or both jointly
with --joint, and prints rank-1 by condition and view beside two baselines: nearest neighbours among
the silhouettes themselves and among their linear discriminants. Writes figures, checkpoints,
embeddings and results.json to the folder --out. The same command resumes an interrupted run;
--evaluate tests without training. With --open-set, some test subjects are enrolled and the others
are strangers to be rejected. Ablations, losses and sizes of the embedding are compared by
papers/lmgcs.py; papers/usf_gait.py is the USF gait challenge.

See docs/results/lmgcs.md for the CPU preset of CASIA-B. With --validation, two thirds of the
training subjects train and the others are tested, so that options can be chosen without the test
subjects.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from shared import common, open_set, recognition
from shared.lmgcs_presets import PRESETS, Preset
from torch import Tensor
from torch_geometric.transforms import BaseTransform, Compose

import graphmotion.transforms as T
import graphmotion.visualization as vis
from graphmotion.data import GraphDataset
from graphmotion.datasets import OUMVLP, CASIABSilhouettes, SyntheticGait
from graphmotion.inference import Gallery, Recognizer, embed, load_weights
from graphmotion.metrics import (
    OU_MVLP,
    GalleryProbeProtocol,
    discriminant_projection,
    format_recognition_table,
)
from graphmotion.models import create_model
from graphmotion.training import (
    FitResult,
    GraphDataModule,
    LMGCSModule,
    LMGCSRecipe,
    StepDecay,
    fit,
    fit_two_stages,
    training_seconds,
)


def add_training_options(parser: ArgumentParser, out: str) -> None:
    group = parser.add_argument_group('LMGCS')
    group.add_argument('--distance', choices=['cosine', 'euclidean'])
    group.add_argument(
        '--joint', action='store_true', default=None, help='train both stages at once'
    )
    group.add_argument('--global-epochs', type=int, help='number of epochs of the second stage')
    group.add_argument('--batches', type=int, help='batches per epoch')
    common.add_training_options(parser, out, evaluate=True)


def add_data_options(parser: ArgumentParser) -> None:
    data = recognition.add_data_options(parser, ['casia_b', 'ou_mvlp'], subjects=24)
    parser.set_defaults(views=[0, 54, 90, 126, 180])
    data.add_argument('--skip', type=int, help='distance of the frames of a clip')
    data.add_argument('--shrink', type=int, help='downsampling factor of the silhouettes')
    data.add_argument(
        '--validation', action='store_true', help='test on training subjects of CASIA-B'
    )


def parse(argv: list[str] | None = None, parser: ArgumentParser | None = None) -> Namespace:
    is_own = parser is None
    if parser is None:
        parser = common.make_parser(__doc__)
        add_data_options(parser)
        open_set.add_option(parser)
        add_training_options(parser, 'results/silhouette_gait')
    args = parser.parse_args(argv)
    recognition.check_data_options(parser, argv, args)
    if is_own:
        open_set.check_option(parser, args, recognition.num_test_subjects(args))
    preset = PRESETS[args.dataset, args.preset]
    rules = [
        ('--validation', args.dataset == 'casia_b', 'for --dataset casia_b'),
        ('--global-epochs', not (args.joint or preset.joint), 'for training in two stages'),
    ]
    common.refuse_unused(parser, argv, rules)
    common.fill_from_preset(args, preset, ('frames', 'skip', 'shrink', 'distance', 'joint'))
    return args


def make_dataset(args: Namespace) -> tuple[GraphDataset, GalleryProbeProtocol]:
    if args.dataset == 'ou_mvlp':
        return OUMVLP(args.root), OU_MVLP
    if args.dataset == 'synthetic':
        dataset = SyntheticGait.casia_b(
            num_subjects=args.subjects,
            num_frames=max((args.frames - 1) * args.skip + 1, 20),
            seed=args.seed,
            views=args.views,
            silhouettes=True,
        )
        return dataset, recognition.generated_protocol(args)
    dataset, protocol = CASIABSilhouettes(args.root), recognition.PROTOCOLS[args.protocol]
    if not args.validation:
        return dataset, protocol
    count, name = 2 * (protocol.train_subjects + 1) // 3, f'{protocol.name}, validation'
    part = dataset.index_select(protocol.is_train(dataset))
    return part, replace(protocol, name=name, train_subjects=count)


class Transforms(NamedTuple):
    """The transforms of training and of test walks."""

    train: Compose
    test: Compose


def make_transforms(args: Namespace) -> Transforms:
    preset = PRESETS[args.dataset, args.preset]
    crop = T.CropFrames((args.frames - 1) * args.skip + 1)
    begin = [T.SkipFrames(args.skip), T.DownsampleSilhouettes(args.shrink, soft=preset.soft)]
    return Transforms(Compose([crop, *begin, *preset.augment]), Compose(begin))


def make_options(preset: Preset, transforms: Transforms, dataset: GraphDataset) -> dict[str, Any]:
    """Returns the options of the network, with a strip for every four rows of pixels."""
    rows = transforms.test(dataset.get_batch([0])).silhouettes.size(2)
    return preset.options | {'bins': (rows // 4,)}


def make_recipe(args: Namespace, preset: Preset) -> LMGCSRecipe:
    recipe = preset.recipe
    if args.epochs is not None:
        recipe = recipe.with_optimization(max_epochs=args.epochs)
        if isinstance(recipe.optimization, StepDecay):
            recipe = recipe.with_optimization(milestones=(round(0.8 * args.epochs),))
    if args.batches is not None:
        recipe = replace(recipe, batches_per_epoch=args.batches)
    if args.global_epochs is not None:
        recipe = replace(recipe, global_epochs=args.global_epochs)
    return recipe


def train(
    args: Namespace,
    model: torch.nn.Module,
    recipe: LMGCSRecipe,
    part: GraphDataset,
    transform: Compose,
    folder: Path,
) -> dict[str, FitResult]:
    """Trains a network, in two stages or jointly, and returns the result of each stage."""
    data = GraphDataModule(
        part,
        batch_size=recipe.batch_size,
        train_transform=transform,
        seed=args.seed,
        balance='subject',
        samples_per_class=recipe.samples_per_subject,
        batches_per_epoch=recipe.batches_per_epoch,
    )
    options = common.fit_options(args)
    if not args.joint:
        results = fit_two_stages(model, recipe, data, str(folder), args.seed, **options)
        return dict(zip(('local', 'global'), results))
    module = LMGCSModule(model, recipe, part.labels('subject'), 'joint')
    return {'joint': fit(module, data, str(folder / 'joint'), args.seed, **options)}


def run_model(
    args: Namespace,
    parts: tuple[GraphDataset, GraphDataset],
    transforms: Transforms,
    title: str,
    options: dict[str, Any],
    recipe: LMGCSRecipe,
) -> recognition.Run:
    """Trains a network, or loads it, and embeds the test walks."""
    part, test = parts
    recipe = recognition.limit_subjects(recipe, part)
    folder = args.out / common.slug(title)
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(args.seed)
    model = create_model(**options)
    if args.evaluate:
        names = ['local', 'global'] if model.global_modules else ['local']
        names = ['joint'] if args.joint else names
        module = LMGCSModule(model, recipe, part.labels('subject'), names[-1])
        checkpoints = [str(folder / name / 'last.ckpt') for name in names]
        load_weights(module, checkpoints[-1])
        seconds = sum(map(training_seconds, checkpoints))
    else:
        stages = train(args, model, recipe, part, transforms.train, folder)
        for stage, result in stages.items():
            path = folder / f'{stage}_curves.png'
            vis.plot_training_curves(result.history, title=title, path=path)
        seconds = sum(result.seconds for result in stages.values())
    report = {
        'parameters': common.count_parameters(model),
        'seconds': seconds,
        'recipe': recipe,
    }
    embedding = embed(model, test, transforms.test).unflatten(1, (-1, model.feature_dim))
    torch.save({'embedding': embedding}, folder / 'embedding.pt')
    print(f'{title}: {report["parameters"]:,} parameters, {report["seconds"]:.0f} s')
    recognizer = Recognizer(model, transforms.test, gallery=Gallery(args.distance))
    common.save_recognizer(recognizer, folder, "recognizer.enroll('anna', 'folder/of/silhouettes')")
    return recognition.Run(model, embedding, report)


class Pixels(torch.nn.Flatten):
    """The silhouettes themselves as an embedding."""

    inputs = ('silhouettes',)


def embed_pixels(
    dataset: GraphDataset, transform: BaseTransform, frames: int, seed: int = 0
) -> Tensor:
    """Returns the pixels of evenly spaced frames of each walk."""
    transform = Compose([T.CropFrames(frames, 'uniform'), transform])
    return embed(Pixels(), dataset, transform, batch_size=256, seed=seed)


def pixel_embeddings(
    args: Namespace, parts: tuple[GraphDataset, GraphDataset], transform: BaseTransform
) -> dict[str, Tensor]:
    """Returns the baselines: the pixels of the test walks, and their discriminants."""
    train_pixels, pixels = (embed_pixels(part, transform, args.frames) for part in parts)
    project = discriminant_projection(train_pixels, parts[0].labels('subject'))
    return {'silhouettes': pixels, 'PCA + LDA': project(pixels)}


def main(argv: list[str] | None = None) -> dict[str, Any]:
    args = parse(argv)
    common.start(args)
    dataset, protocol = make_dataset(args)
    parts = part, test = protocol.split(dataset)
    print(f'{dataset}, {protocol.name}: {len(part)} training, {len(test)} test walks')
    preset, transforms = PRESETS[args.dataset, args.preset], make_transforms(args)
    options = make_options(preset, transforms, dataset)
    run = run_model(args, parts, transforms, 'LMGCS', options, make_recipe(args, preset))
    embeddings = pixel_embeddings(args, parts, transforms.test) | {'LMGCS': run.embedding}
    rows = recognition.score(args, protocol, test, embeddings, num_poses=4)
    print(f'\n{protocol.name}, rank-1 in per cent\n\n{format_recognition_table(rows)}\n')
    recognition.draw_embeddings(args, protocol, test, {'LMGCS': run})
    more = recognition.outcomes(args, protocol, test, {'LMGCS': run.embedding})
    if args.open_set is not None:
        more['open_set'] = open_set.evaluate(args, protocol, test, {'LMGCS': run.embedding})
    return recognition.save(args, rows, {'LMGCS': run}, **more)


if __name__ == '__main__':
    main()
