"""Networks of published code in its layout, [N, C, T, V, M], with weights under its names."""

from itertools import pairwise

import torch
from torch.nn.functional import batch_norm, conv2d


class Weights(dict):
    """Random weights in double precision, and what the layers do with them."""

    def add_norm(self, name, size):
        for part in ('weight', 'running_var'):
            self[f'{name}.{part}'] = torch.rand(size).double() + 0.5
        for part in ('bias', 'running_mean'):
            self[f'{name}.{part}'] = torch.randn(size).double()
        self[f'{name}.num_batches_tracked'] = torch.tensor(7)

    def add_conv(self, name, outputs, inputs, length=1):
        self[f'{name}.weight'] = torch.randn(outputs, inputs, length, 1).double() / inputs
        self[f'{name}.bias'] = torch.randn(outputs).double()

    def add_ends(self, channels, num_values, num_classes):
        self.add_norm('data_bn', num_values)
        self['fc.weight'] = torch.randn(num_classes, channels[-1]).double()
        self['fc.bias'] = torch.randn(num_classes).double()

    def norm(self, x, name):
        parts = ('running_mean', 'running_var', 'weight', 'bias')
        return batch_norm(x, *(self[f'{name}.{part}'] for part in parts))

    def conv(self, x, name, stride=1, dilation=1):
        weight = self[f'{name}.weight']
        padding = dilation * (weight.size(2) // 2)
        bias = self[f'{name}.bias']
        return conv2d(x, weight, bias, (stride, 1), (padding, 0), (dilation, 1))

    def normed_input(self, x):
        n, c, t, v, m = x.shape
        x = self.norm(x.permute(0, 4, 3, 1, 2).reshape(n, m * v * c, t), 'data_bn')
        return x.view(n, m, v, c, t).permute(0, 1, 3, 4, 2).reshape(n * m, c, t, v)

    def shortcut(self, x, conv, norm, stride=1):
        """Applies the shortcut, which is the identity if the checkpoint has no such convolution."""
        if f'{conv}.weight' not in self:
            return x
        return self.norm(self.conv(x, conv, stride), norm)

    def classify(self, x, num_people):
        mean = x.flatten(2).mean(dim=2).view(-1, num_people, x.size(1)).mean(dim=1)
        return mean @ self['fc.weight'].t() + self['fc.bias']


def layers(channels, in_channels=3):
    """Number, input and output channels, and stride of each layer."""
    sizes = (in_channels, *channels)
    for i, (before, after) in enumerate(pairwise(sizes)):
        yield i + 1, before, after, 2 if i and after > before else 1
