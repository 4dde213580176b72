//! Boot storms on `KubeVirt`: create, stop, start all at once, and time every VM.

pub mod cluster;
pub mod exit;
pub mod failure;
pub mod observe;
pub mod plan;
pub mod record;
