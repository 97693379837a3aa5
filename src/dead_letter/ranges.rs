//! Offsets of one partition, as ranges: what many of them have in common is that they stand side by side.

use std::collections::BTreeMap;

/// A set of offsets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OffsetRanges {
    /// First and last offset of each range; two of them neither touch nor overlap.
    ranges: BTreeMap<i64, i64>,
}

impl OffsetRanges {
    /// Adds one offset.
    pub fn insert(&mut self, offset: i64) {
        self.insert_range(offset, offset);
    }

    /// Adds all from `first` to `last`; none where `last` is before `first`.
    pub fn insert_range(&mut self, first: i64, last: i64) {
        if last < first {
            return;
        }
        let (mut first, mut last) = (first, last);
        // Those that touch or overlap become part of it, from the last one on.
        while let Some((&start, &end)) = self.ranges.range(..=last.saturating_add(1)).next_back() {
            if end < first.saturating_sub(1) {
                break;
            }
            let _ = self.ranges.remove(&start);
            first = first.min(start);
            last = last.max(end);
        }
        let _ = self.ranges.insert(first, last);
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: &Self) {
        for (first, last) in other.iter() {
            self.insert_range(first, last);
        }
    }

    /// Whether this offset is in it.
    pub fn contains(&self, offset: i64) -> bool {
        self.ranges.range(..=offset).next_back().is_some_and(|(_, last)| offset <= *last)
    }

    /// First and last offset of each range, in order.
    pub fn iter(&self) -> impl Iterator<Item = (i64, i64)> {
        self.ranges.iter().map(|(first, last)| (*first, *last))
    }

    /// The lowest offset.
    pub fn first(&self) -> Option<i64> {
        self.ranges.keys().next().copied()
    }

    /// How many offsets it has.
    pub fn count(&self) -> u64 {
        self.iter().map(|(first, last)| last.abs_diff(first) + 1).sum()
    }

    /// Those that `other` has not.
    pub fn minus(&self, other: &Self) -> Self {
        let mut left = Self::default();
        for (first, last) in self.iter() {
            let mut next = Some(first);
            let before = other.ranges.range(..=first).next_back().map_or(first, |(start, _)| *start);
            for (start, end) in other.ranges.range(before..=last) {
                let Some(from) = next.filter(|from| from <= end) else { continue };
                left.insert_range(from, start.saturating_sub(1));
                next = end.checked_add(1);
            }
            if let Some(from) = next {
                left.insert_range(from, last);
            }
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn of(ranges: &[(i64, i64)]) -> OffsetRanges {
        let mut set = OffsetRanges::default();
        for (first, last) in ranges {
            set.insert_range(*first, *last);
        }
        set
    }

    #[test]
    fn neighbours_are_one_range() {
        for (added, wanted) in [
            (&[][..], &[][..]),
            (&[(3, 2)], &[]),
            (&[(1, 1), (2, 2), (3, 3)], &[(1, 3)]),
            (&[(3, 3), (1, 1), (2, 2)], &[(1, 3)]),
            (&[(1, 1), (3, 3)], &[(1, 1), (3, 3)]),
            (&[(1, 9), (3, 4)], &[(1, 9)]),
            (&[(3, 4), (6, 7), (1, 9)], &[(1, 9)]),
            (&[(i64::MAX, i64::MAX), (0, 0), (1, i64::MAX - 1)], &[(0, i64::MAX)]),
        ] {
            assert_eq!(of(added).iter().collect::<Vec<_>>(), wanted, "{added:?}");
        }
    }

    proptest! {
        #[test]
        fn it_is_the_set_of_its_offsets(
            added in vec((0..60_i64, 0..6_i64), 0..30),
            others in vec((0..60_i64, 0..20_i64), 0..10),
        ) {
            let ranges = |pairs: &[(i64, i64)]| of(&pairs.iter().map(|(at, more)| (*at, at + more)).collect::<Vec<_>>());
            let plain = |pairs: &[(i64, i64)]| pairs.iter().flat_map(|(at, more)| *at..=at + more).collect::<BTreeSet<i64>>();
            let (set, other) = (ranges(&added), ranges(&others));
            let (expected, unwanted) = (plain(&added), plain(&others));
            for offset in -1..100 {
                prop_assert_eq!(set.contains(offset), expected.contains(&offset));
            }
            let listed: BTreeSet<i64> = set.iter().flat_map(|(first, last)| first..=last).collect();
            prop_assert_eq!(&listed, &expected);
            prop_assert!(set.iter().zip(set.iter().skip(1)).all(|(one, next)| one.1 + 1 < next.0), "{:?}", set);
            prop_assert_eq!(set.first(), expected.first().copied());
            prop_assert_eq!(set.count(), expected.len() as u64);
            let left = set.minus(&other);
            let listed: BTreeSet<i64> = left.iter().flat_map(|(first, last)| first..=last).collect();
            prop_assert_eq!(listed, expected.difference(&unwanted).copied().collect::<BTreeSet<i64>>());
            let mut both = set.clone();
            both.extend(&other);
            prop_assert_eq!(both, ranges(&[added.clone(), others.clone()].concat()));
        }
    }
}
