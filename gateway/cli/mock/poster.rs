//! Draws what a service that makes pictures would draw: the nodes of a result, a row each.
//!
//! A row is a bar as long as the node's speed, its figure, and a dot for every column of words: green for an
//! unlocked service, red for a failed one, amber for anything between. Without a result there is a test card.
//! There is no font here but ten digits, so names are left to the bot's own table.

use std::io::Cursor;

use bytes::Bytes;
use image::{ImageFormat, Rgb, RgbImage};

use super::behaviour::Size;

/// One node.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    /// Its average speed, in bytes a second.
    pub(crate) speed: f64,
    /// What the columns of words say of it, in their order.
    pub(crate) marks: Vec<Mark>,
}

/// What a word in a table of services means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// It works.
    Good,
    /// It works in part, or nobody knows.
    Half,
    /// It does not.
    Bad,
}

/// Draws these rows, or a test card where there are none, as a PNG.
pub(crate) fn draw(rows: &[Row], size: Size) -> Bytes {
    let mut canvas = Canvas(RgbImage::from_pixel(size.width, size.height, PAPER));
    if rows.is_empty() {
        test_card(&mut canvas, size);
    } else {
        table(&mut canvas, rows, size);
    }
    canvas.png()
}

/// The mark for a word, as koipy's scripts write them.
pub(crate) fn mark(word: &str) -> Mark {
    match word {
        _ if word.starts_with("解锁") || word.starts_with("Yes") => Mark::Good,
        "失败" | "No" | "超时" => Mark::Bad,
        _ => Mark::Half,
    }
}

const PAPER: Rgb<u8> = Rgb([247, 247, 250]);
const STRIPE: Rgb<u8> = Rgb([236, 238, 245]);
const INK: Rgb<u8> = Rgb([60, 64, 80]);
const CARD: [Rgb<u8>; 7] = [
    Rgb([235, 235, 235]),
    Rgb([225, 205, 70]),
    Rgb([80, 200, 210]),
    Rgb([90, 185, 95]),
    Rgb([190, 95, 185]),
    Rgb([205, 75, 70]),
    Rgb([70, 90, 190]),
];

/// A row's layout, in pixels.
struct Grid {
    /// Between everything.
    gap: u32,
    /// How high bars and dots are.
    inner: u32,
    /// The longest bar.
    bar: u32,
    /// One pixel of a digit; 0 where a row is too low for digits.
    dot: u32,
}

fn table(canvas: &mut Canvas, rows: &[Row], size: Size) {
    let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    let pitch = (size.height / count).clamp(1, 45);
    let gap = pitch / 6;
    let inner = pitch - 2 * gap;
    let grid = Grid {
        gap,
        inner,
        bar: size.width / 3,
        dot: inner / (DIGIT_HEIGHT + 1),
    };
    let fastest = rows.iter().map(|row| row.speed).fold(1.0, f64::max);
    for (place, row) in (0..).zip(rows) {
        // Rows are a fraction of a pixel where there are more of them than lines.
        let top = (pitch * place).min(scaled(size.height, f64::from(place) / f64::from(count)));
        if place % 2 == 0 {
            canvas.fill(Area::new((0, top), (size.width, pitch)), STRIPE);
        }
        draw_row(canvas, &grid, top + gap, (row, row.speed / fastest));
    }
}

/// One row: bar, figure, dots.
fn draw_row(canvas: &mut Canvas, grid: &Grid, top: u32, (row, share): (&Row, f64)) {
    let share = share.clamp(0.0, 1.0);
    let bar = (scaled(grid.bar, share).max(1), grid.inner);
    canvas.fill(Area::new((grid.gap, top), bar), warmth(share));

    let step = (DIGIT_WIDTH + 1) * grid.dot;
    let figures = grid.bar + 2 * grid.gap + 1;
    for (place, digit) in (0..).zip(format!("{:.1}", row.speed / 1e6).chars()) {
        canvas.digit(digit, (figures + place * step, top + grid.dot / 2), grid.dot);
    }

    // Five characters are enough for a gigabyte a second.
    let dots = figures + 5 * step + grid.gap;
    for (place, mark) in (0..).zip(&row.marks) {
        canvas.disc(
            (dots + place * (grid.inner + grid.gap), top),
            grid.inner,
            shade(*mark),
        );
    }
}

