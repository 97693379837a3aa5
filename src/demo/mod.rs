//! The whole pipeline in one process, for people who want to see it before they set anything up: a simulated org, a
//! broker, and the worker that `run` runs.
//!
//! [`stage`] puts the parts up and takes them down, [`watcher`] follows the topic while it fills, [`check`] holds what a
//! consumer reads back against what the org has, and [`summary`] tells it. `progress`, `style` and `excerpt` are how it
//! looks; `cli::demo` is the plot.

pub mod check;
pub mod excerpt;
pub mod progress;
pub mod stage;
pub mod style;
pub mod summary;
pub mod watcher;
