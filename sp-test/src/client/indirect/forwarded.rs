//! The hypervisor's VMs, for whom it speaks at NS-EL2: their pairs, and that it has to ask before it writes their RX.

use super::message::{Message, call, header_of, soil};
use super::{Check, Entry, Party, Suite, named, nobody, told};
use crate::abi::{self, BUSY, DENIED, INVALID_PARAMETERS};
use crate::client::notifications::{bitmap, read};
use crate::memory::block::Block;
use crate::memory::{Kind, Who};

/// The VM.
const VM: u16 = 5;
/// One without buffers.
const OTHER: u16 = 6;
/// w2 of FFA_NOTIFICATION_GET: those of the SPM.
const OF_SPM: u64 = 1 << 2;

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    if !suite.client.direct {
        return;
    }
    type Case = fn(&Suite, &Vm) -> Check;
    let cases: [(&str, Case); 6] = [
        ("sends", sends),
        ("receives", receives),
        ("acquired", acquired),
        ("acquired_by_mistake", mistakes),
        ("release_without_a_bitmap", silent),
        ("to_a_vm", to_a_vm),
    ];
    for (name, case) in cases {
        suite.named(format_args!("forwarded/{name}"), |suite| {
            let vm = Vm::start(suite)?;
            let verdict = case(suite, &vm);
            let end = vm.end(suite);
            verdict.and(end)?;
            nobody(suite)
        });
    }
}

/// A VM whose buffers are two pages of the client's.
struct Vm {
    /// The client in the VM's name.
    party: Party,
    tx: u64,
    rx: u64,
}

impl Vm {
    fn start(suite: &Suite) -> Result<Self, super::Wrong> {
        let me = &suite.me;
        let pages = suite.pages(me, 2);
        let (tx, rx) = (pages.base, pages.base + 0x1000);
        let mut block = Block::new();
        // Endpoint RX/TX descriptor: the VM, where its RX and its TX are described; one page each.
        block.put(0, 2, VM.into());
        block.put(4, 4, 16);
        block.put(8, 4, 48);
        for (at, base) in [(16, rx), (48, tx)] {
            block.put(at, 4, 1);
            block.put(at + 4, 4, 1);
            block.put(at + 16, 8, base);
            block.put(at + 24, 4, 1);
        }
        block.length = 80;
        me.put(me.who.tx(), &block)?;
        me.call(abi::RXTX_MAP_64, &[0, 0, 0])?
            .done(me, "FFA_RXTX_MAP for a VM")?;
        let party = Party {
            who: Who {
                id: VM,
                kind: Kind::Hypervisor,
                ..me.who
            },
            client: me.client,
        };
        Ok(Self { party, tx, rx })
    }

    fn end(&self, suite: &Suite) -> Check {
        let me = &suite.me;
        me.call(abi::RXTX_UNMAP, &[u64::from(VM) << 16])?
            .done(me, "FFA_RXTX_UNMAP of a VM")
    }

    /// A message in its TX.
    fn write(&self, suite: &Suite, to: &Party, size: u32) -> Result<Message, super::Wrong> {
        let me = &suite.me;
        let message = Message::new(&self.party, to, size);
        // Where the client's own TX is does not matter: written there, and carried over.
        message.write(me)?;
        let end = header_of(me.who.version) + size;
        let block = me.get(me.who.tx(), end.min(Block::capacity()))?;
        me.put(self.tx, &block)?;
        Ok(message)
    }

    /// What lies in its RX, seen as a party's whose RX it is.
    fn has(&self, suite: &Suite, from: &Party, message: &Message) -> Check {
        let me = &suite.me;
        let (arrived, _) = message.arrived(from, me);
        let got = me.get(self.rx, 40)?;
        me.equal("payload's offset", got.get(8, 4), arrived.offset.into())?;
        me.equal("receiver", got.get(12, 2), VM.into())?;
        me.equal("sender", got.get(14, 2), from.who.id.into())?;
        me.equal("payload's size", got.get(16, 4), arrived.size.into())
    }
}

fn own(me: &Party, id: u32, x1: u64) -> Result<super::Answer, super::Wrong> {
    me.call(id, &[x1])
}

