//! SGIs: ICC_SGI1R_EL1.

use super::{VGic, bit};

impl VGic {
    /// What a vCPU's write of ICC_SGI1R_EL1 does. Gives back who must look; the writer may be among them.
    ///
    /// ICC_ASGI1R_EL1 and ICC_SGI0R_EL1 do nothing here: no interrupt is in the groups that they are for.
    pub fn sgi(&mut self, vcpu: u8, sgi1r: u64) -> u8 {
        // Aff3, RS, Aff2 and Aff1 are zero for every vCPU.
        const ELSEWHERE: u64 = 0xff << 48 | 0xf << 44 | 0xff << 32 | 0xff << 16;
        const ALL_OTHERS: u64 = 1 << 40;
        if vcpu >= self.vcpus {
            return 0;
        }
        let [.., number, _, _, _] = sgi1r.to_be_bytes();
        let [.., list] = sgi1r.to_be_bytes();
        let targets = if sgi1r & ALL_OTHERS != 0 {
            !bit(vcpu)
        } else if sgi1r & ELSEWHERE == 0 {
            list
        } else {
            0
        };
        (0..self.vcpus)
            .filter(|target| targets & bit(*target) != 0)
            .fold(0, |kick, target| {
                kick | self.pend(target, (number & 0xf).into())
            })
    }
}
