"""Compiling the units of a variant, in whatever language, and how they are linked."""

import dataclasses
from pathlib import Path

from harness.native.beside import only_compile
from harness.native.cargo import compile_package
from harness.native.compiler import listed_dependencies, run_compiler
from harness.native.elf import VARIANT
from harness.native.linking import Link, RustLinker
from harness.native.placement import Placements
from harness.native.toolchain import CXX_FORM, FORM, Toolchain
from harness.native.variant import (
    ARCHIVE,
    CXX,
    OBJECT,
    RUST,
    Variant,
)

SHARED = ("-shared", "-pthread")
_WHOLE, _NOT_WHOLE = "-Wl,--whole-archive", "-Wl,--no-whole-archive"


@dataclasses.dataclass(frozen=True)
class Job:
    """What is to be compiled, and linked how."""

    name: str
    """Of what is made."""
    variant: Variant
    """Whose units are compiled; a variant, or a part of dirtyscan's own."""
    toolchain: Toolchain
    form: tuple[str, ...] = SHARED
    placements: Placements | None = None
    """At which placements it is linked too."""


def compile_job(job: Job, scratch: Path, library: Path) -> tuple[Link, list[Path]]:
    """Compile every unit by itself, so that nothing is inlined across units, and link them.

    Returns:
        How it was linked, and every file that the compiler says it read.
    """
    variant, toolchain = job.variant, job.toolchain
    source = variant.sources[0]
    if variant.package:
        return compile_package(variant.package, variant.rust_contract, library)
    if source.suffix == RUST:
        return _compile_rust(job, scratch, library)
    read: list[Path] = []
    units: list[Path] = []
    compiler = [*toolchain.command, *FORM, *toolchain.flags, *variant.options]
    for number, unit in enumerate(variant.sources):
        if unit.suffix in (OBJECT, ARCHIVE):
            units.append(unit.absolute())
            read.append(unit)
            continue
        made = scratch / f"{number}.o"
        rule = made.with_suffix(".d")
        # An absolute path is never taken for an option.
        options = ["-MD", "-MF", str(rule), f"-I{variant.root}", "-c", str(unit.absolute())]
        chosen = _cxx(toolchain, variant) if unit.suffix in CXX else compiler
        command = [*chosen, *options, "-o", str(made)]
        run_compiler(command, made, unit, toolchain.name, variant.folder)
        read += listed_dependencies(rule.read_text(errors="surrogateescape"))
        units.append(made)
    given = [str(unit) for unit in units]
    if units[0].suffix == ARCHIVE:
        given = [_WHOLE, *given, _NOT_WHOLE]
    if any(unit.suffix in CXX for unit in variant.sources):
        given.append("-lstdc++")
    if variant.symbol:
        given.append(f"-Wl,--defsym={VARIANT}={variant.symbol}")
    linked = (*compiler, *given, *variant.options, *job.form)
    beside = () if only_compile(variant.options) else None
    link = Link(linked, tuple(units), source, toolchain.name, variant.folder, beside)
    link.make(library)
    return link, read


def _cxx(toolchain: Toolchain, variant: Variant) -> list[str]:
    return [*toolchain.command, *CXX_FORM, *toolchain.flags, *variant.options]


def _compile_rust(job: Job, scratch: Path, library: Path) -> tuple[Link, list[Path]]:
    source, rule = job.variant.sources[0], library.with_suffix(".d")
    linker = RustLinker(scratch)
    # Its objects are gone afterwards unless it saves all that it makes on its way.
    saved = ["-Csave-temps", "--out-dir", str(scratch), f"-Clinker={linker.path}"]
    emitted = f"--emit=link={library},dep-info={rule}"
    flags = [*job.toolchain.flags, *job.variant.options]
    if job.variant.built_in:  # and so kept for every clone, where paths in panics may not differ
        flags.append(f"--remap-path-prefix={job.variant.root.absolute()}=.")
    command = [*job.toolchain.command, *flags, *saved, str(source.absolute())]
    contract = str(job.variant.rust_contract)
    run_compiler([*command, emitted], library, source, job.toolchain.name, DIRTYSCAN_RS=contract)
    read = listed_dependencies(rule.read_text(errors="surrogateescape"))
    return linker.link(source, job.toolchain.name), read