/// It sends in the VM's name.
fn sends(suite: &Suite, vm: &Vm) -> Check {
    let me = &suite.me;
    let [_, old, rich, many] = suite.partitions();
    for to in [old, rich, many] {
        let message = vm.write(suite, &to, 77)?;
        soil(&to)?;
        call(me, u64::from(VM) << 16, 0)?.done(me, "FFA_MSG_SEND2 for a VM")?;
        told::take();
        named(suite, &[Entry::whole(to.who.id)])?;
        message.lies(&vm.party, &to)?;
        super::message::takes(me, &to)?;
        // Not in its own name, nor in that of one without buffers; nor with its own header.
        call(me, 0, 0)?.refused(me, "a VM's header in its own TX", INVALID_PARAMETERS)?;
        call(me, u64::from(OTHER) << 16, 0)?.refused(me, "no VM's TX", DENIED)?;
    }
    Ok(())
}

fn receives(suite: &Suite, vm: &Vm) -> Check {
    let me = &suite.me;
    let [_, old, rich, _] = suite.partitions();
    bitmap(me, VM, true)?;
    for from in [old, rich] {
        let message = Message {
            receiver: VM,
            ..Message::new(&from, me, 99)
        };
        super::message::send(&from, &message, 0)?;
        told::take();
        named(suite, &[Entry::whole(VM)])?;
        vm.has(suite, &from, &message)?;
        call(&from, 0, 0)?.refused(&from, "a second message", BUSY)?;
        own(me, abi::RX_RELEASE, VM.into())?.refused(me, "FFA_RX_RELEASE", DENIED)?;
        me.equal("its notification", read(me, VM, 0, OF_SPM)?.spm, 1)?;
        own(me, abi::RX_RELEASE, VM.into())?.done(me, "FFA_RX_RELEASE")?;
        own(me, abi::RX_RELEASE, VM.into())?.refused(me, "FFA_RX_RELEASE again", DENIED)?;
    }
    bitmap(me, VM, false)
}

/// While the hypervisor has it, no partition writes it.
fn acquired(suite: &Suite, vm: &Vm) -> Check {
    let me = &suite.me;
    let [_, old, _, _] = suite.partitions();
    let message = Message {
        receiver: VM,
        ..Message::new(&old, me, 99)
    };
    own(me, abi::RX_ACQUIRE, VM.into())?.done(me, "FFA_RX_ACQUIRE")?;
    own(me, abi::RX_ACQUIRE, VM.into())?.refused(me, "FFA_RX_ACQUIRE again", DENIED)?;
    message.write(&old)?;
    call(&old, 0, 0)?.refused(&old, "a message", BUSY)?;
    own(me, abi::RX_RELEASE, VM.into())?.done(me, "FFA_RX_RELEASE")?;
    call(&old, 0, 0)?.done(&old, "FFA_MSG_SEND2")?;
    told::take();
    vm.has(suite, &old, &message)?;
    own(me, abi::RX_ACQUIRE, VM.into())?.refused(me, "FFA_RX_ACQUIRE of a full RX", DENIED)?;
    own(me, abi::RX_RELEASE, VM.into())?.done(me, "FFA_RX_RELEASE")
}

fn mistakes(suite: &Suite, _: &Vm) -> Check {
    let me = &suite.me;
    own(me, abi::RX_ACQUIRE, OTHER.into())?.refused(me, "FFA_RX_ACQUIRE", INVALID_PARAMETERS)?;
    for id in [abi::SPMC, abi::ECHO, abi::SPMD] {
        own(me, abi::RX_ACQUIRE, id.into())?.refused(
            me,
            "FFA_RX_ACQUIRE of a partition's",
            abi::NOT_SUPPORTED,
        )?;
    }
    own(me, abi::RX_RELEASE, OTHER.into())?.refused(me, "FFA_RX_RELEASE", INVALID_PARAMETERS)
}

/// Who has no bitmap is told nothing, and releases what it finds.
fn silent(suite: &Suite, vm: &Vm) -> Check {
    let me = &suite.me;
    let [_, old, _, _] = suite.partitions();
    let message = Message {
        receiver: VM,
        ..Message::new(&old, me, 20)
    };
    super::message::send(&old, &message, 0)?;
    super::told_of(suite, false)?;
    named(suite, &[])?;
    vm.has(suite, &old, &message)?;
    own(me, abi::RX_RELEASE, VM.into())?.done(me, "FFA_RX_RELEASE")
}

/// What is between VMs is the hypervisor's.
fn to_a_vm(suite: &Suite, vm: &Vm) -> Check {
    let me = &suite.me;
    for receiver in [OTHER, abi::HYPERVISOR, VM] {
        let to = Party {
            who: Who {
                id: receiver,
                ..me.who
            },
            client: me.client,
        };
        vm.write(suite, &to, 8)?;
        call(me, u64::from(VM) << 16, 0)?.refused(me, "FFA_MSG_SEND2", INVALID_PARAMETERS)?;
    }
    Ok(())
}
