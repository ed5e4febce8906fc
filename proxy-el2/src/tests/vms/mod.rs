//! Several VMs: who has which core, messages between them, interrupts, power, death.

mod answers;
mod cores;
mod cycles;
mod death;
mod debts;
mod discovery;
mod fast;
mod fixture;
mod interrupts;
mod messages;
mod partitions;
mod pinned;
mod power;
mod random;
mod schedule;
mod strict;
mod telling;
mod told;
