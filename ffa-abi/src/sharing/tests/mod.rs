//! Tests of the ownership map.
