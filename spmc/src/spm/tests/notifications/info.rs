//! `FFA_NOTIFICATION_INFO_GET`: notifications and interrupts together.

use super::*;
use crate::context::InterruptRules;

#[test]
fn each_is_named_once_until_it_is_read() {
    let mut f = world();
    assert!(f.told().is_empty());
    f.answers(bind(id(C), ONE, PER_CONTEXT, 1));
    f.by(A, &[bind(OS, id(A), 0, 1), bind(id(C), id(A), 0, 1)]);
    f.answers(set(OS, id(A), 0, 1));
    f.by(C, &[set(id(C), ONE, 2 << 16 | PER_CONTEXT, 1)]);
    // Partitions first.
    assert_eq!(f.told(), [(id(A), vec![]), (ONE, vec![2])]);
    assert!(f.told().is_empty());
    f.answers(set(OS, id(A), 0, 1));
    assert!(f.told().is_empty());
    // Something else of A's.
    f.by(C, &[set(id(C), id(A), 0, 1)]);
    assert_eq!(f.told(), [(id(A), vec![])]);
    f.finds(
        get(ONE, 2, PARTITIONS),
        Pending {
            partitions: 1,
            ..Pending::default()
        },
    );
    f.by(C, &[set(id(C), ONE, 2 << 16 | PER_CONTEXT, 1)]);
    assert_eq!(f.told(), [(ONE, vec![2])]);
}

#[test]
fn what_does_not_fit_is_named_in_the_next_answer() {
    let mut f = Fixture::booted(&[Spec::up(Version::V1_2)]);
    for vm in 1..=16 {
        f.answers(create(EndpointId(vm), 8));
        f.answers(bind(id(A), EndpointId(vm), 0, 1));
        f.answers(bind(id(A), EndpointId(vm), PER_CONTEXT, 2));
    }
    f.nwd_runs(A);
    for vm in 1..=16 {
        f.answers(set(id(A), EndpointId(vm), 0, 1));
        for context in [0, 1, 3, 7] {
            f.answers(set(id(A), EndpointId(vm), context << 16 | PER_CONTEXT, 2));
        }
    }
    f.sp(msg_wait());
    let mut named = Vec::new();
    for round in 0.. {
        let wide = round % 2 == 0;
        let call = match wide {
            true => info(),
            false => frame(&[Function::NotificationInfoGet.raw32().into()]),
        };
        f.call(call);
        let lists = InfoLists::from_success(&f.pes[0].nwd).unwrap();
        named.extend(lists.iter().map(|(id, of)| (id.0, of.to_vec())));
        if !lists.more {
            break;
        }
    }
    assert!(f.told().is_empty());
    let alone: Vec<_> = named
        .iter()
        .filter(|one| one.1.is_empty())
        .map(|one| one.0)
        .collect();
    assert_eq!(alone, (1..=16).collect::<Vec<_>>());
    for vm in 1..=16 {
        let theirs = named.iter().filter(|one| one.0 == vm);
        let contexts: Vec<_> = theirs.flat_map(|one| one.1.clone()).collect();
        assert_eq!(contexts, [0, 1, 3, 7]);
    }
}

#[test]
fn interrupts_are_named_with_their_context_and_notifications_are_none() {
    let rules = InterruptRules {
        sri_waiting: true,
        ..Spec::up(Version::V1_2).rules
    };
    let mut f = Fixture::booted(&[Spec::up(Version::V1_2)
        .notified()
        .rules(rules)
        .devices([39, 0])]);
    f.by(A, &[bind(OS, id(A), 0, 1)]);
    f.nwd_runs(A);
    f.hypercall(&[0xff03, 39, 1, 0]);
    f.sp(msg_wait());
    f.answers(set(OS, id(A), 0, 1));
    assert_eq!(f.told(), [(id(A), vec![])]);
    assert!(f.told().is_empty());
    f.take(&[Taken::Device(39)]);
    f.on(0);
    f.now[0] = crate::spm::Next::NormalWorld;
    assert_eq!(f.told(), [(id(A), vec![0])]);
    assert!(f.told().is_empty());
}
