//! The whole pipeline in one process, for people who want to see it before they set anything up: a simulated org, a
//! broker, and the worker that `run` runs.
//!
//! [`stage`] puts the parts up and takes them down, [`watcher`] follows the topic while it fills, [`read_back`] reads it
//! once more from its beginning, [`check`] holds that against what the org has, and [`summary`] tells it. `progress`, `style` and `excerpt` are how it
//! looks; `cli::demo` is the plot.

pub mod check;
pub mod excerpt;
pub mod progress;
pub mod read_back;
pub mod stage;
pub mod style;
pub mod summary;
pub mod watcher;
