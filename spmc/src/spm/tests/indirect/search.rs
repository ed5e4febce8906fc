//! All states that notifications and RX buffers of a small system can reach, and every event in each: what the core answers
//! is held against a model written down otherwise, one state for each notification and for each buffer.
//!
//! Every event can happen in every state. So the core is led along untried events until there are none, and nothing is
//! put back: what is left of one step is there in the next.

use super::{told::world, *};
use crate::virtual_interrupts::Interrupt;

/// A notification: `sender`'s, for `receiver`, for one of its contexts or global.
#[derive(Clone, Copy, Debug)]
struct Notification {
    sender: Who,
    receiver: Who,
    context: Option<u16>,
    bit: u64,
}

const NOTIFICATIONS: [Notification; 5] = [
    Notification {
        sender: Os,
        receiver: Sp(A),
        context: None,
        bit: 1,
    },
    // The same number from the other class of senders is another one.
    Notification {
        sender: Sp(B),
        receiver: Sp(A),
        context: None,
        bit: 1,
    },
    Notification {
        sender: Os,
        receiver: Sp(B),
        context: Some(1),
        bit: 1 << 63,
    },
    Notification {
        sender: Sp(A),
        receiver: Os,
        context: None,
        bit: 1 << 32,
    },
    Notification {
        sender: Sp(A),
        receiver: Vm,
        context: None,
        bit: 1,
    },
];

/// Those whose RX buffers get messages, and from whom.
const MESSAGES: [(Who, Who); 3] = [(Os, Sp(A)), (Sp(A), Os), (Sp(B), Vm)];
/// The VM's, which the hypervisor may write, too.
const OF_VM: usize = 2;

/// Contexts that have a notification pending interrupt: of A, and both of B.
const CONTEXTS: [(Slot, u16); 3] = [(A, 0), (B, 0), (B, 1)];

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
    /// `None`: its owner has read the notification.
    Full(Option<News>),
    /// The hypervisor has it.
    Acquired,
}

/// What should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Model {
    bits: [Bit; NOTIFICATIONS.len()],
    /// Of those who get [`MESSAGES`].
    rx: [Rx; MESSAGES.len()],
    npi: [bool; CONTEXTS.len()],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Bind(usize),
    Unbind(usize),
    Set(usize),
    /// A partition sets it, and the scheduler hears of it when it has the core again.
    SetDelayed(usize),
    /// A receiver reads all that is for this context.
    Get(Who, u16),
    /// The scheduler asks.
    Info,
    Send(usize),
    Release(usize),
    /// The hypervisor takes the VM's RX.
    Acquire,
    /// A waits, and does not keep its RX.
    Wait,
    /// A, or B's first context, takes its interrupt.
    Take(Slot),
}

/// What of all that a search has.
#[derive(Clone, Copy, Debug)]
struct Part {
    notifications: &'static [usize],
    messages: &'static [usize],
}

fn events(part: Part) -> Vec<Event> {
    let each = || part.notifications.iter().copied();
    let by_partition = |n: &usize| NOTIFICATIONS[*n].sender.is_partition();
    let mut all = vec![Event::Info, Event::Wait, Event::Take(A), Event::Take(B)];
    all.extend(each().map(Event::Bind));
    all.extend(each().map(Event::Unbind));
    all.extend(each().map(Event::Set));
    all.extend(each().filter(by_partition).map(Event::SetDelayed));
    let readers = [(Sp(A), 0), (Sp(B), 0), (Sp(B), 1), (Os, 0), (Vm, 0)];
    all.extend(readers.map(|(who, n)| Event::Get(who, n)));
    let messages = part.messages.iter();
    all.extend(messages.flat_map(|n| [Event::Send(*n), Event::Release(*n)]));
    if part.messages.contains(&OF_VM) {
        all.push(Event::Acquire);
    }
    all
}

/// What an event is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Done,
    Refused(FfaError),
    /// From partitions, from VMs, the SPM's.
    Bits(u64, u64, u64),
    /// Who is named, with which contexts.
    Lists(Vec<(u16, Vec<u16>)>),
    Interrupt(u64),
}

