"""Running a study: what ``dirtyscan study`` measures, writes and shows."""

import argparse

from harness.base.units import parse_size
from harness.commands.cluster import folder_of_one, is_for_hosts, run_on_hosts
from harness.commands.options import results_folder
from harness.measurement.budget import Budget
from harness.presentation.console import console
from harness.presentation.style import save
from harness.presentation.table import print_table
from harness.session.session import Session
from harness.studies import load_study, questions
from harness.studies.study import Options

STUDY = "{study}"
"""What stands for the name of a study in that of a folder."""


def run(options: argparse.Namespace) -> int:
    """Measure a study with what a user chose."""
    if is_for_hosts(options):
        options.output = options.output.replace(STUDY, options.study)
        return run_on_hosts(options, "study_run", f"{options.study}.csv")
    chosen = Options(
        variants=tuple(dict.fromkeys(options.variant)),
        toolchains=tuple(dict.fromkeys(options.toolchain)),
        sizes=tuple(parse_size(size) for size in options.guest_memory),
        operations=tuple(dict.fromkeys(options.operation)),
        precision=options.precision,
        seed=options.seed,
    )
    return run_study(options, chosen)


def run_study(options: argparse.Namespace, chosen: Options) -> int:
    """Measure the study that ``options`` name, and write its table and its picture."""
    name, study = options.study, load_study(options.study)
    out, log = console(), console(stderr=True)
    folder = folder_of_one(options.output.replace(STUDY, name))
    budget = Budget.of(options.budget, questions()[name].budget)
    session = Session(name, folder, budget, options.resume, out, log)
    found = study.measure(chosen, session)
    path = session.keep(found)
    print_table(study.summary(found), out)
    out.print(f"table: {path}", soft_wrap=True)
    # Of claims it may be that none could be measured.
    if study.exhibit and ("speedup" not in found or found["speedup"].notna().any()):
        plots = results_folder(options.plots.replace(STUDY, name))
        for picture in save(study.exhibit.draw(found), plots, name):
            out.print(str(picture), soft_wrap=True)
    return session.status


def run_all(options: argparse.Namespace) -> int:
    """Run every study as by default, up to the first in which something fails."""
    for name, parser in options.parsers.items():
        arguments = [f"--output={options.output.replace(STUDY, name)}"]
        if load_study(name).exhibit:
            arguments.append(f"--plots={options.plots.replace(STUDY, name)}")
        for option in ("cluster", "hosts", "host-python"):
            if given := getattr(options, option.replace("-", "_")):
                arguments.append(f"--{option}={given}")
        each = parser.parse_args(arguments)
        if status := int(each.run(each)):
            return status
    return 0
