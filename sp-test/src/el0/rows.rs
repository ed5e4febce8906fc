//! The rows of `FFA_MEM_PERM_GET` and `FFA_MEM_PERM_SET` (DEN0140, "Memory attributes management"), in the order in which a
//! partition goes through them.

use super::{CONSTANTS, HEAP, HEAP_PAGES, PAGES, PLACES, SIZE};
use crate::abi::{INVALID_PARAMETERS, V1_2, V1_3};
use crate::board::place;

/// Read and execute.
pub const RX: u64 = 3;
/// Read and write.
pub const RW: u64 = 5;
/// Read.
pub const RO: u64 = 7;

/// Where the pages are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// This page of the heap.
    Heap(u64),
    /// This many bytes from the start of the partition's memory.
    Offset(u64),
    /// The image's first page.
    Code,
    /// The first page that the start has made writable.
    Data,
    /// Its page of the normal world's memory.
    Loaned,
    /// This address.
    Address(u64),
}

impl At {
    /// The address, for a partition whose memory starts at `start`, whose image starts at `base`, and whose data does at
    /// `data`.
    pub const fn address(self, start: u64, base: u64, data: u64) -> u64 {
        match self {
            Self::Heap(page) => start + HEAP + page * 0x1000,
            Self::Offset(offset) => start + offset,
            Self::Code => base,
            Self::Data => data,
            Self::Loaned => place(PAGES[(start != place(PLACES[0])) as usize]),
            Self::Address(address) => address,
        }
    }
}

/// Which call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// `FFA_MEM_PERM_GET` with this in w2.
    Get(u32),
    /// `FFA_MEM_PERM_SET` of so many pages.
    Set(u32, u64),
}

/// What comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// FFA_SUCCESS with w2 and w3.
    Success(u64, u64),
    /// FFA_ERROR.
    Error(i32),
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// The one version that it is for, if not for all.
    pub only: Option<u32>,
    /// Whether it is the 64-bit form.
    pub wide: bool,
    /// Which pages.
    pub at: At,
    /// Which call.
    pub call: Call,
    /// What comes back.
    pub want: Want,
}

const fn get(name: &'static str, at: At, permissions: u64) -> Row {
    row(name, at, Call::Get(0), Want::Success(permissions, 0))
}

const fn set(name: &'static str, at: At, pages: u32, permissions: u64) -> Row {
    row(name, at, Call::Set(pages, permissions), Want::Success(0, 0))
}

const fn invalid(name: &'static str, at: At, call: Call) -> Row {
    row(name, at, call, Want::Error(INVALID_PARAMETERS))
}

const fn row(name: &'static str, at: At, call: Call, want: Want) -> Row {
    Row {
        name,
        only: None,
        wide: true,
        at,
        call,
        want,
    }
}

const fn only(version: u32, row: Row) -> Row {
    Row {
        only: Some(version),
        ..row
    }
}

const fn narrow(row: Row) -> Row {
    Row { wide: false, ..row }
}

/// The SPMC's image, where no partition has anything.
pub const SPMC: u64 = place(0x0e10_0000);
/// `sp-echo`.
const OTHER: u64 = place(0x0e30_0000);
/// The normal world's memory.
const NORMAL_WORLD: u64 = place(0x4000_0000);
/// Nothing's.
const HIGHEST: u64 = 0xffff_ffff_ffff_f000;
/// The last page of the partition's memory.
const LAST: At = At::Heap(HEAP_PAGES - 1);

use At::{Address, Code, Data, Heap, Loaned, Offset};
use Call::{Get, Set};

