//! Notifications (DEN0077A, "Notifications") of VMs: `FFA_NOTIFICATION_BIND`, `UNBIND`, `SET`, `GET` and `INFO_GET`.
//!
//! | sender | receiver | who keeps them |
//! | --- | --- | --- |
//! | VM | VM | the proxy ([`Vm::receiver`]) |
//! | partition | VM | the SPMC, in the VM's bitmap there: it has one from before its first instruction to its end |
//! | VM | partition | the SPMC |
//!
//! A call that is for the SPMC goes there with the VM's own id; no VM makes one in another's name. `GET` and `INFO_GET` are
//! answered with what both have, the SPMC's first.
//!
//! # Interrupts
//!
//! When something becomes pending that the proxy keeps, the receiver's vCPUs get the notification pending interrupt, and the
//! primary the schedule receiver interrupt, as it has it from the SPMC. Of what the SPMC keeps the receiver is told when
//! the primary has been told that it is to run.
//!
//! The lock of a VM's notifications is innermost, and nothing is called with it.

mod life;

pub(crate) use life::Bitmaps;

use crate::{
    forward::ask,
    proxy::{Machine, Next, Pe, Proxy},
    vcpu::{Registers, VcpuId, VmIndex},
    vm::Vm,
};
use ffa_abi::{
    Call, EndpointId, FfaError, Reply, Version, contract,
    features::{FeatureId, FeatureQuery, NotificationProperties},
    id::Endpoints,
    notification::{GetFlags, InfoLists, Pending, SetFlags},
};

/// The notification pending interrupt of VMs: an SGI that Linux does not use for itself, and takes as such.
const NPI: u32 = 9;
/// The same where the SPMC's schedule receiver interrupt is that one.
const OTHER_NPI: u32 = 10;
/// What the SPMC keeps of a VM's notifications.
const THERE: GetFlags = GetFlags::PARTITIONS.union(GetFlags::SPM);

const INVALID: FfaError = FfaError::InvalidParameters;

impl<R> Vm<'_, R> {
    /// Whether it receives notifications now.
    pub(crate) fn is_notified(&self) -> bool {
        self.has_bitmap() && !self.is_dead()
    }

    /// Whether there is a vCPU with this index.
    fn has_vcpu(&self, context: u16) -> bool {
        context < self.info.vcpus.into()
    }
}

impl<'v, R: Registers> Proxy<'v, R> {
    /// A call of a VM about notifications. `None` if it is none.
    #[inline(never)]
    pub(crate) fn notification(
        &self,
        pe: &Pe<'v, R>,
        vm: &Vm<'v, R>,
        call: Call,
        machine: &mut impl Machine<R>,
    ) -> Option<Result<Reply, FfaError>> {
        if !self.implements(vm, call.fid()) {
            return None;
        }
        let done = |done: Result<(), FfaError>| done.map(|()| Reply::success(0));
        Some(match call {
            Call::NotificationBind { ids, bitmap, .. }
            | Call::NotificationUnbind { ids, bitmap } => {
                done(self.bind(vm, ids, bitmap, call, machine))
            }
            Call::NotificationSet { ids, flags, bitmap } => {
                done(self.set(pe, vm, (ids, flags, bitmap), machine))
            }
            Call::NotificationGet {
                receiver,
                context,
                flags,
            } => {
                let of = (receiver, context);
                let pending = self.get(vm, of, flags, machine);
                pending.map(Pending::success)
            }
            _ => return None,
        })
    }

    /// `FFA_NOTIFICATION_BIND` and `UNBIND`, which are checked alike.
    fn bind(
        &self,
        vm: &Vm<'v, R>,
        Endpoints { sender, receiver }: Endpoints,
        bitmap: u64,
        call: Call,
        machine: &mut impl Machine<R>,
    ) -> Result<(), FfaError> {
        if receiver != vm.info.id || sender == receiver || bitmap == 0 {
            return Err(INVALID);
        }
        if sender.is_partition() {
            return ask(call, machine).map(|_| ());
        }
        let from = self.find(sender).and_then(|from| self.vm(from));
        let from = from.ok_or(INVALID)?;
        let mut notifications = vm.receiver.lock();
        // Who ends is forgotten with the lock held, after it is known to have ended.
        if from.is_dead() || vm.is_dead() {
            return Err(INVALID);
        }
        match call {
            Call::NotificationBind { per_context, .. } => {
                notifications.bind(sender, per_context, bitmap)
            }
            _ => notifications.unbind(sender, bitmap),
        }
    }

