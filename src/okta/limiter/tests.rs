mod rules;
mod simulation;
mod windows;
