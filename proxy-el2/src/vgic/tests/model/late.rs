//! Kicks that take their time: what is raised is taken, and no more than that.

use super::super::super::Frame;
use super::super::{SGI_BASE, STRIDE};
use super::interrupts;
use super::rig::{Id, Rig, SPI, id, intid};
use proptest::prelude::*;
use std::collections::BTreeMap;

const VCPUS: u8 = 3;

#[derive(Clone, Debug)]
enum Step {
    Pend(Id),
    Raise(Id),
    Sgi(u8, u8),
    Enable(u8, Id, bool),
    Route(u8, Id, u8),
    Acknowledge(u8),
    End(u8),
    Park(u8),
    Resume(u8, usize),
    Deliver,
}

fn steps() -> impl Strategy<Value = Step> {
    let irq = || interrupts(VCPUS);
    let vcpu = || 0..VCPUS;
    prop_oneof![
        4 => irq().prop_map(Step::Pend),
        4 => irq().prop_map(Step::Raise),
        3 => (vcpu(), 0u8..8).prop_map(|(v, list)| Step::Sgi(v, list)),
        1 => (vcpu(), irq(), any::<bool>()).prop_map(|(v, i, on)| Step::Enable(v, i, on)),
        2 => (vcpu(), irq(), vcpu()).prop_map(|(v, i, to)| Step::Route(v, i, to)),
        8 => vcpu().prop_map(Step::Acknowledge),
        7 => vcpu().prop_map(Step::End),
        1 => vcpu().prop_map(Step::Park),
        2 => (vcpu(), 1usize..=4).prop_map(|(v, n)| Step::Resume(v, n)),
        3 => Just(Step::Deliver),
    ]
}

/// What has happened to an interrupt.
#[derive(Debug, Default)]
struct Fate {
    raised: u32,
    taken: u32,
    /// Raised since it was taken last.
    owed: bool,
}

#[derive(Default)]
struct Fates(BTreeMap<Id, Fate>);

impl Fates {
    fn raised(&mut self, id: Id) {
        let fate = self.0.entry(id).or_default();
        fate.raised += 1;
        fate.owed = true;
    }

    fn taken(&mut self, id: Id) {
        let fate = self.0.entry(id).or_default();
        fate.taken += 1;
        fate.owed = false;
        assert!(fate.taken <= fate.raised, "{id} was invented");
    }
}

fn store(rig: &mut Rig, vcpu: u8, block: u64, id: Id) {
    rig.store_bit(vcpu, block, id);
}

fn run(lists: usize, steps: Vec<Step>) {
    let mut rig = Rig::new(VCPUS, lists);
    let mut fates = Fates::default();
    rig.store(0, Frame::Distributor, 0, 4, 2);
    for vcpu in 0..VCPUS {
        let base = STRIDE * u64::from(vcpu) + SGI_BASE;
        rig.store(vcpu, Frame::Redistributor, base + 0x100, 4, 0xffff_ffff);
        rig.store(vcpu, Frame::Redistributor, base + 0xc04, 4, 0xffff_ffff);
    }
    // Edges: each counts.
    for word in 1..8 {
        rig.store(0, Frame::Distributor, 0x100 + 4 * word, 4, 0xffff_ffff);
        rig.store(0, Frame::Distributor, 0xc00 + 8 * word, 4, 0xffff_ffff);
        rig.store(0, Frame::Distributor, 0xc04 + 8 * word, 4, 0xffff_ffff);
    }
    // Numbers decide which are more urgent.
    for number in 0..256u32 {
        let priority = u64::from(255 - number) & 0xf8;
        let offset = 0x400 + u64::from(number);
        if number >= 32 {
            rig.store(0, Frame::Distributor, offset, 1, priority);
        } else {
            for vcpu in 0..VCPUS {
                let base = STRIDE * u64::from(vcpu) + SGI_BASE;
                rig.store(vcpu, Frame::Redistributor, base + offset, 1, priority);
            }
        }
    }
    rig.lazy = true;
    for step in steps {
        match step {
            Step::Pend(id) => {
                fates.raised(id);
                let vcpu = if id < SPI { (id / 32) as u8 } else { 0 };
                let kick = rig.gic.pend(vcpu, intid(id));
                rig.kick(kick);
            }
            Step::Raise(id) => {
                if !rig.active.contains(&id) {
                    fates.raised(id);
                    rig.raise(id);
                }
            }
            Step::Sgi(vcpu, list) => {
                for target in (0..VCPUS).filter(|target| list & 1 << target != 0) {
                    fates.raised(id(target, 1));
                }
                let kick = rig.gic.sgi(vcpu, 1 << 24 | u64::from(list));
                rig.kick(kick);
            }
            Step::Enable(vcpu, id, on) => {
                store(&mut rig, vcpu, if on { 0x100 } else { 0x180 }, id);
            }
            Step::Route(vcpu, id, to) if id >= SPI => {
                let offset = 0x6000 + 8 * u64::from(intid(id));
                rig.store(vcpu, Frame::Distributor, offset, 8, to.into());
            }
            Step::Route(..) => {}
            Step::Acknowledge(vcpu) => {
                if rig.core(vcpu).running
                    && let Some((id, _)) = rig.acknowledge(vcpu)
                {
                    let places = rig.cores.iter().flat_map(|core| &core.stack);
                    assert_eq!(places.filter(|(other, _)| *other == id).count(), 1, "twice");
                    fates.taken(id);
                }
            }
            Step::End(vcpu) => drop(rig.end(vcpu)),
            Step::Park(vcpu) => rig.park(vcpu),
            Step::Resume(vcpu, lists) => rig.resume(vcpu, lists),
            Step::Deliver => rig.deliver(),
        }
    }
    rig.lazy = false;
    rig.deliver();
    for vcpu in 0..VCPUS {
        rig.resume(vcpu, lists);
    }
    let ids: Vec<_> = fates.0.keys().copied().collect();
    for id in ids {
        store(&mut rig, 0, 0x100, id);
    }
    for (_, id) in rig.work() {
        fates.taken(id);
    }
    let lost: Vec<_> = fates.0.iter().filter(|(_, fate)| fate.owed).collect();
    assert!(lost.is_empty(), "{lost:?}");
    assert!(
        rig.active.is_empty(),
        "physical ones are left: {:?}",
        rig.active
    );
    assert_eq!(
        (0..VCPUS)
            .map(|vcpu| rig.gic.hw_outstanding(vcpu).count())
            .sum::<usize>(),
        0
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn no_interrupt_is_lost_or_invented_however_late_kicks_are(
        lists in 1usize..=4,
        steps in prop::collection::vec(steps(), 1..250),
    ) {
        run(lists, steps);
    }
}
