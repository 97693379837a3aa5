//! Finds the records that Kafka refuses among many, by halves: each trial is a transaction that is always aborted.
//!
//! Kafka says of a batch that it is refused, and seldom which record of it is why. A trial says whether any record of a
//! set is refused; a set that is refused is halved. A single record that is refused is a culprit. Where no single one
//! is, the set as a whole was too much: that is no record's fault.
//!
//! With `k` culprits among `n` suspects it takes at most `1 + 2 k ceil(log2 n)` trials, and never more than `2 n - 1`.

/// A search; numbers stand for records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bisection {
    /// Sets that are still to be tried, the next one last.
    open: Vec<Vec<u32>>,
    culprits: Vec<u32>,
}

impl Bisection {
    /// Among these. Suspects that are alike should stand beside each other: then culprits share their trials.
    pub fn new(suspects: Vec<u32>) -> Self {
        let open = if suspects.is_empty() { Vec::new() } else { vec![suspects] };
        Self { open, culprits: Vec::new() }
    }

    /// The records to try next, together; nothing when all is known.
    pub fn trial(&self) -> Option<&[u32]> {
        self.open.last().map(Vec::as_slice)
    }

    /// Takes the answer to [`Bisection::trial`]: whether any of them was refused.
    pub fn answer(&mut self, refused: bool) {
        let Some(mut set) = self.open.pop().filter(|_| refused) else { return };
        if let [culprit] = set[..] {
            self.culprits.push(culprit);
            return;
        }
        let second = set.split_off(set.len().div_ceil(2));
        self.open.push(second);
        self.open.push(set);
    }

    /// Those that were refused alone, so far.
    pub fn culprits(&self) -> &[u32] {
        &self.culprits
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::btree_set;
    use proptest::prelude::*;

    use super::*;

    /// Runs a search to its end; gives the culprits, sorted, and the number of trials.
    fn run(suspects: &[u32], refuses: impl Fn(&[u32]) -> bool) -> (Vec<u32>, usize) {
        let mut bisection = Bisection::new(suspects.to_vec());
        let mut trials = 0;
        while let Some(set) = bisection.trial() {
            assert!(!set.is_empty());
            let refused = refuses(set);
            bisection.answer(refused);
            trials += 1;
        }
        let mut culprits = bisection.culprits().to_vec();
        culprits.sort_unstable();
        (culprits, trials)
    }

    fn bound(suspects: usize, culprits: usize) -> usize {
        let halvings = suspects.next_power_of_two().trailing_zeros() as usize;
        (1 + 2 * culprits * halvings).min((2 * suspects).saturating_sub(1))
    }

    #[test]
    fn every_subset_of_up_to_nine_is_found_exactly() {
        for n in 0..=9_u32 {
            let suspects: Vec<u32> = (0..n).collect();
            for subset in 0..1_u32 << n {
                let guilty: Vec<u32> = (0..n).filter(|record| subset >> record & 1 == 1).collect();
                let (found, trials) = run(&suspects, |set| set.iter().any(|record| guilty.contains(record)));
                assert_eq!(found, guilty, "of {n}");
                assert!(trials <= bound(suspects.len(), guilty.len()), "{trials} trials for {guilty:?} of {n}");
            }
        }
    }

    /// A batch that is too large though each record would be taken: nobody is to blame.
    #[test]
    fn a_set_that_is_too_much_has_no_culprit() {
        for (n, most) in [(2, 1), (100, 1), (100, 7), (4000, 60)] {
            let suspects: Vec<u32> = (0..n).collect();
            let (found, trials) = run(&suspects, |set| set.len() > most);
            assert_eq!(found, [0; 0]);
            assert!(trials < 2 * suspects.len());
        }
        let (found, _) = run(&(0..100).collect::<Vec<_>>(), |set| set.len() > 7 || set.contains(&42));
        assert_eq!(found, [42], "one of both kinds of trouble does not hide the other");
    }

    proptest! {
        #[test]
        fn culprits_are_found_exactly_and_soon(n in 1..3000_u32, picks in btree_set(0..3000_u32, 0..8)) {
            let suspects: Vec<u32> = (0..n).collect();
            let guilty: Vec<u32> = picks.into_iter().filter(|record| *record < n).collect();
            let (found, trials) = run(&suspects, |set| set.iter().any(|record| guilty.contains(record)));
            prop_assert_eq!(&found, &guilty);
            prop_assert!(trials <= bound(suspects.len(), guilty.len()), "{} trials", trials);
        }
    }
}
