//! Telling partitions of VMs: who is found, what each is sent, and what is made of what comes back.

use crate::{
    availability::{
        Caller, MAX_SUBSCRIBERS, MOST_RUNS, News, Outcome, announce, subscribers, tell,
    },
    buffers::Unreachable,
    forward::Upstream,
};
use ffa_abi::{
    EndpointId,
    FfaError::{self, Aborted, Busy, Denied, InvalidParameters, NoMemory, NotSupported},
    Regs, TargetInfo, Version,
    availability::VmEvent::{Created, Destroyed},
    fid::raw::*,
    memory::Handle,
};

const RX_RELEASE: u32 = 0x8400_0065;
const INFO_GET: u32 = 0x8400_0068;
const SP: EndpointId = EndpointId(0x8001);
const CREATED: u32 = 1 << 6;
const DESTROYED: u32 = 1 << 7;

/// An SPMC that has a list, and answers everything else by script.
struct El3 {
    /// Id and properties of each descriptor.
    list: Vec<(u16, u32)>,
    size: usize,
    /// What the list's answer becomes.
    told: fn(&mut [u64; 18]),
    rx: Vec<u8>,
    full: bool,
    /// Messages of partitions that come into RX as soon as it is empty.
    messages: u32,
    /// What comes back of requests and runs, the last one again and again.
    script: Vec<[u64; 4]>,
    /// Requests and runs.
    asked: Vec<[u64; 8]>,
    interrupts: u32,
    /// The core is wanted back at this one.
    most_interrupts: u32,
}

impl El3 {
    fn new(list: &[(u16, u32)]) -> Self {
        Self {
            list: list.to_vec(),
            size: 48,
            told: |_| {},
            rx: vec![0; 4 * 4096],
            full: false,
            messages: 0,
            script: vec![],
            asked: vec![],
            interrupts: 0,
            most_interrupts: u32::MAX,
        }
    }

    fn scripted(script: &[[u64; 4]]) -> Self {
        let mut el3 = Self::new(&[]);
        el3.script = script.to_vec();
        el3
    }
}

fn error(code: FfaError) -> [u64; 4] {
    [ERROR.into(), 0, code.register(), 0]
}

fn answers(number: u64, status: u64) -> [u64; 4] {
    [
        DIRECT_RESP_32.into(),
        0x8001_0000,
        0x8000_0000 | number,
        status,
    ]
}

const INTERRUPTED: [u64; 4] = [INTERRUPT as u64, 0x8001_0002, 0, 0];
const CONTEXT: TargetInfo = TargetInfo {
    endpoint: SP,
    context: 2,
};
const YIELDED: [u64; 4] = [YIELD as u64, 0x8001_0002, 77, 0];

impl crate::forward::El3 for El3 {
    fn smc(&mut self, regs: &mut Regs) {
        let sent = *regs;
        let mut x = [0; 18];
        match sent.w::<0>() {
            INFO_GET => {
                assert_eq!(sent.0[1..], [0; 17], "all of them, with descriptors");
                assert!(!self.full);
                if self.messages > 0 {
                    x[..4].copy_from_slice(&error(Busy));
                } else if self.list.is_empty() {
                    x[..4].copy_from_slice(&error(InvalidParameters));
                } else {
                    self.rx.fill(0xee);
                    for (slot, (id, bits)) in self.rx.chunks_mut(self.size).zip(&self.list) {
                        slot.fill(0);
                        slot[..2].copy_from_slice(&id.to_le_bytes());
                        slot[4..8].copy_from_slice(&bits.to_le_bytes());
                    }
                    self.full = true;
                    x[0] = SUCCESS_32.into();
                    x[2] = self.list.len() as u64;
                    x[3] = self.size as u64;
                    (self.told)(&mut x);
                }
            }
            RX_RELEASE => {
                assert_eq!(sent[1], 0);
                match self.messages.checked_sub(1) {
                    Some(rest) => self.messages = rest,
                    None => assert!(core::mem::take(&mut self.full)),
                }
                x[0] = SUCCESS_32.into();
            }
            _ => {
                assert!(!self.full, "nobody is told while the proxy's RX is full");
                assert_eq!(sent.0[8..], [0; 10]);
                self.asked.push(sent.0[..8].try_into().unwrap());
                let answer = match self.script.len() {
                    1 => self.script[0],
                    _ => self.script.remove(0),
                };
                x[..4].copy_from_slice(&answer);
                if x[0] == u64::from(DIRECT_RESP_32) && x[1] == 0 {
                    // To whoever was asked.
                    x[1] = sent[1] << 16 & 0xffff_0000;
                }
            }
        }
        *regs = Regs(x);
    }
}