impl Model {
    const START: Self = Self {
        bits: [Bit::Unbound; _],
        rx: [Rx::Empty; _],
        npi: [false; _],
    };

    /// The bits of a receiver's, by their place.
    fn of(receiver: Who) -> impl Iterator<Item = usize> {
        let all = NOTIFICATIONS.iter().enumerate();
        all.filter(move |(_, one)| one.receiver == receiver)
            .map(|(n, _)| n)
    }

    fn rx_of(&mut self, who: Who) -> Option<&mut Rx> {
        let at = MESSAGES.iter().position(|(_, to)| *to == who)?;
        self.rx.get_mut(at)
    }

    fn is_unread(&mut self, who: Who) -> bool {
        matches!(self.rx_of(who), Some(Rx::Full(Some(_))))
    }

    /// Whether a context of a receiver's would read anything.
    fn has_for(&mut self, who: Who, context: u16) -> bool {
        self.is_unread(who)
            || Self::of(who).any(|n| {
                let to = NOTIFICATIONS[n].context;
                matches!(self.bits[n], Bit::Pending(_)) && to.is_none_or(|to| to == context)
            })
    }

    fn has_news(&mut self, who: Who) -> bool {
        matches!(self.rx_of(who), Some(Rx::Full(Some(News::New))))
            || Self::of(who).any(|n| self.bits[n] == Bit::Pending(News::New))
    }

    /// The interrupt is pending for these contexts.
    fn pend(&mut self, who: Who, context: Option<u16>) {
        for (npi, (slot, index)) in self.npi.iter_mut().zip(CONTEXTS) {
            *npi |= who == Sp(slot) && context.is_none_or(|one| one == index);
        }
    }

    /// What `event` is answered with, how often the scheduler is interrupted, and what is then.
    fn after(mut self, event: Event) -> (Answer, usize, Self) {
        use FfaError::NoData;
        let mut raised = 0;
        let answer = match event {
            Event::Bind(n) => match self.bits[n] {
                Bit::Unbound => {
                    self.bits[n] = Bit::Bound;
                    Answer::Done
                }
                _ => Answer::Refused(Denied),
            },
            Event::Unbind(n) => match self.bits[n] {
                Bit::Bound => {
                    self.bits[n] = Bit::Unbound;
                    Answer::Done
                }
                _ => Answer::Refused(Denied),
            },
            Event::Set(n) | Event::SetDelayed(n) => {
                let Notification {
                    receiver, context, ..
                } = NOTIFICATIONS[n];
                match self.bits[n] {
                    Bit::Unbound => Answer::Refused(Denied),
                    bit => {
                        if bit == Bit::Bound {
                            self.bits[n] = Bit::Pending(News::New);
                        }
                        self.pend(receiver, context);
                        raised = self.has_news(receiver).into();
                        Answer::Done
                    }
                }
            }
            Event::Get(who, context) => {
                let (mut partitions, mut vms) = (0, 0);
                for n in Self::of(who) {
                    let one = NOTIFICATIONS[n];
                    let its = one.context.is_none_or(|to| to == context);
                    if its && matches!(self.bits[n], Bit::Pending(_)) {
                        self.bits[n] = Bit::Bound;
                        match one.sender {
                            Sp(_) => partitions |= one.bit,
                            Os | Vm => vms |= one.bit,
                        }
                    }
                }
                let unread = self.is_unread(who);
                if let (true, Some(rx)) = (unread, self.rx_of(who)) {
                    *rx = Rx::Full(None);
                }
                for (n, (slot, index)) in CONTEXTS.into_iter().enumerate() {
                    if who == Sp(slot) && !self.has_for(who, index) {
                        self.npi[n] = false;
                    }
                }
                Answer::Bits(partitions, vms, unread.into())
            }
            Event::Info => {
                let mut lists = Vec::new();
                for who in [Sp(A), Sp(B), Os, Vm] {
                    let global = |n: &usize| NOTIFICATIONS[*n].context.is_none();
                    let new = |n: &usize| self.bits[*n] == Bit::Pending(News::New);
                    let (whole, parts): (Vec<_>, Vec<_>) =
                        Self::of(who).filter(new).partition(global);
                    let message = self.rx_of(who).copied() == Some(Rx::Full(Some(News::New)));
                    if message || !whole.is_empty() {
                        lists.push((who.id().0, vec![]));
                    }
                    for n in parts {
                        lists.push((who.id().0, NOTIFICATIONS[n].context.into_iter().collect()));
                    }
                }
                for bit in &mut self.bits {
                    if *bit == Bit::Pending(News::New) {
                        *bit = Bit::Pending(News::Told);
                    }
                }
                for rx in &mut self.rx {
                    if *rx == Rx::Full(Some(News::New)) {
                        *rx = Rx::Full(Some(News::Told));
                    }
                }
                match lists.is_empty() {
                    true => Answer::Refused(NoData),
                    false => Answer::Lists(lists),
                }
            }
            Event::Send(n) => match self.rx[n] {
                Rx::Empty => {
                    self.rx[n] = Rx::Full(Some(News::New));
                    self.pend(MESSAGES[n].1, None);
                    raised = 1;
                    Answer::Done
                }
                Rx::Full(_) | Rx::Acquired => Answer::Refused(Busy),
            },
            Event::Release(n) => match self.rx[n] {
                Rx::Full(None) | Rx::Acquired => {
                    self.rx[n] = Rx::Empty;
                    Answer::Done
                }
                _ => Answer::Refused(Denied),
            },
            Event::Acquire => match self.rx[OF_VM] {
                Rx::Empty => {
                    self.rx[OF_VM] = Rx::Acquired;
                    Answer::Done
                }
                _ => Answer::Refused(Denied),
            },
            Event::Wait => {
                if let Some(rx) = self.rx_of(Sp(A))
                    && *rx == Rx::Full(None)
                {
                    *rx = Rx::Empty;
                }
                Answer::Done
            }
            Event::Take(slot) => {
                let first = CONTEXTS.iter().position(|one| *one == (slot, 0)).unwrap();
                match core::mem::take(&mut self.npi[first]) {
                    true => Answer::Interrupt(5),
                    false => Answer::Interrupt(0xffff_ffff),
                }
            }
        };
        (answer, raised, self)
    }
}

