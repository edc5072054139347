//! The phases that one profile goes through, each a type that is made from the one before:
//! `Looked → Leased → Observed → Planned → Executed → Finished`.

pub(super) mod executed;
pub(super) mod finished;
pub(super) mod leased;
pub(super) mod looked;
pub(super) mod observed;
pub(super) mod planned;
