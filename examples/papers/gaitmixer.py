r"""Compare GaitMixer, GaitFormer and ST-GCN with limb lengths and with chance.

    python examples/papers/gaitmixer.py                                   # generated walks
    python examples/papers/gaitmixer.py --dataset casia_b --root DIR --preset paper

Trains each of --models with one recipe. The baselines are a random embedding, which is chance, and
the nearest neighbour among limb lengths, cadence and joint speeds, standardised by the training
walks. Also draws Grad-CAM maps of a walk and the spectra of the last features.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module

sys.path.append(str(Path(__file__).parents[1]))

import gait_recognition as example
from shared import common, recognition

import graphmotion.visualization as vis
from graphmotion.data import gait_features
from graphmotion.datasets import MotionDataset
from graphmotion.metrics import (
    GalleryProbeProtocol,
    GalleryProbeScores,
    format_recognition_table,
)
from graphmotion.training import RecognitionRecipe
from graphmotion.transforms import FillMissing

CASIA_B_FPS = 25


def add_models_option(parser: ArgumentParser, default: list[str]) -> None:
    parser.add_argument(
        '--models', nargs='+', default=default, choices=list(example.TITLES), help='to compare'
    )


def parse(argv: list[str] | None = None) -> Namespace:
    parser = common.make_parser(__doc__)
    recognition.add_data_options(parser, ['casia_b'], subjects=40)
    add_models_option(parser, ['st_gcn', 'gaitformer', 'gaitmixer'])
    example.add_model_options(parser, 'results/gaitmixer')
    args = parser.parse_args(argv)
    example.check_options(parser, argv, args, args.models)
    return args


def measure_walks(part: MotionDataset, fps: float, transform: Callable) -> Tensor:
    """Returns the :func:`~graphmotion.data.gait_features` of all walks."""
    batches = (part.get_batch(rows) for rows in torch.arange(len(part)).split(256))
    return torch.cat([gait_features(transform(b), part.skeleton, fps).values for b in batches])


def feature_embedding(
    train: MotionDataset, test: MotionDataset, fps: float, transform: Callable
) -> Tensor:
    """Returns limb lengths, cadence and joint speeds, standardised by the training walks."""
    known = measure_walks(train, fps, transform)
    values = measure_walks(test, fps, transform)
    return (values - known.mean(dim=0)) / known.std(dim=0).clamp(min=1e-6)


def compare(
    args: Namespace,
    protocol: GalleryProbeProtocol,
    dataset: MotionDataset,
    transforms: example.Transforms,
    recipe: RecognitionRecipe,
    fps: float,
    size: Callable,
    classifiers: Mapping[str, float] | None = None,
    **retrieval: Any,
) -> dict[str, Any]:
    """Trains the networks and scores them beside the baselines.

    ``classifiers`` are the rank-1 accuracies of baselines without embeddings.
    """
    classifiers = classifiers or {}
    parts = train, test = protocol.split(dataset)
    print(f'{dataset}, {protocol.name}: {len(train)} training, {len(test)} test walks')
    generator = torch.Generator().manual_seed(args.seed)
    embeddings = {
        'chance': torch.randn(len(test), args.embedding, generator=generator),
        'limb lengths, cadence, speeds': feature_embedding(train, test, fps, size),
    }
    runs = {
        example.TITLES[name]: example.run_model(args, parts, name, transforms, recipe)
        for name in args.models
    }
    embeddings |= {title: run.embedding for title, run in runs.items()}
    rows = recognition.score(
        args, protocol, test, embeddings, skeleton=dataset.skeleton, **retrieval
    )
    print(f'\n{protocol.name}, rank-1 in per cent\n\n{format_recognition_table(rows)}\n')
    for title, accuracy in classifiers.items():
        print(f'{title}: {100 * accuracy:.1f} rank-1')
    draw(args, protocol, test, transforms.test[0], runs, rows)
    outcomes = recognition.outcomes(args, protocol, test, embeddings)
    return recognition.save(args, rows, runs, classifiers, **outcomes)


def draw(
    args: Namespace,
    protocol: GalleryProbeProtocol,
    test: MotionDataset,
    transform: Callable,
    runs: dict[str, recognition.Run],
    rows: dict[str, GalleryProbeScores],
) -> None:
    """Draws rank-1 by view on a circle, Grad-CAM of a probe and the spectra of its features."""
    if next(iter(rows.values())).probe_views:
        vis.plot_rank_by_view(rows, kind='polar', path=args.out / 'views_polar.png')
    gallery, probes = protocol.select(test)
    subject = test.labels('subject')
    probe = int(next(iter(probes.values()))[0])
    own = gallery[subject[gallery] == subject[probe]]
    maps, features = {}, {}
    for title, run in runs.items():
        x = transform(test.get_batch([probe])).x
        layer, layout = find_layer(run.model, args.frames)
        # What makes the probe similar to the mean of its subject in the gallery.
        target = vis.cosine_to(run.embedding[own].mean(dim=0))
        maps[title] = vis.grad_cam(run.model, layer, x, target=target, layout=layout)[0]
        kept: list[Tensor] = []
        hook = layer.register_forward_hook(lambda _, __, out, kept=kept: kept.append(out))
        with torch.no_grad():
            run.model(x)
        hook.remove()
        features[title] = kept[0] if layout is None else layout(kept[0])
    vis.plot_grad_cam(maps, test.skeleton, path=args.out / 'grad_cam.png')
    vis.plot_feature_spectrum(features, path=args.out / 'spectrum.png')


def find_layer(model: Module, frames: int) -> tuple[Module, Callable | None]:
    """Returns the last layer with features of joints and frames, and its layout function."""
    if hasattr(model, 'temporal'):
        return model.temporal[-1], None
    if hasattr(model, 'layers'):
        return model.layers[-1], None
    # The nodes of GaitFormer are frames, after a class token for each joint.
    return model.blocks[-2], lambda out: out.reshape(-1, 1 + frames, out.size(-1))[:, 1:]


def main(argv: list[str] | None = None) -> dict[str, Any]:
    args = parse(argv)
    common.start(args)
    dataset, protocol = example.make_dataset(args)
    example.draw_data(args, dataset)
    recipe = example.make_recipe(args, example.get_preset(args))
    transforms = example.make_transforms(args, dataset)
    fps = dataset.fps if args.dataset == 'synthetic' else CASIA_B_FPS
    return compare(args, protocol, dataset, transforms, recipe, fps, FillMissing())


if __name__ == '__main__':
    main()
