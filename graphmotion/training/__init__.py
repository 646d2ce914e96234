from graphmotion.training.classification import ClassificationModule
from graphmotion.training.cross_validation import Evaluation, cross_validate, train_and_test
from graphmotion.training.data_module import GraphDataModule
from graphmotion.training.fit import FitResult, fit, load_weights
from graphmotion.training.history import History, SeedEachStep
from graphmotion.training.lmgcs import (
    LMGCSLossRecipe,
    LMGCSModule,
    LMGCSRecipe,
    OneCycleLMGCSRecipe,
    fit_two_stages,
)
from graphmotion.training.module import RecipeModule
from graphmotion.training.oversample import oversample
from graphmotion.training.part_triplet import part_triplet_loss
from graphmotion.training.predict import embed, predict
from graphmotion.training.recipes import (
    FGSTFormerRecipe,
    GaitMixerRecipe,
    MSAGCNRecipe,
    OneCycleRecipe,
    OneCycleRecognitionRecipe,
    Recipe,
    RecognitionRecipe,
    SGDRecipe,
    StepRecipe,
    class_weights,
)
from graphmotion.training.recognition import RecognitionModule

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
