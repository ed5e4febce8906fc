//! Indirect messages: each row of the call with its error and nothing changed, what arrives where, in
//! every version, and who is told.

mod discovery;
mod ends;
mod good;
mod hostile;
mod rows;
mod search;
mod together;
mod told;

use super::fixture::*;
use crate::{
    context::{Messaging, Slot},
    locks,
    spm::Next,
};
use core::ops::{Deref, DerefMut};
use ffa_abi::{
    EndpointId,
    FfaError::{self, Aborted, Busy, Denied, InvalidParameters, NoMemory, NotSupported},
    Function, Uuid, Version,
    fid::raw::*,
    notification::InfoLists,
    rxtx::{Buffer, ForwardedMap},
};

const PAGE: u64 = 4096;
const DONE: [u64; 1] = [SUCCESS_32 as u64];
/// Everything, and indirect messages.
const ALL: u32 = EVERYTHING | 1 << 2;
/// w2: the scheduler is told later.
const DELAY: u64 = 2;
/// A VM that the hypervisor has told nothing of.
const UNKNOWN: EndpointId = EndpointId(9);

/// Who sends or receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// The hypervisor, or the OS: id 0.
    Os,
    /// [`VM`].
    Vm,
    /// A partition.
    Sp(Slot),
}

use Who::{Os, Sp, Vm};

impl Who {
    /// All that have indirect messages.
    const ALL: [Self; 6] = [Os, Vm, Sp(A), Sp(B), Sp(C), Sp(OLD)];

    fn id(self) -> EndpointId {
        match self {
            Os => EndpointId(0),
            Vm => VM,
            Sp(slot) => id(slot),
        }
    }

    const fn is_partition(self) -> bool {
        matches!(self, Sp(_))
    }

    /// How many pages its buffers have.
    const fn pages(self) -> u64 {
        match self {
            Sp(C) => 4,
            Os => 2,
            _ => 1,
        }
    }

    fn size(self) -> usize {
        (self.pages() * PAGE) as usize
    }

    fn tx(self) -> u64 {
        match self {
            Os => NORMAL_MEMORY.start,
            Vm => NORMAL_MEMORY.start + 0x10 * PAGE,
            Sp(slot) => Fake::memory(slot),
        }
    }

    fn rx(self) -> u64 {
        self.tx() + self.pages() * PAGE
    }
}

/// A header, as tests write it down.
#[derive(Clone, Copy, Debug)]
struct Head {
    flags: u32,
    offset: u32,
    receiver: EndpointId,
    sender: EndpointId,
    size: u32,
    uuid: Uuid,
}

/// Bytes of a header in this version.
fn header_size(version: Version) -> u32 {
    match version {
        Version::V1_1 => 20,
        _ => 40,
    }
}

impl Head {
    /// A message of so many bytes, right behind the header in `version`.
    fn new(from: Who, to: Who, version: Version, size: u32) -> Self {
        Self {
            flags: 0,
            offset: header_size(version),
            receiver: to.id(),
            sender: from.id(),
            size,
            uuid: Uuid::NIL,
        }
    }

    /// Its bytes, word by word.
    fn bytes(&self, version: Version) -> Vec<u8> {
        let ids = u32::from(self.sender.0) << 16 | u32::from(self.receiver.0);
        let mut words = vec![self.flags, 0, self.offset, ids, self.size];
        if header_size(version) == 40 {
            words.push(0);
        }
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        if header_size(version) == 40 {
            bytes.extend(self.uuid.0);
        }
        bytes
    }

    /// All of a buffer with that message in it, zero where it is not.
    fn buffer(&self, version: Version, payload: &[u8], size: usize) -> Vec<u8> {
        let mut all = vec![0; size];
        let header = self.bytes(version);
        all[..header.len()].copy_from_slice(&header);
        all[self.offset as usize..][..payload.len()].copy_from_slice(payload);
        all
    }
}

/// A payload of so many bytes, none of them zero.
fn payload(size: usize) -> Vec<u8> {
    (0..size).map(|n| (n % 251 + 1) as u8).collect()
}

/// Partitions, the normal world and a VM, all with a pair. Nobody has notifications.
struct World(Fixture);

impl Deref for World {
    type Target = Fixture;

    fn deref(&self) -> &Fixture {
        &self.0
    }
}

impl DerefMut for World {
    fn deref_mut(&mut self) -> &mut Fixture {
        &mut self.0
    }
}

const SPECS: [Spec; 5] = [
    Spec::up(Version::V1_2).methods(ALL),
    Spec::mp(Version::V1_2).methods(ALL),
    Spec::up(Version::V1_3).methods(ALL),
    Spec::up(Version::V1_1).methods(ALL),
    Spec::up(Version::V1_2).methods(EVERYTHING),
];

impl World {
    fn new() -> Self {
        Self::of(Version::V1_2, &SPECS)
    }

    /// With a normal world of this version.
    fn of(version: Version, specs: &[Spec]) -> Self {
        let mut f = Fixture::with(2, specs);
        f.boot();
        f.nwd(frame(&[VERSION.into(), version.raw().into()]));
        let mut w = Self(f);
        for who in [Os, Sp(A), Sp(B), Sp(C), Sp(OLD), Sp(MUTE)] {
            w.map(who);
        }
        w.map(Vm);
        w
    }

