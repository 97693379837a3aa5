//! What goes wrong on request: the kinds of fault, how likely each is, and the draw for one request.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// One thing that can go wrong with an answer.
///
/// [`Slow`](FaultKind::Slow) and [`DateOff`](FaultKind::DateOff) change an answer and go together with any other kind;
/// of the rest, a request meets at most one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FaultKind {
    /// 500 E0000009, "Internal Server Error".
    Http500,
    /// 500 E0000009 in the words that Okta uses when a query took longer than its 30 s.
    Timeout,
    /// 503 E0000010, "Service is in read only mode".
    Http503,
    /// 400 E0000031, as for a filter that Okta does not support.
    Http400,
    /// 401 E0000011, although the token is right.
    Http401,
    /// 403 E0000006, although the token is right.
    Http403,
    /// 400 E0000001, "'after': must be a valid value", although the cursor is right.
    CursorRefused,
    /// From this request on, every cursor that was given out before is refused as by [`CursorRefused`](FaultKind::CursorRefused);
    /// those given out later are good. A request without a cursor is answered.
    CursorsLost,
    /// The page holds fewer events than `limit`, although there are more, and a `next` link behind its last one.
    ShortPage,
    /// The `next` link leads to the same page once more.
    PageTwice,
    /// 429 of the rate limit: nothing remaining, a reset some seconds ahead, and until then every further request is
    /// answered 429 too.
    RateLimit,
    /// 429 of the concurrency limit: limit 0, remaining 0, and a reset that is an estimate. Later requests are answered.
    Concurrency,
    /// The answer comes late.
    Slow,
    /// The connection is closed before the answer, or in the middle of its header.
    Cut,
    /// The connection is closed in the middle of the body, whose `content-length` is that of the whole.
    Truncate,
    /// The `next` link points to another origin.
    WrongOrigin,
    /// 302 to another origin.
    Redirect,
    /// `Date` is off, and `x-rate-limit-reset` is on the same clock.
    DateOff,
}

impl FaultKind {
    /// Every kind, in the order in which messages list them.
    pub const ALL: [FaultKind; 18] = [
        FaultKind::Http500,
        FaultKind::Timeout,
        FaultKind::Http503,
        FaultKind::Http400,
        FaultKind::Http401,
        FaultKind::Http403,
        FaultKind::CursorRefused,
        FaultKind::CursorsLost,
        FaultKind::ShortPage,
        FaultKind::PageTwice,
        FaultKind::RateLimit,
        FaultKind::Concurrency,
        FaultKind::Slow,
        FaultKind::Cut,
        FaultKind::Truncate,
        FaultKind::WrongOrigin,
        FaultKind::Redirect,
        FaultKind::DateOff,
    ];

    /// The kind's name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            FaultKind::Http500 => "http_500",
            FaultKind::Timeout => "timeout",
            FaultKind::Http503 => "http_503",
            FaultKind::Http400 => "http_400",
            FaultKind::Http401 => "http_401",
            FaultKind::Http403 => "http_403",
            FaultKind::CursorRefused => "cursor_refused",
            FaultKind::CursorsLost => "cursors_lost",
            FaultKind::ShortPage => "short_page",
            FaultKind::PageTwice => "page_twice",
            FaultKind::RateLimit => "rate_limit",
            FaultKind::Concurrency => "concurrency",
            FaultKind::Slow => "slow",
            FaultKind::Cut => "cut",
            FaultKind::Truncate => "truncate",
            FaultKind::WrongOrigin => "wrong_origin",
            FaultKind::Redirect => "redirect",
            FaultKind::DateOff => "date_off",
        }
    }

    /// Whether this kind changes an answer rather than replacing it, so that it goes together with any other.
    pub fn is_modifier(self) -> bool {
        matches!(self, FaultKind::Slow | FaultKind::DateOff)
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a set of faults was refused.
#[derive(Debug, Error, PartialEq)]
pub enum FaultError {
    /// The part before `=` names no kind.
    #[error("unknown fault `{kind}`: use one of {known}")]
    UnknownKind {
        /// What was written.
        kind: String,
        /// Every kind there is, comma-separated.
        known: String,
    },
    /// There is no `=`.
    #[error("fault `{fault}` has no probability: write KIND=PROBABILITY, as in `http_500=0.1`")]
    NoProbability {
        /// What was written.
        fault: String,
    },
    /// The probability is no number from 0 to 1.
    #[error("probability `{probability}` of fault `{kind}` is not a number from 0 to 1")]
    BadProbability {
        /// The kind it belongs to.
        kind: FaultKind,
        /// What was written.
        probability: String,
    },
    /// A kind was given twice.
    #[error("fault `{kind}` is given twice: give each kind once")]
    GivenTwice {
        /// The kind.
        kind: FaultKind,
    },
    /// The kinds that exclude each other are more likely than certain.
    #[error(
        "the probabilities of the faults add up to {sum}: keep all but `slow` and `date_off` at 1 or below together"
    )]
    OverOne {
        /// The sum of the probabilities.
        sum: f64,
    },
}

impl FromStr for FaultKind {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        FaultKind::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| FaultError::UnknownKind {
            kind: text.to_owned(),
            known: FaultKind::ALL.map(FaultKind::name).join(", "),
        })
    }
}

/// A kind and how likely it is, as `--fault` takes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// How likely, from 0 to 1.
    pub probability: f64,
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, probability) = text.split_once('=').ok_or_else(|| match text.parse::<FaultKind>() {
            Ok(_) => FaultError::NoProbability { fault: text.to_owned() },
            Err(unknown) => unknown,
        })?;
        let kind = kind.parse::<FaultKind>()?;
        match probability.parse::<f64>() {
            Ok(value) if (0.0..=1.0).contains(&value) => Ok(Fault { kind, probability: value }),
            _ => Err(FaultError::BadProbability { kind, probability: probability.to_owned() }),
        }
    }
}

