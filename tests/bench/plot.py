# SPDX-License-Identifier: ISC
"""A row of small plots over one logarithmic axis, as SVG.

Plain text: what draws it need not be installed, and two runs can be compared.
"""
import html
import math

_WIDTH, _HEIGHT, _GAP = 210, 150, 66    # of a plot, and between two
_LEFT, _TOP, _BOTTOM = 52, 42, 76


class Plot:
    """One of them.

    title   what it shows, with the unit
    top     the upper end of the axis, which begins at 0; None: as needed
    lines   (name, {x: y} or {x: (low, y, high)}); the first is the bold one
    note    a line beneath
    """

    def __init__(self, title, top, lines, note=""):
        self.title, self.lines, self.note = title, lines, note
        self.top = top or _round_up(max(
            _three(y)[2] for _, values in lines for y in values.values()))


def _three(value):
    """A value, with the ends of the line through it."""
    return value if isinstance(value, tuple) else (value, value, value)


def _round_up(value):
    unit = 10 ** math.floor(math.log10(value))
    return unit * next(n for n in (1, 2, 4, 6, 8, 10) if n * unit >= value)


def _text(x, y, text, more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{html.escape(text)}</text>'


def _place(plot, xs, x, y):
    """Where a value is, within its plot."""
    left, right = math.log10(xs[0]), math.log10(xs[-1])
    across = (math.log10(x) - left) / (right - left)
    return across * _WIDTH, _HEIGHT * (1 - min(y, plot.top) / plot.top)


def _axes(plot, xs):
    parts = [f'<rect width="{_WIDTH}" height="{_HEIGHT}" class="frame"/>']
    for step in range(5):
        value = plot.top * step / 4
        y = _HEIGHT * (1 - step / 4)
        parts += [f'<path d="M0 {y:.1f}H{_WIDTH}" class="grid"/>',
                  _text(-6, y + 4, f"{value:g}", 'class="end"')]
    for x in xs:
        parts.append(_text(_place(plot, xs, x, 0)[0], _HEIGHT + 16,
                           f"{x:,}", 'class="middle"'))
    return parts


def _line(plot, xs, number, name, values):
    places = {x: [_place(plot, xs, x, part) for part in _three(value)]
              for x, value in values.items()}
    path = " ".join(f"{x:.1f},{y:.1f}" for _, (x, y), _ in places.values())
    parts = [f'<polyline points="{path}" class="line line{number}"/>']
    for low, middle, high in places.values():
        parts += [f'<path d="M{low[0]:.1f} {low[1]:.1f}V{high[1]:.1f}" '
                  f'class="line{number}"/>',
                  f'<circle cx="{middle[0]:.1f}" cy="{middle[1]:.1f}" r="3" '
                  f'class="dot{number}"/>']
    return parts + [_text(0, _HEIGHT + 34 + 14 * number, name,
                          f'class="name{number}"')]


def _plot(plot, xs, index):
    left = _LEFT + index * (_WIDTH + _GAP)
    parts = [f'<g transform="translate({left} {_TOP})">',
             _text(0, -14, plot.title, 'class="title"'), *_axes(plot, xs)]
    for number, (name, values) in enumerate(plot.lines):
        parts += _line(plot, xs, number, name, values)
    return parts + [_text(0, _HEIGHT + 62, plot.note, 'class="note"'), "</g>"]


_STYLE = """
text { font: 11px sans-serif; fill: #222 }
.title { font-weight: bold; font-size: 12px }
.note { fill: #666 }
.end { text-anchor: end }
.middle { text-anchor: middle }
.frame { fill: #fff; stroke: #888 }
.grid { stroke: #ddd }
.line { fill: none }
.line0 { stroke: #0057b7; stroke-width: 2 }
.line1 { stroke: #c05000; stroke-width: 1.5 }
.dot0, .name0 { fill: #0057b7 }
.dot1, .name1 { fill: #c05000 }
"""


def write(path, xs, plots):
    """The plots beside each other; all have values for each of `xs`."""
    width = _LEFT + len(plots) * (_WIDTH + _GAP)
    height = _TOP + _HEIGHT + _BOTTOM
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" '
             f'height="{height}" viewBox="0 0 {width} {height}">',
             f"<style>{_STYLE}</style>",
             f'<rect width="{width}" height="{height}" fill="#fff"/>']
    for index, plot in enumerate(plots):
        parts += _plot(plot, xs, index)
    path.write_text("\n".join([*parts, "</svg>", ""]), encoding="utf-8")
