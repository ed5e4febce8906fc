//! `client-bench`: windows.
use super::Client;
use crate::rt::entry::Boot;
/// The image's start.
pub fn main(boot: &Boot) -> ! {
    let client = Client::start("client-bench", boot);
    client.end()
}
