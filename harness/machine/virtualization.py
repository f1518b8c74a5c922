"""What of this host's virtualization decides how long a dirty log takes, as the kernel tells it."""

import platform
from pathlib import Path
from typing import TypedDict

from harness.machine.cpu import cpu_flags, read_line

_MODULES = Path("/sys/module")
_VULNERABILITIES = Path("/sys/devices/system/cpu/vulnerabilities")
_THP = Path("/sys/kernel/mm/transparent_hugepage")
_SECOND_LEVEL = {"ept": "EPT", "npt": "NPT"}
"""What lets the CPU itself translate a guest's addresses, by the parameter that says so."""
_ON = ("Y", "1")
_HUGE_PAGES = ("enabled", "shmem_enabled")
_PARAMETERS = ("tdp_mmu", "eager_page_split", "nx_huge_pages")


class Virtualization(TypedDict):
    """What is seen of it; texts are the kernel's own words, and empty where it has none."""

    nested: bool
    """Whether this host is a virtual machine itself."""
    module: str
    """The part of KVM that runs guests here; empty without KVM."""
    paging: str
    """``EPT`` or ``NPT``; ``shadow`` where KVM keeps page tables of its own for each guest."""
    pml: str
    """Whether the CPU notes by itself what is written (page modification logging)."""
    parameters: dict[str, str]
    """Of KVM."""
    huge_pages: dict[str, str]
    kernel: str
    mitigations: dict[str, str]
    """Of the CPU's vulnerabilities, those that it has."""


def read_virtualization(modules: Path = _MODULES) -> Virtualization:
    """Return what the kernel says of this host; looks at files and opens no device."""
    module = _module(modules)
    own = modules / module / "parameters"
    found = [name for key, name in _SECOND_LEVEL.items() if read_line(own / key) in _ON]
    vulnerable = {path.name: read_line(path) for path in sorted(_VULNERABILITIES.glob("*"))}
    return Virtualization(
        nested="hypervisor" in cpu_flags(),
        module=module,
        paging=(found[0] if found else "shadow") if module else "",
        pml=read_line(own / "pml") if module else "",
        parameters={
            name: value for name in _PARAMETERS
            if (value := read_line(modules / "kvm" / "parameters" / name))
        },
        huge_pages={
            name: value for name in _HUGE_PAGES if (value := read_line(_THP / name))
        },
        kernel=platform.release(),
        mitigations={k: v for k, v in vulnerable.items() if v and v != "Not affected"},
    )  # fmt: skip


def _module(modules: Path) -> str:
    """Return the name of what runs guests beside ``kvm`` itself, such as ``kvm_intel``."""
    if not (modules / "kvm").exists():
        return ""
    beside = sorted(path.name for path in modules.glob("kvm_*") if (path / "parameters").exists())
    return beside[0] if beside else "kvm"


def host_in_words(host: Virtualization) -> str:
    """Say on what host a dirty log was measured, for whoever would put figures beside others."""
    where = "inside a virtual machine" if host["nested"] else "on a machine of its own"
    if not host["module"]:
        return f"{where}, without KVM"
    paging = host["paging"]
    how = "without EPT or NPT" if paging == "shadow" else f"with {paging}"
    return f"{where}, {host['module']} {how}, Linux {host['kernel']}"
