from graphmotion.training.classification import ClassificationModule
from graphmotion.training.cross_validation import Evaluation, cross_validate, train_and_test
from graphmotion.training.data import BatchSampler, MotionDataModule, motion_loader
from graphmotion.training.fit import FitResult, fit, load_weights
from graphmotion.training.history import History, SeedEachStep
from graphmotion.training.predict import predict
from graphmotion.training.recipes import (
    FGSTFormerRecipe,
    MSAGCNRecipe,
    OneCycleRecipe,
    Recipe,
    SGDRecipe,
    StepRecipe,
    class_weights,
)

__all__ = [
    'BatchSampler',
    'ClassificationModule',
    'Evaluation',
    'FGSTFormerRecipe',
    'FitResult',
    'History',
    'MSAGCNRecipe',
    'MotionDataModule',
    'OneCycleRecipe',
    'Recipe',
    'SGDRecipe',
    'SeedEachStep',
    'StepRecipe',
    'class_weights',
    'cross_validate',
    'fit',
    'load_weights',
    'motion_loader',
    'predict',
    'train_and_test',
]
