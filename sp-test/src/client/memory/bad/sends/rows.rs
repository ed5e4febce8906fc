//! The sends that are refused.

use super::super::{Deal, PAGE, Party};
use super::Row;
use crate::abi::{self, DENIED, INVALID_PARAMETERS};
use crate::memory::block::Block;
use crate::memory::descriptor::{Form, NON_SECURE, NORMAL, Range, Region, flags, permissions};

fn wide_header(party: &Party) -> bool {
    party.who.version > abi::V1_0
}

fn old_header(party: &Party) -> bool {
    party.who.version == abi::V1_0
}

pub(super) fn has_values(party: &Party) -> bool {
    party.who.version >= abi::V1_2
}

fn endpoint(party: &Party) -> bool {
    party.who.is_confined()
}

use Deal::{Donate, Lend, Share};

const fn bad(name: &'static str, deal: Deal, bytes: fn(&mut Block, &Form)) -> Row {
    Row::bytes(name, deal, bytes)
}

const fn invalid(name: &'static str, deal: Deal, form: fn(&mut Form)) -> Row {
    Row::form(name, deal, INVALID_PARAMETERS, form)
}

const fn denied(name: &'static str, deal: Deal, form: fn(&mut Form)) -> Row {
    Row::form(name, deal, DENIED, form)
}

/// Changes the first receiver.
pub(super) fn first(form: &mut Form, permissions: u8) {
    if let Some(access) = form.receivers.first_mut() {
        access.permissions = permissions;
    }
}

/// Changes the region.
fn region(form: &mut Form, change: impl FnOnce(&mut Region)) {
    if let Some(region) = &mut form.region {
        change(region);
    }
}

/// Replaces the constituents, which begin with two pages that are the sender's.
fn ranges(form: &mut Form, change: impl Fn(u64) -> [Range; 2]) {
    region(form, |region| {
        let base = region.ranges.first().map_or(0, |range| range.base);
        *region = Region::of(&change(base));
    });
}

pub(super) const fn range(base: u64, pages: u32) -> Range {
    Range { base, pages }
}

