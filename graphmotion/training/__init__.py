from importlib import import_module
from typing import TYPE_CHECKING, Any

from graphmotion.training.class_weights import class_weights
from graphmotion.training.environment import describe_environment
from graphmotion.training.optimization import OneCycle, Optimization, SGDStepDecay, StepDecay
from graphmotion.training.oversample import oversample
from graphmotion.training.part_triplet import part_triplet_loss
from graphmotion.training.recipes import (
    ClassificationRecipe,
    EmbeddingRecipe,
    LMGCSRecipe,
    Recipe,
    RecognitionRecipe,
    agcn_recipe,
    ctr_gcn_recipe,
    fg_stformer_recipe,
    gaitmixer_recipe,
    lmgcs_ou_mvlp_recipe,
    lmgcs_recipe,
    msa_gcn_recipe,
)

if TYPE_CHECKING:
    from graphmotion.training.classification import ClassificationModule
    from graphmotion.training.cross_validation import Evaluation, cross_validate, train_and_test
    from graphmotion.training.data_module import GraphDataModule
    from graphmotion.training.fitting import FitResult, fit
    from graphmotion.training.history import History, SeedEachStep, training_seconds
    from graphmotion.training.lmgcs import LMGCSModule, fit_two_stages
    from graphmotion.training.module import RecipeModule
    from graphmotion.training.recognition import EmbeddingModule, RecognitionModule
else:
    # Imported on first use, as only these require the extra 'train'.
    _NEEDS_LIGHTNING = {
        'ClassificationModule': 'classification',
        'EmbeddingModule': 'recognition',
        'Evaluation': 'cross_validation',
        'FitResult': 'fitting',
        'GraphDataModule': 'data_module',
        'History': 'history',
        'LMGCSModule': 'lmgcs',
        'RecipeModule': 'module',
        'RecognitionModule': 'recognition',
        'SeedEachStep': 'history',
        'cross_validate': 'cross_validation',
        'fit': 'fitting',
        'fit_two_stages': 'lmgcs',
        'train_and_test': 'cross_validation',
        'training_seconds': 'history',
    }

    def __getattr__(name: str) -> Any:
        if name not in _NEEDS_LIGHTNING:
            raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
        return getattr(import_module(f'{__name__}.{_NEEDS_LIGHTNING[name]}'), name)

    def __dir__() -> list[str]:
        return sorted(globals().keys() | set(__all__))


__all__ = [
    'ClassificationModule',
    'ClassificationRecipe',
    'EmbeddingModule',
    'EmbeddingRecipe',
    'Evaluation',
    'FitResult',
    'GraphDataModule',
    'History',
    'LMGCSModule',
    'LMGCSRecipe',
    'OneCycle',
    'Optimization',
    'Recipe',
    'RecipeModule',
    'RecognitionModule',
    'RecognitionRecipe',
    'SGDStepDecay',
    'SeedEachStep',
    'StepDecay',
    'agcn_recipe',
    'class_weights',
    'cross_validate',
    'ctr_gcn_recipe',
    'describe_environment',
    'fg_stformer_recipe',
    'fit',
    'fit_two_stages',
    'gaitmixer_recipe',
    'lmgcs_ou_mvlp_recipe',
    'lmgcs_recipe',
    'msa_gcn_recipe',
    'oversample',
    'part_triplet_loss',
    'train_and_test',
    'training_seconds',
]
