//! The retrieve requests that are refused.

use super::{Deal, PAGE, Party};
use crate::abi::{self, DENIED, INVALID_PARAMETERS};
use crate::memory::block::Block;
use crate::memory::descriptor::{Access, Form, NON_SECURE, flags, permissions};
use Deal::{Donate, Lend, Share};

/// A request that is refused.
pub(super) struct Row {
    /// The row in the table, and what it is about.
    pub name: &'static str,
    /// Of which transaction.
    pub deal: Deal,
    /// Whom it fits.
    pub fits: fn(&Party) -> bool,
    /// What the lender offers else than usually.
    pub offer: fn(&mut Form),
    /// What is wrong with the request.
    pub form: fn(&mut Form),
    /// What is wrong with its bytes.
    pub bytes: fn(&mut Block, &Form),
    /// What is wrong with w1-w4, which were the length, twice, and zero.
    pub registers: fn(&mut [u64; 4], &Party),
    /// The error.
    pub error: i32,
    /// It is about the value of a lender that has one.
    pub values: bool,
}

const fn row(name: &'static str, deal: Deal, error: i32) -> Row {
    Row {
        name,
        deal,
        fits: |_| true,
        offer: |_| {},
        form: |_| {},
        bytes: |_, _| {},
        registers: |_, _| {},
        error,
        values: false,
    }
}

const fn invalid(name: &'static str, deal: Deal, form: fn(&mut Form)) -> Row {
    Row {
        form,
        ..row(name, deal, INVALID_PARAMETERS)
    }
}

const fn denied(name: &'static str, deal: Deal, form: fn(&mut Form)) -> Row {
    Row {
        form,
        ..row(name, deal, DENIED)
    }
}

const fn bytes(name: &'static str, bytes: fn(&mut Block, &Form)) -> Row {
    Row {
        bytes,
        ..row(name, Share, INVALID_PARAMETERS)
    }
}

const fn registers(name: &'static str, registers: fn(&mut [u64; 4], &Party)) -> Row {
    Row {
        registers,
        ..row(name, Share, INVALID_PARAMETERS)
    }
}

pub(super) fn own(form: &mut Form, change: impl FnOnce(&mut Access)) {
    if let Some(access) = form.receivers.first_mut() {
        change(access);
    }
}

/// Only reading.
fn read_only(form: &mut Form) {
    own(form, |access| {
        access.permissions = access.permissions & !permissions::DATA | permissions::RO;
    });
}

fn instruction(form: &mut Form, instruction: u8) {
    own(form, |access| {
        access.permissions = access.permissions & permissions::DATA | instruction;
    });
}

fn wide_header(party: &Party) -> bool {
    party.who.version > abi::V1_0
}

pub(super) fn has_values(party: &Party) -> bool {
    party.who.version >= abi::V1_2
}