impl Caller for El3 {
    fn read_rx(&mut self, offset: usize, to: &mut [u8]) -> Result<(), Unreachable> {
        assert!(self.full);
        to.copy_from_slice(self.rx.get(offset..offset + to.len()).ok_or(Unreachable)?);
        Ok(())
    }

    fn interrupted(&mut self) -> bool {
        self.interrupts += 1;
        self.interrupts < self.most_interrupts
    }
}

const UPSTREAM: Upstream = Upstream {
    version: Version::V1_3,
    spm_id: EndpointId::SPMC,
    direct2: true,
    rx: 4 * 4096,
    info_regs: true,
    sri: None,
    indirect: false,
    notifications: false,
};

const NEWS: News = News {
    event: Created,
    vm: EndpointId(3),
    handle: Handle(0x8765_4321_0000_0042),
};

fn ids(found: &[EndpointId]) -> Vec<u16> {
    found.iter().map(|id| id.0).collect()
}

#[test]
fn who_subscribed_is_found_once_whatever_the_size_of_descriptors() {
    for (version, size) in [
        (Version::V1_1, 24),
        (Version::V1_2, 24),
        (Version::V1_3, 48),
        (Version::V1_3, 56),
    ] {
        let mut el3 = El3::new(&[
            (0x8001, 1 | CREATED),
            (0x8002, 1),
            (0x8003, 1 | CREATED | DESTROYED),
            (0x8003, 1 | CREATED | DESTROYED),
            (0x8004, 1 | DESTROYED),
            // Not a partition of the SPMC's.
            (0xffc0, CREATED | DESTROYED),
            (0x0002, CREATED | DESTROYED),
        ]);
        el3.size = size;
        let upstream = Upstream {
            version,
            ..UPSTREAM
        };
        let created = subscribers(Created, &upstream, &mut el3).unwrap();
        assert_eq!(ids(&created), [0x8001, 0x8003]);
        let destroyed = subscribers(Destroyed, &upstream, &mut el3).unwrap();
        assert_eq!(ids(&destroyed), [0x8003, 0x8004]);
        assert!(!el3.full);
    }
}

#[test]
fn without_partitions_buffers_or_1_1_there_is_nobody() {
    let mut el3 = El3::new(&[]);
    assert_eq!(
        subscribers(Created, &UPSTREAM, &mut el3),
        Ok([].into_iter().collect())
    );
    let mut el3 = El3::new(&[(0x8001, CREATED)]);
    for upstream in [
        Upstream { rx: 0, ..UPSTREAM },
        Upstream {
            version: Version::V1_0,
            ..UPSTREAM
        },
    ] {
        assert!(
            subscribers(Created, &upstream, &mut el3)
                .unwrap()
                .is_empty()
        );
    }
}

