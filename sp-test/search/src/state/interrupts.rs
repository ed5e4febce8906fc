//! What is remembered of interrupts.

/// A virtual interrupt of a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Id {
    /// The emulated timer.
    Timer,
    /// The managed exit interrupt.
    ManagedExit,
    /// The notification pending interrupt.
    Notified,
    /// One that another context sent.
    Sent,
    /// That of its partition's device.
    Device,
}

impl Id {
    /// Every one.
    pub const ALL: [Self; 5] = [
        Self::Timer,
        Self::ManagedExit,
        Self::Notified,
        Self::Sent,
        Self::Device,
    ];

    /// As a partition sees it. Each partition has one device.
    pub const fn number(self, slot: u8) -> u32 {
        match self {
            Self::Timer => 3,
            Self::ManagedExit => 4,
            Self::Notified => 5,
            Self::Sent => 9,
            Self::Device => 40 + slot as u32,
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Virtual interrupts that are pending, the oldest first. Each is pending once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pending([Option<Id>; 5]);

impl Pending {
    /// The oldest first.
    pub fn iter(&self) -> impl Iterator<Item = Id> + '_ {
        self.0.iter().flatten().copied()
    }

    /// Whether one is pending.
    pub fn has(&self, id: Id) -> bool {
        self.iter().any(|other| other == id)
    }

    /// One more.
    pub fn add(&mut self, id: Id) {
        if !self.has(id)
            && let Some(place) = self.0.iter_mut().find(|place| place.is_none())
        {
            *place = Some(id);
        }
    }

    /// Without one.
    pub fn remove(&mut self, id: Id) {
        let rest: Vec<_> = self.iter().filter(|other| *other != id).collect();
        *self = Self::default();
        rest.into_iter().for_each(|id| self.add(id));
    }
}

/// Interrupts that are enabled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Enabled(u8);

impl Enabled {
    /// What needs no enabling.
    pub const FIRST: Self = Self(Id::ManagedExit.bit() | Id::Notified.bit());

    /// Whether one is.
    pub const fn has(self, id: Id) -> bool {
        self.0 & id.bit() != 0
    }

    /// Enables or disables one.
    pub const fn set(&mut self, id: Id, on: bool) {
        match on {
            true => self.0 |= id.bit(),
            false => self.0 &= !id.bit(),
        }
    }
}

/// The emulated timer of a context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Timer {
    /// Whether it is switched on.
    pub on: bool,
    /// The core that sees to it, if it has not fired yet.
    pub watched: Option<u8>,
}

/// Virtual interrupts of a context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Irq {
    /// Those that are pending.
    pub pending: Pending,
    /// Those that are enabled.
    pub enabled: Enabled,
    /// The core on which its device's is active.
    pub active: Option<u8>,
    /// The one that its last `FFA_INTERRUPT` named.
    pub announced: Option<Id>,
    /// It was told of one while its callee ran.
    pub drains: bool,
    /// It was asked to make room for the normal world.
    pub managed_exit: bool,
    /// Whether the line of virtual IRQs is raised.
    pub irq: bool,
    /// Whether the line of virtual FIQs is.
    pub fiq: bool,
    /// Something is to be done when it leaves the core.
    pub attention: bool,
    /// The normal world was told of what is pending.
    pub told: bool,
    /// Its emulated timer.
    pub timer: Timer,
}

impl Irq {
    /// As at the first entry.
    pub const FIRST: Self = Self {
        pending: Pending([None; 5]),
        enabled: Enabled::FIRST,
        active: None,
        announced: None,
        drains: false,
        managed_exit: false,
        irq: false,
        fiq: false,
        attention: false,
        told: true,
        timer: Timer {
            on: false,
            watched: None,
        },
    };

    /// Those that are pending and enabled, the oldest first.
    pub fn deliverable(&self) -> impl Iterator<Item = Id> + '_ {
        self.pending.iter().filter(|id| self.enabled.has(*id))
    }

    /// Whether there are any.
    pub fn wants(&self) -> bool {
        self.deliverable().next().is_some()
    }

    /// The oldest for which the context is to run: for notifications alone it is not.
    pub fn oldest_that_wakes(&self) -> Option<Id> {
        self.deliverable().find(|id| *id != Id::Notified)
    }

    /// Whether there is one.
    pub fn wakes(&self) -> bool {
        self.oldest_that_wakes().is_some()
    }
}

/// The interrupt of a partition's device, in the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Device {
    /// Whether it may come.
    pub enabled: bool,
    /// The core on which it is active: it does not come meanwhile.
    pub active: Option<u8>,
}

/// Whether a partition has failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Life {
    /// It has not.
    #[default]
    Alive,
    /// For good.
    Failed,
    /// It was stopped.
    Stopped,
}