    /// `FFA_NOTIFICATION_SET`.
    fn set(
        &self,
        pe: &Pe<'v, R>,
        vm: &Vm<'v, R>,
        (ids, flags, bitmap): (Endpoints, SetFlags, u64),
        machine: &mut impl Machine<R>,
    ) -> Result<(), FfaError> {
        let Endpoints { sender, receiver } = ids;
        let context = flags.target()?;
        if sender != vm.info.id || sender == receiver || bitmap == 0 {
            return Err(INVALID);
        }
        if receiver.is_partition() {
            // Whether the interrupt may wait is said by partitions only.
            let flags = SetFlags {
                delay_schedule_receiver: false,
                ..flags
            };
            let set = Call::NotificationSet { ids, flags, bitmap };
            return ask(set, machine).map(|_| ());
        }
        let index = self.find(receiver).ok_or(INVALID)?;
        let to = self.vm(index).ok_or(INVALID)?;
        let mut notifications = to.receiver.lock();
        if !to.is_notified() || context.is_some_and(|context| !to.has_vcpu(context)) {
            return Err(INVALID);
        }
        notifications.set(sender, context, bitmap)?;
        let untold = notifications.has_news();
        drop(notifications);
        // Of what was pending and has been told nobody is told again.
        if untold {
            self.notify(pe, index, context, machine);
        }
        Ok(())
    }

    /// `FFA_NOTIFICATION_GET`.
    fn get(
        &self,
        vm: &Vm<'v, R>,
        (receiver, context): (EndpointId, u16),
        flags: GetFlags,
        machine: &mut impl Machine<R>,
    ) -> Result<Pending, FfaError> {
        if receiver != vm.info.id || !vm.has_vcpu(context) {
            return Err(INVALID);
        }
        let there = flags & THERE;
        let mut pending = Pending::default();
        if !there.is_empty() {
            let get = Call::NotificationGet {
                receiver,
                context,
                flags: there,
            };
            let Pending {
                partitions, spm, ..
            } = Pending::from_success(&ask(get, machine)?);
            pending = Pending {
                partitions,
                spm,
                ..pending
            };
        }
        // What the SPMC gave is not pending there any more: nothing fails from here on.
        let own = vm.receiver.lock().get(context, flags - THERE);
        Ok(Pending {
            vms: own.vms,
            hypervisor: own.hypervisor,
            ..pending
        })
    }

    /// `FFA_NOTIFICATION_INFO_GET` of the primary: who is to run, by the SPMC's list and the proxy's. VMs that are named
    /// get their interrupt.
    pub(crate) fn whom_to_run(
        &self,
        pe: &mut Pe<'v, R>,
        wide: bool,
        machine: &mut impl Machine<R>,
    ) -> Result<Next, FfaError> {
        let call = Call::NotificationInfoGet { wide };
        let answer = match ask(call, machine) {
            Ok(answer) => Some(answer),
            Err(FfaError::NoData) => None,
            Err(error) => return Err(error),
        };
        let theirs = match &answer {
            Some(answer) => InfoLists::from_success(answer),
            None => Some(InfoLists::new(wide)),
        };
        let mut all = theirs;
        if let Some(lists) = &mut all {
            for vm in &self.vms {
                if !vm.receiver.lock().info(vm.info.id, lists) {
                    break;
                }
            }
            for (endpoint, contexts) in lists.iter() {
                self.tell_of_pending(pe, endpoint, contexts, machine);
            }
        }
        let vcpu = pe.running().ok_or(FfaError::Denied)?;
        match (all, answer) {
            (Some(lists), _) if Some(lists) != theirs => {
                lists.success().write(vcpu.machine.x());
            }
            (_, Some(answer)) => {
                let layout = contract::layout(Some(call.fid()), answer[0]);
                contract::write(layout, &answer, vcpu.machine.x());
            }
            (_, None) => return Err(FfaError::NoData),
        }
        Ok(Next::Vcpu)
    }

