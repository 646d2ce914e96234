from importlib import import_module
from typing import TYPE_CHECKING, Any

from graphmotion.training.checkpoint import load_weights
from graphmotion.training.oversample import oversample
from graphmotion.training.part_triplet import part_triplet_loss
from graphmotion.training.predict import embed, predict
from graphmotion.training.recipes import (
    FGSTFormerRecipe,
    GaitMixerRecipe,
    LMGCSLossRecipe,
    LMGCSRecipe,
    MSAGCNRecipe,
    OneCycleLMGCSRecipe,
    OneCycleRecipe,
    OneCycleRecognitionRecipe,
    Recipe,
    RecognitionRecipe,
    SGDRecipe,
    StepRecipe,
    class_weights,
)

if TYPE_CHECKING:
    from graphmotion.training.classification import ClassificationModule
    from graphmotion.training.cross_validation import Evaluation, cross_validate, train_and_test
    from graphmotion.training.data_module import GraphDataModule
    from graphmotion.training.fitting import FitResult, fit
    from graphmotion.training.history import History, SeedEachStep
    from graphmotion.training.lmgcs import LMGCSModule, fit_two_stages
    from graphmotion.training.module import RecipeModule
    from graphmotion.training.recognition import RecognitionModule
else:
    # Imported on first use: these need the extra 'train', the rest of this package does not.
    _NEEDS_LIGHTNING = {
        'ClassificationModule': 'classification',
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
    }

    def __getattr__(name: str) -> Any:
        if name not in _NEEDS_LIGHTNING:
            raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
        return getattr(import_module(f'{__name__}.{_NEEDS_LIGHTNING[name]}'), name)

    def __dir__() -> list[str]:
        return sorted(globals().keys() | set(__all__))


__all__ = [
    'ClassificationModule',
    'Evaluation',
    'FGSTFormerRecipe',
    'FitResult',
    'GaitMixerRecipe',
    'GraphDataModule',
    'History',
    'LMGCSLossRecipe',
    'LMGCSModule',
    'LMGCSRecipe',
    'MSAGCNRecipe',
    'OneCycleLMGCSRecipe',
    'OneCycleRecipe',
    'OneCycleRecognitionRecipe',
    'Recipe',
    'RecipeModule',
    'RecognitionModule',
    'RecognitionRecipe',
    'SGDRecipe',
    'SeedEachStep',
    'StepRecipe',
    'class_weights',
    'cross_validate',
    'embed',
    'fit',
    'fit_two_stages',
    'load_weights',
    'oversample',
    'part_triplet_loss',
    'predict',
    'train_and_test',
]
