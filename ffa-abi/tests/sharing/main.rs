//! The ownership map: each rule by name, what fails half way, a model written differently, and every
//! state that a small system can reach.

mod borrow;
mod end;
mod failing;
mod flaws;
mod fragments;
mod map;
mod model;
mod rig;
mod search;
mod send;
mod single;
