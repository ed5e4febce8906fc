//! All states that notifications and RX buffers of two VMs can reach, and every event in each: what the proxy answers is
//! held against a model written down otherwise, one state for each notification and for each buffer.
//!
//! Every event can happen in every state. So the proxy is led along untried events until there are none, and nothing is put
//! back: what is left of one step is there in the next.

use super::{super::indirect::rig::*, *};
use ffa_abi::{
    FfaError::{self, *},
    fid::raw::*,
};

/// Sender, receiver, for which vCPU.
const NOTIFICATIONS: [(u16, u16, Option<u16>); 3] = [(1, 2, None), (3, 2, Some(1)), (2, 1, None)];
/// Which bit each is: two of one receiver's class are not the same number.
const BITS: [u64; 3] = [1, 1 << 63, 1];
/// A partition's, for VM 2.
const OF_PARTITION: u64 = 1 << 32;

/// What is pending, or a message that was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum News {
    /// The scheduler has not been told.
    New,
    /// It has.
    Told,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Bit {
    Unbound,
    Bound,
    Pending(News),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Rx {
    Empty,
    /// A VM's message; `None`: the notification was read.
    OfVm(Option<News>),
    /// A partition's; whether the notification was read.
    OfPartition(bool),
}

/// What should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Model {
    bits: [Bit; 3],
    /// The partition's: whether it is bound, and pending.
    partition: (bool, bool),
    /// Of VM 1 and VM 2.
    rx: [Rx; 2],
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Bind(usize),
    Unbind(usize),
    Set(usize),
    BindPartition,
    UnbindPartition,
    /// The partition sets it, if it may.
    SetPartition,
    /// A VM's vCPU reads all that there is.
    Get(u16, u16),
    /// The scheduler asks.
    Info,
    /// VM 1 to VM 2, or the other way.
    Send(u16),
    /// The partition sends to VM 2, if it can.
    SendPartition,
    Release(u16),
}

/// With these of the notifications.
fn events(notifications: &[usize]) -> Vec<Event> {
    use Event::*;
    let mut all = vec![
        BindPartition,
        UnbindPartition,
        SetPartition,
        SendPartition,
        Info,
    ];
    let each = notifications.iter().copied();
    all.extend(each.flat_map(|n| [Bind(n), Unbind(n), Set(n)]));
    all.extend([Get(1, 0), Get(2, 0), Get(2, 1)]);
    all.extend([1, 2].into_iter().flat_map(|vm| [Send(vm), Release(vm)]));
    all
}

/// What an event is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Done,
    Refused(FfaError),
    Pending([u64; 8]),
    Lists(Vec<Vec<u16>>),
}

impl Model {
    const START: Self = Self {
        bits: [Bit::Unbound; 3],
        partition: (false, false),
        rx: [Rx::Empty; 2],
    };

    fn rx(&mut self, vm: u16) -> &mut Rx {
        &mut self.rx[usize::from(vm) - 1]
    }

    fn bind(bit: &mut Bit) -> Answer {
        match bit {
            Bit::Unbound => {
                *bit = Bit::Bound;
                Answer::Done
            }
            _ => Answer::Refused(Denied),
        }
    }

    fn get(&mut self, vm: u16, vcpu: u16) -> Answer {
        let (mut partitions, mut vms, mut spm, mut hypervisor) = (0, 0, 0, 0);
        for (n, (_, receiver, to)) in NOTIFICATIONS.into_iter().enumerate() {
            let its = receiver == vm && to.is_none_or(|to| to == vcpu);
            if its && matches!(self.bits[n], Bit::Pending(_)) {
                self.bits[n] = Bit::Bound;
                vms |= BITS[n];
            }
        }
        if vm == 2 && core::mem::take(&mut self.partition.1) {
            partitions = OF_PARTITION;
        }
        match self.rx(vm) {
            Rx::OfVm(unread) if unread.is_some() => {
                *unread = None;
                hypervisor = 1;
            }
            Rx::OfPartition(read) if !*read => {
                *read = true;
                spm = 1;
            }
            _ => {}
        }
        Answer::Pending(pending(partitions, vms, spm, hypervisor))
    }

    fn info(&mut self) -> Answer {
        let mut lists = Vec::new();
        for vm in [1, 2] {
            let mut alone = false;
            let rx = self.rx(vm);
            if *rx == Rx::OfVm(Some(News::New)) {
                *rx = Rx::OfVm(Some(News::Told));
                alone = true;
            }
            let mut parts = Vec::new();
            for (n, (_, receiver, to)) in NOTIFICATIONS.into_iter().enumerate() {
                if receiver == vm && self.bits[n] == Bit::Pending(News::New) {
                    self.bits[n] = Bit::Pending(News::Told);
                    alone |= to.is_none();
                    parts.extend(to.map(|vcpu| vec![vm, vcpu]));
                }
            }
            lists.extend(alone.then(|| vec![vm]));
            lists.extend(parts);
        }
        match lists.is_empty() {
            true => Answer::Refused(NoData),
            false => Answer::Lists(lists),
        }
    }

