//! VM availability messages (DEN0077A 1.1, "VM availability messages"): the proxy tells partitions
//! that subscribed of VMs that come and go.
//!
//! [`subscribers`] finds them through the proxy's own RX, which is given back before anybody is told;
//! [`tell`] tells one of them and sees to it that it comes to its answer; [`announce`] does both. The
//! caller decides when, and what follows from an [`Outcome`]: none of them stops a VM by itself.

use crate::{
    buffers::Unreachable,
    forward::{El3, Upstream, ask_for_rx, release_rx},
};
use core::fmt;
use ffa_abi::{
    Call, Completion, EndpointId, FfaError, Fid, Regs, TargetInfo, Uuid, Version,
    availability::{VmEvent, VmEvents},
    id::Endpoints,
    memory::Handle,
    message::{Framework, MessageKind},
    partition_info::{DescriptorLayout, InfoCount, PartitionInfo},
};
use heapless::Vec;

/// The most partitions that are told: more than this project's SPMC has.
pub const MAX_SUBSCRIBERS: usize = 64;

/// How often a partition is run again that was interrupted or has yielded before it is given up.
pub const MOST_RUNS: u32 = 10_000;

/// What telling partitions asks of the machine.
pub trait Caller: El3 {
    /// Copies from the proxy's own RX.
    ///
    /// # Errors
    /// It is not that long.
    fn read_rx(&mut self, offset: usize, to: &mut [u8]) -> Result<(), Unreachable>;

    /// An interrupt took a partition away from the core while it was told, or it has yielded, and may do nothing else.
    /// Takes all interrupts that are pending: one that stays would take it away again at once. `false` if the core is
    /// wanted back, and the partition is not to go on.
    fn interrupted(&mut self) -> bool;
}

/// A VM that came or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct News {
    /// Which of both.
    pub event: VmEvent,
    /// The VM's id.
    pub vm: EndpointId,
    /// Memory with more about it, or [`Handle::INVALID`].
    pub handle: Handle,
}

impl News {
    const fn message(self) -> Framework {
        self.event.message(self.vm, self.handle)
    }
}

/// What came of telling a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// It knows.
    Told,
    /// It knows, and answered with this code: one of FF-A's, or its own.
    Refused(i32),
    /// The SPMC refused to tell it, or to run it again.
    Error(FfaError),
    /// It has failed, before or of it.
    Aborted,
    /// It was interrupted or has yielded [`MOST_RUNS`] times, or the core was wanted back, or another
    /// core runs it: this context of its may still owe the answer, and is busy until it has been run to
    /// it.
    Unfinished(TargetInfo),
    /// What came back completes no such message.
    Unexpected,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Told => f.write_str("told"),
            Self::Refused(code) => match FfaError::try_from(*code) {
                Ok(error) => write!(f, "told, and it answered {error}"),
                Err(_) => write!(f, "told, and it answered {code}"),
            },
            Self::Error(error) => write!(f, "not told: {error}"),
            Self::Aborted => f.write_str("has failed"),
            Self::Unfinished(target) => write!(
                f,
                "told, but context {} has come to no answer yet",
                target.context
            ),
            Self::Unexpected => f.write_str("told, and something else came back than its answer"),
        }
    }
}

/// Tells every partition that subscribed, one after the other in the order of the SPMC's list, and
/// says of each what came of it.
///
/// # Errors
/// As [`subscribers`]: then nobody was told.
pub fn announce<C: Caller>(
    news: News,
    upstream: &Upstream,
    caller: &mut C,
    mut each: impl FnMut(&mut C, EndpointId, Outcome),
) -> Result<(), FfaError> {
    for partition in subscribers(news.event, upstream, caller)? {
        let outcome = tell(news, partition, caller);
        each(caller, partition, outcome);
    }
    Ok(())
}

/// The partitions that are to be told of `event`. None without buffers, or where there are none.
///
/// The proxy's RX must be nobody else's meanwhile; it is given back whatever happens.
///
/// # Errors
/// What the SPMC answers to `FFA_PARTITION_INFO_GET`; NO_MEMORY if there are more than
/// [`MAX_SUBSCRIBERS`]; ABORTED if its list makes no sense.
pub fn subscribers(
    event: VmEvent,
    upstream: &Upstream,
    caller: &mut impl Caller,
) -> Result<Vec<EndpointId, MAX_SUBSCRIBERS>, FfaError> {
    let mut found = Vec::new();
    // 1.0 has no such messages.
    if upstream.rx == 0 || upstream.version < Version::V1_1 {
        return Ok(found);
    }
    let get = Call::PartitionInfoGet {
        uuid: Uuid::NIL,
        count_only: false,
    };
    let listed = match ask_for_rx(get, caller) {
        Ok(answer) => read(event, upstream, &answer, caller, &mut found),
        // There are no partitions.
        Err(FfaError::InvalidParameters) => return Ok(found),
        Err(error) => return Err(error),
    };
    release_rx(caller);
    listed.map(|()| found)
}

