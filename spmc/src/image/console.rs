//! The machine, as the core's calls see it.

use ffa_abi::EndpointId;
use platform::endpoint_console;
use spmc::spm::Machine;

/// The machine of whichever core handles the call.
pub struct Port;

impl Machine for Port {
    fn console(&mut self, from: EndpointId, character: u8) {
        endpoint_console::write(from.0, character);
    }
}
