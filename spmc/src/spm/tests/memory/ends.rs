//! XXX