impl World {
    /// Makes `call` and says what came back.
    fn answer(&mut self, who: Who, call: Frame) -> Answer {
        self.turn(who);
        self.call(call);
        let x = self.result();
        match x[0] == DONE[0] {
            true => Answer::Done,
            false => Answer::Refused(FfaError::try_from(x[2] as u32 as i32).expect("an error")),
        }
    }

    fn notify(&mut self, by: Who, function: Function, one: Notification, w2: u64) -> Answer {
        let Notification {
            sender,
            receiver,
            bit,
            ..
        } = one;
        let ids = ids(sender.id(), receiver.id());
        let call = [
            function.raw32().into(),
            ids,
            w2,
            bit & 0xffff_ffff,
            bit >> 32,
        ];
        self.answer(by, frame(&call))
    }

    /// `event` happens.
    fn happens(&mut self, event: Event) -> Answer {
        use Function::{NotificationBind, NotificationSet, NotificationUnbind};
        match event {
            Event::Bind(n) => {
                let one = NOTIFICATIONS[n];
                let per_context = one.context.is_some().into();
                self.notify(one.receiver, NotificationBind, one, per_context)
            }
            Event::Unbind(n) => {
                let one = NOTIFICATIONS[n];
                self.notify(one.receiver, NotificationUnbind, one, 0)
            }
            Event::Set(n) => {
                let one = NOTIFICATIONS[n];
                let w2 = one.context.map_or(0, |to| u64::from(to) << 16 | 1);
                self.notify(one.sender, NotificationSet, one, w2)
            }
            Event::SetDelayed(n) => {
                let one = NOTIFICATIONS[n];
                let answer = self.notify(one.sender, NotificationSet, one, DELAY);
                assert!(self.machine.interrupts.schedule_receiver.is_empty());
                self.turn(Os);
                answer
            }
            Event::Get(who, context) => {
                let w1 = u64::from(context) << 16 | u64::from(who.id().0);
                // Those of VMs are not the SPMC's for the normal world.
                let flags = if who.is_partition() { 7 } else { 5 };
                let call = [Function::NotificationGet.raw32().into(), w1, flags];
                assert_eq!(self.answer(who, frame(&call)), Answer::Done);
                let x = self.result();
                Answer::Bits(x[3] << 32 | x[2], x[5] << 32 | x[4], x[6])
            }
            Event::Info => {
                self.turn(Os);
                self.call(frame(&[Function::NotificationInfoGet.raw64().into()]));
                match InfoLists::from_success(&self.pes[self.pe].nwd) {
                    Some(lists) => Answer::Lists(
                        lists
                            .iter()
                            .map(|(id, contexts)| (id.0, contexts.to_vec()))
                            .collect(),
                    ),
                    None => {
                        let error = self.result()[2] as u32 as i32;
                        Answer::Refused(FfaError::try_from(error).expect("an error"))
                    }
                }
            }
            Event::Send(n) => {
                let (from, to) = MESSAGES[n];
                self.turn(from);
                let head = Head::new(from, to, self.version_of(from), 4);
                self.put(from, head, &payload(4));
                self.answer(from, Self::send2(from, 0))
            }
            Event::Release(n) => match self.release(MESSAGES[n].1) {
                Ok(()) => Answer::Done,
                Err(error) => Answer::Refused(error),
            },
            Event::Acquire => {
                let call = [Function::RxAcquire.raw32().into(), VM.0.into()];
                self.answer(Os, frame(&call))
            }
            Event::Wait => {
                self.turn(Sp(A));
                self.sp(msg_wait());
                Answer::Done
            }
            Event::Take(slot) => {
                self.turn(Sp(slot));
                Answer::Interrupt(self.hypercall(&[0xff04]))
            }
        }
    }