    /// What `event` is answered with, and what is then.
    fn after(mut self, event: Event) -> (Answer, Self) {
        let answer = match event {
            Event::Bind(n) => Self::bind(&mut self.bits[n]),
            Event::Unbind(n) => match self.bits[n] {
                Bit::Bound => {
                    self.bits[n] = Bit::Unbound;
                    Answer::Done
                }
                _ => Answer::Refused(Denied),
            },
            Event::Set(n) => match self.bits[n] {
                Bit::Unbound => Answer::Refused(Denied),
                Bit::Bound => {
                    self.bits[n] = Bit::Pending(News::New);
                    Answer::Done
                }
                Bit::Pending(_) => Answer::Done,
            },
            Event::BindPartition => match self.partition {
                (false, _) => {
                    self.partition.0 = true;
                    Answer::Done
                }
                _ => Answer::Refused(Denied),
            },
            Event::UnbindPartition => match self.partition {
                (true, false) => {
                    self.partition.0 = false;
                    Answer::Done
                }
                _ => Answer::Refused(Denied),
            },
            Event::SetPartition => {
                self.partition.1 = self.partition.0;
                Answer::Done
            }
            Event::Get(vm, vcpu) => self.get(vm, vcpu),
            Event::Info => self.info(),
            Event::Send(from) => match self.rx(3 - from) {
                rx if *rx == Rx::Empty => {
                    *rx = Rx::OfVm(Some(News::New));
                    Answer::Done
                }
                _ => Answer::Refused(Busy),
            },
            Event::SendPartition => {
                let rx = self.rx(2);
                if *rx == Rx::Empty {
                    *rx = Rx::OfPartition(false);
                }
                Answer::Done
            }
            Event::Release(vm) => match self.rx(vm) {
                rx if matches!(rx, Rx::OfVm(None) | Rx::OfPartition(true)) => {
                    *rx = Rx::Empty;
                    Answer::Done
                }
                _ => Answer::Refused(Denied),
            },
        };
        (answer, self)
    }
}

impl Rig {
    /// A VM calls; `refuses` checks that a refused call has changed nothing.
    #[track_caller]
    fn is_answered(&mut self, vm: u16, args: &[u64], answer: &Answer) {
        match answer {
            Answer::Done => self.succeeds(vm, args),
            Answer::Refused(error) => self.refuses(vm, args, *error),
            Answer::Pending(x) => self.sees(vm, args, x),
            Answer::Lists(lists) => {
                let x = self.call(vm, args);
                let shown: Vec<_> = lists.iter().map(Vec::as_slice).collect();
                let mut wanted = vec![SUCCESS_64.into(), 0];
                wanted.extend(info::lists(true, false, &shown));
                assert_eq!(x[..], wanted);
            }
        }
    }

    /// `event` happens and is answered so.
    #[track_caller]
    fn happens(&mut self, event: Event, answer: &Answer) {
        let flags = |n: usize| u64::from(NOTIFICATIONS[n].2.is_some());
        match event {
            Event::Bind(n) => {
                let (from, to, _) = NOTIFICATIONS[n];
                self.is_answered(to, &bind(from, to, flags(n), BITS[n]), answer);
            }
            Event::Unbind(n) => {
                let (from, to, _) = NOTIFICATIONS[n];
                self.is_answered(to, &unbind(from, to, BITS[n]), answer);
            }
            Event::Set(n) => {
                let (from, to, vcpu) = NOTIFICATIONS[n];
                let flags = flags(n) | u64::from(vcpu.unwrap_or(0)) << 16;
                self.is_answered(from, &set(from, to, flags, BITS[n]), answer);
            }
            Event::BindPartition => self.is_answered(2, &bind(SP, 2, 0, OF_PARTITION), answer),
            Event::UnbindPartition => self.is_answered(2, &unbind(SP, 2, OF_PARTITION), answer),
            Event::SetPartition => {
                let bitmap = self.host.spmc.bitmaps.get_mut(&2).unwrap();
                if bitmap.bound.contains_key(&OF_PARTITION.trailing_zeros()) {
                    bitmap.global |= OF_PARTITION;
                }
            }
            Event::Get(vm, vcpu) => self.is_answered(vm, &get(vm, vcpu, 0xf), answer),
            Event::Info => self.is_answered(1, &[PENDING_64.into()], answer),
            Event::Send(from) => {
                let message = Message::new(from, 3 - from);
                self.puts(from, &message);
                self.is_answered(from, &[SEND2.into()], answer);
            }
            Event::SendPartition => {
                self.partition_sends(2, 0x11);
            }
            Event::Release(vm) => self.is_answered(vm, &[RX_RELEASE.into()], answer),
        }
    }

    /// One step, held against the model.
    #[track_caller]
    fn step(&mut self, from: Model, event: Event) -> Model {
        let (answer, to) = from.after(event);
        self.raised();
        self.host.spmc.asked.clear();
        self.happens(event, &answer);
        let raised = self.raised();
        // Who has something new is interrupted.
        if let Event::Set(n) = event
            && from.bits[n] == Bit::Bound
        {
            let (_, receiver, vcpu) = NOTIFICATIONS[n];
            let its = |(vm, at, intid): &(u16, u8, u32)| {
                (*vm, *intid) == (receiver, NPI) && vcpu.is_none_or(|one| one == (*at).into())
            };
            assert!(raised.iter().any(its), "{event:?} in {from:?}: {raised:?}");
        }
        to
    }
}

// Each notification in its four states, and the partition's in three; RX of VM 1 in four, of VM 2 in six.

#[test]
#[cfg_attr(miri, ignore = "takes hours")]
fn every_event_in_every_state_is_answered_as_the_model_says() {
    assert_eq!(search(&[0, 1]), 16 * 3 * 4 * 6);
}

#[test]
#[ignore = "takes minutes"]
fn every_event_in_every_state_of_three_notifications_is_answered_as_the_model_says() {
    assert_eq!(search(&[0, 1, 2]), 64 * 3 * 4 * 6);
}

/// Goes through all states, and says how many there are.
fn search(notifications: &[usize]) -> usize {
    let mut rig = Rig::new();
    let covered = lockstep::every_event_in_every_state(
        Model::START,
        &events(notifications),
        |from, event| rig.step(from, event),
    );
    println!("{covered}");
    covered.states
}
