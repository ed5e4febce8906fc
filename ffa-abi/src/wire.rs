//! What the wire structures of the other modules have in common: the proof of their layout.

/// Fails to compile unless a structure has this size, no alignment, and its fields at these offsets.
macro_rules! layout {
    ($type:ty, $size:literal, $($field:ident: $offset:literal),+ $(,)?) => {
        const _: () = {
            assert!(size_of::<$type>() == $size && align_of::<$type>() == 1);
            $(assert!(core::mem::offset_of!($type, $field) == $offset);)+
        };
    };
}

pub(crate) use layout;
