//! Descriptors of memory transactions, laid out once more.

/// A transaction descriptor.
#[derive(Clone, Debug, Default)]
pub(super) struct Descriptor {
    pub sender: u16,
    pub attributes: u16,
    pub flags: u32,
    pub handle: u64,
    pub tag: u64,
    /// Ids and permissions.
    pub receivers: Vec<(u16, u8)>,
    /// Addresses and numbers of pages.
    pub parts: Vec<(u64, u32)>,
}

impl Descriptor {
    /// Its bytes for an endpoint of version 1.`minor`, and how many of them stand in front of the
    /// constituents.
    pub fn bytes(&self, minor: u16) -> (Vec<u8>, usize) {
        let mut out = Vec::new();
        out.extend(self.sender.to_le_bytes());
        out.extend(self.attributes.to_le_bytes());
        out.extend(self.flags.to_le_bytes());
        out.extend(self.handle.to_le_bytes());
        out.extend(self.tag.to_le_bytes());
        let each: u32 = if minor < 2 { 16 } else { 32 };
        let header = if minor == 0 { 32 } else { 48 };
        let size = if minor == 0 { 0 } else { each };
        out.extend(size.to_le_bytes());
        out.extend((self.receivers.len() as u32).to_le_bytes());
        if minor != 0 {
            out.extend(48u32.to_le_bytes());
            out.extend([0; 12]);
        }
        let composite = match self.parts.is_empty() {
            true => 0,
            false => header + each * self.receivers.len() as u32,
        };
        for (id, permissions) in &self.receivers {
            out.extend(id.to_le_bytes());
            out.extend([*permissions, 0]);
            out.extend(composite.to_le_bytes());
            out.extend(vec![0; each as usize - 8]);
        }
        let mut head = out.len();
        if !self.parts.is_empty() {
            let pages: u32 = self.parts.iter().map(|(_, pages)| pages).sum();
            out.extend(pages.to_le_bytes());
            out.extend((self.parts.len() as u32).to_le_bytes());
            out.extend([0; 8]);
            head = out.len();
            for (base, pages) in &self.parts {
                out.extend(base.to_le_bytes());
                out.extend(pages.to_le_bytes());
                out.extend([0; 4]);
            }
        }
        (out, head)
    }
}

/// What `FFA_MEM_RELINQUISH` reads.
pub(super) fn relinquish(handle: u64, flags: u32, endpoint: u16) -> Vec<u8> {
    let mut out = handle.to_le_bytes().to_vec();
    out.extend(flags.to_le_bytes());
    out.extend(1u32.to_le_bytes());
    out.extend(endpoint.to_le_bytes());
    out
}