#[test]
fn a_list_that_makes_no_sense_is_aborted_and_rx_given_back() {
    let nonsense: [fn(&mut [u64; 18]); 5] = [
        |x| x[3] = 7,
        |x| x[3] = 0,
        |x| x[2] = 0xffff_ffff,
        |x| x[3] = 0xffff_ffff,
        |x| x[2] = 342,
    ];
    for told in nonsense {
        let mut el3 = El3::new(&[(0x8001, CREATED)]);
        el3.told = told;
        assert_eq!(subscribers(Created, &UPSTREAM, &mut el3), Err(Aborted));
        assert!(!el3.full);
    }
    // What is no completion at all, and an error.
    for (answer, wanted) in [
        ([0xdead, 0, 0, 0], Aborted),
        (error(NoMemory), NoMemory),
        ([u64::MAX, 0, 0, 0], NotSupported),
    ] {
        struct Mad([u64; 4]);
        impl crate::forward::El3 for Mad {
            fn smc(&mut self, regs: &mut Regs) {
                regs.0[..4].copy_from_slice(&self.0);
            }
        }
        impl Caller for Mad {
            fn read_rx(&mut self, _: usize, _: &mut [u8]) -> Result<(), Unreachable> {
                panic!("there is no list")
            }
            fn interrupted(&mut self) -> bool {
                panic!("nobody was told")
            }
        }
        assert_eq!(
            subscribers(Created, &UPSTREAM, &mut Mad(answer)),
            Err(wanted)
        );
    }
}

#[test]
fn messages_of_partitions_to_the_proxy_are_put_out_of_the_way() {
    let mut el3 = El3::new(&[(0x8001, CREATED)]);
    el3.messages = 3;
    let found = subscribers(Created, &UPSTREAM, &mut el3).unwrap();
    assert_eq!(ids(&found), [0x8001]);
    assert!(!el3.full);
    // One that goes on and on is not waited for.
    el3.messages = 1000;
    assert_eq!(subscribers(Created, &UPSTREAM, &mut el3), Err(Busy));
    assert!(el3.messages > 900);
}

#[test]
fn more_subscribers_than_places_are_no_memory() {
    let list: Vec<_> = (0..MAX_SUBSCRIBERS as u16 + 1)
        .map(|n| (0x8001 + n, CREATED))
        .collect();
    let mut el3 = El3::new(&list[..MAX_SUBSCRIBERS]);
    assert_eq!(
        subscribers(Created, &UPSTREAM, &mut el3).unwrap().len(),
        MAX_SUBSCRIBERS
    );
    let mut el3 = El3::new(&list);
    assert_eq!(subscribers(Created, &UPSTREAM, &mut el3), Err(NoMemory));
    assert!(!el3.full);
}

#[test]
fn a_partition_is_sent_the_message_and_its_status_is_told() {
    for (event, request, response) in [(Created, 4, 5), (Destroyed, 6, 7)] {
        for (status, wanted) in [
            (0, Outcome::Told),
            (0xffff_fffd, Outcome::Refused(-3)),
            (17, Outcome::Refused(17)),
        ] {
            let mut el3 = El3::scripted(&[answers(response, status)]);
            assert_eq!(tell(News { event, ..NEWS }, SP, &mut el3), wanted);
            let sent = [
                DIRECT_REQ_32.into(),
                0x8001,
                0x8000_0000 | request,
                0x42,
                0x8765_4321,
                3,
                0,
                0,
            ];
            assert_eq!(el3.asked, [sent]);
        }
    }
}

#[test]
fn one_that_is_interrupted_or_yields_is_run_again() {
    let mut el3 = El3::scripted(&[INTERRUPTED, YIELDED, INTERRUPTED, answers(5, 0)]);
    assert_eq!(tell(NEWS, SP, &mut el3), Outcome::Told);
    assert_eq!(el3.interrupts, 3, "who yields may have left some pending");
    let run = [RUN.into(), 0x8001_0002, 0, 0, 0, 0, 0, 0];
    assert_eq!(el3.asked[1..], [run; 3]);
    // It fails then.
    for (end, wanted) in [
        (error(Aborted), Outcome::Aborted),
        ([MSG_WAIT.into(), 0, 0, 0], Outcome::Unexpected),
    ] {
        let mut el3 = El3::scripted(&[INTERRUPTED, end]);
        assert_eq!(tell(NEWS, SP, &mut el3), wanted);
    }
}

#[test]
fn one_that_another_core_runs_was_told() {
    let mut el3 = El3::scripted(&[INTERRUPTED, error(Busy)]);
    assert_eq!(tell(NEWS, SP, &mut el3), Outcome::Unfinished(CONTEXT));
}

