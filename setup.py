"""Everything is in setup.cfg, except for the extension module, which is optional: without a C compiler, Pillow resizes images."""

from pathlib import Path

from setuptools import Extension, setup

_NATIVE = Path("tol_luigi", "native")

setup(
    ext_modules=[
        Extension(
            "tol_luigi.core._resampling",
            sources=sorted(map(str, _NATIVE.glob("*.c"))),
            depends=sorted(map(str, _NATIVE.glob("*.h"))),
            # Fused multiplication and addition would round once instead of twice, and so change the last bit of a weight.
            extra_compile_args=["-std=c99", "-O3", "-ffp-contract=off"],
            define_macros=[("Py_LIMITED_API", "0x030B0000")],
            py_limited_api=True,
            optional=True,
        )
    ]
)
