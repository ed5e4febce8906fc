//! The timer of the image at S-EL2 (CNTHPS), one on each core. Its interrupt is level-sensitive: it is up from the moment
//! at which the timer fires until the timer is set anew or off.

use crate::{sysreg::isb, write_sysreg};

/// CNTHPS_CTL_EL2.ENABLE.
const ENABLE: u64 = 1 << 0;

/// Has it fire when the counter ([`ticks`](crate::timer::ticks)) reaches `at`, at once if it has. For `u64::MAX` it is off.
pub fn set(at: u64) {
    let control = if at == u64::MAX { 0 } else { ENABLE };
    // SAFETY: CNTHPS_CVAL_EL2 and CNTHPS_CTL_EL2, by their encodings: the timer is the image's own.
    unsafe {
        write_sysreg!("S3_4_C14_C5_2", at);
        write_sysreg!("S3_4_C14_C5_1", control);
    }
    isb();
}
