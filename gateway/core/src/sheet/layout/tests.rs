use proptest::prelude::*;

use super::*;

fn sizes(list: &[(u32, u32)]) -> Vec<Size> {
    list.iter().copied().map(Size::from).collect()
}

/// The sheet's size and the corner of each picture on it.
fn check(pictures: &[(u32, u32)], size: (u32, u32), corners: &[(u32, u32)]) {
    let pictures = sizes(pictures);
    let layout = Layout::of(&pictures);
    let found: Vec<_> = layout
        .places
        .iter()
        .map(|place| (place.left, place.top))
        .collect();
    assert_eq!(
        (layout.size, found.as_slice()),
        (size.into(), corners),
        "{pictures:?}"
    );
    assert!(
        layout
            .places
            .iter()
            .zip(pictures)
            .all(|(place, size)| place.size == size)
    );
}

#[test]
fn one_column_as_long_as_it_is_a_photo() {
    check(&[(300, 200)], (300, 200), &[(0, 0)]);
    check(
        &[(300, 200), (100, 50), (200, 70)],
        (300, 320),
        &[(0, 0), (0, 200), (0, 250)],
    );
    check(&[(1000, 4500), (900, 4500)], (1000, 9000), &[(0, 0), (0, 4500)]);
    check(&[(100, 1000), (100, 1000)], (100, 2000), &[(0, 0), (0, 1000)]);
}

#[test]
fn as_few_columns_as_keep_the_limits() {
    // Width and height would add up to 10,001.
    check(&[(1000, 4500), (900, 4501)], (1900, 4501), &[(0, 0), (1000, 0)]);
    // The ratio would be over 20.
    check(&[(100, 1000), (100, 1001)], (200, 1001), &[(0, 0), (100, 0)]);
    // Three columns: two would still be 12,000 high.
    check(
        &[
            (600, 4000),
            (600, 4000),
            (600, 4000),
            (600, 4000),
            (600, 4000),
            (600, 4000),
        ],
        (1800, 8000),
        &[(0, 0), (0, 4000), (600, 0), (600, 4000), (1200, 0), (1200, 4000)],
    );
    // In order, though 1 and 3 would make an evener pair.
    check(
        &[(600, 8000), (600, 2000), (700, 300)],
        (1300, 8000),
        &[(0, 0), (600, 0), (600, 2000)],
    );
}

#[test]
fn a_margin_where_no_number_of_columns_is_wide_enough() {
    check(&[(50, 4000), (50, 4000)], (400, 8000), &[(0, 0), (0, 4000)]);
    check(&[(4000, 50), (4000, 50)], (4000, 200), &[(0, 0), (0, 50)]);
    check(&[(1, 100)], (5, 100), &[(0, 0)]);
}

#[test]
fn scaled_down_where_nothing_else_helps() {
    let scaled = |pictures: &[(u32, u32)]| {
        let layout = Layout::of(&sizes(pictures));
        let sides = layout.size.width + layout.size.height;
        assert!((9_900..=10_000).contains(&sides), "{layout:?}");
        layout
    };
    let layout = scaled(&[(5000, 8000), (5000, 8000)]);
    assert_eq!(
        (layout.places[1].left, layout.places[0].size),
        (5000 * 5 / 9, (2777, 4444).into())
    );
    scaled(&[(4000, 4000); 30]);
    scaled(&[(12_000, 2_000), (300, 200)]);
}

proptest! {
    /// Any pictures get a sheet that Telegram takes, each its own place on it, in order, at one scale.
    #[test]
    fn every_sheet_is_a_photo(
        pictures in proptest::collection::vec((1..30_000_u32, 1..30_000_u32), 1..40)
    ) {
        let pictures = sizes(&pictures);
        let Layout { size, places } = Layout::of(&pictures);
        let (short, long) = (size.width.min(size.height), size.width.max(size.height));
        prop_assert!(size.width + size.height <= 10_000, "{size:?}");
        prop_assert!(long <= 20 * short, "{size:?}");
        prop_assert_eq!(places.len(), pictures.len());
        for pair in places.windows(2) {
            let (above, below) = (pair[0], pair[1]);
            let stacked = below.left == above.left && below.top == above.top + above.size.height;
            let next_column = below.top == 0 && below.left >= above.left + above.size.width;
            prop_assert!(stacked || next_column, "{above:?} {below:?}");
        }
        for place in places {
            prop_assert!(place.left + place.size.width <= size.width);
            prop_assert!(place.top + place.size.height <= size.height);
        }
    }
}