/// The faults of a simulated org, checked: each kind once, and together no more likely than certain.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    faults: Vec<Fault>,
}

impl Faults {
    /// No faults.
    pub fn none() -> Self {
        Self::default()
    }

    /// One kind with its probability.
    ///
    /// # Errors
    /// [`FaultError`] when the probability is not from 0 to 1.
    pub fn one(kind: FaultKind, probability: f64) -> Result<Self, FaultError> {
        Self::new([(kind, probability)])
    }

    /// The given kinds with their probabilities.
    ///
    /// # Errors
    /// [`FaultError`] when a probability is not from 0 to 1, a kind is there twice, or the kinds that exclude each
    /// other add up to more than 1.
    pub fn new(faults: impl IntoIterator<Item = (FaultKind, f64)>) -> Result<Self, FaultError> {
        let mut checked: Vec<Fault> = Vec::new();
        let mut sum = 0.0;
        for (kind, probability) in faults {
            if !(0.0..=1.0).contains(&probability) {
                return Err(FaultError::BadProbability { kind, probability: probability.to_string() });
            }
            if checked.iter().any(|fault| fault.kind == kind) {
                return Err(FaultError::GivenTwice { kind });
            }
            if !kind.is_modifier() {
                sum += probability;
            }
            checked.push(Fault { kind, probability });
        }
        // Ten times 0.1 is a little more than 1 in binary.
        if sum > 1.0 + 1e-9 {
            return Err(FaultError::OverOne { sum });
        }
        Ok(Self { faults: checked })
    }

    /// Draws what goes wrong with one request.
    pub(super) fn draw(&self, rng: &mut fastrand::Rng) -> DrawnFaults {
        let mut drawn = DrawnFaults::default();
        let mut dice = rng.f64();
        for fault in &self.faults {
            if fault.kind.is_modifier() {
                if rng.f64() < fault.probability {
                    drawn.add(fault.kind);
                }
            } else if drawn.replaces.is_none() {
                if dice < fault.probability {
                    drawn.add(fault.kind);
                }
                dice -= fault.probability;
            }
        }
        drawn
    }
}

/// What goes wrong with one request.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct DrawnFaults {
    /// The one fault of those that exclude each other.
    pub(super) replaces: Option<FaultKind>,
    /// The answer comes late.
    pub(super) slow: bool,
    /// `Date` is off.
    pub(super) date_off: bool,
}

impl DrawnFaults {
    /// Adds a fault; a second one of those that exclude each other takes the place of the first.
    pub(super) fn add(&mut self, kind: FaultKind) {
        match kind {
            FaultKind::Slow => self.slow = true,
            FaultKind::DateOff => self.date_off = true,
            other => self.replaces = Some(other),
        }
    }

    /// The kinds, for the request log.
    pub(super) fn kinds(self) -> Vec<FaultKind> {
        let modifiers = [(self.slow, FaultKind::Slow), (self.date_off, FaultKind::DateOff)];
        self.replaces.into_iter().chain(modifiers.into_iter().filter(|(on, _)| *on).map(|(_, kind)| kind)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_that_reads_back() {
        for kind in FaultKind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
    }

    #[test]
    fn refusals_say_what_to_write() {
        let known = FaultKind::ALL.map(FaultKind::name).join(", ");
        for (text, message) in [
            ("http_418=0.1", format!("unknown fault `http_418`: use one of {known}")),
            ("nonsense", format!("unknown fault `nonsense`: use one of {known}")),
            ("cut", "fault `cut` has no probability: write KIND=PROBABILITY, as in `http_500=0.1`".to_owned()),
            ("cut=2", "probability `2` of fault `cut` is not a number from 0 to 1".to_owned()),
            ("cut=NaN", "probability `NaN` of fault `cut` is not a number from 0 to 1".to_owned()),
            ("cut=", "probability `` of fault `cut` is not a number from 0 to 1".to_owned()),
        ] {
            assert_eq!(text.parse::<Fault>().expect_err(text).to_string(), message);
        }
        assert!(matches!(
            Faults::new([(FaultKind::Cut, 0.1), (FaultKind::Cut, 0.1)]),
            Err(FaultError::GivenTwice { kind: FaultKind::Cut })
        ));
        assert!(matches!(
            Faults::new([(FaultKind::Cut, 0.6), (FaultKind::Http500, 0.6)]),
            Err(FaultError::OverOne { .. })
        ));
        assert!(Faults::new([(FaultKind::Cut, 1.0), (FaultKind::Slow, 1.0), (FaultKind::DateOff, 1.0)]).is_ok());
    }

    #[test]
    fn a_fault_is_as_likely_as_asked() {
        let faults = Faults::new([
            (FaultKind::Http500, 0.1),
            (FaultKind::Slow, 0.5),
            (FaultKind::Cut, 0.2),
            (FaultKind::DateOff, 0.0),
        ])
        .expect("valid");
        let mut rng = fastrand::Rng::with_seed(7);
        let draws: Vec<DrawnFaults> = (0..10_000).map(|_| faults.draw(&mut rng)).collect();
        let share = |hit: &dyn Fn(&DrawnFaults) -> bool| draws.iter().filter(|draw| hit(draw)).count();
        for (count, expected) in [
            (share(&|draw| draw.replaces == Some(FaultKind::Http500)), 1_000),
            (share(&|draw| draw.replaces == Some(FaultKind::Cut)), 2_000),
            (share(&|draw| draw.slow), 5_000),
        ] {
            assert!(count.abs_diff(expected) < 200, "{count} instead of about {expected}");
        }
        assert_eq!(share(&|draw| draw.date_off), 0);
    }
}
