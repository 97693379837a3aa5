//! The rules of the task: one table for the guide's pseudocode, one test for each rule on top of it, and random histories.

mod histories;
mod history;
mod known;
mod pages;
mod poison;
mod recoveries;
mod rules;
mod start_up;
mod told;
mod world;