/// All of them.
#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    get("get/code_is_read_execute", Code, RX),
    get("get/the_first_page_is_read_execute", Offset(0), RX),
    get("get/the_last_page_is_read_execute", LAST, RX),
    get("get/data_is_what_it_was_set_to", Data, RW),
    narrow(get("get/32_bit", Heap(0), RX)),
    invalid("get/unaligned", Offset(HEAP + 8), Get(0)),
    invalid("get/address_0", Address(0), Get(0)),
    invalid("get/behind_the_partitions_memory", Offset(SIZE), Get(0)),
    invalid("get/the_spmc", Address(SPMC), Get(0)),
    invalid("get/another_partition", Address(OTHER), Get(0)),
    invalid("get/the_normal_world", Address(NORMAL_WORLD), Get(0)),
    invalid("get/the_last_address", Address(HIGHEST), Get(0)),
    only(V1_2, row("get/one_page_below_1_3", Heap(0), Get(3), Want::Success(RX, 0))),
    only(V1_2, row("get/no_count_below_1_3", Heap(0), Get(u32::MAX), Want::Success(RX, 0))),
    only(V1_3, row("get/several_pages", Heap(0), Get(3), Want::Success(RX, 3))),
    only(V1_3, row("get/until_nothing_is_there", LAST, Get(15), Want::Success(RX, 0))),
    only(V1_3, invalid("get/count_overflows", Heap(0), Get(u32::MAX))),

    set("set/read_write", Heap(0), 1, RW),
    get("get/read_write", Heap(0), RW),
    only(V1_3, row("get/until_they_differ", Heap(0), Get(3), Want::Success(RW, 0))),
    only(V1_3, row("get/not_those_before", Heap(1), Get(3), Want::Success(RX, 3))),
    set("set/read_only", Heap(1), 1, RO),
    get("get/read_only", Heap(1), RO),
    set("set/several_pages", Heap(2), 3, RW),
    get("get/the_first_of_several", Heap(2), RW),
    get("get/the_last_of_several", Heap(4), RW),
    get("get/behind_several", Heap(5), RX),
    only(V1_3, row("get/all_of_several", Heap(2), Get(7), Want::Success(RW, 2))),
    set("set/different_ones_alike", Heap(0), 5, RO),
    only(V1_3, row("get/different_ones_alike", Heap(0), Get(7), Want::Success(RO, 4))),
    set("set/back_to_read_execute", Heap(0), 5, RX),
    only(V1_3, row("get/as_at_first", Heap(0), Get(7), Want::Success(RX, 7))),
    narrow(set("set/32_bit", Heap(5), 1, RW)),
    get("get/what_32_bit_set", Heap(5), RW),
    set("set/the_same_again", Heap(5), 1, RW),
    set("set/the_last_page", LAST, 1, RW),

    invalid("set/unaligned", Offset(HEAP + 8), Set(1, RW)),
    invalid("set/no_pages", Heap(6), Set(0, RW)),
    invalid("set/count_overflows", Heap(6), Set(u32::MAX, RW)),
    invalid("set/addresses_overflow", Address(HIGHEST), Set(2, RW)),
    invalid("set/no_access", Heap(6), Set(1, 0)),
    invalid("set/no_access_execute_never", Heap(6), Set(1, 4)),
    invalid("set/write_and_execute", Heap(6), Set(1, 1)),
    invalid("set/reserved_access", Heap(6), Set(1, 2)),
    invalid("set/reserved_access_execute_never", Heap(6), Set(1, 6)),
    invalid("set/bit_3", Heap(6), Set(1, 8 | RW)),
    invalid("set/bit_31", Heap(6), Set(1, 1 << 31 | RW)),
    invalid("set/address_0", Address(0), Set(1, RW)),
    invalid("set/behind_the_partitions_memory", Offset(SIZE), Set(1, RW)),
    invalid("set/partly_behind_it", LAST, Set(2, RO)),
    get("get/nothing_of_that_was_done", LAST, RW),
    invalid("set/the_spmc", Address(SPMC), Set(1, RW)),
    invalid("set/another_partition", Address(OTHER), Set(1, RW)),
    invalid("set/the_normal_world", Address(NORMAL_WORLD), Set(1, RW)),
    get("get/nothing_was_done", Heap(6), RX),

    get("get/what_the_manifest_says", Offset(CONSTANTS), RO),
    invalid("set/more_than_the_manifest_says", Offset(CONSTANTS), Set(1, RW)),
    invalid("set/execute_what_the_manifest_has_read", Offset(CONSTANTS), Set(1, RX)),
    set("set/the_same_as_the_manifest", Offset(CONSTANTS), 1, RO),
    get("get/the_normal_worlds_page", Loaned, RW),
    invalid("set/execute_the_normal_worlds_page", Loaned, Set(1, RX)),
    set("set/the_normal_worlds_page", Loaned, 1, RO),
    get("get/the_normal_worlds_page_is_read_only", Loaned, RO),
    set("set/the_normal_worlds_page_again", Loaned, 1, RW),

    // What the suite goes on with.
    set("set/heap_16_to_23_are_written", Heap(16), 8, RW),
    set("set/heap_0_is_written", Heap(0), 1, RW),
    set("set/heap_1_is_read", Heap(1), 1, RO),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_has_a_name_of_its_own() {
        for (index, row) in ROWS.iter().enumerate() {
            let others = ROWS.get(index + 1..).unwrap_or_default();
            assert!(
                others.iter().all(|other| other.name != row.name),
                "{}",
                row.name
            );
        }
    }
}