    /// What of the model can be seen without a call: which contexts have the interrupt pending.
    fn pending(&self) -> [bool; CONTEXTS.len()] {
        CONTEXTS.map(|(slot, index)| {
            let queue = self.spmc.virtuals(slot, index);
            queue.with(|queue| queue.is_pending(Interrupt::NOTIFICATION_PENDING))
        })
    }

    /// One step, held against the model.
    #[track_caller]
    fn step(&mut self, from: Model, event: Event) -> Model {
        let (answer, raised, to) = from.after(event);
        self.raised();
        assert_eq!(self.happens(event), answer, "{event:?} in {from:?}");
        assert_eq!(self.raised(), raised, "interrupts: {event:?} in {from:?}");
        assert_eq!(self.pending(), to.npi, "{event:?} in {from:?}");
        to
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes hours")]
fn every_event_in_every_state_is_answered_as_the_model_says() {
    let states = search(Part {
        notifications: &[0, 2, 3],
        messages: &[0, 1],
    });
    assert_eq!(states, 1792);
}

#[test]
#[cfg_attr(miri, ignore = "takes hours")]
fn the_same_number_of_both_classes_of_senders_is_not_the_same() {
    let states = search(Part {
        notifications: &[0, 1],
        messages: &[0],
    });
    assert!(states > 100, "{states}");
}

#[test]
#[cfg_attr(miri, ignore = "takes hours")]
fn a_vm_has_its_notifications_and_its_buffer_and_the_hypervisor_takes_that() {
    let states = search(Part {
        notifications: &[0, 4],
        messages: &[0, OF_VM],
    });
    assert!(states > 300, "{states}");
}

#[test]
#[ignore = "takes minutes"]
fn every_event_in_every_state_of_four_notifications_is_answered_as_the_model_says() {
    search(Part {
        notifications: &[0, 1, 2, 3],
        messages: &[0, 1],
    });
}

/// Goes through all states, and says how many there are.
fn search(part: Part) -> usize {
    let mut w = world();
    let covered =
        lockstep::every_event_in_every_state(Model::START, &events(part), |from, event| {
            w.step(from, event)
        });
    println!("{covered}");
    covered.states
}
