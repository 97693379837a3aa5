//! Medians, and the bounds that they must keep.

use std::process::ExitCode;
use std::time::Duration;

use crate::support::prove;

/// All bounds of this run.
#[derive(Default)]
pub struct Bounds {
    broken: usize,
}

/// One promise with its figures: kept only when every one of its bounds is.
pub struct Promise {
    /// Its row in tests/prove/rows.txt.
    pub id: &'static str,
    /// What is promised.
    pub promise: &'static str,
    /// What was done.
    pub done: String,
    /// What came of it.
    pub result: String,
    /// Whether every bound was kept.
    pub kept: bool,
}

impl Bounds {
    /// Says how a promise did, and records its row when it was kept.
    pub fn judge(&mut self, promise: &Promise) {
        let verdict = if promise.kept { "kept" } else { "BROKEN" };
        println!("{verdict}: {}\n  {}\n  {}\n", promise.promise, promise.done, promise.result);
        if promise.kept {
            prove::row(promise.id, promise.promise, &promise.done, &promise.result);
        } else {
            self.broken += 1;
        }
    }

    /// 1 when any promise was broken.
    pub fn exit_code(&self) -> ExitCode {
        if self.broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// The median of some measurements, with the smallest and the largest.
pub struct Median {
    /// The middle one; of an even number the mean of the two in the middle.
    pub middle: f64,
    /// The smallest.
    pub least: f64,
    /// The largest.
    pub most: f64,
}

impl Median {
    /// Of at least one measurement.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
        Self { middle: low.midpoint(high), least: values[0], most: values[values.len() - 1] }
    }

    /// Of times, in seconds.
    pub fn of_seconds(times: impl IntoIterator<Item = Duration>) -> Self {
        Self::of(times.into_iter().map(|time| time.as_secs_f64()))
    }

    /// With the range, as `1.23 s (1.20-1.31)`.
    pub fn text(&self, unit: &str) -> String {
        format!("{:.2} {unit} ({:.2}-{:.2})", self.middle, self.least, self.most)
    }
}