    /// A VM has something pending, for one of its vCPUs or for any.
    pub(crate) fn notify(
        &self,
        pe: &Pe<'v, R>,
        to: VmIndex,
        context: Option<u16>,
        machine: &mut impl Machine<R>,
    ) {
        self.interrupt_vm(pe, to, context, machine);
        if let (Some(sri), Some(primary)) = (self.upstream.sri, self.primary_on(pe.index)) {
            machine.raise(primary, sri);
        }
    }

    /// Who is named in a list has something pending: if it is a VM, it is told.
    fn tell_of_pending(
        &self,
        pe: &Pe<'v, R>,
        endpoint: EndpointId,
        contexts: &[u16],
        machine: &mut impl Machine<R>,
    ) {
        let Some(to) = self.find(endpoint) else {
            return;
        };
        if contexts.is_empty() {
            self.interrupt_vm(pe, to, None, machine);
        }
        for context in contexts {
            self.interrupt_vm(pe, to, Some(*context), machine);
        }
    }

    /// The notification pending interrupt of one vCPU; for what is pending for any of them: of all, so that whichever runs
    /// next finds it, or of the primary's that is on this core.
    fn interrupt_vm(
        &self,
        pe: &Pe<'v, R>,
        to: VmIndex,
        context: Option<u16>,
        machine: &mut impl Machine<R>,
    ) {
        let Some(vm) = self.vm(to).filter(|vm| vm.is_notified()) else {
            return;
        };
        let here = Some(()).filter(|()| vm.info.primary && context.is_none());
        let here = here.and_then(|()| vm.info.vcpu_on(pe.index));
        for vcpu in 0..vm.info.vcpus {
            let wanted = match (context, here) {
                (Some(context), _) => context == vcpu.into(),
                (None, Some(here)) => here == vcpu,
                (None, None) => true,
            };
            if wanted {
                machine.raise(VcpuId { vm: to, vcpu }, self.npi());
            }
        }
    }

    /// The primary's vCPU of a core.
    fn primary_on(&self, core: u16) -> Option<VcpuId> {
        let place = self.vms.iter().position(|vm| vm.info.primary)?;
        let vm = VmIndex(u8::try_from(place).ok()?);
        let vcpu = self.info(vm)?.vcpu_on(core)?;
        Some(VcpuId { vm, vcpu })
    }

    /// The notification pending interrupt.
    const fn npi(&self) -> u32 {
        match self.upstream.sri {
            Some(NPI) => OTHER_NPI,
            _ => NPI,
        }
    }

    /// What `FFA_FEATURES` says of a feature of notifications, by its id: w2. `None` if the VM has it not.
    pub(crate) fn notification_feature(
        &self,
        vm: &Vm<'v, R>,
        feature: FeatureId,
        machine: &mut impl Machine<R>,
    ) -> Option<u32> {
        let version = vm.version.get();
        match feature {
            FeatureId::NotificationPendingInterrupt => {
                (version >= Version::V1_1 && vm.is_notified()).then(|| self.npi())
            }
            FeatureId::ScheduleReceiverInterrupt => self.sri(vm),
            // Those of one vCPU are there if the SPMC has them, too.
            FeatureId::Notification if version >= Version::V1_3 && self.upstream.notifications => {
                let query = FeatureQuery::Feature(feature.into());
                let answer = ask(Call::Features { query, input: 0 }, machine).ok()?;
                let properties = NotificationProperties {
                    bitmaps: [0; 2],
                    ..NotificationProperties::from_w2(answer.w::<2>())
                };
                Some(properties.w2())
            }
            _ => None,
        }
    }
}