pub(super) const ROWS: &[Row] = &[
    registers("1_buffer_of_its_own", |w, party| {
        w[2] = party.who.spare().0;
        w[3] = 1;
    }),
    registers("1_fragment_shorter_than_all", |w, _| w[1] -= 16),
    registers("1_fragment_longer_than_all", |w, _| w[0] -= 16),
    registers("1_longer_than_tx", |w, party| {
        let bytes = party.who.buffers * PAGE + 16;
        *w = [bytes, bytes, 0, 0];
    }),
    registers("1_far_longer_than_tx", |w, _| {
        *w = [0xffff_fff0, 0xffff_fff0, 0, 0]
    }),
    registers("1_nothing", |w, _| *w = [0; 4]),
    Row {
        fits: wide_header,
        ..bytes("3_reserved_word_of_the_header", |block, _| {
            block.put(36, 4, 1)
        })
    },
    Row {
        fits: wide_header,
        ..bytes("3_access_descriptor_of_another_version", |block, form| {
            block.put(24, 4, (48 - form.layout.access).into());
        })
    },
    Row {
        fits: wide_header,
        ..bytes("3_access_descriptors_beyond_the_end", |block, _| {
            block.put(32, 4, 0xffff_fff0)
        })
    },
    bytes("3_region", |block, form| {
        block.put(form.layout.header + 4, 4, form.total().into())
    }),
    bytes("3_nine_receivers", |block, _| block.put(28, 4, 9)),
    bytes("3_most_receivers", |block, _| block.put(28, 4, 0xffff_ffff)),
    bytes("3_reserved_word_of_the_receiver", |block, form| {
        block.put(form.layout.header + form.layout.access - 8, 8, 1);
    }),
    Row {
        fits: |party| party.who.is_partition(),
        ..bytes("24_no_receiver", |block, _| block.put(28, 4, 0))
    },
    invalid("4_no_handle", Share, |form| form.handle ^= 1 << 32),
    invalid("4_handle_of_another_allocator", Share, |form| {
        form.handle ^= 1 << 63
    }),
    invalid("4_handle_of_ones", Share, |form| form.handle = u64::MAX),
    registers("7_longer_than_its_receivers", |w, _| {
        *w = [w[0] + 16, w[0] + 16, 0, 0]
    }),
    denied("8_another_sender", Share, |form| form.sender ^= 0x20),
    denied("8_sender_is_the_spmc", Lend, |form| form.sender = abi::SPMC),
    invalid("10_another_type", Share, |form| form.flags = flags::LEND),
    invalid("10_share_for_a_lend", Lend, |form| {
        form.flags = flags::SHARE
    }),
    invalid("10_lend_for_a_donation", Donate, |form| {
        form.flags = flags::LEND
    }),
    invalid("11_another_tag", Share, |form| form.tag ^= 1 << 63),
    invalid("13_alignment_hint", Share, |form| {
        form.flags |= 3 << 5 | flags::HINT
    }),
    invalid("13_alignment_hint_that_is_not_valid", Lend, |form| {
        form.flags |= 1 << 5
    }),
    invalid("13_valid_bit_of_no_hint", Lend, |form| {
        form.flags |= flags::HINT
    }),
    invalid("13_reserved_flags", Share, |form| form.flags |= 1 << 11),
    invalid("13_last_reserved_flag", Donate, |form| {
        form.flags |= 1 << 31
    }),
    invalid("14_share_with_zero", Share, |form| {
        form.flags |= flags::ZERO
    }),
    invalid("14_share_with_zero_after", Share, |form| {
        form.flags |= flags::ZERO_AFTER
    }),
    denied("15_zero_that_was_not_sent", Lend, |form| {
        form.flags |= flags::ZERO
    }),
    invalid("16_ns_bit", Share, |form| form.attributes |= NON_SECURE),
    denied("17_not_cached", Share, |form| form.attributes = 0x27),
    denied("17_not_shareable", Lend, |form| form.attributes = 0x2c),
    denied("17_outer_shareable", Donate, |form| form.attributes = 0x2e),
    invalid("18_one_receiver_more", Share, |form| {
        form.receivers.push(Access {
            endpoint: crate::memory::STOPS.id,
            permissions: permissions::RW,
            ..Access::default()
        });
    }),
    denied("20_writes_what_it_may_read", Share, |form| {
        own(form, |access| access.permissions = permissions::RW);
    })
    .offered(read_only),
    denied("20_writes_what_is_lent_for_reading", Lend, |form| {
        own(form, |access| {
            access.permissions = permissions::RW | permissions::NX
        });
    })
    .offered(read_only),
    invalid("21_execute_in_a_share", Share, |form| {
        instruction(form, permissions::X)
    }),
    invalid("21_no_execute_in_a_share", Share, |form| {
        instruction(form, permissions::NX)
    }),
    invalid("21_unspecified_in_a_lend", Lend, |form| {
        instruction(form, 0)
    }),
    invalid("21_unspecified_in_a_donation", Donate, |form| {
        instruction(form, 0)
    }),
    invalid("21_execute_in_the_normal_worlds_memory", Lend, |form| {
        instruction(form, permissions::X);
    })
    .fitting(|party| party.who.is_partition()),
    invalid("21_reserved_instruction_access", Lend, |form| {
        instruction(form, 3 << 2)
    }),
    invalid("21_reserved_data_access", Share, |form| {
        own(form, |access| access.permissions = 3);
    }),
    denied("22_zero_after_of_what_it_only_reads", Lend, |form| {
        read_only(form);
        form.flags |= flags::ZERO_AFTER;
    }),
    denied("22_zero_of_what_it_only_reads", Lend, |form| {
        read_only(form);
        form.flags |= flags::ZERO;
    })
    .offered(|form| form.flags = flags::ZERO),
    invalid("23_another_value", Share, |form| {
        own(form, |access| access.value[1] ^= 1)
    })
    .of_values(),
];

impl Row {
    const fn of_values(self) -> Self {
        Self {
            values: true,
            fits: has_values,
            ..self
        }
    }

    const fn offered(self, offer: fn(&mut Form)) -> Self {
        Self { offer, ..self }
    }

    const fn fitting(self, fits: fn(&Party) -> bool) -> Self {
        Self { fits, ..self }
    }
}
