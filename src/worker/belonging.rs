//! For how long a worker has belonged to no group that answers.

use std::time::Duration;

use crate::kafka::group_standing::GroupStanding;

/// What one member has seen of its group. Times are those of one monotonic clock.
#[derive(Debug)]
pub struct Belonging {
    /// Taken in at least once, or refused by somebody who can be asked for a permission.
    answered: bool,
    /// When we last belonged.
    last: Duration,
}

impl Belonging {
    /// A member that was just made.
    pub fn new(now: Duration) -> Self {
        Self { answered: false, last: now }
    }

    /// The group said something of us, if only that it refuses us.
    pub fn answer(&mut self) {
        self.answered = true;
    }

    /// Whether the group ever said anything of us.
    pub fn is_answered(&self) -> bool {
        self.answered
    }

    /// How long we have not belonged, now that we stand so.
    ///
    /// Before we are taken in, a rebalance that does not end is a reason to ask anew. After that we are in it with the
    /// others, whatever it takes: the group waits for one that died, and our shards run.
    pub fn alone(&mut self, standing: GroupStanding, now: Duration) -> Duration {
        self.answered |= standing == GroupStanding::Member;
        let belongs = match standing {
            GroupStanding::Member => true,
            GroupStanding::Rebalancing => self.answered,
            GroupStanding::Away => false,
        };
        if belongs {
            self.last = now;
        }
        now.saturating_sub(self.last)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Belonging;
    use crate::kafka::group_standing::GroupStanding::{self, Away, Member, Rebalancing};

    /// For how long one is alone at the end of these: a standing, and until which second it lasts.
    fn alone(seen: &[(GroupStanding, u64)]) -> u64 {
        let mut belonging = Belonging::new(Duration::ZERO);
        let (mut now, mut alone) = (0, Duration::ZERO);
        for (standing, until) in seen {
            while now < *until {
                now += 1;
                alone = belonging.alone(*standing, Duration::from_secs(now));
            }
        }
        alone.as_secs()
    }

    #[test]
    fn a_long_rebalance_leaves_nobody_alone_who_was_taken_in() {
        for (seen, expected) in [
            // Before the first answer: the group does not take us in.
            (vec![(Away, 5), (Rebalancing, 16)], 16),
            (vec![(Rebalancing, 16), (Member, 17)], 0),
            // A peer died, whose session takes a minute, or half an hour.
            (vec![(Member, 10), (Rebalancing, 70)], 0),
            (vec![(Member, 10), (Rebalancing, 1_800)], 0),
            // The coordinator is gone, once in the middle of a rebalance.
            (vec![(Member, 10), (Away, 25)], 15),
            (vec![(Member, 10), (Rebalancing, 70), (Away, 81)], 11),
            (vec![(Member, 10), (Away, 25), (Rebalancing, 26)], 0),
        ] {
            assert_eq!(alone(&seen), expected, "{seen:?}");
        }
    }

    #[test]
    fn a_refusal_is_an_answer() {
        let mut belonging = Belonging::new(Duration::ZERO);
        assert!(!belonging.is_answered());
        belonging.answer();
        assert!(belonging.is_answered());
        assert_eq!(belonging.alone(Rebalancing, Duration::from_secs(20)), Duration::ZERO);
        assert_eq!(belonging.alone(Away, Duration::from_secs(30)), Duration::from_secs(10));
    }
}