    /// `who` has a pair.
    fn map(&mut self, who: Who) {
        let (tx, rx, pages) = (who.tx(), who.rx(), who.pages() as u32);
        let Fixture { spmc, machine, .. } = &mut self.0;
        match who {
            Sp(slot) => {
                let mapped =
                    locks::run(|held| spmc.map_of_partition(slot, tx, rx, pages, machine, held));
                assert_eq!(mapped, Ok(()));
            }
            Os => {
                let call = [Function::RxtxMap.raw64().into(), tx, rx, pages.into()];
                self.answered(frame(&call), &DONE);
            }
            Vm => {
                let buffer = |base| Buffer { base, pages };
                let map = ForwardedMap {
                    endpoint: VM,
                    tx: buffer(tx),
                    rx: buffer(rx),
                };
                let mut bytes = [0; 128];
                let size = map.write(&mut bytes).unwrap();
                machine.poke(Os.tx(), &bytes[..size]);
                self.answered(frame(&[Function::RxtxMap.raw64().into()]), &DONE);
            }
        }
    }

    /// `who` has no pair any more.
    fn unmap(&mut self, who: Who) {
        self.turn(who);
        let vm = if who == Vm { VM.0 } else { 0 };
        let call = [Function::RxtxUnmap.raw32().into(), u64::from(vm) << 16];
        self.call(frame(&call));
        self.got(&DONE);
    }

    /// `who` has the core: a partition is run by the normal world for it. Who had it keeps its RX.
    #[track_caller]
    fn turn(&mut self, who: Who) {
        if let Next::Partition(now) = self.now[self.pe] {
            if who == Sp(now) {
                return;
            }
            let retain = u64::from(self.version() >= Version::V1_2);
            self.sp(frame(&[MSG_WAIT.into(), 0, retain]));
        }
        if let Sp(slot) = who {
            self.nwd_runs(slot);
        }
    }

    /// The version in which `who` writes and reads.
    fn version_of(&self, who: Who) -> Version {
        match who {
            Sp(slot) => self.spmc.version(slot),
            _ => self.spmc.normal_world.get(),
        }
    }

    /// The call by `who`.
    fn send2(who: Who, flags: u64) -> Frame {
        let vm = if who == Vm { VM.0 } else { 0 };
        frame(&[
            Function::MsgSend2.raw32().into(),
            u64::from(vm) << 16,
            flags,
        ])
    }

    /// Puts a message into TX of `from`.
    fn put(&mut self, from: Who, head: Head, payload: &[u8]) {
        let bytes = head.bytes(self.version_of(from));
        self.machine.poke(from.tx(), &vec![0x77; from.size()]);
        self.machine.poke(from.tx(), &bytes);
        let at = from.tx() + u64::from(head.offset);
        self.machine.poke(at, payload);
    }

    /// `from` sends this, which is done.
    #[track_caller]
    fn sends(&mut self, from: Who, head: Head, payload: &[u8], flags: u64) {
        self.turn(from);
        self.put(from, head, payload);
        let caller = self.now[self.pe];
        let tx = self.machine.peek(from.tx(), from.size());
        self.call(Self::send2(from, flags));
        assert_eq!(self.now[self.pe], caller, "who has the core");
        self.got(&DONE);
        let after = self.machine.peek(from.tx(), from.size());
        assert!(tx == after, "TX is only read");
    }

    /// `from` sends what is in its TX, and is refused; nothing has changed, nowhere.
    #[track_caller]
    fn refuses(&mut self, from: Who, call: Frame, error: FfaError) {
        self.turn(from);
        let pages = self.machine.pages.clone();
        let raised = self.machine.interrupts.schedule_receiver.len();
        self.refused(call, error);
        assert!(self.machine.pages == pages, "memory has changed");
        assert_eq!(self.machine.interrupts.schedule_receiver.len(), raised);
    }

    /// The same for a message.
    #[track_caller]
    fn refuses_message(&mut self, from: Who, head: Head, error: FfaError) {
        self.turn(from);
        self.put(from, head, &[]);
        self.refuses(from, Self::send2(from, 0), error);
    }

    /// RX of `to` holds this and nothing else.
    #[track_caller]
    fn holds(&mut self, to: Who, head: Head, payload: &[u8]) {
        let wanted = head.buffer(self.version_of(to), payload, to.size());
        let found = self.machine.peek(to.rx(), to.size());
        let header = wanted.len().min(48);
        assert_eq!(found[..header], wanted[..header], "header at {to:?}");
        let differs = found.iter().zip(&wanted).position(|(a, b)| a != b);
        assert_eq!(differs, None, "where RX of {to:?} is otherwise");
    }

    /// `who` gives its RX back.
    fn release(&mut self, who: Who) -> Result<(), FfaError> {
        self.turn(who);
        let vm = if who == Vm { VM.0 } else { 0 };
        self.call(frame(&[Function::RxRelease.raw32().into(), vm.into()]));
        let x = self.result();
        match x[0] == DONE[0] {
            true => Ok(()),
            false => Err(FfaError::try_from(x[2] as u32 as i32).expect("an error")),
        }
    }
}
