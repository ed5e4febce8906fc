//! Several VMs behind the proxy.

mod machine;

pub use machine::Gp;
pub(crate) use machine::no_memory;
