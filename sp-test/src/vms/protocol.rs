//! What a client asks of another VM beyond the [matrix's protocol](crate::contract::protocol): commands in
//! the same place with the same four arguments and details, and actions.

/// Command: touches address argument 0 by argument 1 ([`READ`](crate::protocol::READ),
/// [`WRITE`](crate::protocol::WRITE), [`EXECUTE`](crate::protocol::EXECUTE), or [`READ_32`]). Answers 1 if that
/// faulted, ESR_EL1 or the value read, FAR_EL1.
pub const PROBE: u16 = 0x180;
/// Command: makes a call with x0-x3 = the arguments, by SMC. Answers x0-x3 of what came back, which is not judged.
pub const RAW: u16 = 0x181;
/// Command: answers the addresses of four pages for TX and of four for RX, and where the image is.
pub const BUFFERS: u16 = 0x182;
/// Command: has the virtual timer fire every argument 0 ticks, with interrupts unmasked; 0 stops it and masks
/// them.
pub const TIMER: u16 = 0x183;
/// Command: how often this vCPU took interrupt argument 0; how often none was there, how often another one. With
/// argument 1 they are forgotten first.
pub const TAKEN: u16 = 0x184;
/// Command: does action argument 0 with arguments 1 and 2 at once.
pub const DO: u16 = 0x185;
/// Command: sends the request that argument 1 has in its lower half (as [`PASS_ON`](crate::contract::protocol::PASS_ON))
/// to endpoint argument 0 with the payload arguments 2 and 3. Answers the first words of the answer, or x0 and x2 of an
/// error.
pub const FORWARD: u16 = 0x186;
/// Command: how many calls the last [`STORM`] made.
pub const STORMED: u16 = 0x187;
/// Command: PSCI CPU_ON of vCPU argument 0, which then serves like the first. Answers CPU_ON's result.
pub const START: u16 = 0x188;
/// Command: CNTV_CVAL_EL0, CNTV_CTL_EL0, CNTVCT_EL0, DAIF as they are.
pub const TIMES: u16 = 0x189;

/// Command: compares the system registers with what the last such command left in them, then leaves a pattern of
/// argument 0. Answers the place of the first that differs plus 1 (0 for none), what it is and what it was.
pub const SYSTEM_REGISTERS: u16 = 0x18a;
/// Command: signs pointer argument 0 in context argument 1 with the key APIB as it is. Answers the signed pointer.
pub const SIGN: u16 = 0x18b;

/// [`PROBE`]: a load of four bytes.
pub const READ_32: u64 = 3;

/// Action: WFI, argument 1 times, with interrupts as they are and all registers watched.
pub const WAIT: u64 = 0x10;
/// Action: ends the VM by [`ABORT`] …, argument 1.
pub const DIE: u64 = 0x11;
/// Action: does [`SMCS`] … for argument 2 ticks.
pub const STORM: u64 = 0x12;

/// Action: writes argument 1 to ICC_SGI1R_EL1.
pub const SEND: u64 = 0x13;
/// Action: takes all interrupts that are pending, without being interrupted.
pub const TAKE: u64 = 0x14;

/// [`DIE`]: FFA_ABORT.
pub const ABORT: u64 = 0;
/// [`DIE`]: the 64-bit FFA_ABORT.
pub const ABORT_64: u64 = 1;
/// [`DIE`]: PSCI SYSTEM_OFF.
pub const OFF: u64 = 2;
/// [`DIE`]: PSCI SYSTEM_RESET.
pub const RESET: u64 = 3;

/// [`STORM`]: calls of FFA_FEATURES.
pub const SMCS: u64 = 0;
/// [`STORM`]: HVCs that nobody knows.
pub const HVCS: u64 = 1;
/// [`STORM`]: SGIs to itself.
pub const SGIS: u64 = 2;
/// [`STORM`]: SGIs to all vCPUs of its VM.
pub const SGIS_TO_ALL: u64 = 3;
/// [`STORM`]: reads and writes of the interrupt controller.
pub const MMIO: u64 = 4;
/// [`STORM`]: accesses to memory that is not its own.
pub const FAULTS: u64 = 5;
/// [`STORM`]: timer interrupts, each set to fire at once.
pub const TICKS: u64 = 6;

/// What stands in place of x4 at entry in the answer to [`WHO`](crate::contract::protocol::WHO): the version that
/// it asked for, and whether it is strict.
pub const fn about(version: u32, strict: bool) -> u64 {
    (version as u64) << 1 | strict as u64
}
