"""The chart: units per second of the client's processor time, a panel for each work, drawn by hand as SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from .figures import REFERENCE, Figures
from .works import NAMES, VARIANTS, WORKS, Work

PANELS = ("a", "b", "c", "d1", "d100")
WIDTH, NAMES_WIDTH, BARS_WIDTH = 760, 170, 430
TITLE_HEIGHT, BAR_HEIGHT, BAR_PITCH, MARGIN = 30, 14, 20, 16
TIMES = "\N{MULTIPLICATION SIGN}"
# One drawing for light and dark pages: these have about the same contrast, 4.5 to 1 for the text, with white and black.
TEXT, OURS, PEER = "#767676", "#2b7de0", "#9a9fa6"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def chart(figures: Figures, clients: Sequence[str]) -> str:
    """The SVG of the works that there are figures for; the floor, which is no client, is left out."""
    works = [work for work in WORKS if work.key in PANELS]
    title = f"Per second of the client's processor time; {TIMES} compares with {REFERENCE}"
    parts = [_text(MARGIN, MARGIN + 8, title, "start", bold=False)]
    top = 2 * MARGIN
    for work in works:
        rates = {c: _rate(figures, work, c) for c in clients if c != "floor" and figures.of(work.key, c)}
        if rates:
            parts += _panel(figures, work, rates, top)
            top += TITLE_HEIGHT + len(rates) * BAR_PITCH + MARGIN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" height="{top}" '
            f'role="img" aria-label="{escape(title)}" font-family="{escape(FONT)}" font-size="13" fill="{TEXT}">',
            f"<title>{escape(title)}</title>",
            *parts,
            "</svg>\n",
        ]
    )


def _rate(figures: Figures, work: Work, client: str) -> float:
    return figures.median(work.key, client, lambda run: run.per_cpu_second)


def _panel(figures: Figures, work: Work, rates: dict[str, float], top: int) -> Iterator[str]:
    yield _text(MARGIN, top + 16, f"{work.title[0].upper()}{work.title[1:]}: {work.unit}", "start", bold=True)
    longest = max(rates.values())
    for number, (client, rate) in enumerate(rates.items()):
        y = top + TITLE_HEIGHT + number * BAR_PITCH
        length = max(1.0, BARS_WIDTH * rate / longest)
        ours = VARIANTS.get(client, client) == "ours"
        yield _text(NAMES_WIDTH - 8, y + 11, NAMES[client], "end", bold=ours)
        yield (
            f'<rect x="{NAMES_WIDTH}" y="{y}" width="{length:.1f}" height="{BAR_HEIGHT}" rx="2" '
            f'fill="{OURS if ours else PEER}"/>'
        )
        value = f"{float(f'{rate:.3g}'):,.0f}"
        ratio = figures.ratio(work.key, client, work.key, REFERENCE)
        if ratio:
            value += f"  ({ratio.median:.{1 if ratio.median >= 1 else 2}f}{TIMES})"
        yield _text(NAMES_WIDTH + length + 6, y + 11, value, "start", bold=ours)


def _text(x: float, y: float, text: str, anchor: str, *, bold: bool) -> str:
    weight = ' font-weight="600"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{weight}>{escape(text)}</text>'
