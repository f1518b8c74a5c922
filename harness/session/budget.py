"""Whether a budget can be enough, asked before traces are made that take longer than it."""

import dataclasses

from harness.measurement.budget import Budget
from harness.measurement.experiment import measure
from harness.measurement.request import Draft, Request
from harness.measurement.tell import Tell

_SPAN = 256
"""How many times the pages of the smallest trace there are in all, from which on it is asked."""

_ANY = 1e9
"""A precision that every interval has."""


def check_budget(request: Request, budget: Budget, tell: Tell) -> None:
    """Measure the smallest of several random maps, where the others are far larger.

    A call takes at least as long a page on a larger map, since less of it is in the caches.

    Raises:
        BudgetTooShort: one round of all variants on all maps takes longer than ``budget``.
    """
    if not budget.named:
        return
    drafts = [one for one in request.traces if isinstance(one, Draft) and one.pages]
    if not drafts or len(drafts) < len(request.traces):
        return
    smallest = min(drafts, key=lambda draft: draft.pages)
    times = sum(draft.pages for draft in drafts) / smallest.pages
    if times < _SPAN:
        return
    tell("trying the smallest", 0, 1)
    brief = dataclasses.replace(request, traces=(smallest,), precision=_ANY, processes=2)
    run = measure(brief, budget.seconds)
    # The first process calibrates.
    calls = (sum(float(elapsed.sum()) for elapsed in one.elapsed.values()) for one in run.samples)
    budget.check(min(filter(None, calls)) * times, " and more")
