"""Growth curves as a picture: SVG, written by hand, since it is four panels and a legend."""

import html
import math

WIDTH, HEIGHT = 430, 280
LEFT, RIGHT, TOP, BOTTOM = 62, 24, 44, 46
COLOURS = ["#0b6e4f", "#c2410c", "#475569", "#7c3aed"]


class Panel:
    """One growth: what grows, what is measured, and for each name the points."""

    def __init__(self, title, across, up, curves, is_logarithmic=False, is_to_scale=False):
        self.title = title
        self.across = across
        self.up = up
        self.curves = curves
        # Upwards.
        self.is_logarithmic = is_logarithmic
        # Across; else one step is as wide as the other.
        self.is_to_scale = is_to_scale


def draw(panels, names):
    """All panels, two beside each other, and whose curve is whose."""
    rows = math.ceil(len(panels) / 2)
    width, height = 2 * WIDTH, rows * HEIGHT + 34
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    colours = dict(zip(names, COLOURS))
    at = LEFT
    for name in names:
        parts.append(f'<rect x="{at}" y="12" width="18" height="4" fill="{colours[name]}"/>')
        parts.append(f'<text x="{at + 24}" y="18" fill="#111827">{html.escape(name)}</text>')
        at += 44 + 8 * len(name)
    for nth, panel in enumerate(panels):
        x, y = nth % 2 * WIDTH, nth // 2 * HEIGHT + 30
        parts.append(f'<g transform="translate({x} {y})">{panel_parts(panel, colours)}</g>')
    parts.append("</svg>\n")
    return "\n".join(parts)


def panel_parts(panel, colours):
    points = [point for curve in panel.curves.values() for point in curve]
    columns = sorted({across for across, _, _ in points})
    labels = {across: label for across, label, _ in points}
    to_y, ticks = upward([value for _, _, value in points], panel.is_logarithmic)
    inner = WIDTH - LEFT - RIGHT
    steps = columns if panel.is_to_scale else range(len(columns))
    widest = max(steps[-1] - steps[0], 1)
    to_x = {across: LEFT + inner * (step - steps[0]) / widest for across, step in zip(columns, steps)}
    parts = [
        f'<text x="{LEFT}" y="18" font-weight="bold" fill="#111827">{html.escape(panel.title)}</text>',
        f'<text x="{LEFT}" y="34" fill="#4b5563">{html.escape(panel.up)}</text>',
        f'<text x="{LEFT + inner / 2}" y="{HEIGHT - 8}" text-anchor="middle" fill="#4b5563">'
        f"{html.escape(panel.across)}</text>",
    ]
    for value in ticks:
        y = to_y(value)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e5e7eb"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#4b5563">{short(value)}</text>')
    for across in columns:
        parts.append(
            f'<text x="{to_x[across]:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle" fill="#4b5563">'
            f"{html.escape(labels[across])}</text>"
        )
    for name, curve in panel.curves.items():
        line = " ".join(f"{to_x[across]:.1f},{to_y(value):.1f}" for across, _, value in curve)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colours[name]}" stroke-width="2"/>')
        for across, _, value in curve:
            parts.append(f'<circle cx="{to_x[across]:.1f}" cy="{to_y(value):.1f}" r="3" fill="{colours[name]}"/>')
    return "\n".join(parts)


def upward(values, is_logarithmic):
    """From a value to where it is, and the values that get a line."""
    bottom, height = HEIGHT - BOTTOM, HEIGHT - BOTTOM - TOP
    most = max(values)
    if is_logarithmic:
        low = math.floor(math.log10(min(values)))
        high = max(math.ceil(math.log10(most)), low + 1)
        ticks = [10.0**power for power in range(low, high + 1)]
        return lambda value: bottom - (math.log10(value) - low) / (high - low) * height, ticks
    step = 10 ** math.floor(math.log10(most or 1))
    step = next(step * part for part in (0.2, 0.5, 1, 2) if most / (step * part) <= 6)
    high = math.ceil(most / step) * step or 1
    ticks = [step * nth for nth in range(round(high / step) + 1)]
    return lambda value: bottom - value / high * height, ticks


def short(value):
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
