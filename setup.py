"""Compiled operators; everything else is in ``setup.cfg``, which has no place for them."""

import zlib
from pathlib import Path

from setuptools import Extension, setup

FOLDER = Path('graphmotion/nn/kernels/src')
SOURCES = sorted(FOLDER.glob('*.[ch]'))
# A library for each kind of processor. graphmotion.nn.kernels loads the one that fits.
PROCESSORS = {
    '_avx2': ['-mavx2', '-mfma'],
    '_avx512': ['-mavx512f', '-mavx512vl', '-mavx512bw', '-mavx512dq', '-mfma'],
}

checksum = 0
for source in SOURCES:
    checksum = zlib.crc32(source.read_bytes(), checksum)

setup(
    ext_modules=[
        Extension(
            f'graphmotion.nn.kernels.{name}',
            sources=[str(source) for source in SOURCES if source.suffix == '.c'],
            depends=[str(source) for source in SOURCES if source.suffix == '.h'],
            define_macros=[('CHECKSUM', f'{checksum}u')],
            extra_compile_args=['-O3', '-fopenmp', *flags],
            extra_link_args=['-fopenmp'],
            # Without a compiler, or on another processor, operators of torch compute the same.
            optional=True,
        )
        for name, flags in PROCESSORS.items()
    ]
)
