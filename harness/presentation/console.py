"""The console: where output goes, with nothing in it that is not ours."""

import dataclasses
from typing import NoReturn

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult

from harness.base.text import printable


class _ShownAsItIs(RenderHook):
    """Writes out, in all that is printed, what would steer the terminal."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Harmless(renderable) for renderable in renderables]


@dataclasses.dataclass(frozen=True)
class _Harmless:
    """What is printed, with its own control codes (colours, the bar's movements) and no others."""

    inner: ConsoleRenderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self.inner, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))


class _Console(Console):
    """A console that leaves what a closed pipe means to the command line."""

    def on_broken_pipe(self) -> NoReturn:
        """Say that the reader has gone, where rich would end the program with status 1."""
        raise BrokenPipeError


def console(stderr: bool = False) -> Console:
    """Return the console for output; it honours NO_COLOR and writes plain text to a pipe.

    Names of traces, files and variants are anybody's, so nothing in what is printed is markup.
    """
    made = _Console(stderr=stderr, highlight=False, soft_wrap=False, markup=False, emoji=False)
    made.push_render_hook(_ShownAsItIs())
    if not made.is_terminal:
        made.width = 80
    return made