#[test]
fn one_that_is_interrupted_when_the_core_is_wanted_is_not_run_again() {
    for ahead in [INTERRUPTED, YIELDED] {
        let mut el3 = El3::scripted(&[ahead]);
        el3.most_interrupts = 3;
        assert_eq!(tell(NEWS, SP, &mut el3), Outcome::Unfinished(CONTEXT));
        assert_eq!(el3.asked.len(), 3);
    }
}

#[test]
fn one_that_comes_to_no_end_is_given_up() {
    for forever in [INTERRUPTED, YIELDED] {
        let mut el3 = El3::scripted(&[forever]);
        assert_eq!(tell(NEWS, SP, &mut el3), Outcome::Unfinished(CONTEXT));
        assert_eq!(el3.asked.len(), 1 + MOST_RUNS as usize);
    }
}

#[test]
fn what_is_not_its_answer_is_told_as_what_it_is() {
    for (answer, wanted) in [
        (error(InvalidParameters), Outcome::Error(InvalidParameters)),
        (error(Denied), Outcome::Error(Denied)),
        (error(Busy), Outcome::Error(Busy)),
        (error(Aborted), Outcome::Aborted),
        ([u64::MAX, 0, 0, 0], Outcome::Error(NotSupported)),
        ([ERROR.into(), 0, 1234, 0], Outcome::Unexpected),
        ([0xdead, 0, 0, 0], Outcome::Unexpected),
        ([SUCCESS_32.into(), 0, 0, 0], Outcome::Unexpected),
        // The other event's, a partition's, the 64-bit form, another sender, another receiver.
        (answers(7, 0), Outcome::Unexpected),
        (
            [DIRECT_RESP_32.into(), 0x8001_0000, 0, 0],
            Outcome::Unexpected,
        ),
        (
            [DIRECT_RESP_64.into(), 0x8001_0000, 0x8000_0005, 0],
            Outcome::Unexpected,
        ),
        (
            [DIRECT_RESP_32.into(), 0x8002_0000, 0x8000_0005, 0],
            Outcome::Unexpected,
        ),
        (
            [DIRECT_RESP_32.into(), 0x8001_0001, 0x8000_0005, 0],
            Outcome::Unexpected,
        ),
        // Another partition was interrupted.
        ([INTERRUPT.into(), 0x8002_0000, 0, 0], Outcome::Unexpected),
    ] {
        let mut el3 = El3::scripted(&[answer]);
        assert_eq!(tell(NEWS, SP, &mut el3), wanted, "{answer:x?}");
        assert_eq!((el3.asked.len(), el3.interrupts), (1, 0));
    }
}

#[test]
fn all_are_told_in_their_order_whatever_comes_of_one() {
    let mut el3 = El3::new(&[
        (0x8001, CREATED),
        (0x8002, DESTROYED),
        (0x8003, CREATED),
        (0x8004, CREATED),
    ]);
    let to_asker = |status| [DIRECT_RESP_32.into(), 0, 0x8000_0005, status];
    el3.script = vec![to_asker(0), error(Busy), to_asker(0xffff_ffff)];
    let mut seen = vec![];
    announce(NEWS, &UPSTREAM, &mut el3, |_, partition, outcome| {
        seen.push((partition.0, outcome));
    })
    .unwrap();
    assert_eq!(
        seen,
        [
            (0x8001, Outcome::Told),
            (0x8003, Outcome::Error(Busy)),
            (0x8004, Outcome::Refused(-1)),
        ]
    );
}

#[test]
fn outcomes_read_as_sentences() {
    let context = TargetInfo {
        endpoint: SP,
        context: 2,
    };
    for (outcome, text) in [
        (Outcome::Told, "told"),
        (Outcome::Refused(-3), "told, and it answered NO_MEMORY"),
        (Outcome::Refused(17), "told, and it answered 17"),
        (Outcome::Error(Busy), "not told: BUSY"),
        (Outcome::Aborted, "has failed"),
        (
            Outcome::Unfinished(context),
            "told, but context 2 has come to no answer yet",
        ),
        (
            Outcome::Unexpected,
            "told, and something else came back than its answer",
        ),
    ] {
        assert_eq!(outcome.to_string(), text);
    }
}
