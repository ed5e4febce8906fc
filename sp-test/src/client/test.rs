//! `client-test`: the suite.
use super::Client;
use crate::rt::entry::Boot;
/// The image's start.
pub fn main(boot: &Boot) -> ! {
    let client = Client::start("client-test", boot);
    client.end()
}
