"""Compiled operators; everything else is in ``setup.cfg``, which has no place for them."""

from pathlib import Path

from setuptools import Extension, setup

FOLDER = Path('graphmotion/nn/kernels/src')
# A library for each kind of processor. The one that fits is loaded, see graphmotion.nn.kernels.
PROCESSORS = {
    '_avx2': ['-mavx2', '-mfma'],
    '_avx512': ['-mavx512f', '-mavx512vl', '-mavx512bw', '-mavx512dq', '-mfma'],
}

setup(
    ext_modules=[
        Extension(
            f'graphmotion.nn.kernels.{name}',
            sources=sorted(map(str, FOLDER.glob('*.c'))),
            depends=sorted(map(str, FOLDER.glob('*.h'))),
            extra_compile_args=['-O3', '-fopenmp', *flags],
            extra_link_args=['-fopenmp'],
            # Without a compiler, or on another processor, operators of torch compute the same.
            optional=True,
        )
        for name, flags in PROCESSORS.items()
    ]
)