/// Reads the list that `answer` tells of. A partition with several services is in it several times.
fn read(
    event: VmEvent,
    upstream: &Upstream,
    answer: &Regs,
    caller: &mut impl Caller,
    found: &mut Vec<EndpointId, MAX_SUBSCRIBERS>,
) -> Result<(), FfaError> {
    let told = InfoCount::from_success(upstream.version, answer);
    let (count, size) = (told.count as usize, told.size as usize);
    let fits = count
        .checked_mul(size)
        .is_some_and(|bytes| bytes <= upstream.rx);
    if size < DescriptorLayout::Short.bytes() || !fits {
        return Err(FfaError::Aborted);
    }
    let mut bytes = [0; DescriptorLayout::Long.bytes()];
    let known = size.min(bytes.len());
    for index in 0..count {
        let descriptor = bytes.get_mut(..known).ok_or(FfaError::Aborted)?;
        let offset = index.saturating_mul(size);
        caller
            .read_rx(offset, descriptor)
            .map_err(|Unreachable| FfaError::Aborted)?;
        let info = PartitionInfo::read(known, descriptor).ok_or(FfaError::Aborted)?;
        if VmEvents::of(info.properties).has(event)
            && info.id.is_partition()
            && !found.contains(&info.id)
        {
            found.push(info.id).map_err(|_| FfaError::NoMemory)?;
        }
    }
    Ok(())
}

/// Tells one partition, and runs it again for as long as it is interrupted or yields and the core is
/// not wanted back, at most [`MOST_RUNS`] times.
pub fn tell(news: News, partition: EndpointId, caller: &mut impl Caller) -> Outcome {
    let ids = Endpoints {
        sender: EndpointId::HYPERVISOR,
        receiver: partition,
    };
    let mut call = Call::DirectReq {
        wide: false,
        ids,
        kind: MessageKind::Framework(news.message().number()),
    }
    .fid();
    let mut regs = news.message().encode(ids);
    let mut runs = 0;
    let mut interrupted = None;
    loop {
        caller.smc(&mut regs);
        let (again, goes_on) = match (next(call, &regs, news.event, ids), interrupted) {
            // It knows already: another core runs it to its answer.
            (Step::Done(Outcome::Error(FfaError::Busy)), Some(target)) => {
                return Outcome::Unfinished(target);
            }
            (Step::Done(outcome), _) => return outcome,
            (Step::Again(target), _) => (target, caller.interrupted()),
        };
        if runs == MOST_RUNS || !goes_on {
            return Outcome::Unfinished(again);
        }
        interrupted = Some(again);
        runs += 1;
        let run = Call::Run {
            wide: false,
            target: again,
        };
        call = run.fid();
        regs = run.encode();
    }
}

/// What EL3 returned means.
enum Step {
    Done(Outcome),
    /// It was interrupted, or has yielded.
    Again(TargetInfo),
}

fn next(call: Fid, regs: &Regs, event: VmEvent, ids: Endpoints) -> Step {
    let outcome = match Completion::decode(call, regs) {
        Ok(Completion::Interrupt { target, .. } | Completion::Yield { target, .. })
            if target.endpoint == ids.receiver =>
        {
            return Step::Again(target);
        }
        Ok(Completion::DirectResp {
            wide: false,
            ids: answered,
            kind: MessageKind::Framework(number),
        }) if answered == ids.reversed() && VmEvent::of_response(number) == Some(event) => {
            match Framework::decode(number, false, regs) {
                Ok(
                    Framework::VmCreatedResponse { status }
                    | Framework::VmDestroyedResponse { status },
                ) => match status {
                    0 => Outcome::Told,
                    code => Outcome::Refused(code),
                },
                _ => Outcome::Unexpected,
            }
        }
        Ok(Completion::Error {
            code: Ok(FfaError::Aborted),
            ..
        }) => Outcome::Aborted,
        Ok(Completion::Error {
            code: Ok(error), ..
        }) => Outcome::Error(error),
        Ok(Completion::Unknown) => Outcome::Error(FfaError::NotSupported),
        _ => Outcome::Unexpected,
    };
    Step::Done(outcome)
}
