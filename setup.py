"""Builds the native kernels: every tracestore/_native/*.pyx becomes one extension module.

Environment:
    TRACESTORE_DEBUG_KERNELS=1  bounds and None checks on, no optimisation
    TRACESTORE_SANITIZE=1       AddressSanitizer and UndefinedBehaviorSanitizer
    TRACESTORE_STRICT_BUILD=1   any warning or Cython performance hint fails the build
    TRACESTORE_SKIP_KERNELS=1   installs the Python files only; `make` builds the kernels in place
    TRACESTORE_SKIP_UI=1        leaves the pages of the UI out where they are not built yet
"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import threading
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

KERNELS = Path("tracestore/_native")
TRANSLATING = threading.Lock()


def flag(name: str) -> bool:
    """Tells whether an environment variable asks for something."""
    return os.environ.get(name, "") not in {"", "0"}


DEBUG = flag("TRACESTORE_DEBUG_KERNELS")
SANITIZE = flag("TRACESTORE_SANITIZE")
STRICT = flag("TRACESTORE_STRICT_BUILD")

# The only place for directives; files carry none of their own.
DIRECTIVES = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "wraparound": DEBUG,
    "initializedcheck": DEBUG,
    "nonecheck": DEBUG,
    "overflowcheck": False,  # hashing wraps on purpose; lengths are checked by hand
    "cdivision": True,
    "embedsignature": False,
    "auto_pickle": False,  # builders hold memory, not state to copy
    "autotestdict": False,
    "show_performance_hints": True,
}

# Warnings that Cython's generated code raises and hand-written code would not.
QUIET = [
    "-Wno-unused-parameter",  # module init and slots have fixed signatures
    "-Wno-unused-function",  # helpers of the Cython runtime that a module does not call
    "-Wno-missing-field-initializers",  # PyTypeObject and PyModuleDef tables end early
    "-Wno-cast-function-type",  # PyCFunction casts of METH_FASTCALL
]


def compile_args() -> list[str]:
    """Returns the C compiler's arguments; the last optimisation level given wins."""
    args = ["-std=gnu11", "-O3", "-Wall", "-Wextra", *QUIET]
    if STRICT:
        args.append("-Werror")
    if DEBUG:
        args += ["-O0", "-g"]
    if SANITIZE:
        args += [
            "-O1",
            "-g",
            "-fno-omit-frame-pointer",
            "-fsanitize=address,undefined",
            "-fno-sanitize-recover=undefined",
        ]
    return args


def kernel_extensions() -> list[Extension]:
    """Returns one extension for each .pyx, rebuilt when any header or .pxd changes."""
    if flag("TRACESTORE_SKIP_KERNELS"):
        return []
    headers = sorted(str(p) for pattern in ("*.pxd", "*.pxi", "*.h") for p in KERNELS.glob(pattern))
    return [
        Extension(
            f"tracestore._native.{source.stem}",
            [str(source)],
            include_dirs=[str(KERNELS)],
            depends=headers,
            extra_compile_args=compile_args(),
            extra_link_args=["-fsanitize=address,undefined"] if SANITIZE else [],
        )
        for source in sorted(KERNELS.glob("*.pyx"))
    ]


class BuildKernels(build_ext):
    """Translates .pyx files when they are built, so that metadata commands stay quick.

    The C files go below build/, never beside the sources and so never into an sdist. As many compilers run as there
    are cores, while the next extension is translated: Cython and the capture of its log know one thread at a time.
    """

    def finalize_options(self) -> None:
        """Uses every core unless told otherwise."""
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def build_extension(self, ext: Extension) -> None:
        """Translates one extension to C and compiles it."""
        with TRANSLATING:
            ext.sources = self.translate(ext)
        super().build_extension(ext)

    def translate(self, ext: Extension) -> list[str]:
        """Returns the C sources of an extension.

        Raises:
            SystemExit: Cython printed a warning or a performance hint and the build is strict.
        """
        log = io.StringIO()
        try:
            with contextlib.redirect_stderr(log):
                translated = cythonize(
                    [Extension(ext.name, list(ext.sources), depends=ext.depends)],
                    build_dir=str(Path(self.build_temp) / "cython"),
                    include_path=["."],
                    compiler_directives=DIRECTIVES,
                    force=STRICT or self.force,
                    show_all_warnings=False,
                )
        finally:
            sys.stderr.write(log.getvalue())
        complaints = [
            line for line in log.getvalue().splitlines() if "warning:" in line or "hint:" in line
        ]
        if STRICT and complaints:
            sys.exit(f"cannot build {ext.name}: cython printed {len(complaints)} warnings or hints")
        return list(translated[0].sources)


class BuildPages(build_py):
    """Builds the pages of the UI where they are not there and npm is; without npm the server says how to get them."""

    def run(self) -> None:
        """Builds the pages, then copies all Python files and package data."""
        built = Path("tracestore/ui/dist/index.html")
        if not (built.exists() or self.editable_mode or flag("TRACESTORE_SKIP_UI")):
            try:
                subprocess.run(["bash", "ui/build.sh"], check=True, timeout=600)  # noqa: S607 - found on the PATH
            except (OSError, subprocess.SubprocessError) as error:
                sys.stderr.write(f"note: the pages of the UI are left out: {error}\n")
        super().run()


setup(
    packages=[
        *find_packages(include=["tracestore", "tracestore.*"]),
        *find_packages("ingest"),
        *find_packages("query"),
    ],
    ext_modules=kernel_extensions(),
    cmdclass={"build_ext": BuildKernels, "build_py": BuildPages},
    zip_safe=False,
)
