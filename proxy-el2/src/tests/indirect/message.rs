//! Messages of these tests.

use ffa_abi::{Uuid, Version};

/// A message in the layout of its sender's version.
#[derive(Clone, Debug)]
pub(in super::super) struct Message {
    pub flags: u32,
    pub offset: u32,
    pub receiver: u16,
    pub sender: u16,
    pub size: u32,
    pub service: Uuid,
    pub payload: Vec<u8>,
}

impl Message {
    pub fn new(sender: u16, receiver: u16) -> Self {
        let payload: Vec<u8> = (0..100).map(|n| n ^ sender as u8).collect();
        Self {
            flags: 0,
            offset: 48,
            receiver,
            sender,
            size: payload.len() as u32,
            service: Uuid::NIL,
            payload,
        }
    }

    pub fn bytes(&self, version: Version) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(self.flags.to_le_bytes());
        bytes.extend([0xdd; 4]);
        bytes.extend(self.offset.to_le_bytes());
        bytes.extend(self.receiver.to_le_bytes());
        bytes.extend(self.sender.to_le_bytes());
        bytes.extend(self.size.to_le_bytes());
        if version >= Version::V1_2 {
            bytes.extend([0xdd; 4]);
            bytes.extend(self.service.0);
        }
        if let Ok(offset) = u16::try_from(self.offset)
            && usize::from(offset) >= bytes.len()
        {
            bytes.resize(offset.into(), 0xdd);
            bytes.extend(&self.payload);
        }
        bytes
    }
}
