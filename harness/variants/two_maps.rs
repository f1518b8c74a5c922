// The two maps that Cloud Hypervisor's dirty_log() puts together: what variants of "ranges" that
// are called as there share. Not part of the contract.

use crate::dirtyscan::{Map, Output, Storage};

/// What the kernel has logged, and what the hypervisor has written itself: the same, as in the
/// benchmark of pull request 7468.
pub struct TwoMaps {
    logged: Vec<u64>,
    own: Vec<u64>,
}

impl TwoMaps {
    /// The words of both, or'ed.
    pub fn words(&self) -> impl Iterator<Item = u64> + '_ {
        self.logged.iter().zip(self.own.iter()).map(|(logged, own)| logged | own)
    }
}

impl Storage for TwoMaps {
    fn prepare(map: &Map, _log: Option<&[u64]>) -> Self {
        TwoMaps { logged: map.words().to_vec(), own: map.words().to_vec() }
    }

    fn finish(self, _map: &mut Map, _output: &Output) {}
}
