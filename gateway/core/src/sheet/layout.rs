//! Where each picture stands on the sheet, so that Telegram takes it as a photo.

use std::ops::Range;

/// The most that width and height may add up to, in pixels.
const MAX_SIDES: u64 = 10_000;

/// The most that the longer side may be of the shorter.
const MAX_RATIO: u64 = 20;

/// A width and a height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) width: u32,
    pub(super) height: u32,
}

/// The sheet: its size, and a place for each picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// The whole sheet, within Telegram's limits.
    pub(super) size: Size,
    /// One a picture, in order.
    pub(super) places: Vec<Place>,
}

/// Where one picture stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Pixels from the left.
    pub(super) left: u32,
    /// Pixels from the top.
    pub(super) top: u32,
    /// Its size there.
    pub(super) size: Size,
}

// === impl Size ===

impl Size {
    /// How many pixels it has.
    pub(super) fn pixels(self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// Width and height the other way round.
    pub(super) fn turned(self) -> Self {
        Self {
            width: self.height,
            height: self.width,
        }
    }

    /// The size times a factor of at most 1, at least one pixel by one.
    pub(super) fn scaled(self, factor: f64) -> Self {
        let side = |pixels: u32| ((f64::from(pixels) * factor) as u32).max(1);
        Self {
            width: side(self.width),
            height: side(self.height),
        }
    }
}

impl From<(u32, u32)> for Size {
    fn from((width, height): (u32, u32)) -> Self {
        Self { width, height }
    }
}

// === impl Layout ===

impl Layout {
    /// The layout of pictures of these sizes, none of them empty, in their order: the fewest columns that
    /// keep the limits, each filled before the next. If none do, the number of columns that has to be scaled
    /// down least, with a margin where it is too slim.
    pub(super) fn of(pictures: &[Size]) -> Self {
        let columns = 1..=pictures.len().max(1);
        let fitting = columns.clone().find(|&columns| {
            let extent = Extent::of(pictures, &split(pictures, columns));
            extent.is_photo()
        });
        if let Some(columns) = fitting {
            return Self::placed(pictures, columns);
        }
        let factor = |columns: usize| {
            let extent = Extent::of(pictures, &split(pictures, columns)).padded();
            (MAX_SIDES as f64 / extent.sides() as f64).min(1.0)
        };
        let mut best = (1, factor(1));
        for columns in columns.skip(1) {
            let factor = factor(columns);
            if factor > best.1 {
                best = (columns, factor);
            }
        }
        Self::scaled(pictures, best.0, best.1)
    }

    /// So many columns, scaled by a factor, or by a little less where rounding would break a limit.
    fn scaled(pictures: &[Size], columns: usize, mut factor: f64) -> Self {
        loop {
            let smaller: Vec<Size> = pictures.iter().map(|size| size.scaled(factor)).collect();
            let layout = Self::placed(&smaller, columns);
            // At the latest when every picture is one pixel by one, since there are at most 256.
            if u64::from(layout.size.width) + u64::from(layout.size.height) <= MAX_SIDES {
                return layout;
            }
            factor *= 0.99;
        }
    }

    /// So many columns, as they are, with the margin that they need.
    fn placed(pictures: &[Size], columns: usize) -> Self {
        let columns = split(pictures, columns);
        let extent = Extent::of(pictures, &columns).padded();
        let mut places = Vec::with_capacity(pictures.len());
        let mut left = 0;
        for column in columns {
            let mut top = 0;
            let mut width = 0;
            for &size in pictures.get(column).unwrap_or_default() {
                places.push(Place { left, top, size });
                top += size.height;
                width = width.max(size.width);
            }
            left += width;
        }
        Self {
            size: extent.into(),
            places,
        }
    }
}

// === columns ===

/// What a number of columns take, in pixels: more than fits a [`Size`] as long as nothing is scaled.
#[derive(Debug, Clone, Copy)]
struct Extent {
    width: u64,
    height: u64,
}

impl Extent {
    /// The extent of columns of pictures.
    fn of(pictures: &[Size], columns: &[Range<usize>]) -> Self {
        let mut extent = Self { width: 0, height: 0 };
        for column in columns {
            let column = pictures.get(column.clone()).unwrap_or_default();
            let width = column.iter().map(|size| u64::from(size.width)).max();
            let height: u64 = column.iter().map(|size| u64::from(size.height)).sum();
            extent.width += width.unwrap_or(0);
            extent.height = extent.height.max(height);
        }
        extent
    }

    fn sides(self) -> u64 {
        self.width + self.height
    }

    /// Whether Telegram takes it as a photo.
    fn is_photo(self) -> bool {
        let (short, long) = (self.width.min(self.height), self.width.max(self.height));
        self.sides() <= MAX_SIDES && long <= MAX_RATIO * short
    }

    /// As wide, and as high, as the ratio wants.
    fn padded(self) -> Self {
        Self {
            width: self.width.max(self.height.div_ceil(MAX_RATIO)),
            height: self.height.max(self.width.div_ceil(MAX_RATIO)),
        }
    }
}

impl From<Extent> for Size {
    fn from(extent: Extent) -> Self {
        let side = |pixels: u64| u32::try_from(pixels).unwrap_or(u32::MAX);
        Self {
            width: side(extent.width),
            height: side(extent.height),
        }
    }
}

/// Splits pictures in order into at most so many columns, the highest as low as can be.
fn split(pictures: &[Size], columns: usize) -> Vec<Range<usize>> {
    let heights = || pictures.iter().map(|size| u64::from(size.height));
    let mut low = heights().max().unwrap_or(0);
    let mut high = heights().sum();
    while low < high {
        let middle = low.midpoint(high);
        if filled(pictures, middle).len() <= columns {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    filled(pictures, low)
}

/// Columns of at most this height, each filled before the next. No picture may be higher.
fn filled(pictures: &[Size], height: u64) -> Vec<Range<usize>> {
    let mut columns = Vec::new();
    let mut start = 0;
    let mut top = 0;
    for (index, size) in pictures.iter().enumerate() {
        let bottom = top + u64::from(size.height);
        if bottom > height {
            columns.push(start..index);
            start = index;
            top = u64::from(size.height);
        } else {
            top = bottom;
        }
    }
    columns.push(start..pictures.len());
    columns
}

#[cfg(test)]
#[path = "layout/tests.rs"]
mod tests;