pub(super) const ROWS: &[Row] = &[
    Row::registers("1_buffer_of_its_own", Share, |w, party| {
        w[2] = party.who.spare().0;
        w[3] = 1;
    }),
    Row::registers("1_address_of_a_buffer_alone", Lend, |w, party| {
        w[2] = party.who.spare().0
    }),
    Row::registers("1_pages_of_a_buffer_alone", Donate, |w, _| w[3] = 1),
    Row::registers("2_fragment_longer_than_all", Share, |w, _| w[0] = w[1] - 16),
    Row::registers("4_fragment_longer_than_tx", Share, |w, party| {
        let bytes = party.who.buffers * PAGE + 16;
        *w = [bytes, bytes, 0, 0];
    }),
    Row::registers("4_fragment_far_longer_than_tx", Share, |w, _| {
        *w = [0xffff_fff0, 0xffff_fff0, 0, 0];
    }),
    Row::registers("7_nothing", Lend, |w, _| *w = [0; 4]),
    bad("7_reserved_word_of_a_1_0_header", Share, |block, _| {
        block.put(24, 4, 1)
    })
    .only(old_header),
    bad("7_reserved_byte_of_a_1_0_header", Share, |block, _| {
        block.put(3, 1, 1)
    })
    .only(old_header),
    bad("7_reserved_word_of_the_header", Share, |block, _| {
        block.put(44, 4, 1)
    })
    .only(wide_header),
    bad(
        "7_access_descriptor_of_another_version",
        Share,
        |block, form| {
            block.put(24, 4, (48 - form.layout.access).into());
        },
    )
    .only(wide_header),
    bad("7_access_descriptor_of_no_bytes", Lend, |block, _| {
        block.put(24, 4, 0)
    })
    .only(wide_header),
    bad("7_access_descriptors_in_the_header", Share, |block, _| {
        block.put(32, 4, 32)
    })
    .only(wide_header),
    bad("7_access_descriptors_misplaced", Share, |block, _| {
        block.put(32, 4, 56)
    })
    .only(wide_header),
    bad("7_access_descriptors_beyond_the_end", Share, |block, _| {
        block.put(32, 4, 4096)
    })
    .only(wide_header),
    bad(
        "7_access_descriptors_at_the_end_of_the_address_space",
        Share,
        |block, _| {
            block.put(32, 4, 0xffff_fff0);
        },
    )
    .only(wide_header),
    bad("7_no_receiver", Share, |block, _| block.put(28, 4, 0)),
    bad("7_nine_receivers", Share, |block, _| block.put(28, 4, 9)),
    bad("7_most_receivers", Lend, |block, _| {
        block.put(28, 4, 0xffff_ffff)
    }),
    bad("7_receivers_whose_bytes_overflow", Lend, |block, _| {
        block.put(28, 4, 0x0800_0001)
    }),
    bad("7_no_region", Share, |block, form| {
        block.put(form.layout.header + 4, 4, 0)
    }),
    bad("7_region_in_the_receivers", Share, |block, form| {
        block.put(form.layout.header + 4, 4, form.layout.header.into());
    }),
    bad("7_region_beyond_the_end", Lend, |block, form| {
        block.put(form.layout.header + 4, 4, form.total().into());
    }),
    bad(
        "7_region_at_the_end_of_the_address_space",
        Lend,
        |block, form| {
            block.put(form.layout.header + 4, 4, 0xffff_fff0);
        },
    ),
    bad("7_reserved_word_of_the_receiver", Lend, |block, form| {
        block.put(form.layout.header + form.layout.access - 8, 8, 1 << 63);
    }),
    invalid("8_share_with_zero", Share, |form| form.flags = flags::ZERO),
    invalid("8_zero_after", Lend, |form| form.flags = flags::ZERO_AFTER),
    invalid("8_type_of_the_transaction", Lend, |form| {
        form.flags = flags::LEND
    }),
    invalid("8_alignment_hint", Lend, |form| {
        form.flags = flags::HINT | 1 << 5
    }),
    invalid("8_bypass", Share, |form| form.flags = flags::BYPASS),
    invalid("8_reserved_flags", Donate, |form| form.flags = 1 << 31),
    Row::registers("12_region_cut_off", Share, |w, _| {
        *w = [w[0] - 40, w[1] - 40, 0, 0]
    }),
    Row::registers("12_half_a_constituent", Share, |w, _| w[1] -= 8),
    Row::registers("12_half_a_constituent_in_all", Share, |w, _| {
        *w = [w[0] + 8, w[1] + 8, 0, 0]
    }),
    Row::registers("12_header_only", Lend, |w, _| *w = [48, 48, 0, 0]),
    denied("13_sender_is_a_partition", Share, |form| {
        form.sender ^= 1 | 0x8000
    })
    .only(|party| !party.who.is_partition()),
    denied("13_sender_is_another_endpoint", Lend, |form| {
        form.sender ^= 0x10
    })
    .only(endpoint),
    denied("13_sender_is_the_hypervisor", Share, |form| form.sender = 0).only(endpoint),
    denied("13_sender_is_the_spmc", Share, |form| {
        form.sender = abi::SPMC
    }),
    bad("14_region_misplaced", Share, |block, form| {
        block.put(form.layout.header + 4, 4, (form.region_offset() + 8).into());
    }),
    bad("14_more_constituents_than_bytes", Lend, |block, form| {
        block.put(form.region_offset() + 4, 4, 3);
    }),
    bad("14_fewer_constituents_than_bytes", Lend, |block, form| {
        block.put(form.region_offset() + 4, 4, 1);
    }),
    bad("14_most_constituents", Lend, |block, form| {
        block.put(form.region_offset() + 4, 4, 0xffff_ffff);
    }),
    bad(
        "14_constituents_whose_bytes_overflow",
        Lend,
        |block, form| {
            block.put(form.region_offset() + 4, 4, 0x1000_0002);
        },
    ),
    bad("14_no_constituents", Share, |block, form| {
        block.put(form.region_offset() + 4, 4, 0)
    }),
    invalid("15_time_slice", Lend, |form| form.flags = flags::TIME_SLICE),
    invalid("15_time_slice_and_zero", Donate, |form| {
        form.flags = flags::TIME_SLICE | flags::ZERO
    }),
    invalid("17_data_access_reserved", Share, |form| first(form, 3)),
    invalid("17_instruction_access_reserved", Lend, |form| {
        first(form, permissions::RW | 3 << 2)
    }),
    invalid("17_permissions_reserved", Lend, |form| {
        first(form, permissions::RW | 1 << 7)
    }),
    invalid("17_execute_in_a_share", Share, |form| {
        first(form, permissions::RW | permissions::X)
    }),
    invalid("17_no_execute_in_a_share", Share, |form| {
        first(form, permissions::RW | permissions::NX)
    }),
    invalid("17_execute_in_a_lend", Lend, |form| {
        first(form, permissions::RW | permissions::X)
    }),
    invalid("17_no_execute_in_a_donation", Donate, |form| {
        first(form, permissions::NX)
    }),
    invalid("18_share_without_data_access", Share, |form| first(form, 0)),
    invalid("18_lend_without_data_access", Lend, |form| first(form, 0)),
    invalid("18_donation_read_only", Donate, |form| {
        first(form, permissions::RO)
    }),
    invalid("18_donation_read_write", Donate, |form| {
        first(form, permissions::RW)
    }),
    invalid("19_ns_bit", Share, |form| form.attributes |= NON_SECURE),
    invalid("19_ns_bit_of_a_lend", Lend, |form| {
        form.attributes |= NON_SECURE
    }),
    invalid("20_memory_type_of_a_lend", Lend, |form| {
        form.attributes = NORMAL
    }),
    invalid("20_memory_type_of_a_donation", Donate, |form| {
        form.attributes = NORMAL
    }),
    denied("21_not_cached", Share, |form| form.attributes = 0x27),
    denied("21_not_shareable", Share, |form| form.attributes = 0x2c),
    denied("21_outer_shareable", Share, |form| form.attributes = 0x2e),
    denied("21_device_that_gathers", Share, |form| {
        form.attributes = 0x1f
    }),
    denied("21_not_shareable_of_no_type", Share, |form| {
        form.attributes = 0
    }),
    invalid("23_same_page_twice", Share, |form| {
        ranges(form, |at| [range(at, 1), range(at, 1)])
    }),
    invalid("23_last_page_again", Lend, |form| {
        ranges(form, |at| [range(at, 2), range(at + PAGE, 1)]);
    }),
    invalid("23_first_page_again", Donate, |form| {
        ranges(form, |at| [range(at + PAGE, 1), range(at, 2)]);
    }),
    invalid("23_more_pages_than_in_the_constituents", Share, |form| {
        region(form, |region| region.pages += 1);
    }),
    invalid("23_fewer_pages_than_in_the_constituents", Lend, |form| {
        region(form, |region| region.pages -= 1);
    }),
    invalid("23_sum_of_pages_overflows", Lend, |form| {
        ranges(form, |at| [range(at, 2), range(at, 0xffff_ffff)]);
        region(form, |region| region.pages = 1);
    }),
    invalid("23_not_a_pages_address", Share, |form| {
        ranges(form, |at| [range(at, 1), range(at + PAGE + 0x800, 1)]);
    }),
    invalid("23_constituent_of_no_pages", Share, |form| {
        ranges(form, |at| [range(at, 2), range(at + 2 * PAGE, 0)]);
    }),
    invalid("23_constituent_of_no_pages_in_another", Lend, |form| {
        ranges(form, |at| [range(at, 2), range(at + PAGE, 0)]);
    }),
    invalid("23_address_space_ends", Lend, |form| {
        ranges(form, |at| [range(at, 1), range(0xffff_ffff_ffff_f000, 2)]);
    }),
    denied("26_address_beyond_all_memory", Share, |form| {
        ranges(form, |at| [range(at, 1), range(0x000f_ffff_ffff_f000, 1)]);
    }),
    denied("26_memory_of_nobody", Lend, |form| {
        ranges(form, |at| [range(at, 1), range(0, 1)])
    }),
];

/// Whose rows those with values are.
pub(super) const WITH_VALUES: &[Row] = &[bad(
    "7_reserved_word_behind_the_value",
    Lend,
    |block, form| {
        block.put(form.layout.header + 24, 8, 1);
    },
)];
