//! A VM asks a partition with `FFA_MSG_SEND_DIRECT_REQ2`, is interrupted, runs the partition again with
//! the 32-bit `FFA_RUN`, and that call comes back with the 64-bit response in x4-x17.
//!
//! ```sh
//! cargo run -p ffa-abi --example conversation
//! ```

use ffa_abi::{
    Call, Completion, EndpointId, Regs, Reply, TargetInfo, Uuid, Version,
    contract::{self, Layout, Mode, Peer},
    id::Endpoints,
};

/// The registers of an endpoint, each with a value of its own.
fn own(mark: u64) -> [u64; 31] {
    core::array::from_fn(|n| mark << 32 | n as u64)
}

/// Puts a call with its payload into an endpoint's registers, as its driver would.
fn make(call: Call, payload: &[u64], x: &mut [u64; 31]) {
    let mut regs = Regs::of(x);
    for (n, value) in call.payload().zip(payload) {
        regs[n] = *value;
    }
    call.encode_into(&mut regs);
    x[..18].copy_from_slice(&regs.0);
}

/// Completes the call in `x` with what `from` sent, by the contract, and says what it did.
fn deliver(who: &str, peer: Peer, from: &Regs, x: &mut [u64; 31]) -> Completion {
    let call = Call::decode(peer.version, &Regs::of(x)).expect("the call it made");
    let layout = contract::layout(Some(call.fid()), from[0]);
    contract::deliverable(peer, call.fid().wide, layout).expect("it has those registers");
    let before = *x;
    contract::write(layout, from, x);
    let completion = Completion::decode(call.fid(), &Regs::of(x)).expect("a completion");
    println!(
        "{who}: {:?} completed by {:?}: x0-x{} written, x{}-x30 its own",
        call.fid(),
        completion.fid().expect("an identifier"),
        layout.registers() - 1,
        layout.registers(),
    );
    assert_eq!(x[layout.registers()..], before[layout.registers()..]);
    completion
}

fn main() {
    let peer = Peer {
        version: Version::V1_2,
        mode: Mode::Permissive,
    };
    let ids = Endpoints {
        sender: EndpointId(1),
        receiver: EndpointId(0x8001),
    };
    let service = Uuid::from_registers(0x1122_3344_5566_7788, 0x99aa_bbcc_ddee_ff00);
    let question: Vec<u64> = (0..14).map(|n| 0x0a5c_0000 + n).collect();
    let answer: Vec<u64> = question.iter().map(|n| n.rotate_left(7)).collect();

    // The partition waits, with a 32-bit call.
    let mut partition = own(0x50);
    let wait = Call::MsgWait {
        wide: false,
        retain_rx: false,
    };
    make(wait, &[], &mut partition);

    // The VM asks. Whoever mediates decodes, checks, and delivers the same registers.
    let mut vm = own(0x10);
    make(Call::DirectReq2 { ids, uuid: service }, &question, &mut vm);
    let request = Regs::of(&vm);
    let Ok(Call::DirectReq2 { ids, uuid }) = Call::decode(peer.version, &request) else {
        panic!("not what was encoded");
    };
    println!("{} asks {} for service {uuid}", ids.sender, ids.receiver);
    deliver("partition", peer, &request, &mut partition);
    assert_eq!(partition[4..18], question);

    // An interrupt of the VM's takes the core from the partition.
    let preempted = TargetInfo {
        endpoint: ids.receiver,
        context: 0,
    };
    let mut interrupt = Regs::ZERO;
    Reply::interrupt(preempted, 0).write(&mut interrupt.0);
    deliver("VM", peer, &interrupt, &mut vm);
    // Eight registers: of the question, what is in x8-x17 is still there.
    assert_eq!(vm[8..18], question[4..]);

    // The VM handles it. Its compiler uses x8-x17 for something else by now.
    let kept = own(0x11);
    vm[8..].copy_from_slice(&kept[8..]);
    let run = Call::Run {
        wide: false,
        target: preempted,
    };
    make(run, &[], &mut vm);
    assert_eq!(vm[8..], kept[8..]);

    // The partition is resumed where it was: nothing is written. It answers.
    assert_eq!(Layout::None.registers(), 0);
    make(
        Call::DirectResp2 {
            ids: ids.reversed(),
        },
        &answer,
        &mut partition,
    );
    let response = Regs::of(&partition);

    // The 32-bit FFA_RUN comes back with a 64-bit message.
    let completion = deliver("VM", peer, &response, &mut vm);
    assert_eq!(
        completion,
        Completion::DirectResp2 {
            ids: ids.reversed()
        }
    );
    assert_eq!(vm[4..18], answer);
    assert_eq!(vm[18..], kept[18..]);

    // A VM in strict mode is not given x8-x17 by a 32-bit call.
    let strict = Peer {
        mode: Mode::SmcccStrict,
        ..peer
    };
    let refused = contract::deliverable(strict, run.fid().wide, Layout::Eighteen);
    println!("the same in strict mode: {refused:?}");
    assert!(refused.is_err());
}