/// Seven bars of colour over a strip of grey steps.
fn test_card(canvas: &mut Canvas, size: Size) {
    let edge = |place: u32| size.width * place / 7;
    let strip = size.height * 4 / 5;
    for (place, colour) in (0..).zip(CARD) {
        let (left, width) = (edge(place), edge(place + 1) - edge(place));
        canvas.fill(Area::new((left, 0), (width, strip)), colour);
        let grey = u8::try_from(place * 42).unwrap_or(u8::MAX);
        canvas.fill(
            Area::new((left, strip), (width, size.height - strip)),
            Rgb([grey; 3]),
        );
    }
}

/// From red for the slowest to green for the fastest.
fn warmth(share: f64) -> Rgb<u8> {
    let part = |from: u32, to: u32| {
        let mixed = if to >= from {
            from + scaled(to - from, share)
        } else {
            from - scaled(from - to, share)
        };
        u8::try_from(mixed).unwrap_or(u8::MAX)
    };
    Rgb([part(214, 76), part(96, 175), part(86, 110)])
}

fn shade(mark: Mark) -> Rgb<u8> {
    match mark {
        Mark::Good => Rgb([76, 175, 110]),
        Mark::Half => Rgb([235, 180, 70]),
        Mark::Bad => Rgb([214, 86, 86]),
    }
}

/// This share of a length. The share lies between 0 and 1, so nothing is cut off.
fn scaled(length: u32, share: f64) -> u32 {
    (f64::from(length) * share).round() as u32
}

/// A rectangle in pixels.
#[derive(Clone, Copy)]
struct Area {
    left: u32,
    top: u32,
    width: u32,
    height: u32,
}

/// A picture that is drawn on; what lies outside is left out.
struct Canvas(RgbImage);

const DIGIT_WIDTH: u32 = 3;
const DIGIT_HEIGHT: u32 = 5;
/// Three by five pixels for each digit, from the top left, a bit a pixel.
const DIGITS: [(char, u16); 11] = [
    ('0', 0b111_101_101_101_111),
    ('1', 0b010_110_010_010_111),
    ('2', 0b111_001_111_100_111),
    ('3', 0b111_001_111_001_111),
    ('4', 0b101_101_111_001_001),
    ('5', 0b111_100_111_001_111),
    ('6', 0b111_100_111_101_111),
    ('7', 0b111_001_010_010_010),
    ('8', 0b111_101_111_101_111),
    ('9', 0b111_101_111_001_111),
    ('.', 0b000_000_000_000_010),
];

// === impl Area ===

impl Area {
    fn new((left, top): (u32, u32), (width, height): (u32, u32)) -> Self {
        Self {
            left,
            top,
            width,
            height,
        }
    }
}

// === impl Canvas ===

impl Canvas {
    fn fill(&mut self, area: Area, colour: Rgb<u8>) {
        for y in area.top..area.top.saturating_add(area.height).min(self.0.height()) {
            for x in area.left..area.left.saturating_add(area.width).min(self.0.width()) {
                self.0.put_pixel(x, y, colour);
            }
        }
    }

    /// A line of pixels for each line of the disc, as long as its chord there.
    fn disc(&mut self, (left, top): (u32, u32), across: u32, colour: Rgb<u8>) {
        let radius = f64::from(across) / 2.0;
        for line in 0..across {
            let from_centre = (f64::from(line) + 0.5 - radius) / radius;
            let share = (1.0 - from_centre * from_centre).max(0.0).sqrt();
            let width = scaled(across, share);
            let start = (left + (across - width) / 2, top + line);
            self.fill(Area::new(start, (width, 1)), colour);
        }
    }

    fn digit(&mut self, digit: char, (left, top): (u32, u32), dot: u32) {
        let Some((_, bits)) = DIGITS.iter().find(|(known, _)| *known == digit) else {
            return;
        };
        for place in 0..DIGIT_WIDTH * DIGIT_HEIGHT {
            let (column, line) = (place % DIGIT_WIDTH, place / DIGIT_WIDTH);
            if bits >> (DIGIT_WIDTH * DIGIT_HEIGHT - 1 - place) & 1 == 1 {
                let start = (left + column * dot, top + line * dot);
                self.fill(Area::new(start, (dot, dot)), INK);
            }
        }
    }

    fn png(&self) -> Bytes {
        let mut png = Cursor::new(Vec::new());
        // A buffer that grows takes everything, and every size is a PNG's; there is nothing to go wrong.
        let written = self.0.write_to(&mut png, ImageFormat::Png);
        debug_assert!(written.is_ok());
        png.into_inner().into()
    }
}
