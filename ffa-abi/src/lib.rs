//! Types.
#![no_std]
