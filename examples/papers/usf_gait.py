r"""The USF gait challenge with LMGCS and linear discriminants.

    python examples/papers/usf_gait.py --root DIR   # the tables in docs/results/lmgcs.md

DIR/raw holds the .mat files. People are known from their gallery, on which everything is trained,
and recognised in the probes A to G, which differ in view, shoe and surface: by single half cycles,
and by all half cycles of a walk. In addition to LMGCS, scores the silhouettes themselves, their
discriminants (PCA + LDA) without and with augmented training walks, the discriminants of the
embeddings of LMGCS, and both of the latter combined. Discriminants are normalised to unit length,
so that the Euclidean distance ranks them like the cosine.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize
from torch_geometric.transforms import Compose

sys.path.append(str(Path(__file__).parents[1]))

import silhouette_gait as example
from lmgcs import add_module_options, check_module_options, module_options
from shared import common, recognition
from shared.lmgcs_presets import CASIA_B, Preset

import graphmotion.transforms as T
from graphmotion.data import GraphDataset
from graphmotion.datasets import USFGait
from graphmotion.inference import embed
from graphmotion.metrics import (
    USF,
    GalleryProbeScores,
    discriminant_projection,
    markdown_table,
    match_sequences,
)
from graphmotion.training import LMGCSRecipe, OneCycle, lmgcs_recipe

FRAMES = 10  # of a half cycle
# Only one walk of each person is known. The probes were recorded by another camera (other widths
# and inclination), in other shoes and on another surface.
AUGMENT = (
    T.RandomSilhouetteAffine(5, (0.9, 1.1), (0.03, 0.06), per_axis=True, p=0.8),
    T.RandomSilhouetteMorphology(),
    T.RandomSilhouetteGround(),
    T.SilhouetteNoise(),
    T.SilhouetteStripDropout(8, 0.08),
)
# Network and recipe were chosen on CASIA-B.
CPU_RECIPE = LMGCSRecipe(
    OneCycle(lr=2e-3, weight_decay=0.01, max_epochs=20, warmup=0.1, gradient_clip=5.0),
    subjects_per_batch=16,
    samples_per_subject=4,
    batches_per_epoch=50,
    label_smoothing=0.1,
)
PRESETS = {
    'cpu': replace(
        CASIA_B, frames=FRAMES, skip=1, shrink=1, soft=False, recipe=CPU_RECIPE, augment=AUGMENT
    ),
    'paper': Preset(FRAMES, {'name': 'lmgcs'}, lmgcs_recipe(), augment=AUGMENT),
}


def parse(argv: list[str] | None = None) -> Namespace:
    parser = common.make_parser(__doc__)
    parser.add_argument('--root', required=True, help='folder with the .mat files in raw/')
    add_module_options(parser)
    example.add_training_options(parser, 'results/usf_gait')
    args = parser.parse_args(argv)
    check_module_options(parser, argv, args)
    joint = args.joint or PRESETS[args.preset].joint
    two_stages = [('--global-epochs', not joint, 'for training in two stages')]
    common.refuse_unused(parser, argv, two_stages)
    common.fill_from_preset(args, PRESETS[args.preset], ('joint', 'distance'))
    return args


def make_transforms() -> example.Transforms:
    begin = T.DownsampleSilhouettes(1)
    return example.Transforms(Compose([begin, *AUGMENT]), Compose([begin]))


def embed_pixels(
    part: GraphDataset,
    test: GraphDataset,
    transforms: example.Transforms,
    seed: int,
    copies: int = 3,
) -> dict[str, Tensor]:
    """Returns the silhouettes of the test walks and their normalised discriminants."""
    subject = part.labels('subject')
    train = example.embed_pixels(part, transforms.test, FRAMES)
    pixels = example.embed_pixels(test, transforms.test, FRAMES)
    varied = [example.embed_pixels(part, transforms.train, FRAMES, seed + i) for i in range(copies)]
    plain = discriminant_projection(train, subject)
    augmented = discriminant_projection(
        torch.cat([train, *varied]), subject.repeat(1 + copies), 200, shrinkage=0.05
    )
    return {
        'silhouettes': pixels,
        'PCA + LDA': normalize(plain(pixels), dim=1),
        'PCA + LDA, augmented': normalize(augmented(pixels), dim=1),
    }


def embed_discriminants(
    model: torch.nn.Module,
    part: GraphDataset,
    test: GraphDataset,
    transforms: example.Transforms,
    seed: int,
    copies: int = 4,
) -> Tensor:
    """Returns the normalised discriminants of embeddings, fitted to the augmented walks."""
    known = [embed(model, part, transforms.test)]
    known += [embed(model, part, transforms.train, seed=seed + i) for i in range(copies)]
    subject = part.labels('subject').repeat(len(known))
    project = discriminant_projection(torch.cat(known), subject, 200, shrinkage=0.05)
    return normalize(project(embed(model, test, transforms.test)).float(), dim=1)


def make_table(
    rows: Mapping[str, GalleryProbeScores],
    embeddings: Mapping[str, Tensor],
    test: Any,
    distance: str,
) -> tuple[str, dict[str, dict[str, dict[str, float]]]]:
    """Returns rank-1 for each set of probes and its mean, by samples and by walks."""
    lines, figures = [], {}
    for title, embedding in embeddings.items():
        figures[title] = {
            'sample': dict(zip(rows[title].probe_sets, rows[title].accuracy().tolist())),
            'sequence': match_sequences(embedding, test, USF, distance),
        }
        for level, rates in figures[title].items():
            values = [*rates.values(), sum(rates.values()) / len(rates)]
            lines.append([title, level, *(f'{100 * value:.1f}' for value in values)])
    return markdown_table(['', 'level', *rows[title].probe_sets, 'mean'], lines), figures


def main(argv: list[str] | None = None) -> dict[str, Any]:
    args = parse(argv)
    common.start(args)
    dataset, preset, transforms = USFGait(args.root), PRESETS[args.preset], make_transforms()
    parts = part, test = USF.split(dataset)
    print(f'{dataset}, {USF.name}: {len(part)} training, {len(test)} test samples')
    embeddings = embed_pixels(part, test, transforms, args.seed)
    options = example.make_options(preset, transforms, dataset) | module_options(args)
    recipe = example.make_recipe(args, preset)
    run = example.run_model(args, parts, transforms, 'LMGCS', options, recipe)
    discriminants = embed_discriminants(run.model, part, test, transforms, args.seed)
    # The cosine of concatenated unit vectors is the mean of the two cosines.
    both = embeddings['PCA + LDA, augmented'], discriminants
    embeddings |= {
        'LMGCS': run.embedding,
        'LMGCS + LDA': discriminants,
        'both': torch.cat(both, dim=1),
    }
    rows = recognition.score(args, USF, test, embeddings, num_poses=4)
    text, figures = make_table(rows, embeddings, test, args.distance)
    print(f'\n{USF.name}, rank-1 in per cent\n\n{text}\n')
    recognition.draw_embeddings(args, USF, test, {'LMGCS': run})
    outcomes = recognition.outcomes(args, USF, test, embeddings)
    return recognition.save(args, rows, {'LMGCS': run}, probes=figures, **outcomes)


if __name__ == '__main__':
    main()
