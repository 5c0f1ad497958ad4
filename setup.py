r"""Builds the kernels in C++, which need no PyTorch for it: one library that holds a
version for each instruction set, of which one is chosen when it is loaded.
"""

import sys

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

FOLDER = 'lgmrec_pyg/ops/csrc'
NAMES = ('infonce_narrow', 'infonce_wide', 'membership', 'spmm', 'topk')
SOURCES = [f'{FOLDER}/{name}.cpp' for name in NAMES]
FLAGS = ['-O3', '-g0', '-ffast-math', '-std=c++17', '-Wno-psabi']
# Apple's compiler brings no OpenMP: kernels then run in one thread.
THREADS = [] if sys.platform == 'darwin' else ['-fopenmp']
VERSIONS = {
    'baseline': [],
    'avx2': ['-mavx2', '-mfma'],
    'avx512': ['-mavx512f', '-mavx512vl', '-mavx512bw', '-mavx512dq', '-mfma'],
}


class BuildKernels(build_ext):
    def build_extension(self, ext: Extension) -> None:
        is_x86 = self.plat_name.endswith(('x86_64', 'amd64'))
        objects = []
        # Of code that versions share, linkers keep the first, which runs anywhere.
        for version in VERSIONS if is_x86 else ['baseline']:
            objects += self.compiler.compile(
                SOURCES,
                output_dir=f'{self.build_temp}/{version}',
                macros=[('VERSION', version)],
                extra_preargs=[*FLAGS, *THREADS, *VERSIONS[version]],
                depends=ext.depends,
            )
        ext.sources, ext.extra_objects = [], objects
        super().build_extension(ext)

    def get_ext_filename(self, fullname: str) -> str:
        # Loaded by `ctypes`: a library for any version of Python.
        return fullname.replace('.', '/') + '.so'


class AnyPython(bdist_wheel):
    def get_tag(self) -> tuple[str, str, str]:
        return 'py3', 'none', super().get_tag()[2]


setup(
    ext_modules=[
        Extension(
            'lgmrec_pyg.ops._kernels',
            SOURCES,
            depends=[*SOURCES, f'{FOLDER}/kernel.h'],
            language='c++',
            extra_link_args=THREADS,
            # Without a compiler, the package runs on PyTorch's operators alone.
            optional=True,
        )
    ],
    cmdclass={'build_ext': BuildKernels, 'bdist_wheel': AnyPython},
)
