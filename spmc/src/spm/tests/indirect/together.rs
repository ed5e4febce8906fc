//! Two cores at once: messages in both directions while pairs come and go.

use super::*;
use crate::{
    locks::Held,
    spm::{Interrupts, Machine, Mem, Owner, Pe, Spmc, Window},
};
use core::ops::Range;
use std::sync::{Arc, Barrier, Mutex};

/// How often each core does what it does.
const ROUNDS: usize = 300;

/// One machine for both. It fails the test when a buffer is touched that is not open.
#[derive(Clone)]
struct Shared(Arc<Mutex<Fake>>);

impl Shared {
    fn with<R>(&self, work: impl FnOnce(&mut Fake) -> R) -> R {
        work(&mut self.0.lock().unwrap())
    }
}

impl Mem for Shared {
    fn open(
        &mut self,
        held: &mut Held<{ locks::PAIRS }>,
        owner: Owner,
        address: u64,
        pages: u32,
    ) -> Result<Window, FfaError> {
        self.with(|fake| fake.open(held, owner, address, pages))
    }

    fn close(&mut self, window: Window) {
        self.with(|fake| fake.close(window));
    }

    fn read(&mut self, window: Window, offset: usize, to: &mut [u8]) -> bool {
        self.with(|fake| fake.read(window, offset, to))
    }

    fn write(&mut self, window: Window, offset: usize, from: &[u8]) -> bool {
        self.with(|fake| fake.write(window, offset, from))
    }

    fn copy(&mut self, source: Window, from: Range<usize>, to: Window, at: usize) -> bool {
        self.with(|fake| fake.copy(source, from, to, at))
    }

    fn zero(&mut self, window: Window, offset: usize) -> bool {
        self.with(|fake| fake.zero(window, offset))
    }
}

impl Interrupts for Shared {}

impl Machine for Shared {
    fn console(&mut self, _: EndpointId, _: u8) {}
}

/// A core with the partition that runs there.
struct Core<'s> {
    spmc: &'s Spmc<'static, Gp>,
    pe: &'s mut Pe<'static, Gp>,
    own: Slot,
    machine: Shared,
}

impl Core<'_> {
    /// Its partition makes a call: whether it is done, or the error.
    fn call(&mut self, args: &[u64]) -> Result<(), FfaError> {
        let context = self.pe.context(self.own).expect("its context");
        context.machine.x = frame(args);
        let outcome = self
            .spmc
            .handle_partition(self.pe, self.own, &mut self.machine);
        assert_eq!(outcome.next, Next::Partition(self.own));
        let x = self.pe.context(self.own).expect("its context").machine.x;
        match x[0] == DONE[0] {
            true => Ok(()),
            false => Err(FfaError::try_from(x[2] as u32 as i32).expect("an error")),
        }
    }

    /// Sends what lies in TX, and gives back what has come meanwhile. With `restless` its pair goes and
    /// comes all the time. How many it has sent, and how many got.
    fn exchange(&mut self, restless: bool) -> (usize, usize) {
        let (tx, rx) = (Sp(self.own).tx(), Sp(self.own).rx());
        let (mut sent, mut got) = (0, 0);
        for _ in 0..ROUNDS {
            match self.call(&[Function::MsgSend2.raw32().into()]) {
                Ok(()) => sent += 1,
                Err(error) => assert_eq!(error, Busy),
            }
            match self.call(&[Function::RxRelease.raw32().into()]) {
                Ok(()) => got += 1,
                Err(error) => assert_eq!(error, Denied),
            }
            if restless {
                assert_eq!(self.call(&[Function::RxtxUnmap.raw32().into()]), Ok(()));
                let map = [Function::RxtxMap.raw64().into(), tx, rx, 1];
                assert_eq!(self.call(&map), Ok(()));
            }
        }
        (sent, got)
    }
}

#[test]
fn two_who_send_to_each_other_never_stand_still() {
    for restless in [false, true] {
        let mut w = World::new();
        for (pe, from, to) in [(0, A, B), (1, B, A)] {
            w.pe = pe;
            w.nwd_runs(from);
            let head = Head::new(Sp(from), Sp(to), Version::V1_2, 16);
            w.put(Sp(from), head, &payload(16));
        }
        let Fixture {
            spmc, pes, machine, ..
        } = &mut w.0;
        let shared = Shared(Arc::new(Mutex::new(core::mem::take(machine))));
        let spmc = &**spmc;
        let [first, second, ..] = pes.as_mut_slice() else {
            panic!("two cores");
        };
        let start = &Barrier::new(2);
        let done = std::thread::scope(|scope| {
            let threads = [(first, A, false), (second, B, restless)].map(|(pe, own, restless)| {
                let machine = shared.clone();
                scope.spawn(move || {
                    let mut core = Core {
                        spmc,
                        pe,
                        own,
                        machine,
                    };
                    start.wait();
                    core.exchange(restless)
                })
            });
            threads.map(|thread| thread.join().expect("it ends"))
        });
        let [(a_sent, a_got), (b_sent, b_got)] = done;
        // While B has no pair, all of A's may find none.
        assert!(b_sent > 0 && (restless || a_sent > 0), "{done:?}");
        // One may still lie there, or have gone with its pair.
        assert!(b_sent - a_got <= 1, "{done:?}");
        assert!(
            a_sent >= b_got && (restless || a_sent - b_got <= 1),
            "{done:?}"
        );
    }
}
